// _core.Evaluator: energies, forces and virials of a fitted potential.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "lacemaker/evaluator.hpp"
#include "structure.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lacemaker::python;
using lacemaker::Evaluator;
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
}
