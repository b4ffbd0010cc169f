// What the kernels of tabulated radial functions and embedded densities see: plain structs, shared by host and kernels.
//
//     E_i = keep F(rho_1 .. rho_P) + core + E0,   rho_p = sum_terms w_p prod A,   core = sum_j V_core(r_ij)
//
// Every radial function is a piecewise polynomial in r of degree table_order - 1, so that any function of r, another
// one for every l if need be, is evaluated at the same cost.
#pragma once

#include "evaluator_view.hpp"

namespace lacemaker {

inline constexpr int table_order = 10;     // coefficients per function and bin
inline constexpr int table_padding = 8;    // functions per bin are padded to a multiple of it
inline constexpr int max_segments = 12;    // ranges of equal bins
inline constexpr int max_densities = 8;

// Functions of one (centre, neighbour) species pair. The last row of l = 0 is the core, where there is one; it is
// tabulated as r V_core(r).
struct RadialSplines {
    const double* coefficients;  // (n_bins + 1, table_order, stride); powers of t in [-1, 1]; the last bin is zero
    int n_functions, stride;
    int n_segments, zero_bin;
    double start[max_segments], bins_per_length[max_segments];  // Å, 1/Å
    int first_bin[max_segments], n_bins[max_segments];
    double end;                    // Å; zero from there on
    const int* first_function;     // (lmax + 1,) of each l
    bool has_core;
    double inner, inner_width;     // Å; used with NearestSwitch
};

// F(rho) = sum_p weight_p f(rho_p; exponent_p), faded out while core grows from limit - width to limit.
struct EmbeddingView {
    enum Kind : int { finnis_sinclair = 0, shifted_scaled = 1 };
    int kind, n_densities;
    const double *weight, *exponent;  // (n_densities,)
    double core_limit, core_width;    // eV
};

struct TabulatedView {
    int n_densities;
    const ModelView<double>* densities;  // (n_densities,) equal rows, radial functions unused
    const RadialSplines* splines;        // (NZ, NZ)
    const EmbeddingView* embeddings;     // (NZ,)
    bool nearest_switch;                 // the neighbour deepest inside its inner cutoff turns F into the core
};

struct TabulatedCapacity : Capacity {
    int n_densities = 1, n_functions = 1;
};

struct TabulatedKernels {
    int lanes, max_run;
    std::size_t (*workspace_bytes)(const TabulatedCapacity&);
    void (*run)(const TabulatedView&, const TabulatedCapacity&, EvaluateJob&, void* workspace);
};

}  // namespace lacemaker
