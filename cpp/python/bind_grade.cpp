// _core.SiteFunctions: basis functions of single sites, and extrapolation grades.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "design_tables.hpp"
#include "lacemaker/grade.hpp"
#include "structure.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lacemaker::python;
using lacemaker::Grade;

namespace {

void construct(Grade* self, const lacemaker::Tables& tables, Vector<std::int32_t> product_centre,
               Vector<std::int64_t> product_first, Vector<std::int32_t> product_index, Vector<std::int32_t> row_centre,
               Vector<std::int64_t> row_first, Vector<std::int32_t> row_product, Vector<double> row_coefficient,
               Array<std::int32_t, nb::shape<-1, -1, -1>> pair_column, int n_columns, Vector<std::int32_t> active_first,
               Vector<std::int32_t> active_column, Vector<double> inverse, const std::string& isa) {
    const lacemaker::DesignTables d =
        design_tables(product_centre, product_first, product_index, row_centre, row_first, row_product, row_coefficient,
                      pair_column, n_columns);
    const lacemaker::ActiveSets sets{to_vector(active_first), to_vector(active_column), to_vector(inverse)};
    const lacemaker::Isa chosen = lacemaker::choose_isa(isa);
    nb::gil_scoped_release released;
    new (self) Grade(tables, d, sets, chosen);
}

nb::object evaluate(const Grade& self, Positions positions, Cell cell, Vector<std::int32_t> species,
                    Vector<std::int64_t> first, Vector<std::int32_t> index, Shifts shift, bool grades, int n_threads) {
    require(n_threads >= 1, "n_threads must be at least 1, found " + std::to_string(n_threads));
    require(!grades || self.model().has_inverse(), "grades need the inverse of an active set; none was given");
    const lacemaker::AtomsView atoms = atoms_view(positions, cell, species, first, index, shift, self.model().n_species());
    const std::size_t n = positions.shape(0), width = std::size_t(self.model().n_functions());
    std::vector<double> out(grades ? n : n * width, 0.0);
    lacemaker::EvaluateStatus status;
    {
        nb::gil_scoped_release released;
        status = self.evaluate(atoms, grades ? out.data() : nullptr, grades ? nullptr : out.data(), width, n_threads);
    }
    raise_status(status);
    return grades ? to_numpy(std::move(out), {n}) : to_numpy(std::move(out), {n, width});
}

}  // namespace

void bind_grade(nb::module_& m) {
    nb::class_<Grade>(m, "SiteFunctions", "Basis functions of single sites, and extrapolation grades.")
        .def("__init__", &construct, "tables"_a, nb::kw_only(), "product_centre"_a.noconvert(),
             "product_first"_a.noconvert(), "product_index"_a.noconvert(), "row_centre"_a.noconvert(),
             "row_first"_a.noconvert(), "row_product"_a.noconvert(), "row_coefficient"_a.noconvert(),
             "pair_column"_a.noconvert(), "n_columns"_a, "active_first"_a.noconvert(), "active_column"_a.noconvert(),
             "inverse"_a.noconvert(), "isa"_a = "auto")
        .def("evaluate", &evaluate, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), nb::kw_only(), "grades"_a = true,
             "n_threads"_a = 1,
             "Grades (n_atoms,), or without them the active functions of each atom's species (n_atoms, n_functions).")
        .def_prop_ro("n_functions", [](const Grade& g) { return g.model().n_functions(); })
        .def_prop_ro("bytes", [](const Grade& g) { return g.model().bytes(); });
}
