// What the bindings of the network kernels share: the chosen instruction set and array types.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "arrays.hpp"
#include "lacemaker/messages_view.hpp"

namespace lacemaker::python {

template <class T>
using Matrix = Array<T, nb::ndim<2>>;
template <class T>
using Cube = Array<T, nb::ndim<3>>;
template <class T>
using OutVector = Output<T, nb::ndim<1>>;
template <class T>
using OutMatrix = Output<T, nb::ndim<2>>;
template <class T>
using OutCube = Output<T, nb::ndim<3>>;

const MessageKernels& message_kernels();
void choose_message_kernels(const std::string& isa);

template <class T>
const MessageFunctions<T>& message_functions() {
    if constexpr (sizeof(T) == 4) {
        return message_kernels().in_float;
    } else {
        return message_kernels().in_double;
    }
}

template <class A, class B>
void same_shape(const A& a, const B& b, const char* what) {
    bool same = a.ndim() == b.ndim();
    for (std::size_t k = 0; same && k < a.ndim(); ++k) same = a.shape(k) == b.shape(k);
    require(same, std::string(what) + " has the wrong shape");
}

}  // namespace lacemaker::python
