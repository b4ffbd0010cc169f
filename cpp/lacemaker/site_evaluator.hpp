// Chosen sites of a host code that keeps its own neighbour lists (LAMMPS): the same kernels, another packing policy.
//
//     SiteEvaluator e(potential.tables, potential.terms, choose_isa("auto"));
//     EvaluateStatus s = e.evaluate(atoms, energies, forces, virial);             // forces summed per atom
//     EvaluateStatus s = e.evaluate_pairs(atoms, energies, virial, visit);        // force of each site on each neighbour
//
// Evaluator (evaluator.hpp) owns threads and takes one contiguous list for all atoms. A host code has one list per site,
// ghosts, atoms that are not ours (species -1: neither sites nor neighbours), and parallelises by itself. Sites are cut
// into windows of one species in the host's order; the lists of one window at a time are made contiguous, which stays
// in the first-level cache and costs about one per cent. The kernels drop what lies in the skin. No allocation once sizes
// have settled. One object serves one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "evaluator.hpp"

namespace lacemaker {

// Arrays of the host, untouched.
struct HostAtoms {
    int n_atoms;                     // with ghosts
    const double* positions;         // (n_atoms, 3) Å
    const std::int32_t* species;     // (n_atoms,), -1: not ours
    int n_sites;
    const int* sites;                // (n_sites,) atoms to evaluate, ascending for speed
    const int* counts;               // by atom: length of its list
    const int* const* neighbours;    // by atom: its list
    int mask;                        // applied to entries of the lists
};

class SiteEvaluator {
public:
    SiteEvaluator(const Tables& tables, const ModelTerms& terms, Isa isa)
        : isa_(isa), kernel_(evaluate_kernels(isa).f64), n_species_(tables.n_species),
          model_((check(tables, terms), tables), terms, evaluate_kernels(isa).max_run,
                 evaluate_kernels(isa).f64.lanes * int(sizeof(double))) {}

    // energies: (n_atoms,) written at the sites; forces: (n_atoms + 1, 3) added to, the last row is scratch;
    // virial: (6,) added to, -dE/d(strain), xx yy zz yz xz xy.
    EvaluateStatus evaluate(const HostAtoms& atoms, double* energies, double* forces, double* virial) {
        begin(atoms);
        first_.resize(std::size_t(atoms.n_atoms) + 1);
        for (const Window& window : windows_) {
            list_.clear();
            for (int k = 0; k < window.count; ++k) {
                const int site = order_[window.first + k];
                first_[site] = std::int64_t(list_.size());
                append_list(atoms, site);
                first_[site + 1] = std::int64_t(list_.size());
            }
            EvaluateJob job{};
            job.atoms.n_sites = job.atoms.n_atoms = atoms.n_atoms;
            job.atoms.species = atoms.species;
            job.atoms.positions = atoms.positions;
            job.atoms.first = first_.data();
            job.atoms.index = list_.data();
            job.site_order = order_.data();
            job.windows = &window;
            job.site_energies = energies;
            job.forces = forces;
            run(job, virial);
            if (job.status.code != EvaluateStatus::ok) return job.status;
        }
        return {};
    }

    // visit(i, j, d, f): site i exerts f (eV/Å) on its neighbour j at d = x_j - x_i (Å), and -f acts on i itself. Every
    // neighbour gets a number of its own, so the kernel keeps their forces apart.
    template <class Visit>
    EvaluateStatus evaluate_pairs(const HostAtoms& atoms, double* energies, double* virial, Visit&& visit) {
        begin(atoms);
        for (const Window& window : windows_) {
            gather_pairs(atoms, window);
            const int n = window.count, n_all = n + int(list_.size());
            forces_.assign(3 * (std::size_t(n_all) + 1), 0.0);
            const Window local{window.centre, 0, n};
            EvaluateJob job{};
            job.atoms.n_sites = n;
            job.atoms.n_atoms = n_all;
            job.atoms.species = local_species_.data();
            job.atoms.first = first_.data();
            job.atoms.index = own_number_.data();
            job.atoms.vectors = vectors_.data();
            job.site_order = counting_.data();
            job.windows = &local;
            job.site_energies = local_energies_;
            job.forces = forces_.data();
            run(job, virial);
            EvaluateStatus& status = job.status;
            if (status.code != EvaluateStatus::ok) {
                if (status.j >= n) status.j = list_[status.j - n];
                status.i = order_[window.first + status.i];
                return status;
            }
            for (int k = 0; k < n; ++k) {
                const int site = order_[window.first + k];
                energies[site] = local_energies_[k];
                for (std::int64_t p = first_[k]; p < first_[k + 1]; ++p)
                    visit(site, int(list_[p]), vectors_.data() + 3 * p, forces_.data() + 3 * (n + p));
            }
        }
        return {};
    }

