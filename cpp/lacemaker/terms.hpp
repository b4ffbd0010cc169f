// The terms of one centre: E = sum_t w_t prod_{v in t} A_v, and the rows they need. Host code.
//
// Python speaks of normalised A_znlm. The kernels work with monic radial polynomials and unnormalised harmonics, so
// each term's weight takes the norms of its factors: w_t prod norm_n N_lm. Equal products are merged. Channels that no
// term uses get no rows: a pruned model has fewer radial functions and harmonics to fill, not only fewer terms.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tables.hpp"

namespace lacemaker {

inline constexpr int max_order = 6;

// Terms of one centre as handed over: indices into the centre's a_spec.
struct FlatTerms {
    std::int64_t n_terms = 0;
    const std::int64_t* first = nullptr;  // (n_terms + 1,)
    const std::int32_t* index = nullptr;
    const double* weight = nullptr;  // (n_terms,)
};

// A product of rows, ascending, with a weight.
struct Monomial {
    std::array<std::int32_t, max_order> row{};
    int order = 0;
    double weight = 0;

    const std::int32_t* begin() const { return row.data(); }
    const std::int32_t* end() const { return row.data() + order; }
};

inline bool same_rows(const Monomial& a, const Monomial& b) {
    return a.order == b.order && std::equal(a.begin(), a.end(), b.begin());
}

inline bool rows_before(const Monomial& a, const Monomial& b) {
    return a.order != b.order ? a.order < b.order
                              : std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

// Sorts, adds up equal products, drops those that cancel.
inline void merge_equal(std::vector<Monomial>& terms) {
    std::sort(terms.begin(), terms.end(), rows_before);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < terms.size();) {
        Monomial sum = terms[i];
        for (++i; i < terms.size() && same_rows(terms[i], sum); ++i) sum.weight += terms[i].weight;
        if (sum.weight != 0) terms[kept++] = sum;
    }
    terms.resize(kept);
}

// A rows of one neighbour species: l = 0..lmax, m = -l..l, n = 1..n_of_l[l].
struct SpeciesLayout {
    int species = 0, first_row = 0, n_rows = 0, n_max = 0;
    std::vector<int> n_of_l, row_of_l;
};

struct RowLayout {
    std::vector<SpeciesLayout> species;  // those with rows, ascending
    int n_a = 0;
    std::vector<int> channel;  // (n_a,) rows of one (z, l, m) share a channel and are consecutive
};

namespace detail {

inline RowLayout layout_rows(const Tables& tables, int centre, const std::vector<char>& used) {
    std::map<int, std::vector<int>> n_of_l;  // species -> l -> n
    for (int v = 0; v < tables.n_a(centre); ++v) {
        if (!used[v]) continue;
        const AChannel& a = tables.channels(centre)[v];
        std::vector<int>& n = n_of_l[a.z];
        if (int(n.size()) <= a.l) n.resize(a.l + 1, 0);
        n[a.l] = std::max<int>(n[a.l], a.n);
    }
    RowLayout out;
    int channel = 0;
    for (auto& [z, n] : n_of_l) {
        SpeciesLayout s;
        s.species = z;
        s.first_row = out.n_a;
        s.n_max = *std::max_element(n.begin(), n.end());
        for (int l = 0; l < int(n.size()); ++l) {
            s.row_of_l.push_back(int(out.channel.size()) - s.first_row);
            for (int m = -l; m <= l; ++m, ++channel) out.channel.insert(out.channel.end(), n[l], channel);
        }
        s.n_of_l = std::move(n);
        out.n_a = int(out.channel.size());
        s.n_rows = out.n_a - s.first_row;
        out.species.push_back(std::move(s));
    }
    return out;
}

inline int row_of(const RowLayout& layout, const AChannel& a) {
    const auto s = std::find_if(layout.species.begin(), layout.species.end(),
                                [&](const SpeciesLayout& s) { return s.species == a.z; });
    return s->first_row + s->row_of_l[a.l] + (a.m + a.l) * s->n_of_l[a.l] + a.n - 1;
}

}  // namespace detail

// Rows and merged monomials of one centre; with every_row also unused channels get rows, so that several sets of terms
// share one layout.
inline std::vector<Monomial> normalise_terms(const Tables& tables, int centre, const FlatTerms& terms,
                                             RowLayout& layout, bool every_row = false) {
    const int n_a = tables.n_a(centre);
    std::vector<char> used(n_a, every_row);
    for (std::int64_t t = 0; t < terms.n_terms; ++t) {
        const std::int64_t order = terms.first[t + 1] - terms.first[t];
        detail::require(order >= 1 && order <= max_order, "term " + std::to_string(t) + " has " +
                                                              std::to_string(order) + " factors; 1 to " +
                                                              std::to_string(max_order) + " are possible");
        for (std::int64_t k = terms.first[t]; k < terms.first[t + 1]; ++k) {
            const std::int32_t v = terms.index[k];
            detail::require(v >= 0 && v < n_a, "term " + std::to_string(t) + " refers to A function " +
                                                   std::to_string(v) + " of a centre that has " + std::to_string(n_a));
            if (terms.weight[t] != 0) used[v] = 1;
        }
    }
    layout = detail::layout_rows(tables, centre, used);
    std::vector<int> row(n_a, -1);
    std::vector<double> norm(n_a, 0.0);
    for (int v = 0; v < n_a; ++v) {
        if (!used[v]) continue;
        const AChannel& a = tables.channels(centre)[v];
        row[v] = detail::row_of(layout, a);
        norm[v] = tables.many_body.norm[a.n - 1] * harmonic_norm(a.l, a.m);
    }
    std::vector<Monomial> out;
    for (std::int64_t t = 0; t < terms.n_terms; ++t) {
        if (terms.weight[t] == 0) continue;
        Monomial term;
        term.weight = terms.weight[t];
        for (std::int64_t k = terms.first[t]; k < terms.first[t + 1]; ++k) {
            term.weight *= norm[terms.index[k]];
            term.row[term.order++] = row[terms.index[k]];
        }
        std::sort(term.row.begin(), term.row.begin() + term.order);
        out.push_back(term);
    }
    merge_equal(out);
    return out;
}

}  // namespace lacemaker
