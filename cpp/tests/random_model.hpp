// Random models and structures, and their energies by the plainest possible loops.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "lacemaker/evaluator.hpp"
#include "lacemaker/geometry.hpp"
#include "lacemaker/harmonics.hpp"
#include "lacemaker/radial.hpp"

namespace testing {

using lacemaker::AtomsView;
using lacemaker::ModelTerms;
using lacemaker::Tables;

inline lacemaker::RadialTable random_radial(std::mt19937& rng, int nz, int n_max, int transform, int envelope,
                                            double p1) {
    std::uniform_real_distribution<double> u(0.0, 1.0);
    lacemaker::RadialTable t;
    t.transform = transform;
    t.envelope = envelope;
    t.envelope_params[0] = p1, t.envelope_params[1] = 2;
    for (int k = 0; k < nz * nz; ++k)
        for (double v : {0.3 * u(rng), 1.8 + 0.6 * u(rng), 3.4 + 0.6 * u(rng), 2.0, 4.0})
            t.transform_params.push_back(v);
    for (int n = 0; n < n_max; ++n) {
        t.beta.push_back(0.2 * u(rng) - 0.1);
        t.gamma.push_back(0.2 + 0.1 * u(rng));
        t.norm.push_back(0.5 + u(rng));
    }
    return t;
}

inline Tables random_tables(std::mt19937& rng, int nz, int n_max, int l_max) {
    Tables t;
    t.n_species = nz;
    t.many_body = random_radial(rng, nz, n_max, 0, 1, 2);
    t.pair = random_radial(rng, nz, 5, 1, 2, 2);
    t.zbl.assign(3 * nz * nz, 0.0);
    for (int k = 0; k < nz * nz; ++k) t.zbl[3 * k] = 20.0, t.zbl[3 * k + 1] = 0.8, t.zbl[3 * k + 2] = 1.9;
    t.zbl_a.assign(nz * nz, 0.15);
    t.a_first.push_back(0);
    for (int c = 0; c < nz; ++c) {
        for (int z = 0; z < nz; ++z)
            for (int n = 1; n <= n_max; ++n)
                for (int l = 0; l <= l_max; ++l)
                    for (int m = -l; m <= l; ++m)
                        if (rng() % 3) t.a_spec.push_back({z, n, l, m});
        t.a_first.push_back(int(t.a_spec.size()));
    }
    lacemaker::check(t);
    return t;
}

inline ModelTerms random_terms(std::mt19937& rng, const Tables& t, int max_order, int per_order) {
    std::normal_distribution<double> g(0.0, 0.1);
    ModelTerms m;
    m.term_centre.push_back(0);
    m.term_first.push_back(0);
    for (int c = 0; c < t.n_species; ++c) {
        for (int order = 1; order <= max_order; ++order)
            for (int k = 0; k < per_order; ++k) {
                for (int v = 0; v < order; ++v) m.term_index.push_back(int(rng() % unsigned(t.n_a(c))));
                m.term_first.push_back(std::int64_t(m.term_index.size()));
                m.term_weight.push_back(g(rng));
            }
        m.term_centre.push_back(int(m.term_weight.size()));
        m.e0.push_back(g(rng));
    }
    for (int k = 0; k < t.n_species * t.n_species * t.pair.n_max(); ++k) m.pair_coefficients.push_back(g(rng));
    return m;
}

// Atoms in a skewed periodic cell smaller than the cutoff, or a free cluster, with a brute-force list.
struct Atoms {
    std::vector<double> positions, cell;
    std::vector<std::int32_t> species, index, shift;
    std::vector<std::int64_t> first;
    bool periodic = false;

    void build_list(double cutoff) {
        first.assign(1, 0), index.clear(), shift.clear();
        const int n = int(species.size()), reach = periodic ? 4 : 0;
        for (int i = 0; i < n; ++i) {
            for (int j = 0; j < n; ++j)
                for (int a = -reach; a <= reach; ++a)
                    for (int b = -reach; b <= reach; ++b)
                        for (int c = -reach; c <= reach; ++c) {
                            if (i == j && !a && !b && !c) continue;
                            double r2 = 0;
                            for (int k = 0; k < 3; ++k) {
                                const double d = positions[3 * j + k] - positions[3 * i + k] + a * cell[k] +
                                                 b * cell[3 + k] + c * cell[6 + k];
                                r2 += d * d;
                            }
                            if (r2 >= cutoff * cutoff) continue;
                            index.push_back(j);
                            shift.insert(shift.end(), {a, b, c});
                        }
            first.push_back(std::int64_t(index.size()));
        }
    }