    Isa isa() const { return isa_; }
    int lanes() const { return kernel_.lanes; }

    // What this object holds, in bytes.
    std::size_t bytes() const {
        return model_.bytes() + 4 * (order_.capacity() + list_.capacity() + own_number_.capacity()) +
               8 * (first_.capacity() + vectors_.capacity() + forces_.capacity()) + workspace_bytes_;
    }

private:
    // Windows of up to window_sites sites of one species, in the host's order; room for the longest list.
    void begin(const HostAtoms& atoms) {
        std::vector<std::int32_t> first(n_species_ + 1, 0);
        for (int k = 0; k < atoms.n_sites; ++k)
            if (const int z = atoms.species[atoms.sites[k]]; z >= 0) ++first[z + 1];
        for (int z = 0; z < n_species_; ++z) first[z + 1] += first[z];
        order_.resize(first[n_species_]);
        windows_.clear();
        for (int z = 0; z < n_species_; ++z)
            for (int at = first[z]; at < first[z + 1]; at += window_sites)
                windows_.push_back({z, at, std::min(window_sites, first[z + 1] - at)});
        capacity_ = model_.capacity();
        for (int k = 0; k < atoms.n_sites; ++k) {
            const int site = atoms.sites[k];
            if (atoms.species[site] < 0) continue;
            order_[first[atoms.species[site]]++] = site;
            capacity_.max_neighbours = std::max(capacity_.max_neighbours, atoms.counts[site]);
        }
        workspace_bytes_ = std::max(workspace_bytes_, kernel_.workspace_bytes(capacity_));
        workspace_.reserve(workspace_bytes_);
    }

    void append_list(const HostAtoms& atoms, int site) {
        const int n = atoms.counts[site], mask = atoms.mask;
        const int* from = atoms.neighbours[site];
        const std::size_t old = list_.size();
        list_.resize(old + n);
        std::int32_t* to = list_.data() + old;
        int kept = 0;
        for (int k = 0; k < n; ++k) {
            const int j = from[k] & mask;
            to[kept] = j;
            kept += atoms.species[j] >= 0;
        }
        list_.resize(old + kept);
    }

    void gather_pairs(const HostAtoms& atoms, const Window& window) {
        const int n = window.count;
        list_.clear();
        first_.assign(1, 0);
        for (int k = 0; k < n; ++k) {
            append_list(atoms, order_[window.first + k]);
            first_.push_back(std::int64_t(list_.size()));
        }
        vectors_.resize(3 * list_.size());
        own_number_.resize(list_.size());
        local_species_.assign(n, window.centre);
        counting_.resize(n);
        for (int k = 0; k < n; ++k) {
            counting_[k] = k;
            const double* xi = atoms.positions + 3 * std::size_t(order_[window.first + k]);
            for (std::int64_t p = first_[k]; p < first_[k + 1]; ++p) {
                const double* xj = atoms.positions + 3 * std::size_t(list_[p]);
                for (int axis = 0; axis < 3; ++axis) vectors_[3 * p + axis] = xj[axis] - xi[axis];
                own_number_[p] = std::int32_t(n + p);
                local_species_.push_back(atoms.species[list_[p]]);
            }
        }
    }

    void run(EvaluateJob& job, double* virial) {
        job.n_windows = 1;
        kernel_.run(model_.view(), capacity_, job, workspace_.reserve(workspace_bytes_));
        for (int k = 0; k < 6; ++k) virial[k] += job.virial[k];
    }

    Isa isa_;
    const EvaluateEntry<double>& kernel_;
    int n_species_;
    Model<double> model_;
    Capacity capacity_{};
    AlignedBuffer workspace_;
    std::size_t workspace_bytes_ = 0;
    std::vector<Window> windows_;
    std::vector<std::int32_t> order_;   // sites by species
    std::vector<std::int64_t> first_;   // where the list of a site begins
    std::vector<std::int32_t> list_;    // contiguous lists of one window
    std::vector<std::int32_t> own_number_, local_species_, counting_;
    std::vector<double> vectors_, forces_;
    double local_energies_[window_sites];
};

}  // namespace lacemaker
