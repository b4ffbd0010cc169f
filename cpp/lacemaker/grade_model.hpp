// Site functions of a basis compiled for the grade kernels, with the inverse of the active set. Host code.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "design_compile.hpp"
#include "dispatch.hpp"
#include "grade_view.hpp"
#include "model.hpp"

namespace lacemaker {

extern const GradeKernels grade_kernels_baseline;
#ifdef LACEMAKER_X86_KERNELS
extern const GradeKernels grade_kernels_avx2;
extern const GradeKernels grade_kernels_avx512;
#endif

inline const GradeKernels& grade_kernels(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
    if (isa == Isa::avx2) return grade_kernels_avx2;
    if (isa == Isa::avx512) return grade_kernels_avx512;
#endif
    (void)isa;
    return grade_kernels_baseline;
}

// Active functions of each centre, and per centre the inverse of its active set: gamma = max_k |sum_j B_j inverse_jk|.
struct ActiveSets {
    std::vector<std::int32_t> first;   // (NZ + 1,) ranges of `column`
    std::vector<std::int32_t> column;  // active functions, rising within a centre
    std::vector<double> inverse;       // the (n, n) blocks of the centres, C order, one after another; or empty

    std::size_t count(std::size_t centre) const { return std::size_t(first[centre + 1] - first[centre]); }
};

// Shapes, and that every active function belongs to its centre.
inline void check(const Tables& tables, const DesignTables& design, const ActiveSets& sets) {
    using detail::require;
    check(tables, design);
    const std::size_t nz = std::size_t(tables.n_species);
    require(sets.first.size() == nz + 1 && sets.first.front() == 0 && std::is_sorted(sets.first.begin(), sets.first.end()) &&
                std::size_t(sets.first.back()) == sets.column.size(),
            "the ranges of active functions must rise from 0 to their number in NZ + 1 steps");
    std::size_t squares = 0;
    for (std::size_t c = 0; c < nz; ++c) squares += sets.count(c) * sets.count(c);
    require(sets.inverse.empty() || sets.inverse.size() == squares,
            "the inverse of the active set holds " + std::to_string(sets.inverse.size()) + " numbers instead of " +
                std::to_string(squares));
    std::vector<std::int32_t> owner(design.n_columns, -1);
    for (std::size_t c = 0; c < nz; ++c) {
        for (int k = design.row_centre[c]; k < design.row_centre[c + 1]; ++k) owner[k] = std::int32_t(c);
        const std::size_t width = nz * tables.pair.n_max();
        for (std::size_t q = c * width; q < (c + 1) * width; ++q)
            if (design.pair_column[q] >= 0) owner[design.pair_column[q]] = std::int32_t(c);
    }
    for (std::size_t c = 0; c < nz; ++c)
        for (std::int32_t k = sets.first[c]; k < sets.first[c + 1]; ++k) {
            require(sets.column[k] >= 0 && sets.column[k] < design.n_columns && owner[sets.column[k]] == std::int32_t(c),
                    "an active function that its centre does not have");
            require(k == sets.first[c] || sets.column[k] > sets.column[k - 1], "active functions that do not rise");
        }
    for (std::size_t p = 0; p + 1 < design.product_first.size(); ++p)
        require(design.product_first[p + 1] - design.product_first[p] <= max_order,
                "a product of more than " + std::to_string(max_order) + " factors");
}

class GradeModel {
public:
    GradeModel(const Tables& tables, const DesignTables& design, const ActiveSets& sets, Isa isa)
        : kernels_(grade_kernels(isa)), tables_(tables) {
        check(tables, design, sets);
        std::fill(tables_.zbl.begin(), tables_.zbl.end(), 0.0);
        const int nz = tables.n_species;
        functions_.resize(nz);
        for (int c = 0; c < nz; ++c) read_functions(design, sets, c);
        model_ = std::make_unique<Model<double>>(tables_, linear_terms(), 1, kernels_.lanes * 8);
        centres_.resize(nz);
        std::size_t at = 0;
        for (int c = 0; c < nz; ++c) {
            compile(c);
            if (!sets.inverse.empty()) pack(sets.inverse.data() + at, sets.count(c), centres_[c].inverse);
            at += sets.count(c) * sets.count(c);
        }
        functions_.clear();
        set_view(!sets.inverse.empty());
    }
    GradeModel(const GradeModel&) = delete;
    GradeModel& operator=(const GradeModel&) = delete;

    const GradeView& view() const { return view_; }
    const GradeCapacity& capacity() const { return capacity_; }
    const GradeKernels& kernels() const { return kernels_; }
    int n_species() const { return tables_.n_species; }
    int n_functions() const { return capacity_.n_functions; }  // of the centre that has most
    bool has_inverse() const { return has_inverse_; }

    std::size_t bytes() const {
        std::size_t sum = 0;
        for (const Centre& c : centres_)
            sum += 4 * (c.left.size() + c.right.size()) + c.functions.bytes() + 8 * c.inverse.size();
        return sum;
    }

private:
    struct Centre {
        std::vector<std::int32_t> left, right;
        SumList functions;
        std::vector<double> inverse;
        int n_a = 0, n_nodes = 0;
    };

