// Typed NumPy arrays at the border between Python and the kernels.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace lacemaker::python {

namespace nb = nanobind;

// Read-only C-contiguous arrays: Array<double, nb::shape<-1, 3>>. Bind them with .noconvert(): a wrong dtype is an
// error, never a silent copy.
template <class T, class Shape>
using Array = nb::ndarray<const T, Shape, nb::c_contig, nb::device::cpu>;
template <class T>
using Vector = Array<T, nb::ndim<1>>;
template <class T, class Shape>
using Output = nb::ndarray<T, Shape, nb::c_contig, nb::device::cpu>;

template <class A>
auto to_vector(const A& array) {
    using T = std::remove_const_t<typename A::Scalar>;
    return std::vector<T>(array.data(), array.data() + array.size());
}

inline void require(bool ok, const std::string& message) {
    if (!ok) throw nb::value_error(message.c_str());
}

// A NumPy array that owns `values`.
template <class T>
nb::object to_numpy(std::vector<T>&& values, std::initializer_list<std::size_t> shape) {
    auto* owned = new std::vector<T>(std::move(values));
    nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T>(owned->data(), shape.size(), shape.begin(), owner));
}

}  // namespace lacemaker::python
