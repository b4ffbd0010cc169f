// _core.Committee: several coefficient vectors of one basis, evaluated in one pass.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include "arrays.hpp"
#include "lacemaker/committee.hpp"
#include "structure.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lacemaker::python;
using lacemaker::Committee;
using lacemaker::ModelTerms;
using lacemaker::Precision;
using lacemaker::Tables;

namespace {

void construct(Committee* self, const Tables& tables, Vector<std::int32_t> term_centre, Vector<std::int64_t> term_first,
               Vector<std::int32_t> term_index, Array<double, nb::shape<-1, -1>> term_weight,
               Array<double, nb::shape<-1, -1, -1, -1>> pair_coefficients, Array<double, nb::shape<-1, -1>> e0,
               const std::string& isa, const std::string& dtype) {
    require(dtype == "float64" || dtype == "float32", "dtype must be 'float64' or 'float32', found '" + dtype + "'");
    const std::size_t k = term_weight.shape(0);
    require(pair_coefficients.shape(0) == k && e0.shape(0) == k,
            "term_weight, pair_coefficients and e0 must have one row per member");
    std::vector<ModelTerms> members;
    for (std::size_t c = 0; c < k; ++c) {
        const auto row = [c](const auto& array) {
            const std::size_t n = array.size() / array.shape(0);
            return std::vector<double>(array.data() + c * n, array.data() + (c + 1) * n);
        };
        members.push_back({to_vector(term_centre), to_vector(term_first), to_vector(term_index), row(term_weight),
                           row(pair_coefficients), row(e0)});
    }
    const lacemaker::Isa chosen = lacemaker::choose_isa(isa);
    nb::gil_scoped_release released;
    new (self) Committee(tables, members, chosen, dtype == "float64" ? Precision::float64 : Precision::float32);
}

nb::tuple evaluate(const Committee& self, Positions positions, Cell cell, Vector<std::int32_t> species,
                   Vector<std::int64_t> first, Vector<std::int32_t> index, Shifts shift, int n_threads) {
    require(n_threads >= 1, "n_threads must be at least 1, found " + std::to_string(n_threads));
    const lacemaker::AtomsView atoms = atoms_view(positions, cell, species, first, index, shift, self.n_species());
    const std::size_t n = positions.shape(0), k = self.size();
    std::vector<double> energies(k * n), forces(k * 3 * n), virials(6 * k);
    lacemaker::EvaluateStatus status;
    {
        nb::gil_scoped_release released;
        status = self.evaluate(atoms, energies.data(), forces.data(), virials.data(), n_threads);
    }
    raise_status(status);
    return nb::make_tuple(to_numpy(std::move(energies), {k, n}), to_numpy(std::move(forces), {k, n, 3}),
                          to_numpy(std::move(virials), {k, 6}));
}

}  // namespace

void bind_committee(nb::module_& m) {
    nb::class_<Committee>(m, "Committee", "Coefficient vectors of one basis that share everything but their weights.")
        .def("__init__", &construct, "tables"_a, nb::kw_only(), "term_centre"_a.noconvert(), "term_first"_a.noconvert(),
             "term_index"_a.noconvert(), "term_weight"_a.noconvert(), "pair_coefficients"_a.noconvert(),
             "e0"_a.noconvert(), "isa"_a = "auto", "dtype"_a = "float32")
        .def("evaluate", &evaluate, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), nb::kw_only(), "n_threads"_a = 1,
             "Site energies (k, n_atoms) eV, forces (k, n_atoms, 3) eV/Å and virials (k, 6) eV of the k members; no ZBL.")
        .def("__len__", &Committee::size);
}
