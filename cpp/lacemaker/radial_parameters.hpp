// Plain parameters of the radial functions of one (centre, neighbour) species pair; shared by host and kernels.
#pragma once

namespace lacemaker {

enum class Transform : int { agnesi = 0, polynomial = 1, identity = 2, morse = 3 };
enum class Envelope : int { one = 0, x = 1, r = 2, poly1sr = 3 };

// x(r) and env(r) of one species pair, T = arithmetic of the kernel (float or double).
template <class T>
struct RadialPair {
    Transform transform;
    Envelope envelope;
    int p_int, q_int;    // p and q as integers; p_int = -1 where p is not a small integer
    int e1_int, e2_int;  // envelope exponents as integers, -1 where they are not
    T rin, r0, rcut;     // Å
    T p, q;
    T inverse_width;         // 1 / (r0 - rin), 1/Å           (Agnesi)
    T inverse_r0;            // 1 / r0, 1/Å
    T agnesi_a;              // maximises |dy/dr| at r0
    T y_in, x_scale;         // x = -1 + x_scale (y - y_in),   x_scale = 2 / (y(rcut) - y(rin))
    T e1, e2;                // envelope exponents p1, p2
    T env_value, env_slope;  // envelope r: sc^-p and p sc^(-p-1), sc = rcut / r0
};

// Three-term recursion P_k = (x - beta[k-1]) P_{k-1} - gamma[k-1] P_{k-2}, P_0 = 1, monic.
template <class T>
struct Recursion {
    const T* beta;   // (n_max,)
    const T* gamma;  // (n_max,), gamma[0] unused
    int n_max;
    bool symmetric;  // all beta are zero: one operation less per function
};

// Screened nuclear repulsion of one species pair, switched off smoothly between r_inner and r_outer.
struct ZblPair {
    double charges;           // Z_i Z_j; 0 = off
    double r_inner, r_outer;  // Å
    double screening;         // a, Å
};

}  // namespace lacemaker
