// SIMD lanes on the vector extensions of GCC and Clang: Vec<T, W> is W values of T in one register.
//
// Every function has a one-lane twin for plain float/double, so the formulas of radial.hpp and harmonics.hpp
// are written once. A vector wider than the registers of its instruction set is 20 times slower without any
// warning, hence the static_assert (LACEMAKER_VECTOR_BYTES is set by the kernel units).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "isa.hpp"

LACEMAKER_KERNEL_BEGIN

template <class T, int W>
struct VecType {
#ifdef LACEMAKER_VECTOR_BYTES
    static_assert(W * sizeof(T) == LACEMAKER_VECTOR_BYTES,
                  "lanes must fill exactly one register of this instruction set");
#endif
    typedef T type __attribute__((vector_size(W * sizeof(T))));
};

template <class T, int W>
using Vec = typename VecType<T, W>::type;

#ifdef LACEMAKER_VECTOR_BYTES
template <class T>
inline constexpr int native_lanes = LACEMAKER_VECTOR_BYTES / int(sizeof(T));
#endif

// The scalar type and the number of lanes of a vector or a plain number.
template <class V>
struct LaneOf {
    using type = typename LaneOf<decltype(+V{}[0])>::type;
    static constexpr int count = int(sizeof(V) / sizeof(type));
};
template <>
struct LaneOf<double> {
    using type = double;
    static constexpr int count = 1;
};
template <>
struct LaneOf<float> {
    using type = float;
    static constexpr int count = 1;
};
template <class V>
using Lane = typename LaneOf<V>::type;
template <class V>
inline constexpr int lanes = LaneOf<V>::count;

// Whether V carries rates of change next to its values (jet.hpp).
template <class V>
inline constexpr bool is_jet = false;

template <class V>
LACEMAKER_INLINE V broadcast(Lane<V> value) {
    if constexpr (is_jet<V>) {
        using Part = decltype(V::value);
        return V{broadcast<Part>(value), Part{}};
    } else if constexpr (lanes<V> == 1) {
        return value;
    } else {
        return V{} + value;
    }
}

// condition ? a : b, lane by lane; condition is the result of a comparison.
template <class M, class V>
LACEMAKER_INLINE V select(const M& condition, const V& a, const V& b) {
    return condition ? a : b;
}

template <class V>
LACEMAKER_INLINE V maximum(const V& a, const V& b) {
    return select(a > b, a, b);
}

template <class V>
LACEMAKER_INLINE V minimum(const V& a, const V& b) {
    return select(a < b, a, b);
}

// f(a) lane by lane. For sqrt the compilers make one vector instruction of it; exp and pow stay scalar calls.
template <class V, class F>
LACEMAKER_INLINE V per_lane(const V& a, F&& f) {
    if constexpr (lanes<V> == 1) {
        return f(a);
    } else {
        V out;
        LACEMAKER_UNROLL
        for (int w = 0; w < lanes<V>; ++w) out[w] = f(a[w]);
        return out;
    }
}

LACEMAKER_INLINE double scalar_sqrt(double a) { return __builtin_sqrt(a); }
LACEMAKER_INLINE float scalar_sqrt(float a) { return __builtin_sqrtf(a); }
LACEMAKER_INLINE double scalar_exp(double a) { return __builtin_exp(a); }
LACEMAKER_INLINE float scalar_exp(float a) { return __builtin_expf(a); }
LACEMAKER_INLINE double scalar_pow(double a, double b) { return __builtin_pow(a, b); }
LACEMAKER_INLINE float scalar_pow(float a, float b) { return __builtin_powf(a, b); }

// e^a and a^p.
template <class V>
LACEMAKER_INLINE V exponential(const V& a) {
    return per_lane(a, [](Lane<V> lane) { return scalar_exp(lane); });
}
template <class V>
LACEMAKER_INLINE V power(const V& a, Lane<V> p) {
    return per_lane(a, [p](Lane<V> lane) { return scalar_pow(lane, p); });
}

template <class V>
LACEMAKER_INLINE V square_root(const V& a) {
    using T = Lane<V>;
    if constexpr (lanes<V> == 1) {
        return scalar_sqrt(a);
    } else {
        alignas(sizeof(V)) T in[lanes<V>], out[lanes<V>];
        std::memcpy(in, &a, sizeof(V));
        for (int w = 0; w < lanes<V>; ++w) out[w] = scalar_sqrt(in[w]);
        V result;
        std::memcpy(&result, out, sizeof(V));
        return result;
    }
}

// a^n for small n >= 0 by repeated multiplication.
template <class V>
LACEMAKER_INLINE V integer_power(const V& a, int n) {
    V result = broadcast<V>(1);
    for (int k = 0; k < n; ++k) result = result * a;
    return result;
}

template <class V>
LACEMAKER_INLINE Lane<V> horizontal_sum(const V& a) {
    if constexpr (lanes<V> == 1) {
        return a;
    } else {
        Lane<V> sum = 0;
        LACEMAKER_UNROLL
        for (int w = 0; w < lanes<V>; ++w) sum += a[w];
        return sum;
    }
}

// The number a kernel hands out for lane w (of a Jet: the rate), and what serves work on one lane at a time.
template <class V>
LACEMAKER_INLINE Lane<V> result_lane(const V& a, int w) {
    return a[w];
}
template <class V>
LACEMAKER_INLINE double double_lane(const V& a, int w) {
    return double(a[w]);
}
template <class V>
LACEMAKER_INLINE void add_to_lane(V& a, int w, double b) {
    a[w] += Lane<V>(b);
}

// Keeps a vector in a register; see LACEMAKER_PIN.
template <class V>
LACEMAKER_INLINE void pin(V& a) {
    LACEMAKER_PIN(a);
}

// True if any lane of `a` is below `bound`.
template <class V>
LACEMAKER_INLINE bool any_below(const V& a, Lane<V> bound) {
    if constexpr (lanes<V> == 1) {
        return a < bound;
    } else {
        bool any = false;
        for (int w = 0; w < lanes<V>; ++w) any |= a[w] < bound;
        return any;
    }
}

LACEMAKER_KERNEL_END
