// _core.Tables: the radial functions and A channels of one basis.
#include "arrays.hpp"
#include "lacemaker/tables.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lacemaker::python;
using lacemaker::AChannel;
using lacemaker::RadialTable;
using lacemaker::Tables;

namespace {

using PairParameters = Array<double, nb::shape<-1, -1, 5>>;
using EnvelopeParameters = Array<double, nb::shape<2>>;

RadialTable radial_table(int transform, const PairParameters& transform_params, int envelope,
                         const EnvelopeParameters& envelope_params, const Vector<double>& beta,
                         const Vector<double>& gamma, const Vector<double>& norm) {
    RadialTable t;
    t.transform = transform;
    t.transform_params = to_vector(transform_params);
    t.envelope = envelope;
    t.envelope_params[0] = envelope_params(0);
    t.envelope_params[1] = envelope_params(1);
    t.beta = to_vector(beta);
    t.gamma = to_vector(gamma);
    t.norm = to_vector(norm);
    return t;
}

void construct(Tables* self, int n_species, int mb_transform, PairParameters mb_transform_params, int mb_envelope,
               EnvelopeParameters mb_envelope_params, Vector<double> mb_beta, Vector<double> mb_gamma,
               Vector<double> mb_norm, int pair_transform, PairParameters pair_transform_params, int pair_envelope,
               EnvelopeParameters pair_envelope_params, Vector<double> pair_beta, Vector<double> pair_gamma,
               Vector<double> pair_norm, Array<double, nb::shape<-1, -1, 3>> zbl,
               Array<double, nb::shape<-1, -1>> zbl_a, Vector<std::int32_t> a_first,
               Array<std::int32_t, nb::shape<-1, 4>> a_spec) {
    Tables t;
    t.n_species = n_species;
    t.many_body =
        radial_table(mb_transform, mb_transform_params, mb_envelope, mb_envelope_params, mb_beta, mb_gamma, mb_norm);
    t.pair = radial_table(pair_transform, pair_transform_params, pair_envelope, pair_envelope_params, pair_beta,
                          pair_gamma, pair_norm);
    t.zbl = to_vector(zbl);
    t.zbl_a = to_vector(zbl_a);
    t.a_first = to_vector(a_first);
    for (std::size_t i = 0; i < a_spec.shape(0); ++i)
        t.a_spec.push_back({a_spec(i, 0), a_spec(i, 1), a_spec(i, 2), a_spec(i, 3)});
    lacemaker::check(t);
    new (self) Tables(std::move(t));
}

}  // namespace

void bind_tables(nb::module_& m) {
    nb::class_<Tables>(m, "Tables", "Radial functions, repulsion and A channels of one basis.")
        .def("__init__", &construct, nb::kw_only(), "n_species"_a, "mb_transform"_a,
             "mb_transform_params"_a.noconvert(), "mb_envelope"_a, "mb_envelope_params"_a.noconvert(),
             "mb_beta"_a.noconvert(), "mb_gamma"_a.noconvert(), "mb_norm"_a.noconvert(), "pair_transform"_a,
             "pair_transform_params"_a.noconvert(), "pair_envelope"_a, "pair_envelope_params"_a.noconvert(),
             "pair_beta"_a.noconvert(), "pair_gamma"_a.noconvert(), "pair_norm"_a.noconvert(), "zbl"_a.noconvert(),
             "zbl_a"_a.noconvert(), "a_first"_a.noconvert(), "a_spec"_a.noconvert())
        .def_prop_ro("n_species", [](const Tables& t) { return t.n_species; })
        .def_prop_ro("cutoff", [](const Tables& t) {
            double largest = 0;
            for (int i = 0; i < t.n_species; ++i)
                for (int j = 0; j < t.n_species; ++j) largest = std::max(largest, lacemaker::pair_cutoff(t, i, j));
            return largest;  // Å
        });
}
