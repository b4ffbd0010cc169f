// Chosen sites of a host code that keeps its own neighbour lists (LAMMPS): the same kernels, another packing policy.
//
//     SiteEvaluator e(potential.tables, potential.terms, choose_isa("auto"));
//     EvaluateStatus s = e.evaluate(atoms, energies, forces, virial);             // forces summed per atom
//     EvaluateStatus s = e.evaluate_pairs(atoms, energies, virial, visit);        // force of each site on each neighbour
//
// Evaluator (evaluator.hpp) owns threads and takes one contiguous list for all atoms. A host code has one list per site,
// ghosts, atoms that are not ours (species -1: neither sites nor neighbours), and parallelises by itself. Sites are cut
// into windows of one species in the host's order; one window at a time, its lists are rid of the skin and handed to the
// kernels as difference vectors, which stay in the cache. No allocation once sizes have settled. One object serves one
// thread.
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
    const int* sites;                // (n_sites,) atoms to evaluate, each once
    const int* counts;               // by atom: length of its list
    const int* const* neighbours;    // by atom: its list
    int mask;                        // applied to entries of the lists
};

class SiteEvaluator {
public:
    SiteEvaluator(const Tables& tables, const ModelTerms& terms, Isa isa)
        : isa_(isa), kernel_(evaluate_kernels(isa).f64), n_species_(tables.n_species),
          model_((check(tables, terms), tables), terms, evaluate_kernels(isa).max_run,
                 evaluate_kernels(isa).f64.lanes * int(sizeof(double))),
          capacity_(model_.capacity()) {
        const double* reach = model_.view().cutoff_squared;
        reach_squared_ = *std::max_element(reach, reach + n_species_ * n_species_);
    }

    // energies: (n_atoms,) written at the sites; forces: (n_atoms + 1, 3) added to, the last row is scratch;
    // virial: (6,) added to, -dE/d(strain), xx yy zz yz xz xy.
    EvaluateStatus evaluate(const HostAtoms& atoms, double* energies, double* forces, double* virial) {
        begin(atoms);
        first_.resize(std::size_t(atoms.n_atoms) + 1);
        for (const Window& window : windows_) {
            gather(atoms, window);
            for (int k = 0; k < window.count; ++k) {  // ascending sites: the end of one may be the beginning of the next
                const int site = order_[window.first + k];
                first_[site] = local_first_[k];
                first_[site + 1] = local_first_[k + 1];
            }
            EvaluateJob job{};
            job.atoms.n_sites = job.atoms.n_atoms = atoms.n_atoms;
            job.atoms.species = atoms.species;
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
            gather(atoms, window);
            number_pairs(atoms, window);
            const int n = window.count, n_pairs = int(local_first_[n]);
            forces_.assign(3 * (std::size_t(n) + n_pairs + 1), 0.0);
            const Window local{window.centre, 0, n};
            EvaluateJob job{};
            job.atoms.n_sites = n;
            job.atoms.n_atoms = n + n_pairs;
            job.atoms.species = local_species_.data();
            job.atoms.first = local_first_;
            job.atoms.index = own_number_.data();
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
                for (std::int64_t p = local_first_[k]; p < local_first_[k + 1]; ++p)
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
        most_listed_ = 0;
        for (int k = 0; k < atoms.n_sites; ++k) {
            const int site = atoms.sites[k];
            if (atoms.species[site] < 0) continue;
            order_[first[atoms.species[site]]++] = site;
            most_listed_ = std::max(most_listed_, atoms.counts[site]);
        }
        for (const Window& w : windows_)  // evaluate() relies on ascending sites; hosts list them so
            if (!std::is_sorted(&order_[w.first], &order_[w.first] + w.count))
                std::sort(&order_[w.first], &order_[w.first] + w.count);
    }

    // Neighbours of one window that are within the largest cutoff: differences and atoms, list after list.
    void gather(const HostAtoms& atoms, const Window& window) {
        const std::size_t most = std::size_t(window.count) * most_listed_ + 1;
        if (list_.size() < most) list_.resize(most), vectors_.resize(3 * most);
        const double* const x = atoms.positions;
        const std::int32_t* const species = atoms.species;
        std::int32_t* const list = list_.data();
        double* const vectors = vectors_.data();
        const double reach = reach_squared_;
        const int mask = atoms.mask;
        std::int64_t kept = 0;
        int longest = 0;
        local_first_[0] = 0;
        for (int k = 0; k < window.count; ++k) {
            const int site = order_[window.first + k], n = atoms.counts[site];
            const int* const from = atoms.neighbours[site];
            const double xi[3] = {x[3 * std::size_t(site)], x[3 * std::size_t(site) + 1], x[3 * std::size_t(site) + 2]};
            for (int p = 0; p < n; ++p) {  // written always, kept by counting: the skin would be mispredicted
                const int j = from[p] & mask;
                const double *xj = x + 3 * std::size_t(j), dx = xj[0] - xi[0], dy = xj[1] - xi[1], dz = xj[2] - xi[2];
                double* d = vectors + 3 * kept;
                d[0] = dx, d[1] = dy, d[2] = dz;
                list[kept] = j;
                kept += !(dx * dx + dy * dy + dz * dz >= reach) & (species[j] >= 0);  // keeps NaN, which the kernel reports
            }
            local_first_[k + 1] = kept;
            longest = std::max(longest, int(kept - local_first_[k]));
        }
        reserve_workspace(longest);
    }

    // Pair p of the window becomes atom n + p, its sites atoms 0 to n - 1.
    void number_pairs(const HostAtoms& atoms, const Window& window) {
        const int n = window.count, n_pairs = int(local_first_[n]);
        local_species_.assign(n, window.centre);
        counting_.resize(n);
        own_number_.resize(n_pairs);
        for (int k = 0; k < n; ++k) counting_[k] = k;
        for (int p = 0; p < n_pairs; ++p) {
            own_number_[p] = n + p;
            local_species_.push_back(atoms.species[list_[p]]);
        }
    }

    void reserve_workspace(int n_neighbours) {
        if (n_neighbours <= capacity_.max_neighbours && workspace_bytes_ > 0) return;
        capacity_.max_neighbours = std::max(n_neighbours, capacity_.max_neighbours);
        workspace_bytes_ = kernel_.workspace_bytes(capacity_);
        workspace_.reserve(workspace_bytes_);
    }

    void run(EvaluateJob& job, double* virial) {
        job.n_windows = 1;
        job.atoms.vectors = vectors_.data();
        kernel_.run(model_.view(), capacity_, job, workspace_.reserve(workspace_bytes_));
        for (int k = 0; k < 6; ++k) virial[k] += job.virial[k];
    }

    Isa isa_;
    const EvaluateEntry<double>& kernel_;
    int n_species_;
    Model<double> model_;
    double reach_squared_ = 0;               // Å^2, of the largest cutoff
    Capacity capacity_;
    AlignedBuffer workspace_;
    std::size_t workspace_bytes_ = 0;
    std::vector<Window> windows_;
    std::vector<std::int32_t> order_;        // sites by species
    int most_listed_ = 0;
    std::vector<std::int64_t> first_;        // by atom: where its neighbours begin
    std::vector<std::int32_t> list_;         // neighbours of one window
    std::vector<double> vectors_;            // their differences, Å
    std::int64_t local_first_[window_sites + 1];
    std::vector<std::int32_t> own_number_, local_species_, counting_;
    std::vector<double> forces_;
    double local_energies_[window_sites];
};

}  // namespace lacemaker
