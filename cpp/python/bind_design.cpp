// _core.DesignRows: rows of the design matrix of one structure.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "design_tables.hpp"
#include "lacemaker/design.hpp"
#include "structure.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lacemaker::python;
using lacemaker::AtomsView;
using lacemaker::DesignRows;
using lacemaker::DesignTables;
using lacemaker::Tables;

namespace {

void construct(DesignRows* self, const Tables& tables, Vector<std::int32_t> product_centre,
               Vector<std::int64_t> product_first, Vector<std::int32_t> product_index, Vector<std::int32_t> row_centre,
               Vector<std::int64_t> row_first, Vector<std::int32_t> row_product, Vector<double> row_coefficient,
               Array<std::int32_t, nb::shape<-1, -1, -1>> pair_column, int n_columns, const std::string& isa) {
    const DesignTables d =
        design_tables(product_centre, product_first, product_index, row_centre, row_first, row_product, row_coefficient,
                      pair_column, n_columns);
    const lacemaker::Isa chosen = lacemaker::choose_isa(isa);
    nb::gil_scoped_release released;
    new (self) DesignRows(tables, d, chosen);
}

void check_indices(const AtomsView& atoms) {
    for (int i = 0; i < atoms.n_atoms; ++i)
        for (std::int64_t p = atoms.first[i]; p < atoms.first[i + 1]; ++p)
            if (atoms.index[p] < 0 || atoms.index[p] >= atoms.n_atoms)
                raise_status({lacemaker::EvaluateStatus::bad_index, i, atoms.index[p], 0});
}

void rows(const DesignRows& self, Positions positions, Cell cell, Vector<std::int32_t> species,
          Vector<std::int64_t> first, Vector<std::int32_t> index, Shifts shift, Output<double, nb::shape<-1, -1>> out,
          bool forces, int n_threads) {
    const auto& view = self.plan().view();
    const AtomsView atoms = atoms_view(positions, cell, species, first, index, shift, view.n_species);
    check_indices(atoms);
    const std::size_t n_rows = forces ? 7 + 3 * positions.shape(0) : 1;
    require(out.shape(0) == n_rows, "out has " + std::to_string(out.shape(0)) + " rows; it needs " +
                                        std::to_string(n_rows) + (forces ? " (1 + 3 n_atoms + 6)" : " without forces"));
    require(out.shape(1) >= std::size_t(view.n_columns), "out has " + std::to_string(out.shape(1)) +
                                                             " columns; it needs at least n_columns = " +
                                                             std::to_string(view.n_columns));
    require(n_threads >= 1, "n_threads must be at least 1, found " + std::to_string(n_threads));
    double* to = out.data();
    const std::int64_t stride = std::int64_t(out.shape(1));
    nb::gil_scoped_release released;
    self.rows(atoms, forces, to, stride, n_threads);
}

void site_rows(const DesignRows& self, Positions positions, Cell cell, Vector<std::int32_t> species,
               Vector<std::int64_t> first, Vector<std::int32_t> index, Shifts shift,
               Output<double, nb::shape<-1, -1>> out) {
    const auto& view = self.plan().view();
    const AtomsView atoms = atoms_view(positions, cell, species, first, index, shift, view.n_species);
    check_indices(atoms);
    require(out.shape(0) == positions.shape(0) && out.shape(1) >= std::size_t(view.n_columns),
            "out has shape (" + std::to_string(out.shape(0)) + ", " + std::to_string(out.shape(1)) +
                "); it needs one row per atom and at least n_columns = " + std::to_string(view.n_columns) + " columns");
    double* to = out.data();
    const std::int64_t stride = std::int64_t(out.shape(1));
    nb::gil_scoped_release released;
    self.site_rows(atoms, to, stride);
}

nb::dict statistics(const DesignRows& self) {
    std::vector<int> channels, products, slopes;
    std::vector<std::size_t> slots;
    std::size_t bytes = 0;
    for (const lacemaker::CentrePlan& c : self.plan().centres()) {
        channels.push_back(c.view.n_channels);
        products.push_back(int(c.node_left.size()));
        slopes.push_back(c.view.slopes.count);
        slots.push_back(0);
        for (const lacemaker::PairPlan& p : c.pairs) slots.back() += p.slot_offset.size();
        bytes += c.bytes();
    }
    nb::dict d;
    d["n_a"] = channels;
    d["stored_products"] = products;
    d["slots"] = slots;
    d["distinct_slopes"] = slopes;
    d["isa"] = lacemaker::isa_name(self.isa());
    d["lanes"] = self.lanes();
    d["bytes"] = bytes;
    return d;
}

}  // namespace

void bind_design(nb::module_& m) {
    nb::class_<DesignRows>(m, "DesignRows", "Rows of the design matrix of one basis.")
        .def("__init__", &construct, "tables"_a, nb::kw_only(), "product_centre"_a.noconvert(),
             "product_first"_a.noconvert(), "product_index"_a.noconvert(), "row_centre"_a.noconvert(),
             "row_first"_a.noconvert(), "row_product"_a.noconvert(), "row_coefficient"_a.noconvert(),
             "pair_column"_a.noconvert(), "n_columns"_a, "isa"_a = "auto")
        .def("rows", &rows, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), "out"_a.noconvert(), nb::kw_only(),
             "forces"_a = true, "n_threads"_a = 1,
             "Fill out (1 + 3 n_atoms + 6, >= n_columns): energy, forces -dB/dx (1/Å), virial -dB/d eps (xx yy zz yz\n"
             "xz xy). With forces=False, out has the energy row only. Columns behind n_columns are left alone. Fastest\n"
             "if rows start on cache lines and are not a multiple of 512 bytes apart. The list may hold pairs beyond\n"
             "the cutoff.")
        .def("site_rows", &site_rows, "positions"_a.noconvert(), "cell"_a.noconvert(), "species"_a.noconvert(),
             "first"_a.noconvert(), "index"_a.noconvert(), "shift"_a.noconvert(), "out"_a.noconvert(),
             "Fill out (n_atoms, >= n_columns) with the site functions B_k(i); their sum is the energy row.")
        .def("statistics", &statistics,
             "Per centre: A and pair functions in use, stored products, non-zero dB/dA, distinct ones; bytes.")
        .def_prop_ro("n_columns", [](const DesignRows& self) { return self.plan().view().n_columns; });
}
