// Lists of chosen sites of a host code (LAMMPS), in windows of one species, free of their skin. Host code.
//
// A host code has one list per site, ghosts, and atoms that are not ours (species -1: neither sites nor neighbours).
// Sites are cut into windows of one species in the host's order; one window at a time, its lists are rid of the skin
// and become difference vectors, which stay in the cache. Shared by all that evaluates on such lists: energies and
// forces (site_evaluator.hpp), committees and grades (site_uncertainty.hpp). No allocation once sizes have settled.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "evaluator_view.hpp"

namespace lacemaker {

// Arrays of the host, untouched.
struct HostAtoms {
    int n_atoms;                     // with ghosts
    const double* positions;         // (n_atoms, 3) Å
    const std::int32_t* species;     // (n_atoms,), -1: not ours
    int n_sites;
    const int* sites;                // (n_sites,) atoms to evaluate, each once
    const int* counts;               // by atom: length of its list
    const int* const* neighbours;    // by atom: its list
    int mask;                        // applied to entries of the lists
};

class SiteWindows {
public:
    std::vector<Window> windows;
    std::vector<std::int32_t> order;     // sites by species
    std::vector<std::int32_t> list;      // neighbours of one window
    std::vector<double> vectors;         // their differences, Å
    std::int64_t first[window_sites + 1];  // where each site's neighbours begin in `list`

    SiteWindows(int n_species, const double* cutoff_squared)
        : n_species_(n_species), reach_squared_(*std::max_element(cutoff_squared, cutoff_squared + n_species * n_species)) {}

    // Windows of up to window_sites sites of one species, in the host's order; room for the longest list.
    void begin(const HostAtoms& atoms) {
        std::vector<std::int32_t> start(n_species_ + 1, 0);
        for (int k = 0; k < atoms.n_sites; ++k)
            if (const int z = atoms.species[atoms.sites[k]]; z >= 0) ++start[z + 1];
        for (int z = 0; z < n_species_; ++z) start[z + 1] += start[z];
        order.resize(start[n_species_]);
        windows.clear();
        for (int z = 0; z < n_species_; ++z)
            for (int at = start[z]; at < start[z + 1]; at += window_sites)
                windows.push_back({z, at, std::min(window_sites, start[z + 1] - at)});
        most_listed_ = 0;
        for (int k = 0; k < atoms.n_sites; ++k) {
            const int site = atoms.sites[k];
            if (atoms.species[site] < 0) continue;
            order[start[atoms.species[site]]++] = site;
            most_listed_ = std::max(most_listed_, atoms.counts[site]);
        }
        for (const Window& w : windows)  // view() relies on ascending sites; hosts list them so
            if (!std::is_sorted(&order[w.first], &order[w.first] + w.count))
                std::sort(&order[w.first], &order[w.first] + w.count);
    }

    // Neighbours of one window that are within the largest cutoff: differences and atoms, list after list. Returns the
    // length of the longest list.
    int gather(const HostAtoms& atoms, const Window& window) {
        const std::size_t most = std::size_t(window.count) * most_listed_ + 1;
        if (list.size() < most) list.resize(most), vectors.resize(3 * most);
        const double* const x = atoms.positions;
        const std::int32_t* const species = atoms.species;
        std::int32_t* const to_list = list.data();
        double* const to_vectors = vectors.data();
        const double reach = reach_squared_;
        const int mask = atoms.mask;
        std::int64_t kept = 0;
        int longest = 0;
        first[0] = 0;
        for (int k = 0; k < window.count; ++k) {
            const int site = order[window.first + k], n = atoms.counts[site];
            const int* const from = atoms.neighbours[site];
            const double xi[3] = {x[3 * std::size_t(site)], x[3 * std::size_t(site) + 1], x[3 * std::size_t(site) + 2]};
            for (int p = 0; p < n; ++p) {  // written always, kept by counting: the skin would be mispredicted
                const int j = from[p] & mask;
                const double *xj = x + 3 * std::size_t(j), dx = xj[0] - xi[0], dy = xj[1] - xi[1], dz = xj[2] - xi[2];
                double* d = to_vectors + 3 * kept;
                d[0] = dx, d[1] = dy, d[2] = dz;
                to_list[kept] = j;
                kept += !(dx * dx + dy * dy + dz * dz >= reach) & (species[j] >= 0);  // keeps NaN, which the kernel reports
            }
            first[k + 1] = kept;
            longest = std::max(longest, int(kept - first[k]));
        }
        return longest;
    }

    // The window just gathered, under the host's numbers of atoms.
    AtomsView view(const HostAtoms& atoms, const Window& window) {
        by_atom_.resize(std::size_t(atoms.n_atoms) + 1);
        for (int k = 0; k < window.count; ++k) {  // ascending sites: the end of one may be the beginning of the next
            const int site = order[window.first + k];
            by_atom_[site] = first[k];
            by_atom_[site + 1] = first[k + 1];
        }
        return {atoms.n_atoms, atoms.n_atoms, atoms.species, by_atom_.data(), list.data(), nullptr, nullptr, nullptr,
                vectors.data()};
    }

    std::size_t bytes() const {
        return 4 * (order.capacity() + list.capacity()) + 8 * (by_atom_.capacity() + vectors.capacity());
    }

private:
    int n_species_;
    double reach_squared_;               // Å^2, of the largest cutoff
    int most_listed_ = 0;
    std::vector<std::int64_t> by_atom_;  // where an atom's neighbours begin
};

}  // namespace lacemaker
