// What every kernel of one basis shares: radial functions per species pair, short-range repulsion, the A functions.
//
// Host code. The arrays mirror the keyword arguments of the Python class _core.Tables one to one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "harmonics.hpp"
#include "radial.hpp"
#include "radial_parameters.hpp"

namespace lacemaker {

// Parameters of one radial basis (many-body or pair), for all species pairs.
struct RadialTable {
    int transform = 0;
    std::vector<double> transform_params;  // (NZ, NZ, 5): rin, r0, rcut in Å, p, q
    int envelope = 0;
    double envelope_params[2] = {0, 0};     // p1, p2
    std::vector<double> beta, gamma, norm;  // (n_max,)

    int n_max() const { return int(norm.size()); }
};

// One row of a_spec: A_{z n l m} of some centre.
struct AChannel {
    std::int32_t z, n, l, m;  // n is 1-based
};

struct Tables {
    int n_species = 0;
    RadialTable many_body, pair;
    std::vector<double> zbl;            // (NZ, NZ, 3): Z_i Z_j, r_inner, r_outer in Å
    std::vector<double> zbl_a;          // (NZ, NZ): screening length, Å
    std::vector<std::int32_t> a_first;  // (NZ + 1,)
    std::vector<AChannel> a_spec;       // (sum n_A,)

    int n_a(int centre) const { return a_first[centre + 1] - a_first[centre]; }
    const AChannel* channels(int centre) const { return a_spec.data() + a_first[centre]; }

