// Committee: several coefficient vectors of one basis, evaluated in one pass. Host code; no Python, no LAMMPS.
//
//     Committee c(tables, members, choose_isa("auto"), Precision::float32);
//     EvaluateStatus s = c.evaluate(atoms, energies, forces, virials, n_threads);
//
// All members must have the same pattern of zero weights, so that they compile to one program. ZBL is left out: members
// are meant as deviations from a mean model. evaluate() allocates its workspaces; a committee call is a rare one.
#pragma once

#include <algorithm>
#include <numeric>
#include <variant>
#include <vector>

#include "aligned_buffer.hpp"
#include "committee_models.hpp"
#include "threads.hpp"

namespace lacemaker {

class Committee {
public:
    Committee(const Tables& tables, const std::vector<ModelTerms>& members, Isa isa, Precision precision)
        : isa_(isa), kernels_(committee_kernels(isa)), n_species_(tables.n_species) {
        if (precision == Precision::float64)
            models_ = CommitteeModels<double>(tables, members, isa);
        else
            models_ = CommitteeModels<float>(tables, members, isa);
    }

    Committee(const Committee&) = delete;
    Committee& operator=(const Committee&) = delete;

    int size() const {
        return std::visit([](const auto& m) { return m.size(); }, models_);
    }
    int n_species() const { return n_species_; }
    Isa isa() const { return isa_; }

    // Site energies (n_members, n_atoms) eV, forces (n_members, n_atoms, 3) eV/Å, virials (n_members, 6) eV.
    EvaluateStatus evaluate(const AtomsView& atoms, double* energies, double* forces, double* virials, int n_threads) const {
        return std::visit([&](const auto& m) { return evaluate_with(m, atoms, energies, forces, virials, n_threads); }, models_);
    }

private:
    const CommitteeEntry<double>& entry(const CommitteeModels<double>&) const { return kernels_.f64; }
    const CommitteeEntry<float>& entry(const CommitteeModels<float>&) const { return kernels_.f32; }

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
    EvaluateStatus evaluate_with(const CommitteeModels<T>& members, const AtomsView& atoms, double* energies, double* forces,
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
        std::vector<double> site_energies(k * (row / 3), 0.0);  // each site belongs to one thread
        std::vector<CommitteeJob> jobs(n_threads);
        Team team;
        const CommitteeView<T> view = members.view();
        team.run(n_threads, [&](int t) {
            const std::size_t begin = w.windows.size() * t / n_threads, end = w.windows.size() * (t + 1) / n_threads;
            sums[t].assign(k * (row + 6), 0.0);
            jobs[t] = {atoms,           positions,
                       w.order.data(),   w.windows.data() + begin,
                       int(end - begin), site_energies.data(),
                       sums[t].data(),  sums[t].data() + k * row,
                       {}};
            kernel.run(view, capacity, jobs[t], workspaces[t].reserve(bytes));
        });
        for (const CommitteeJob& job : jobs)
            if (job.status.code != EvaluateStatus::ok) return job.status;
        for (int t = 1; t < n_threads; ++t)
            for (std::size_t i = 0; i < sums[0].size(); ++i) sums[0][i] += sums[t][i];
        for (std::size_t c = 0; c < k; ++c) {
            std::copy_n(sums[0].data() + c * row, row - 3, forces + c * (row - 3));
            std::copy_n(site_energies.data() + c * (row / 3), row / 3 - 1, energies + c * (row / 3 - 1));
        }
        std::copy_n(sums[0].data() + k * row, 6 * k, virials);
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
    std::variant<CommitteeModels<double>, CommitteeModels<float>> models_;
};

}  // namespace lacemaker
