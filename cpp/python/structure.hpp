// The structure and neighbour-list arguments shared by the evaluators and DesignRows.rows, and their checks.
#pragma once

#include <nanobind/stl/tuple.h>

#include <cmath>

#include "arrays.hpp"
#include "lacemaker/evaluator_view.hpp"

namespace lacemaker::python {

using Positions = Array<double, nb::shape<-1, 3>>;
using Cell = Array<double, nb::shape<3, 3>>;
using Shifts = Array<std::int32_t, nb::shape<-1, 3>>;

[[noreturn]] inline void raise_evaluation_error(const std::string& message) {
    const nb::object type = nb::module_::import_("lacemaker.errors").attr("EvaluationError");
    PyErr_SetString(type.ptr(), message.c_str());
    throw nb::python_error();
}

inline void check_finite(const double* values, std::size_t n, const char* name, std::size_t row_length) {
    for (std::size_t k = 0; k < n; ++k)
        if (!std::isfinite(values[k]))
            raise_evaluation_error(std::string(name) + " must be finite: row " + std::to_string(k / row_length) +
                                   " holds " + std::to_string(values[k]) +
                                   "; check the structure or the time step that led to it.");
}

// Everything but atom indices of the list, which the kernels check as they read them.
inline AtomsView atoms_view(const Positions& positions, const Cell& cell, const Vector<std::int32_t>& species,
                            const Vector<std::int64_t>& first, const Vector<std::int32_t>& index, const Shifts& shift,
                            int n_species) {
    const std::size_t n = positions.shape(0), n_pairs = index.shape(0);
    require(n < (std::size_t(1) << 31), "too many atoms: " + std::to_string(n));
    require(species.shape(0) == n, "species has " + std::to_string(species.shape(0)) + " entries for " +
                                       std::to_string(n) + " atoms; give one species index per atom");
    require(first.shape(0) == n + 1, "first has " + std::to_string(first.shape(0)) +
                                         " entries; it needs n_atoms + 1 = " + std::to_string(n + 1));
    require(shift.shape(0) == n_pairs,
            "shift has " + std::to_string(shift.shape(0)) + " rows for " + std::to_string(n_pairs) + " pairs");
    for (std::size_t i = 0; i < n; ++i)
        require(species(i) >= 0 && species(i) < n_species,
                "atom " + std::to_string(i) + " has species index " + std::to_string(species(i)) +
                    "; the basis has species 0 to " + std::to_string(n_species - 1));
    require(first(0) == 0 && std::size_t(first(n)) == n_pairs, "first must start at 0 and end at the number of pairs");
    for (std::size_t i = 0; i < n; ++i) require(first(i) <= first(i + 1), "first must not decrease");
    check_finite(positions.data(), 3 * n, "positions", 3);
    check_finite(cell.data(), 9, "cell", 3);
    return {int(n),           int(n),      species.data(), first.data(), index.data(),
            positions.data(), cell.data(), shift.data(),   nullptr};
}

inline void raise_status(const EvaluateStatus& s) {
    if (s.code == EvaluateStatus::ok) return;
    if (s.code == EvaluateStatus::bad_index)
        throw nb::value_error(("the neighbour list of atom " + std::to_string(s.i) + " refers to atom " +
                               std::to_string(s.j) + ", which does not exist; rebuild the list for this structure")
                                  .c_str());
    if (s.code == EvaluateStatus::coincident)
        raise_evaluation_error("two atoms lie on top of each other: atoms " + std::to_string(s.i) + " and " +
                               std::to_string(s.j) + " (or periodic images of them) are " + std::to_string(s.distance) +
                               " Å apart; remove one of them or check cell and pbc.");
    raise_evaluation_error("the energy of atom " + std::to_string(s.i) +
                           " is not a finite number; check for atoms that are far too close, or use float64.");
}

// What Evaluator.evaluate returns, for any class with its evaluate() and n_species().
template <class E>
nb::tuple evaluate_structure(const E& self, Positions positions, Cell cell, Vector<std::int32_t> species,
                             Vector<std::int64_t> first, Vector<std::int32_t> index, Shifts shift, bool forces,
                             int n_threads) {
    require(n_threads >= 1, "n_threads must be at least 1, found " + std::to_string(n_threads));
    const AtomsView atoms = atoms_view(positions, cell, species, first, index, shift, self.n_species());
    const std::size_t n = positions.shape(0);
    std::vector<double> energies(n), f(forces ? 3 * n : 0), virial(6, 0.0);
    EvaluateStatus status;
    {
        nb::gil_scoped_release released;
        status = self.evaluate(atoms, energies.data(), forces ? f.data() : nullptr, virial.data(), n_threads);
    }
    raise_status(status);
    if (!forces) return nb::make_tuple(to_numpy(std::move(energies), {n}), nb::none(), nb::none());
    return nb::make_tuple(to_numpy(std::move(energies), {n}), to_numpy(std::move(f), {n, 3}),
                          to_numpy(std::move(virial), {6}));
}

}  // namespace lacemaker::python
