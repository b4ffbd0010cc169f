// The 13 invariants of HIP-HOP-NN, their derivatives and second derivatives, lane by lane over features.
//
//   A = QQ, B_km = T_ijk T_ijm, e_k = T_ijk Q_ij, c = Qv
//   0 s  1 v.v  2 tr A  3 A:Q  4 tr B  5 B:B  6 v.c  7 c.c  8 T:vvv  9 vBv  10 B:Q  11 B:A  12 e.e
//
// Components in memory: s | x y z | xx xy xz yy yz | xxx xxy xxz xyy xyz yyy yyz. Symmetric matrices here hold
// xx xy xz yy yz zz, symmetric third-rank tensors xxx xxy xxz xyy xyz xzz yyy yyz yzz zzz. The second derivatives are the first ones
// of dual numbers a + b eps, eps^2 = 0, in the direction dm.
#pragma once

#include "messages_dual.hpp"
#include "messages_lanes.hpp"
#include "messages_view.hpp"

LACEMAKER_KERNEL_BEGIN

namespace rows {

// Index of the symmetric pair (i, j) and triple (i, j, k).
constexpr int two[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};
constexpr int diagonal[3] = {0, 3, 5};
constexpr int three[3][6] = {{0, 1, 2, 3, 4, 5}, {1, 3, 4, 6, 7, 8}, {2, 4, 5, 7, 8, 9}};  // [i][two of j, k]

template <class X>
LACEMAKER_INLINE X twice(const X& x) {
    return x + x;
}

template <class X>
struct Tensors {
    X v[3], q[6], t[10];
};

template <class X>
struct Products {
    X a[6], b[6], c[3], e[3];
};

// sum_j m_ij u_j
template <class X>
LACEMAKER_INLINE void apply(const X* m, const X* u, X* out) {
    LACEMAKER_UNROLL
    for (int i = 0; i < 3; ++i) out[i] = m[two[i][0]] * u[0] + m[two[i][1]] * u[1] + m[two[i][2]] * u[2];
}

// A : B of symmetric matrices
template <class X>
LACEMAKER_INLINE X contract(const X* a, const X* b) {
    return a[0] * b[0] + a[3] * b[3] + a[5] * b[5] + twice(a[1] * b[1] + a[2] * b[2] + a[4] * b[4]);
}

template <class X>
LACEMAKER_INLINE X dot(const X* a, const X* b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// out_i = T_ijk m_jk
template <class X>
LACEMAKER_INLINE void contract(const X* t, const X* m, X* out) {
    LACEMAKER_UNROLL
    for (int i = 0; i < 3; ++i) {
        const int* row = three[i];
        out[i] = t[row[0]] * m[0] + t[row[3]] * m[3] + t[row[5]] * m[5] +
                 twice(t[row[1]] * m[1] + t[row[2]] * m[2] + t[row[4]] * m[4]);
    }
}

template <int L, class X>
LACEMAKER_INLINE void products(const Tensors<X>& x, Products<X>& y) {
    const X *q = x.q, *t = x.t;
    LACEMAKER_UNROLL
    for (int i = 0; i < 3; ++i)
        for (int j = i; j < 3; ++j)
            y.a[two[i][j]] = q[two[i][0]] * q[two[0][j]] + q[two[i][1]] * q[two[1][j]] + q[two[i][2]] * q[two[2][j]];
    apply(q, x.v, y.c);
    if constexpr (L >= 3) {
        LACEMAKER_UNROLL
        for (int k = 0; k < 3; ++k)
            for (int m = k; m < 3; ++m) {
                const int *r = three[k], *u = three[m];
                y.b[two[k][m]] = t[r[0]] * t[u[0]] + t[r[3]] * t[u[3]] + t[r[5]] * t[u[5]] +
                                 twice(t[r[1]] * t[u[1]] + t[r[2]] * t[u[2]] + t[r[4]] * t[u[4]]);
            }
        contract(t, q, y.e);
    }
}

// vv^T
template <class X>
LACEMAKER_INLINE void outer(const X* v, X* m) {
    for (int i = 0; i < 3; ++i)
        for (int j = i; j < 3; ++j) m[two[i][j]] = v[i] * v[j];
}

// Invariants 1 .. 12 into x[1] .. x[12] (those that need T only for L = 3).
template <int L, class X>
LACEMAKER_INLINE void evaluate(const Tensors<X>& z, X* x) {
    Products<X> y;
    products<L>(z, y);
    x[1] = dot(z.v, z.v);
    x[2] = y.a[0] + y.a[3] + y.a[5];
    x[3] = contract(y.a, z.q);
    x[6] = dot(z.v, y.c);
    x[7] = dot(y.c, y.c);
    if constexpr (L >= 3) {
        X vv[6], u[3], bv[3];
        outer(z.v, vv);
        contract(z.t, vv, u);
        apply(y.b, z.v, bv);
        x[4] = y.b[0] + y.b[3] + y.b[5];
        x[5] = contract(y.b, y.b);
        x[8] = dot(u, z.v);
        x[9] = dot(bv, z.v);
        x[10] = contract(y.b, z.q);
        x[11] = contract(y.b, y.a);
        x[12] = dot(y.e, y.e);
    }
}

// a b + b a of symmetric matrices, added to out
template <class X>
LACEMAKER_INLINE void add_anticommutator(const X* a, const X* b, X* out) {
    for (int i = 0; i < 3; ++i)
        for (int j = i; j < 3; ++j) {
            X sum = a[two[i][0]] * b[two[0][j]] + b[two[i][0]] * a[two[0][j]];
            for (int k = 1; k < 3; ++k) sum = sum + a[two[i][k]] * b[two[k][j]] + b[two[i][k]] * a[two[k][j]];
            out[two[i][j]] = out[two[i][j]] + sum;
        }
}

// Derivative of sum_k g_k x_k by v, Q and T, as symmetric tensors of independent entries' full values.
template <int L, class X>
LACEMAKER_INLINE void differentiate(const Tensors<X>& z, const X* g, Tensors<X>& d, const X& half, const X& third) {
    Products<X> y;
    products<L>(z, y);
    X vv[6], by_a[6], by_c[3], qc[3];
    outer(z.v, vv);
    LACEMAKER_UNROLL
    for (int k = 0; k < 6; ++k) by_a[k] = g[3] * z.q[k];
    for (int k : diagonal) by_a[k] = by_a[k] + g[2];
    for (int k = 0; k < 3; ++k) by_c[k] = twice(g[7] * y.c[k]);
    LACEMAKER_UNROLL
    for (int k = 0; k < 6; ++k) d.q[k] = g[3] * y.a[k] + g[6] * vv[k];
    for (int i = 0; i < 3; ++i)
        for (int j = i; j < 3; ++j)
            d.q[two[i][j]] = d.q[two[i][j]] + half * (by_c[i] * z.v[j] + by_c[j] * z.v[i]);
    apply(z.q, by_c, qc);
    for (int k = 0; k < 3; ++k) d.v[k] = twice(g[1] * z.v[k] + g[6] * y.c[k]) + qc[k];
    if constexpr (L >= 3) {
        X by_b[6], by_e[3], bv[3], u[3];
        LACEMAKER_UNROLL
        for (int k = 0; k < 6; ++k) {
            by_b[k] = twice(g[5] * y.b[k]) + g[10] * z.q[k] + g[11] * y.a[k] + g[9] * vv[k];
            by_a[k] = by_a[k] + g[11] * y.b[k];
            d.q[k] = d.q[k] + g[10] * y.b[k];
        }
        for (int k : diagonal) by_b[k] = by_b[k] + g[4];
        apply(y.b, z.v, bv);
        contract(z.t, vv, u);
        for (int k = 0; k < 3; ++k) {
            by_e[k] = twice(g[12] * y.e[k]);
            d.v[k] = d.v[k] + twice(g[9] * bv[k]) + (twice(g[8] * u[k]) + g[8] * u[k]);
        }
        LACEMAKER_UNROLL
        for (int i = 0; i < 3; ++i)
            for (int j = i; j < 3; ++j) {
                const int ij = two[i][j];
                d.q[ij] = d.q[ij] + z.t[three[0][ij]] * by_e[0] + z.t[three[1][ij]] * by_e[1] + z.t[three[2][ij]] * by_e[2];
            }
        // h_ijk = 2 T_ijm by_b_mk + Q_ij by_e_k, symmetrised, + g8 v v v
        X h[6][3];
        LACEMAKER_UNROLL
        for (int ij = 0; ij < 6; ++ij)
            for (int k = 0; k < 3; ++k) {
                X sum = z.t[three[0][ij]] * by_b[two[0][k]] + z.t[three[1][ij]] * by_b[two[1][k]] +
                        z.t[three[2][ij]] * by_b[two[2][k]];
                h[ij][k] = twice(sum) + z.q[ij] * by_e[k];
            }
        LACEMAKER_UNROLL
        for (int i = 0; i < 3; ++i)
            for (int j = i; j < 3; ++j)
                for (int k = j; k < 3; ++k)
                    d.t[three[i][two[j][k]]] =
                        third * (h[two[i][j]][k] + h[two[j][k]][i] + h[two[i][k]][j]) + g[8] * vv[two[i][j]] * z.v[k];
    }
    add_anticommutator(z.q, by_a, d.q);
}

template <int L, class X>
LACEMAKER_INLINE void unpack(const X* m, Tensors<X>& z) {
    for (int k = 0; k < 3; ++k) z.v[k] = m[1 + k];
    const X zero = m[0] - m[0];
    for (int k = 0; k < 5; ++k) z.q[k] = m[4 + k];
    z.q[5] = zero - m[4] - m[7];
    if constexpr (L >= 3) {
        const X* c = m + 9;  // xxx xxy xxz xyy xyz yyy yyz
        for (int k = 0; k < 5; ++k) z.t[k] = c[k];
        z.t[6] = c[5];
        z.t[7] = c[6];
        z.t[5] = zero - c[0] - c[3];
        z.t[8] = zero - c[1] - c[5];
        z.t[9] = zero - c[2] - c[6];
    }
}

// The transposed of `unpack`: full symmetric derivatives to those by the stored components.
template <int L, class X>
LACEMAKER_INLINE void pack(const Tensors<X>& d, X* m) {
    for (int k = 0; k < 3; ++k) m[1 + k] = d.v[k];
    m[4] = d.q[0] - d.q[5];
    m[5] = twice(d.q[1]);
    m[6] = twice(d.q[2]);
    m[7] = d.q[3] - d.q[5];
    m[8] = twice(d.q[4]);
    if constexpr (L >= 3) {
        const auto thrice = [](const X& x) { return x + x + x; };
        const X *t = d.t, xzz = thrice(t[5]), yzz = thrice(t[8]);
        X* c = m + 9;
        c[0] = t[0] - xzz;
        c[1] = thrice(t[1]) - yzz;
        c[2] = thrice(t[2]) - t[9];
        c[3] = thrice(t[3]) - xzz;
        c[4] = twice(thrice(t[4]));
        c[5] = t[6] - yzz;
        c[6] = thrice(t[7]) - t[9];
    }
}

template <class T, int L, int Pass>  // 0 values, 1 first, 2 second derivatives
struct InvariantChunk {
    const InvariantView<T>& v;
    std::int64_t i;
    static constexpr int n_c = (L + 1) * (L + 1);

    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        using V = Lanes<T, W>;
        const std::int64_t at_m = i * n_c * v.n_f + column, at_x = i * v.n_x * v.n_f + column;
        if constexpr (Pass == 0) {
            V m[n_c], x[13];
            Tensors<V> z;
            for (int c = 0; c < n_c; ++c) m[c] = load<V>(v.m + at_m + c * v.n_f);
            unpack<L>(m, z);
            x[0] = m[0];
            evaluate<L>(z, x);
            for (int k = 0; k < 13; ++k)
                if (v.slot[k] >= 0) store(v.out_x + at_x + v.slot[k] * v.n_f, x[k]);
        } else if constexpr (Pass == 1) {
            V m[n_c], g[13];
            Tensors<V> z, d;
            for (int c = 0; c < n_c; ++c) m[c] = load<V>(v.m + at_m + c * v.n_f);
            for (int k = 0; k < 13; ++k) g[k] = v.slot[k] < 0 ? V{} : load<V>(v.g + at_x + v.slot[k] * v.n_f);
            unpack<L>(m, z);
            differentiate<L>(z, g, d, V(V{} + T(0.5)), V(V{} + T(1) / T(3)));
            m[0] = g[0];
            pack<L>(d, m);
            for (int c = 0; c < n_c; ++c) store(v.out_m + at_m + c * v.n_f, m[c]);
        } else {
            using D = Dual<V>;
            D m[n_c], g[13], x[13];
            Tensors<D> z, d;
            for (int c = 0; c < n_c; ++c)
                m[c] = {load<V>(v.m + at_m + c * v.n_f), load<V>(v.dm + at_m + c * v.n_f)};
            for (int k = 0; k < 13; ++k)
                g[k] = {v.slot[k] < 0 ? V{} : load<V>(v.g + at_x + v.slot[k] * v.n_f), V{}};
            unpack<L>(m, z);
            x[0] = m[0];
            evaluate<L>(z, x);
            for (int k = 0; k < 13; ++k)
                if (v.slot[k] >= 0) store(v.out_x + at_x + v.slot[k] * v.n_f, x[k].b);
            differentiate<L>(z, g, d, D{V{} + T(0.5), V{}}, D{V{} + T(1) / T(3), V{}});
            m[0] = {V{}, V{}};
            pack<L>(d, m);
            for (int c = 0; c < n_c; ++c) store(v.out_m + at_m + c * v.n_f, m[c].b);
        }
    }
};

template <class T, int W, int Pass>
void invariant_pass(const InvariantView<T>& v, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
        if (v.l_max == 2) {
            chunks<T, W, 1>(v.n_f, 0, InvariantChunk<T, 2, Pass>{v, i});
        } else {
            chunks<T, W, 1>(v.n_f, 0, InvariantChunk<T, 3, Pass>{v, i});
        }
    }
}

}  // namespace rows

LACEMAKER_KERNEL_END
