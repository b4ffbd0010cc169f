// Tabulated radial functions and embedded densities against plain loops and finite differences, on every instruction
// set of this machine. The functions are polynomials in r, written bin by bin.
#include <array>
#include <numeric>

#include "check.hpp"
#include "lacemaker/embedding.hpp"
#include "lacemaker/tabulated.hpp"
#include "random_model.hpp"

using namespace lacemaker;
using namespace testing;

namespace {

constexpr int n_max = 3, l_max = 2, per_pair = n_max * (l_max + 1) + 1;  // l = 0: 3 functions, the core, then l = 1, 2
using Polynomial = std::array<double, table_order>;

// p(a + b t) in powers of t.
Polynomial shifted(const Polynomial& p, double a, double b) {
    Polynomial out{};
    for (int q = table_order - 1; q >= 0; --q) {
        for (int k = table_order - 1; k > 0; --k) out[k] = a * out[k] + b * out[k - 1];
        out[0] = a * out[0] + p[q];
    }
    return out;
}

double value(const Polynomial& p, double r) {
    double sum = 0;
    for (int q = table_order - 1; q >= 0; --q) sum = sum * r + p[q];
    return sum;
}

struct Case {
    Tables tables;
    RadialSplineTables radial;
    EmbeddingTables embedding;
    std::vector<ModelTerms> densities;
    std::vector<Polynomial> functions;  // (NZ, NZ, per_pair), of r; zero with its slope at the cutoff

