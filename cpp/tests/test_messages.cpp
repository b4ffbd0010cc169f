// The network kernels: first and second derivatives against finite differences, float against double, for many widths and
// on every instruction set of this machine. Arrays are as long as the kernels may touch, for the sanitisers to watch.
#include <array>
#include <functional>
#include <random>
#include <vector>

#include "check.hpp"
#include "lacemaker/dispatch.hpp"
#include "lacemaker/messages_view.hpp"

namespace lacemaker {
extern const MessageKernels message_kernels_baseline;
#ifdef LACEMAKER_X86_KERNELS
extern const MessageKernels message_kernels_avx2;
extern const MessageKernels message_kernels_avx512;
#endif
}  // namespace lacemaker

using namespace lacemaker;

namespace {

template <class T>
using Row = std::vector<T>;
template <class T>
using Rows = std::vector<Row<T>>;

std::mt19937 rng(5);

template <class T>
Row<T> random_row(std::size_t n, double low, double high) {
    std::uniform_real_distribution<double> u(low, high);
    Row<T> out(n);
    for (T& x : out) x = T(u(rng));
    return out;
}

// One operation with all its passes; inputs are those that it can be differentiated by.
template <class T>
struct Operation {
    Rows<T> inputs;
    std::size_t n_out;
    std::function<Row<T>(const Rows<T>&)> forward;
    std::function<Rows<T>(const Row<T>& g, const Rows<T>&)> backward;
    std::function<Rows<T>(const Row<T>& g, const Rows<T>&, const Rows<T>& directions)> double_backward;  // by g, inputs
};

template <class T>
double dot(const Row<T>& a, const Row<T>& b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += double(a[k]) * double(b[k]);
    return sum;
}

template <class T>
double dot(const Rows<T>& a, const Rows<T>& b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += dot(a[k], b[k]);
    return sum;
}

Rows<double> moved(const Rows<double>& x, const Rows<double>& along, double h) {
    Rows<double> out = x;
    for (std::size_t k = 0; k < x.size(); ++k)
        for (std::size_t j = 0; j < x[k].size(); ++j) out[k][j] += h * along[k][j];
    return out;
}

Rows<double> like(const Rows<double>& x) {
    Rows<double> out;
    for (const Row<double>& row : x) out.push_back(random_row<double>(row.size(), -1, 1));
    return out;
}

void check_derivatives(const Operation<double>& op) {
    const double h = 1e-5;
    const Row<double> g = random_row<double>(op.n_out, -1, 1);
    const Rows<double> along = like(op.inputs), directions = like(op.inputs);
    const double slope =
        (dot(g, op.forward(moved(op.inputs, along, h))) - dot(g, op.forward(moved(op.inputs, along, -h)))) / (2 * h);
    CHECK(check::close(slope, dot(op.backward(g, op.inputs), along), 1e-7));

    const Row<double> dg = random_row<double>(op.n_out, -1, 1);
    const auto total = [&](double step) {
        return dot(op.backward(moved({g}, {dg}, step)[0], moved(op.inputs, along, step)), directions);
    };
    Rows<double> all = along;
    all.insert(all.begin(), dg);
    CHECK(check::close((total(h) - total(-h)) / (2 * h), dot(op.double_backward(g, op.inputs, directions), all), 1e-7));
}

template <class T>
Rows<T> zeros_like(const Rows<T>& x) {
    Rows<T> out;
    for (const Row<T>& row : x) out.emplace_back(row.size(), T(0));
    return out;
}

constexpr std::int64_t n_atoms = 5;
const std::vector<std::int64_t> first{0, 4, 4, 23, 24, 26};  // an atom without pairs and one with more than a block
constexpr std::int64_t n_pairs = 26;
const std::vector<std::int64_t> neighbour = [] {
    std::vector<std::int64_t> out(n_pairs);
    for (std::int64_t p = 0; p < n_pairs; ++p) out[p] = (3 * p + 1) % n_atoms;
    return out;
}();

template <class T>
Operation<T> messages(const MessageFunctions<T>& f, int n_s, int n_c, int n_f) {
    const auto view = [=](const Rows<T>& x) {
        MessageView<T> v{};
        v.n_s = n_s, v.n_c = n_c, v.n_f = n_f;
        v.first = first.data(), v.neighbour = neighbour.data();
        v.s = x[0].data(), v.t = x[1].data(), v.y = x[2].data();
        return v;
    };
    const std::size_t n_out = n_atoms * n_c * n_f;
    return {{random_row<T>(n_pairs * n_s, -1, 1), random_row<T>(n_pairs * n_c, -1, 1), random_row<T>(n_atoms * n_s * n_f, -1, 1)},
            n_out,
            [=](const Rows<T>& x) {
                MessageView<T> v = view(x);
                Row<T> out(n_out);
                v.out_m = out.data();
                f.forward(v, 0, n_atoms);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x) {
                MessageView<T> v = view(x);
                Rows<T> out = zeros_like(x);
                v.g = g.data(), v.out_s = out[0].data(), v.out_t = out[1].data(), v.out_y = out[2].data();
                f.backward(v, 0, n_atoms);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x, const Rows<T>& d) {
                MessageView<T> v = view(x);
                Rows<T> out = zeros_like(x);
                out.insert(out.begin(), Row<T>(n_out));
                v.g = g.data(), v.ds = d[0].data(), v.dt = d[1].data(), v.dy = d[2].data();
                v.out_m = out[0].data(), v.out_s = out[1].data(), v.out_t = out[2].data(), v.out_y = out[3].data();
                f.double_backward(v, 0, n_atoms);
                return out;
            }};
}

template <class T>
Operation<T> invariants(const MessageFunctions<T>& f, int l_max, int n_f) {
    static constexpr std::array<int, 13> octupole{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
        quadrupole{0, 1, 2, 3, -1, -1, 4, 5, -1, -1, -1, -1, -1};
    const int n_x = l_max == 3 ? 13 : 6;
    const auto view = [=](const Rows<T>& x) {
        InvariantView<T> v{};
        v.n_f = n_f, v.l_max = l_max, v.n_x = n_x;
        v.slot = (l_max == 3 ? octupole : quadrupole).data();
        v.m = x[0].data();
        return v;
    };
    const std::size_t n_out = n_atoms * n_x * n_f;
    return {{random_row<T>(n_atoms * (l_max + 1) * (l_max + 1) * n_f, -0.7, 0.7)},
            n_out,
            [=](const Rows<T>& x) {
                InvariantView<T> v = view(x);
                Row<T> out(n_out);
                v.out_x = out.data();
                f.invariants(v, 0, n_atoms);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x) {
                InvariantView<T> v = view(x);
                Rows<T> out = zeros_like(x);
                v.g = g.data(), v.out_m = out[0].data();
                f.invariants_backward(v, 0, n_atoms);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x, const Rows<T>& d) {
                InvariantView<T> v = view(x);
                Rows<T> out = {Row<T>(n_out), Row<T>(x[0].size())};
                v.g = g.data(), v.dm = d[0].data(), v.out_x = out[0].data(), v.out_m = out[1].data();
                f.invariants_double_backward(v, 0, n_atoms);
                return out;
            }};
}

template <class T>
Operation<T> norm(const MessageFunctions<T>& f, int n_x, int n_f) {
    const auto view = [=](const Rows<T>& x) {
        NormView<T> v{};
        v.n_f = n_f, v.n_x = n_x, v.eps = T(0.05);
        v.x = x[0].data(), v.weight = x[1].data(), v.bias = x[2].data();
        return v;
    };
    const std::size_t n_out = n_atoms * n_x * n_f;
    return {{random_row<T>(n_out, -1, 1), random_row<T>(n_x * n_f, -1, 1), random_row<T>(n_x * n_f, -1, 1)},
            n_out,
            [=](const Rows<T>& x) {
                NormView<T> v = view(x);
                Row<T> out(n_out);
                v.out_g = out.data();
                f.norm[0](v, 0, n_atoms);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x) {
                NormView<T> v = view(x);
                Rows<T> out = zeros_like(x);
                v.g = g.data(), v.out_x = out[0].data(), v.out_weight = out[1].data(), v.out_g = out[2].data();
                f.norm[1](v, 0, n_atoms);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x, const Rows<T>& d) {
                NormView<T> v = view(x);
                Rows<T> out = zeros_like(x);
                out.insert(out.begin(), Row<T>(n_out));
                v.g = g.data(), v.dx = d[0].data(), v.dweight = d[1].data(), v.dbias = d[2].data();
                v.out_g = out[0].data(), v.out_x = out[1].data(), v.out_weight = out[2].data();
                f.norm[2](v, 0, n_atoms);
                return out;
            }};
}

template <class T>
Operation<T> sensitivities(const MessageFunctions<T>& f, int n_s) {
    const auto view = [=](const Rows<T>& x) {
        SensitivityView<T> v{};
        v.n_s = n_s;
        v.r = x[0].data(), v.f = x[1].data(), v.mu = x[2].data(), v.sigma = x[3].data();
        return v;
    };
    const auto exponentials = [=](const Rows<T>& x, Row<T>& s) {
        SensitivityView<T> v = view(x);
        Row<T> e(n_pairs * n_s);
        v.out_s = s.data(), v.out_e = e.data();
        f.sensitivities[0](v, 0, n_pairs);
        return e;
    };
    const std::size_t n_out = n_pairs * n_s;
    return {{random_row<T>(n_pairs, 0.9, 3), random_row<T>(n_pairs, 0, 1), random_row<T>(n_s, 0.9, 3), random_row<T>(n_s, 2, 6)},
            n_out,
            [=](const Rows<T>& x) {
                Row<T> out(n_out);
                exponentials(x, out);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x) {
                SensitivityView<T> v = view(x);
                Row<T> s(n_out);
                const Row<T> e = exponentials(x, s);
                Rows<T> out = zeros_like(x);
                v.g = g.data(), v.e = e.data();
                v.out_r = out[0].data(), v.out_f = out[1].data(), v.out_mu = out[2].data(), v.out_sigma = out[3].data();
                f.sensitivities[1](v, 0, n_pairs);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x, const Rows<T>& d) {
                SensitivityView<T> v = view(x);
                Row<T> s(n_out);
                const Row<T> e = exponentials(x, s);
                Rows<T> out = zeros_like(x);
                out.insert(out.begin(), Row<T>(n_out));
                v.g = g.data(), v.e = e.data();
                v.dr = d[0].data(), v.df = d[1].data(), v.dmu = d[2].data(), v.dsigma = d[3].data();
                v.out_s = out[0].data(), v.out_r = out[1].data(), v.out_f = out[2].data();
                v.out_mu = out[3].data(), v.out_sigma = out[4].data();
                f.sensitivities[2](v, 0, n_pairs);
                return out;
            }};
}

template <class T>
Operation<T> tensors(const MessageFunctions<T>& f, int l_max) {
    const std::size_t n_out = n_pairs * (l_max + 1) * (l_max + 1);
    const auto view = [=](const Rows<T>& x) {
        TensorView<T> v{};
        v.l_max = l_max, v.u = x[0].data();
        return v;
    };
    return {{random_row<T>(3 * n_pairs, -1, 1)},
            n_out,
            [=](const Rows<T>& x) {
                TensorView<T> v = view(x);
                Row<T> out(n_out);
                v.out_t = out.data();
                f.tensors[0](v, 0, n_pairs);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x) {
                TensorView<T> v = view(x);
                Rows<T> out = zeros_like(x);
                v.g = g.data(), v.out_u = out[0].data();
                f.tensors[1](v, 0, n_pairs);
                return out;
            },
            [=](const Row<T>& g, const Rows<T>& x, const Rows<T>& d) {
                TensorView<T> v = view(x);
                Rows<T> out = {Row<T>(n_out), Row<T>(x[0].size())};
                v.g = g.data(), v.du = d[0].data(), v.out_t = out[0].data(), v.out_u = out[1].data();
                f.tensors[2](v, 0, n_pairs);
                return out;
            }};
}

template <class T>
std::vector<Operation<T>> operations(const MessageFunctions<T>& f) {
    std::vector<Operation<T>> out;
    for (int n_f : {1, 3, 16, 37}) {
        for (int l_max = 0; l_max <= 3; ++l_max) out.push_back(messages<T>(f, 6, (l_max + 1) * (l_max + 1), n_f));
        for (int l_max : {2, 3}) out.push_back(invariants<T>(f, l_max, n_f));
        if (n_f > 1) out.push_back(norm<T>(f, 4, n_f));
        out.push_back(sensitivities<T>(f, n_f));
    }
    for (int l_max : {1, 2, 3}) out.push_back(tensors<T>(f, l_max));
    return out;
}

Row<double> wide(const Row<float>& x) { return {x.begin(), x.end()}; }

// The same numbers through both precisions.
void check_float(const Operation<double>& in_double, const Operation<float>& in_float) {
    const Row<float> g = random_row<float>(in_float.n_out, -1, 1);
    Rows<double> inputs;
    for (const Row<float>& x : in_float.inputs) inputs.push_back(wide(x));
    const Rows<float> ours = in_float.double_backward(g, in_float.inputs, in_float.inputs);
    const Rows<double> theirs = in_double.double_backward(wide(g), inputs, inputs);
    for (std::size_t k = 0; k < ours.size(); ++k)
        CHECK(check::close(std::sqrt(dot(ours[k], ours[k])), std::sqrt(dot(theirs[k], theirs[k])), 2e-5));
}

void check_kernels(const MessageKernels& kernels) {
    const std::vector<Operation<double>> in_double = operations(kernels.in_double);
    const std::vector<Operation<float>> in_float = operations(kernels.in_float);
    for (std::size_t k = 0; k < in_double.size(); ++k) {
        check_derivatives(in_double[k]);
        check_float(in_double[k], in_float[k]);
    }
}

}  // namespace

int main() {
    check_kernels(message_kernels_baseline);
#ifdef LACEMAKER_X86_KERNELS
    for (Isa isa : usable_isas()) {
        if (isa == Isa::avx2) check_kernels(message_kernels_avx2);
        if (isa == Isa::avx512) check_kernels(message_kernels_avx512);
    }
#endif
    return check::finish();
}
