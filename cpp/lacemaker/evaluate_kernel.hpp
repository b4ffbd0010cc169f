// Energies, forces and virials of a range of windows: the loop that ties the stages together.
//
//     for each window:  stage neighbours, group sites
//       for each group of W sites:  slots -> geometry + pair -> forward (A) -> product (E, dE/dA) -> reverse -> scatter
//
//     f_i += dE/dD_ij,  f_j -= dE/dD_ij,  W_ab -= sum_ij (dE/dD_ij)_a D_b (symmetric part)
//
// Per-site energies do not depend on how windows are shared among threads; forces and virials are sums over sites, so
// their last digits depend on the number of threads, and on nothing else.
#pragma once

#include "forward_kernel.hpp"
#include "geometry.hpp"
#include "jet.hpp"
#include "packing.hpp"
#include "product_kernel.hpp"
#include "reverse_kernel.hpp"
#include "staging.hpp"

LACEMAKER_KERNEL_BEGIN

// Neighbours worked on at once. More registers allow longer blocks.
template <class V>
inline constexpr bool wide = lanes<V> * sizeof(Lane<V>) >= 64;
template <class V>
inline constexpr int forward_block = (wide<V> ? 6 : 4) / (is_jet<V> ? 2 : 1);
template <class V>
inline constexpr int reverse_block = (wide<V> ? 4 : 2) / (is_jet<V> ? 2 : 1);
template <class V>
inline constexpr int longest_run = wide<V> && !is_jet<V> ? 6 : 3;

template <class V>
struct Workspace {
    Stage stage;
    Group<V> group;
    NeighbourScratch<V> scratch;
    V *X, *dX;  // (n_rows + 1,) rows of the program and their adjoints
    int* order;

    Workspace(void* memory, const Capacity& c) { carve(memory, c); }

    std::size_t carve(void* base, const Capacity& c) {
        Bump memory{static_cast<char*>(base)};
        X = memory.take<V>(c.n_rows + 1), dX = memory.take<V>(c.n_rows + 1);
        scratch.carve(memory, c.n_max, c.lmax, forward_block<V>);
        order = memory.take<int>(window_sites);
        group.carve(memory, c);
        stage.carve(memory, c);
        return memory.used;
    }
};

template <class V>
std::size_t workspace_bytes(const Capacity& c) {
    Workspace<V> none(nullptr, c);
    return none.carve(nullptr, c);
}

template <class V, int NB>
LACEMAKER_INLINE void forward_bucket(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots,
                                     int n, V* A, const NeighbourScratch<V>& s) {
    for (; n >= NB; n -= NB, slots += NB) forward<V, NB>(model, rows, slots, A, s);
    if constexpr (NB > 1) {
        if (n > 0) forward_bucket<V, (NB > 4 ? 4 : NB / 2)>(model, rows, slots, n, A, s);
    }
}

// Adds the forces and virial of one block of slots.
template <class V>
LACEMAKER_INLINE void scatter(const Slot<V>* slots, const V* gradient, const std::int32_t* neighbour, int n,
                              double* forces, V* own, V* virial) {
    using T = Lane<V>;
    constexpr int W = lanes<V>;
    for (int b = 0; b < n; ++b) {
        const V *g = gradient + 3 * b, r = T(1) / slots[b].inverse_r;
        const V x = slots[b].x * r, y = slots[b].y * r, z = slots[b].z * r;
        virial[0] -= g[0] * x;
        virial[1] -= g[1] * y;
        virial[2] -= g[2] * z;
        virial[3] -= g[1] * z + g[2] * y;
        virial[4] -= g[0] * z + g[2] * x;
        virial[5] -= g[0] * y + g[1] * x;
        for (int axis = 0; axis < 3; ++axis) own[axis] += g[axis];
        for (int w = 0; w < W; ++w) {
            double* f = forces + 3 * std::size_t(neighbour[b * W + w]);
            f[0] -= result_lane(g[0], w);
            f[1] -= result_lane(g[1], w);
            f[2] -= result_lane(g[2], w);
        }
    }
}

