// Committee: several coefficient vectors of one basis, evaluated in one pass. Host code; no Python, no LAMMPS.
//
//     Committee c(tables, members, choose_isa("auto"), Precision::float32);
//     EvaluateStatus s = c.evaluate(atoms, energies, forces, virials, n_threads);
//
// All members must have the same pattern of zero weights, so that they compile to one program. ZBL is left out: members
// are meant as deviations from a mean model. evaluate() allocates its workspaces; a committee call is a rare one.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <variant>
#include <vector>

#include "aligned_buffer.hpp"
#include "committee_view.hpp"
#include "dispatch.hpp"
#include "evaluator.hpp"
#include "model.hpp"
#include "threads.hpp"

namespace lacemaker {

extern const CommitteeKernels committee_kernels_baseline;
#ifdef LACEMAKER_X86_KERNELS
extern const CommitteeKernels committee_kernels_avx2;
extern const CommitteeKernels committee_kernels_avx512;
#endif

inline const CommitteeKernels& committee_kernels(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
    if (isa == Isa::avx2) return committee_kernels_avx2;
    if (isa == Isa::avx512) return committee_kernels_avx512;
#endif
    (void)isa;
    return committee_kernels_baseline;
}

class Committee {
public:
    Committee(const Tables& tables, const std::vector<ModelTerms>& members, Isa isa, Precision precision)
        : isa_(isa), kernels_(committee_kernels(isa)), n_species_(tables.n_species) {
        detail::require(!members.empty(), "a committee needs at least one member");
        if (precision == Precision::float64)
            models_ = build<double>(tables, members, kernels_.f64.lanes * 8);
        else
            models_ = build<float>(tables, members, kernels_.f32.lanes * 4);
    }

    Committee(const Committee&) = delete;
    Committee& operator=(const Committee&) = delete;

    int size() const {
        return std::visit([](const auto& m) { return int(m.models.size()); }, models_);
    }
    int n_species() const { return n_species_; }
    Isa isa() const { return isa_; }

    // energies (n_members,) eV, forces (n_members, n_atoms, 3) eV/Å, virials (n_members, 6) eV.
    EvaluateStatus evaluate(const AtomsView& atoms, double* energies, double* forces, double* virials, int n_threads) const {
        return std::visit([&](const auto& m) { return evaluate_with(m, atoms, energies, forces, virials, n_threads); }, models_);
    }

private:
    template <class T>
    struct Members {
        std::vector<std::unique_ptr<Model<T>>> models;
        std::vector<ModelView<T>> views;
    };

    const CommitteeEntry<double>& entry(const Members<double>&) const { return kernels_.f64; }
    const CommitteeEntry<float>& entry(const Members<float>&) const { return kernels_.f32; }

    template <class T>
    Members<T> build(const Tables& tables, const std::vector<ModelTerms>& members, int vector_bytes) const {
        Members<T> out;
        for (const ModelTerms& terms : members) {
            check(tables, terms);
            out.models.push_back(std::make_unique<Model<T>>(tables, terms, evaluate_kernels(isa_).max_run, vector_bytes));
            out.views.push_back(out.models.back()->view());
            detail::require(alike(*out.models.front(), *out.models.back()),
                            "the members of a committee must have the same pattern of zero coefficients");
        }
        return out;
    }

    template <class T>
    static bool alike(const Model<T>& a, const Model<T>& b) {
        for (std::size_t z = 0; z < a.programs().size(); ++z) {
            const Program &p = a.programs()[z], &q = b.programs()[z];
            if (p.index != q.index || p.layout.channel != q.layout.channel || p.classes.size() != q.classes.size() ||
                p.products.size() != q.products.size())
                return false;
        }
        const int nz = a.view().n_species;
        return std::equal(a.view().has_pair, a.view().has_pair + nz * nz, b.view().has_pair);
    }

    // Windows of sites of one species, with the order of sites they refer to.
    struct Windows {
        std::vector<std::int32_t> order;
        std::vector<Window> windows;
    };

    Windows make_windows(const AtomsView& atoms, int size) const {
        Windows w;
        w.order.resize(atoms.n_sites);
        std::iota(w.order.begin(), w.order.end(), 0);
        std::stable_sort(w.order.begin(), w.order.end(), [&](int i, int j) { return atoms.species[i] < atoms.species[j]; });
        for (int at = 0; at < atoms.n_sites;) {
            const int centre = atoms.species[w.order[at]];
            int end = at;
            while (end < atoms.n_sites && end < at + size && atoms.species[w.order[end]] == centre) ++end;
            w.windows.push_back({centre, at, end - at});
            at = end;
        }
        return w;
    }

    template <class T>
    EvaluateStatus evaluate_with(const Members<T>& members, const AtomsView& atoms, double* energies, double* forces,
                                 double* virials, int n_threads) const {
        const CommitteeEntry<T>& kernel = entry(members);
        const std::size_t k = members.models.size(), row = 3 * (std::size_t(atoms.n_atoms) + 1);
        const int lanes = kernel.lanes;
        const Windows w = make_windows(atoms, std::clamp((atoms.n_sites / 16 + lanes - 1) / lanes * lanes, lanes, window_sites));
        n_threads = std::max(1, std::min(n_threads, int(w.windows.size())));
        Capacity capacity = members.models[0]->capacity();
        for (int i = 0; i < atoms.n_sites; ++i)
            capacity.max_neighbours = std::max(capacity.max_neighbours, int(atoms.first[i + 1] - atoms.first[i]));
        AlignedBuffer padded;
        const double* positions = pad(atoms, padded);
        const std::size_t bytes = kernel.workspace_bytes(capacity, int(k));
        std::vector<AlignedBuffer> workspaces(n_threads);
        std::vector<std::vector<double>> sums(n_threads);
        std::vector<CommitteeJob> jobs(n_threads);
        Team team;
        const CommitteeView<T> view{int(k), members.views.data()};
        team.run(n_threads, [&](int t) {
            const std::size_t begin = w.windows.size() * t / n_threads, end = w.windows.size() * (t + 1) / n_threads;
            sums[t].assign(k * (row + 7), 0.0);
            double* e = sums[t].data() + k * row;
            jobs[t] = {atoms, positions, w.order.data(), w.windows.data() + begin, int(end - begin), e, sums[t].data(), e + k, {}};
            kernel.run(view, capacity, jobs[t], workspaces[t].reserve(bytes));
        });
        for (const CommitteeJob& job : jobs)
            if (job.status.code != EvaluateStatus::ok) return job.status;
        for (int t = 1; t < n_threads; ++t)
            for (std::size_t i = 0; i < sums[0].size(); ++i) sums[0][i] += sums[t][i];
        for (std::size_t c = 0; c < k; ++c) std::copy_n(sums[0].data() + c * row, row - 3, forces + c * (row - 3));
        std::copy_n(sums[0].data() + k * row, k, energies);
        std::copy_n(sums[0].data() + k * (row + 1), 6 * k, virials);
        return {};
    }

    static const double* pad(const AtomsView& atoms, AlignedBuffer& buffer) {
        double* out = static_cast<double*>(buffer.reserve(4 * sizeof(double) * (std::size_t(atoms.n_atoms) + 1)));
        for (std::size_t i = 0; i < std::size_t(atoms.n_atoms); ++i) {
            for (int axis = 0; axis < 3; ++axis) out[4 * i + axis] = atoms.positions[3 * i + axis];
            out[4 * i + 3] = 0.0;
        }
        return out;
    }

    Isa isa_;
    const CommitteeKernels& kernels_;
    int n_species_;
    std::variant<Members<double>, Members<float>> models_;
};

}  // namespace lacemaker