    ZblPair zbl_pair(int i, int j) const {
        const std::size_t k = std::size_t(i) * n_species + j;
        return {zbl[3 * k], zbl[3 * k + 1], zbl[3 * k + 2], zbl_a[k]};
    }
};

namespace detail {

// p if it is a small non-negative integer, else -1.
inline int small_integer(double p) { return p >= 0 && p <= 64 && p == std::floor(p) ? int(p) : -1; }

inline void require(bool ok, const std::string& message) {
    if (!ok) throw std::invalid_argument(message);
}

}  // namespace detail

// Parameters of the pair (i, j), with everything that does not depend on r worked out.
template <class T>
RadialPair<T> radial_pair(const Tables& tables, const RadialTable& table, int i, int j) {
    const double* v = table.transform_params.data() + 5 * (std::size_t(i) * tables.n_species + j);
    const double rin = v[0], r0 = v[1], rcut = v[2], p = v[3], q = v[4];
    const double e1 = table.envelope_params[0], e2 = table.envelope_params[1];
    RadialPair<double> k{};
    k.transform = Transform(table.transform);
    k.envelope = Envelope(table.envelope);
    k.p_int = detail::small_integer(p);
    k.q_int = detail::small_integer(q);
    k.e1_int = detail::small_integer(e1);
    k.e2_int = detail::small_integer(e2);
    k.rin = rin;
    k.r0 = r0;
    k.rcut = rcut;
    k.p = p;
    k.q = q;
    k.inverse_width = 1.0 / (r0 - rin);
    k.inverse_r0 = 1.0 / r0;
    k.agnesi_a = (-2.0 * q + p * (4.0 * q - 2.0)) / (p + p * p + q + q * q);
    k.e1 = e1;
    k.e2 = e2;
    const double sc = rcut / r0;
    k.env_value = std::pow(sc, -e1);
    k.env_slope = e1 * std::pow(sc, -e1 - 1.0);
    const double y_in = raw_transform(k, rin).value, y_cut = raw_transform(k, rcut).value;
    detail::require(y_in != y_cut, "the distance transform is constant between rin and rcut: choose rin < rcut");
    k.y_in = y_in;
    k.x_scale = 2.0 / (y_cut - y_in);
    RadialPair<T> out{};
    out.transform = k.transform;
    out.envelope = k.envelope;
    out.p_int = k.p_int, out.q_int = k.q_int, out.e1_int = k.e1_int, out.e2_int = k.e2_int;
    out.rin = T(k.rin), out.r0 = T(k.r0), out.rcut = T(k.rcut), out.p = T(k.p), out.q = T(k.q);
    out.inverse_width = T(k.inverse_width), out.inverse_r0 = T(k.inverse_r0), out.agnesi_a = T(k.agnesi_a);
    out.y_in = T(k.y_in), out.x_scale = T(k.x_scale), out.e1 = T(k.e1), out.e2 = T(k.e2);
    out.env_value = T(k.env_value), out.env_slope = T(k.env_slope);
    return out;
}

// Checks of one radial basis; `name` is used in the messages.
inline void check_radial(const RadialTable& t, int n_species, const std::string& name) {
    using detail::require;
    const std::size_t pairs = std::size_t(n_species) * n_species;
    require(t.transform >= 0 && t.transform <= 3, name + ": unknown transform " + std::to_string(t.transform));
    require(t.envelope >= 0 && t.envelope <= 3, name + ": unknown envelope " + std::to_string(t.envelope));
    require(t.transform_params.size() == 5 * pairs, name + ": transform parameters must have shape (NZ, NZ, 5)");
    require(t.beta.size() == t.norm.size() && t.gamma.size() == t.norm.size(),
            name + ": beta, gamma and norm must have equal length");
    for (std::size_t k = 0; k < pairs; ++k) {
        const double* v = t.transform_params.data() + 5 * k;
        require(v[0] >= 0 && v[1] > v[0] && v[2] > v[0] && std::isfinite(v[2]),
                name + ": needs 0 <= rin < r0 and rin < rcut, found rin " + std::to_string(v[0]) + ", r0 " +
                    std::to_string(v[1]) + ", rcut " + std::to_string(v[2]));
        if (t.transform == int(Transform::agnesi)) {
            const int p = detail::small_integer(v[3]), q = detail::small_integer(v[4]);
            require(p >= 1 && q >= p, name + ": the Agnesi transform needs integers 1 <= p <= q, found p " +
                                          std::to_string(v[3]) + ", q " + std::to_string(v[4]));
        }
    }
    if (t.envelope == int(Envelope::x))
        require(detail::small_integer(t.envelope_params[0]) >= 0 && detail::small_integer(t.envelope_params[1]) >= 0,
                name + ": the x envelope needs non-negative integer exponents");
}

inline void check(const Tables& t) {
    using detail::require;
    require(t.n_species >= 1, "n_species must be at least 1, found " + std::to_string(t.n_species));
    const std::size_t pairs = std::size_t(t.n_species) * t.n_species;
    check_radial(t.many_body, t.n_species, "many-body radial basis");
    check_radial(t.pair, t.n_species, "pair radial basis");
    require(t.zbl.size() == 3 * pairs, "zbl must have shape (NZ, NZ, 3)");
    require(t.zbl_a.size() == pairs, "zbl_a must have shape (NZ, NZ)");
    require(t.a_first.size() == std::size_t(t.n_species) + 1 && t.a_first.front() == 0 &&
                t.a_first.back() == int(t.a_spec.size()) && std::is_sorted(t.a_first.begin(), t.a_first.end()),
            "a_first must rise from 0 to the number of rows of a_spec in NZ + 1 steps");
    for (const AChannel& a : t.a_spec)
        require(a.z >= 0 && a.z < t.n_species && a.n >= 1 && a.n <= t.many_body.n_max() && a.l >= 0 &&
                    a.l <= max_harmonic_degree && std::abs(a.m) <= a.l,
                "a_spec holds an impossible row: z " + std::to_string(a.z) + ", n " + std::to_string(a.n) + ", l " +
                    std::to_string(a.l) + ", m " + std::to_string(a.m) + " (n_max " +
                    std::to_string(t.many_body.n_max()) + ", l at most " + std::to_string(max_harmonic_degree) + ")");
}

// Largest distance at which centre i feels neighbour j: many-body, pair and repulsion.
inline double pair_cutoff(const Tables& t, int i, int j) {
    const std::size_t k = std::size_t(i) * t.n_species + j;
    double rcut = t.many_body.transform_params[5 * k + 2];
    if (t.pair.n_max() > 0) rcut = std::max(rcut, t.pair.transform_params[5 * k + 2]);
    if (t.zbl[3 * k] != 0) rcut = std::max(rcut, t.zbl[3 * k + 2]);
    return rcut;
}

}  // namespace lacemaker
