// Second derivatives: laws that hold to round-off, on every instruction set of this machine.
#include <numeric>

#include "check.hpp"
#include "lacemaker/hessian.hpp"
#include "random_model.hpp"

using namespace lacemaker;
using namespace testing;

namespace {

using Values = std::vector<double>;

Values random_direction(std::mt19937& rng, std::size_t n) {
    std::normal_distribution<double> g;
    Values v(n);
    for (double& x : v) x = g(rng);
    return v;
}

double dot(const Values& a, const Values& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

struct Rates {
    Values energies, forces, virial;
};

Rates along(const Hessian& h, const Atoms& atoms, const Values& v, int n_threads = 1) {
    AtomsView view = atoms.view();
    view.velocity = v.data();
    Rates r{Values(view.n_sites), Values(3 * view.n_atoms), Values(6)};
    CHECK(h.product(view, r.energies.data(), r.forces.data(), r.virial.data(), n_threads).code == EvaluateStatus::ok);
    return r;
}

void the_energy_falls_along_the_forces(const Evaluator& e, const Hessian& h, const Atoms& atoms, const Values& v) {
    const AtomsView view = atoms.view();
    Values energies(view.n_sites), forces(3 * view.n_atoms), virial(6);
    CHECK(e.evaluate(view, energies.data(), forces.data(), virial.data()).code == EvaluateStatus::ok);
    const Rates r = along(h, atoms, v);
    CHECK(check::close(std::accumulate(r.energies.begin(), r.energies.end(), 0.0), -dot(forces, v), 1e-10));
}

void the_hessian_is_symmetric(const Hessian& h, const Atoms& atoms, const Values& v, const Values& w) {
    CHECK(check::close(dot(along(h, atoms, v).forces, w), dot(along(h, atoms, w, 3).forces, v), 1e-10));
}

void the_sparse_hessian_holds_all_products(const Hessian& h, const Atoms& atoms, const Values& v) {
    SparseHessian s;
    CHECK(h.sparse(atoms.view(), s, 2).code == EvaluateStatus::ok);
    const Rates r = along(h, atoms, v);
    for (std::size_t j = 0; j + 1 < s.first.size(); ++j)
        for (int a = 0; a < 3; ++a) {
            double sum = 0;
            for (std::int64_t k = s.first[j]; k < s.first[j + 1]; ++k)
                for (int b = 0; b < 3; ++b) sum += s.blocks[9 * k + 3 * a + b] * v[3 * s.column[k] + b];
            CHECK(check::close(sum, -r.forces[3 * j + a], 1e-10));
        }
}

}  // namespace

int main() {
    std::mt19937 rng(5);
    for (int nz : {1, 2, 4}) {
        const Tables t = random_tables(rng, nz, 4, 3);
        const ModelTerms m = random_terms(rng, t, 5, 30);
        for (Isa isa : usable_isas())
            for (bool periodic : {true, false}) {
                Atoms atoms = random_atoms(rng, periodic ? 2 : 20, nz, periodic);
                atoms.build_list(4.2);
                const Evaluator e(t, m, isa, Precision::float64);
                const Hessian h(t, m, isa);
                const std::size_t n = atoms.positions.size();
                const Values v = random_direction(rng, n), w = random_direction(rng, n);
                the_energy_falls_along_the_forces(e, h, atoms, v);
                the_hessian_is_symmetric(h, atoms, v, w);
                the_sparse_hessian_holds_all_products(h, atoms, v);
            }
    }
    return check::finish();
}
