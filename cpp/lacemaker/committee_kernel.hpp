// Energies, forces and virials of several coefficient vectors in one pass (posterior samples of a linear fit).
//
//     E^(c) = sum_t w_t^(c) prod A,   c = 1..n_members
//
// Neighbours, radial functions, harmonics and A are the same for all members and made once. Per member there remain the
// product stage (product_kernel.hpp) and, per neighbour, the contraction of dE/dA with tables that are already in L1.
// With one-body and ZBL energies common to all (members are deviations from the mean), a float32 member costs a quarter
// (319 functions of silicon) to a third (1041) of a float64 force call; what limits it is the number of FMAs. Fewer digits
// or fewer terms do not help: the functions' contributions to a deviation cancel (270-fold in forces at 1041 functions),
// so that leaving out the smallest fifth changes the standard deviation by half of itself.
#pragma once

#include "committee_view.hpp"
#include "evaluate_kernel.hpp"

LACEMAKER_KERNEL_BEGIN

// Pair radial part of one slot, common to all members.
template <class V>
struct PairSlot {
    V t, t_slope, env, env_slope;
};

template <class V>
struct CommitteeWorkspace {
    Stage stage;
    Group<V> group;
    NeighbourScratch<V> scratch;
    PairSlot<V>* pair;  // one per slot
    V *X, *dX;          // (n_rows + 1,), (n_members, n_rows + 1)
    V *own, *virial;    // (n_members, 3), (n_members, 6)
    V* energy;          // (n_members,)
    int* order;
    std::size_t stride;  // of dX, rows

    CommitteeWorkspace(void* memory, const Capacity& c, int n_members) { carve(memory, c, n_members); }

    std::size_t carve(void* base, const Capacity& c, int n_members) {
        Bump memory{static_cast<char*>(base)};
        constexpr int block = reverse_block<V> > forward_block<V> ? reverse_block<V> : forward_block<V>;
        const std::size_t buckets = 2 * c.n_species;
        stride = c.n_rows + 1;
        X = memory.take<V>(stride), dX = memory.take<V>(stride * n_members);
        own = memory.take<V>(3 * n_members), virial = memory.take<V>(6 * n_members);
        energy = memory.take<V>(n_members);
        scratch.carve(memory, c.n_max, c.lmax, block);
        pair = memory.take<PairSlot<V>>((buckets < std::size_t(lanes<V>) ? buckets : lanes<V>) * c.max_neighbours + 1);
        order = memory.take<int>(window_sites);
        group.carve(memory, c);
        stage.carve(memory, c);
        return memory.used;
    }
};

template <class V>
std::size_t committee_bytes(const Capacity& c, int n_members) {
    CommitteeWorkspace<V> none(nullptr, c, n_members);
    return none.carve(nullptr, c, n_members);
}

template <class V>
LACEMAKER_NOINLINE void fill_pair_slots(const RadialPair<Lane<V>>& k, const Slot<V>* slots, PairSlot<V>* out, int n) {
    for (int at = 0; at < n; ++at) {
        const V r = Lane<V>(1) / slots[at].inverse_r;
        const Dual<V> x = transform(k, r);
        const Dual<V> env = envelope(k, r, slots[at].inverse_r, x);
        out[at] = {x.value, x.slope, env.value, env.slope};
    }
}

// Pair energies of NB slots under one member; slope[b] = dV/dr.
template <class V, int NB>
LACEMAKER_INLINE V member_pair(const Lane<V>* chebyshev, int n_pair, const PairSlot<V>* pair, V* slope) {
    V t[NB], value[NB], d[NB], energy = V{};
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) t[b] = pair[b].t;
    clenshaw<V, NB>(chebyshev, n_pair, t, value, d);
    LACEMAKER_UNROLL
    for (int b = 0; b < NB; ++b) {
        energy += pair[b].env * value[b];
        slope[b] = pair[b].env_slope * value[b] + pair[b].env * d[b] * pair[b].t_slope;
    }
    return energy;
}

