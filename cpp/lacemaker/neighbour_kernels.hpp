// Neighbour passes: forward (A from the neighbours) and reverse (forces from dE/dA), W sites at a time.
//
//     forward   A_nlm += R_n(r) Y_lm(rhat)
//     reverse   u_lm = sum_n R_n dE/dA_nlm,  v_lm = sum_n R'_n dE/dA_nlm,  then contracted with the harmonics
//
// Slot k holds the k-th neighbour of each of the W sites: lanes are central atoms, nothing is ever transposed or
// summed across lanes. Norms of R and Y are folded into the program's weights. NB slots are worked on together so
// that one load (and store) of an A row serves NB neighbours. Tables: R[n][NB], Y[l^2+l+m][NB], likewise u and v.
//
// Adjoint of the harmonics, per m with sums over l (Q, dQ = dQ/dz of harmonics.hpp):
//     UC, US = sum Q u_{l,+-m};   WC, WS = sum dQ u_{l,+-m};   VC, VS = sum Q v_{l,+-m}
//     g   += m (UC c_{m-1} + US s_{m-1}),  m (US c_{m-1} - UC s_{m-1}),  WC c_m + WS s_m
//     rad += VC c_m + VS s_m
//     dE/dD = rhat rad + (g - rhat (g . rhat)) / r                        projected once, no table of gradients
//
// Cost per neighbour and A function: 1 FMA forward, 2 reverse. R and R' are recomputed in the reverse pass (L1), u and v
// are stored before the contraction: fusing it into the n loop spills and costs a quarter of the pass.
#pragma once

#include "evaluator_view.hpp"
#include "harmonics.hpp"
#include "radial.hpp"
#include "simd.hpp"

LACEMAKER_KERNEL_BEGIN

// The k-th neighbour of W sites. Padding sits at r = rcut, where env and slope are exactly zero.
template <class V>
struct Slot {
    V x, y, z;       // unit vector (before the geometry stage: D, Å)
    V inverse_r;     // 1/Å
    V t, t_slope;    // transformed distance, its derivative
    V env, env_slope;
    V pair_slope;    // d(pair energy)/dr, eV/Å
};

// Room for the tables of one block of slots.
template <class V>
struct NeighbourScratch {
    V *R, *D;  // (n_max, NB)
    V *Y, *U, *W;  // ((lmax + 1)^2, NB)
};

template <class V, int NB, bool Symmetric>
LACEMAKER_NOINLINE void fill_radial(const Recursion<Lane<V>>& c, int n_max, const Slot<V>* slots, V* R) {
    V t[NB], last[NB], now[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        t[b] = slots[b].t;
        now[b] = slots[b].env;
        last[b] = V{};
    }
    for (int n = 0; n < n_max; ++n, R += NB) {
        const Lane<V> beta = c.beta[n], gamma = c.gamma[n];
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
LACEMAKER_NOINLINE void fill_radial_slopes(const Recursion<Lane<V>>& c, int n_max, const Slot<V>* slots, V* R, V* D) {
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        const V t = slots[b].t, dt = slots[b].t_slope;
        V now = slots[b].env, slope = slots[b].env_slope, last = V{}, last_slope = V{};
        for (int n = 0; n < n_max; ++n) {
            R[n * NB + b] = now;
            D[n * NB + b] = slope;
            const Lane<V> gamma = c.gamma[n];
            const V shifted = Symmetric ? t : t - c.beta[n];
            const V next = shifted * now - gamma * last;
            const V next_slope = shifted * slope + (dt * now - gamma * last_slope);
            last = now;
            now = next;
            last_slope = slope;
            slope = next_slope;
        }
    }
}

// A += R Y over the channels of one species; two channels at a time share the loads of R.
template <class V, int NB>
LACEMAKER_INLINE void accumulate_rows(const SpeciesRows& rows, const V* R, const V* Y, V* A) {
    for (int l = 0; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
        {
            V y[NB];
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) y[b] = Y[b];
            const V* r = R;
            for (int n = 0; n < N; ++n, r += NB) {
                V a = A[n];
                LACEMAKER_UNROLL
                for (int b = 0; b < NB; ++b) a += r[b] * y[b];
                A[n] = a;
            }
            A += N;
            Y += NB;
        }
        for (int pair = 0; pair < l; ++pair) {
            V y0[NB], y1[NB];
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) {
                y0[b] = Y[b];
                y1[b] = Y[NB + b];
            }
            const V* r = R;
            V* second = A + N;
            for (int n = 0; n < N; ++n, r += NB) {
                V a0 = A[n], a1 = second[n];
                LACEMAKER_UNROLL
                for (int b = 0; b < NB; ++b) {
                    a0 += r[b] * y0[b];
                    a1 += r[b] * y1[b];
                }
                A[n] = a0;
                second[n] = a1;
            }
            A += 2 * N;
            Y += 2 * NB;
        }
    }
}

template <class V, int NB>
LACEMAKER_NOINLINE void forward(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots, V* A,
                                const NeighbourScratch<V>& s) {
    if (model.recursion.symmetric)
        fill_radial<V, NB, true>(model.recursion, rows.n_max, slots, s.R);
    else
        fill_radial<V, NB, false>(model.recursion, rows.n_max, slots, s.R);
    for (int b = 0; b < NB; ++b)
        harmonics(rows.lmax, model.harmonic_beta, slots[b].x, slots[b].y, slots[b].z, s.Y + b, NB);
    accumulate_rows<V, NB>(rows, s.R, s.Y, A);
}

