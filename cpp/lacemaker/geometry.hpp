// Geometry stage: everything about a neighbour that is a function of the distance alone.
//
//     slot:  D -> rhat, 1/r, x(r), x'(r), env(r), env'(r)
//     pair:  V(r) = env_pair(r) sum_n c_n R_n(x_pair(r)) + 1/2 V_ZBL(r), per directed pair; its energy and slope
//
// The pair polynomial is held in Chebyshev form (the host changes the basis, an exact linear map), so that Clenshaw's
// recursion needs two operations per term for the value and two for the derivative, and stays stable at any degree.
// ZBL concerns the few pairs closer than r_outer: a test per slot, then one lane at a time.
#pragma once

#include "neighbour_tables.hpp"

LACEMAKER_KERNEL_BEGIN

// f(t) = sum_n c_n T_n(t) and df/dt for NB slots at once (independent chains hide the latency).
template <class V, int NB>
LACEMAKER_INLINE void clenshaw(const Lane<V>* c, int n, const V* t, V* value, V* slope) {
    using T = Lane<V>;
    V b1[NB], b2[NB], d1[NB], d2[NB], t2[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        b1[b] = b2[b] = d1[b] = d2[b] = V{};
        t2[b] = t[b] + t[b];
    }
    for (int k = n - 1; k > 0; --k) {
        const T ck = c[k];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            const V next = t2[b] * b1[b] + (ck - b2[b]);
            const V next_d = t2[b] * d1[b] + (T(2) * b1[b] - d2[b]);
            b2[b] = b1[b];
            b1[b] = next;
            d2[b] = d1[b];
            d1[b] = next_d;
        }
    }
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        value[b] = t[b] * b1[b] + (c[0] - b2[b]);
        slope[b] = t[b] * d1[b] + (b1[b] - d2[b]);
    }
}

// Universal screened nuclear repulsion and its slope, half of it (each atom of the pair owns one half). eV, eV/Å.
template <class S>
LACEMAKER_NOINLINE Dual<S> half_zbl(const ZblPair& k, const S& r) {
    constexpr double coulomb = 14.399645;  // e^2 / (4 pi eps0), eV Å
    constexpr double weight[4] = {0.18175, 0.50986, 0.28022, 0.02817};
    constexpr double rate[4] = {3.1998, 0.94229, 0.4029, 0.20162};
    const S zero = broadcast<S>(0), one = broadcast<S>(1);
    S phi = zero, phi_slope = zero;
    for (int i = 0; i < 4; ++i) {
        const S e = weight[i] * exponential(S(-rate[i] / k.screening * r));
        phi += e;
        phi_slope -= rate[i] / k.screening * e;
    }
    const double inverse_width = 1 / (k.r_outer - k.r_inner);
    const S t = maximum<S>(minimum<S>((r - k.r_inner) * inverse_width, one), zero);
    const S cut = 1.0 - t * t * t * (10.0 - t * (15.0 - 6.0 * t));
    const S cut_slope = -30 * inverse_width * (t * t * (1.0 - t) * (1.0 - t));
    const S v = 0.5 * coulomb * k.charges / r;
    return {v * phi * cut, v * (phi_slope * cut + phi * cut_slope - phi * cut / r)};
}

// Parameters of one (centre, neighbour) species pair.
template <class T>
struct PairTerms {
    const RadialPair<T>* many_body;
    const RadialPair<T>* pair;  // null: no pair potential here
    const T* chebyshev;
    int n_pair;
    const ZblPair* zbl;
};

// Fills NB slots that hold D and returns their pair energies, lane by lane.
template <class V, int NB>
LACEMAKER_INLINE V fill_slots(const PairTerms<Lane<V>>& k, Slot<V>* slots) {
    using T = Lane<V>;
    V r[NB], t[NB], value[NB], slope[NB];
    V energy = V{};
    Dual<V> x[NB], env[NB];
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        Slot<V>& s = slots[b];
        r[b] = square_root(s.x * s.x + s.y * s.y + s.z * s.z);
        s.inverse_r = T(1) / r[b];
        s.x *= s.inverse_r, s.y *= s.inverse_r, s.z *= s.inverse_r;
        const Dual<V> mb_x = transform(*k.many_body, r[b]);
        const Dual<V> mb_env = envelope(*k.many_body, r[b], s.inverse_r, mb_x);
        s.t = mb_x.value, s.t_slope = mb_x.slope;
        s.env = mb_env.value, s.env_slope = mb_env.slope;
        s.pair_slope = V{};
    }
    if (k.pair) {
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            x[b] = transform(*k.pair, r[b]);
            env[b] = envelope(*k.pair, r[b], slots[b].inverse_r, x[b]);
            t[b] = x[b].value;
        }
        clenshaw<V, NB>(k.chebyshev, k.n_pair, t, value, slope);
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) {
            energy += env[b].value * value[b];
            slots[b].pair_slope = env[b].slope * value[b] + env[b].value * slope[b] * x[b].slope;
        }
    }
    if (k.zbl->charges != 0) {
        for (int b = 0; b < NB; ++b) {
            if (!any_below(r[b], T(k.zbl->r_outer))) continue;
            for (int w = 0; w < lanes<V>; ++w) {
                const auto distance = double_lane(r[b], w);
                if (distance >= k.zbl->r_outer) continue;
                const auto v = half_zbl(*k.zbl, distance);
                add_to_lane(energy, w, v.value);
                add_to_lane(slots[b].pair_slope, w, v.slope);
            }
        }
    }
    return energy;
}

// All slots of one bucket.
template <class V>
LACEMAKER_NOINLINE V fill_bucket(const PairTerms<Lane<V>>& k, Slot<V>* slots, int n) {
    constexpr int NB = 4;
    V energy = V{};
    int at = 0;
    for (; at + NB <= n; at += NB) energy += fill_slots<V, NB>(k, slots + at);
    for (; at < n; ++at) energy += fill_slots<V, 1>(k, slots + at);
    return energy;
}

LACEMAKER_KERNEL_END
