// Second derivatives of a compiled potential: products with a direction, and the sparse Hessian. Host code.
//
//     Hessian h(tables, terms, choose_isa("auto"));
//     h.product(atoms, energies, forces, virial);      // rates along atoms.velocity and atoms.strain_rate
//     SparseHessian s;  h.sparse(atoms, s, n_threads);
//
// The sparse Hessian needs no colouring of the atoms: when atom j moves, only the energies of j and of the sites that
// have j in their lists change, so the three columns of j are three products on that cluster of sites, their neighbours
// riding along as atoms without energy. Cost: 3 (n_neighbours + 1) Jet evaluations of a site per atom, linear in the
// number of atoms. Rows of j hold every atom within two cutoffs; all images of an atom share one block.
#pragma once

#include <atomic>

#include "evaluator.hpp"

namespace lacemaker {

// Block compressed rows: row of atom j, blocks (3, 3) of d^2E / dx_j dx_k in eV/Å^2, columns ascending.
struct SparseHessian {
    std::vector<std::int64_t> first;   // (n_atoms + 1,)
    std::vector<std::int32_t> column;  // (n_blocks,)
    std::vector<double> blocks;        // (n_blocks, 3, 3)
};

class Hessian {
public:
    Hessian(const Tables& tables, const ModelTerms& terms, Isa isa)
        : rates_(tables, terms, isa, Precision::float64, rates_kernels(isa)) {}

    int n_species() const { return rates_.n_species(); }
    Isa isa() const { return rates_.isa(); }

    // Rates of the site energies, forces (minus Hessian times velocity) and virial along the atoms' direction.
    EvaluateStatus product(const AtomsView& atoms, double* site_energies, double* forces, double* virial,
                           int n_threads = 1) const {
        return rates_.evaluate(atoms, site_energies, forces, virial, n_threads);
    }

    // n_sites = n_atoms, and the list must hold every pair from both sides.
    EvaluateStatus sparse(const AtomsView& atoms, SparseHessian& out, int n_threads = 1) const {
        const int n = atoms.n_atoms;
        std::vector<std::vector<std::int32_t>> columns(n);
        std::vector<std::vector<double>> blocks(n);
        n_threads = std::max(1, std::min(n_threads, n));
        std::vector<EvaluateStatus> status(n_threads);
        std::atomic<int> next{0};
        Team team;
        team.run(n_threads, [&](int t) {
            Cluster cluster(atoms);
            for (int j = next++; j < n && status[t].code == EvaluateStatus::ok; j = next++) {
                cluster.around(atoms, j);
                status[t] = rows(cluster, columns[j], blocks[j]);
            }
        });
        for (const EvaluateStatus& s : status)
            if (s.code != EvaluateStatus::ok) return s;
        out.first.assign(1, 0);
        for (int j = 0; j < n; ++j) {
            out.column.insert(out.column.end(), columns[j].begin(), columns[j].end());
            out.blocks.insert(out.blocks.end(), blocks[j].begin(), blocks[j].end());
            out.first.push_back(std::int64_t(out.column.size()));
        }
        return {};
    }

private:
    // The sites that feel one atom (first), and the other atoms in their lists, under local numbers.
    struct Cluster {
        std::vector<std::int32_t> local;   // (n_atoms,) local number or -1
        std::vector<std::int32_t> atoms;   // local -> global
        std::vector<std::int32_t> species, index;
        std::vector<std::int64_t> first;
        std::vector<double> vectors, velocity, energies, forces;
        int n_sites = 0;

        explicit Cluster(const AtomsView& a) : local(a.n_atoms, -1) {}

        int number(int atom) {
            if (local[atom] < 0) {
                local[atom] = std::int32_t(atoms.size());
                atoms.push_back(atom);
            }
            return local[atom];
        }

        void around(const AtomsView& a, int j) {
            for (std::int32_t atom : atoms) local[atom] = -1;
            atoms.clear(), index.clear(), vectors.clear(), species.clear();
            first.assign(1, 0);
            number(j);
            for (std::int64_t p = a.first[j]; p < a.first[j + 1]; ++p) number(a.index[p]);
            n_sites = int(atoms.size());
            for (int site = 0; site < n_sites; ++site) {
                const std::int32_t i = atoms[site];
                for (std::int64_t p = a.first[i]; p < a.first[i + 1]; ++p) add_pair(a, i, p);
                first.push_back(std::int64_t(index.size()));
            }
            for (std::int32_t atom : atoms) species.push_back(a.species[atom]);
            velocity.assign(3 * atoms.size(), 0.0);
            energies.resize(n_sites);
            forces.resize(3 * atoms.size());
        }

        void add_pair(const AtomsView& a, int i, std::int64_t p) {
            const std::int32_t k = a.index[p];
            index.push_back(number(k));
            for (int axis = 0; axis < 3; ++axis) {
                double d = a.positions[3 * std::size_t(k) + axis] - a.positions[3 * std::size_t(i) + axis];
                for (int c = 0; c < 3 && a.shift; ++c) d += a.shift[3 * p + c] * a.cell[3 * c + axis];
                vectors.push_back(d);
            }
        }

        AtomsView view() const {
            AtomsView v{};
            v.n_sites = n_sites, v.n_atoms = int(atoms.size());
            v.species = species.data(), v.first = first.data(), v.index = index.data();
            v.vectors = vectors.empty() ? velocity.data() : vectors.data();  // null would mean: use positions
            v.velocity = velocity.data();
            return v;
        }
    };

    // The row of the cluster's first atom: H is symmetric, so its three columns, transposed.
    EvaluateStatus rows(Cluster& c, std::vector<std::int32_t>& columns, std::vector<double>& blocks) const {
        const std::size_t n = c.atoms.size();
        std::vector<std::size_t> order(n);
        for (std::size_t k = 0; k < n; ++k) order[k] = k;
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return c.atoms[a] < c.atoms[b]; });
        for (std::size_t k : order) columns.push_back(c.atoms[k]);
        blocks.resize(9 * n);
        for (int axis = 0; axis < 3; ++axis) {
            double virial[6];
            c.velocity[axis] = 1.0;
            EvaluateStatus status = rates_.evaluate(c.view(), c.energies.data(), c.forces.data(), virial);
            c.velocity[axis] = 0.0;
            if (status.code != EvaluateStatus::ok) {
                if (status.i >= 0) status.i = c.atoms[status.i];
                if (status.j >= 0) status.j = c.atoms[status.j];
                return status;
            }
            for (std::size_t k = 0; k < n; ++k)
                for (int b = 0; b < 3; ++b) blocks[9 * k + 3 * axis + b] = -c.forces[3 * order[k] + b];
        }
        return {};
    }

    Evaluator rates_;
};

}  // namespace lacemaker
