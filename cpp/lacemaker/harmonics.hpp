// Real spherical harmonics on the unit vector (x, y, z), norms folded away, no Condon-Shortley sign.
//
//     Y_lm = N_lm Q_lm(z) c_m(x, y),   Y_{l,-m} = N_lm Q_lm(z) s_m(x, y),   m >= 0
//     c_m + i s_m = (x + i y)^m
//     Q_lm = (d/dz)^m P_l(z) / (2m - 1)!!          (P_l Legendre; Q_mm = 1)
//     m > 0:   Q_{l+1,m} = z Q_lm + (l + m)/(2m - 1) Q_{l,m-1}
//     m = 0:   (l + 1) P_{l+1} = (2l + 1) z P_l - l P_{l-1}
//     dQ_lm/dz = (2m + 1) Q_{l,m+1}: the table of values is the table of derivatives
//
// Row of (l, m) in tables of Y: l^2 + l + m; of Q: l (l + 1)/2 + m. N_lm is left out: fold harmonic_norm(l, m) into the
// coefficients. Cost: two operations per Q (three for m = 0), two products per (l, +-m).
#pragma once

#include <cmath>

#include "isa.hpp"
#include "simd.hpp"

namespace lacemaker {

inline constexpr int max_harmonic_degree = 24;
inline constexpr int harmonic_stride = max_harmonic_degree + 2;

// N_lm: the integral of Y_lm^2 over the sphere is one.
inline double harmonic_norm(int l, int m) {
    const int k = m < 0 ? -m : m;
    double square = (2.0 * l + 1.0) / (4.0 * 3.141592653589793238462643383279502884) * (k > 0 ? 2.0 : 1.0);
    for (int i = 1; i <= k; ++i) square *= (2.0 * i - 1.0) * (2.0 * i - 1.0) / ((l - k + i) * double(l + i));
    return std::sqrt(square);
}

// Coefficients of the recursion, for every lmax: table[l * harmonic_stride + m] belongs to the step from l to l + 1,
// (l + m)/(2m - 1) for m > 0 and (2l + 1)/(l + 1) for m = 0. (harmonic_stride, harmonic_stride)
template <class T>
void fill_harmonic_beta(T* table) {
    for (int l = 0; l < harmonic_stride; ++l)
        for (int m = 0; m < harmonic_stride; ++m)
            table[l * harmonic_stride + m] = T(m == 0 ? (2.0 * l + 1.0) / (l + 1.0) : (l + m) / (2.0 * m - 1.0));
}

}  // namespace lacemaker

LACEMAKER_KERNEL_BEGIN

// The Q_lm of one l after another, m = 0..l, in place.
template <class V>
struct LegendreRow {
    V q[harmonic_stride];  // Q_lm; q[l + 1] = 0
    V before;              // P_{l-1}

    LACEMAKER_INLINE LegendreRow() : before(V{}) { q[0] = broadcast<V>(1), q[1] = V{}; }

    // From l to l + 1.
    template <class T>
    LACEMAKER_INLINE void advance(int l, const T* table, const V& z) {
        const T* k = table + l * harmonic_stride;
        for (int m = l + 1; m > 0; --m) q[m] = z * q[m] + k[m] * q[m - 1];
        const V next = k[0] * z * q[0] - (k[0] - T(1)) * before;  // l/(l + 1) = (2l + 1)/(l + 1) - 1
        before = q[0];
        q[0] = next;
        q[l + 2] = V{};
    }
};

// values[(l^2 + l + m) * stride] = Q_lm c_m or Q_lm s_|m|, l = 0..lmax.
template <class V, class T>
LACEMAKER_INLINE void harmonics(int lmax, const T* table, const V& x, const V& y, const V& z, V* values, int stride) {
    V c[harmonic_stride], s[harmonic_stride];
    c[0] = broadcast<V>(1), s[0] = V{};
    LegendreRow<V> row;
    for (int l = 0; l <= lmax; ++l) {
        const int at = l * l + l;
        values[at * stride] = row.q[0];
        for (int m = 1; m <= l; ++m) {
            values[(at + m) * stride] = row.q[m] * c[m];
            values[(at - m) * stride] = row.q[m] * s[m];
        }
        c[l + 1] = x * c[l] - y * s[l];
        s[l + 1] = x * s[l] + y * c[l];
        row.advance(l, table, z);
    }
}

// Values and the gradient of the polynomial Q_lm(z) c_m(x, y) in (x, y, z): not yet projected on the sphere nor
// divided by r. With rhat = (x, y, z) and g this gradient, dY/dD = (g - rhat (g . rhat)) / r.
template <class V, class T>
LACEMAKER_INLINE void harmonics_gradient(int lmax, const T* table, const V& x, const V& y, const V& z, V* values, V* gx,
                                         V* gy, V* gz, int stride) {
    V c[harmonic_stride], s[harmonic_stride];
    c[0] = broadcast<V>(1), s[0] = V{};
    LegendreRow<V> row;
    for (int l = 0; l <= lmax; ++l) {
        const int at = (l * l + l) * stride;
        values[at] = row.q[0];
        gx[at] = gy[at] = V{};
        gz[at] = row.q[1];
        for (int m = 1; m <= l; ++m) {
            const int plus = at + m * stride, minus = at - m * stride;
            const V q = row.q[m], mq = T(m) * q, dq = T(2 * m + 1) * row.q[m + 1];
            values[plus] = q * c[m];
            values[minus] = q * s[m];
            gx[plus] = mq * c[m - 1];
            gx[minus] = mq * s[m - 1];
            gy[plus] = -(mq * s[m - 1]);
            gy[minus] = mq * c[m - 1];
            gz[plus] = dq * c[m];
            gz[minus] = dq * s[m];
        }
        c[l + 1] = x * c[l] - y * s[l];
        s[l + 1] = x * s[l] + y * c[l];
        row.advance(l, table, z);
    }
}

LACEMAKER_KERNEL_END
