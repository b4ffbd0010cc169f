// Slots of neighbours and the tables both neighbour passes fill for a block of NB of them.
//
//     R[n][NB] = env P_{n-1}(x),  D[n][NB] = dR/dr;   Q[l (l + 1)/2 + m][NB],  c[m][NB],  s[m][NB]   (harmonics.hpp)
//
// Slot k holds the k-th neighbour of each of W sites: lanes are central atoms, nothing is ever transposed or summed
// across lanes. Recurrences of NB slots run side by side, which hides their latency.
#pragma once

#include "evaluator_view.hpp"
#include "harmonics.hpp"
#include "radial.hpp"
#include "simd.hpp"
#include "staging.hpp"

LACEMAKER_KERNEL_BEGIN

// The k-th neighbour of W sites. Padding sits beyond rcut, where env and slope are exactly zero.
template <class V>
struct Slot {
    V x, y, z;     // unit vector (before the geometry stage: D, Å)
    V inverse_r;   // 1/Å
    V t, t_slope;  // transformed distance, its derivative
    V env, env_slope;
    V pair_slope;  // d(pair energy)/dr, eV/Å
};

// Tables of one block of slots.
template <class V>
struct NeighbourScratch {
    V *R, *D;  // (n_max, NB)
    V* Q;      // ((lmax + 1)(lmax + 2)/2, NB)
    V *c, *s;  // (lmax + 1, NB)
    const int* radial_of_l = nullptr;  // (lmax + 1,) first row of R and D for each l; null: the same for all

    // For n radial functions of NB neighbours at once.
    void carve(Bump& memory, std::size_t n, std::size_t lmax, std::size_t NB) {
        const std::size_t m = lmax + 1;
        R = memory.take<V>(n * NB), D = memory.take<V>(n * NB);
        Q = memory.take<V>(m * (m + 1) / 2 * NB);
        c = memory.take<V>(m * NB), s = memory.take<V>(m * NB);
    }
};

// Rows of R or D that belong to l.
template <bool PerL, class V, int NB>
LACEMAKER_INLINE V* radial_rows(V* table, const NeighbourScratch<V>& s, int l) {
    if constexpr (PerL) {
        return table + s.radial_of_l[l] * NB;
    } else {
        return table;
    }
}

template <class V, int NB, bool Symmetric>
LACEMAKER_NOINLINE void fill_radial(const Recursion<Lane<V>>& k, int n_max, const Slot<V>* slots, V* R) {
    V t[NB], last[NB], now[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        t[b] = slots[b].t;
        now[b] = slots[b].env;
        last[b] = V{};
    }
    for (int n = 0; n < n_max; ++n, R += NB) {
        const Lane<V> beta = k.beta[n], gamma = k.gamma[n];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            R[b] = now[b];
            const V shifted = Symmetric ? t[b] : t[b] - beta;
            const V next = shifted * now[b] - gamma * last[b];
            last[b] = now[b];
            now[b] = next;
        }
    }
}

template <class V, int NB, bool Symmetric>
LACEMAKER_NOINLINE void fill_radial_slopes(const Recursion<Lane<V>>& k, int n_max, const Slot<V>* slots, V* R, V* D) {
    V t[NB], dt[NB], last[NB], now[NB], last_slope[NB], slope[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        t[b] = slots[b].t, dt[b] = slots[b].t_slope;
        now[b] = slots[b].env, slope[b] = slots[b].env_slope;
        last[b] = last_slope[b] = V{};
    }
    for (int n = 0; n < n_max; ++n, R += NB, D += NB) {
        const Lane<V> beta = k.beta[n], gamma = k.gamma[n];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            R[b] = now[b];
            D[b] = slope[b];
            const V shifted = Symmetric ? t[b] : t[b] - beta;
            const V next = shifted * now[b] - gamma * last[b];
            const V next_slope = shifted * slope[b] + (dt[b] * now[b] - gamma * last_slope[b]);
            last[b] = now[b], now[b] = next;
            last_slope[b] = slope[b], slope[b] = next_slope;
        }
    }
}

// Q_lm, c_m and s_m of NB slots.
template <class V, int NB>
LACEMAKER_NOINLINE void fill_angles(int lmax, const Lane<V>* table, const Slot<V>* slots,
                                    const NeighbourScratch<V>& s) {
    V x[NB], y[NB], z[NB], c[NB], sine[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        x[b] = slots[b].x, y[b] = slots[b].y, z[b] = slots[b].z;
        c[b] = s.c[b] = s.Q[b] = broadcast<V>(1);
        sine[b] = s.s[b] = V{};
    }
    for (int m = 1; m <= lmax; ++m) LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        const V next = x[b] * c[b] - y[b] * sine[b];
        s.s[m * NB + b] = sine[b] = x[b] * sine[b] + y[b] * c[b];
        s.c[m * NB + b] = c[b] = next;
    }
    V *before = s.Q, *now = s.Q;  // rows l - 1 and l
    for (int l = 0; l < lmax; ++l) {
        const Lane<V>* k = table + l * harmonic_stride;
        V* next = now + (l + 1) * NB;
        V below[NB];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            below[b] = now[b];
            next[b] = k[0] * z[b] * now[b] - (k[0] - Lane<V>(1)) * before[b];
        }
        for (int m = 1; m <= l; ++m) LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            const V q = now[m * NB + b];
            next[m * NB + b] = z[b] * q + k[m] * below[b];
            below[b] = q;
        }
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) next[(l + 1) * NB + b] = k[l + 1] * below[b];
        before = now;
        now = next;
    }
}

LACEMAKER_KERNEL_END
