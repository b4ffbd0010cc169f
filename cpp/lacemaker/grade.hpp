// Site functions and extrapolation grades of whole structures, for Python. Host code.
//
//     Grade g(tables, design, active_sets, choose_isa("auto"));
//     EvaluateStatus s = g.evaluate(atoms, grades, values, stride, n_threads);
#pragma once

#include <numeric>

#include "aligned_buffer.hpp"
#include "grade_model.hpp"
#include "threads.hpp"

namespace lacemaker {

class Grade {
public:
    Grade(const Tables& tables, const DesignTables& design, const ActiveSets& sets, Isa isa)
        : model_(tables, design, sets, isa) {}

    const GradeModel& model() const { return model_; }

    // grades (n_sites,) or null; values (n_sites, stride) or null, of which a site's row is written as far as its centre
    // has functions. Results do not depend on the number of threads.
    EvaluateStatus evaluate(const AtomsView& atoms, double* grades, double* values, std::size_t stride, int n_threads) const {
        std::vector<std::int32_t> order(atoms.n_sites);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return atoms.species[i] < atoms.species[j]; });
        std::vector<Window> windows;
        for (int at = 0, end = 0; at < atoms.n_sites; at = end) {
            const int centre = atoms.species[order[at]];
            while (end < atoms.n_sites && end < at + window_sites && atoms.species[order[end]] == centre) ++end;
            windows.push_back({centre, at, end - at});
        }
        GradeCapacity capacity = model_.capacity();
        for (int i = 0; i < atoms.n_sites; ++i)
            capacity.base.max_neighbours = std::max(capacity.base.max_neighbours, int(atoms.first[i + 1] - atoms.first[i]));
        std::vector<double> padded(4 * (std::size_t(atoms.n_atoms) + 1) + 8);
        double* const positions = aligned(padded.data());
        for (std::size_t i = 0; i < std::size_t(atoms.n_atoms); ++i)
            for (int axis = 0; axis < 3; ++axis) positions[4 * i + axis] = atoms.positions[3 * i + axis];
        n_threads = std::max(1, std::min(n_threads, int(windows.size())));
        std::vector<AlignedBuffer> workspaces(n_threads);
        std::vector<GradeJob> jobs(n_threads);
        Team team;
        team.run(n_threads, [&](int t) {
            const std::size_t begin = windows.size() * t / n_threads, end = windows.size() * (t + 1) / n_threads;
            jobs[t] = {atoms,  positions, order.data(), windows.data() + begin, int(end - begin),
                       grades, values,    stride,       {}};
            model_.kernels().run(model_.view(), capacity, jobs[t],
                                 workspaces[t].reserve(model_.kernels().workspace_bytes(capacity)));
        });
        for (const GradeJob& job : jobs)
            if (job.status.code != EvaluateStatus::ok) return job.status;
        return {};
    }

private:
    static double* aligned(double* p) {
        return reinterpret_cast<double*>((reinterpret_cast<std::uintptr_t>(p) + 63) / 64 * 64);
    }

    GradeModel model_;
};

}  // namespace lacemaker
