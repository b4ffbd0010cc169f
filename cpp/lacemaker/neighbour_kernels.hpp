// Neighbour passes: forward (A from the neighbours) and reverse (forces from dE/dA), W sites at a time.
//
//     forward   A_nlm += R_n(r) Y_lm(rhat)
//     reverse   u_lm = sum_n R_n dE/dA_nlm,  v_lm = sum_n R'_n dE/dA_nlm,  then contracted with the harmonics
//
// Slot k holds the k-th neighbour of each of the W sites: lanes are central atoms, nothing is ever transposed or
// summed across lanes. Norms of R and Y are folded into the program's weights. NB slots are worked on together so
// that one load (and store) of an A row serves NB neighbours; each (l, +-m) shares the loads of R. Tables: R[n][NB],
// Q[l (l + 1)/2 + m][NB], c[m][NB].
//
// Adjoint of the harmonics, per m with sums over l (harmonics.hpp: dQ_lm/dz = (2m + 1) Q_{l,m+1}):
//     UC, US = sum Q_lm u_{l,+-m};   WC, WS = (2m + 1) sum Q_{l,m+1} u_{l,+-m};   VC, VS = sum Q_lm v_{l,+-m}
//     g   += m (UC c_{m-1} + US s_{m-1}),  m (US c_{m-1} - UC s_{m-1}),  WC c_m + WS s_m
//     rad += VC c_m + VS s_m
//     dE/dD = rhat rad + (g - rhat (g . rhat)) / r                        projected once, no table of gradients
//
// Cost per neighbour and A function: 1 FMA forward, 2 reverse; R and R' are recomputed in the reverse pass (L1). A full
// register's store costs as much as two FMAs, so u and v never leave the registers: that takes 20 accumulators for two
// slots, which 32 registers hold and 16 do not. There (SSE, AVX2, NEON) GCC spills some; it is still the faster way.
#pragma once

#include "evaluator_view.hpp"
#include "harmonics.hpp"
#include "radial.hpp"
#include "simd.hpp"

LACEMAKER_KERNEL_BEGIN

// The k-th neighbour of W sites. Padding sits beyond rcut, where env and slope are exactly zero.
template <class V>
struct Slot {
    V x, y, z;       // unit vector (before the geometry stage: D, Å)
    V inverse_r;     // 1/Å
    V t, t_slope;    // transformed distance, its derivative
    V env, env_slope;
    V pair_slope;    // d(pair energy)/dr, eV/Å
};

// Tables of one block of slots.
template <class V>
struct NeighbourScratch {
    V *R, *D;  // (n_max, NB)
    V* Q;      // ((lmax + 1)(lmax + 2)/2, NB)
    V *c, *s;  // (lmax + 1, NB)
};

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

// Q_lm of NB slots.
template <class V, int NB>
LACEMAKER_NOINLINE void fill_angles(int lmax, const Lane<V>* table, const Slot<V>* slots, const NeighbourScratch<V>& s) {
    V x[NB], y[NB], z[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        x[b] = slots[b].x, y[b] = slots[b].y, z[b] = slots[b].z;
        s.c[b] = s.Q[b] = broadcast<V>(1), s.s[b] = V{};
    }
    V* c = s.c;
    V* sine = s.s;
    for (int m = 0; m < lmax; ++m, c += NB, sine += NB)
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            c[NB + b] = x[b] * c[b] - y[b] * sine[b];
            sine[NB + b] = x[b] * sine[b] + y[b] * c[b];
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
        for (int m = 1; m <= l; ++m)
            LACEMAKER_UNROLL
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
            a0 += R[b] * y0[b];
            a1 += R[b] * y1[b];
        }
        A0[n] = a0;
        A1[n] = a1;
    }
}

