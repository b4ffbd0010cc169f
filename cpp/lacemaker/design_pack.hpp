// Neighbours of one site into lanes, one species at a time, periodic images of an atom into common columns.
//
// The rows of a site are linear in its neighbours, so images of one atom may share a column of G: dB_k/dx_j sums
// over them. Neighbours sit in `layers` layers of `column_blocks` blocks of W lanes; the lanes of one column
// in all layers hold images of one atom (an atom may own several columns), and the gradient adds the layers up.
// Without images there is one layer. More columns mean fewer empty lanes and a shorter gradient, fewer columns a
// shorter multiply: choose_layout takes the cheapest. Images of the site itself exert no force on it; they go
// to blocks without columns that count only for the virial.
//
// Empty lanes lie beyond the cutoff, where every radial function is zero. Pairs beyond the cutoff are left out.
#pragma once

#include "design_view.hpp"
#include "isa.hpp"
#include "radial.hpp"
#include "simd.hpp"

LACEMAKER_KERNEL_BEGIN
namespace design {

// Vectors kept per block.
enum Geometry { ux, uy, uz, dx, dy, dz, inverse_r, x_mb, slope_mb, env_mb, env_slope_mb, x_pair, slope_pair, env_pair,
                env_slope_pair, n_geometry };

// Merging never makes more than this many blocks per block of plain packing.
inline constexpr int max_merge_blocks = 3;

template <class V>
struct Neighbours {
    int column_blocks, layers, self_blocks;
    int used_lanes;             // columns in use, of column_blocks * W
    V* geometry;                // (blocks, n_geometry)
    std::int32_t* column_atom;  // (column_blocks * W,)

