// Energies, forces and virials with tabulated radial functions and embedded densities (.yace files).
//
//   for each group of W sites:  tables -> A -> densities rho_p and d rho_p/dA -> F, dF/drho, core -> reverse -> scatter
//
// The stages are those of evaluate_kernel.hpp; what differs is the radial part, which may depend on l, and that dE/dA
// is put together from the densities once the embedding is known: dE/dA = sum_p dF/drho_p drho_p/dA. Pair energies and
// the core are A functions with l = 0 of their own radial function, so the reverse pass needs no special case.
#pragma once

#include "embedding.hpp"
#include "evaluate_kernel.hpp"
#include "tabulated_radial.hpp"

LACEMAKER_KERNEL_BEGIN

template <class V>
struct TabulatedWorkspace {
    Stage stage;
    Group<V> group;
    NeighbourScratch<V> scratch;
    V *X, *dX;  // (n_rows + 1,), (n_densities, n_rows + 1)
    int* order;
    std::size_t stride;  // of dX

    TabulatedWorkspace(void* memory, const TabulatedCapacity& c) { carve(memory, c); }

    std::size_t carve(void* base, const TabulatedCapacity& c) {
        Bump memory{static_cast<char*>(base)};
        stride = c.n_rows + 1;
        X = memory.take<V>(stride), dX = memory.take<V>(stride * c.n_densities);
        scratch.carve(memory, c.n_functions + lanes<V>, c.lmax, reverse_block<V>);
        order = memory.take<int>(window_sites);
        group.carve(memory, c);
        stage.carve(memory, c);
        return memory.used;
    }
};

template <class V>
std::size_t tabulated_bytes(const TabulatedCapacity& c) {
    TabulatedWorkspace<V> none(nullptr, c);
    return none.carve(nullptr, c);
}

// Slots from D to unit vectors, 1/r, and r in t.
template <class V>
LACEMAKER_NOINLINE void fill_distances(Slot<V>* slots, int n) {
    for (int k = 0; k < n; ++k) {
        Slot<V>& s = slots[k];
        s.t = square_root(s.x * s.x + s.y * s.y + s.z * s.z);
        s.inverse_r = Lane<V>(1) / s.t;
        s.x *= s.inverse_r, s.y *= s.inverse_r, s.z *= s.inverse_r;
        s.pair_slope = V{};
    }
}

template <class V, int NB>
LACEMAKER_NOINLINE void forward_block_tabulated(const ModelView<double>& model, const RadialSplines& k,
                                                const SpeciesRows& rows, const Slot<V>* slots, V* A,
                                                const NeighbourScratch<V>& s) {
    fill_tabulated<V, NB, false>(k, slots, s.R, s.D);
    if (k.has_core) divide_core<V, NB, false>(slots, s.R + core_function(k, rows) * NB, s.D);
    fill_angles<V, NB>(rows.lmax, model.harmonic_beta, slots, s);
    accumulate<V, NB, true>(rows, A, s);
}

template <class V, int NB>
LACEMAKER_INLINE void forward_tabulated(const ModelView<double>& model, const RadialSplines& k, const SpeciesRows& rows,
                                        const Slot<V>* slots, int n, V* A, const NeighbourScratch<V>& s) {
    for (; n >= NB; n -= NB, slots += NB) forward_block_tabulated<V, NB>(model, k, rows, slots, A, s);
    if constexpr (NB > 1) {
        if (n > 0) forward_tabulated<V, NB / 2>(model, k, rows, slots, n, A, s);
    }
}

template <class V, int NB>
LACEMAKER_NOINLINE void reverse_block_tabulated(const ModelView<double>& model, const RadialSplines& k,
                                                const SpeciesRows& rows, const Slot<V>* slots, const V* dA,
                                                const NeighbourScratch<V>& s, V* gradient) {
    fill_tabulated<V, NB, true>(k, slots, s.R, s.D);
    const int core = core_function(k, rows) * NB;
    if (k.has_core) divide_core<V, NB, true>(slots, s.R + core, s.D + core);
    fill_angles<V, NB>(rows.lmax, model.harmonic_beta, slots, s);
    contract<V, NB, true>(rows, slots, dA, s, gradient);
}

