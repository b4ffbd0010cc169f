// The Python module lacemaker._core: converts arrays, checks shapes, releases the GIL. No arithmetic here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lacemaker/dispatch.hpp"

namespace nb = nanobind;

void bind_tables(nb::module_& m);
void bind_evaluator(nb::module_& m);
void bind_tabulated(nb::module_& m);
void bind_committee(nb::module_& m);
void bind_design(nb::module_& m);
void bind_grade(nb::module_& m);
void bind_messages(nb::module_& m);
void bind_layers(nb::module_& m);

NB_MODULE(_core, m) {
    m.doc() = "Compiled kernels of lacemaker.";
    m.def(
        "isas",
        [] {
            std::vector<std::string> names;
            for (lacemaker::Isa isa : lacemaker::usable_isas()) names.emplace_back(lacemaker::isa_name(isa));
            return names;
        },
        "Instruction sets usable on this machine, best last.");
    bind_tables(m);
#ifdef LACEMAKER_EVALUATOR
    bind_evaluator(m);
    bind_tabulated(m);
#endif
#ifdef LACEMAKER_COMMITTEE
    bind_committee(m);
#endif
#ifdef LACEMAKER_DESIGN
    bind_design(m);
#endif
#ifdef LACEMAKER_GRADE
    bind_grade(m);
#endif
#ifdef LACEMAKER_MESSAGES
    bind_messages(m);
    bind_layers(m);
#endif
}
