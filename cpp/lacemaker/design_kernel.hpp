// Rows of the design matrix of one structure: energy sum_i B_k(i), forces -dB_k/dx, virial -dB_k/d eps.
//
//     for each species c, for W sites at a time:
//         pack neighbours, A                      design_pack.hpp, design_pool.hpp     lanes = neighbours
//         P, B_k, J = dB/dA                       design_slopes.hpp                    lanes = sites
//         for each site, for each neighbour species z:
//             G = dA/dD and its tail              design_gradient.hpp                  lanes = neighbours
//             F -= J G                            design_multiply.hpp                  lanes = columns of G
//
// Optimised away: the strided copy of J, the copy of the product block before its transposition, a separate virial
// pass, work on species that a function or a neighbour does not have, J sums that differ only in the radial index.
// Memory of a call, AVX-512, 44 neighbours: 1 MB for 350, 2 MB for 950 functions of order 3, 7 MB for 5456 of order 4.
#pragma once

#include "design_gradient.hpp"
#include "design_multiply.hpp"
#include "design_pool.hpp"
#include "design_slopes.hpp"

LACEMAKER_KERNEL_BEGIN
namespace design {

// The arrays of one call, carved out of one block of memory (null: only measure).
template <class V>
struct DesignWorkspace {
    static constexpr int W = lanes<V>;
    std::size_t bytes = 0;
    char* base;

    PackScratch pack;
    Neighbours<V>* near;          // (W, n_species)
    V* geometry;                  // (W, blocks, n_geometry)
    std::int32_t* column_atom;    // (W, columns)
    V *radial, *harmonic;         // tables of one site: (2 n_max, blocks), (4 (lmax + 1)^2, blocks)
    V *nodes, *slopes, *values;   // lanes = sites
    double* J;                    // (W, n_slots)
    V* G;                         // (chunks, n_channels, design_chunk)
    double** rows;                // (vectors * W,)
    double* no_row;               // (n_columns,): receives what empty lanes would add
    std::int64_t blocks, columns;

    template <class T>
    T* take(std::int64_t count) {
        T* at = base ? reinterpret_cast<T*>(base + bytes) : nullptr;
        bytes += (count * sizeof(T) + 63) / 64 * 64;
        return at;
    }

    DesignWorkspace(const DesignJob& job, void* memory) : base(static_cast<char*>(memory)) {
        const DesignView& view = *job.view;
        const std::int64_t m = job.max_neighbours, nz = view.n_species;
        const std::int64_t column_blocks = m / W + nz;
        std::int64_t nodes_count = 1, slopes_count = 1, values_count = 1, slots = 1, channels = 1;
        const auto raise = [](std::int64_t& to, std::int64_t value) { to = value > to ? value : to; };
        for (int c = 0; c < nz; ++c) {
            const DesignCentre& centre = view.centres[c];
            raise(nodes_count, centre.n_nodes);
            raise(slopes_count, centre.slopes.count);
            raise(values_count, centre.values.count);
            raise(slots, centre.n_slots);
            for (int z = 0; z < nz; ++z) raise(channels, centre.pairs[z].n_channels);
        }
        const std::int64_t n_max = view.many_body.n_max > view.pair.n_max ? view.many_body.n_max : view.pair.n_max;
        const std::int64_t vectors = 3 * column_blocks + n_tail / W + 1, chunks = vectors / design_chunk + 1;
        blocks = (max_merge_blocks + 1) * column_blocks;
        columns = column_blocks * W;
        pack.atom = take<std::int32_t>(m);
        pack.distance = take<double>(3 * m);
        pack.order = take<std::int32_t>(m);
        pack.species_first = take<std::int32_t>(nz + 1);
        pack.unique = take<std::int32_t>(m);
        pack.lane = take<std::int32_t>(job.n_atoms);
        pack.copies = take<std::int32_t>(job.n_atoms);
        near = take<Neighbours<V>>(W * nz);
        geometry = take<V>(W * blocks * n_geometry);
        column_atom = take<std::int32_t>(W * columns);
        radial = take<V>(2 * n_max * blocks);
        harmonic = take<V>(4 * (view.lmax + 1) * (view.lmax + 1) * blocks);
        nodes = take<V>(nodes_count);
        values = take<V>(values_count);
        slopes = take<V>(slopes_count);
        J = take<double>(W * slots);
        G = take<V>(chunks * channels * design_chunk);
        rows = take<double*>(vectors * W);
        no_row = take<double>(view.n_columns);
    }
};

// First index in the rising list `column` that is not below `bound`.
inline int first_not_below(const std::int32_t* column, int count, int bound) {
    int k = 0;
    while (k < count && column[k] < bound) ++k;
    return k;
}

template <class V>
struct DesignKernel {
    static constexpr int W = lanes<V>;
    using Workspace = DesignWorkspace<V>;

    static std::size_t workspace_bytes(const DesignJob& job) { return Workspace(job, nullptr).bytes; }

