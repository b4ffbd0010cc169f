// The members of a committee, compiled: models that differ in their weights alone. Host code.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "committee_view.hpp"
#include "design_plan.hpp"
#include "dispatch.hpp"
#include "evaluator.hpp"
#include "model.hpp"

namespace lacemaker {

extern const CommitteeKernels committee_kernels_baseline;
#ifdef LACEMAKER_X86_KERNELS
extern const CommitteeKernels committee_kernels_avx2;
extern const CommitteeKernels committee_kernels_avx512;
#endif

inline const CommitteeKernels& committee_kernels(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
    if (isa == Isa::avx2) return committee_kernels_avx2;
    if (isa == Isa::avx512) return committee_kernels_avx512;
#endif
    (void)isa;
    return committee_kernels_baseline;
}

template <class T>
const CommitteeEntry<T>& committee_entry_of(const CommitteeKernels& kernels);
template <>
inline const CommitteeEntry<double>& committee_entry_of<double>(const CommitteeKernels& k) { return k.f64; }
template <>
inline const CommitteeEntry<float>& committee_entry_of<float>(const CommitteeKernels& k) { return k.f32; }

template <class T>
struct CommitteeModels {
    std::vector<std::unique_ptr<Model<T>>> models;
    std::vector<ModelView<T>> views;

    CommitteeModels() = default;
    CommitteeModels(const Tables& tables, const std::vector<ModelTerms>& members, Isa isa) {
        detail::require(!members.empty(), "a committee needs at least one member");
        const int vector_bytes = committee_entry_of<T>(committee_kernels(isa)).lanes * int(sizeof(T));
        for (const ModelTerms& terms : members) {
            check(tables, terms);
            models.push_back(std::make_unique<Model<T>>(tables, terms, evaluate_kernels(isa).max_run, vector_bytes));
            views.push_back(models.back()->view());
            detail::require(alike(*models.front(), *models.back()),
                            "the members of a committee must have the same pattern of zero coefficients");
        }
    }

    int size() const { return int(models.size()); }
    CommitteeView<T> view() const { return {size(), views.data()}; }
    std::size_t bytes() const {
        std::size_t sum = 0;
        for (const auto& model : models) sum += model->bytes();
        return sum;
    }

private:
    static bool alike(const Model<T>& a, const Model<T>& b) {
        for (std::size_t z = 0; z < a.programs().size(); ++z) {
            const Program &p = a.programs()[z], &q = b.programs()[z];
            if (p.index != q.index || p.layout.channel != q.layout.channel || p.classes.size() != q.classes.size() ||
                p.products.size() != q.products.size())
                return false;
        }
        const int nz = a.view().n_species;
        return std::equal(a.view().has_pair, a.view().has_pair + nz * nz, b.view().has_pair);
    }
};

// Weights of the products for k vectors of coefficients (k, n_columns) and one-body energies (k, NZ). A product that
// vanishes in some members only stays in all, with a weight too small to matter: one program serves all members.
inline std::vector<ModelTerms> contract(const Tables& tables, const DesignTables& d, const std::vector<double>& coefficients,
                                        const std::vector<double>& e0) {
    const std::size_t nz = std::size_t(tables.n_species), k = e0.size() / nz, n_columns = std::size_t(d.n_columns);
    std::vector<std::vector<double>> weights(k, std::vector<double>(d.product_first.size() - 1, 0.0));
    double largest = 1e-200;
    for (std::size_t c = 0; c < nz; ++c)
        for (int row = d.row_centre[c]; row < d.row_centre[c + 1]; ++row)
            for (std::int64_t e = d.row_first[row]; e < d.row_first[row + 1]; ++e)
                for (std::size_t m = 0; m < k; ++m)
                    weights[m][d.product_centre[c] + d.row_product[e]] +=
                        coefficients[m * n_columns + row] * d.row_coefficient[e];
    for (double v : coefficients) largest = std::max(largest, std::fabs(v));
    std::vector<ModelTerms> out(k);
    for (ModelTerms& m : out) m.term_centre.push_back(0), m.term_first.push_back(0);
    for (std::size_t c = 0; c < nz; ++c) {
        for (int p = d.product_centre[c]; p < d.product_centre[c + 1]; ++p) {
            if (std::all_of(weights.begin(), weights.end(), [p](const auto& w) { return w[p] == 0; })) continue;
            for (std::size_t m = 0; m < k; ++m) {
                out[m].term_weight.push_back(weights[m][p] != 0 ? weights[m][p] : 1e-30 * largest);
                out[m].term_index.insert(out[m].term_index.end(), d.product_index.begin() + d.product_first[p],
                                         d.product_index.begin() + d.product_first[p + 1]);
                out[m].term_first.push_back(std::int64_t(out[m].term_index.size()));
            }
        }
        for (ModelTerms& m : out) m.term_centre.push_back(std::int32_t(m.term_weight.size()));
    }
    for (std::size_t q = 0; q < d.pair_column.size(); ++q)
        for (std::size_t m = 0; m < k; ++m) {
            const std::int32_t column = d.pair_column[q];
            const double value = column < 0 ? 0.0 : coefficients[m * n_columns + column];
            out[m].pair_coefficients.push_back(column >= 0 && value == 0 ? 1e-30 * largest : value);
        }
    for (std::size_t m = 0; m < k; ++m) out[m].e0.assign(e0.begin() + m * nz, e0.begin() + (m + 1) * nz);
    return out;
}

}  // namespace lacemaker
