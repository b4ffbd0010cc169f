// Features side by side in a register: Lanes<T, W>, loads and stores anywhere, and chunks of any width.
//
// A row of F features is cut into chunks of N registers of W lanes (N = 8, 4, 2, 1), and the rest into narrower registers.
#pragma once

#include "isa.hpp"

LACEMAKER_KERNEL_BEGIN

namespace rows {

template <class T, int W>
struct LanesOf {
    typedef T type __attribute__((vector_size(W * sizeof(T))));
};
template <class T>
struct LanesOf<T, 1> {
    typedef T type;
};
template <class T, int W>
using Lanes = typename LanesOf<T, W>::type;

template <class V, class T>
LACEMAKER_INLINE V load(const T* p) {
    V v;
    __builtin_memcpy(&v, p, sizeof(V));
    return v;
}

template <class V, class T>
LACEMAKER_INLINE void store(T* p, const V& v) {
    __builtin_memcpy(p, &v, sizeof(V));
}

template <class T, int W>
LACEMAKER_INLINE T sum(const Lanes<T, W>& v) {
    if constexpr (W == 1) {
        return v;
    } else {
        Lanes<T, W / 2> half[2];
        __builtin_memcpy(half, &v, sizeof(v));
        return sum<T, W / 2>(half[0] + half[1]);
    }
}

// exp(x) of x <= 0; zero below -600 (-60 for float), where library versions slow down at results without a normal number.
template <class T, int W>
LACEMAKER_INLINE Lanes<T, W> decay(const Lanes<T, W>& x) {
    constexpr bool wide = sizeof(T) == 8;
    constexpr T lowest = wide ? T(-600) : T(-60);
    if constexpr (W == 1) {
        return x < lowest ? T(0) : T(wide ? __builtin_exp(x) : __builtin_expf(x));
    } else {
        using V = Lanes<T, W>;
        typedef decltype(V{} < V{}) Integers;  // as wide as T
        constexpr int digits = wide ? 52 : 23, bias = wide ? 1023 : 127, terms = wide ? 13 : 7;
        constexpr T high = wide ? T(0x1.62e42fee00000p-1) : T(0x1.62e400p-1);  // log 2 in two parts
        constexpr T low = T(0.6931471805599453094L - (long double)(high));
        const Integers gone = x < lowest;
        const V y = gone ? V{} : x;
        const Integers n = __builtin_convertvector(y * T(1.4426950408889634) - T(0.5), Integers);  // to nearest, y <= 0
        const V whole = __builtin_convertvector(n, V), r = (y - whole * high) - whole * low;
        V e = V{} + 1;  // Horner form of the series, |r| < 0.35
        LACEMAKER_UNROLL
        for (int k = terms; k > 0; --k) e = T(1) + e * r * (T(1) / T(k));
        const Integers bits = (n + bias) << digits;
        V power;
        __builtin_memcpy(&power, &bits, sizeof(V));
        return gone ? V{} : V(e * power);
    }
}

// Calls f.template run<W, N>(column) for chunks of N registers of W lanes that together cover 0 .. n - 1.
template <class T, int W, int N, class F>
LACEMAKER_INLINE void chunks(int n, int start, F&& f) {
    for (; n - start >= N * W; start += N * W) f.template run<W, N>(start);
    if constexpr (N > 1) {
        chunks<T, W, N / 2>(n, start, f);
    } else if constexpr (W > 1) {
        if (start < n) chunks<T, W / 2, 1>(n, start, f);
    }
}

}  // namespace rows

LACEMAKER_KERNEL_END
