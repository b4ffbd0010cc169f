// The table of all network kernels of one instruction set.
#pragma once

#include "messages.hpp"
#include "messages_invariants.hpp"
#include "messages_norm.hpp"
#include "messages_sensitivity.hpp"
#include "messages_tensors.hpp"

LACEMAKER_KERNEL_BEGIN

template <class T>
constexpr MessageFunctions<T> message_functions() {
    constexpr int w = LACEMAKER_VECTOR_BYTES / int(sizeof(T));
    return {rows::message_forward<T, w>,
            rows::message_backward<T, w>,
            rows::message_double_backward<T, w>,
            rows::invariant_pass<T, w, 0>,
            rows::invariant_pass<T, w, 1>,
            rows::invariant_pass<T, w, 2>,
            {rows::norm_pass<T, w, 0>, rows::norm_pass<T, w, 1>, rows::norm_pass<T, w, 2>},
            {rows::sensitivity_pass<T, w, 0>, rows::sensitivity_pass<T, w, 1>, rows::sensitivity_pass<T, w, 2>},
            {rows::tensor_pass<T, 0>, rows::tensor_pass<T, 1>, rows::tensor_pass<T, 2>}};
}

LACEMAKER_KERNEL_END