// dE/dD of NB slots for every member, from tables made once.
template <class V, int NB>
LACEMAKER_NOINLINE void reverse_members(const CommitteeView<Lane<V>>& committee, int k, const SpeciesRows& rows, Slot<V>* slots,
                                        const PairSlot<V>* pair, const std::int32_t* neighbour, CommitteeWorkspace<V>& w,
                                        CommitteeJob& job) {
    const ModelView<Lane<V>>& model = committee.members[0];
    if (model.recursion.symmetric)
        fill_radial_slopes<V, NB, true>(model.recursion, rows.n_max, slots, w.scratch.R, w.scratch.D);
    else
        fill_radial_slopes<V, NB, false>(model.recursion, rows.n_max, slots, w.scratch.R, w.scratch.D);
    fill_angles<V, NB>(rows.lmax, model.harmonic_beta, slots, w.scratch);
    const std::size_t row_stride = 3 * (std::size_t(job.atoms.n_atoms) + 1);
    for (int c = 0; c < committee.n_members; ++c) {
        V slope[NB];
        LACEMAKER_UNROLL
        for (int b = 0; b < NB; ++b) slope[b] = V{};
        if (model.has_pair[k])
            w.energy[c] += member_pair<V, NB>(committee.members[c].pair_chebyshev + std::size_t(k) * model.n_pair, model.n_pair,
                                              pair, slope);
        const V* dA = w.dX + c * w.stride + rows.first_row;
        SlotGradient<V, NB> g;
        contract_middle<V, NB>(rows, w.scratch, dA, g);
        constexpr int H = NB % 2 == 0 ? 2 : 1;
        for (int m = 1; m <= rows.lmax; ++m)
            for (int first = 0; first < NB; first += H) contract_channels<V, NB, H>(m, first, rows, w.scratch, dA, g);
        V gradient[3 * NB];
        for (int b = 0; b < NB; ++b) {
            const V x = slots[b].x, y = slots[b].y, z = slots[b].z, inverse_r = slots[b].inverse_r;
            const V radial = g.radial[b] + slope[b] - (g.x[b] * x + g.y[b] * y + g.z[b] * z) * inverse_r;
            gradient[3 * b] = x * radial + g.x[b] * inverse_r;
            gradient[3 * b + 1] = y * radial + g.y[b] * inverse_r;
            gradient[3 * b + 2] = z * radial + g.z[b] * inverse_r;
        }
        scatter(slots, gradient, neighbour, NB, job.forces + c * row_stride, w.own + 3 * c, w.virial + 6 * c);
    }
}

template <class V, int NB>
LACEMAKER_INLINE void reverse_members_bucket(const CommitteeView<Lane<V>>& committee, int k, const SpeciesRows& rows,
                                             Slot<V>* slots, const PairSlot<V>* pair, const std::int32_t* neighbour, int n,
                                             CommitteeWorkspace<V>& w, CommitteeJob& job) {
    for (; n >= NB; n -= NB, slots += NB, pair += NB, neighbour += NB * lanes<V>)
        reverse_members<V, NB>(committee, k, rows, slots, pair, neighbour, w, job);
    if constexpr (NB > 1) {
        if (n > 0) reverse_members_bucket<V, NB / 2>(committee, k, rows, slots, pair, neighbour, n, w, job);
    }
}

// Slots beyond the many-body cutoff.
template <class V>
LACEMAKER_NOINLINE void pair_only_members(const CommitteeView<Lane<V>>& committee, int k, Slot<V>* slots,
                                          const PairSlot<V>* pair, const std::int32_t* neighbour, int n,
                                          CommitteeWorkspace<V>& w, CommitteeJob& job) {
    const ModelView<Lane<V>>& model = committee.members[0];
    if (!model.has_pair[k]) return;
    const std::size_t row_stride = 3 * (std::size_t(job.atoms.n_atoms) + 1);
    for (int at = 0; at < n; ++at)
        for (int c = 0; c < committee.n_members; ++c) {
            V slope[1];
            w.energy[c] += member_pair<V, 1>(committee.members[c].pair_chebyshev + std::size_t(k) * model.n_pair, model.n_pair,
                                             pair + at, slope);
            const Slot<V>& s = slots[at];
            const V gradient[3] = {s.x * slope[0], s.y * slope[0], s.z * slope[0]};
            scatter(slots + at, gradient, neighbour + at * lanes<V>, 1, job.forces + c * row_stride, w.own + 3 * c,
                    w.virial + 6 * c);
        }
}

// Adds a group's sums to the results.
template <class V>
LACEMAKER_NOINLINE void collect_members(const CommitteeView<Lane<V>>& committee, int centre, const std::int32_t* sites, int n,
                                        CommitteeWorkspace<V>& w, CommitteeJob& job) {
    const std::size_t row_stride = 3 * (std::size_t(job.atoms.n_atoms) + 1);
    for (int c = 0; c < committee.n_members; ++c) {
        double *forces = job.forces + c * row_stride, *energies = job.energies + c * (row_stride / 3);
        for (int k = 0; k < n; ++k) {
            const double energy = double(w.energy[c][k]);
            energies[sites[k]] = energy + committee.members[c].e0[centre];
            if (!(__builtin_fabs(energy) < __builtin_inf())) job.status = {EvaluateStatus::not_finite, sites[k], -1, 0};
            for (int axis = 0; axis < 3; ++axis) forces[3 * std::size_t(sites[k]) + axis] += w.own[3 * c + axis][k];
        }
        for (int k = 0; k < 6; ++k) job.virials[6 * c + k] += (k < 3 ? 1.0 : 0.5) * horizontal_sum(w.virial[6 * c + k]);
    }
}

