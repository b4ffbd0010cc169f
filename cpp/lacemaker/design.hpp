// Rows of the design matrix: the host side of the kernel family `design`.
#pragma once

#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <thread>

#include "design_compile.hpp"
#include "dispatch.hpp"

namespace lacemaker {

// One structure; see DesignJob for shapes and units.
struct DesignFrame {
    int n_atoms;
    const double* positions;
    const double* cell;
    const std::int32_t* species;
    const std::int64_t* first;
    const std::int32_t* index;
    const std::int32_t* shift;
};

struct AlignedFree {
    void operator()(void* p) const { std::free(p); }
};

// A block of memory on a cache line.
struct AlignedBlock {
    std::unique_ptr<void, AlignedFree> memory;
    std::size_t size = 0;

    void grow(std::size_t bytes) {
        if (bytes <= size) return;
        bytes = (bytes + 4095) / 4096 * 4096;
        memory.reset(std::aligned_alloc(64, bytes));
        if (!memory) throw std::bad_alloc();
        size = bytes;
    }
};

// Safe to use from several threads at once: every call borrows its own workspaces.
class DesignRows {
public:
    DesignRows(const Tables& tables, const DesignTables& design, Isa isa) : isa_(isa), kernels_(kernels(isa)) {
        plan_ = compile_design(tables, design, kernels_->lanes);
        find_work();
    }

    // out: (1 + 3 n_atoms + 6, stride) or, without forces, (1, stride); columns from n_columns on are left alone.
    void rows(const DesignFrame& frame, bool forces, double* out, std::int64_t stride, int n_threads) const {
        const std::vector<std::int32_t> order = sorted_sites(frame), first = sites_first(frame);
        DesignJob job{};
        job.view = &plan_->view();
        job.n_atoms = frame.n_atoms;
        job.positions = frame.positions, job.cell = frame.cell, job.species = frame.species;
        job.first = frame.first, job.index = frame.index, job.shift = frame.shift;
        job.sites = order.data(), job.sites_first = first.data();
        for (int i = 0; i < frame.n_atoms; ++i)
            job.max_neighbours = std::max(job.max_neighbours, frame.first[i + 1] - frame.first[i]);
        job.forces = forces, job.out = out, job.stride = stride;
        const std::vector<int> share = shares(n_threads);
        std::vector<std::thread> threads;
        for (std::size_t t = 1; t + 1 < share.size(); ++t)
            threads.emplace_back([&, t] { run(job, share[t], share[t + 1]); });
        run(job, share[0], share[1]);
        for (std::thread& t : threads) t.join();
    }

    Isa isa() const { return isa_; }
    int lanes() const { return kernels_->lanes; }
    const DesignPlan& plan() const { return *plan_; }

private:
    static const DesignKernels* kernels(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
        if (isa == Isa::avx512) return &design_kernels_avx512;
        if (isa == Isa::avx2) return &design_kernels_avx2;
#endif
        (void)isa;
        return &design_kernels_baseline;
    }

    std::vector<std::int32_t> sites_first(const DesignFrame& frame) const {
        std::vector<std::int32_t> first(plan_->view().n_species + 1, 0);
        for (int i = 0; i < frame.n_atoms; ++i) ++first[frame.species[i] + 1];
        std::partial_sum(first.begin(), first.end(), first.begin());
        return first;
    }

    std::vector<std::int32_t> sorted_sites(const DesignFrame& frame) const {
        std::vector<std::int32_t> order(frame.n_atoms);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(),
                         [&](int a, int b) { return frame.species[a] < frame.species[b]; });
        return order;
    }

    // Multiply work up to the end of each group of design_tile columns.
    void find_work() {
        work_.assign((plan_->view().n_columns + design_tile - 1) / design_tile, 1);
        for (const CentrePlan& c : plan_->centres())
            for (const PairPlan& p : c.pairs)
                for (std::size_t t = 0; t < p.tile_column.size(); ++t)
                    work_[p.tile_column[t] / design_tile] +=
                        p.tile_slot[(t + 1) * design_tile] - p.tile_slot[t * design_tile] + 2 * design_tile;
        std::partial_sum(work_.begin(), work_.end(), work_.begin());
    }

    // Column bounds of each thread, of equal work.
    std::vector<int> shares(int n_threads) const {
        std::vector<int> bounds{0};
        for (int t = 1; t < n_threads; ++t) {
            const auto at = std::lower_bound(work_.begin(), work_.end(), work_.back() * t / n_threads);
            const int bound = int(at - work_.begin()) * design_tile;
            if (bound > bounds.back()) bounds.push_back(bound);
        }
        bounds.push_back(plan_->view().n_columns);
        return bounds;
    }

    void run(DesignJob job, int begin, int end) const {
        job.column_begin = begin, job.column_end = end;
        AlignedBlock block = borrow();
        block.grow(kernels_->workspace_bytes(job));
        kernels_->rows(job, block.memory.get());
        const std::lock_guard<std::mutex> lock(mutex_);
        spare_.push_back(std::move(block));
    }

    AlignedBlock borrow() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (spare_.empty()) return {};
        AlignedBlock block = std::move(spare_.back());
        spare_.pop_back();
        return block;
    }

    Isa isa_;
    const DesignKernels* kernels_;
    std::unique_ptr<DesignPlan> plan_;
    std::vector<std::int64_t> work_;
    mutable std::mutex mutex_;
    mutable std::vector<AlignedBlock> spare_;
};

}  // namespace lacemaker
