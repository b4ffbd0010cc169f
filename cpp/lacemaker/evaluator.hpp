// Evaluator: energies, forces and virials of a compiled potential. Host code; no Python, no LAMMPS.
//
//     Evaluator e(tables, terms, choose_isa("auto"), Precision::float64);
//     EvaluateStatus s = e.evaluate(atoms, energies, forces, virial, n_threads);
//
// evaluate() may be called from several threads at once: every call borrows a context (workspaces, private force
// arrays, a team of threads) and gives it back, so nothing is allocated once sizes have settled. For a given number of
// threads the result is the same bit for bit every time; with another number, forces and virial differ by the rounding
// of sums, site energies do not differ at all.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <variant>
#include <vector>

#include "aligned_buffer.hpp"
#include "dispatch.hpp"
#include "evaluator_view.hpp"
#include "model.hpp"
#include "threads.hpp"

namespace lacemaker {

extern const EvaluateKernels evaluate_kernels_baseline;
#ifdef LACEMAKER_X86_KERNELS
extern const EvaluateKernels evaluate_kernels_avx2;
extern const EvaluateKernels evaluate_kernels_avx512;
#endif

inline const EvaluateKernels& evaluate_kernels(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
    if (isa == Isa::avx2) return evaluate_kernels_avx2;
    if (isa == Isa::avx512) return evaluate_kernels_avx512;
#endif
    (void)isa;
    return evaluate_kernels_baseline;
}

extern const EvaluateKernels rates_kernels_baseline;
#ifdef LACEMAKER_X86_KERNELS
extern const EvaluateKernels rates_kernels_avx2;
extern const EvaluateKernels rates_kernels_avx512;
#endif

// The kernels on Jets (jet.hpp), float64 only: evaluate() then yields rates along AtomsView::velocity and strain_rate.
inline const EvaluateKernels& rates_kernels(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
    if (isa == Isa::avx2) return rates_kernels_avx2;
    if (isa == Isa::avx512) return rates_kernels_avx512;
#endif
    (void)isa;
    return rates_kernels_baseline;
}

enum class Precision { float64, float32 };

class Evaluator {
public:
    Evaluator(const Tables& tables, const ModelTerms& terms, Isa isa, Precision precision)
        : Evaluator(tables, terms, isa, precision, evaluate_kernels(isa)) {}

    Evaluator(const Tables& tables, const ModelTerms& terms, Isa isa, Precision precision,
              const EvaluateKernels& kernels)
        : isa_(isa), kernels_(kernels), n_species_(tables.n_species) {
        check(tables, terms);
        if (precision == Precision::float64)
            model_ = std::make_unique<Model<double>>(tables, terms, kernels_.max_run, kernels_.f64.row_bytes);
        else
            model_ = std::make_unique<Model<float>>(tables, terms, kernels_.max_run, kernels_.f32.row_bytes);
    }

    // forces may be null: energies only (virial is then not touched). Shapes and units as in AtomsView; forces is
    // (n_atoms, 3), virial (6,) = -dE/d(strain), xx yy zz yz xz xy. Input is trusted but for atom indices and
    // distances.
    EvaluateStatus evaluate(const AtomsView& atoms, double* site_energies, double* forces, double* virial,
                            int n_threads = 1) const {
        std::unique_ptr<Context> context = borrow();
        const EvaluateStatus status = std::visit(
            [&](const auto& model) {
                return evaluate_with(*model, entry(*model), atoms, site_energies, forces, virial, n_threads, *context);
            },
            model_);
        give_back(std::move(context));
        return status;
    }

    Isa isa() const { return isa_; }
    int n_species() const { return n_species_; }
    int lanes() const { return std::holds_alternative<Model64>(model_) ? kernels_.f64.lanes : kernels_.f32.lanes; }
    bool is_float64() const { return std::holds_alternative<Model64>(model_); }
    const std::vector<Program>& programs() const {
        return std::visit([](const auto& m) -> const std::vector<Program>& { return m->programs(); }, model_);
    }
    std::size_t bytes() const {
        return std::visit([](const auto& m) { return m->bytes(); }, model_);
    }

private:
    using Model64 = std::unique_ptr<Model<double>>;
    using Model32 = std::unique_ptr<Model<float>>;

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

    const EvaluateEntry<double>& entry(const Model<double>&) const { return kernels_.f64; }
    const EvaluateEntry<float>& entry(const Model<float>&) const { return kernels_.f32; }

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

    template <class T>
    EvaluateStatus evaluate_with(const Model<T>& model, const EvaluateEntry<T>& kernel, const AtomsView& atoms,
                                 double* site_energies, double* forces, double* virial, int n_threads,
                                 Context& c) const {
        const int lanes = kernel.lanes;  // small windows keep several threads busy; not a function of n_threads
        make_windows(atoms, std::clamp((atoms.n_sites / 16 + lanes - 1) / lanes * lanes, lanes, window_sites), c);
        n_threads = std::max(1, std::min(n_threads, int(c.windows.size())));
        share_windows(atoms, n_threads, c);
        Capacity capacity = model.capacity();
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

    Isa isa_;
    const EvaluateKernels& kernels_;
    int n_species_;
    std::variant<Model64, Model32> model_;
    mutable std::mutex idle_mutex_;
    mutable std::vector<std::unique_ptr<Context>> idle_;
};

}  // namespace lacemaker
