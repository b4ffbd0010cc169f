// Transpositions between lanes and registers, for 2, 4 and 8 doubles.
//
// Each stage is one two-register shuffle per output; the index patterns are those that x86 has as single
// instructions (unpcklpd, vperm2f128, vshuff64x2) and NEON as zip1/zip2.
#pragma once

#include "isa.hpp"
#include "simd.hpp"

LACEMAKER_KERNEL_BEGIN
namespace design {

// Lane i of the result is lane I_i of (a, b) laid end to end.
template <int... I, class V>
LACEMAKER_INLINE V shuffle(const V& a, const V& b) {
#if defined(__clang__)
    return __builtin_shufflevector(a, b, I...);
#else
    typedef long long Mask __attribute__((vector_size(sizeof(V))));
    return __builtin_shuffle(a, b, Mask{I...});
#endif
}

// Even and odd lanes of a pair, 128-bit groups kept: (a0 b0 a2 b2 ...) and (a1 b1 a3 b3 ...).
template <class V>
LACEMAKER_INLINE void interleave(const V& a, const V& b, V& even, V& odd) {
    if constexpr (lanes<V> == 2) {
        even = shuffle<0, 2>(a, b), odd = shuffle<1, 3>(a, b);
    } else if constexpr (lanes<V> == 4) {
        even = shuffle<0, 4, 2, 6>(a, b), odd = shuffle<1, 5, 3, 7>(a, b);
    } else {
        static_assert(lanes<V> == 8);
        even = shuffle<0, 8, 2, 10, 4, 12, 6, 14>(a, b), odd = shuffle<1, 9, 3, 11, 5, 13, 7, 15>(a, b);
    }
}

// Even and odd 128-bit groups of a pair: (a0 a1 a4 a5 b0 b1 b4 b5) and (a2 a3 a6 a7 b2 b3 b6 b7).
template <class V>
LACEMAKER_INLINE void gather_groups(const V& a, const V& b, V& even, V& odd) {
    if constexpr (lanes<V> == 4) {
        even = shuffle<0, 1, 4, 5>(a, b), odd = shuffle<2, 3, 6, 7>(a, b);
    } else {
        static_assert(lanes<V> == 8);
        even = shuffle<0, 1, 4, 5, 8, 9, 12, 13>(a, b), odd = shuffle<2, 3, 6, 7, 10, 11, 14, 15>(a, b);
    }
}

// columns[w][i] = rows[i][w].
template <class V>
LACEMAKER_INLINE void transpose(const V (&rows)[lanes<V>], V (&columns)[lanes<V>]) {
    constexpr int n = lanes<V>;
    V even[n / 2], odd[n / 2];  // rows 2i, 2i+1 interleaved
    LACEMAKER_UNROLL
    for (int i = 0; i < n / 2; ++i) interleave(rows[2 * i], rows[2 * i + 1], even[i], odd[i]);
    if constexpr (n == 2) {
        columns[0] = even[0], columns[1] = odd[0];
    } else if constexpr (n == 4) {
        gather_groups(even[0], even[1], columns[0], columns[2]);
        gather_groups(odd[0], odd[1], columns[1], columns[3]);
    } else {
        V e[4], o[4];  // e[0], e[2]: columns 0 4 and 2 6 of rows 0-3; e[1], e[3]: of rows 4-7
        gather_groups(even[0], even[1], e[0], e[2]);
        gather_groups(even[2], even[3], e[1], e[3]);
        gather_groups(odd[0], odd[1], o[0], o[2]);
        gather_groups(odd[2], odd[3], o[1], o[3]);
        gather_groups(e[0], e[1], columns[0], columns[4]);
        gather_groups(e[2], e[3], columns[2], columns[6]);
        gather_groups(o[0], o[1], columns[1], columns[5]);
        gather_groups(o[2], o[3], columns[3], columns[7]);
    }
}

// Lane i of the result is the sum over the lanes of in[i].
template <class V>
LACEMAKER_INLINE V lane_sums(const V* in) {
    constexpr int n = lanes<V>;
    V half[n / 2];
    LACEMAKER_UNROLL
    for (int i = 0; i < n / 2; ++i) {
        V even, odd;
        interleave(in[2 * i], in[2 * i + 1], even, odd);
        half[i] = even + odd;
    }
    if constexpr (n == 2) {
        return half[0];
    } else if constexpr (n == 4) {
        V even, odd;
        gather_groups(half[0], half[1], even, odd);
        return even + odd;
    } else {
        V even, odd, low, high;
        gather_groups(half[0], half[1], even, odd);
        low = even + odd;  // sums 0 1 of lanes 0-3, of lanes 4-7, then sums 2 3
        gather_groups(half[2], half[3], even, odd);
        high = even + odd;
        gather_groups(low, high, even, odd);
        return even + odd;
    }
}

}  // namespace design
LACEMAKER_KERNEL_END