template <class V, int NB>
LACEMAKER_INLINE void reverse_bucket(const ModelView<Lane<V>>& model, const SpeciesRows& rows, const Slot<V>* slots,
                                     const std::int32_t* neighbour, int n, const V* dA, const NeighbourScratch<V>& s,
                                     double* forces, V* own, V* virial) {
    V gradient[3 * NB];
    for (; n >= NB; n -= NB, slots += NB, neighbour += NB * lanes<V>) {
        reverse<V, NB>(model, rows, slots, dA, s, gradient);
        scatter(slots, gradient, neighbour, NB, forces, own, virial);
    }
    if constexpr (NB > 1) {
        if (n > 0) reverse_bucket<V, NB - 1>(model, rows, slots, neighbour, n, dA, s, forces, own, virial);
    }
}

// Slots that feel pair terms only: dE/dD = rhat V'(r).
template <class V>
LACEMAKER_NOINLINE void reverse_pair_only(const Slot<V>* slots, const std::int32_t* neighbour, int n, double* forces,
                                          V* own, V* virial) {
    for (int k = 0; k < n; ++k) {
        const Slot<V>& s = slots[k];
        const V gradient[3] = {s.x * s.pair_slope, s.y * s.pair_slope, s.z * s.pair_slope};
        scatter(slots + k, gradient, neighbour + k * lanes<V>, 1, forces, own, virial);
    }
}

template <class V>
LACEMAKER_NOINLINE void group_forces(const ModelView<Lane<V>>& model, const ProgramView<Lane<V>>& program,
                                     const std::int32_t* sites, int n, Workspace<V>& w, EvaluateJob& job) {
    V own[3] = {V{}, V{}, V{}}, virial[6] = {V{}, V{}, V{}, V{}, V{}, V{}};
    const SpeciesRows* rows = program.species_rows;
    for (int b = 0; b < 2 * model.n_species; ++b) {
        const int first = w.group.first[b], count = w.group.first[b + 1] - first;
        if (count == 0) continue;
        const Slot<V>* slots = w.group.slots + first;
        const std::int32_t* neighbour = w.group.neighbour + first * lanes<V>;
        if (b % 2 == 1) {
            reverse_pair_only(slots, neighbour, count, job.forces, own, virial);
            continue;
        }
        while (rows->species < b / 2) ++rows;
        reverse_bucket<V, reverse_block<V>>(model, *rows, slots, neighbour, count, w.dX + rows->first_row, w.scratch,
                                            job.forces, own, virial);
    }
    for (int k = 0; k < n; ++k)
        for (int axis = 0; axis < 3; ++axis) job.forces[3 * std::size_t(sites[k]) + axis] += result_lane(own[axis], k);
    for (int k = 0; k < 6; ++k) job.virial[k] += (k < 3 ? 1.0 : 0.5) * horizontal_sum(virial[k]);
}

