// Packing: staged neighbours of W sites laid out in slots of W lanes.
//
// The W sites of a group are chosen to have similar numbers of neighbours, which keeps padding low. Each bucket
// (neighbour species; many-body or pair-only) gets slots of its own, so that a slot has one species in all lanes.
#pragma once

#include "neighbour_tables.hpp"
#include "staging.hpp"

LACEMAKER_KERNEL_BEGIN
// Orders the staged sites so that consecutive ones have similar neighbour counts. For one bucket that is a sort; for
// several, each group of W grows by the site that adds least padding.
LACEMAKER_NOINLINE inline void group_sites(const std::int32_t* count, const std::int32_t* first, int n_sites,
                                           int n_buckets, int width, int* order) {
    int used[window_sites];  // buckets that occur, not counted: at most 2 NZ, usually few
    int n_used = 0;
    for (int b = 0; b < n_buckets && n_used < window_sites; ++b)
        for (int k = 0; k < n_sites; ++k)
            if (count[k * n_buckets + b] > 0) {
                used[n_used++] = b;
                break;
            }
    for (int k = 0; k < n_sites; ++k) {  // insertion sort by total, largest first
        const int total = first[k + 1] - first[k];
        int at = k;
        for (; at > 0 && first[order[at - 1] + 1] - first[order[at - 1]] < total; --at) order[at] = order[at - 1];
        order[at] = k;
    }
    if (n_used < 2) return;
    for (int start = 0; start < n_sites; start += width) {
        int longest[window_sites] = {};
        for (int filled = start; filled < start + width && filled < n_sites; ++filled) {
            int best = filled, best_padding = 1 << 30;
            for (int k = filled; k < n_sites; ++k) {
                const std::int32_t* c = count + order[k] * n_buckets;
                int padding = 0;
                for (int u = 0; u < n_used; ++u) {
                    const int gap = c[used[u]] - longest[u];
                    padding += gap > 0 ? width * gap : -gap;
                }
                if (padding < best_padding) best = k, best_padding = padding;
            }
            const int chosen = order[best];
            for (int k = best; k > filled; --k) order[k] = order[k - 1];
            order[filled] = chosen;
            for (int u = 0; u < n_used; ++u) {
                const int n = count[chosen * n_buckets + used[u]];
                if (n > longest[u]) longest[u] = n;
            }
        }
    }
}

// Slots of one group of W sites; bucket b owns slots first[b] .. first[b + 1).
template <class V>
struct Group {
    Slot<V>* slots;
    std::int32_t* neighbour;  // (n_slots, W) atom behind each lane; padding: n_atoms
    std::int32_t* first;      // (n_buckets + 1,)
    std::int32_t* cursor;     // (n_buckets,) next free slot of the lane being filled

    void carve(Bump& memory, const Capacity& c) {
        const int buckets = 2 * c.n_species;
        // Lanes may differ in the buckets their neighbours fall into, but no more than there are lanes or buckets.
        const std::size_t n = std::size_t(buckets < lanes<V> ? buckets : lanes<V>) * c.max_neighbours + 1;
        slots = memory.take<Slot<V>>(n);
        neighbour = memory.take<std::int32_t>(n * lanes<V>);
        first = memory.take<std::int32_t>(buckets + 1);
        cursor = memory.take<std::int32_t>(buckets);
    }
};

// Lays the staged neighbours of `members` (n <= W sites) out in slots; missing neighbours are put at distance `far`.
template <class V>
LACEMAKER_NOINLINE void fill_group(const Stage& stage, int n_buckets, const int* members, int n, Lane<V> far,
                                   int padding_atom, bool uniform, const Group<V>& group) {
    using T = Lane<V>;
    constexpr int W = lanes<V>;
    constexpr int stride = int(sizeof(Slot<V>) / sizeof(T)), next = int(sizeof(V) / sizeof(T));  // next component
    group.first[0] = 0;
    for (int b = 0; b < n_buckets; ++b) {
        int most = 0;
        for (int w = 0; w < n; ++w) {
            const int c = stage.count[members[w] * n_buckets + b];
            most = c > most ? c : most;
        }
        group.first[b + 1] = group.first[b] + most;
    }
    const Quad padding{double(far), 0.0, 0.0, 0.0};
    T* const base = reinterpret_cast<T*>(group.slots);
    std::int32_t* const neighbour = group.neighbour;
    const auto put = [=](int slot, int w, const Quad& d, std::int32_t atom) {
        T* to = base + std::size_t(slot) * stride + w;
        to[0] = T(d[0]), to[next] = T(d[1]), to[2 * next] = T(d[2]);
        neighbour[slot * W + w] = atom;
    };
    for (int w = 0; w < W; ++w) {
        for (int b = 0; b < n_buckets; ++b) group.cursor[b] = group.first[b];
        const int begin = w < n ? stage.first[members[w]] : 0, end = w < n ? stage.first[members[w] + 1] : 0;
        if (uniform)
            for (int k = begin; k < end; ++k) put(k - begin, w, stage.d[k], stage.index[k]);
        else
            for (int k = begin; k < end; ++k) put(group.cursor[stage.bucket[k]]++, w, stage.d[k], stage.index[k]);
        if (uniform) group.cursor[0] = end - begin;
        for (int b = 0; b < n_buckets; ++b)
            for (int slot = group.cursor[b]; slot < group.first[b + 1]; ++slot) put(slot, w, padding, padding_atom);
    }
}

// The rates of the differences of a group of Jets, dD_ij = v_j - v_i + D_ij eps, behind the values that fill_group put;
// `sites` are the atoms of the n <= W lanes.
template <class V>
LACEMAKER_NOINLINE void fill_rates(const AtomsView& atoms, const std::int32_t* sites, int n, const Group<V>& group,
                                   int n_slots) {
    for (int slot = 0; slot < n_slots; ++slot) {
        Slot<V>& s = group.slots[slot];
        V* const component[3] = {&s.x, &s.y, &s.z};
        for (int w = 0; w < lanes<V>; ++w) {
            const int j = group.neighbour[slot * lanes<V> + w];
            const bool real = w < n && j < atoms.n_atoms;
            for (int a = 0; a < 3; ++a) {
                double rate = 0;
                if (real && atoms.velocity)
                    rate = atoms.velocity[3 * std::size_t(j) + a] - atoms.velocity[3 * std::size_t(sites[w]) + a];
                if (real && atoms.strain_rate)
                    for (int b = 0; b < 3; ++b) rate += double(component[b]->value[w]) * atoms.strain_rate[3 * b + a];
                component[a]->tangent[w] = Lane<V>(rate);
            }
        }
    }
}

LACEMAKER_KERNEL_END
