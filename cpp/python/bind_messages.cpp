// lacemaker._core.messages_*, invariants_*: the fused operations of HIP-NN networks, for float32 and float64 arrays.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>

#include "message_kernels.hpp"

namespace lacemaker::python {
namespace {

using Index = Array<std::int64_t, nb::ndim<1>>;

template <class T>
MessageView<T> view_of(const Matrix<T>& s, const Matrix<T>& t, const Cube<T>& y, const Index& first, const Index& neighbour) {
    const std::size_t n_atoms = y.shape(0), n_pairs = s.shape(0);
    require(first.shape(0) == n_atoms + 1 && neighbour.shape(0) == n_pairs && t.shape(0) == n_pairs,
            "first must have n_atoms + 1 entries; neighbour, s and t one row per pair");
    require(y.shape(1) == s.shape(1), "y must have as many sensitivities as s");
    require(first.data()[0] == 0 && first.data()[n_atoms] == std::int64_t(n_pairs), "first must run from 0 to n_pairs");
    for (std::size_t i = 0; i < n_atoms; ++i)
        require(first.data()[i] <= first.data()[i + 1], "first must not fall");
    for (std::size_t p = 0; p < n_pairs; ++p)
        require(neighbour.data()[p] >= 0 && neighbour.data()[p] < std::int64_t(n_atoms), "neighbour outside the atoms");
    MessageView<T> v{};
    v.n_s = int(s.shape(1));
    v.n_c = int(t.shape(1));
    v.n_f = int(y.shape(2));
    v.first = first.data();
    v.neighbour = neighbour.data();
    v.s = s.data();
    v.t = t.data();
    v.y = y.data();
    return v;
}

template <class A, class T>
void shape_of_messages(const A& m, const MessageView<T>& v, std::size_t n_atoms) {
    require(m.shape(0) == n_atoms && m.shape(1) == std::size_t(v.n_c) && m.shape(2) == std::size_t(v.n_f),
            "messages must have shape (n_atoms, C, F)");
}

template <class T>
std::vector<Shared<T, MessageView<T>>> sums(const MessageView<T>& v, std::size_t n_atoms) {
    return {{&MessageView<T>::out_y, n_atoms * v.n_s * v.n_f}};
}

template <class T>
void bind_type(nb::module_& m) {
    using namespace nb::literals;
    m.def("messages_forward",
          [](Matrix<T> s, Matrix<T> t, Cube<T> y, Index first, Index neighbour, OutCube<T> out, int n_threads) {
              MessageView<T> v = view_of<T>(s, t, y, first, neighbour);
              shape_of_messages(out, v, y.shape(0));
              v.out_m = out.data();
              share_out<T>(message_functions<T>().forward, v, y.shape(0), 16, n_threads, {});
          },
          "s"_a.noconvert(), "t"_a.noconvert(), "y"_a.noconvert(), "first"_a.noconvert(), "neighbour"_a.noconvert(),
          "out"_a.noconvert(), "n_threads"_a = 1, "Add sum_j t s y to out (n_atoms, C, F).");
    m.def("messages_backward",
          [](Cube<T> g, Matrix<T> s, Matrix<T> t, Cube<T> y, Index first, Index neighbour, OutMatrix<T> out_s,
             OutMatrix<T> out_t, std::optional<OutCube<T>> out_y, int n_threads) {
              MessageView<T> v = view_of<T>(s, t, y, first, neighbour);
              shape_of_messages(g, v, y.shape(0));
              same_shape(out_s, s, "out_s");
              same_shape(out_t, t, "out_t");
              if (out_y) same_shape(*out_y, y, "out_y");
              v.g = g.data();
              v.out_s = out_s.data();
              v.out_t = out_t.data();
              v.out_y = out_y ? out_y->data() : nullptr;
              share_out<T>(message_functions<T>().backward, v, y.shape(0), 16, n_threads, sums(v, y.shape(0)));
          },
          "g"_a.noconvert(), "s"_a.noconvert(), "t"_a.noconvert(), "y"_a.noconvert(), "first"_a.noconvert(),
          "neighbour"_a.noconvert(), "out_s"_a.noconvert(), "out_t"_a.noconvert(), "out_y"_a.noconvert().none(),
          "n_threads"_a = 1, "Add the derivatives of sum(g M) by s, t and y.");
    m.def("messages_double_backward",
          [](Cube<T> g, Matrix<T> s, Matrix<T> t, Cube<T> y, Index first, Index neighbour, Matrix<T> ds, Matrix<T> dt,
             std::optional<Cube<T>> dy, OutCube<T> out_g, OutMatrix<T> out_s, OutMatrix<T> out_t,
             std::optional<OutCube<T>> out_y, int n_threads) {
              MessageView<T> v = view_of<T>(s, t, y, first, neighbour);
              shape_of_messages(g, v, y.shape(0));
              shape_of_messages(out_g, v, y.shape(0));
              same_shape(ds, s, "ds");
              same_shape(dt, t, "dt");
              if (dy) same_shape(*dy, y, "dy");
              same_shape(out_s, s, "out_s");
              same_shape(out_t, t, "out_t");
              if (out_y) same_shape(*out_y, y, "out_y");
              v.g = g.data();
              v.ds = ds.data();
              v.dt = dt.data();
              v.dy = dy ? dy->data() : nullptr;
              v.out_m = out_g.data();
              v.out_s = out_s.data();
              v.out_t = out_t.data();
              v.out_y = out_y ? out_y->data() : nullptr;
              share_out<T>(message_functions<T>().double_backward, v, y.shape(0), 16, n_threads, sums(v, y.shape(0)));
          },
          "g"_a.noconvert(), "s"_a.noconvert(), "t"_a.noconvert(), "y"_a.noconvert(), "first"_a.noconvert(),
          "neighbour"_a.noconvert(), "ds"_a.noconvert(), "dt"_a.noconvert(), "dy"_a.noconvert().none(),
          "out_g"_a.noconvert(), "out_s"_a.noconvert(), "out_t"_a.noconvert(), "out_y"_a.noconvert().none(),
          "n_threads"_a = 1, "Add the derivatives of the backward results times directions by g, s, t and y.");
    m.def("invariants_pass",
          [](int pass, Cube<T> m_, Array<std::int32_t, nb::ndim<1>> slot, std::optional<Cube<T>> g,
             std::optional<Cube<T>> dm, std::optional<OutCube<T>> out_x, std::optional<OutCube<T>> out_m,
             int n_threads) {
              InvariantView<T> v{};
              v.n_f = int(m_.shape(2));
              v.l_max = m_.shape(1) == 9 ? 2 : 3;
              require(m_.shape(1) == 9 || m_.shape(1) == 16, "messages must have 9 or 16 components");
              require(slot.shape(0) == 13, "slot must have 13 entries");
              for (int k = 0; k < 13; ++k) v.n_x += slot.data()[k] >= 0;
              for (int k = 0; k < 13; ++k) {
                  require(slot.data()[k] < v.n_x, "slot outside the invariants");
                  require(v.l_max == 3 || slot.data()[k] < 0 || k < 4 || k == 6 || k == 7, "this invariant needs l_max 3");
              }
              const auto fits = [&](auto& x) {
                  require(x.shape(0) == m_.shape(0) && x.shape(1) == std::size_t(v.n_x) && x.shape(2) == m_.shape(2),
                          "invariants must have shape (n_atoms, K, F)");
                  return x.data();
              };
              require(pass >= 0 && pass <= 2, "pass must be 0, 1 or 2");
              require(bool(out_x) || pass == 1, "out_x is missing");
              require((g && out_m) || pass == 0, "g or out_m is missing");
              require(bool(dm) || pass < 2, "dm is missing");
              v.slot = slot.data();
              v.m = m_.data();
              if (g) v.g = fits(*g);
              if (out_x) v.out_x = fits(*out_x);
              if (dm) same_shape(*dm, m_, "dm"), v.dm = dm->data();
              if (out_m) same_shape(*out_m, m_, "out_m"), v.out_m = out_m->data();
              const MessageFunctions<T>& f = message_functions<T>();
              const auto call = pass == 0 ? f.invariants : pass == 1 ? f.invariants_backward : f.invariants_double_backward;
              share_out<T>(call, v, m_.shape(0), 16, n_threads, {});
          },
          "pass"_a, "m"_a.noconvert(), "slot"_a.noconvert(), "g"_a.noconvert().none(), "dm"_a.noconvert().none(),
          "out_x"_a.noconvert().none(), "out_m"_a.noconvert().none(),
          "n_threads"_a = 1, "Values (0), first (1) or second derivatives (2) of HIP-HOP-NN's invariants.");
}

}  // namespace
}  // namespace lacemaker::python

void bind_messages(nanobind::module_& m) {
    using namespace lacemaker;
    m.def("choose_message_isa", [](const std::string& name) { python::choose_message_kernels(name); },
          nanobind::arg("isa"), "Instruction set of all network kernels from now on.");
    lacemaker::python::bind_type<float>(m);
    lacemaker::python::bind_type<double>(m);
}
