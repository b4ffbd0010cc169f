// Sensitivities of HIP-NN networks with first and second derivatives, pair by pair. Symbols: messages_view.hpp.
//
// With k = sigma^2 x, so that e' = -k e dx and dx = -dr / r^2 + dmu / mu^2:
//   by f: sum_n g e      by r: sum_n g e f k / r^2      by mu: -sum_p g e f k / mu^2      by sigma: -sum_p g e f sigma x^2
// and those of the sum of these with the directions (dr, df, dmu, dsigma). That sum is sum g e t with t = df + f d,
// d = k b - sigma x^2 dsigma, b = dr / r^2 - dmu / mu^2, so its derivatives are
//   by g: e t            by f: sum_n g e d
//   by r: sum_n g e (k t / r^2 + f (-d_x / r^2 - 2 k dr / r^3))      d_x = sigma^2 b - 2 sigma x dsigma
//   by mu: sum_p g e (-k t / mu^2 + f (d_x / mu^2 + 2 k dmu / mu^3))
//   by sigma: sum_p g e (-sigma x^2 t + f (2 sigma x b - x^2 dsigma))
// The forward pass keeps e for the others.
#pragma once

#include "messages_lanes.hpp"
#include "messages_view.hpp"

LACEMAKER_KERNEL_BEGIN

namespace rows {

// Some sensitivities of the pairs begin .. end - 1: sums over pairs stay in registers.
template <class T, int Pass>
struct SensitivityChunk {
    const SensitivityView<T>& v;
    std::int64_t begin, end;

    template <int W, int N>
    LACEMAKER_INLINE void run(int column) const {
        using V = Lanes<T, W>;
        const V one = V{} + T(1), sigma = load<V>(v.sigma + column), by_mu = one / load<V>(v.mu + column);
        if constexpr (Pass == 0) {
            for (std::int64_t p = begin; p < end; ++p) {
                const V y = (1 / v.r[p] - by_mu) * sigma, e = decay<T, W>(V(T(-0.5) * (y * y)));
                store(v.out_e + p * v.n_s + column, e);
                store(v.out_s + p * v.n_s + column, V(v.f[p] * e));
            }
        } else {
            V total_mu = {}, total_sigma = {};
            for (std::int64_t p = begin; p < end; ++p) pair<V, W>(p, column, sigma, by_mu, total_mu, total_sigma);
            store(v.out_mu + column, V(load<V>(v.out_mu + column) + total_mu));
            store(v.out_sigma + column, V(load<V>(v.out_sigma + column) + total_sigma));
        }
    }

    template <class V, int W>
    LACEMAKER_INLINE void pair(std::int64_t p, int column, const V& sigma, const V& by_mu, V& mu, V& total_sigma) const {
        const std::int64_t at = p * v.n_s + column;
        const T by_r = 1 / v.r[p], f = v.f[p];
        const V x = by_r - by_mu, e = load<V>(v.e + at), ge = load<V>(v.g + at) * e, k = sigma * sigma * x;
        const V mu2 = by_mu * by_mu;
        if constexpr (Pass == 1) {
            const V gek = ge * k;
            v.out_f[p] += sum<T, W>(ge);
            v.out_r[p] += f * by_r * by_r * sum<T, W>(gek);
            mu -= f * gek * mu2;
            total_sigma -= f * ge * sigma * x * x;
        } else {
            const V dmu = load<V>(v.dmu + column), dsigma = load<V>(v.dsigma + column);
            const T dr = v.dr[p] * by_r * by_r;
            const V b = dr - dmu * mu2, sx = sigma * x, d = k * b - sx * x * dsigma, t = v.df[p] + f * d;
            const V slope = sigma * sigma * b - T(2) * sx * dsigma, kt = k * t;
            store(v.out_s + at, V(e * t));
            v.out_f[p] += sum<T, W>(V(ge * d));
            v.out_r[p] += by_r * by_r * sum<T, W>(V(ge * (kt - f * slope))) -
                          2 * f * by_r * dr * sum<T, W>(V(ge * k));
            mu += ge * mu2 * (f * (slope + T(2) * k * dmu * by_mu) - kt);
            total_sigma += ge * (f * (T(2) * sx * b - x * x * dsigma) - sx * x * t);
        }
    }
};

template <class T, int W, int Pass>
void sensitivity_pass(const SensitivityView<T>& v, std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t block = 256;
    for (std::int64_t p = begin; p < end; p += block)
        chunks<T, W, 1>(v.n_s, 0, SensitivityChunk<T, Pass>{v, p, end - p < block ? end : p + block});
}

}  // namespace rows

LACEMAKER_KERNEL_END
