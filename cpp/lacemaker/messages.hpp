// Fused message sum of HIP-NN networks with first and second derivatives. Formulas and layout: messages_view.hpp.
//
// With g_pa = sum_c t_pc G_ica, the derivatives of sum(G M) are
//   by s: sum_a y_jna g_pa      by t: sum_a G_ica w_pa      by y: sum_p s_pn g_pa
// and those of their sum with directions (ds, dt, dy), where dw = s dy + ds y and dg = dt G:
//   by G: t dw + dt w    by t: G dw    by s: g dy + dg y    by y: ds g + s dg
//
// Cost per pair: (n_s + C) F forward, (3 n_s + 2 C) F backward. Features lie in registers; nothing of size pairs x F is
// ever stored, and blocks of pairs keep M in registers while they are added.
#pragma once

#include "messages_lanes.hpp"
#include "messages_view.hpp"

LACEMAKER_KERNEL_BEGIN

namespace rows {

constexpr int block = 16;  // pairs whose w are kept at a time

// w_k = sum_n s_n y[n][column + k W]
template <class T, int W, int N>
LACEMAKER_INLINE void combine(const T* s, const T* y, int n_s, int n_f, Lanes<T, W>* w) {
    using V = Lanes<T, W>;
    for (int n = 0; n < n_s; ++n, y += n_f) {
        LACEMAKER_UNROLL
        for (int k = 0; k < N; ++k) w[k] += s[n] * load<V>(y + k * W);
    }
}

// M[c] += sum over the block of t[c] w, keeping C' rows of one register column at a time.
template <class T, int W, int R>
LACEMAKER_INLINE void add_rows(const T* t, int n_c, int count, const T* w, int stride, T* m, int n_f) {
    using V = Lanes<T, W>;
    V acc[R];
    LACEMAKER_UNROLL
    for (int c = 0; c < R; ++c) acc[c] = load<V>(m + c * n_f);
    for (int p = 0; p < count; ++p) {
        const V v = load<V>(w + p * stride);
        LACEMAKER_UNROLL
        for (int c = 0; c < R; ++c) acc[c] += t[p * n_c + c] * v;
    }
    LACEMAKER_UNROLL
    for (int c = 0; c < R; ++c) store(m + c * n_f, acc[c]);
}

template <class T, int W>
LACEMAKER_INLINE void add_block(const T* t, int n_c, int count, const T* w, int stride, T* m, int n_f) {
    int c = 0;
    for (; c + 8 <= n_c; c += 8) add_rows<T, W, 8>(t + c, n_c, count, w, stride, m + c * n_f, n_f);
    for (; c + 4 <= n_c; c += 4) add_rows<T, W, 4>(t + c, n_c, count, w, stride, m + c * n_f, n_f);
    for (; c < n_c; ++c) add_rows<T, W, 1>(t + c, n_c, count, w, stride, m + c * n_f, n_f);
}

template <class T>
struct ForwardChunk {
    const MessageView<T>& v;
    std::int64_t i, p0;
    int count;
    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        using V = Lanes<T, W>;
        T kept[block * N * W];
        for (int p = 0; p < count; ++p) {
            V w[N] = {};
            const std::int64_t row = v.neighbour[p0 + p] * v.n_s;
            combine<T, W, N>(v.s + (p0 + p) * v.n_s, v.y + row * v.n_f + column, v.n_s, v.n_f, w);
            LACEMAKER_UNROLL
            for (int k = 0; k < N; ++k) store(kept + (p * N + k) * W, w[k]);
        }
        T* m = v.out_m + i * v.n_c * v.n_f + column;
        for (int k = 0; k < N; ++k)
            add_block<T, W>(v.t + p0 * v.n_c, v.n_c, count, kept + k * W, N * W, m + k * W, v.n_f);
    }
};

template <class T, int W>
void message_forward(const MessageView<T>& v, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t p = v.first[i]; p < v.first[i + 1]; p += block) {
            const std::int64_t left = v.first[i + 1] - p;
            chunks<T, W, 8>(v.n_f, 0, ForwardChunk<T>{v, i, p, int(left < block ? left : block)});
        }
}

