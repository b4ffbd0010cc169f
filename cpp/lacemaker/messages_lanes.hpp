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
