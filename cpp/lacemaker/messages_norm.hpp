// Group norm of HIP-HOP-NN with first and second derivatives, row by row. Layout and symbols: messages_view.hpp.
//
// With <.> the mean over the F features of a row and G = weight g:
//   by x: rho P(G), P(y) = y - <y> - h <y h>        by weight: g h        by bias: g
// and those of the sum of these with the directions (a, c, b) for x, weight and bias:
//   by g: weight rho P(a) + c h + b      by weight: g rho P(a)
//   by x: rho (P(u) - h A),  u = c g - rho (a <G h> + G <a h>),  A = rho (<a G> - <a> <G> - <a h> <G h>)
#pragma once

#include "messages_lanes.hpp"
#include "messages_view.hpp"

LACEMAKER_KERNEL_BEGIN

namespace rows {

template <class T>
struct NormRow {
    const NormView<T>& v;
    std::int64_t x, w;  // where the row begins in arrays like x and like weight
    T mean = 0, rho = 0;

    template <class V>
    LACEMAKER_INLINE V h(int column) const {
        return (load<V>(v.x + x + column) - mean) * rho;
    }
};

template <class T>
struct NormMean {
    NormRow<T>& row;
    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        row.mean += sum<T, W>(load<Lanes<T, W>>(row.v.x + row.x + column));
    }
};

template <class T>
struct NormVariance {
    const NormRow<T>& row;
    T& total;
    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        using V = Lanes<T, W>;
        const V y = load<V>(row.v.x + row.x + column) - row.mean;
        total += sum<T, W>(V(y * y));
    }
};

template <class T>
struct NormForward {
    const NormRow<T>& row;
    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        using V = Lanes<T, W>;
        const std::int64_t w = row.w + column;
        store(row.v.out_g + row.x + column,
              V(row.template h<V>(column) * load<V>(row.v.weight + w) + load<V>(row.v.bias + w)));
    }
};

// Means over the row that the derivatives need; those with a and c only for the second.
template <class T, int Pass>
struct NormMoments {
    const NormRow<T>& row;
    T g = 0, gh = 0, a = 0, ah = 0, ag = 0, cg = 0, cgh = 0;

    template <int W, int N>
    LACEMAKER_INLINE void run(int column) {
        using V = Lanes<T, W>;
        const NormView<T>& v = row.v;
        const V h = row.template h<V>(column), g0 = load<V>(v.g + row.x + column);
        const V big = g0 * load<V>(v.weight + row.w + column);
        g += sum<T, W>(big);
        gh += sum<T, W>(V(big * h));
        if constexpr (Pass == 2) {
            const V along = load<V>(v.dx + row.x + column), c = load<V>(v.dweight + row.w + column) * g0;
            a += sum<T, W>(along);
            ah += sum<T, W>(V(along * h));
            ag += sum<T, W>(V(along * big));
            cg += sum<T, W>(c);
            cgh += sum<T, W>(V(c * h));
        }
    }

    LACEMAKER_INLINE void divide(T n) {
        g /= n, gh /= n, a /= n, ah /= n, ag /= n, cg /= n, cgh /= n;
    }
};

template <class T, int Pass>
struct NormDerivatives {
    const NormRow<T>& row;
    const NormMoments<T, Pass>& m;

    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        using V = Lanes<T, W>;
        const NormView<T>& v = row.v;
        const std::int64_t at = row.x + column, w = row.w + column;
        const V h = row.template h<V>(column), g = load<V>(v.g + at), weight = load<V>(v.weight + w), big = g * weight;
        T* by_weight = v.out_weight + w;
        if constexpr (Pass == 1) {
            store(v.out_x + at, V(row.rho * (big - m.g - h * m.gh)));
            store(by_weight, V(load<V>(by_weight) + g * h));
            store(v.out_g + w, V(load<V>(v.out_g + w) + g));
        } else {
            const V a = load<V>(v.dx + at), c = load<V>(v.dweight + w);
            const V along = row.rho * (a - m.a - h * m.ah), u = c * g - row.rho * (a * m.gh + big * m.ah);
            const T mean = m.cg - row.rho * (m.a * m.gh + m.g * m.ah), mean_h = m.cgh - 2 * row.rho * m.ah * m.gh;
            const T whole = row.rho * (m.ag - m.a * m.g - m.ah * m.gh);
            store(v.out_g + at, V(weight * along + c * h + load<V>(v.dbias + w)));
            store(by_weight, V(load<V>(by_weight) + g * along));
            store(v.out_x + at, V(row.rho * (u - mean - h * (mean_h + whole))));
        }
    }
};

template <class T, int W, int Pass>
void norm_pass(const NormView<T>& v, std::int64_t begin, std::int64_t end) {
    const T n = T(v.n_f);
    for (std::int64_t at = begin * v.n_x; at < end * v.n_x; ++at) {
        NormRow<T> row{v, at * v.n_f, at % v.n_x * v.n_f};
        T variance = 0;
        chunks<T, W, 1>(v.n_f, 0, NormMean<T>{row});
        row.mean /= n;
        chunks<T, W, 1>(v.n_f, 0, NormVariance<T>{row, variance});
        row.rho = 1 / T(__builtin_sqrt(variance / n + v.eps));
        if constexpr (Pass == 0) {
            chunks<T, W, 1>(v.n_f, 0, NormForward<T>{row});
        } else {
            NormMoments<T, Pass> moments{row};
            chunks<T, W, 1>(v.n_f, 0, moments);
            moments.divide(n);
            chunks<T, W, 1>(v.n_f, 0, NormDerivatives<T, Pass>{row, moments});
        }
    }
}

}  // namespace rows

LACEMAKER_KERNEL_END
