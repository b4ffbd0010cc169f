// What the bindings of the network kernels share: the chosen instruction set and array types.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

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

// task(0) .. task(n_threads - 1), one per thread; one call at a time.
void run_together(int n_threads, const std::function<void(int)>& task);

// An array that all parts of a pass add to, as a member of its view, and its length. Null: not wanted.
template <class T, class View>
struct Shared {
    T* View::*array;
    std::size_t size;
};

// pass(view, begin, end) over 0 .. n - 1, at least `grain` for every thread, without the GIL. Every thread but the first adds
// into its own copy of the shared arrays; the copies are summed in the order of the threads.
template <class T, class View>
void share_out(void (*pass)(const View&, std::int64_t, std::int64_t), const View& view, std::size_t size, int grain,
               int n_threads, const std::vector<Shared<T, View>>& shared) {
    nb::gil_scoped_release free;
    const std::int64_t n = std::int64_t(size);
    n_threads = int(std::max<std::int64_t>(1, std::min<std::int64_t>(n_threads, n / grain)));
    if (n_threads == 1) return pass(view, 0, n);
    std::vector<std::vector<std::vector<T>>> copies(n_threads);  // [thread][array]
    run_together(n_threads, [&](int rank) {
        View mine = view;
        copies[rank].resize(shared.size());
        for (std::size_t k = 0; rank > 0 && k < shared.size(); ++k) {
            if (!(mine.*shared[k].array)) continue;
            copies[rank][k].assign(shared[k].size, T(0));
            mine.*shared[k].array = copies[rank][k].data();
        }
        pass(mine, n * rank / n_threads, n * (rank + 1) / n_threads);
    });
    if (shared.empty()) return;
    run_together(n_threads, [&](int rank) {
        for (std::size_t k = 0; k < shared.size(); ++k) {
            T* total = view.*shared[k].array;
            const std::size_t begin = shared[k].size * rank / n_threads, end = shared[k].size * (rank + 1) / n_threads;
            for (int from = 1; total && from < n_threads; ++from)
                for (std::size_t j = begin; j < end; ++j) total[j] += copies[from][k][j];
        }
    });
}

template <class A, class B>
void same_shape(const A& a, const B& b, const char* what) {
    bool same = a.ndim() == b.ndim();
    for (std::size_t k = 0; same && k < a.ndim(); ++k) same = a.shape(k) == b.shape(k);
    require(same, std::string(what) + " has the wrong shape");
}

}  // namespace lacemaker::python