// One group: n <= W sites of centre species `centre`, members[k] = their places in the window.
template <class V>
LACEMAKER_NOINLINE void evaluate_group(const ModelView<Lane<V>>& model, int centre, const std::int32_t* window_first,
                                       const int* members, int n, Workspace<V>& w, EvaluateJob& job) {
    const ProgramView<Lane<V>>& program = model.programs[centre];
    fill_group<V>(w.stage, 2 * model.n_species, members, n, model.far, job.atoms.n_atoms, one_bucket(model), w.group);
    std::int32_t sites[lanes<V>];
    for (int k = 0; k < n; ++k) sites[k] = window_first[members[k]];
    if constexpr (is_jet<V>) fill_rates<V>(job.atoms, sites, n, w.group, w.group.first[2 * model.n_species]);
    V energy = V{};
    for (int r = 0; r < program.n_a; ++r) w.X[r] = V{};
    const SpeciesRows* rows = program.species_rows;
    for (int b = 0; b < 2 * model.n_species; ++b) {
        const int first = w.group.first[b], count = w.group.first[b + 1] - first;
        if (count == 0) continue;
        const int k = centre * model.n_species + b / 2;
        const PairTerms<Lane<V>> terms{model.many_body + k, model.has_pair[k] ? model.pair + k : nullptr,
                                       model.pair_chebyshev + std::size_t(k) * model.n_pair, model.n_pair,
                                       model.zbl + k};
        energy += fill_bucket(terms, w.group.slots + first, count);
        if (b % 2 == 1) continue;
        while (rows->species < b / 2) ++rows;
        forward_bucket<V, forward_block<V>>(model, *rows, w.group.slots + first, count, w.X + rows->first_row,
                                            w.scratch);
    }
    energy += product<V, longest_run<V>>(program, w.X, w.dX);
    for (int k = 0; k < n; ++k) {
        job.site_energies[sites[k]] = double(result_lane(energy, k)) + (is_jet<V> ? 0.0 : model.e0[centre]);
        if (!(__builtin_fabs(job.site_energies[sites[k]]) < __builtin_inf()))
            job.status = {EvaluateStatus::not_finite, sites[k], -1, 0};
    }
    if (job.forces) group_forces(model, program, sites, n, w, job);
}

// One species, and no pair terms that reach beyond the many-body cutoff: all neighbours are of one kind.
template <class T>
LACEMAKER_INLINE bool one_bucket(const ModelView<T>& model) {
    return model.n_species == 1 && model.cutoff_squared[0] == model.mb_cutoff_squared[0];
}

template <class T>
LACEMAKER_INLINE void stage(const ModelView<T>& model, const EvaluateJob& job, const std::int32_t* sites, int n,
                            const Stage& to, EvaluateStatus& status) {
    using D = Differences;
    const AtomsView& a = job.atoms;
    const double* x = job.padded_positions;
    const bool uniform = one_bucket(model);
    if (a.vectors)
        uniform ? stage_window<T, D::vectors, true>(model, a, x, sites, n, to, status)
                : stage_window<T, D::vectors, false>(model, a, x, sites, n, to, status);
    else if (a.shift)
        uniform ? stage_window<T, D::positions_and_shifts, true>(model, a, x, sites, n, to, status)
                : stage_window<T, D::positions_and_shifts, false>(model, a, x, sites, n, to, status);
    else
        uniform ? stage_window<T, D::positions, true>(model, a, x, sites, n, to, status)
                : stage_window<T, D::positions, false>(model, a, x, sites, n, to, status);
}

template <class V>
void evaluate_windows(const ModelView<Lane<V>>& model, const Capacity& capacity, EvaluateJob& job, void* memory) {
    using T = Lane<V>;
    constexpr int W = lanes<V>;
    Workspace<V> w(memory, capacity);
    for (int k = 0; k < job.n_windows && job.status.code == EvaluateStatus::ok; ++k) {
        const Window& window = job.windows[k];
        const std::int32_t* sites = job.site_order + window.first;
        stage<T>(model, job, sites, window.count, w.stage, job.status);
        if (job.status.code != EvaluateStatus::ok) return;
        group_sites(w.stage.count, w.stage.first, window.count, 2 * model.n_species, W, w.order);
        for (int at = 0; at < window.count; at += W)
            evaluate_group<V>(model, window.centre, sites, w.order + at, window.count - at < W ? window.count - at : W,
                              w, job);
    }
}

// What a kernel unit exports.
template <class T>
constexpr EvaluateEntry<T> evaluate_entry() {
    using V = Vec<T, native_lanes<T>>;
    return {lanes<V>, sizeof(V), &workspace_bytes<V>, &evaluate_windows<V>};
}

// The same arithmetic on Jets: energies, forces and virial are replaced by their rates along the atoms' direction.
template <class T>
constexpr EvaluateEntry<T> rates_entry() {
    using V = Jet<Vec<T, native_lanes<T>>>;
    return {lanes<V>, sizeof(V), &workspace_bytes<V>, &evaluate_windows<V>};
}

LACEMAKER_KERNEL_END