// One group of n <= W sites; compare evaluate_group.
template <class V>
LACEMAKER_NOINLINE void committee_group(const CommitteeView<Lane<V>>& committee, int centre, const std::int32_t* window_first,
                                        const int* members, int n, CommitteeWorkspace<V>& w, CommitteeJob& job) {
    using T = Lane<V>;
    const ModelView<T>& model = committee.members[0];
    const ProgramView<T>& program = model.programs[centre];
    const ZblPair no_zbl{0, 0, 0, 1};
    fill_group<V>(w.stage, 2 * model.n_species, members, n, model.far, job.atoms.n_atoms, one_bucket(model), w.group);
    for (int r = 0; r < program.n_a; ++r) w.X[r] = V{};
    const SpeciesRows* rows = program.species_rows;
    for (int b = 0; b < 2 * model.n_species; ++b) {
        const int first = w.group.first[b], count = w.group.first[b + 1] - first;
        if (count == 0) continue;
        const int k = centre * model.n_species + b / 2;
        const PairTerms<T> no_pair{model.many_body + k, nullptr, nullptr, 0, &no_zbl};
        fill_bucket(no_pair, w.group.slots + first, count);
        if (model.has_pair[k]) fill_pair_slots(model.pair[k], w.group.slots + first, w.pair + first, count);
        if (b % 2 == 1) continue;
        while (rows->species < b / 2) ++rows;
        forward_bucket<V, forward_block<V>>(model, *rows, w.group.slots + first, count, w.X + rows->first_row, w.scratch);
    }
    for (int c = 0; c < committee.n_members; ++c) {
        w.energy[c] = product<V, longest_run<V>>(committee.members[c].programs[centre], w.X, w.dX + c * w.stride);
        for (int k = 0; k < 3; ++k) w.own[3 * c + k] = V{};
        for (int k = 0; k < 6; ++k) w.virial[6 * c + k] = V{};
    }
    rows = program.species_rows;
    for (int b = 0; b < 2 * model.n_species; ++b) {
        const int first = w.group.first[b], count = w.group.first[b + 1] - first;
        if (count == 0) continue;
        const int k = centre * model.n_species + b / 2;
        const std::int32_t* neighbour = w.group.neighbour + first * lanes<V>;
        if (b % 2 == 1) {
            pair_only_members(committee, k, w.group.slots + first, w.pair + first, neighbour, count, w, job);
            continue;
        }
        while (rows->species < b / 2) ++rows;
        reverse_members_bucket<V, reverse_block<V>>(committee, k, *rows, w.group.slots + first, w.pair + first, neighbour,
                                                    count, w, job);
    }
    std::int32_t sites[lanes<V>];
    for (int k = 0; k < n; ++k) sites[k] = window_first[members[k]];
    collect_members(committee, centre, sites, n, w, job);
}

template <class V>
void committee_windows(const CommitteeView<Lane<V>>& committee, const Capacity& capacity, CommitteeJob& job, void* memory) {
    using T = Lane<V>;
    constexpr int W = lanes<V>;
    const ModelView<T>& model = committee.members[0];
    CommitteeWorkspace<V> w(memory, capacity, committee.n_members);
    EvaluateJob staging{};
    staging.atoms = job.atoms;
    staging.padded_positions = job.padded_positions;
    for (int k = 0; k < job.n_windows && job.status.code == EvaluateStatus::ok; ++k) {
        const Window& window = job.windows[k];
        const std::int32_t* sites = job.site_order + window.first;
        stage<T>(model, staging, sites, window.count, w.stage, job.status);
        if (job.status.code != EvaluateStatus::ok) return;
        group_sites(w.stage.count, w.stage.first, window.count, 2 * model.n_species, W, w.order);
        for (int at = 0; at < window.count; at += W)
            committee_group<V>(committee, window.centre, sites, w.order + at, window.count - at < W ? window.count - at : W, w,
                               job);
    }
}

template <class T>
constexpr CommitteeEntry<T> committee_entry() {
    using V = Vec<T, native_lanes<T>>;
    return {lanes<V>, &committee_bytes<V>, &committee_windows<V>};
}

LACEMAKER_KERNEL_END
