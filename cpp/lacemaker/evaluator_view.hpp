// What the evaluation kernels see of a model and a structure: plain structs of pointers, shared by host and kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "radial_parameters.hpp"

namespace lacemaker {

// The A rows one centre keeps for one neighbour species: (l, m) channels in the order l = 0..lmax, m = -l..l, each
// with n = 1..n_of_l[l] consecutive.
struct SpeciesRows {
    int species, lmax, n_max;
    int first_row, n_rows;
    const int* n_of_l;    // (lmax + 1,)
    const int* row_of_l;  // (lmax + 1,) first row of each l, from first_row
};

// Blocks of equal shape, see program.hpp; index and weight are offsets into the program's arrays.
struct BlockClass {
    int run, n_gamma, n_blocks;
    std::size_t index, weight;
};

// Rows: n_a A functions, then products of two earlier rows, then one row of ones.
template <class T>
struct ProgramView {
    int n_a, n_products;
    int n_species_rows;
    const SpeciesRows* species_rows;
    const T* linear;               // (n_a + n_products,) weights of single rows
    const std::int32_t* products;  // (n_products, 2) byte offsets of the factors
    int n_classes;
    const BlockClass* classes;
    const std::int32_t* index;  // byte offsets of rows
    const T* weights;

    int n_rows() const { return n_a + n_products; }
};

template <class T>
struct ModelView {
    int n_species;
    const ProgramView<T>* programs;  // (NZ,) one per centre species
    const RadialPair<T>* many_body;  // (NZ, NZ)
    Recursion<T> recursion;
    const T* harmonic_beta;     // see harmonics.hpp
    const RadialPair<T>* pair;  // (NZ, NZ)
    int n_pair;
    const T* pair_chebyshev;          // (NZ, NZ, n_pair) pair polynomial in Chebyshev form
    const unsigned char* has_pair;    // (NZ, NZ)
    const ZblPair* zbl;               // (NZ, NZ)
    const double* cutoff_squared;     // (NZ, NZ) Å^2, beyond it nothing is felt; 0 where the pair never interacts
    const double* mb_cutoff_squared;  // (NZ, NZ) Å^2, of the many-body part
    const double* e0;                 // (NZ,) eV
    T far;                            // Å, beyond every cutoff: where padding is put
};

// A structure with its neighbour list. Either positions (and shifts of periodic images), or difference vectors.
// The list may hold pairs beyond the cutoff. Atoms n_sites..n_atoms-1 (ghosts of a host code) carry no energy.
struct AtomsView {
    int n_sites, n_atoms;
    const std::int32_t* species;  // (n_atoms,)
    const std::int64_t* first;    // (n_sites + 1,)
    const std::int32_t* index;    // (n_pairs,)
    const double* positions;      // (n_atoms, 3) Å
    const double* cell;           // (3, 3) Å, rows; used with shift
    const std::int32_t* shift;    // (n_pairs, 3) or null: D = x[j] + shift @ cell - x[i]
    const double* vectors;        // (n_pairs, 3) Å or null: D given, positions unused
    const double* velocity = nullptr;     // (n_atoms, 3) or null; Jets only: the direction of the rates
    const double* strain_rate = nullptr;  // (3, 3) or null; Jets only: D changes by D @ strain_rate besides
};

// Sites of one centre species that are packed and grouped together: site_order[first .. first + count).
struct Window {
    int centre, first, count;
};

inline constexpr int window_sites = 64;

struct EvaluateStatus {
    enum Code : int { ok = 0, bad_index = 1, coincident = 2, not_finite = 3 };
    int code = ok;
    int i = -1, j = -1;   // atoms concerned
    double distance = 0;  // Å
};

// One thread's share of an evaluation.
struct EvaluateJob {
    AtomsView atoms;
    const double* padded_positions;  // (n_atoms, 4) Å, 64-byte aligned; null where the atoms bring vectors
    const std::int32_t* site_order;
    const Window* windows;
    int n_windows;
    double* site_energies;  // (n_sites,) eV
    double* forces;         // (n_atoms + 1, 3) eV/Å, added to; the last row takes padding. Null: energies only
    double virial[6];       // eV: xx yy zz yz xz xy, added to
    EvaluateStatus status;
};

// Sizes that a workspace must fit.
struct Capacity {
    int max_neighbours;  // of one site, in the list
    int n_rows, n_species, lmax, n_max;
};

template <class T>
struct EvaluateEntry {
    int lanes, row_bytes;
    std::size_t (*workspace_bytes)(const Capacity&);
    void (*run)(const ModelView<T>&, const Capacity&, EvaluateJob&, void* workspace);
};

struct EvaluateKernels {
    int max_run;  // longest run of a block that stays in registers
    EvaluateEntry<double> f64;
    EvaluateEntry<float> f32;
};

}  // namespace lacemaker
