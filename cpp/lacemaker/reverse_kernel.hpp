// Reverse pass: dE/dD of the neighbours of one species from dE/dA, W sites at a time.
//
//     u_lm = sum_n R_n dE/dA_nlm,   v_lm = sum_n R'_n dE/dA_nlm
//
// Adjoint of the harmonics, per m with sums over l (harmonics.hpp: dQ_lm/dz = (2m + 1) Q_{l,m+1}):
//     UC, US = sum Q_lm u_{l,+-m};   WC, WS = (2m + 1) sum Q_{l,m+1} u_{l,+-m};   VC, VS = sum Q_lm v_{l,+-m}
//     g   += m (UC c_{m-1} + US s_{m-1}),  m (US c_{m-1} - UC s_{m-1}),  WC c_m + WS s_m
//     rad += VC c_m + VS s_m
//     dE/dD = rhat rad + (g - rhat (g . rhat)) / r                     projected once, no table of gradients
//
// Cost per neighbour and A function: two FMAs. R, R' and Q are recomputed: all of it stays in L1. Storing a register
// costs as much as two FMAs, so u and v are never stored: their contraction runs in registers too, for H = 2 slots at a
// time.
#pragma once

#include "neighbour_tables.hpp"

LACEMAKER_KERNEL_BEGIN
// dE/dD before the projection: gradient of the polynomials and radial derivative, of NB slots.
template <class V, int NB>
struct SlotGradient {
    V x[NB], y[NB], z[NB], radial[NB];
};

// Channels +m and -m (m > 0) of every l, for slots first .. first + H - 1 of the tables' NB: they share R, R' and Q.
// All sums stay in registers, hence small H; not inlined, or the sums of other slots would push them out.
template <class V, int NB, int H, bool PerL = false>
LACEMAKER_NOINLINE void contract_channels(int m, int first, const SpeciesRows& rows, const NeighbourScratch<V>& s,
                                          const V* dA, SlotGradient<V, NB>& g) {
    using T = Lane<V>;
    V uc[H], us[H], wc[H], ws[H], vc[H], vs[H];
    LACEMAKER_UNROLL
    for (int b = 0; b < H; ++b) uc[b] = us[b] = wc[b] = ws[b] = vc[b] = vs[b] = V{};
    for (int l = m; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
        const V *a0 = dA + rows.row_of_l[l] + (l + m) * N, *a1 = a0 - 2 * m * N;
        const V *R = radial_rows<PerL, V, NB>(s.R, s, l) + first, *D = radial_rows<PerL, V, NB>(s.D, s, l) + first;
        V u0[H], u1[H], v0[H], v1[H];
        LACEMAKER_UNROLL
        for (int b = 0; b < H; ++b) u0[b] = u1[b] = v0[b] = v1[b] = V{};
        for (int n = 0; n < N; ++n, R += NB, D += NB) {
            const V x0 = a0[n], x1 = a1[n];
            LACEMAKER_UNROLL
            for (int b = 0; b < H; ++b) {
                V r = R[b], d = D[b];
                pin(r);
                pin(d);
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
template <class V, int NB, bool PerL = false>
LACEMAKER_NOINLINE void contract_middle(const SpeciesRows& rows, const NeighbourScratch<V>& s, const V* dA,
                                        SlotGradient<V, NB>& g) {
    V gz[NB], radial[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) gz[b] = radial[b] = V{};
    for (int l = 0; l <= rows.lmax; ++l) {
        const int N = rows.n_of_l[l];
        const V* a = dA + rows.row_of_l[l] + l * N;
        const V *R = radial_rows<PerL, V, NB>(s.R, s, l), *D = radial_rows<PerL, V, NB>(s.D, s, l);
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

// gradient[3 b + axis] = dE/dD of slot b, eV/Å, from filled tables.
template <class V, int NB, bool PerL = false>
LACEMAKER_INLINE void contract(const SpeciesRows& rows, const Slot<V>* slots, const V* dA,
                               const NeighbourScratch<V>& s, V* gradient) {
    SlotGradient<V, NB> g;
    contract_middle<V, NB, PerL>(rows, s, dA, g);
    constexpr int H = NB % 2 == 0 ? 2 : 1;
    for (int m = 1; m <= rows.lmax; ++m)
        for (int first = 0; first < NB; first += H) contract_channels<V, NB, H, PerL>(m, first, rows, s, dA, g);
    for (int b = 0; b < NB; ++b) {
        const V x = slots[b].x, y = slots[b].y, z = slots[b].z, inverse_r = slots[b].inverse_r;
        const V radial = g.radial[b] + slots[b].pair_slope - (g.x[b] * x + g.y[b] * y + g.z[b] * z) * inverse_r;
        gradient[3 * b] = x * radial + g.x[b] * inverse_r;
        gradient[3 * b + 1] = y * radial + g.y[b] * inverse_r;
        gradient[3 * b + 2] = z * radial + g.z[b] * inverse_r;
    }
}

// The same, radial functions by their recurrence.
template <class V, int NB>
LACEMAKER_NOINLINE void reverse(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots,
                                const V* dA, const NeighbourScratch<V>& s, V* gradient) {
    if (model.recursion.symmetric)
        fill_radial_slopes<V, NB, true>(model.recursion, rows.n_max, slots, s.R, s.D);
    else
        fill_radial_slopes<V, NB, false>(model.recursion, rows.n_max, slots, s.R, s.D);
    fill_angles<V, NB>(rows.lmax, model.harmonic_beta, slots, s);
    contract<V, NB>(rows, slots, dA, s, gradient);
}

LACEMAKER_KERNEL_END
