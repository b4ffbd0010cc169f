// Rows of the design matrix: the host side of the kernel family `design`. No Python, no LAMMPS.
//
//     DesignRows d(tables, design_tables, choose_isa("auto"));
//     d.rows(atoms, true, out, stride, n_threads);
//
// rows() may be called from several threads at once (one per structure is the way to fit): every call borrows a context
// and gives it back. With n_threads > 1 the columns of one structure are shared out; A and G are then computed by every
// thread, so this pays for large structures only. The result does not depend on the number of threads.
#pragma once

#include <mutex>
#include <numeric>

#include "aligned_buffer.hpp"
#include "design_compile.hpp"
#include "dispatch.hpp"
#include "evaluator_view.hpp"
#include "threads.hpp"

namespace lacemaker {

inline const DesignKernels& design_kernels(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
    if (isa == Isa::avx2) return design_kernels_avx2;
    if (isa == Isa::avx512) return design_kernels_avx512;
#endif
    (void)isa;
    return design_kernels_baseline;
}

class DesignRows {
public:
    DesignRows(const Tables& tables, const DesignTables& design, Isa isa)
        : isa_(isa), kernels_(design_kernels(isa)), plan_(compile_design(tables, design, kernels_.lanes)) {
        sum_work();
    }

    // out: (1 + 3 n_atoms + 6, stride), or (1, stride) without forces; columns from n_columns on are left alone.
    // Input is trusted. Atoms on top of each other give rows that are not finite.
    void rows(const AtomsView& atoms, bool forces, double* out, std::int64_t stride, int n_threads = 1) const {
        std::unique_ptr<Context> context = borrow();
        sort_sites(atoms, *context);
        DesignJob job = begin(atoms);
        job.sites = context->sites.data(), job.sites_first = context->sites_first.data();
        job.forces = forces, job.out = out, job.stride = stride;
        run(job, share_columns(n_threads), *context);
        give_back(std::move(context));
    }

    // Site functions B_k(i): out (n_atoms, stride), one site at a time; their sum is the energy row.
    void site_rows(const AtomsView& atoms, double* out, std::int64_t stride) const {
        std::unique_ptr<Context> context = borrow();
        DesignJob job = begin(atoms);
        const int n_species = plan_->view().n_species;
        const std::vector<int> all{0, plan_->view().n_columns};
        job.stride = stride;
        for (std::int32_t i = 0; i < atoms.n_atoms; ++i) {
            context->sites.assign(1, i);
            context->sites_first.resize(n_species + 1);
            for (int c = 0; c <= n_species; ++c) context->sites_first[c] = c > atoms.species[i] ? 1 : 0;
            job.sites = context->sites.data(), job.sites_first = context->sites_first.data();
            job.out = out + i * stride;
            run(job, all, *context);
        }
        give_back(std::move(context));
    }

    Isa isa() const { return isa_; }
    int lanes() const { return kernels_.lanes; }
    const DesignPlan& plan() const { return *plan_; }

private:
    // What one call needs besides the plan.
    struct Context {
        Team team;
        std::vector<AlignedBuffer> workspaces;
        std::vector<std::int32_t> sites, sites_first;
    };

    DesignJob begin(const AtomsView& atoms) const {
        DesignJob job{};
        job.view = &plan_->view();
        job.n_atoms = atoms.n_atoms;
        job.positions = atoms.positions, job.cell = atoms.cell, job.species = atoms.species;
        job.first = atoms.first, job.index = atoms.index, job.shift = atoms.shift;
        for (int i = 0; i < atoms.n_atoms; ++i)
            job.max_neighbours = std::max(job.max_neighbours, atoms.first[i + 1] - atoms.first[i]);
        return job;
    }

    void sort_sites(const AtomsView& atoms, Context& c) const {
        c.sites_first.assign(plan_->view().n_species + 1, 0);
        for (int i = 0; i < atoms.n_atoms; ++i) ++c.sites_first[atoms.species[i] + 1];
        std::partial_sum(c.sites_first.begin(), c.sites_first.end(), c.sites_first.begin());
        c.sites.resize(atoms.n_atoms);
        std::iota(c.sites.begin(), c.sites.end(), 0);
        std::stable_sort(c.sites.begin(), c.sites.end(),
                         [&](int a, int b) { return atoms.species[a] < atoms.species[b]; });
    }

    // Work up to the end of each group of design_tile columns.
    void sum_work() {
        work_.assign((plan_->view().n_columns + design_tile - 1) / design_tile, 1);
        for (const CentrePlan& c : plan_->centres())
            for (const PairPlan& p : c.pairs)
                for (std::size_t t = 0; t < p.tile_column.size(); ++t)
                    work_[p.tile_column[t] / design_tile] +=
                        p.tile_slot[(t + 1) * design_tile] - p.tile_slot[t * design_tile] + 4 * design_tile;
        std::partial_sum(work_.begin(), work_.end(), work_.begin());
    }

    // Column bounds of each thread, of about equal work.
    std::vector<int> share_columns(int n_threads) const {
        std::vector<int> bounds{0};
        for (int t = 1; t < n_threads && !work_.empty(); ++t) {
            const auto at = std::lower_bound(work_.begin(), work_.end(), work_.back() * t / n_threads);
            const int bound = int(at - work_.begin()) * design_tile;
            if (bound > bounds.back()) bounds.push_back(bound);
        }
        bounds.push_back(plan_->view().n_columns);
        return bounds;
    }

    void run(const DesignJob& job, const std::vector<int>& bounds, Context& c) const {
        const int n = int(bounds.size()) - 1;
        if (int(c.workspaces.size()) < n) c.workspaces.resize(n);
        const std::size_t bytes = kernels_.workspace_bytes(job);
        for (int t = 0; t < n; ++t) c.workspaces[t].reserve(bytes);
        c.team.run(n, [&](int t) {
            DesignJob mine = job;
            mine.column_begin = bounds[t], mine.column_end = bounds[t + 1];
            kernels_.rows(mine, c.workspaces[t].reserve(bytes));
        });
    }

    std::unique_ptr<Context> borrow() const {
        std::lock_guard<std::mutex> lock(idle_mutex_);
        if (idle_.empty()) return std::make_unique<Context>();
        std::unique_ptr<Context> context = std::move(idle_.back());
        idle_.pop_back();
        return context;
    }

    void give_back(std::unique_ptr<Context> context) const {
        std::lock_guard<std::mutex> lock(idle_mutex_);
        idle_.push_back(std::move(context));
    }

    Isa isa_;
    const DesignKernels& kernels_;
    std::unique_ptr<DesignPlan> plan_;
    std::vector<std::int64_t> work_;
    mutable std::mutex idle_mutex_;
    mutable std::vector<std::unique_ptr<Context>> idle_;
};

}  // namespace lacemaker