    AtomsView view() const {
        const int n = int(species.size());
        return {n, n, species.data(), first.data(), index.data(), positions.data(), cell.data(), shift.data(), nullptr};
    }

    std::vector<double> vectors() const {
        std::vector<double> d;
        for (std::size_t i = 0; i + 1 < first.size(); ++i)
            for (std::int64_t p = first[i]; p < first[i + 1]; ++p)
                for (int k = 0; k < 3; ++k)
                    d.push_back(positions[3 * index[p] + k] - positions[3 * i + k] + shift[3 * p] * cell[k] +
                                shift[3 * p + 1] * cell[3 + k] + shift[3 * p + 2] * cell[6 + k]);
        return d;
    }
};

inline Atoms random_atoms(std::mt19937& rng, int n, int nz, bool periodic) {
    std::uniform_real_distribution<double> u(0.0, 1.0);
    Atoms a;
    a.periodic = periodic;
    a.cell =
        periodic ? std::vector<double>{3.6, 0.3, -0.2, 0.9, 3.4, 0.1, -0.5, 0.4, 3.9} : std::vector<double>(9, 0.0);
    for (int i = 0; i < n; ++i) {
        if (periodic)
            for (int k = 0; k < 3; ++k) a.positions.push_back(1.7 * i + 0.2 * u(rng));
        else
            for (int k = 0; k < 3; ++k)
                a.positions.push_back(1.9 * (k == 0 ? i % 3 : k == 1 ? i / 3 % 3 : i / 9) + 0.3 * u(rng));
        a.species.push_back(int(rng() % unsigned(nz)));
    }
    return a;
}

// Site energies by the formulas, one lane.
inline std::vector<double> plain_energies(const Tables& t, const ModelTerms& m, const Atoms& atoms) {
    using namespace lacemaker;
    std::vector<double> beta(harmonic_stride * harmonic_stride), out, vectors = atoms.vectors();
    fill_harmonic_beta(beta.data());
    for (std::size_t i = 0; i + 1 < atoms.first.size(); ++i) {
        const int zi = atoms.species[i];
        double energy = m.e0[zi];
        std::vector<double> A(t.n_a(zi), 0.0);
        for (std::int64_t p = atoms.first[i]; p < atoms.first[i + 1]; ++p) {
            const double* d = &vectors[3 * p];
            const int zj = atoms.species[atoms.index[p]];
            const double r = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
            const auto values = [&](const RadialTable& table) {
                const RadialPair<double> k = radial_pair<double>(t, table, zi, zj);
                const Dual<double> x = transform(k, r), env = envelope(k, r, 1 / r, x);
                std::vector<double> R(table.n_max());
                const Recursion<double> c{table.beta.data(), table.gamma.data(), table.n_max(), false};
                radial_values(c, table.n_max(), x.value, env.value, R.data(), 1);
                for (int n = 0; n < table.n_max(); ++n) R[n] *= table.norm[n];
                return R;
            };
            const std::vector<double> R = values(t.many_body), P = values(t.pair);
            for (int n = 0; n < t.pair.n_max(); ++n)
                energy += m.pair_coefficients[(zi * t.n_species + zj) * t.pair.n_max() + n] * P[n];
            double Y[100];
            harmonics(6, beta.data(), d[0] / r, d[1] / r, d[2] / r, Y, 1);
            for (int v = 0; v < t.n_a(zi); ++v) {
                const AChannel& a = t.channels(zi)[v];
                if (a.z == zj) A[v] += R[a.n - 1] * harmonic_norm(a.l, a.m) * Y[a.l * a.l + a.l + a.m];
            }
            const ZblPair zbl = t.zbl_pair(zi, zj);
            if (r < zbl.r_outer) energy += half_zbl(zbl, r).value;
        }
        for (int term = m.term_centre[zi]; term < m.term_centre[zi + 1]; ++term) {
            double product = m.term_weight[term];
            for (std::int64_t k = m.term_first[term]; k < m.term_first[term + 1]; ++k) product *= A[m.term_index[k]];
            energy += product;
        }
        out.push_back(energy);
    }
    return out;
}

}  // namespace testing
