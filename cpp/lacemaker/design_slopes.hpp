// dB/dA of W sites of one species at once: lanes are sites.
//
//     P: nodes (1, A, stored products);   J_slot = sum_t c_t P[left] P[right];   B_k the same.
//
// Orders 1 to 3 need no stored product, orders 4 and 5 only pairs (and triples for the values), so nothing of the
// size of the product basis is ever written. Distinct sums only are evaluated (slopes); the expansion to slots
// transposes them, so that the multiply reads the J of one site contiguously.
#pragma once

#include "design_lanes.hpp"
#include "design_view.hpp"

LACEMAKER_KERNEL_BEGIN
namespace design {

template <class V>
void form_products(const DesignCentre& centre, V* nodes) {
    const int products = centre.n_nodes - centre.n_channels - 1;
    V* out = nodes + centre.n_channels + 1;
    for (int k = 0; k < products; ++k) out[k] = nodes[centre.node_left[k]] * nodes[centre.node_right[k]];
}

template <class V>
LACEMAKER_INLINE V evaluate_sum(const DesignSums& sums, int q, const V* nodes) {
    const std::int32_t *left = sums.left, *right = sums.right;
    const double* weight = sums.weight;
    V sum = broadcast<V>(0);
    for (int t = sums.first[q]; t < sums.first[q + 1]; ++t) sum += weight[t] * (nodes[left[t]] * nodes[right[t]]);
    return sum;
}

// totals[q] += B_q of each lane's site, q = begin..end.
template <class V>
void add_values(const DesignSums& sums, int begin, int end, const V* nodes, V* totals) {
    for (int q = begin; q < end; ++q) totals[q] += evaluate_sum(sums, q, nodes);
}

template <class V>
void evaluate_slopes(const DesignSums& sums, const V* nodes, V* slopes) {
    for (int q = 0; q < sums.count; ++q) slopes[q] = evaluate_sum(sums, q, nodes);
}

// J[site * n_slots + slot], n_slots a multiple of W.
template <class V>
void expand_slopes(const DesignCentre& centre, const V* slopes, double* J) {
    constexpr int W = lanes<V>;
    for (std::int64_t s = 0; s < centre.n_slots; s += W) {
        V in[W], out[W];
        LACEMAKER_UNROLL
        for (int i = 0; i < W; ++i) in[i] = slopes[centre.slot_slope[s + i]];
        transpose(in, out);
        LACEMAKER_UNROLL
        for (int w = 0; w < W; ++w) __builtin_memcpy(J + w * centre.n_slots + s, &out[w], sizeof(V));
    }
}

}  // namespace design
LACEMAKER_KERNEL_END
