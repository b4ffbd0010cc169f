// Chosen sites of a host code that keeps its own neighbour lists (LAMMPS): the same kernels, another packing policy.
//
//     SiteEvaluator e(potential.tables, potential.terms, choose_isa("auto"));
//     EvaluateStatus s = e.evaluate(atoms, energies, forces, virial);             // forces summed per atom
//     EvaluateStatus s = e.evaluate_pairs(atoms, energies, virial, visit);        // force of each site on each neighbour
//
// Evaluator (evaluator.hpp) owns threads and takes one contiguous list for all atoms. A host code has one list per site,
// ghosts, atoms that are not ours (species -1: neither sites nor neighbours), and parallelises by itself; its lists come
// to the kernels window by window (site_windows.hpp). No allocation once sizes have settled. One object serves one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "evaluator.hpp"
#include "site_windows.hpp"

namespace lacemaker {

class SiteEvaluator {
public:
    SiteEvaluator(const Tables& tables, const ModelTerms& terms, Isa isa)
        : isa_(isa), kernel_(evaluate_kernels(isa).f64), n_species_(tables.n_species),
          model_((check(tables, terms), tables), terms, evaluate_kernels(isa).max_run,
                 evaluate_kernels(isa).f64.lanes * int(sizeof(double))),
          capacity_(model_.capacity()), sites_(n_species_, model_.view().cutoff_squared) {}

    // energies: (n_atoms,) written at the sites; forces: (n_atoms + 1, 3) added to, the last row is scratch;
    // virial: (6,) added to, -dE/d(strain), xx yy zz yz xz xy.
    EvaluateStatus evaluate(const HostAtoms& atoms, double* energies, double* forces, double* virial) {
        sites_.begin(atoms);
        for (const Window& window : sites_.windows) {
            reserve_workspace(sites_.gather(atoms, window));
            EvaluateJob job{};
            job.atoms = sites_.view(atoms, window);
            job.site_order = sites_.order.data();
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
        sites_.begin(atoms);
        for (const Window& window : sites_.windows) {
            reserve_workspace(sites_.gather(atoms, window));
            number_pairs(atoms, window);
            const int n = window.count, n_pairs = int(sites_.first[n]);
            forces_.assign(3 * (std::size_t(n) + n_pairs + 1), 0.0);
            const Window local{window.centre, 0, n};
            EvaluateJob job{};
            job.atoms.n_sites = n;
            job.atoms.n_atoms = n + n_pairs;
            job.atoms.species = local_species_.data();
            job.atoms.first = sites_.first;
            job.atoms.index = own_number_.data();
            job.atoms.vectors = sites_.vectors.data();
            job.site_order = counting_.data();
            job.windows = &local;
            job.site_energies = local_energies_;
            job.forces = forces_.data();
            run(job, virial);
            EvaluateStatus& status = job.status;
            if (status.code != EvaluateStatus::ok) {
                if (status.j >= n) status.j = sites_.list[status.j - n];
                status.i = sites_.order[window.first + status.i];
                return status;
            }
            for (int k = 0; k < n; ++k) {
                const int site = sites_.order[window.first + k];
                energies[site] = local_energies_[k];
                for (std::int64_t p = sites_.first[k]; p < sites_.first[k + 1]; ++p)
                    visit(site, int(sites_.list[p]), sites_.vectors.data() + 3 * p, forces_.data() + 3 * (n + p));
            }
        }
        return {};
    }

    Isa isa() const { return isa_; }
    int lanes() const { return kernel_.lanes; }

    // What this object holds, in bytes.
    std::size_t bytes() const {
        return model_.bytes() + sites_.bytes() + 4 * own_number_.capacity() + 8 * forces_.capacity() + workspace_bytes_;
    }

private:
    // Pair p of the window becomes atom n + p, its sites atoms 0 to n - 1.
    void number_pairs(const HostAtoms& atoms, const Window& window) {
        const int n = window.count, n_pairs = int(sites_.first[n]);
        local_species_.assign(n, window.centre);
        counting_.resize(n);
        own_number_.resize(n_pairs);
        for (int k = 0; k < n; ++k) counting_[k] = k;
        for (int p = 0; p < n_pairs; ++p) {
            own_number_[p] = n + p;
            local_species_.push_back(atoms.species[sites_.list[p]]);
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
        kernel_.run(model_.view(), capacity_, job, workspace_.reserve(workspace_bytes_));
        for (int k = 0; k < 6; ++k) virial[k] += job.virial[k];
    }

    Isa isa_;
    const EvaluateEntry<double>& kernel_;
    int n_species_;
    Model<double> model_;
    Capacity capacity_;
    AlignedBuffer workspace_;
    std::size_t workspace_bytes_ = 0;
    SiteWindows sites_;
    std::vector<std::int32_t> own_number_, local_species_, counting_;
    std::vector<double> forces_;
    double local_energies_[window_sites];
};

}  // namespace lacemaker
