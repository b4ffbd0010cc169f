// Packing: from neighbour lists to slots of W lanes.
//
// A window of up to 64 sites of one centre species is staged first: differences D_ij in double precision, pairs
// beyond their cutoff dropped (the list may carry a skin), the rest kept in the arithmetic of the kernel. The W
// sites of a group are then chosen to have similar numbers of neighbours, which keeps padding low, and their
// neighbours are laid out lane by lane, each bucket (neighbour species; many-body or pair-only) on its own slots.
#pragma once

#include "evaluator_view.hpp"
#include "neighbour_kernels.hpp"
#include "simd.hpp"

LACEMAKER_KERNEL_BEGIN

inline constexpr double coincidence_distance = 1e-6;  // Å, below it two atoms count as one

// Hands out aligned arrays from one block of memory; with base = null it only adds up the bytes.
struct Bump {
    char* base;
    std::size_t used = 0;
    template <class U>
    U* take(std::size_t n) {
        const std::size_t at = used;
        used += (n * sizeof(U) + 63) / 64 * 64;
        return base ? reinterpret_cast<U*>(base + at) : nullptr;
    }
};

// Neighbours within reach of the sites of a window, one run of entries per site.
template <class T>
struct Stage {
    T *x, *y, *z;             // D, Å
    std::int32_t* index;      // neighbour atom
    std::int32_t* bucket;     // 2 species + (1 if beyond the many-body cutoff)
    std::int32_t* count;      // (window_sites, n_buckets) neighbours per bucket
    std::int32_t* first;      // (window_sites + 1,)

    void carve(Bump& memory, const Capacity& c) {
        const std::size_t n = std::size_t(window_sites) * c.max_neighbours + 1;
        x = memory.take<T>(n), y = memory.take<T>(n), z = memory.take<T>(n);
        index = memory.take<std::int32_t>(n), bucket = memory.take<std::int32_t>(n);
        count = memory.take<std::int32_t>(std::size_t(window_sites) * 2 * c.n_species);
        first = memory.take<std::int32_t>(window_sites + 1);
    }
};

// How the difference vectors are given.
enum class Differences { vectors, positions, positions_and_shifts };

template <Differences kind>
LACEMAKER_INLINE void difference(const AtomsView& a, std::int64_t pair, int j, const double* xi, double* d) {
    if constexpr (kind == Differences::vectors) {
        for (int k = 0; k < 3; ++k) d[k] = a.vectors[3 * pair + k];
    } else {
        const double* xj = a.positions + 3 * std::size_t(j);
        for (int k = 0; k < 3; ++k) d[k] = xj[k] - xi[k];
        if constexpr (kind == Differences::positions_and_shifts) {
            const double s0 = a.shift[3 * pair], s1 = a.shift[3 * pair + 1], s2 = a.shift[3 * pair + 2];
            for (int k = 0; k < 3; ++k) d[k] += s0 * a.cell[k] + s1 * a.cell[3 + k] + s2 * a.cell[6 + k];
        }
    }
}

// Stages one site from entry `n` on; returns the entry behind its last neighbour.
template <class T, Differences kind>
LACEMAKER_INLINE int stage_site(const ModelView<T>& model, const AtomsView& a, int site, Stage<T>& stage, int n,
                                std::int32_t* count, EvaluateStatus& status) {
    const double* xi = kind == Differences::vectors ? nullptr : a.positions + 3 * std::size_t(site);
    const std::size_t row = std::size_t(a.species[site]) * model.n_species;
    const double *reach = model.cutoff_squared + row, *mb_reach = model.mb_cutoff_squared + row;
    for (std::int64_t pair = a.first[site]; pair < a.first[site + 1]; ++pair) {
        const int j = a.index[pair];
        if (static_cast<unsigned>(j) >= static_cast<unsigned>(a.n_atoms)) {
            status = {EvaluateStatus::bad_index, site, j, 0};
            return n;
        }
        double d[3];
        difference<kind>(a, pair, j, xi, d);
        const double r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
        const int species = a.species[j];
        if (r2 >= reach[species]) continue;
        if (!(r2 > coincidence_distance * coincidence_distance)) {
            status = {EvaluateStatus::coincident, site, j, scalar_sqrt(r2)};
            return n;
        }
        const int bucket = 2 * species + (r2 >= mb_reach[species]);
        stage.x[n] = T(d[0]), stage.y[n] = T(d[1]), stage.z[n] = T(d[2]);
        stage.index[n] = j;
        stage.bucket[n] = bucket;
        ++count[bucket];
        ++n;
    }
    return n;
}

template <class T, Differences kind>
LACEMAKER_NOINLINE void stage_window(const ModelView<T>& model, const AtomsView& a, const std::int32_t* sites, int n_sites,
                                     Stage<T>& stage, EvaluateStatus& status) {
    const int n_buckets = 2 * model.n_species;
    for (int k = 0; k < n_sites * n_buckets; ++k) stage.count[k] = 0;
    int n = 0;
    for (int k = 0; k < n_sites && status.code == EvaluateStatus::ok; ++k) {
        stage.first[k] = n;
        n = stage_site<T, kind>(model, a, sites[k], stage, n, stage.count + k * n_buckets, status);
        stage.first[k + 1] = n;
    }
}

// Orders the staged sites so that consecutive ones have similar neighbour counts. For one bucket that is a sort; for
// several, each group of W grows by the site that adds least padding.
LACEMAKER_NOINLINE inline void group_sites(const std::int32_t* count, const std::int32_t* first, int n_sites, int n_buckets,
                                           int width, int* order) {
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
LACEMAKER_NOINLINE void fill_group(const Stage<Lane<V>>& stage, int n_buckets, const int* members, int n, Lane<V> far,
                                   int padding_atom, Group<V>& group) {
    using T = Lane<V>;
    constexpr int W = lanes<V>;
    constexpr int stride = int(sizeof(Slot<V>) / sizeof(T));
    group.first[0] = 0;
    for (int b = 0; b < n_buckets; ++b) {
        int most = 0;
        for (int w = 0; w < n; ++w) {
            const int c = stage.count[members[w] * n_buckets + b];
            most = c > most ? c : most;
        }
        group.first[b + 1] = group.first[b] + most;
    }
    const auto put = [&](int slot, int w, T x, T y, T z, std::int32_t atom) {
        T* to = reinterpret_cast<T*>(group.slots) + std::size_t(slot) * stride + w;
        to[0] = x, to[W] = y, to[2 * W] = z;
        group.neighbour[slot * W + w] = atom;
    };
    for (int w = 0; w < W; ++w) {
        for (int b = 0; b < n_buckets; ++b) group.cursor[b] = group.first[b];
        if (w < n)
            for (int k = stage.first[members[w]]; k < stage.first[members[w] + 1]; ++k)
                put(group.cursor[stage.bucket[k]]++, w, stage.x[k], stage.y[k], stage.z[k], stage.index[k]);
        for (int b = 0; b < n_buckets; ++b)
            for (int slot = group.cursor[b]; slot < group.first[b + 1]; ++slot) put(slot, w, far, 0, 0, padding_atom);
    }
}

LACEMAKER_KERNEL_END