// u = sum_n R_n dA_n and v = sum_n R'_n dA_n for every channel of one species.
template <class V, int NB>
LACEMAKER_INLINE void contract_rows(const SpeciesRows& rows, const V* R, const V* D, const V* dA, V* U, V* W) {
    for (int l = 0; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
        {
            V u[NB], v[NB];
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) u[b] = v[b] = V{};
            for (int n = 0; n < N; ++n) {
                const V a = dA[n];
                LACEMAKER_UNROLL
                for (int b = 0; b < NB; ++b) {
                    u[b] += a * R[n * NB + b];
                    v[b] += a * D[n * NB + b];
                }
            }
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) {
                U[b] = u[b];
                W[b] = v[b];
            }
            dA += N;
            U += NB;
            W += NB;
        }
        for (int pair = 0; pair < l; ++pair) {
            V u0[NB], v0[NB], u1[NB], v1[NB];
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) u0[b] = v0[b] = u1[b] = v1[b] = V{};
            const V *r = R, *d = D, *second = dA + N;
            for (int n = 0; n < N; ++n, r += NB, d += NB) {
                const V a0 = dA[n], a1 = second[n];
                LACEMAKER_UNROLL
                for (int b = 0; b < NB; ++b) {
                    const V rb = r[b], db = d[b];
                    u0[b] += a0 * rb;
                    u1[b] += a1 * rb;
                    v0[b] += a0 * db;
                    v1[b] += a1 * db;
                }
            }
            LACEMAKER_UNROLL
            for (int b = 0; b < NB; ++b) {
                U[b] = u0[b];
                W[b] = v0[b];
                U[NB + b] = u1[b];
                W[NB + b] = v1[b];
            }
            dA += 2 * N;
            U += 2 * NB;
            W += 2 * NB;
        }
    }
}

// dE/dD of one slot from its u and v tables (stride NB), into gradient[3].
template <class V>
LACEMAKER_INLINE void contract_harmonics(int lmax, const Lane<V>* beta, const Slot<V>& slot, const V* u, const V* v,
                                         int stride, V* gradient) {
    using T = Lane<V>;
    const V x = slot.x, y = slot.y, z = slot.z;
    V gx = V{}, gy = V{}, gz = V{}, rad = slot.pair_slope;
    {
        V q = broadcast<V>(1), q_before = V{}, dq = V{}, dq_before = V{};
        for (int l = 0; l <= lmax; ++l) {
            const int row = (l * l + l) * stride;
            gz += dq * u[row];
            rad += q * v[row];
            const V q_next = z * q - beta[l + 1] * q_before;
            const V dq_next = q + z * dq - beta[l + 1] * dq_before;
            q_before = q, q = q_next, dq_before = dq, dq = dq_next;
        }
    }
    V c = broadcast<V>(1), s = V{};
    for (int m = 1; m <= lmax; ++m) {
        const T* b = beta + m * harmonic_stride;
        const V c_before = c, s_before = s;
        c = x * c_before - y * s_before;
        s = x * s_before + y * c_before;
        V q = broadcast<V>(1), q_before = V{}, dq = V{}, dq_before = V{};
        V uc = V{}, us = V{}, wc = V{}, ws = V{}, vc = V{}, vs = V{};
        for (int l = m; l <= lmax; ++l) {
            const int plus = (l * l + l + m) * stride, minus = (l * l + l - m) * stride;
            const V up = u[plus], um = u[minus];
            uc += q * up;
            us += q * um;
            wc += dq * up;
            ws += dq * um;
            vc += q * v[plus];
            vs += q * v[minus];
            const V q_next = z * q - b[l + 1] * q_before;
            const V dq_next = q + z * dq - b[l + 1] * dq_before;
            q_before = q, q = q_next, dq_before = dq, dq = dq_next;
        }
        gx += T(m) * (uc * c_before + us * s_before);
        gy += T(m) * (us * c_before - uc * s_before);
        gz += wc * c + ws * s;
        rad += vc * c + vs * s;
    }
    const V radial = rad - (gx * x + gy * y + gz * z) * slot.inverse_r;
    gradient[0] = x * radial + gx * slot.inverse_r;
    gradient[1] = y * radial + gy * slot.inverse_r;
    gradient[2] = z * radial + gz * slot.inverse_r;
}

// gradient[3 b + axis] = dE/dD of slot b, eV/Å.
template <class V, int NB>
LACEMAKER_NOINLINE void reverse(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots,
                                const V* dA, const NeighbourScratch<V>& s, V* gradient) {
    if (model.recursion.symmetric)
        fill_radial_slopes<V, NB, true>(model.recursion, rows.n_max, slots, s.R, s.D);
    else
        fill_radial_slopes<V, NB, false>(model.recursion, rows.n_max, slots, s.R, s.D);
    contract_rows<V, NB>(rows, s.R, s.D, dA, s.U, s.W);
    for (int b = 0; b < NB; ++b)
        contract_harmonics(rows.lmax, model.harmonic_beta, slots[b], s.U + b, s.W + b, NB, gradient + 3 * b);
}

LACEMAKER_KERNEL_END
