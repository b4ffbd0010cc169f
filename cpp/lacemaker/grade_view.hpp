// What the grade kernels see: the site functions of each centre as sums of products of two nodes, and the inverse of the
// active set. Plain structs of pointers, shared by host and kernels.
#pragma once

#include "design_view.hpp"
#include "evaluator_view.hpp"

namespace lacemaker {

// Nodes: 0 is 1, then n_a A functions in the order of SpeciesRows, then n_species * n_pair sums of pair functions
// (species, n), then stored products.
struct GradeCentre {
    int n_a, n_nodes;
    int n_products;             // the last nodes
    const std::int32_t* left;   // (n_products,) factors
    const std::int32_t* right;
    DesignSums functions;       // B_k of the centre's active functions, norms folded in
    const double* inverse;      // (panels, n_functions, panel) inverse of the active set, in panels of columns; or null
};

struct GradeView {
    const ModelView<double>* model;  // rows, radial functions and reach; its weights mean nothing
    const GradeCentre* centres;      // (n_species,)
    Recursion<double> pair;
};

// One thread's share. grades and values may be null.
struct GradeJob {
    AtomsView atoms;
    const double* padded_positions;
    const std::int32_t* site_order;
    const Window* windows;
    int n_windows;
    double* grades;      // (n_sites,) max_k |(B A^-1)_k|
    double* values;      // (n_sites, stride) B, columns of the site's centre
    std::size_t stride;
    EvaluateStatus status;
};

struct GradeCapacity {
    Capacity base;
    int n_nodes, n_functions;  // largest of all centres
};

struct GradeKernels {
    int lanes;
    int panel;  // columns of the inverse that are worked on together
    std::size_t (*workspace_bytes)(const GradeCapacity&);
    void (*run)(const GradeView&, const GradeCapacity&, GradeJob&, void* workspace);
};

}  // namespace lacemaker
