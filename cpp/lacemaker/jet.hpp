// Jet<V>: a value and its rate of change along one direction, in every lane. What the kernels run on to give
// Hessian-vector products.
//
//     f(x + h v) = f(x) + h f'(x) v + O(h^2):      Jet{x, v} goes in, Jet{f(x), f'(x) v} comes out
//
// Every formula of the evaluation (radial.hpp, geometry.hpp, the forward, product and reverse stages) is a template on
// its lanes, so it is written once: on Vec it yields energies and forces, on Jet<Vec> also their rates, of which the
// rate of the forces is minus the Hessian times the direction. Comparisons look at values: the rate at a switch
// (cutoff, clipping) is that of the side taken. A product costs three operations instead of one.
#pragma once

#include "simd.hpp"

LACEMAKER_KERNEL_BEGIN

template <class V>
struct Jet {
    V value;
    V tangent;

    LACEMAKER_INLINE Jet& operator+=(const Jet& b) {
        value += b.value;
        tangent += b.tangent;
        return *this;
    }
    LACEMAKER_INLINE Jet& operator-=(const Jet& b) {
        value -= b.value;
        tangent -= b.tangent;
        return *this;
    }
    LACEMAKER_INLINE Jet& operator*=(const Jet& b) { return *this = *this * b; }
};

template <class V>
struct LaneOf<Jet<V>> {
    using type = Lane<V>;
    static constexpr int count = lanes<V>;
};
template <class V>
inline constexpr bool is_jet<Jet<V>> = true;

template <class V>
LACEMAKER_INLINE Jet<V> operator-(const Jet<V>& a) {
    return {-a.value, -a.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator+(const Jet<V>& a, const Jet<V>& b) {
    return {a.value + b.value, a.tangent + b.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator-(const Jet<V>& a, const Jet<V>& b) {
    return {a.value - b.value, a.tangent - b.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator*(const Jet<V>& a, const Jet<V>& b) {
    return {a.value * b.value, a.value * b.tangent + a.tangent * b.value};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator+(const Jet<V>& a, Lane<V> b) {
    return {a.value + b, a.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator+(Lane<V> a, const Jet<V>& b) {
    return {a + b.value, b.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator-(const Jet<V>& a, Lane<V> b) {
    return {a.value - b, a.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator-(Lane<V> a, const Jet<V>& b) {
    return {a - b.value, -b.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator*(Lane<V> a, const Jet<V>& b) {
    return {a * b.value, a * b.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator*(const Jet<V>& a, Lane<V> b) {
    return b * a;
}
template <class V>
LACEMAKER_INLINE Jet<V> operator/(Lane<V> a, const Jet<V>& b) {
    const V inverse = Lane<V>(1) / b.value, quotient = a * inverse;
    return {quotient, -quotient * inverse * b.tangent};
}
template <class V>
LACEMAKER_INLINE Jet<V> operator/(const Jet<V>& a, const Jet<V>& b) {
    return a * (Lane<V>(1) / b);
}

template <class V>
LACEMAKER_INLINE auto operator<(const Jet<V>& a, const Jet<V>& b) {
    return a.value < b.value;
}
template <class V>
LACEMAKER_INLINE auto operator>(const Jet<V>& a, const Jet<V>& b) {
    return a.value > b.value;
}
template <class V>
LACEMAKER_INLINE auto operator==(const Jet<V>& a, const Jet<V>& b) {
    return a.value == b.value;
}
template <class V>
LACEMAKER_INLINE auto operator<(const Jet<V>& a, Lane<V> b) {
    return a.value < b;
}
template <class V>
LACEMAKER_INLINE auto operator>=(const Jet<V>& a, Lane<V> b) {
    return a.value >= b;
}

template <class M, class V>
LACEMAKER_INLINE Jet<V> select(const M& condition, const Jet<V>& a, const Jet<V>& b) {
    return {select(condition, a.value, b.value), select(condition, a.tangent, b.tangent)};
}

template <class V>
LACEMAKER_INLINE Jet<V> square_root(const Jet<V>& a) {
    const V root = square_root(a.value);
    return {root, Lane<V>(0.5) * a.tangent / root};
}

template <class V>
LACEMAKER_INLINE Jet<V> exponential(const Jet<V>& a) {
    const V e = exponential(a.value);
    return {e, e * a.tangent};
}

template <class V>
LACEMAKER_INLINE Jet<V> power(const Jet<V>& a, Lane<V> p) {
    const V below = power(a.value, p - 1);
    return {below * a.value, p * below * a.tangent};
}

// What leaves the kernel is the rate alone.
template <class V>
LACEMAKER_INLINE Lane<V> result_lane(const Jet<V>& a, int w) {
    return result_lane(a.tangent, w);
}
template <class V>
LACEMAKER_INLINE Lane<V> horizontal_sum(const Jet<V>& a) {
    return horizontal_sum(a.tangent);
}

template <class V>
LACEMAKER_INLINE bool any_below(const Jet<V>& a, Lane<V> bound) {
    return any_below(a.value, bound);
}
template <class V>
LACEMAKER_INLINE Jet<double> double_lane(const Jet<V>& a, int w) {
    return {double(a.value[w]), double(a.tangent[w])};
}
template <class V>
LACEMAKER_INLINE void add_to_lane(Jet<V>& a, int w, const Jet<double>& b) {
    a.value[w] += Lane<V>(b.value);
    a.tangent[w] += Lane<V>(b.tangent);
}

template <class V>
LACEMAKER_INLINE void pin(Jet<V>& a) {
    pin(a.value);
    pin(a.tangent);
}

LACEMAKER_KERNEL_END
