// What the design kernel reads: plain structs of pointers into a DesignPlan (design_plan.hpp), made once per basis.
//
// Notation of the design_*.hpp headers. A site is a central atom of species c; its neighbours are treated species by
// species (z). A channel v of (c, z) is one A_v = sum_j phi_v(D_j): phi = R_n Y_lm (many-body) or R_n (pair basis).
// A node is 1, an A_v or a stored product of nodes. The site function of column k is a polynomial in the A_v,
//
//     B_k = sum_t c_t P[left_t] P[right_t],      J_kv = dB_k / dA_v = sum_t c_t P[left_t] P[right_t],
//
// both as sparse sums of products of two nodes. A slot is one (k, v) with J_kv != 0; slots that have equal sums
// (functions that differ only in the radial index of v) share one slope.
#pragma once

#include <cstddef>
#include <cstdint>

#include "radial_parameters.hpp"

namespace lacemaker {

// Columns of the design matrix that are written together: one cache line.
inline constexpr int design_tile = 8;

// Vectors of G (x, y, z of one block of neighbours) that are multiplied together.
inline constexpr int design_chunk = 3;

// value_q = sum over t in [first[q], first[q + 1]) of weight[t] P[left[t]] P[right[t]].
struct DesignSums {
    int count;
    const std::int32_t* first;  // (count + 1,)
    const std::int32_t* left;
    const std::int32_t* right;
    const double* weight;
};

// Neighbours of one species z around centres of one species c.
struct DesignPair {
    RadialPair<double> many_body, pair;
    double cutoff;                       // Å, the larger of both radial bases
    int first_node;                      // node of channel 0
    int n_channels, n_many_body;         // many-body channels come first, sorted by (l, m, n)
    int n_harmonics;
    const std::int32_t* harmonic;        // (n_harmonics,) l^2 + l + m
    const std::int32_t* harmonic_first;  // (n_harmonics + 1,) channels of each harmonic
    const std::int32_t* radial;          // (n_channels,) n - 1
    int n_radial, n_pair_radial;         // radial functions needed of each basis
    int n_tiles;
    const std::int32_t* tile_column;     // (n_tiles,) first column; a tile never crosses a multiple of design_tile
    const std::int32_t* tile_width;      // (n_tiles,) 1..design_tile
    const std::int32_t* tile_slot;       // (n_tiles * design_tile + 1,) slots of each row, counted from slot_first
    std::int64_t slot_first;             // into the J of a site
    const std::uint32_t* slot_offset;    // bytes from the start of a chunk of G to the row of the slot's channel
    double merge_gain;                   // time of one block in the multiply / in the gradient
};

struct DesignCentre {
    const DesignPair* pairs;           // (n_species,)
    int n_channels;                    // nodes 1..n_channels are the A_v
    int n_nodes;                       // node 0 is 1
    const std::int32_t* node_left;     // (n_nodes - n_channels - 1,) factors of each product node
    const std::int32_t* node_right;
    DesignSums values;                 // B_k of the centre's columns
    const std::int32_t* value_column;  // (values.count,)
    DesignSums slopes;                 // the distinct J_kv
    std::int64_t n_slots;              // a multiple of the lanes
    const std::int32_t* slot_slope;    // (n_slots,)
};

struct DesignView {
    int n_species, n_columns, lmax;
    const DesignCentre* centres;   // (n_species,)
    Recursion<double> many_body, pair;
    const double* many_body_norm;  // (n_max,)
    const double* pair_norm;
    const double* harmonic_beta;   // of fill_harmonic_beta
    const double* harmonic_norm;   // ((lmax + 1)^2,)
};

// One structure and the place for its rows.
struct DesignJob {
    const DesignView* view;
    int n_atoms;
    const double* positions;          // (n_atoms, 3) Å
    const double* cell;               // (3, 3) Å, rows = lattice vectors
    const std::int32_t* species;      // (n_atoms,)
    const std::int64_t* first;        // (n_atoms + 1,)
    const std::int32_t* index;        // (n_pairs,)
    const std::int32_t* shift;        // (n_pairs, 3)
    const std::int32_t* sites;        // (n_atoms,) atoms sorted by species
    const std::int32_t* sites_first;  // (n_species + 1,)
    std::int64_t max_neighbours;
    bool forces;                      // false: the energy row only
    int column_begin, column_end;     // this thread's share: multiples of design_tile, or the last column
    double* out;                      // (1 + 3 n_atoms + 6 or 1, stride)
    std::int64_t stride;
};

// The kernel family "design", one per instruction set.
struct DesignKernels {
    int lanes;
    std::size_t (*workspace_bytes)(const DesignJob& job);
    void (*rows)(const DesignJob& job, void* workspace);
};

extern const DesignKernels design_kernels_baseline;
extern const DesignKernels design_kernels_avx2;  // these two on x86-64 only
extern const DesignKernels design_kernels_avx512;

}  // namespace lacemaker
