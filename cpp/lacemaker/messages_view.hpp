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

// Group norm of HIP-HOP-NN over the features of a row, x (n_atoms, K, F): h = (x - mean) rho, y_k = weight_k h + bias_k.
template <class T>
struct NormView {
    int n_f, n_x;
    T eps;                         // added to the variance
    const T *x, *weight, *bias;    // weight, bias (K, F)
    const T* g;                    // like x: derivative of a scalar by y
    const T *dx, *dweight, *dbias; // directions of the double backward pass, like x, weight and bias
    T *out_x, *out_weight;         // results; weights are added to
    T* out_g;                      // y in the forward pass, (K, F) by the bias in the backward pass, by g in the last
};

// Sensitivities s_pn = e_pn f_p with e = exp(-sigma_n^2 x^2 / 2), x = 1 / r_p - 1 / mu_n.
template <class T>
struct SensitivityView {
    int n_s;
    const T *r, *f;        // (n_pairs)
    const T *mu, *sigma;   // (n_s)
    const T *e, *g;        // (n_pairs, n_s); g: derivative of a scalar by s
    const T *dr, *df, *dmu, *dsigma;  // directions of the double backward pass, like r, f, mu, sigma
    T *out_s, *out_e;      // (n_pairs, n_s): s and e in the forward pass; out_s by g in the last
    T *out_r, *out_f;      // (n_pairs), added to
    T *out_mu, *out_sigma; // (n_s), added to
};

// Tensor components t (n_pairs, C) of unit vectors u (n_pairs, 3), 1 <= l_max <= 3.
template <class T>
struct TensorView {
    int l_max;
    const T *u, *g;  // g: derivative of a scalar by t
    const T* du;     // direction of the double backward pass, like u
    T *out_t, *out_u;
};

template <class T>
struct MessageFunctions {
    void (*forward)(const MessageView<T>&, std::int64_t, std::int64_t);          // range of atoms
    void (*backward)(const MessageView<T>&, std::int64_t, std::int64_t);         // fills out_s, out_t, out_y
    void (*double_backward)(const MessageView<T>&, std::int64_t, std::int64_t);  // fills out_m, out_s, out_t, out_y
    void (*invariants)(const InvariantView<T>&, std::int64_t, std::int64_t);
    void (*invariants_backward)(const InvariantView<T>&, std::int64_t, std::int64_t);         // fills out_m
    void (*invariants_double_backward)(const InvariantView<T>&, std::int64_t, std::int64_t);  // out_x by g, out_m by m
    void (*norm[3])(const NormView<T>&, std::int64_t, std::int64_t);                // range of atoms
    void (*sensitivities[3])(const SensitivityView<T>&, std::int64_t, std::int64_t);  // range of pairs
    void (*tensors[3])(const TensorView<T>&, std::int64_t, std::int64_t);
};

struct MessageKernels {
    MessageFunctions<double> in_double;
    MessageFunctions<float> in_float;
};

}  // namespace lacemaker