    // Polynomials in raw channel numbers: A functions, then pair functions (z, n).
    void read_functions(const DesignTables& design, const ActiveSets& sets, int c) {
        const int n_a = tables_.n_a(c), width = tables_.n_species * tables_.pair.n_max();
        std::vector<int> pair_of(design.n_columns, -1);
        for (int q = 0; q < width; ++q)
            if (const int column = design.pair_column[c * width + q]; column >= 0) pair_of[column] = q;
        for (std::int32_t a = sets.first[c]; a < sets.first[c + 1]; ++a) {
            const int column = sets.column[a];
            Polynomial f;
            if (column < design.row_centre.back())
                for (std::int64_t e = design.row_first[column]; e < design.row_first[column + 1]; ++e) {
                    const std::int64_t p = design.product_centre[c] + design.row_product[e];
                    const auto begin = design.product_index.begin();
                    if (design.row_coefficient[e] != 0)
                        f.terms.emplace_back(Factors(begin + design.product_first[p], begin + design.product_first[p + 1]),
                                             design.row_coefficient[e]);
                }
            if (pair_of[column] >= 0) f.terms.push_back({Factors{n_a + pair_of[column]}, 1.0});
            functions_[c].push_back(std::move(f));
        }
    }

    // A model that has the rows of all A functions in use, and reaches as far as the pair functions in use.
    ModelTerms linear_terms() const {
        const int nz = tables_.n_species, n_pair = tables_.pair.n_max();
        ModelTerms out;
        out.term_centre.push_back(0);
        out.term_first.push_back(0);
        out.pair_coefficients.assign(std::size_t(nz) * nz * n_pair, 0.0);
        out.e0.assign(nz, 0.0);
        for (int c = 0; c < nz; ++c) {
            std::vector<char> used(tables_.n_a(c), 0);
            for (const Polynomial& f : functions_[c])
                for (const auto& term : f.terms)
                    for (std::int32_t raw : term.first) {
                        if (raw < tables_.n_a(c))
                            used[raw] = 1;
                        else
                            out.pair_coefficients[std::size_t(c) * nz * n_pair + raw - tables_.n_a(c)] = 1.0;
                    }
            for (int a = 0; a < tables_.n_a(c); ++a) {
                if (!used[a]) continue;
                out.term_index.push_back(a);
                out.term_weight.push_back(1.0);
                out.term_first.push_back(std::int64_t(out.term_index.size()));
            }
            out.term_centre.push_back(std::int32_t(out.term_weight.size()));
        }
        return out;
    }

    // Raw channels become nodes, with their norms in the weights; products become sums of two nodes.
    void compile(int c) {
        const RowLayout& layout = model_->programs()[c].layout;
        const int n_a = tables_.n_a(c), n_pair = tables_.pair.n_max();
        const auto node = [&](std::int32_t raw, double& weight) {
            if (raw >= n_a) {
                weight *= tables_.pair.norm[(raw - n_a) % n_pair];
                return std::int32_t(1 + layout.n_a + raw - n_a);
            }
            const AChannel& a = tables_.channels(c)[raw];
            weight *= tables_.many_body.norm[a.n - 1] * harmonic_norm(a.l, a.m);
            return std::int32_t(1 + detail::row_of(layout, a));
        };
        NodePool nodes(layout.n_a + tables_.n_species * n_pair);
        for (Polynomial& f : functions_[c])
            for (auto& [factors, weight] : f.terms) {
                for (std::int32_t& raw : factors) raw = node(raw, weight);
                std::sort(factors.begin(), factors.end());
                nodes.announce(factors);
            }
        Centre& out = centres_[c];
        for (const Polynomial& f : functions_[c]) {
            for (const auto& [factors, weight] : f.terms) out.functions.add(nodes.split(factors), weight);
            out.functions.close();
        }
        out.left = nodes.left(), out.right = nodes.right();
        out.n_a = layout.n_a, out.n_nodes = nodes.count();
    }

    // Panels of columns, padded with zeros.
    void pack(const double* inverse, std::size_t n, std::vector<double>& out) const {
        const std::size_t width = std::size_t(kernels_.panel), panels = (n + width - 1) / width;
        out.assign(panels * n * width, 0.0);
        for (std::size_t j = 0; j < n; ++j)
            for (std::size_t k = 0; k < n; ++k) out[(k / width * n + j) * width + k % width] = inverse[j * n + k];
    }

    void set_view(bool has_inverse) {
        has_inverse_ = has_inverse;
        capacity_.base = model_->capacity();
        capacity_.n_nodes = capacity_.n_functions = 1;
        for (const Centre& c : centres_) {
            views_.push_back({c.n_a, c.n_nodes, int(c.left.size()), c.left.data(), c.right.data(), c.functions.view(),
                              has_inverse ? c.inverse.data() : nullptr});
            capacity_.n_nodes = std::max(capacity_.n_nodes, c.n_nodes);
            capacity_.n_functions = std::max(capacity_.n_functions, c.functions.count());
        }
        const RadialTable& pair = tables_.pair;
        view_ = {&model_->view(), views_.data(), {pair.beta.data(), pair.gamma.data(), pair.n_max(), false}};
    }

    const GradeKernels& kernels_;
    Tables tables_;
    std::vector<std::vector<Polynomial>> functions_;  // while compiling
    std::unique_ptr<Model<double>> model_;
    std::vector<Centre> centres_;
    std::vector<GradeCentre> views_;
    GradeView view_{};
    GradeCapacity capacity_{};
    bool has_inverse_ = false;
};

}  // namespace lacemaker
