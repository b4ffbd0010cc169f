// Rows of one site: F[row of column c][k] -= sum over v of J_kv G[v][c], for all columns k and c.
//
// J is sparse (slots), G dense. A tile is design_tile = 8 consecutive functions k times one chunk of C vectors of
// columns: 8 C sums stay in registers (AVX-512) or in the first-level cache, are transposed W x W in registers and
// go straight to F, whose rows hold k contiguously; nothing is written in between. Rows of F come from the last-level
// cache, hence the prefetch two tiles ahead.
//
// Tried and slower by 10 % on Zen 4: six vectors at a time; two functions in step, padded to equal length.
//
// Cost: nnz(J) * (3 neighbours + 9) / W multiply-adds, n_columns * (3 neighbours + 9) / W read-modify-writes
// and about log2(W) times as many shuffles.
#pragma once

#include "design_lanes.hpp"
#include "design_view.hpp"

LACEMAKER_KERNEL_BEGIN
namespace design {

template <class V>
LACEMAKER_INLINE void subtract(double* from, const V& value) {
    V now;
    __builtin_memcpy(&now, from, sizeof(V));
    now -= value;
    __builtin_memcpy(from, &now, sizeof(V));
}

// sums[k][c] for the 8 functions of a tile; slot: (design_tile + 1,).
template <int C, class V>
LACEMAKER_INLINE void multiply_tile(const std::int32_t* slot, const std::uint32_t* offset, const double* J,
                                    const char* G, V (&sums)[design_tile][C]) {
    LACEMAKER_UNROLL
    for (int k = 0; k < design_tile; ++k) {
        V acc[C];
        LACEMAKER_UNROLL
        for (int c = 0; c < C; ++c) acc[c] = broadcast<V>(0);
        for (int s = slot[k]; s < slot[k + 1]; ++s) {
            const V* g = reinterpret_cast<const V*>(G + offset[s]);
            const double weight = J[s];
            LACEMAKER_UNROLL
            for (int c = 0; c < C; ++c) acc[c] += weight * g[c];
        }
        LACEMAKER_UNROLL
        for (int c = 0; c < C; ++c) sums[k][c] = acc[c];
    }
}

// rows: (C * W,) pointers to column `column` 0 of F, one per lane.
template <int C, class V>
LACEMAKER_INLINE void scatter_tile(const V (&sums)[design_tile][C], double* const* rows, int column) {
    constexpr int W = lanes<V>;
    LACEMAKER_UNROLL
    for (int c = 0; c < C; ++c) {
        LACEMAKER_UNROLL
        for (int k = 0; k < design_tile; k += W) {
            V in[W], out[W];
            LACEMAKER_UNROLL
            for (int i = 0; i < W; ++i) in[i] = sums[k + i][c];
            transpose(in, out);
            LACEMAKER_UNROLL
            for (int w = 0; w < W; ++w) subtract(rows[c * W + w] + column + k, out[w]);
        }
    }
}

// The same for a tile of fewer than 8 functions.
template <int C, class V>
LACEMAKER_NOINLINE void scatter_part(const V (&sums)[design_tile][C], double* const* rows, int column, int width) {
    constexpr int W = lanes<V>;
    for (int c = 0; c < C; ++c)
        for (int w = 0; w < W; ++w)
            for (int k = 0; k < width; ++k) rows[c * W + w][column + k] -= sums[k][c][w];
}

template <int C, class V>
LACEMAKER_NOINLINE void multiply_chunk(const DesignPair& pair, int tile_begin, int tile_end, const double* J,
                                       const V* G, double* const* rows) {
    constexpr int n_rows = C * lanes<V>;
    const std::int32_t *slot = pair.tile_slot, *columns = pair.tile_column, *widths = pair.tile_width;
    const std::uint32_t* offset = pair.slot_offset;
    for (int tile = tile_begin; tile < tile_end; ++tile) {
        const int column = columns[tile];
        if (tile + 2 < tile_end)
            for (int w = 0; w < n_rows; ++w) __builtin_prefetch(rows[w] + columns[tile + 2], 1, 2);
        V sums[design_tile][C];
        multiply_tile<C>(slot + tile * design_tile, offset, J, reinterpret_cast<const char*>(G), sums);
        if (widths[tile] == design_tile)
            scatter_tile<C>(sums, rows, column);
        else
            scatter_part<C>(sums, rows, column, widths[tile]);
    }
}

// All chunks of one species around one site: `vectors` vectors of columns, G: (chunks, n_channels, design_chunk).
template <class V>
void multiply(const DesignPair& pair, int tile_begin, int tile_end, const double* J, const V* G, int vectors,
              double* const* rows) {
    static_assert(design_chunk == 3);
    for (; vectors >= 3; vectors -= 3) {
        multiply_chunk<3>(pair, tile_begin, tile_end, J, G, rows);
        G += std::int64_t(pair.n_channels) * 3, rows += 3 * lanes<V>;
    }
    if (vectors == 2) multiply_chunk<2>(pair, tile_begin, tile_end, J, G, rows);
    if (vectors == 1) multiply_chunk<1>(pair, tile_begin, tile_end, J, G, rows);
}

}  // namespace design
LACEMAKER_KERNEL_END
