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
// Cost per neighbour and A function: 1 FMA forward, 2 reverse; R, R' and Q are recomputed in the reverse pass (all of it
// stays in L1). Storing a register costs as much as two FMAs, so u and v are never stored: their contraction runs in
// registers too, for H = 2 slots at a time where there are 32 of them.
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

// Q_lm, c_m and s_m of NB slots.
template <class V, int NB>
LACEMAKER_NOINLINE void fill_angles(int lmax, const Lane<V>* table, const Slot<V>* slots, const NeighbourScratch<V>& s) {
    V x[NB], y[NB], z[NB], c[NB], sine[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        x[b] = slots[b].x, y[b] = slots[b].y, z[b] = slots[b].z;
        c[b] = s.c[b] = s.Q[b] = broadcast<V>(1);
        sine[b] = s.s[b] = V{};
    }
    for (int m = 1; m <= lmax; ++m)
        LACEMAKER_UNROLL
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
            V r = R[b];
            LACEMAKER_PIN(r);
            a0 += r * y0[b];
            a1 += r * y1[b];
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

// dE/dD before the projection: gradient of the polynomials and radial derivative, of NB slots.
template <class V, int NB>
struct SlotGradient {
    V x[NB], y[NB], z[NB], radial[NB];
};

// Channels +m and -m (m > 0) of every l, for slots first .. first + H - 1 of the tables' NB: they share R, R' and Q.
// All sums stay in registers, hence small H; not inlined, or the sums of other slots would push them out.
template <class V, int NB, int H>
LACEMAKER_NOINLINE void contract_channels(int m, int first, const SpeciesRows& rows, const NeighbourScratch<V>& s,
                                          const V* dA, SlotGradient<V, NB>& g) {
    using T = Lane<V>;
    V uc[H], us[H], wc[H], ws[H], vc[H], vs[H];
    LACEMAKER_UNROLL
    for (int b = 0; b < H; ++b) uc[b] = us[b] = wc[b] = ws[b] = vc[b] = vs[b] = V{};
    for (int l = m; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
        const V *a0 = dA + rows.row_of_l[l] + (l + m) * N, *a1 = a0 - 2 * m * N, *R = s.R + first, *D = s.D + first;
        V u0[H], u1[H], v0[H], v1[H];
        LACEMAKER_UNROLL
        for (int b = 0; b < H; ++b) u0[b] = u1[b] = v0[b] = v1[b] = V{};
        for (int n = 0; n < N; ++n, R += NB, D += NB) {
            const V x0 = a0[n], x1 = a1[n];
            LACEMAKER_UNROLL
            for (int b = 0; b < H; ++b) {
                V r = R[b], d = D[b];
                LACEMAKER_PIN(r);
                LACEMAKER_PIN(d);
                u0[b] += x0 * r;
                u1[b] += x1 * r;
                v0[b] += x0 * d;
                v1[b] += x1 * d;
            }
        }
        const V* Q = s.Q + (l * (l + 1) / 2 + m) * NB + first;
        LACEMAKER_UNROLL
        for (int b = 0; b < H; ++b) {
            uc[b] += Q[b] * u0[b];
            us[b] += Q[b] * u1[b];
            vc[b] += Q[b] * v0[b];
            vs[b] += Q[b] * v1[b];
        }
        if (l == m) continue;  // Q_{l,m+1} = 0
        LACEMAKER_UNROLL
        for (int b = 0; b < H; ++b) {
            wc[b] += Q[NB + b] * u0[b];
            ws[b] += Q[NB + b] * u1[b];
        }
    }
    const V *c = s.c + m * NB + first, *sine = s.s + m * NB + first;
    LACEMAKER_UNROLL
    for (int b = 0; b < H; ++b) {
        const V c_before = c[b - NB], s_before = sine[b - NB];
        g.x[first + b] += T(m) * (uc[b] * c_before + us[b] * s_before);
        g.y[first + b] += T(m) * (us[b] * c_before - uc[b] * s_before);
        g.z[first + b] += T(2 * m + 1) * (wc[b] * c[b] + ws[b] * sine[b]);
        g.radial[first + b] += vc[b] * c[b] + vs[b] * sine[b];
    }
}

// The channel m = 0 of every l.
template <class V, int NB>
LACEMAKER_NOINLINE void contract_middle(const SpeciesRows& rows, const NeighbourScratch<V>& s, const V* dA,
                                        SlotGradient<V, NB>& g) {
    V gz[NB], radial[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) gz[b] = radial[b] = V{};
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
            radial[b] += Q[b] * v[b];
            if (l > 0) gz[b] += Q[NB + b] * u[b];
        }
    }
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        g.x[b] = g.y[b] = V{};
        g.z[b] = gz[b];
        g.radial[b] = radial[b];
    }
}

// gradient[3 b + axis] = dE/dD of slot b, eV/Å.
template <class V, int NB>
LACEMAKER_NOINLINE void reverse(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots,
                                const V* dA, const NeighbourScratch<V>& s, V* gradient) {
    if (model.recursion.symmetric)
        fill_radial_slopes<V, NB, true>(model.recursion, rows.n_max, slots, s.R, s.D);
    else
        fill_radial_slopes<V, NB, false>(model.recursion, rows.n_max, slots, s.R, s.D);
    fill_angles<V, NB>(rows.lmax, model.harmonic_beta, slots, s);
    SlotGradient<V, NB> g;
    contract_middle<V, NB>(rows, s, dA, g);
    constexpr int H = NB % 2 == 0 ? 2 : 1;
    for (int m = 1; m <= rows.lmax; ++m)
        for (int first = 0; first < NB; first += H) contract_channels<V, NB, H>(m, first, rows, s, dA, g);
    for (int b = 0; b < NB; ++b) {
        const V x = slots[b].x, y = slots[b].y, z = slots[b].z, inverse_r = slots[b].inverse_r;
        const V radial = g.radial[b] + slots[b].pair_slope - (g.x[b] * x + g.y[b] * y + g.z[b] * z) * inverse_r;
        gradient[3 * b] = x * radial + g.x[b] * inverse_r;
        gradient[3 * b + 1] = y * radial + g.y[b] * inverse_r;
        gradient[3 * b + 2] = z * radial + g.z[b] * inverse_r;
    }
}

LACEMAKER_KERNEL_END