    double cutoff(int i, int j) const { return tables.many_body.transform_params[5 * (i * tables.n_species + j) + 2]; }
};

void add_functions(Case& c, std::mt19937& rng, double rcut) {
    std::normal_distribution<double> g(0.0, 0.5);
    std::vector<Polynomial> own(per_pair);
    for (Polynomial& p : own) {
        const double a = g(rng), b = g(rng) / rcut, s = 1 / rcut;  // (a + b r) (1 - r/rcut)^2
        p = {a, b - 2 * a * s, a * s * s - 2 * b * s, b * s * s};
    }
    const double edges[] = {0.0, 1.9, rcut};
    const int bins[] = {3, 5};
    for (int s = 0; s < 2; ++s) {
        const double width = (edges[s + 1] - edges[s]) / bins[s];
        c.radial.segment_range.insert(c.radial.segment_range.end(), {edges[s], edges[s + 1]});
        c.radial.segment_bins.push_back(bins[s]);
        for (int bin = 0; bin < bins[s]; ++bin) {
            std::vector<Polynomial> here;
            for (const Polynomial& p : own) here.push_back(shifted(p, edges[s] + (bin + 0.5) * width, 0.5 * width));
            for (int q = 0; q < table_order; ++q)
                for (const Polynomial& p : here) c.radial.coefficients.push_back(p[q]);
        }
    }
    c.radial.segment_first.push_back(int(c.radial.segment_bins.size()));
    c.functions.insert(c.functions.end(), own.begin(), own.end());
}

Case random_case(std::mt19937& rng, int nz, int n_densities) {
    Case c;
    c.tables = random_tables(rng, nz, n_max + 1, l_max);
    c.tables.pair = random_radial(rng, nz, 0, 1, 2, 2);
    c.tables.zbl.assign(3 * nz * nz, 0.0);
    c.tables.many_body.norm.assign(n_max + 1, 1.0);
    c.tables.a_spec.clear(), c.tables.a_first.assign(1, 0);
    for (int i = 0; i < nz; ++i) {
        for (int z = 0; z < nz; ++z)
            for (int l = 0; l <= l_max; ++l)
                for (int n = 1; n <= n_max + (l == 0); ++n)
                    for (int m = -l; m <= l; ++m) c.tables.a_spec.push_back({z, n, l, m});
        c.tables.a_first.push_back(int(c.tables.a_spec.size()));
    }
    c.radial.n_l = l_max + 1;
    c.radial.segment_first.push_back(0);
    for (int k = 0; k < nz * nz; ++k) {
        c.radial.n_functions.push_back(per_pair);
        c.radial.first_function.insert(c.radial.first_function.end(), {0, n_max + 1, 2 * n_max + 1});
        c.radial.has_core.push_back(1);
        c.radial.inner.insert(c.radial.inner.end(), {0.0, 0.0});
        add_functions(c, rng, c.cutoff(k / nz, k % nz));
    }
    std::uniform_real_distribution<double> u(0.5, 1.5);
    c.embedding.n_densities = n_densities;
    for (int z = 0; z < nz; ++z) {
        c.embedding.kind.push_back(EmbeddingView::shifted_scaled);
        c.embedding.core.insert(c.embedding.core.end(), {1.5, 3.0});
        for (int p = 0; p < n_densities; ++p) {
            c.embedding.weight.push_back(u(rng));
            c.embedding.exponent.push_back(p == 0 ? 1.0 : 0.4 + 0.2 * p);
        }
    }
    for (int p = 0; p < n_densities; ++p) {
        c.densities.push_back(random_terms(rng, c.tables, 4, 20));
        c.densities.back().pair_coefficients.clear();
        ModelTerms& m = c.densities.back();
        for (int z = 0; z < nz; ++z)  // the core's row belongs to no term
            for (std::int64_t k = m.term_first[m.term_centre[z]]; k < m.term_first[m.term_centre[z + 1]]; ++k)
                if (c.tables.channels(z)[m.term_index[k]].n > n_max) m.term_index[k] = 0;
    }
    return c;
}

std::vector<double> plain(const Case& c, const Atoms& atoms) {
    std::vector<double> beta(harmonic_stride * harmonic_stride), out, vectors = atoms.vectors();
    fill_harmonic_beta(beta.data());
    const int nz = c.tables.n_species;
    for (std::size_t i = 0; i + 1 < atoms.first.size(); ++i) {
        const int zi = atoms.species[i];
        std::vector<double> A(c.tables.n_a(zi), 0.0);
        double core = 0, energy = 0;
        for (std::int64_t p = atoms.first[i]; p < atoms.first[i + 1]; ++p) {
            const double* d = &vectors[3 * p];
            const int zj = atoms.species[atoms.index[p]];
            const double r = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
            if (r >= c.cutoff(zi, zj)) continue;
            const Polynomial* R = &c.functions[(zi * nz + zj) * per_pair];
            core += value(R[n_max], r) / r;
            double Y[100];
            harmonics(l_max, beta.data(), d[0] / r, d[1] / r, d[2] / r, Y, 1);
            for (int v = 0; v < c.tables.n_a(zi); ++v) {
                const AChannel& a = c.tables.channels(zi)[v];
                if (a.z != zj || a.n > n_max) continue;
                const int f = (a.l == 0 ? 0 : a.l == 1 ? n_max + 1 : 2 * n_max + 1) + a.n - 1;
                A[v] += value(R[f], r) * harmonic_norm(a.l, a.m) * Y[a.l * a.l + a.l + a.m];
            }
        }
        for (int p = 0; p < c.embedding.n_densities; ++p) {
            const ModelTerms& m = c.densities[p];
            double rho = 0;
            for (int t = m.term_centre[zi]; t < m.term_centre[zi + 1]; ++t) {
                double product = m.term_weight[t];
                for (std::int64_t k = m.term_first[t]; k < m.term_first[t + 1]; ++k) product *= A[m.term_index[k]];
                rho += product;
            }
            const std::size_t at = std::size_t(zi) * c.embedding.n_densities + p;
            const double x = c.embedding.exponent[at];
            energy += c.embedding.weight[at] * (x == 1.0 ? rho : shifted_scaled(rho, x).value);
        }
        const double keep = fade_out(core, c.embedding.core[2 * zi], c.embedding.core[2 * zi + 1]).value;
        out.push_back(energy * keep + core + c.densities[0].e0[zi]);
    }
    return out;
}

void agrees(const Case& c, const TabulatedEvaluator& e, Atoms atoms) {
    const auto run = [&](std::vector<double>& energies, std::vector<double>& forces) {
        const AtomsView view = atoms.view();
        double virial[6];
        energies.assign(view.n_sites, 0.0), forces.assign(3 * view.n_atoms, 0.0);
        CHECK(e.evaluate(view, energies.data(), forces.data(), virial, 2).code == EvaluateStatus::ok);
        return std::accumulate(energies.begin(), energies.end(), 0.0);
    };
    std::vector<double> energies, forces, unused, ignored;
    run(energies, forces);
    const std::vector<double> expected = plain(c, atoms);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(check::close(energies[i], expected[i], 1e-11));
    const double h = 2e-4;
    for (std::size_t k = 0; k < 6; ++k) {
        const double x = atoms.positions[k];
        const auto energy = [&](double step) {
            atoms.positions[k] = x + step;
            return run(unused, ignored);
        };
        const double slope = (8 * (energy(h) - energy(-h)) - (energy(2 * h) - energy(-2 * h))) / (12 * h);
        atoms.positions[k] = x;
        CHECK(check::close(forces[k], -slope, 1e-6));
    }
}

}  // namespace

int main() {
    std::mt19937 rng(5);
    for (int nz : {1, 3})
        for (int n_densities : {1, 3}) {
            const Case c = random_case(rng, nz, n_densities);
            for (Isa isa : usable_isas()) {
                const TabulatedEvaluator e(c.tables, c.radial, c.embedding, c.densities, isa);
                for (bool periodic : {true, false}) {
                    Atoms atoms = random_atoms(rng, periodic ? 2 : 20, nz, periodic);
                    atoms.build_list(4.2);
                    agrees(c, e, atoms);
                }
            }
        }
    return check::finish();
}
