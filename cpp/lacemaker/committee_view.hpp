// What the committee kernels see: several models that differ in their weights alone, and where results go.
#pragma once

#include "evaluator_view.hpp"

namespace lacemaker {

// Members share structure (rows, blocks, radial functions); member 0 lends it.
template <class T>
struct CommitteeView {
    int n_members;
    const ModelView<T>* members;  // (n_members,)
};

// One thread's share.
struct CommitteeJob {
    AtomsView atoms;
    const double* padded_positions;  // (n_atoms, 4) Å
    const std::int32_t* site_order;
    const Window* windows;
    int n_windows;
    double* energies;  // (n_members, n_atoms + 1) eV, set at the sites
    double* forces;    // (n_members, n_atoms + 1, 3) eV/Å, added to; the last row of each takes padding
    double* virials;   // (n_members, 6) eV, added to
    EvaluateStatus status;
};

template <class T>
struct CommitteeEntry {
    int lanes;
    std::size_t (*workspace_bytes)(const Capacity&, int n_members);
    void (*run)(const CommitteeView<T>&, const Capacity&, CommitteeJob&, void* workspace);
};

struct CommitteeKernels {
    CommitteeEntry<double> f64;
    CommitteeEntry<float> f32;
};

}  // namespace lacemaker
