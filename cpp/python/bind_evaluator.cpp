// _core.Evaluator: energies, forces and virials of a fitted potential; _core.Hessian: their derivatives. One unit, as
// both compile the same models.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "arrays.hpp"
#include "lacemaker/evaluator.hpp"
#include "lacemaker/hessian.hpp"
#include "structure.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lacemaker::python;
using lacemaker::Evaluator;
using lacemaker::Hessian;
using lacemaker::ModelTerms;
using lacemaker::Precision;
using lacemaker::Tables;

namespace {

Precision precision(const std::string& dtype) {
    require(dtype == "float64" || dtype == "float32", "dtype must be 'float64' or 'float32', found '" + dtype + "'");
    return dtype == "float64" ? Precision::float64 : Precision::float32;
}

void construct(Evaluator* self, const Tables& tables, Vector<std::int32_t> term_centre, Vector<std::int64_t> term_first,
               Vector<std::int32_t> term_index, Vector<double> term_weight,
               Array<double, nb::shape<-1, -1, -1>> pair_coefficients, Vector<double> e0, const std::string& isa,
               const std::string& dtype) {
    const ModelTerms terms{to_vector(term_centre), to_vector(term_first),        to_vector(term_index),
                           to_vector(term_weight), to_vector(pair_coefficients), to_vector(e0)};
    const Precision p = precision(dtype);
    const lacemaker::Isa chosen = lacemaker::choose_isa(isa);
    nb::gil_scoped_release released;
    new (self) Evaluator(tables, terms, chosen, p);
}

nb::tuple evaluate(const Evaluator& self, Positions positions, Cell cell, Vector<std::int32_t> species,
                   Vector<std::int64_t> first, Vector<std::int32_t> index, Shifts shift, bool forces, int n_threads) {
    require(n_threads >= 1, "n_threads must be at least 1, found " + std::to_string(n_threads));
    const lacemaker::AtomsView atoms = atoms_view(positions, cell, species, first, index, shift, self.n_species());
    const std::size_t n = positions.shape(0);
    std::vector<double> energies(n), f(forces ? 3 * n : 0), virial(6, 0.0);
    lacemaker::EvaluateStatus status;
    {
        nb::gil_scoped_release released;
        status = self.evaluate(atoms, energies.data(), forces ? f.data() : nullptr, virial.data(), n_threads);
    }
    raise_status(status);
    if (!forces) return nb::make_tuple(to_numpy(std::move(energies), {n}), nb::none(), nb::none());
    return nb::make_tuple(to_numpy(std::move(energies), {n}), to_numpy(std::move(f), {n, 3}),
                          to_numpy(std::move(virial), {6}));
}

nb::dict statistics(const Evaluator& self) {
    std::vector<int> n_a;
    std::size_t terms = 0, blocks = 0, products = 0;
    double cost = 0;
    for (const lacemaker::Program& p : self.programs()) {
        n_a.push_back(p.layout.n_a);
        terms += p.n_terms;
        blocks += p.n_blocks;
        products += p.products.size();
        cost += p.predicted_cost;
    }
    nb::dict d;
    d["n_a"] = n_a;
    d["terms"] = terms;
    d["blocks"] = blocks;
    d["stored_products"] = products;
    d["predicted_product_cost"] = cost;
    d["isa"] = lacemaker::isa_name(self.isa());
    d["dtype"] = self.is_float64() ? "float64" : "float32";
    d["lanes"] = self.lanes();
    d["bytes"] = self.bytes();
    return d;
}


void construct_hessian(Hessian* self, const Tables& tables, Vector<std::int32_t> term_centre, Vector<std::int64_t> term_first,
               Vector<std::int32_t> term_index, Vector<double> term_weight,
               Array<double, nb::shape<-1, -1, -1>> pair_coefficients, Vector<double> e0, const std::string& isa) {
    const ModelTerms terms{to_vector(term_centre), to_vector(term_first),        to_vector(term_index),
                           to_vector(term_weight), to_vector(pair_coefficients), to_vector(e0)};
    const lacemaker::Isa chosen = lacemaker::choose_isa(isa);
    nb::gil_scoped_release released;
    new (self) Hessian(tables, terms, chosen);
}

nb::tuple hessian_product(const Hessian& self, Positions positions, Cell cell, Vector<std::int32_t> species,
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

nb::tuple sparse_hessian(const Hessian& self, Positions positions, Cell cell, Vector<std::int32_t> species,
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

void bind_evaluator(nb::module_& m) {
    nb::class_<Evaluator>(m, "Evaluator", "A potential compiled for one instruction set and precision.")
        .def("__init__", &construct, "tables"_a, nb::kw_only(), "term_centre"_a.noconvert(), "term_first"_a.noconvert(),
             "term_index"_a.noconvert(), "term_weight"_a.noconvert(), "pair_coefficients"_a.noconvert(),
             "e0"_a.noconvert(), "isa"_a = "auto", "dtype"_a = "float64")
        .def("evaluate", &evaluate, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), nb::kw_only(), "forces"_a = true,
             "n_threads"_a = 1,
             "Site energies (n_atoms,) eV, forces (n_atoms, 3) eV/Å and virial (6,) eV (xx yy zz yz xz xy, minus the "
             "strain derivative); forces and virial are None with forces=False.")
        .def("statistics", &statistics, "Sizes of the compiled program.");

    nb::class_<Hessian>(m, "Hessian", "Second derivatives of a potential, float64.")
        .def("__init__", &construct_hessian, "tables"_a, nb::kw_only(), "term_centre"_a.noconvert(), "term_first"_a.noconvert(),
             "term_index"_a.noconvert(), "term_weight"_a.noconvert(), "pair_coefficients"_a.noconvert(),
             "e0"_a.noconvert(), "isa"_a = "auto")
        .def("product", &hessian_product, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), "velocity"_a.noconvert(),
             "strain_rate"_a.noconvert().none() = nb::none(), nb::kw_only(), "n_threads"_a = 1,
             "Rates of the site energies (n_atoms,) eV, forces (n_atoms, 3) eV/Å and virial (6,) eV while positions "
             "move along velocity (n_atoms, 3) Å and all of space along strain_rate (3, 3).")
        .def("sparse", &sparse_hessian, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), nb::kw_only(), "n_threads"_a = 1,
             "The Hessian in block rows: first (n_atoms + 1,), columns (n_blocks,), blocks (n_blocks, 3, 3) eV/Å^2.");
}