template <class T>
struct BackwardChunk {
    const MessageView<T>& v;
    std::int64_t i, p;
    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        using V = Lanes<T, W>;
        const T* s = v.s + p * v.n_s;
        const T* t = v.t + p * v.n_c;
        const T* big_g = v.g + i * v.n_c * v.n_f + column;
        const std::int64_t row = v.neighbour[p] * v.n_s * v.n_f + column;
        V g[N] = {}, w[N] = {};
        combine<T, W, N>(t, big_g, v.n_c, v.n_f, g);
        for (int n = 0; n < v.n_s; ++n) {
            const T* y = v.y + row + n * v.n_f;
            V along = {};
            LACEMAKER_UNROLL
            for (int k = 0; k < N; ++k) {
                const V value = load<V>(y + k * W);
                w[k] += s[n] * value;
                along += value * g[k];
            }
            v.out_s[p * v.n_s + n] += sum<T, W>(along);
            if (v.out_y) {
                T* out = v.out_y + row + n * v.n_f;
                LACEMAKER_UNROLL
                for (int k = 0; k < N; ++k) store(out + k * W, V(load<V>(out + k * W) + s[n] * g[k]));
            }
        }
        for (int c = 0; c < v.n_c; ++c) {
            V along = {};
            LACEMAKER_UNROLL
            for (int k = 0; k < N; ++k) along += load<V>(big_g + c * v.n_f + k * W) * w[k];
            v.out_t[p * v.n_c + c] += sum<T, W>(along);
        }
    }
};

template <class T, int W>
void message_backward(const MessageView<T>& v, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t p = v.first[i]; p < v.first[i + 1]; ++p) chunks<T, W, 8>(v.n_f, 0, BackwardChunk<T>{v, i, p});
}

template <class T>
struct DoubleBackwardChunk {
    const MessageView<T>& v;
    std::int64_t i, p0;
    int count;

    // Everything of one pair; leaves w and dw for the block's sum over M.
    template <int W, int N>
    LACEMAKER_INLINE void pair(std::int64_t p, int column, const T* big_g, T* kept_w, T* kept_dw) const {
        using V = Lanes<T, W>;
        const T *s = v.s + p * v.n_s, *ds = v.ds + p * v.n_s;
        const std::int64_t row = v.neighbour[p] * v.n_s * v.n_f + column;
        V g[N] = {}, dg[N] = {}, w[N] = {}, dw[N] = {};
        combine<T, W, N>(v.t + p * v.n_c, big_g, v.n_c, v.n_f, g);
        combine<T, W, N>(v.dt + p * v.n_c, big_g, v.n_c, v.n_f, dg);
        if (v.dy) combine<T, W, N>(s, v.dy + row, v.n_s, v.n_f, dw);
        for (int n = 0; n < v.n_s; ++n) {
            const T *y = v.y + row + n * v.n_f, *dy = v.dy ? v.dy + row + n * v.n_f : nullptr;
            V along = {};
            LACEMAKER_UNROLL
            for (int k = 0; k < N; ++k) {
                const V value = load<V>(y + k * W);
                w[k] += s[n] * value;
                dw[k] += ds[n] * value;
                along += value * dg[k];
                if (dy) along += load<V>(dy + k * W) * g[k];
            }
            v.out_s[p * v.n_s + n] += sum<T, W>(along);
            if (v.out_y) {
                T* out = v.out_y + row + n * v.n_f;
                LACEMAKER_UNROLL
                for (int k = 0; k < N; ++k)
                    store(out + k * W, V(load<V>(out + k * W) + ds[n] * g[k] + s[n] * dg[k]));
            }
        }
        for (int c = 0; c < v.n_c; ++c) {
            V along = {};
            LACEMAKER_UNROLL
            for (int k = 0; k < N; ++k) along += load<V>(big_g + c * v.n_f + k * W) * dw[k];
            v.out_t[p * v.n_c + c] += sum<T, W>(along);
        }
        LACEMAKER_UNROLL
        for (int k = 0; k < N; ++k) {
            store(kept_w + k * W, w[k]);
            store(kept_dw + k * W, dw[k]);
        }
    }

    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        T kept_w[block * N * W], kept_dw[block * N * W];
        const T* big_g = v.g + i * v.n_c * v.n_f + column;
        for (int p = 0; p < count; ++p)
            pair<W, N>(p0 + p, column, big_g, kept_w + p * N * W, kept_dw + p * N * W);
        T* m = v.out_m + i * v.n_c * v.n_f + column;
        for (int k = 0; k < N; ++k) {
            add_block<T, W>(v.t + p0 * v.n_c, v.n_c, count, kept_dw + k * W, N * W, m + k * W, v.n_f);
            add_block<T, W>(v.dt + p0 * v.n_c, v.n_c, count, kept_w + k * W, N * W, m + k * W, v.n_f);
        }
    }
};

template <class T, int W>
void message_double_backward(const MessageView<T>& v, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t p = v.first[i]; p < v.first[i + 1]; p += block) {
            const std::int64_t left = v.first[i + 1] - p;
            chunks<T, W, 4>(v.n_f, 0, DoubleBackwardChunk<T>{v, i, p, int(left < block ? left : block)});
        }
}

}  // namespace rows

LACEMAKER_KERNEL_END
