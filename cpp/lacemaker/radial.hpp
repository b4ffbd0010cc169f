// Radial functions: distance transform x(r), envelope env(r), polynomials P_k(x).
//
//     R_n(r) = norm_n env(r) P_{n-1}(x(r)),      x = clip(-1 + 2 (y - y(rin)) / (y(rcut) - y(rin)), -1, 1)
//
//   transform   y(r)
//   agnesi      1 / (1 + a s^q / (1 + s^(q-p))),  s = (r - rin)/(r0 - rin)
//   polynomial  ((1 + r0)/(1 + r))^p
//   identity    r
//   morse       exp(-p (r/r0 - 1))
//
//   envelope    env
//   one         1
//   x           (1 + x)^p1 (1 - x)^p2
//   r           s^-p - sc^-p + p sc^(-p-1) (s - sc),  s = r/r0, sc = rcut/r0
//   poly1sr     ((r/rc)^-p - 1)(1 - r/rc)
//
// Norms are left out here: whoever uses the functions folds them into coefficients. The recursion starts from
// the envelope, so a value costs two operations and a derivative three. Every function works on one lane
// (float, double) or on Vec<T, W>. Beyond rcut everything is exactly zero, padding lanes sit at r = rcut.
#pragma once

#include "isa.hpp"
#include "radial_parameters.hpp"
#include "simd.hpp"

LACEMAKER_KERNEL_BEGIN

template <class V>
struct Dual {
    V value;
    V slope;  // d value / dr, 1/Å
};

// a^p for p integer (p_int >= 0) or any real p (p_int = -1).
template <class V, class T>
LACEMAKER_INLINE V real_power(const V& a, T p, int p_int) {
    if (p_int >= 0) return integer_power(a, p_int);
    return power(a, p);
}

// y = N/M with N = 1 + s^(q-p), M = N + a s^q; then dy/ds = -a s^(q-1) (q + p s^(q-p)) / M^2: one division in all.
template <class V, class T>
LACEMAKER_INLINE Dual<V> agnesi(const RadialPair<T>& k, const V& r) {
    const V s = maximum<V>((r - k.rin) * k.inverse_width, broadcast<V>(0));
    const V u = integer_power(s, k.q_int - k.p_int);
    const V v = k.agnesi_a * integer_power(s, k.q_int - 1);
    const V numerator = T(1) + u;
    const V inverse = T(1) / (numerator + v * s);
    const V slope = -k.inverse_width * v * (k.q + k.p * u) * inverse * inverse;
    return {numerator * inverse, slope};
}

template <class V, class T>
LACEMAKER_INLINE Dual<V> raw_transform(const RadialPair<T>& k, const V& r) {
    switch (k.transform) {
        case Transform::agnesi:
            return agnesi(k, r);
        case Transform::polynomial: {
            const V inverse = T(1) / (T(1) + r);
            const V y = real_power<V, T>((T(1) + k.r0) * inverse, k.p, k.p_int);
            return {y, -k.p * y * inverse};
        }
        case Transform::morse: {
            const V y = exponential(V(-k.p * (r * k.inverse_r0 - T(1))));
            return {y, -k.p * k.inverse_r0 * y};
        }
        default:
            return {r, broadcast<V>(1)};
    }
}

// x(r) in [-1, 1] and dx/dr.
template <class V, class T>
LACEMAKER_INLINE Dual<V> transform(const RadialPair<T>& k, const V& r) {
    const Dual<V> y = raw_transform(k, r);
    const V one = broadcast<V>(1), zero = broadcast<V>(0);
    const V x = (y.value - k.y_in) * k.x_scale - T(1);
    const V clipped = maximum<V>(minimum<V>(x, one), -one);
    V slope = select(clipped == x, V(k.x_scale * y.slope), zero);
    slope = select(r >= k.rin, slope, zero);
    return {clipped, slope};
}

// s^-p and its slope -p s^(-p-1) ds/dr with s = r * inverse_scale.
template <class V, class T>
LACEMAKER_INLINE Dual<V> inverse_power(const V& inverse_r, T scale, T p, int p_int) {
    const V value = real_power<V, T>(scale * inverse_r, p, p_int);
    return {value, -p * value * inverse_r};
}

// env(r) and d env/dr; x is the transformed distance of the same lanes.
template <class V, class T>
LACEMAKER_INLINE Dual<V> envelope(const RadialPair<T>& k, const V& r, const V& inverse_r, const Dual<V>& x) {
    Dual<V> e{broadcast<V>(1), broadcast<V>(0)};
    switch (k.envelope) {
        case Envelope::x: {
            const V left = T(1) + x.value, right = T(1) - x.value;
            const V a = k.e1_int > 0 ? integer_power(left, k.e1_int - 1) : broadcast<V>(1);
            const V b = k.e2_int > 0 ? integer_power(right, k.e2_int - 1) : broadcast<V>(1);
            const V lo = k.e1_int > 0 ? left : broadcast<V>(1), hi = k.e2_int > 0 ? right : broadcast<V>(1);
            e.value = a * lo * b * hi;
            e.slope = a * b * (k.e1 * hi - k.e2 * lo) * x.slope;
            break;
        }
        case Envelope::r: {
            const Dual<V> s = inverse_power<V, T>(inverse_r, k.r0, k.e1, k.e1_int);
            e.value = s.value - k.env_value + k.env_slope * k.inverse_r0 * (r - k.rcut);
            e.slope = s.slope + k.env_slope * k.inverse_r0;
            break;
        }
        case Envelope::poly1sr: {
            const Dual<V> s = inverse_power<V, T>(inverse_r, k.rcut, k.e1, k.e1_int);
            const T inverse_rcut = T(1) / k.rcut;
            const V ramp = T(1) - r * inverse_rcut;
            e.value = (s.value - T(1)) * ramp;
            e.slope = s.slope * ramp - (s.value - T(1)) * inverse_rcut;
            break;
        }
        default:
            break;
    }
    const V zero = broadcast<V>(0);
    return {select(r < k.rcut, e.value, zero), select(r < k.rcut, e.slope, zero)};
}

// The recursion without norms: values[n * stride] = env P_n(x), n = 0..n_max-1.
template <class V, class T>
LACEMAKER_INLINE void radial_values(const Recursion<T>& c, int n_max, const V& x, const V& env, V* values, int stride) {
    V last = broadcast<V>(0), now = env;
    for (int n = 0; n < n_max; ++n) {
        values[n * stride] = now;
        const V next = (x - c.beta[n]) * now - c.gamma[n] * last;
        last = now;
        now = next;
    }
}

// The same with slopes[n * stride] = d(env P_n)/dr.
template <class V, class T>
LACEMAKER_INLINE void radial_duals(const Recursion<T>& c, int n_max, const Dual<V>& x, const Dual<V>& env, V* values,
                                   V* slopes, int stride) {
    V last = broadcast<V>(0), now = env.value, last_slope = broadcast<V>(0), now_slope = env.slope;
    for (int n = 0; n < n_max; ++n) {
        values[n * stride] = now;
        slopes[n * stride] = now_slope;
        const V shifted = x.value - c.beta[n];
        const V next = shifted * now - c.gamma[n] * last;
        const V next_slope = shifted * now_slope + (x.slope * now - c.gamma[n] * last_slope);
        last = now;
        now = next;
        last_slope = now_slope;
        now_slope = next_slope;
    }
}

LACEMAKER_KERNEL_END
