// Extrapolation grades and committee deviations of chosen sites of a host code (LAMMPS). Host code.
//
//     SiteGrade g(tables, functions, active_sets, isa);
//     EvaluateStatus s = g.evaluate(atoms, grades);
//     SiteCommittee c(tables, contract(tables, functions, coefficients, e0), isa);
//     EvaluateStatus s = c.evaluate(atoms, energies, forces);
//
// The same lists as for energies and forces (site_windows.hpp); made when asked for. One object serves one thread.
#pragma once

#include "committee_models.hpp"
#include "grade_model.hpp"
#include "site_windows.hpp"

namespace lacemaker {

class SiteGrade {
public:
    SiteGrade(const Tables& tables, const DesignTables& functions, const ActiveSets& sets, Isa isa)
        : model_(tables, functions, sets, isa), sites_(tables.n_species, model_.view().model->cutoff_squared),
          capacity_(model_.capacity()) {}

    // grades: (n_atoms,) written at the sites.
    EvaluateStatus evaluate(const HostAtoms& atoms, double* grades) {
        sites_.begin(atoms);
        for (const Window& window : sites_.windows) {
            const int longest = sites_.gather(atoms, window);
            capacity_.base.max_neighbours = std::max(capacity_.base.max_neighbours, longest);
            GradeJob job{};
            job.atoms = sites_.view(atoms, window);
            job.site_order = sites_.order.data();
            job.windows = &window;
            job.n_windows = 1;
            job.grades = grades;
            bytes_ = model_.kernels().workspace_bytes(capacity_);
            model_.kernels().run(model_.view(), capacity_, job, workspace_.reserve(bytes_));
            if (job.status.code != EvaluateStatus::ok) return job.status;
        }
        return {};
    }

    std::size_t bytes() const { return model_.bytes() + sites_.bytes() + bytes_; }

private:
    GradeModel model_;
    SiteWindows sites_;
    GradeCapacity capacity_;
    AlignedBuffer workspace_;
    std::size_t bytes_ = 0;
};

// Members in float32: they are deviations from a mean, good to a few 1e-3 of themselves.
class SiteCommittee {
public:
    SiteCommittee(const Tables& tables, const std::vector<ModelTerms>& members, Isa isa)
        : kernel_(committee_kernels(isa).f32), models_(tables, members, isa),
          sites_(tables.n_species, models_.views[0].cutoff_squared), capacity_(models_.models[0]->capacity()),
          virials_(6 * members.size()) {}

    int size() const { return models_.size(); }

    // energies (k, n_atoms + 1) written at the sites, forces (k, n_atoms + 1, 3) added to; last rows are scratch.
    EvaluateStatus evaluate(const HostAtoms& atoms, double* energies, double* forces) {
        sites_.begin(atoms);
        for (const Window& window : sites_.windows) {
            const int longest = sites_.gather(atoms, window);
            capacity_.max_neighbours = std::max(capacity_.max_neighbours, longest);
            CommitteeJob job{};
            job.atoms = sites_.view(atoms, window);
            job.site_order = sites_.order.data();
            job.windows = &window;
            job.n_windows = 1;
            job.energies = energies;
            job.forces = forces;
            job.virials = virials_.data();
            bytes_ = kernel_.workspace_bytes(capacity_, size());
            kernel_.run(models_.view(), capacity_, job, workspace_.reserve(bytes_));
            if (job.status.code != EvaluateStatus::ok) return job.status;
        }
        return {};
    }

    std::size_t bytes() const { return models_.bytes() + sites_.bytes() + bytes_; }

private:
    const CommitteeEntry<float>& kernel_;
    CommitteeModels<float> models_;
    SiteWindows sites_;
    Capacity capacity_;
    AlignedBuffer workspace_;
    std::size_t bytes_ = 0;
    std::vector<double> virials_;
};

}  // namespace lacemaker