    int merged_blocks() const { return layers * column_blocks; }
    int blocks() const { return merged_blocks() + self_blocks; }
};

// Scratch of the packing; the last two are zero between calls.
struct PackScratch {
    std::int32_t* atom;           // (max_neighbours,)
    double* distance;             // (max_neighbours, 3) Å
    std::int32_t* order;          // (max_neighbours,) sorted by species
    std::int32_t* species_first;  // (n_species + 1,)
    std::int32_t* unique;         // (max_neighbours,)
    std::int32_t* lane;           // (n_atoms,)
    std::int32_t* copies;         // (n_atoms,)
};

// Neighbours of `site` within the cutoff of their species; fills atom, distance, order, species_first.
inline void collect_neighbours(const DesignJob& job, int site, const PackScratch& s) {
    const int n_species = job.view->n_species;
    const DesignPair* pairs = job.view->centres[job.species[site]].pairs;
    const double *x = job.positions, *h = job.cell;
    for (int z = 0; z <= n_species; ++z) s.species_first[z] = 0;
    int n = 0;
    for (std::int64_t p = job.first[site]; p < job.first[site + 1]; ++p) {
        const int j = job.index[p], z = job.species[j];
        const std::int32_t* t = job.shift + 3 * p;
        double* d = s.distance + 3 * n;
        double r2 = 0;
        for (int a = 0; a < 3; ++a) {
            d[a] = x[3 * j + a] - x[3 * site + a] + (t[0] * h[a] + t[1] * h[3 + a] + t[2] * h[6 + a]);
            r2 += d[a] * d[a];
        }
        if (r2 >= pairs[z].cutoff * pairs[z].cutoff) continue;
        s.atom[n++] = j;
        ++s.species_first[z + 1];
    }
    for (int z = 0; z < n_species; ++z) s.species_first[z + 1] += s.species_first[z];
    for (int k = n - 1; k >= 0; --k) s.order[--s.species_first[job.species[s.atom[k]] + 1]] = k;
    for (int z = 0; z < n_species; ++z) s.species_first[z] = s.species_first[z + 1];
    s.species_first[n_species] = n;
}

inline int divide_up(int a, int b) { return (a + b - 1) / b; }

struct Layout {
    int column_blocks, layers;
};

// The fewest layers that give n atoms with these numbers of images at most `columns` columns.
inline int fewest_layers(const std::int32_t* unique, int n, const std::int32_t* copies, int total, int columns) {
    for (int layers = divide_up(total, columns);; ++layers) {
        int needed = 0;
        for (int u = 0; u < n; ++u) needed += divide_up(copies[unique[u]], layers);
        if (needed <= columns) return layers;
    }
}

inline Layout choose_layout(const std::int32_t* unique, int n, const std::int32_t* copies, int total, int width,
                            double merge_gain) {
    Layout best{divide_up(total, width), 1};
    if (n == total) return best;
    const int most_blocks = max_merge_blocks * best.column_blocks;
    double best_cost = best.column_blocks * (merge_gain + 1);
    for (int blocks = best.column_blocks - 1; blocks >= divide_up(n, width); --blocks) {
        const int layers = fewest_layers(unique, n, copies, total, blocks * width);
        const double cost = blocks * (merge_gain + layers);
        if (cost >= best_cost || layers * blocks > most_blocks) continue;
        best = {blocks, layers};
        best_cost = cost;
    }
    return best;
}

template <class V>
LACEMAKER_INLINE void put(const Neighbours<V>& out, int block, int lane, const double* d) {
    double* g = reinterpret_cast<double*>(out.geometry + block * n_geometry) + lane;
    for (int a = 0; a < 3; ++a) g[(dx + a) * lanes<V>] = d[a];
}

// Places the neighbours of species z: fills everything but the radial part of the geometry.
template <class V>
void place_neighbours(int site, int z, const DesignPair& pair, const PackScratch& s, Neighbours<V>& out) {
    constexpr int W = lanes<V>;
    const std::int32_t *begin = s.order + s.species_first[z], *end = s.order + s.species_first[z + 1];
    int n_unique = 0, n_self = 0;
    for (const std::int32_t* k = begin; k < end; ++k) {
        const int j = s.atom[*k];
        if (j == site)
            ++n_self;
        else if (s.copies[j]++ == 0)
            s.unique[n_unique++] = j;
    }
    const int total = int(end - begin) - n_self;
    const Layout layout = choose_layout(s.unique, n_unique, s.copies, total, W, pair.merge_gain);
    out.column_blocks = layout.column_blocks;
    out.layers = layout.layers;
    out.self_blocks = divide_up(n_self, W);
    out.used_lanes = 0;
    for (int u = 0; u < n_unique; ++u) {
        const int j = s.unique[u], columns = divide_up(s.copies[j], layout.layers);
        s.lane[j] = out.used_lanes;
        s.copies[j] = 0;
        for (int k = 0; k < columns; ++k) out.column_atom[out.used_lanes++] = j;
    }
    const V outside = broadcast<V>(2 * pair.cutoff), zero = broadcast<V>(0);
    for (int b = 0; b < out.blocks(); ++b) {
        V* g = out.geometry + b * n_geometry;
        g[dx] = outside, g[dy] = zero, g[dz] = zero;
    }
    int self = out.merged_blocks() * W;
    for (const std::int32_t* k = begin; k < end; ++k) {
        const int j = s.atom[*k];
        int place = self;
        if (j == site) {
            ++self;
        } else {
            const int copy = s.copies[j]++, lane = s.lane[j] + copy / layout.layers;
            place = (copy % layout.layers) * layout.column_blocks * W + lane;
        }
        put(out, place / W, place % W, s.distance + 3 * *k);
    }
    for (int u = 0; u < n_unique; ++u) s.copies[s.unique[u]] = 0;
}

// Unit vectors, x(r) and env(r) of both radial bases.
template <class V>
void fill_geometry(const DesignPair& pair, const Neighbours<V>& out) {
    for (int b = 0; b < out.blocks(); ++b) {
        V* g = out.geometry + b * n_geometry;
        const V r = square_root(V(g[dx] * g[dx] + g[dy] * g[dy] + g[dz] * g[dz]));
        const V inverse = 1.0 / r;
        g[ux] = g[dx] * inverse, g[uy] = g[dy] * inverse, g[uz] = g[dz] * inverse, g[inverse_r] = inverse;
        const auto radial = [&](const RadialPair<double>& parameters, int first) {
            const Dual<V> x = transform(parameters, r), env = envelope(parameters, r, inverse, x);
            g[first] = x.value, g[first + 1] = x.slope, g[first + 2] = env.value, g[first + 3] = env.slope;
        };
        if (pair.n_radial > 0) radial(pair.many_body, x_mb);
        if (pair.n_pair_radial > 0) radial(pair.pair, x_pair);
    }
}

}  // namespace design
LACEMAKER_KERNEL_END
