// The message sum of HIP-NN networks and its derivatives: what host and kernels share. Plain pointers, no containers.
//
//   M_ica = sum_p t_pc w_pa,   w_pa = sum_n s_pn y_jna        over the pairs p = (i, j) of atom i
//
// Layout (row major): s (n_pairs, n_s), t (n_pairs, C), y (n_atoms, n_s, F), M (n_atoms, C, F), C = (l_max + 1)^2.
#pragma once

#include <cstdint>

namespace lacemaker {

template <class T>
struct MessageView {
    int n_s, n_c, n_f;
    const std::int64_t* first;      // (n_atoms + 1): pairs of atom i are first[i] .. first[i + 1] - 1
    const std::int64_t* neighbour;  // (n_pairs)
    const T *s, *t, *y;
    const T* g;                // (n_atoms, C, F) derivative of a scalar by M; null in the forward pass
    const T *ds, *dt, *dy;     // directions of the double backward pass, like s, t, y; dy may be null (zero)
    T *out_m, *out_s, *out_t;  // results, like M, s, t
    T* out_y;                  // like y, added to; may be null (not wanted)
};

// Invariants of HIP-HOP-NN of `n` (atom, feature) columns: m (n_atoms, C, F) to x (n_atoms, K, F).
template <class T>
struct InvariantView {
    int n_f, l_max, n_x;
    const int* slot;  // (13): place of invariant k among the K, or -1
    const T *m, *g;   // g (n_atoms, K, F): derivative of a scalar by x
    const T* dm;      // direction of the double backward pass, like m
    T *out_x, *out_m; // like x, like m
};

template <class T>
struct MessageFunctions {
    void (*forward)(const MessageView<T>&, std::int64_t, std::int64_t);          // range of atoms
    void (*backward)(const MessageView<T>&, std::int64_t, std::int64_t);         // fills out_s, out_t, out_y
    void (*double_backward)(const MessageView<T>&, std::int64_t, std::int64_t);  // fills out_m, out_s, out_t, out_y
    void (*invariants)(const InvariantView<T>&, std::int64_t, std::int64_t);
    void (*invariants_backward)(const InvariantView<T>&, std::int64_t, std::int64_t);         // fills out_m
    void (*invariants_double_backward)(const InvariantView<T>&, std::int64_t, std::int64_t);  // out_x by g, out_m by m
};

struct MessageKernels {
    MessageFunctions<double> in_double;
    MessageFunctions<float> in_float;
};

}  // namespace lacemaker
