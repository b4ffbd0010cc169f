// Forward pass: A_nlm += R_n(r) Y_lm(rhat) over the neighbours of one species, W sites at a time.
//
// NB slots are worked on together, so that one load and store of an A row serves NB neighbours; the channels (l, +-m)
// share the loads of R, and 2 NB harmonics stay in registers while n runs. Norms of R and Y are folded into the
// program's weights. Cost per neighbour and A function: one FMA.
#pragma once

#include "neighbour_tables.hpp"

LACEMAKER_KERNEL_BEGIN
// A row against NB harmonics.
template <class V, int NB>
LACEMAKER_INLINE void accumulate_channel(int N, const V* R, const V* y, V* A) {
    for (int n = 0; n < N; ++n, R += NB) {
        V a = A[n];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) a += R[b] * y[b];
        A[n] = a;
    }
}

template <class V, int NB>
LACEMAKER_INLINE void accumulate_channels(int N, const V* R, const V* y0, const V* y1, V* A0, V* A1) {
    for (int n = 0; n < N; ++n, R += NB) {
        V a0 = A0[n], a1 = A1[n];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            V r = R[b];
            pin(r);
            a0 += r * y0[b];
            a1 += r * y1[b];
        }
        A0[n] = a0;
        A1[n] = a1;
    }
}

// A += R Y for NB slots whose tables are filled, over the rows of one species.
template <class V, int NB, bool PerL = false>
LACEMAKER_INLINE void accumulate(const SpeciesRows& rows, V* A, const NeighbourScratch<V>& s) {
    const V* Q = s.Q;
    for (int l = 0; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
        const V* R = radial_rows<PerL, V, NB>(s.R, s, l);
        V* middle = A + rows.row_of_l[l] + l * N;
        V y0[NB], y1[NB];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) y0[b] = Q[b];
        accumulate_channel<V, NB>(N, R, y0, middle);
        Q += NB;
        for (int m = 1; m <= l; ++m, Q += NB) {
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) {
                y0[b] = Q[b] * s.c[m * NB + b];
                y1[b] = Q[b] * s.s[m * NB + b];
            }
            accumulate_channels<V, NB>(N, R, y0, y1, middle + m * N, middle - m * N);
        }
    }
}

// A += R Y for NB slots, radial functions by their recurrence.
template <class V, int NB>
LACEMAKER_NOINLINE void forward(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots, V* A,
                                const NeighbourScratch<V>& s) {
    if (model.recursion.symmetric)
        fill_radial<V, NB, true>(model.recursion, rows.n_max, slots, s.R);
    else
        fill_radial<V, NB, false>(model.recursion, rows.n_max, slots, s.R);
    fill_angles<V, NB>(rows.lmax, model.harmonic_beta, slots, s);
    accumulate<V, NB>(rows, A, s);
}

LACEMAKER_KERNEL_END