    static void rows(const DesignJob& job, void* memory) {
        Workspace ws(job, memory);
        const int width = job.column_end - job.column_begin, n_rows = job.forces ? 7 + 3 * job.n_atoms : 1;
        for (int k = 0; k < n_rows; ++k)
            __builtin_memset(job.out + k * job.stride + job.column_begin, 0, width * sizeof(double));
        __builtin_memset(ws.pack.copies, 0, job.n_atoms * sizeof(std::int32_t));
        __builtin_memset(static_cast<void*>(ws.no_row), 0, job.view->n_columns * sizeof(double));
        for (int c = 0; c < job.view->n_species; ++c)
            if (job.sites_first[c + 1] > job.sites_first[c]) centre_rows(job, ws, c);
    }

    static void centre_rows(const DesignJob& job, const Workspace& ws, int c) {
        const DesignCentre& centre = job.view->centres[c];
        const DesignSums& values = centre.values;
        const int begin = first_not_below(centre.value_column, values.count, job.column_begin);
        const int end = first_not_below(centre.value_column, values.count, job.column_end);
        for (int q = begin; q < end; ++q) ws.values[q] = broadcast<V>(0);
        for (int at = job.sites_first[c]; at < job.sites_first[c + 1]; at += W) {
            const int left = job.sites_first[c + 1] - at, count = left < W ? left : W;
            pool_sites(job, ws, c, job.sites + at, count);
            form_products(centre, ws.nodes);
            add_values(values, begin, end, ws.nodes, ws.values);
            if (!job.forces) continue;
            evaluate_slopes(centre.slopes, ws.nodes, ws.slopes);
            expand_slopes(centre, ws.slopes, ws.J);
            for (int w = 0; w < count; ++w) site_rows(job, ws, c, job.sites[at + w], w);
        }
        for (int q = begin; q < end; ++q) job.out[centre.value_column[q]] += horizontal_sum(ws.values[q]);
    }

    // Neighbours and A of up to W sites; A of missing sites is zero, and with it their B.
    static void pool_sites(const DesignJob& job, const Workspace& ws, int c, const std::int32_t* sites, int count) {
        const DesignView& view = *job.view;
        const DesignCentre& centre = view.centres[c];
        ws.nodes[0] = broadcast<V>(1);
        for (int v = 1; v <= centre.n_channels; ++v) ws.nodes[v] = broadcast<V>(0);
        for (int w = 0; w < count; ++w) {
            collect_neighbours(job, sites[w], ws.pack);
            V* geometry = ws.geometry + w * ws.blocks * n_geometry;
            std::int32_t* column_atom = ws.column_atom + w * ws.columns;
            for (int z = 0; z < view.n_species; ++z) {
                const DesignPair& pair = centre.pairs[z];
                Neighbours<V>& near = ws.near[w * view.n_species + z];
                near.geometry = geometry, near.column_atom = column_atom;
                place_neighbours(sites[w], z, pair, ws.pack, near);
                fill_geometry(pair, near);
                pool(view, pair, near, ws.radial, ws.harmonic,
                     reinterpret_cast<double*>(ws.nodes + pair.first_node) + w, W);
                geometry += near.blocks() * n_geometry;
                column_atom += near.column_blocks * W;
            }
        }
    }

    // Site number w of the batch: atom i.
    static void site_rows(const DesignJob& job, const Workspace& ws, int c, int i, int w) {
        const DesignView& view = *job.view;
        const DesignCentre& centre = view.centres[c];
        for (int z = 0; z < view.n_species; ++z) {
            const DesignPair& pair = centre.pairs[z];
            const Neighbours<V>& near = ws.near[w * view.n_species + z];
            const int begin = first_not_below(pair.tile_column, pair.n_tiles, job.column_begin);
            const int end = first_not_below(pair.tile_column, pair.n_tiles, job.column_end);
            if (near.blocks() == 0 || begin == end) continue;
            const Columns columns = arrange_columns(near.column_blocks, near.used_lanes, W);
            gradient(view, pair, near, columns, ws.radial, ws.harmonic, ws.G);
            find_rows(job, ws, near, columns, i);
            multiply(pair, begin, end, ws.J + w * centre.n_slots + pair.slot_first, ws.G, columns.vectors, ws.rows);
        }
    }

    // The row of F of every column of G.
    static void find_rows(const DesignJob& job, const Workspace& ws, const Neighbours<V>& near, const Columns& columns,
                          int i) {
        double* const forces = job.out + job.stride;
        double* const virial = forces + 3 * job.n_atoms * job.stride;
        for (int k = 0; k < columns.vectors * W; ++k) ws.rows[k] = ws.no_row;
        for (int k = 0; k < near.used_lanes; ++k)
            for (int a = 0; a < 3; ++a)
                ws.rows[(k / W * 3 + a) * W + k % W] = forces + (3 * near.column_atom[k] + a) * job.stride;
        for (int q = 0; q < n_tail; ++q)
            ws.rows[columns.tail_vector[q] * W + columns.tail_lane[q]] =
                q < 6 ? virial + q * job.stride : forces + (3 * i + q - 6) * job.stride;
    }
};

}  // namespace design
LACEMAKER_KERNEL_END
