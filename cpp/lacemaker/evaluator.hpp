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

#include <memory>
#include <variant>
#include <vector>

#include "dispatch.hpp"
#include "evaluator_view.hpp"
#include "model.hpp"
#include "schedule.hpp"

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
        : isa_(isa), kernels_(kernels), n_species_(tables.n_species), schedule_(tables.n_species) {
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
        return std::visit(
            [&](const auto& model) {
                return schedule_.run(*model, entry(*model), atoms, site_energies, forces, virial, n_threads);
            },
            model_);
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

    const EvaluateEntry<double>& entry(const Model<double>&) const { return kernels_.f64; }
    const EvaluateEntry<float>& entry(const Model<float>&) const { return kernels_.f32; }

    Isa isa_;
    const EvaluateKernels& kernels_;
    int n_species_;
    std::variant<Model64, Model32> model_;
    Schedule schedule_;
};

}  // namespace lacemaker