template <class V, int NB>
LACEMAKER_INLINE void reverse_tabulated(const ModelView<double>& model, const RadialSplines& k, const SpeciesRows& rows,
                                        const Slot<V>* slots, const std::int32_t* neighbour, int n, const V* dA,
                                        const NeighbourScratch<V>& s, double* forces, V* own, V* virial) {
    V gradient[3 * NB];
    for (; n >= NB; n -= NB, slots += NB, neighbour += NB * lanes<V>) {
        reverse_block_tabulated<V, NB>(model, k, rows, slots, dA, s, gradient);
        scatter(slots, gradient, neighbour, NB, forces, own, virial);
    }
    if constexpr (NB > 1) {
        if (n > 0) reverse_tabulated<V, NB / 2>(model, k, rows, slots, neighbour, n, dA, s, forces, own, virial);
    }
}

// Slots and rows of each neighbour species of a group in turn: body(splines, rows, first slot, number of slots).
template <class V, class Body>
LACEMAKER_INLINE void for_each_species(const TabulatedView& view, int centre, const Group<V>& group, Body&& body) {
    const int nz = view.densities[0].n_species;
    const SpeciesRows* rows = view.densities[0].programs[centre].species_rows;
    for (int z = 0; z < nz; ++z) {
        const int first = group.first[2 * z], n = group.first[2 * z + 1] - first;
        if (n == 0) continue;
        while (rows->species < z) ++rows;
        body(view.splines[centre * nz + z], *rows, first, n);
    }
}

// The neighbour of one lane that lies deepest inside its inner cutoff.
struct Deepest {
    int slot = -1;
    double depth = 1e300, width = 0;
};

template <class V>
LACEMAKER_NOINLINE Deepest deepest_neighbour(const TabulatedView& view, int centre, const Group<V>& group, int lane) {
    Deepest found;
    for_each_species<V>(view, centre, group, [&](const RadialSplines& k, const SpeciesRows&, int first, int n) {
        for (int slot = first; slot < first + n; ++slot) {
            const double r = group.slots[slot].t[lane], depth = r - k.inner + k.inner_width;
            if (r >= k.end) continue;
            if (depth < found.depth || (depth == found.depth && k.inner_width > found.width))
                found = {slot, depth, k.inner_width};
        }
    });
    return found;
}

// Site energies from densities and core (V each); on return rho holds dE/drho and core dE/dcore.
template <class V>
LACEMAKER_NOINLINE V embed_group(const TabulatedView& view, int centre, int n, const Group<V>& group, V* rho, V& core) {
    constexpr int W = lanes<V>;
    const EmbeddingView& embedding = view.embeddings[centre];
    V energy = V{};
    for (int w = 0; w < n; ++w) {
        double x[max_densities] = {}, slope[max_densities] = {};
        for (int p = 0; p < view.n_densities; ++p) x[p] = rho[p][w];
        const double value = embed(embedding, x, slope, 1), total = core[w];
        double keep, by_core = 1;
        if (view.nearest_switch) {
            const Deepest near = deepest_neighbour(view, centre, group, w);
            const Dual<double> off =
                near.slot < 0 ? Dual<double>{0.0, 0.0} : fade_out(near.depth, near.width, near.width);
            keep = 1 - off.value, by_core = off.value;
            energy[w] = value * keep + total * by_core;
            if (near.slot >= 0) group.slots[near.slot].pair_slope[w] += off.slope * (total - value);
        } else {
            const Dual<double> fade = fade_out(total, embedding.core_limit, embedding.core_width);
            keep = fade.value, by_core = 1 + value * fade.slope;
            energy[w] = value * keep + total;
        }
        for (int p = 0; p < view.n_densities; ++p) rho[p][w] = slope[p] * keep;
        core[w] = by_core;
    }
    for (int w = n; w < W; ++w) {
        for (int p = 0; p < view.n_densities; ++p) rho[p][w] = 0;
        core[w] = 0;
    }
    return energy;
}

// dE/dA into the first density's rows.
template <class V>
LACEMAKER_NOINLINE void combine_densities(const TabulatedView& view, int n_a, const V* by_rho, V* dX,
                                          std::size_t stride) {
    for (int r = 0; r < n_a; ++r) {
        V sum = by_rho[0] * dX[r];
        for (int p = 1; p < view.n_densities; ++p) sum += by_rho[p] * dX[p * stride + r];
        dX[r] = sum;
    }
}