// A += R Y for NB slots, over the rows of one species.
template <class V, int NB>
LACEMAKER_NOINLINE void forward(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots, V* A,
                                const NeighbourScratch<V>& s) {
    if (model.recursion.symmetric)
        fill_radial<V, NB, true>(model.recursion, rows.n_max, slots, s.R);
    else
        fill_radial<V, NB, false>(model.recursion, rows.n_max, slots, s.R);
    fill_angles<V, NB>(rows.lmax, model.harmonic_beta, slots, s);
    const V *Q = s.Q, *R = s.R;
    for (int l = 0; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
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

// Sums over l of one m > 0, times Q: see the head of this file. Channels +m and -m share R, R' and Q.
template <class V, int NB>
struct HarmonicSums {
    V uc[NB], us[NB], wc[NB], ws[NB], vc[NB], vs[NB];
};

template <class V, int NB>
LACEMAKER_INLINE void contract_channels(int m, const SpeciesRows& rows, const NeighbourScratch<V>& s, const V* dA,
                                        HarmonicSums<V, NB>& sums) {
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b)
        sums.uc[b] = sums.us[b] = sums.wc[b] = sums.ws[b] = sums.vc[b] = sums.vs[b] = V{};
    for (int l = m; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
        const V *a0 = dA + rows.row_of_l[l] + (l + m) * N, *a1 = a0 - 2 * m * N, *R = s.R, *D = s.D;
        V u0[NB], u1[NB], v0[NB], v1[NB];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) u0[b] = u1[b] = v0[b] = v1[b] = V{};
        for (int n = 0; n < N; ++n, R += NB, D += NB) {
            const V x0 = a0[n], x1 = a1[n];
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) {
                u0[b] += x0 * R[b];
                u1[b] += x1 * R[b];
                v0[b] += x0 * D[b];
                v1[b] += x1 * D[b];
            }
        }
        const V* Q = s.Q + (l * (l + 1) / 2 + m) * NB;
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            sums.uc[b] += Q[b] * u0[b];
            sums.us[b] += Q[b] * u1[b];
            sums.vc[b] += Q[b] * v0[b];
            sums.vs[b] += Q[b] * v1[b];
        }
        if (l == m) continue;  // Q_{l,m+1} = 0
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            sums.wc[b] += Q[NB + b] * u0[b];
            sums.ws[b] += Q[NB + b] * u1[b];
        }
    }
}

// The channel m = 0 of every l: adds to g_z and rad.
template <class V, int NB>
LACEMAKER_INLINE void contract_middle(const SpeciesRows& rows, const NeighbourScratch<V>& s, const V* dA, V* gz, V* rad) {
    for (int l = 0; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
        const V *a = dA + rows.row_of_l[l] + l * N, *R = s.R, *D = s.D;
        V u[NB], v[NB];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) u[b] = v[b] = V{};
        for (int n = 0; n < N; ++n, R += NB, D += NB) {
            const V x = a[n];
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) {
                u[b] += x * R[b];
                v[b] += x * D[b];
            }
        }
        const V* Q = s.Q + l * (l + 1) / 2 * NB;
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            rad[b] += Q[b] * v[b];
            if (l > 0) gz[b] += Q[NB + b] * u[b];
        }
    }
}

// gradient[3 b + axis] = dE/dD of slot b, eV/Å.
template <class V, int NB>
LACEMAKER_NOINLINE void reverse(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots,
                                const V* dA, const NeighbourScratch<V>& s, V* gradient) {
    using T = Lane<V>;
    if (model.recursion.symmetric)
        fill_radial_slopes<V, NB, true>(model.recursion, rows.n_max, slots, s.R, s.D);
    else
        fill_radial_slopes<V, NB, false>(model.recursion, rows.n_max, slots, s.R, s.D);
    fill_angles<V, NB>(rows.lmax, model.harmonic_beta, slots, s);
    V gx[NB], gy[NB], gz[NB], rad[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        gx[b] = gy[b] = gz[b] = V{};
        rad[b] = slots[b].pair_slope;
    }
    contract_middle<V, NB>(rows, s, dA, gz, rad);
    for (int m = 1; m <= rows.lmax; ++m) {
        HarmonicSums<V, NB> k;
        contract_channels<V, NB>(m, rows, s, dA, k);
        const V *c = s.c + m * NB, *sine = s.s + m * NB;
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            const V c_before = c[b - NB], s_before = sine[b - NB];
            gx[b] += T(m) * (k.uc[b] * c_before + k.us[b] * s_before);
            gy[b] += T(m) * (k.us[b] * c_before - k.uc[b] * s_before);
            gz[b] += T(2 * m + 1) * (k.wc[b] * c[b] + k.ws[b] * sine[b]);
            rad[b] += k.vc[b] * c[b] + k.vs[b] * sine[b];
        }
    }
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        const V x = slots[b].x, y = slots[b].y, z = slots[b].z, inverse_r = slots[b].inverse_r;
        const V radial = rad[b] - (gx[b] * x + gy[b] * y + gz[b] * z) * inverse_r;
        gradient[3 * b] = x * radial + gx[b] * inverse_r;
        gradient[3 * b + 1] = y * radial + gy[b] * inverse_r;
        gradient[3 * b + 2] = z * radial + gz[b] * inverse_r;
    }
}

LACEMAKER_KERNEL_END
