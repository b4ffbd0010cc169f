// The compiled evaluator against plain loops and finite differences, on every instruction set of this machine.
#include <numeric>

#include "check.hpp"
#include "random_model.hpp"

using namespace lacemaker;
using namespace testing;

namespace {

struct Result {
    std::vector<double> energies, forces, virial;
    EvaluateStatus status;
    double total() const { return std::accumulate(energies.begin(), energies.end(), 0.0); }
};

Result evaluate(const Evaluator& e, const AtomsView& view, int n_threads = 1) {
    Result r{std::vector<double>(view.n_sites), std::vector<double>(3 * view.n_atoms), std::vector<double>(6), {}};
    r.status = e.evaluate(view, r.energies.data(), r.forces.data(), r.virial.data(), n_threads);
    return r;
}

void energies_equal_plain_loops(const Evaluator& e, const Tables& t, const ModelTerms& m, const Atoms& atoms,
                                double tol) {
    const Result r = evaluate(e, atoms.view());
    const std::vector<double> plain = plain_energies(t, m, atoms);
    CHECK(r.status.code == EvaluateStatus::ok);
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(check::close(r.energies[i], plain[i], tol));
}

void forces_are_minus_the_gradient(const Evaluator& e, Atoms atoms) {
    const Result r = evaluate(e, atoms.view());
    const double h = 2e-4;
    for (std::size_t k = 0; k < std::min<std::size_t>(9, atoms.positions.size()); ++k) {
        const double x = atoms.positions[k];
        const auto energy = [&](double step) {
            atoms.positions[k] = x + step;
            return evaluate(e, atoms.view()).total();
        };
        const double slope = (8 * (energy(h) - energy(-h)) - (energy(2 * h) - energy(-2 * h))) / (12 * h);
        atoms.positions[k] = x;
        CHECK(check::close(r.forces[k], -slope, 1e-7));
    }
}

void vectors_and_threads_change_nothing(const Evaluator& e, const Atoms& atoms) {
    const Result a = evaluate(e, atoms.view());
    AtomsView given = atoms.view();
    const std::vector<double> vectors = atoms.vectors();
    given.vectors = vectors.data(), given.positions = nullptr, given.shift = nullptr;
    const Result b = evaluate(e, given), c = evaluate(e, atoms.view(), 3);
    for (std::size_t i = 0; i < a.energies.size(); ++i) {
        CHECK(check::close(a.energies[i], b.energies[i], 1e-13));
        CHECK(a.energies[i] == c.energies[i]);
    }
    for (std::size_t k = 0; k < a.forces.size(); ++k) {
        CHECK(check::close(a.forces[k], b.forces[k], 1e-12));
        CHECK(check::close(a.forces[k], c.forces[k], 1e-12));
    }
    for (int k = 0; k < 6; ++k) CHECK(check::close(a.virial[k], b.virial[k], 1e-12));
}

void bad_atoms_are_reported(const Evaluator& e, Atoms atoms) {
    const double x = atoms.positions[0];
    for (int k = 0; k < 3; ++k) atoms.positions[k] = atoms.positions[3 + k];
    EvaluateStatus s = evaluate(e, atoms.view()).status;
    CHECK(s.code == EvaluateStatus::coincident && s.distance == 0 && std::min(s.i, s.j) == 0 &&
          std::max(s.i, s.j) == 1);
    atoms.positions[0] = x;
    atoms.index[0] = 1000;
    s = evaluate(e, atoms.view()).status;
    CHECK(s.code == EvaluateStatus::bad_index && s.j == 1000);
}

}  // namespace

int main() {
    std::mt19937 rng(11);
    for (int nz : {1, 2, 4}) {
        const Tables t = random_tables(rng, nz, 4, 3);
        const ModelTerms m = random_terms(rng, t, 5, 30);
        for (Isa isa : usable_isas())
            for (bool periodic : {true, false}) {
                Atoms atoms = random_atoms(rng, periodic ? 2 : 20, nz, periodic);
                atoms.build_list(4.2);
                const Evaluator e(t, m, isa, Precision::float64), rough(t, m, isa, Precision::float32);
                energies_equal_plain_loops(e, t, m, atoms, 1e-12);
                energies_equal_plain_loops(rough, t, m, atoms, 1e-4);
                forces_are_minus_the_gradient(e, atoms);
                vectors_and_threads_change_nothing(e, atoms);
                if (!periodic) bad_atoms_are_reported(e, atoms);
            }
    }
    return check::finish();
}
