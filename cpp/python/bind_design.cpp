// _core.DesignRows: rows of the design matrix of one structure.
#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "lacemaker/design.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lacemaker::python;
using lacemaker::DesignFrame;
using lacemaker::DesignRows;
using lacemaker::DesignTables;
using lacemaker::Tables;

namespace {

void construct(DesignRows* self, const Tables& tables, Vector<std::int32_t> product_centre,
               Vector<std::int64_t> product_first, Vector<std::int32_t> product_index, Vector<std::int32_t> row_centre,
               Vector<std::int64_t> row_first, Vector<std::int32_t> row_product, Vector<double> row_coefficient,
               Array<std::int32_t, nb::shape<-1, -1, -1>> pair_column, int n_columns, const std::string& isa) {
    DesignTables d;
    d.product_centre = to_vector(product_centre);
    d.product_first = to_vector(product_first);
    d.product_index = to_vector(product_index);
    d.row_centre = to_vector(row_centre);
    d.row_first = to_vector(row_first);
    d.row_product = to_vector(row_product);
    d.row_coefficient = to_vector(row_coefficient);
    d.pair_column = to_vector(pair_column);
    d.n_columns = n_columns;
    new (self) DesignRows(tables, d, lacemaker::choose_isa(isa));
}

// Everything the kernel indexes with.
void check_frame(const DesignRows& self, std::size_t n, const Vector<std::int32_t>& species,
                 const Vector<std::int64_t>& first, const Vector<std::int32_t>& index,
                 const Array<std::int32_t, nb::shape<-1, 3>>& shift) {
    require(species.size() == n, "species must hold one index per atom");
    require(first.size() == n + 1 && first(0) == 0 && first(n) == std::int64_t(index.size()),
            "first must rise from 0 to the number of pairs in n_atoms + 1 steps");
    require(shift.shape(0) == index.size(), "shift must hold one row per pair");
    for (std::size_t i = 0; i < n; ++i) {
        require(species(i) >= 0 && species(i) < self.plan().view().n_species, "species holds an index outside the basis");
        require(first(i + 1) >= first(i), "first must not fall");
    }
    for (std::size_t p = 0; p < index.size(); ++p)
        require(index(p) >= 0 && index(p) < std::int64_t(n), "index holds an atom that does not exist");
}

void rows(const DesignRows& self, Array<double, nb::shape<-1, 3>> positions, Array<double, nb::shape<3, 3>> cell,
          Vector<std::int32_t> species, Vector<std::int64_t> first, Vector<std::int32_t> index,
          Array<std::int32_t, nb::shape<-1, 3>> shift, Output<double, nb::shape<-1, -1>> out, bool forces,
          int n_threads) {
    const std::size_t n = positions.shape(0), n_rows = forces ? 7 + 3 * n : 1;
    check_frame(self, n, species, first, index, shift);
    require(out.shape(0) == n_rows, "out must have " + std::to_string(n_rows) + " rows, found " +
                                        std::to_string(out.shape(0)));
    require(std::int64_t(out.shape(1)) >= self.plan().view().n_columns,
            "out must have at least n_columns = " + std::to_string(self.plan().view().n_columns) + " columns, found " +
                std::to_string(out.shape(1)));
    require(n_threads >= 1, "n_threads must be at least 1, found " + std::to_string(n_threads));
    const DesignFrame frame{int(n),       positions.data(), cell.data(), species.data(),
                            first.data(), index.data(),     shift.data()};
    double* to = out.data();
    const std::int64_t stride = std::int64_t(out.shape(1));
    nb::gil_scoped_release release;
    self.rows(frame, forces, to, stride, n_threads);
}

nb::dict statistics(const DesignRows& self) {
    nb::list channels, products, slots, slopes;
    std::size_t bytes = 0;
    for (const auto& centre : self.plan().centres()) {
        std::size_t n_slots = 0;
        for (const auto& pair : centre.pairs) n_slots += pair.slot_offset.size();
        channels.append(centre.view.n_channels);
        products.append(centre.node_left.size());
        slots.append(n_slots);
        slopes.append(centre.slopes.count());
        bytes += centre.bytes();
    }
    nb::dict out;
    out["isa"] = lacemaker::isa_name(self.isa());
    out["lanes"] = self.lanes();
    out["channels"] = channels;
    out["stored_products"] = products;
    out["slots"] = slots;
    out["distinct_slopes"] = slopes;
    out["bytes"] = bytes;
    return out;
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
             "Fill out (1 + 3 n_atoms + 6, >= n_columns): energy, forces -dB/dx, virial -dB/d eps (xx yy zz yz xz xy).\n"
             "With forces=False, out has one row. Columns behind n_columns are left alone.")
        .def("statistics", &statistics,
             "Per centre: A channels in use, stored products, entries of dB/dA, distinct ones; memory in bytes.")
        .def_prop_ro("n_columns", [](const DesignRows& self) { return self.plan().view().n_columns; });
}
