// Real spherical harmonics on the unit vector (x, y, z), norms folded away, no Condon-Shortley sign.
//
//     Y_lm = N_lm Q_lm(z) c_m(x, y),   Y_{l,-m} = N_lm Q_lm(z) s_m(x, y),   m >= 0
//     c_m + i s_m = (x + i y)^m
//     Q_mm = 1,  Q_lm = z Q_{l-1,m} - beta_lm Q_{l-2,m},  beta_lm = ((l-1)^2 - m^2) / (4 (l-1)^2 - 1)     (monic in z)
//
// Row of (l, m) in every table: l^2 + l + m. The functions below leave N_lm out; fold harmonic_norm(l, m) into the
// coefficients. Cost: two operations per Q, two products per (l, +-m).
#pragma once

#include <cmath>

#include "isa.hpp"
#include "simd.hpp"

namespace lacemaker {

// Orthonormal prefactor: integral of Y_lm^2 over the sphere is one.
inline double harmonic_norm(int l, int m) {
    const int k = m < 0 ? -m : m;
    double norm = std::sqrt(0.25 / 3.141592653589793238462643383279502884);
    for (int i = 1; i <= k; ++i) norm *= std::sqrt((2.0 * i + 1.0) / (2.0 * i));
    if (k > 0) norm *= std::sqrt(2.0);
    for (int i = k + 1; i <= l; ++i) norm *= std::sqrt((4.0 * i * i - 1.0) / (double(i) * i - double(k) * k));
    return norm;
}

inline constexpr int max_harmonic_degree = 24;
inline constexpr int harmonic_stride = max_harmonic_degree + 2;

// One table for every lmax: beta[m * harmonic_stride + l], (harmonic_stride, harmonic_stride).
template <class T>
void fill_harmonic_beta(T* beta) {
    for (int m = 0; m < harmonic_stride; ++m)
        for (int l = 0; l < harmonic_stride; ++l) {
            const double k = l - 1.0;
            beta[m * harmonic_stride + l] = T(l >= m + 2 ? (k * k - double(m) * m) / (4.0 * k * k - 1.0) : 0.0);
        }
}

}  // namespace lacemaker

LACEMAKER_KERNEL_BEGIN

// values[(l^2 + l + m) * stride] = Q_lm c_m or Q_lm s_|m|, l = 0..lmax.
template <class V, class T>
LACEMAKER_INLINE void harmonics(int lmax, const T* beta, const V& x, const V& y, const V& z, V* values, int stride) {
    const V one = broadcast<V>(1), zero = broadcast<V>(0);
    V c = one, s = zero;
    for (int m = 0; m <= lmax; ++m) {
        const T* b = beta + m * harmonic_stride;
        V q = one, before = zero;
        for (int l = m; l <= lmax; ++l) {
            const int row = l * l + l;
            values[(row + m) * stride] = q * c;
            if (m > 0) values[(row - m) * stride] = q * s;
            const V next = z * q - b[l + 1] * before;
            before = q;
            q = next;
        }
        const V c_next = x * c - y * s;
        s = x * s + y * c;
        c = c_next;
    }
}

// Values and the gradient of the polynomial Q_lm(z) c_m(x, y) in (x, y, z): not yet projected on the sphere nor
// divided by r. With rhat = (x, y, z) and g this gradient, dY/dD = (g - rhat (g . rhat)) / r.
template <class V, class T>
LACEMAKER_INLINE void harmonics_gradient(int lmax, const T* beta, const V& x, const V& y, const V& z, V* values, V* gx,
                                         V* gy, V* gz, int stride) {
    const V one = broadcast<V>(1), zero = broadcast<V>(0);
    V c = one, s = zero, c_before = zero, s_before = zero;  // c_m, s_m, c_{m-1}, s_{m-1}
    for (int m = 0; m <= lmax; ++m) {
        V q = one, q_before = zero, dq = zero, dq_before = zero;
        const T* b = beta + m * harmonic_stride;
        const V mc = T(m) * c_before, ms = T(m) * s_before;
        for (int l = m; l <= lmax; ++l) {
            const int plus = (l * l + l + m) * stride, minus = (l * l + l - m) * stride;
            values[plus] = q * c;
            gx[plus] = q * mc;
            gy[plus] = -(q * ms);
            gz[plus] = dq * c;
            if (m > 0) {
                values[minus] = q * s;
                gx[minus] = q * ms;
                gy[minus] = q * mc;
                gz[minus] = dq * s;
            }
            const V q_next = z * q - b[l + 1] * q_before;
            const V dq_next = q + z * dq - b[l + 1] * dq_before;
            q_before = q;
            q = q_next;
            dq_before = dq;
            dq = dq_next;
        }
        c_before = c;
        s_before = s;
        c = x * c_before - y * s_before;
        s = x * s_before + y * c_before;
    }
}

LACEMAKER_KERNEL_END
