// The A functions of one site: A_v = sum over neighbours j of phi_v(D_j), phi = R_n Y_lm or, in the pair basis, R_n.
//
// Lanes are neighbours. Tables R[n][block] and Y[l^2+l+m][block] are filled by recursion, then one multiply-add per
// (v, block). Norms are applied to the sum.
#pragma once

#include "design_pack.hpp"
#include "harmonics.hpp"

LACEMAKER_KERNEL_BEGIN
namespace design {

// radial: (n_max, blocks), harmonic: ((lmax + 1)^2, blocks). Writes A_v to a[v * stride].
template <class V>
void pool(const DesignView& view, const DesignPair& pair, const Neighbours<V>& near, V* radial, V* harmonic, double* a,
          int stride) {
    const int blocks = near.blocks();
    for (int b = 0; b < blocks; ++b) {
        const V* g = near.geometry + b * n_geometry;
        radial_values(view.many_body, pair.n_radial, g[x_mb], g[env_mb], radial + b, blocks);
        if (pair.n_radial > 0)
            harmonics(view.lmax, view.harmonic_beta, g[ux], g[uy], g[uz], harmonic + b, blocks);
    }
    for (int h = 0; h < pair.n_harmonics; ++h) {
        const V* y = harmonic + pair.harmonic[h] * blocks;
        const double norm = view.harmonic_norm[pair.harmonic[h]];
        for (int v = pair.harmonic_first[h]; v < pair.harmonic_first[h + 1]; ++v) {
            const V* r = radial + pair.radial[v] * blocks;
            V sum = broadcast<V>(0);
            for (int b = 0; b < blocks; ++b) sum += r[b] * y[b];
            a[v * stride] = norm * view.many_body_norm[pair.radial[v]] * horizontal_sum(sum);
        }
    }
    for (int b = 0; b < blocks; ++b) {
        const V* g = near.geometry + b * n_geometry;
        radial_values(view.pair, pair.n_pair_radial, g[x_pair], g[env_pair], radial + b, blocks);
    }
    for (int v = pair.n_many_body; v < pair.n_channels; ++v) {
        const V* r = radial + pair.radial[v] * blocks;
        V sum = broadcast<V>(0);
        for (int b = 0; b < blocks; ++b) sum += r[b];
        a[v * stride] = view.pair_norm[pair.radial[v]] * horizontal_sum(sum);
    }
}

}  // namespace design
LACEMAKER_KERNEL_END
