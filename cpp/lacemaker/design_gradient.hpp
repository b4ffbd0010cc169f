// The gradient G of the A functions of one site, ready for the multiply.
//
//     G[v][j, a] = d phi_v / d D_ja = R'_n Y u_a + R_n dY/dD_a,   u = D / r
//     tail[v]    = sum_j sym(dphi_v/dD_j (x) D_j)  (xx yy zz yz xz xy)   and   -sum_j dphi_v/dD_ja  (x y z)
//
// The columns of G and the nine columns of the tail are multiplied by J = dB/dA alike: out comes what has to be
// subtracted from the force rows of the neighbours, the virial rows and the force rows of the site. That makes the
// virial nearly free: 9 more columns instead of 9 products per (k, j).
//
// Layout: vectors of columns are numbered 3 * block + a, then the part of the tail that finds no empty lane in the
// last blocks. A chunk is three consecutive vectors of all channels: G[chunk][v][3], so that the multiply walks through
// a piece about the size of the first-level cache; the G of a site (n_A * 3 * neighbours doubles) fits the second.
//
// Cost per (v, block): 7 multiply-adds for G, 12 for the tail. Images of an atom (layers) are summed here.
#pragma once

#include "design_lanes.hpp"
#include "design_pack.hpp"
#include "harmonics.hpp"

LACEMAKER_KERNEL_BEGIN
namespace design {

inline constexpr int n_tail = 9;  // virial xx yy zz yz xz xy, own force x y z

// Where the columns of one site lie: `vectors` vectors in all, of them 3 * column_blocks with neighbours.
struct Columns {
    int vectors;
    int tail_vector[n_tail], tail_lane[n_tail];
};

inline Columns arrange_columns(int column_blocks, int used_lanes, int width) {
    Columns c;
    const int empty = column_blocks * width - used_lanes;
    for (int q = 0; q < n_tail; ++q) {
        const int lane = used_lanes + q / 3, extra = q - 3 * empty;
        c.tail_vector[q] = extra < 0 ? 3 * (lane / width) + q % 3 : 3 * column_blocks + extra / width;
        c.tail_lane[q] = extra < 0 ? lane % width : extra % width;
    }
    const int extra = n_tail - 3 * empty;
    c.vectors = 3 * column_blocks + (extra > 0 ? divide_up(extra, width) : 0);
    return c;
}

// Y and dY/dD of one block, normalised: table[(l^2+l+m) * stride + {0, 1, 2, 3}].
template <class V>
void fill_harmonics(const DesignView& view, const DesignPair& pair, const V* g, V* table, int stride) {
    harmonics_gradient(view.lmax, view.harmonic_beta, g[ux], g[uy], g[uz], table, table + 1, table + 2, table + 3,
                       stride);
    for (int h = 0; h < pair.n_harmonics; ++h) {
        V* y = table + pair.harmonic[h] * stride;
        const double norm = view.harmonic_norm[pair.harmonic[h]];
        const V radial = y[1] * g[ux] + y[2] * g[uy] + y[3] * g[uz], scale = norm * g[inverse_r];
        y[0] *= norm;
        y[1] = (y[1] - radial * g[ux]) * scale;
        y[2] = (y[2] - radial * g[uy]) * scale;
        y[3] = (y[3] - radial * g[uz]) * scale;
    }
}

// R_n and dR_n/dr of one block, normalised: table[n * stride + {0, 1}].
template <class V>
void fill_radial(const Recursion<double>& recursion, const double* norm, int n_max, const Dual<V>& x,
                 const Dual<V>& env, V* table, int stride) {
    radial_duals(recursion, n_max, x, env, table, table + 1, stride);
    for (int n = 0; n < n_max; ++n) {
        table[n * stride] *= norm[n];
        table[n * stride + 1] *= norm[n];
    }
}

template <class V>
struct GradientSums {
    V virial[6], own[3];

