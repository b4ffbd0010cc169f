// Staging: the neighbours within reach of a window of up to 64 sites of one centre species.
//
// Differences D_ij are formed in double precision from positions and shifts (or taken as given); pairs beyond the
// cutoff of their species pair are dropped, so the list may carry a skin. Entries keep the order of the list.
#pragma once

#include "evaluator_view.hpp"
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

// x, y, z and an idle lane: one difference vector in one register, whatever the kernel's own lanes.
typedef double Quad __attribute__((vector_size(32)));

// Neighbours within reach of the sites of a window, one run of entries per site.
struct Stage {
    Quad* d;               // D, Å
    std::int32_t* index;   // neighbour atom
    std::int32_t* bucket;  // 2 species + (1 if beyond the many-body cutoff)
    std::int32_t* count;   // (window_sites, n_buckets) neighbours per bucket
    std::int32_t* first;   // (window_sites + 1,)

    void carve(Bump& memory, const Capacity& c) {
        const std::size_t n = std::size_t(window_sites) * c.max_neighbours + 1;
        d = memory.take<Quad>(n);
        index = memory.take<std::int32_t>(n), bucket = memory.take<std::int32_t>(n);
        count = memory.take<std::int32_t>(std::size_t(window_sites) * 2 * c.n_species);
        first = memory.take<std::int32_t>(window_sites + 1);
    }
};

// How the difference vectors are given.
enum class Differences { vectors, positions, positions_and_shifts };

// D_ij of pairs of one site.
template <Differences kind>
struct DifferenceReader {
    const double* vectors;
    const Quad* positions;  // (n_atoms,)
    const std::int32_t* shift;
    Quad site, cell[3];

    DifferenceReader(const AtomsView& a, const double* padded_positions, int i)
        : vectors(a.vectors), positions(reinterpret_cast<const Quad*>(padded_positions)), shift(a.shift) {
        if constexpr (kind != Differences::vectors) site = positions[i];
        if constexpr (kind == Differences::positions_and_shifts)
            for (int k = 0; k < 3; ++k) cell[k] = Quad{a.cell[3 * k], a.cell[3 * k + 1], a.cell[3 * k + 2], 0.0};
    }

    LACEMAKER_INLINE Quad operator()(std::int64_t pair, int j) const {
        if constexpr (kind == Differences::vectors) {
            return Quad{vectors[3 * pair], vectors[3 * pair + 1], vectors[3 * pair + 2], 0.0};
        } else {
            Quad d = positions[j] - site;
            if constexpr (kind == Differences::positions_and_shifts)
                for (int k = 0; k < 3; ++k) d += double(shift[3 * pair + k]) * cell[k];
            return d;
        }
    }
};

LACEMAKER_INLINE double length_squared(const Quad& d) {
    const Quad s = d * d;
    return s[0] + s[1] + s[2];
}

// Why staging failed: an index that does not exist, or a pair at (nearly) no distance.
template <Differences kind>
LACEMAKER_NOINLINE EvaluateStatus explain_pair(const AtomsView& a, const double* padded_positions, int site) {
    const DifferenceReader<kind> difference(a, padded_positions, site);
    for (std::int64_t pair = a.first[site]; pair < a.first[site + 1]; ++pair) {
        const int j = a.index[pair];
        if (static_cast<unsigned>(j) >= static_cast<unsigned>(a.n_atoms))
            return {EvaluateStatus::bad_index, site, j, 0};
        const double r2 = length_squared(difference(pair, j));
        if (!(r2 > coincidence_distance * coincidence_distance))
            return {EvaluateStatus::coincident, site, j, scalar_sqrt(r2)};
    }
    return {};
}

// Stages one site from entry n on; returns the entry behind its last neighbour, or -1 for a bad pair. Every pair is
// written and kept by counting it: a branch on the distance would be mispredicted for the pairs in the skin.
// `uniform`: all neighbours belong to one bucket.
template <class T, Differences kind, bool uniform>
LACEMAKER_INLINE int stage_site(const ModelView<T>& model, const AtomsView& a, const double* padded_positions, int site,
                                const Stage& stage, int n) {
    const DifferenceReader<kind> difference(a, padded_positions, site);
    const std::size_t row = std::size_t(a.species[site]) * model.n_species;
    const double *const reach = model.cutoff_squared + row, *const mb_reach = model.mb_cutoff_squared + row;
    const double only_reach = reach[0];
    const std::int32_t *const list = a.index, *const species_of = a.species;
    Quad* const to = stage.d;
    std::int32_t *const index = stage.index, *const bucket = stage.bucket;
    const unsigned n_atoms = static_cast<unsigned>(a.n_atoms);
    double nearest = 1.0;
    for (std::int64_t pair = a.first[site], last = a.first[site + 1]; pair < last; ++pair) {
        const int j = list[pair];
        if (static_cast<unsigned>(j) >= n_atoms) return -1;
        const Quad d = difference(pair, j);
        const double r2 = length_squared(d);
        to[n] = d;
        index[n] = j;
        nearest = nearest < r2 ? nearest : r2;
        if constexpr (uniform) {
            n += r2 < only_reach;
        } else {
            const int species = species_of[j];
            bucket[n] = 2 * species + (r2 >= mb_reach[species]);
            n += r2 < reach[species];
        }
    }
    return nearest > coincidence_distance * coincidence_distance ? n : -1;
}

template <class T, Differences kind, bool uniform>
LACEMAKER_NOINLINE void stage_window(const ModelView<T>& model, const AtomsView& a, const double* padded_positions,
                                     const std::int32_t* sites, int n_sites, const Stage& stage,
                                     EvaluateStatus& status) {
    const int n_buckets = 2 * model.n_species;
    int n = 0;
    for (int k = 0; k < n_sites; ++k) {
        const int begin = n;
        n = stage_site<T, kind, uniform>(model, a, padded_positions, sites[k], stage, n);
        if (n < 0) {
            status = explain_pair<kind>(a, padded_positions, sites[k]);
            return;
        }
        stage.first[k] = begin;
        stage.first[k + 1] = n;
        std::int32_t* count = stage.count + k * n_buckets;
        for (int b = 0; b < n_buckets; ++b) count[b] = 0;
        if (uniform)
            count[0] = n - begin;
        else
            for (int i = begin; i < n; ++i) ++count[stage.bucket[i]];
    }
}

LACEMAKER_KERNEL_END