template <class V>
LACEMAKER_NOINLINE void tabulated_forces(const TabulatedView& view, int centre, const std::int32_t* sites, int n,
                                         TabulatedWorkspace<V>& w, EvaluateJob& job) {
    V own[3] = {V{}, V{}, V{}}, virial[6] = {V{}, V{}, V{}, V{}, V{}, V{}};
    for_each_species<V>(view, centre, w.group, [&](const RadialSplines& k, const SpeciesRows& rows, int first, int m) {
        w.scratch.radial_of_l = k.first_function;
        reverse_tabulated<V, reverse_block<V>>(view.densities[0], k, rows, w.group.slots + first,
                                               w.group.neighbour + first * lanes<V>, m, w.dX + rows.first_row,
                                               w.scratch, job.forces, own, virial);
    });
    for (int k = 0; k < n; ++k)
        for (int axis = 0; axis < 3; ++axis) job.forces[3 * std::size_t(sites[k]) + axis] += own[axis][k];
    for (int k = 0; k < 6; ++k) job.virial[k] += (k < 3 ? 1.0 : 0.5) * horizontal_sum(virial[k]);
}

template <class V>
LACEMAKER_NOINLINE void tabulated_group(const TabulatedView& view, int centre, const std::int32_t* window_first,
                                        const int* members, int n, TabulatedWorkspace<V>& w, EvaluateJob& job) {
    const ModelView<double>& model = view.densities[0];
    const int n_a = model.programs[centre].n_a;
    fill_group<V>(w.stage, 2 * model.n_species, members, n, model.far, job.atoms.n_atoms, one_bucket(model), w.group);
    fill_distances(w.group.slots, w.group.first[2 * model.n_species]);
    for (int r = 0; r < n_a; ++r) w.X[r] = V{};
    V core = V{}, rho[max_densities];
    for_each_species<V>(view, centre, w.group, [&](const RadialSplines& k, const SpeciesRows& rows, int first, int m) {
        w.scratch.radial_of_l = k.first_function;
        V* A = w.X + rows.first_row;
        forward_tabulated<V, reverse_block<V>>(model, k, rows, w.group.slots + first, m, A, w.scratch);
        if (k.has_core) core += A[core_row(rows)];
    });
    for (int p = 0; p < view.n_densities; ++p)
        rho[p] = product<V, longest_run<V>>(view.densities[p].programs[centre], w.X, w.dX + p * w.stride);
    const V energy = embed_group(view, centre, n, w.group, rho, core);
    combine_densities(view, n_a, rho, w.dX, w.stride);
    for_each_species<V>(view, centre, w.group, [&](const RadialSplines& k, const SpeciesRows& rows, int, int) {
        if (k.has_core) w.dX[rows.first_row + core_row(rows)] = core;
    });
    std::int32_t sites[lanes<V>];
    for (int k = 0; k < n; ++k) {
        sites[k] = window_first[members[k]];
        job.site_energies[sites[k]] = energy[k] + model.e0[centre];
        if (!(__builtin_fabs(job.site_energies[sites[k]]) < __builtin_inf()))
            job.status = {EvaluateStatus::not_finite, sites[k], -1, 0};
    }
    if (job.forces) tabulated_forces(view, centre, sites, n, w, job);
}

template <class V>
void tabulated_windows(const TabulatedView& view, const TabulatedCapacity& capacity, EvaluateJob& job, void* memory) {
    constexpr int W = lanes<V>;
    const ModelView<double>& model = view.densities[0];
    TabulatedWorkspace<V> w(memory, capacity);
    for (int k = 0; k < job.n_windows && job.status.code == EvaluateStatus::ok; ++k) {
        const Window& window = job.windows[k];
        const std::int32_t* sites = job.site_order + window.first;
        stage<double>(model, job, sites, window.count, w.stage, job.status);
        if (job.status.code != EvaluateStatus::ok) return;
        group_sites(w.stage.count, w.stage.first, window.count, 2 * model.n_species, W, w.order);
        for (int at = 0; at < window.count; at += W)
            tabulated_group<V>(view, window.centre, sites, w.order + at, window.count - at < W ? window.count - at : W,
                               w, job);
    }
}

// What a kernel unit exports.
constexpr TabulatedKernels tabulated_kernels() {
#ifdef LACEMAKER_VECTOR_BYTES
    using V = Vec<double, native_lanes<double>>;
    return {lanes<V>, longest_run<V>, &tabulated_bytes<V>, &tabulated_windows<V>};
#else
    return {};
#endif
}

LACEMAKER_KERNEL_END
