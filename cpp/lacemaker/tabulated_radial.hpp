// Radial functions from tables: piecewise polynomials, for NB slots of W lanes.
//
//     R_f(r) = sum_q c_q t^q,   t = 2 (bins_per_length (r - start) - bin) - 1,   dR/dr = 2 bins_per_length dR/dt
//
// Every lane has its own bin. W functions of one lane are worked on together (their coefficients lie side by side),
// W lanes in turn, and a transposition brings the results into the order of the slots: lanes = sites. Cost per
// function and neighbour: 2 (table_order - 1) multiply-adds, half of it without slopes.
#pragma once

#include "design_lanes.hpp"
#include "neighbour_tables.hpp"
#include "tabulated_view.hpp"

LACEMAKER_KERNEL_BEGIN

// Where one distance lies in the tables.
struct TableSpot {
    const double* coefficients;
    double t, slope_scale;  // dt/dr
};

LACEMAKER_INLINE TableSpot table_spot(const RadialSplines& k, double r) {
    int s = 0;
    while (s + 1 < k.n_segments && r >= k.start[s + 1]) ++s;
    const double x = (r - k.start[s]) * k.bins_per_length[s];
    int bin = int(x < 1e6 ? x : 1e6);
    bin = bin < k.n_bins[s] ? bin : k.n_bins[s] - 1;
    const int row = r < k.end ? k.first_bin[s] + bin : k.zero_bin;
    const std::size_t size = std::size_t(table_order) * k.stride;
    return {k.coefficients + row * size, r < k.end ? 2 * (x - bin) - 1 : 0.0, 2 * k.bins_per_length[s]};
}

// R[f * NB + b], and D likewise if Slopes; slots hold r in t.
template <class V, int NB, bool Slopes>
LACEMAKER_NOINLINE void fill_tabulated(const RadialSplines& k, const Slot<V>* slots, V* R, V* D) {
    constexpr int W = lanes<V>;
    for (int b = 0; b < NB; ++b) {
        TableSpot spot[W];
        for (int w = 0; w < W; ++w) spot[w] = table_spot(k, slots[b].t[w]);
        for (int f = 0; f < k.n_functions; f += W) {
            V value[W], slope[W], out[W];
            LACEMAKER_UNROLL
            for (int w = 0; w < W; ++w) {
                value[w] = *reinterpret_cast<const V*>(spot[w].coefficients + (table_order - 1) * k.stride + f);
                slope[w] = V{};
            }
            for (int q = table_order - 2; q >= 0; --q) {
                LACEMAKER_UNROLL
                for (int w = 0; w < W; ++w) {
                    const V c = *reinterpret_cast<const V*>(spot[w].coefficients + q * k.stride + f);
                    if constexpr (Slopes) slope[w] = slope[w] * spot[w].t + value[w];
                    value[w] = value[w] * spot[w].t + c;
                }
            }
            design::transpose(value, out);
            LACEMAKER_UNROLL
            for (int u = 0; u < W; ++u) R[(f + u) * NB + b] = out[u];
            if constexpr (Slopes) {
                LACEMAKER_UNROLL
                for (int w = 0; w < W; ++w) slope[w] *= spot[w].slope_scale;
                design::transpose(slope, out);
                LACEMAKER_UNROLL
                for (int u = 0; u < W; ++u) D[(f + u) * NB + b] = out[u];
            }
        }
    }
}

// The core's row from r V to V.
template <class V, int NB, bool Slopes>
LACEMAKER_INLINE void divide_core(const Slot<V>* slots, V* R, V* D) {
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        R[b] = R[b] * slots[b].inverse_r;
        if constexpr (Slopes) D[b] = (D[b] - R[b]) * slots[b].inverse_r;
    }
}

// Row of R and D, and row of A from the species' first one, that hold the core.
LACEMAKER_INLINE int core_function(const RadialSplines& k, const SpeciesRows& rows) {
    return k.first_function[0] + rows.n_of_l[0] - 1;
}
LACEMAKER_INLINE int core_row(const SpeciesRows& rows) { return rows.row_of_l[0] + rows.n_of_l[0] - 1; }

LACEMAKER_KERNEL_END
