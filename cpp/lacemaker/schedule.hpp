// Schedule: shares the sites of a structure among threads and adds up what they return. Host code.
//
// run() may be called from several threads at once: every call borrows a context (workspaces, private force arrays, a
// team of threads) and gives it back, so nothing is allocated once sizes have settled.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "aligned_buffer.hpp"
#include "evaluator_view.hpp"
#include "threads.hpp"

namespace lacemaker {

class Schedule {
public:
    explicit Schedule(int n_species) : n_species_(n_species) {}

    // Runs `kernel` (an EvaluateEntry or alike) of `model` (capacity(), view()) on all sites; arguments as for
    // Evaluator::evaluate.
    template <class M, class Kernel>
    EvaluateStatus run(const M& model, const Kernel& kernel, const AtomsView& atoms, double* site_energies,
                       double* forces, double* virial, int n_threads) const {
        std::unique_ptr<Context> context = borrow();
        const EvaluateStatus status =
            evaluate_with(model, kernel, atoms, site_energies, forces, virial, n_threads, *context);
        give_back(std::move(context));
        return status;
    }

private:
    // What one call needs besides the model.
    struct Context {
        Team team;
        std::vector<AlignedBuffer> workspaces;
        std::vector<std::vector<double>> forces;  // per thread (n_atoms + 1, 3)
        AlignedBuffer padded_positions;
        std::vector<std::int32_t> site_order;
        std::vector<Window> windows;
        std::vector<std::size_t> share;  // (n_threads + 1,) windows of each thread
    };

    // Positions at a stride of four doubles: one aligned load each.
    static const double* pad_positions(const AtomsView& atoms, Context& c) {
        if (atoms.vectors) return nullptr;
        double* out =
            static_cast<double*>(c.padded_positions.reserve(4 * sizeof(double) * (std::size_t(atoms.n_atoms) + 1)));
        for (std::size_t i = 0; i < std::size_t(atoms.n_atoms); ++i) {
            for (int k = 0; k < 3; ++k) out[4 * i + k] = atoms.positions[3 * i + k];
            out[4 * i + 3] = 0.0;
        }
        return out;
    }

    // Sites by species, cut into windows of up to `size`.
    void make_windows(const AtomsView& atoms, int size, Context& c) const {
        std::vector<std::int32_t> first(n_species_ + 1, 0);
        for (int i = 0; i < atoms.n_sites; ++i) ++first[atoms.species[i] + 1];
        for (int z = 0; z < n_species_; ++z) first[z + 1] += first[z];
        c.site_order.resize(atoms.n_sites);
        c.windows.clear();
        for (int z = 0; z < n_species_; ++z)
            for (int at = first[z]; at < first[z + 1]; at += size)
                c.windows.push_back({z, at, std::min(size, first[z + 1] - at)});
        for (int i = 0; i < atoms.n_sites; ++i) c.site_order[first[atoms.species[i]]++] = i;
    }

    // Contiguous shares of windows with about equal numbers of pairs.
    static void share_windows(const AtomsView& atoms, int n_threads, Context& c) {
        const auto pairs = [&](const Window& w) {
            std::int64_t n = 0;
            for (int k = 0; k < w.count; ++k) {
                const std::int32_t site = c.site_order[w.first + k];
                n += 4 + atoms.first[site + 1] - atoms.first[site];
            }
            return n;
        };
        std::int64_t total = 0, sum = 0;
        for (const Window& w : c.windows) total += pairs(w);
        c.share.assign(1, 0);
        for (std::size_t k = 0; k < c.windows.size(); ++k) {
            sum += pairs(c.windows[k]);
            while (int(c.share.size()) < n_threads && sum * n_threads >= total * std::int64_t(c.share.size()))
                c.share.push_back(k + 1);
        }
        c.share.resize(n_threads, c.windows.size());
        c.share.push_back(c.windows.size());
    }

    template <class M, class Kernel>
    EvaluateStatus evaluate_with(const M& model, const Kernel& kernel, const AtomsView& atoms, double* site_energies,
                                 double* forces, double* virial, int n_threads, Context& c) const {
        const int lanes = kernel.lanes;  // small windows keep several threads busy; not a function of n_threads
        make_windows(atoms, std::clamp((atoms.n_sites / 16 + lanes - 1) / lanes * lanes, lanes, window_sites), c);
        n_threads = std::max(1, std::min(n_threads, int(c.windows.size())));
        share_windows(atoms, n_threads, c);
        auto capacity = model.capacity();
        for (int i = 0; i < atoms.n_sites; ++i)
            capacity.max_neighbours = std::max(capacity.max_neighbours, int(atoms.first[i + 1] - atoms.first[i]));
        const std::size_t bytes = kernel.workspace_bytes(capacity), rows = 3 * (std::size_t(atoms.n_atoms) + 1);
        if (int(c.workspaces.size()) < n_threads) c.workspaces.resize(n_threads), c.forces.resize(n_threads);
        const double* padded = pad_positions(atoms, c);
        std::vector<EvaluateJob> jobs(n_threads);
        for (int t = 0; t < n_threads; ++t) {
            c.workspaces[t].reserve(bytes);
            if (forces && c.forces[t].size() < rows) c.forces[t].resize(rows);
            jobs[t] = {atoms,
                       padded,
                       c.site_order.data(),
                       c.windows.data() + c.share[t],
                       int(c.share[t + 1] - c.share[t]),
                       site_energies,
                       forces ? c.forces[t].data() : nullptr,
                       {},
                       {}};
        }
        c.team.run(n_threads, [&](int t) {
            if (forces) std::fill_n(c.forces[t].data(), rows, 0.0);
            kernel.run(model.view(), capacity, jobs[t], c.workspaces[t].reserve(bytes));
        });
        for (const EvaluateJob& job : jobs)
            if (job.status.code != EvaluateStatus::ok) return job.status;
        if (forces) {
            sum_forces(c, n_threads, 3 * std::size_t(atoms.n_atoms), forces);
            for (int k = 0; k < 6; ++k) {
                virial[k] = 0;
                for (const EvaluateJob& job : jobs) virial[k] += job.virial[k];
            }
        }
        return {};
    }

    // forces = sum over threads of their private arrays, in the order of threads.
    static void sum_forces(Context& c, int n_threads, std::size_t n, double* forces) {
        const int workers = n > 20000 ? n_threads : 1;
        c.team.run(workers, [&](int t) {
            const std::size_t begin = n * t / workers, end = n * (t + 1) / workers;
            std::copy(c.forces[0].data() + begin, c.forces[0].data() + end, forces + begin);
            for (int k = 1; k < n_threads; ++k) {
                const double* part = c.forces[k].data();
                for (std::size_t i = begin; i < end; ++i) forces[i] += part[i];
            }
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

    int n_species_;
    mutable std::mutex idle_mutex_;
    mutable std::vector<std::unique_ptr<Context>> idle_;
};

}  // namespace lacemaker
