// lacemaker._core.norm_*, sensitivity_*, tensor_pass: on-site and radial parts of HIP-NN layers, for float32 and float64 arrays.
#include <nanobind/stl/optional.h>

#include <optional>

#include "message_kernels.hpp"

namespace lacemaker::python {
namespace {

template <class T>
NormView<T> norm_view(const Cube<T>& x, const Matrix<T>& weight, double eps) {
    require(weight.shape(0) == x.shape(1) && weight.shape(1) == x.shape(2), "weight must have shape (K, F)");
    NormView<T> v{};
    v.n_x = int(x.shape(1));
    v.n_f = int(x.shape(2));
    v.eps = T(eps);
    v.x = x.data();
    v.weight = weight.data();
    return v;
}

template <class T>
void bind_norm(nb::module_& m) {
    using namespace nb::literals;
    m.def("norm_forward",
          [](Cube<T> x, Matrix<T> weight, Matrix<T> bias, double eps, OutCube<T> out, int n_threads) {
              NormView<T> v = norm_view<T>(x, weight, eps);
              same_shape(bias, weight, "bias");
              same_shape(out, x, "out");
              v.bias = bias.data();
              v.out_g = out.data();
              share_out<T>(message_functions<T>().norm[0], v, x.shape(0), 16, n_threads, {});
          },
          "x"_a.noconvert(), "weight"_a.noconvert(), "bias"_a.noconvert(), "eps"_a, "out"_a.noconvert(),
          "n_threads"_a = 1, "Group norm over the last axis of x (n_atoms, K, F).");
    m.def("norm_backward",
          [](Cube<T> g, Cube<T> x, Matrix<T> weight, double eps, OutCube<T> out_x, OutMatrix<T> out_weight,
             OutMatrix<T> out_bias, int n_threads) {
              NormView<T> v = norm_view<T>(x, weight, eps);
              same_shape(g, x, "g");
              same_shape(out_x, x, "out_x");
              same_shape(out_weight, weight, "out_weight");
              same_shape(out_bias, weight, "out_bias");
              v.g = g.data();
              v.out_x = out_x.data();
              v.out_weight = out_weight.data();
              v.out_g = out_bias.data();
              const std::size_t size = weight.size();
              share_out<T>(message_functions<T>().norm[1], v, x.shape(0), 16, n_threads,
                           {{&NormView<T>::out_weight, size}, {&NormView<T>::out_g, size}});
          },
          "g"_a.noconvert(), "x"_a.noconvert(), "weight"_a.noconvert(), "eps"_a, "out_x"_a.noconvert(),
          "out_weight"_a.noconvert(), "out_bias"_a.noconvert(),
          "n_threads"_a = 1, "Derivatives of sum(g y); those by weight and bias are added.");
    m.def("norm_double_backward",
          [](Cube<T> g, Cube<T> x, Matrix<T> weight, double eps, Cube<T> dx, Matrix<T> dweight, Matrix<T> dbias,
             OutCube<T> out_g, OutCube<T> out_x, OutMatrix<T> out_weight, int n_threads) {
              NormView<T> v = norm_view<T>(x, weight, eps);
              for (const Cube<T>* cube : {&g, &dx}) same_shape(*cube, x, "g or dx");
              for (const Matrix<T>* matrix : {&dweight, &dbias}) same_shape(*matrix, weight, "dweight or dbias");
              same_shape(out_g, x, "out_g");
              same_shape(out_x, x, "out_x");
              same_shape(out_weight, weight, "out_weight");
              v.g = g.data();
              v.dx = dx.data();
              v.dweight = dweight.data();
              v.dbias = dbias.data();
              v.out_g = out_g.data();
              v.out_x = out_x.data();
              v.out_weight = out_weight.data();
              share_out<T>(message_functions<T>().norm[2], v, x.shape(0), 16, n_threads,
                           {{&NormView<T>::out_weight, weight.size()}});
          },
          "g"_a.noconvert(), "x"_a.noconvert(), "weight"_a.noconvert(), "eps"_a, "dx"_a.noconvert(),
          "dweight"_a.noconvert(), "dbias"_a.noconvert(), "out_g"_a.noconvert(), "out_x"_a.noconvert(),
          "out_weight"_a.noconvert(), "n_threads"_a = 1,
          "Derivatives of the backward results times directions by g, x and weight.");
}

// Shapes of the inputs that every pass has.
template <class T>
SensitivityView<T> sensitivity_view(const Vector<T>& r, const Vector<T>& mu, const Vector<T>& sigma) {
    same_shape(sigma, mu, "sigma");
    SensitivityView<T> v{};
    v.n_s = int(mu.shape(0));
    v.r = r.data();
    v.mu = mu.data();
    v.sigma = sigma.data();
    return v;
}

template <class T, class M>
void one_row_per_pair(const M& x, const Vector<T>& r, const Vector<T>& mu) {
    require(x.shape(0) == r.shape(0) && x.shape(1) == mu.shape(0), "sensitivities must have shape (n_pairs, n_s)");
}

template <class T>
std::vector<Shared<T, SensitivityView<T>>> sums(const SensitivityView<T>& v) {
    return {{&SensitivityView<T>::out_mu, std::size_t(v.n_s)}, {&SensitivityView<T>::out_sigma, std::size_t(v.n_s)}};
}

template <class T>
void bind_sensitivity(nb::module_& m) {
    using namespace nb::literals;
    m.def("sensitivity_forward",
          [](Vector<T> r, Vector<T> f, Vector<T> mu, Vector<T> sigma, OutMatrix<T> out, OutMatrix<T> out_e,
             int n_threads) {
              SensitivityView<T> v = sensitivity_view<T>(r, mu, sigma);
              for (const OutMatrix<T>* x : {&out, &out_e}) one_row_per_pair<T>(*x, r, mu);
              same_shape(f, r, "f");
              v.f = f.data(), v.out_s = out.data(), v.out_e = out_e.data();
              share_out<T>(message_functions<T>().sensitivities[0], v, r.shape(0), 256, n_threads, {});
          },
          "r"_a.noconvert(), "f"_a.noconvert(), "mu"_a.noconvert(), "sigma"_a.noconvert(), "out"_a.noconvert(),
          "out_e"_a.noconvert(), "n_threads"_a = 1, "e = exp(-sigma^2 (1/r - 1/mu)^2 / 2) and e f of all pairs.");
    m.def("sensitivity_backward",
          [](Matrix<T> g, Vector<T> r, Vector<T> f, Vector<T> mu, Vector<T> sigma, Matrix<T> e, OutVector<T> out_r,
             OutVector<T> out_f, OutVector<T> out_mu, OutVector<T> out_sigma, int n_threads) {
              SensitivityView<T> v = sensitivity_view<T>(r, mu, sigma);
              for (const Matrix<T>* x : {&g, &e}) one_row_per_pair<T>(*x, r, mu);
              same_shape(f, r, "f");
              for (const OutVector<T>* x : {&out_r, &out_f}) same_shape(*x, r, "out_r or out_f");
              for (const OutVector<T>* x : {&out_mu, &out_sigma}) same_shape(*x, mu, "out_mu or out_sigma");
              v.g = g.data(), v.f = f.data(), v.e = e.data();
              v.out_r = out_r.data(), v.out_f = out_f.data(), v.out_mu = out_mu.data(), v.out_sigma = out_sigma.data();
              share_out<T>(message_functions<T>().sensitivities[1], v, r.shape(0), 256, n_threads, sums(v));
          },
          "g"_a.noconvert(), "r"_a.noconvert(), "f"_a.noconvert(), "mu"_a.noconvert(), "sigma"_a.noconvert(),
          "e"_a.noconvert(), "out_r"_a.noconvert(), "out_f"_a.noconvert(), "out_mu"_a.noconvert(),
          "out_sigma"_a.noconvert(), "n_threads"_a = 1, "Add the derivatives of sum(g e f) by r, f, mu and sigma.");
    m.def("sensitivity_double_backward",
          [](Matrix<T> g, Vector<T> r, Vector<T> f, Vector<T> mu, Vector<T> sigma, Matrix<T> e, Vector<T> dr,
             Vector<T> df, Vector<T> dmu, Vector<T> dsigma, OutMatrix<T> out_g, OutVector<T> out_r, OutVector<T> out_f,
             OutVector<T> out_mu, OutVector<T> out_sigma, int n_threads) {
              SensitivityView<T> v = sensitivity_view<T>(r, mu, sigma);
              for (const Matrix<T>* x : {&g, &e}) one_row_per_pair<T>(*x, r, mu);
              one_row_per_pair<T>(out_g, r, mu);
              for (const Vector<T>* x : {&f, &dr, &df}) same_shape(*x, r, "f, dr or df");
              for (const Vector<T>* x : {&dmu, &dsigma}) same_shape(*x, mu, "dmu or dsigma");
              for (const OutVector<T>* x : {&out_r, &out_f}) same_shape(*x, r, "out_r or out_f");
              for (const OutVector<T>* x : {&out_mu, &out_sigma}) same_shape(*x, mu, "out_mu or out_sigma");
              v.g = g.data(), v.f = f.data(), v.e = e.data();
              v.dr = dr.data(), v.df = df.data(), v.dmu = dmu.data(), v.dsigma = dsigma.data();
              v.out_s = out_g.data();
              v.out_r = out_r.data(), v.out_f = out_f.data(), v.out_mu = out_mu.data(), v.out_sigma = out_sigma.data();
              share_out<T>(message_functions<T>().sensitivities[2], v, r.shape(0), 256, n_threads, sums(v));
          },
          "g"_a.noconvert(), "r"_a.noconvert(), "f"_a.noconvert(), "mu"_a.noconvert(), "sigma"_a.noconvert(),
          "e"_a.noconvert(), "dr"_a.noconvert(), "df"_a.noconvert(), "dmu"_a.noconvert(), "dsigma"_a.noconvert(),
          "out_g"_a.noconvert(), "out_r"_a.noconvert(), "out_f"_a.noconvert(), "out_mu"_a.noconvert(),
          "out_sigma"_a.noconvert(), "n_threads"_a = 1,
          "Derivatives of the backward results times directions; all but out_g are added.");
}

template <class T>
void bind_tensors(nb::module_& m) {
    using namespace nb::literals;
    m.def("tensor_pass",
          [](int pass, int l_max, Matrix<T> u, std::optional<Matrix<T>> g, std::optional<Matrix<T>> du,
             std::optional<OutMatrix<T>> out_t, std::optional<OutMatrix<T>> out_u, int n_threads) {
              require(pass >= 0 && pass <= 2 && l_max >= 1 && l_max <= 3, "pass must be 0, 1 or 2 and l_max 1, 2 or 3");
              require((pass == 0 || (g && out_u)) && (pass == 1 || out_t) && (pass < 2 || du), "an array is missing");
              const auto fits = [&](auto& x, std::size_t n) {
                  require(x.shape(0) == u.shape(0) && x.shape(1) == n, "u has 3 columns, g and out_t have (l_max + 1)^2");
                  return x.data();
              };
              const std::size_t n_c = std::size_t((l_max + 1) * (l_max + 1));
              TensorView<T> v{};
              v.l_max = l_max;
              v.u = fits(u, 3);
              if (g) v.g = fits(*g, n_c);
              if (du) v.du = fits(*du, 3);
              if (out_t) v.out_t = fits(*out_t, n_c);
              if (out_u) v.out_u = fits(*out_u, 3);
              share_out<T>(message_functions<T>().tensors[pass], v, u.shape(0), 256, n_threads, {});
          },
          "pass"_a, "l_max"_a, "u"_a.noconvert(), "g"_a.noconvert().none(), "du"_a.noconvert().none(),
          "out_t"_a.noconvert().none(), "out_u"_a.noconvert().none(),
          "n_threads"_a = 1,
          "Values (0), first (1) or second derivatives (2) of the tensor components of unit vectors.");
}

}  // namespace

}  // namespace lacemaker::python

void bind_layers(nanobind::module_& m) {
    namespace python = lacemaker::python;
    python::bind_norm<float>(m);
    python::bind_norm<double>(m);
    python::bind_sensitivity<float>(m);
    python::bind_sensitivity<double>(m);
    python::bind_tensors<float>(m);
    python::bind_tensors<double>(m);
}
