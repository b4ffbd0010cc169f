// A potential compiled for one instruction set and one arithmetic: the arrays behind a ModelView. Host code.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "evaluator_view.hpp"
#include "harmonics.hpp"
#include "program.hpp"
#include "tables.hpp"

namespace lacemaker {

// What a fit yields, in the layout of the keyword arguments of _core.Evaluator.
struct ModelTerms {
    std::vector<std::int32_t> term_centre;  // (NZ + 1,) ranges of terms
    std::vector<std::int64_t> term_first;   // (T + 1,)
    std::vector<std::int32_t> term_index;   // A functions within the centre
    std::vector<double> term_weight;        // (T,) eV
    std::vector<double> pair_coefficients;  // (NZ, NZ, n_pair) eV
    std::vector<double> e0;                 // (NZ,) eV
};

inline void check(const Tables& tables, const ModelTerms& t) {
    using detail::require;
    const std::size_t nz = tables.n_species;
    require(t.term_centre.size() == nz + 1 && t.term_centre.front() == 0 &&
                std::is_sorted(t.term_centre.begin(), t.term_centre.end()) &&
                std::size_t(t.term_centre.back()) == t.term_weight.size(),
            "term_centre must rise from 0 to the number of terms in NZ + 1 steps");
    require(t.term_first.size() == t.term_weight.size() + 1 && t.term_first.front() == 0 &&
                std::is_sorted(t.term_first.begin(), t.term_first.end()) &&
                std::size_t(t.term_first.back()) == t.term_index.size(),
            "term_first must rise from 0 to the length of term_index in n_terms + 1 steps");
    require(t.pair_coefficients.size() == nz * nz * tables.pair.n_max(),
            "pair_coefficients must have shape (NZ, NZ, n_pair)");
    require(t.e0.size() == nz, "e0 must have one value per species");
    for (const std::vector<double>* values : {&t.term_weight, &t.pair_coefficients, &t.e0})
        for (double v : *values) require(std::isfinite(v), "coefficients must be finite, found " + std::to_string(v));
}

// sum_n c_n norm_n P_n(x) in Chebyshev form, by P_{n+1} = (x - beta_n) P_n - gamma_n P_{n-1} and
// x T_k = (T_{k+1} + T_{k-1})/2.
inline std::vector<double> chebyshev_coefficients(const RadialTable& table, const double* c) {
    const int n = table.n_max();
    std::vector<double> sum(n, 0.0), last(n, 0.0), now(n, 0.0), next(n);
    if (n > 0) now[0] = 1.0;
    for (int k = 0; k < n; ++k) {
        for (int i = 0; i < n; ++i) sum[i] += c[k] * table.norm[k] * now[i];
        for (int i = 0; i < n; ++i) {
            const double below = i == 0 ? 0.0 : i == 1 ? now[0] : 0.5 * now[i - 1];
            const double above = i + 1 < n ? 0.5 * now[i + 1] : 0.0;
            next[i] = below + above - table.beta[k] * now[i] - table.gamma[k] * last[i];
        }
        last.swap(now);
        now.swap(next);
    }
    return sum;
}

template <class T>
class Model {
public:
    Model(const Tables& tables, const ModelTerms& terms, int max_run, int vector_bytes, bool every_row = false) {
        const int nz = tables.n_species;
        for (int centre = 0; centre < nz; ++centre) {
            const std::int32_t begin = terms.term_centre[centre], end = terms.term_centre[centre + 1];
            const FlatTerms flat{end - begin, terms.term_first.data() + begin, terms.term_index.data(),
                                 terms.term_weight.data() + begin};
            compiled_.push_back(compile_program(tables, centre, flat, max_run, every_row));
        }
        packed_.resize(nz);
        for (int centre = 0; centre < nz; ++centre) pack(compiled_[centre], packed_[centre], vector_bytes);
        set_radial(tables);
        set_pairs(tables, terms);
        e0_ = terms.e0;
        set_view(nz);
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    const ModelView<T>& view() const { return view_; }
    const std::vector<Program>& programs() const { return compiled_; }
    const Capacity& capacity() const { return capacity_; }  // max_neighbours is left to the caller

    std::size_t bytes() const {
        std::size_t sum = 0;
        for (const Packed& p : packed_)
            sum += p.weights.size() * sizeof(T) + p.index.size() * 4 + p.linear.size() * sizeof(T);
        return sum;
    }

private:
    struct Packed {
        std::vector<SpeciesRows> species;
        std::vector<T> linear, weights;
        std::vector<std::int32_t> products, index;
        ProgramView<T> view;
    };

    void pack(const Program& p, Packed& out, int row_bytes) {
        for (const SpeciesLayout& s : p.layout.species) {
            out.species.push_back({s.species, int(s.n_of_l.size()) - 1, s.n_max, s.first_row, s.n_rows, s.n_of_l.data(),
                                   s.row_of_l.data()});
            capacity_.lmax = std::max(capacity_.lmax, int(s.n_of_l.size()) - 1);
            capacity_.n_max = std::max(capacity_.n_max, s.n_max);
        }
        capacity_.n_rows = std::max(capacity_.n_rows, p.n_rows());
        detail::require(std::int64_t(p.n_rows() + 1) * row_bytes < std::numeric_limits<std::int32_t>::max(),
                        "the model has too many rows");
        for (const StoredProduct& k : p.products) {
            out.products.push_back(k.first * row_bytes);
            out.products.push_back(k.second * row_bytes);
        }
        for (std::int32_t row : p.index) out.index.push_back(row * row_bytes);
        out.linear.assign(p.linear.begin(), p.linear.end());
        out.weights.assign(p.weights.begin(), p.weights.end());
        out.view = {p.layout.n_a,      int(p.products.size()), int(out.species.size()), out.species.data(),
                    out.linear.data(), out.products.data(),    int(p.classes.size()),   p.classes.data(),
                    out.index.data(),  out.weights.data()};
    }

    void set_radial(const Tables& tables) {
        beta_.assign(tables.many_body.beta.begin(), tables.many_body.beta.end());
        gamma_.assign(tables.many_body.gamma.begin(), tables.many_body.gamma.end());
        harmonic_beta_.resize(harmonic_stride * harmonic_stride);
        fill_harmonic_beta(harmonic_beta_.data());
    }

    void set_pairs(const Tables& tables, const ModelTerms& terms) {
        const int nz = tables.n_species, n_pair = tables.pair.n_max();
        double largest = 1.0;
        for (int i = 0; i < nz; ++i)
            for (int j = 0; j < nz; ++j) {
                const std::size_t k = std::size_t(i) * nz + j;
                many_body_.push_back(radial_pair<T>(tables, tables.many_body, i, j));
                pair_.push_back(radial_pair<T>(tables, tables.pair, i, j));
                zbl_.push_back(tables.zbl_pair(i, j));
                const double* c = terms.pair_coefficients.data() + k * n_pair;
                has_pair_.push_back(std::any_of(c, c + n_pair, [](double v) { return v != 0; }));
                for (double v : chebyshev_coefficients(tables.pair, c)) chebyshev_.push_back(T(v));
                const double mb = has_rows(i, j) ? tables.many_body.transform_params[5 * k + 2] : 0.0;
                const double pair = has_pair_.back() ? tables.pair.transform_params[5 * k + 2] : 0.0;
                const double reach = std::max({mb, pair, zbl_.back().charges != 0 ? zbl_.back().r_outer : 0.0});
                mb_cutoff_squared_.push_back(mb * mb);
                cutoff_squared_.push_back(reach * reach);
                largest = std::max(largest, reach);
            }
        view_.far = T(2 * largest);
    }

    bool has_rows(int centre, int species) const {
        const auto& rows = packed_[centre].species;
        return std::any_of(rows.begin(), rows.end(), [&](const SpeciesRows& s) { return s.species == species; });
    }

    void set_view(int nz) {
        for (const Packed& p : packed_) programs_.push_back(p.view);
        capacity_.n_species = nz;
        const bool symmetric = std::all_of(beta_.begin(), beta_.end(), [](T b) { return b == 0; });
        view_.n_species = nz;
        view_.programs = programs_.data();
        view_.many_body = many_body_.data();
        view_.recursion = {beta_.data(), gamma_.data(), int(beta_.size()), symmetric};
        view_.harmonic_beta = harmonic_beta_.data();
        view_.pair = pair_.data();
        view_.n_pair = int(chebyshev_.size()) / (nz * nz);
        view_.pair_chebyshev = chebyshev_.data();
        view_.has_pair = has_pair_.data();
        view_.zbl = zbl_.data();
        view_.cutoff_squared = cutoff_squared_.data();
        view_.mb_cutoff_squared = mb_cutoff_squared_.data();
        view_.e0 = e0_.data();
    }

    std::vector<Program> compiled_;
    std::vector<Packed> packed_;
    std::vector<ProgramView<T>> programs_;
    std::vector<RadialPair<T>> many_body_, pair_;
    std::vector<ZblPair> zbl_;
    std::vector<T> beta_, gamma_, harmonic_beta_, chebyshev_;
    std::vector<unsigned char> has_pair_;
    std::vector<double> cutoff_squared_, mb_cutoff_squared_, e0_;
    Capacity capacity_{0, 1, 1, 0, 1};
    ModelView<T> view_{};
};

}  // namespace lacemaker