    LACEMAKER_INLINE GradientSums() {
        for (V& v : virial) v = broadcast<V>(0);
        for (V& v : own) v = broadcast<V>(0);
    }
    LACEMAKER_INLINE void add_virial(const V& gx, const V& gy, const V& gz, const V* g) {
        virial[0] += gx * g[dx], virial[1] += gy * g[dy], virial[2] += gz * g[dz];
        virial[3] += gy * g[dz], virial[4] += gx * g[dz], virial[5] += gx * g[dy];
        virial[3] += gz * g[dy], virial[4] += gz * g[dx], virial[5] += gy * g[dx];
    }
    // The nine columns of the tail, summed over lanes.
    LACEMAKER_INLINE void finish(double* tail) const {
        constexpr int W = lanes<V>;
        V all[n_tail - 1];
        for (int a = 0; a < 3; ++a) all[a] = virial[a], all[3 + a] = 0.5 * virial[3 + a];
        all[6] = -own[0], all[7] = -own[1];
        for (int q = 0; q < n_tail - 1; q += W) {
            const V sums = lane_sums(all + q);
            __builtin_memcpy(tail + q, &sums, sizeof(V));
        }
        tail[n_tail - 1] = -horizontal_sum(own[2]);
    }
};

// One channel: its vectors of G, one chunk per block of columns, and its tail. radial: (blocks, 2); harmonic:
// (blocks, 4), unused for functions of r alone (Y = 1).
template <bool with_harmonic, class V>
LACEMAKER_INLINE void channel_gradient(const Neighbours<V>& near, const V* radial, const V* harmonic, V* G,
                                       std::int64_t chunk_stride, double* tail) {
    GradientSums<V> sums;
    const auto gradient = [&](int b, V& gx, V& gy, V& gz) {
        const V *g = near.geometry + b * n_geometry, *r = radial + 2 * b, *y = harmonic + 4 * b;
        const V radial_part = with_harmonic ? V(r[1] * y[0]) : r[1];
        gx = radial_part * g[ux], gy = radial_part * g[uy], gz = radial_part * g[uz];
        if constexpr (with_harmonic) gx += r[0] * y[1], gy += r[0] * y[2], gz += r[0] * y[3];
        sums.add_virial(gx, gy, gz, g);
    };
    V gx, gy, gz;
    for (int column = 0; column < near.column_blocks; ++column) {
        V x, y, z;
        gradient(column, x, y, z);
        for (int b = column + near.column_blocks; b < near.merged_blocks(); b += near.column_blocks) {
            gradient(b, gx, gy, gz);
            x += gx, y += gy, z += gz;
        }
        sums.own[0] += x, sums.own[1] += y, sums.own[2] += z;
        G[0] = x, G[1] = y, G[2] = z;
        G += chunk_stride;
    }
    for (int b = near.merged_blocks(); b < near.blocks(); ++b) gradient(b, gx, gy, gz);
    sums.finish(tail);
}

// Where the tail of a channel goes: numbers of doubles from its row in the first chunk.
struct TailPlaces {
    std::int64_t at[n_tail];

    TailPlaces(const Columns& columns, std::int64_t chunk_stride, int width) {
        for (int q = 0; q < n_tail; ++q) {
            const int vector = columns.tail_vector[q];
            at[q] = (vector / design_chunk * chunk_stride + vector % design_chunk) * width + columns.tail_lane[q];
        }
    }
};

// All channels of one species around one site. radial: (n, blocks, 2), harmonic: ((lmax+1)^2, blocks, 4),
// G: (chunks, n_channels, design_chunk).
template <class V>
void gradient(const DesignView& view, const DesignPair& pair, const Neighbours<V>& near, const Columns& columns,
              V* radial, V* harmonic, V* G) {
    static_assert(design_chunk == 3);
    const int blocks = near.blocks();
    const std::int64_t chunk_stride = std::int64_t(pair.n_channels) * design_chunk;
    const TailPlaces places(columns, chunk_stride, lanes<V>);
    double tail[n_tail];
    const auto put_tail = [&](int v) {
        double* to = reinterpret_cast<double*>(G + v * design_chunk);
        for (int q = 0; q < n_tail; ++q) to[places.at[q]] = tail[q];
    };
    if (columns.vectors > 3 * near.column_blocks) {  // what the tail leaves empty behind the last block
        V* behind = G + near.column_blocks * chunk_stride;
        const std::int64_t rest = (columns.vectors - 1) / design_chunk + 1 - near.column_blocks;
        for (std::int64_t k = 0; k < rest * chunk_stride; ++k) behind[k] = broadcast<V>(0);
    }
    for (int b = 0; b < blocks && pair.n_radial > 0; ++b) {
        const V* g = near.geometry + b * n_geometry;
        fill_radial<V>(view.many_body, view.many_body_norm, pair.n_radial, {g[x_mb], g[slope_mb]},
                       {g[env_mb], g[env_slope_mb]}, radial + 2 * b, 2 * blocks);
        fill_harmonics(view, pair, g, harmonic + 4 * b, 4 * blocks);
    }
    for (int h = 0; h < pair.n_harmonics; ++h)
        for (int v = pair.harmonic_first[h]; v < pair.harmonic_first[h + 1]; ++v) {
            channel_gradient<true>(near, radial + pair.radial[v] * 2 * blocks,
                                   harmonic + pair.harmonic[h] * 4 * blocks, G + v * design_chunk, chunk_stride, tail);
            put_tail(v);
        }
    for (int b = 0; b < blocks && pair.n_pair_radial > 0; ++b) {
        const V* g = near.geometry + b * n_geometry;
        fill_radial<V>(view.pair, view.pair_norm, pair.n_pair_radial, {g[x_pair], g[slope_pair]},
                       {g[env_pair], g[env_slope_pair]}, radial + 2 * b, 2 * blocks);
    }
    for (int v = pair.n_many_body; v < pair.n_channels; ++v) {
        channel_gradient<false>(near, radial + pair.radial[v] * 2 * blocks, harmonic, G + v * design_chunk,
                                chunk_stride, tail);
        put_tail(v);
    }
}

}  // namespace design
LACEMAKER_KERNEL_END
