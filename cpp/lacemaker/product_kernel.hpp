// Product stage: site energies and dE/dA from A, W sites at a time.
//
//     E = sum_r v_r X_r + sum_{blocks} X_a sum_{k<R} X_{b+k} S_k,     S_k = w_k + sum_g w_{gk} X_g
//
// X are rows of W lanes: the A functions, then stored products P = X_a X_b (orders >= 4), then a row of ones (it
// turns a product of two rows into a block of three). A block is one row a, R consecutive rows b..b+R-1 and a list of
// rows g shared by the run; with P_k = X_a X_{b+k} held in registers
//
//     dX_g += sum_k w_gk P_k,   dX_{b+k} += X_a S_k,   dX_a += sum_k X_{b+k} S_k,   E += X_a (the last sum)
//
// so a term of three factors costs two FMA for value and gradient together. What limits it is the stores: one
// read-modify-write of a row costs as much as four FMA, hence long runs, and an order of blocks that avoids rows just
// written (program.hpp). Blocks come in classes of equal (R, number of g), both compile-time constants below. The
// gradient of stored products is handed to their factors at the end, last product first.
#pragma once

#include <utility>

#include "evaluator_view.hpp"
#include "simd.hpp"

LACEMAKER_KERNEL_BEGIN

inline constexpr int unrolled_gammas = 6;

template <class V>
LACEMAKER_INLINE const V& row_at(const char* base, std::int32_t offset) {
    return *reinterpret_cast<const V*>(base + offset);
}
template <class V>
LACEMAKER_INLINE V& row_at(char* base, std::int32_t offset) {
    return *reinterpret_cast<V*>(base + offset);
}

// One row g against a run of R: S_k += w_k X_g, dX_g += w_k P_k.
template <class V, int R>
LACEMAKER_INLINE void gamma_row(const V& x, V& dx, const Lane<V>* w, const V* P, V* S) {
    V sum = dx;
    LACEMAKER_UNROLL
    for (int k = 0; k < R; ++k) {
        S[k] += w[k] * x;
        sum += w[k] * P[k];
    }
    dx = sum;
}

// All blocks of a class; NG = number of g rows, -1: as the class says.
template <class V, int R, int NG>
LACEMAKER_NOINLINE V run_class(const BlockClass& c, const std::int32_t* index, const Lane<V>* w, const char* X,
                               char* dX, V energy) {
    const int n_gamma = NG >= 0 ? NG : c.n_gamma;
    for (int block = 0; block < c.n_blocks; ++block, index += 2 + n_gamma) {
        const V a = row_at<V>(X, index[0]);
        const V* b = &row_at<V>(X, index[1]);
        V P[R], S[R];
        LACEMAKER_UNROLL
        for (int k = 0; k < R; ++k) {
            P[k] = a * b[k];
            S[k] = broadcast<V>(w[k]);
        }
        w += R;
        if constexpr (NG >= 0) {
            LACEMAKER_UNROLL
            for (int g = 0; g < NG; ++g, w += R)
                gamma_row<V, R>(row_at<V>(X, index[2 + g]), row_at<V>(dX, index[2 + g]), w, P, S);
        } else {
            for (int g = 0; g < n_gamma; ++g, w += R)
                gamma_row<V, R>(row_at<V>(X, index[2 + g]), row_at<V>(dX, index[2 + g]), w, P, S);
        }
        V* db = &row_at<V>(dX, index[1]);
        V da = V{};
        LACEMAKER_UNROLL
        for (int k = 0; k < R; ++k) {
            da += b[k] * S[k];
            db[k] += a * S[k];
        }
        energy += a * da;
        row_at<V>(dX, index[0]) += da;
    }
    return energy;
}

template <class V>
using ClassFunction = V (*)(const BlockClass&, const std::int32_t*, const Lane<V>*, const char*, char*, V);

// run_class for a run of R, chosen by the number of g rows.
template <class V, int R, int... NG>
ClassFunction<V> class_function(int n_gamma, std::integer_sequence<int, NG...>) {
    static constexpr ClassFunction<V> table[] = {&run_class<V, R, NG>...};
    return n_gamma < int(sizeof...(NG)) ? table[n_gamma] : &run_class<V, R, -1>;
}

template <class V, int R>
LACEMAKER_INLINE V dispatch_class(const BlockClass& c, const ProgramView<Lane<V>>& p, const char* X, char* dX,
                                  V energy) {
    const auto run = class_function<V, R>(c.n_gamma, std::make_integer_sequence<int, unrolled_gammas + 1>{});
    return run(c, p.index + c.index, p.weights + c.weight, X, dX, energy);
}

// X holds the A rows on entry (room for all rows); fills dX for the A rows and returns the energies of the W sites.
template <class V, int MaxRun>
V product(const ProgramView<Lane<V>>& p, V* X, V* dX) {
    char *x = reinterpret_cast<char*>(X), *dx = reinterpret_cast<char*>(dX);
    for (int k = 0; k < p.n_products; ++k)
        X[p.n_a + k] = row_at<V>(x, p.products[2 * k]) * row_at<V>(x, p.products[2 * k + 1]);
    X[p.n_rows()] = broadcast<V>(1);
    V energy = V{};
    for (int r = 0; r < p.n_rows(); ++r) {
        energy += p.linear[r] * X[r];
        dX[r] = broadcast<V>(p.linear[r]);
    }
    dX[p.n_rows()] = V{};
    for (int k = 0; k < p.n_classes; ++k) {
        const BlockClass& c = p.classes[k];
        switch (c.run) {
            case 1:
                energy = dispatch_class<V, 1>(c, p, x, dx, energy);
                break;
            case 2:
                energy = dispatch_class<V, 2>(c, p, x, dx, energy);
                break;
            case 3:
                energy = dispatch_class<V, 3>(c, p, x, dx, energy);
                break;
            default:
                if constexpr (MaxRun > 3) {
                    if (c.run == 4) energy = dispatch_class<V, 4>(c, p, x, dx, energy);
                    if (c.run == 5) energy = dispatch_class<V, 5>(c, p, x, dx, energy);
                    if (c.run == 6) energy = dispatch_class<V, 6>(c, p, x, dx, energy);
                }
        }
    }
    for (int k = p.n_products - 1; k >= 0; --k) {
        const V d = dX[p.n_a + k];
        row_at<V>(dx, p.products[2 * k]) += d * row_at<V>(x, p.products[2 * k + 1]);
        row_at<V>(dx, p.products[2 * k + 1]) += d * row_at<V>(x, p.products[2 * k]);
    }
    return energy;
}

LACEMAKER_KERNEL_END
