// _core.Hessian: second derivatives of a fitted potential.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>

#include "arrays.hpp"
#include "lacemaker/hessian.hpp"
#include "structure.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lacemaker::python;
using lacemaker::Hessian;
using lacemaker::ModelTerms;
using lacemaker::Tables;

namespace {

void construct(Hessian* self, const Tables& tables, Vector<std::int32_t> term_centre, Vector<std::int64_t> term_first,
               Vector<std::int32_t> term_index, Vector<double> term_weight,
               Array<double, nb::shape<-1, -1, -1>> pair_coefficients, Vector<double> e0, const std::string& isa) {
    const ModelTerms terms{to_vector(term_centre), to_vector(term_first),        to_vector(term_index),
                           to_vector(term_weight), to_vector(pair_coefficients), to_vector(e0)};
    const lacemaker::Isa chosen = lacemaker::choose_isa(isa);
    nb::gil_scoped_release released;
    new (self) Hessian(tables, terms, chosen);
}

nb::tuple product(const Hessian& self, Positions positions, Cell cell, Vector<std::int32_t> species,
                  Vector<std::int64_t> first, Vector<std::int32_t> index, Shifts shift, Positions velocity,
                  std::optional<Cell> strain_rate, int n_threads) {
    require(n_threads >= 1, "n_threads must be at least 1, found " + std::to_string(n_threads));
    lacemaker::AtomsView atoms = atoms_view(positions, cell, species, first, index, shift, self.n_species());
    const std::size_t n = positions.shape(0);
    require(velocity.shape(0) == n, "velocity has " + std::to_string(velocity.shape(0)) + " rows for " +
                                        std::to_string(n) + " atoms");
    check_finite(velocity.data(), 3 * n, "velocity", 3);
    atoms.velocity = velocity.data();
    if (strain_rate) {
        check_finite(strain_rate->data(), 9, "strain_rate", 3);
        atoms.strain_rate = strain_rate->data();
    }
    std::vector<double> energies(n), forces(3 * n), virial(6, 0.0);
    lacemaker::EvaluateStatus status;
    {
        nb::gil_scoped_release released;
        status = self.product(atoms, energies.data(), forces.data(), virial.data(), n_threads);
    }
    raise_status(status);
    return nb::make_tuple(to_numpy(std::move(energies), {n}), to_numpy(std::move(forces), {n, 3}),
                          to_numpy(std::move(virial), {6}));
}

nb::tuple sparse(const Hessian& self, Positions positions, Cell cell, Vector<std::int32_t> species,
                 Vector<std::int64_t> first, Vector<std::int32_t> index, Shifts shift, int n_threads) {
    require(n_threads >= 1, "n_threads must be at least 1, found " + std::to_string(n_threads));
    const lacemaker::AtomsView atoms = atoms_view(positions, cell, species, first, index, shift, self.n_species());
    for (std::size_t p = 0; p < index.shape(0); ++p)
        require(index(p) >= 0 && index(p) < atoms.n_atoms,
                "the neighbour list refers to atom " + std::to_string(index(p)) + ", which does not exist");
    lacemaker::SparseHessian out;
    lacemaker::EvaluateStatus status;
    {
        nb::gil_scoped_release released;
        status = self.sparse(atoms, out, n_threads);
    }
    raise_status(status);
    const std::size_t rows = out.first.size(), n = out.column.size();
    return nb::make_tuple(to_numpy(std::move(out.first), {rows}), to_numpy(std::move(out.column), {n}),
                          to_numpy(std::move(out.blocks), {n, 3, 3}));
}

}  // namespace

void bind_hessian(nb::module_& m) {
    nb::class_<Hessian>(m, "Hessian", "Second derivatives of a potential, float64.")
        .def("__init__", &construct, "tables"_a, nb::kw_only(), "term_centre"_a.noconvert(), "term_first"_a.noconvert(),
             "term_index"_a.noconvert(), "term_weight"_a.noconvert(), "pair_coefficients"_a.noconvert(),
             "e0"_a.noconvert(), "isa"_a = "auto")
        .def("product", &product, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), "velocity"_a.noconvert(),
             "strain_rate"_a.noconvert().none() = nb::none(), nb::kw_only(), "n_threads"_a = 1,
             "Rates of the site energies (n_atoms,) eV, forces (n_atoms, 3) eV/Å and virial (6,) eV while positions "
             "move along velocity (n_atoms, 3) Å and all of space along strain_rate (3, 3).")
        .def("sparse", &sparse, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), nb::kw_only(), "n_threads"_a = 1,
             "The Hessian in block rows: first (n_atoms + 1,), columns (n_blocks,), blocks (n_blocks, 3, 3) eV/Å^2.");
}
