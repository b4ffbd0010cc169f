// Tensor components of unit vectors with first and second derivatives, pair by pair.
//
//   1 | x y z | xx xy xz yy yz, less 1/3 on the diagonal | xxx xxy xxz xyy xyz yyy yyz of u u u - 3 sym(1 u) / 5
//
// as functions of three free numbers; the length of u is the caller's affair. Second derivatives: messages_dual.hpp.
#pragma once

#include "messages_dual.hpp"
#include "messages_view.hpp"

LACEMAKER_KERNEL_BEGIN

namespace rows {

// t: (l_max + 1)^2 components; `one`, `third`, `fifth` are those numbers as X
template <class X>
LACEMAKER_INLINE void tensor_values(const X* u, int l_max, const X& one, const X& third, const X& fifth, X* t) {
    const X &x = u[0], &y = u[1], &z = u[2];
    t[0] = one;
    if (l_max < 1) return;
    t[1] = x, t[2] = y, t[3] = z;
    if (l_max < 2) return;
    const X xx = x * x, xy = x * y, yy = y * y;
    t[4] = xx - third, t[5] = xy, t[6] = x * z, t[7] = yy - third, t[8] = y * z;
    if (l_max < 3) return;
    const X cx = fifth * x, cy = fifth * y, cz = fifth * z;
    t[9] = x * xx - (cx + cx + cx), t[10] = xx * y - cy, t[11] = xx * z - cz, t[12] = x * yy - cx;
    t[13] = xy * z, t[14] = y * yy - (cy + cy + cy), t[15] = yy * z - cz;
}

// d_k = sum_c g_c dt_c / du_k
template <class X>
LACEMAKER_INLINE void tensor_slopes(const X* u, int l_max, const X* g, const X& fifth, X* d) {
    const X &x = u[0], &y = u[1], &z = u[2];
    d[0] = g[1], d[1] = g[2], d[2] = g[3];
    if (l_max < 2) return;
    d[0] = d[0] + (g[4] + g[4]) * x + g[5] * y + g[6] * z;
    d[1] = d[1] + g[5] * x + (g[7] + g[7]) * y + g[8] * z;
    d[2] = d[2] + g[6] * x + g[8] * y;
    if (l_max < 3) return;
    const X xx = x * x - fifth, yy = y * y - fifth, xy = x * y, xz = x * z, yz = y * z;
    const X by_x = g[9] * xx, by_y = g[14] * yy, a = g[10] * xy + g[11] * xz, b = g[12] * xy + g[15] * yz;
    d[0] = d[0] + (by_x + by_x + by_x) + (a + a) + g[12] * yy + g[13] * yz;
    d[1] = d[1] + (by_y + by_y + by_y) + (b + b) + g[10] * xx + g[13] * xz;
    d[2] = d[2] + g[11] * xx + g[13] * xy + g[15] * yy;
}

template <class T, int Pass>
void tensor_pass(const TensorView<T>& v, std::int64_t begin, std::int64_t end) {
    const int n_c = (v.l_max + 1) * (v.l_max + 1);
    const T fifth = T(1) / T(5), third = T(1) / T(3);
    for (std::int64_t p = begin; p < end; ++p) {
        const T* u = v.u + 3 * p;
        if constexpr (Pass == 0) {
            tensor_values<T>(u, v.l_max, T(1), third, fifth, v.out_t + n_c * p);
        } else if constexpr (Pass == 1) {
            tensor_slopes<T>(u, v.l_max, v.g + n_c * p, fifth, v.out_u + 3 * p);
        } else {
            using D = Dual<T>;
            D x[3], g[16], t[16], d[3];
            for (int k = 0; k < 3; ++k) x[k] = {u[k], v.du[3 * p + k]};
            for (int c = 0; c < n_c; ++c) g[c] = {v.g[n_c * p + c], T(0)};
            tensor_values<D>(x, v.l_max, {T(1), T(0)}, {third, T(0)}, {fifth, T(0)}, t);
            tensor_slopes<D>(x, v.l_max, g, {fifth, T(0)}, d);
            for (int c = 0; c < n_c; ++c) v.out_t[n_c * p + c] = t[c].b;
            for (int k = 0; k < 3; ++k) v.out_u[3 * p + k] = d[k].b;
        }
    }
}

}  // namespace rows

LACEMAKER_KERNEL_END
