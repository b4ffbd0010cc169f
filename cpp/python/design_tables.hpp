// DesignTables from the arrays that _core.DesignRows and _core.SiteFunctions take alike.
#pragma once

#include "arrays.hpp"
#include "lacemaker/design_plan.hpp"

namespace lacemaker::python {

inline DesignTables design_tables(const Vector<std::int32_t>& product_centre, const Vector<std::int64_t>& product_first,
                                  const Vector<std::int32_t>& product_index, const Vector<std::int32_t>& row_centre,
                                  const Vector<std::int64_t>& row_first, const Vector<std::int32_t>& row_product,
                                  const Vector<double>& row_coefficient,
                                  const Array<std::int32_t, nb::shape<-1, -1, -1>>& pair_column, int n_columns) {
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
    return d;
}

}  // namespace lacemaker::python
