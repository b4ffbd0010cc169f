// Embedding functions F(rho) of Finnis-Sinclair form and the switch to the core, for one site at a time.
//
//     FinnisSinclair               sign(x) [(1 - g) |x|^m + s^(1-m) g |x|],  g = exp(-(s |x|)^3),  s = 1e6
//     FinnisSinclairShiftedScaled  sign(x) [(b e + |x|)^m - b^m e],  e = exp(-|x|),  b = (1/m)^((1/m)/(1 - 1/m))
//
// Both are x for m = 1. Bochkarev et al., Phys. Rev. Materials 6, 013804 (2022). A call costs two or three powers and
// exponentials; there is one per site and density.
#pragma once

#include "isa.hpp"
#include "radial.hpp"
#include "tabulated_view.hpp"

LACEMAKER_KERNEL_BEGIN

inline Dual<double> finnis_sinclair(double x, double m) {
    constexpr double sharpness = 1e6, small = 1e-10;
    const double sign = x < 0 ? -1.0 : 1.0, a = x < 0 ? -x : x, linear = scalar_pow(sharpness, 1 - m);
    if (a <= small) return {linear * x, linear};
    const double power = scalar_pow(a, m), cube = sharpness * a * (sharpness * a) * (sharpness * a);
    if (cube > 700.0) return {sign * power, m * power / a};
    const double g = scalar_exp(-cube), g_slope = -3 * cube / a * g;
    return {sign * ((1 - g) * power + linear * g * a),
            (1 - g) * m * power / a + linear * g + g_slope * (linear * a - power)};
}

inline Dual<double> shifted_scaled(double x, double m) {
    const double sign = x < 0 ? -1.0 : 1.0, a = x < 0 ? -x : x;
    const double b = scalar_pow(1 / m, 1 / m / (1 - 1 / m)), e = scalar_exp(-a), base = b * e + a;
    const double power = scalar_pow(base, m), shift = scalar_pow(b, m) * e;
    return {sign * (power - shift), m * power / base * (1 - b * e) + shift};
}

// F, and its derivatives in slope[n_densities * stride].
inline double embed(const EmbeddingView& k, const double* rho, double* slope, int stride) {
    double sum = 0;
    for (int p = 0; p < k.n_densities; ++p) {
        const double x = rho[p * stride], m = k.exponent[p];
        const Dual<double> f = m == 1.0                              ? Dual<double>{x, 1.0}
                               : k.kind == EmbeddingView::shifted_scaled ? shifted_scaled(x, m)
                                                                     : finnis_sinclair(x, m);
        sum += k.weight[p] * f.value;
        slope[p * stride] = k.weight[p] * f.slope;
    }
    return sum;
}

// 1 below end - width, 0 above end, 1 - 10 s^3 + 15 s^4 - 6 s^5 between; a step for width 0.
inline Dual<double> fade_out(double x, double end, double width) {
    if (!(width > 0)) return {x < end ? 1.0 : 0.0, 0.0};
    double s = (x - end) / width + 1;
    s = s < 0 ? 0 : s > 1 ? 1 : s;
    return {1 - s * s * s * (10 - s * (15 - 6 * s)), -30 * s * s * (1 - s) * (1 - s) / width};
}

LACEMAKER_KERNEL_END
