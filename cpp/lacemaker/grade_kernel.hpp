// Site functions and extrapolation grades, W sites at a time.
//
//     B_k = sum_t w_t X[left_t] X[right_t],     gamma = max_k | sum_j B_j (A^-1)_jk |
//
// X are the A functions (forward pass of the evaluator), sums of pair functions and stored products. The map by A^-1 is
// what costs: K^2 FMA per site. It is made for a whole window of 64 sites as a matrix product: tiles of four vectors of
// sites times `panel` columns stay in registers while j runs; a panel of the inverse (L1) serves all sites of the
// window before the next one is read, so that the inverse is read once for 64 sites.
#pragma once

#include "evaluate_kernel.hpp"
#include "grade_view.hpp"

LACEMAKER_KERNEL_BEGIN

inline constexpr int grade_vectors = 4;  // of sites in a tile
template <class V>
inline constexpr int grade_panel = wide<V> ? 6 : 3;
template <class V>
inline constexpr int grade_tiles = window_sites / (grade_vectors * lanes<V>);

template <class V>
struct GradeWorkspace {
    Stage stage;
    Group<V> group;
    NeighbourScratch<V> scratch;
    V* X;    // (n_nodes,)
    V* B;    // (grade_tiles, n_functions, grade_vectors)
    int* order;

    GradeWorkspace(void* memory, const GradeCapacity& c) { carve(memory, c); }

    std::size_t carve(void* base, const GradeCapacity& capacity) {
        Bump memory{static_cast<char*>(base)};
        const Capacity& c = capacity.base;
        X = memory.take<V>(capacity.n_nodes);
        B = memory.take<V>(std::size_t(grade_tiles<V>) * capacity.n_functions * grade_vectors);
        scratch.carve(memory, c.n_max, c.lmax, forward_block<V>);
        order = memory.take<int>(window_sites);
        group.carve(memory, c);
        stage.carve(memory, c);
        return memory.used;
    }
};

template <class V>
std::size_t grade_bytes(const GradeCapacity& c) {
    GradeWorkspace<V> none(nullptr, c);
    return none.carve(nullptr, c);
}

// P[n] += env P_n(x) of the pair basis over the slots of one bucket.
template <class V>
LACEMAKER_NOINLINE void accumulate_pair(const RadialPair<Lane<V>>& k, const Recursion<Lane<V>>& c, const Slot<V>* slots,
                                        int n_slots, V* P) {
    for (int at = 0; at < n_slots; ++at) {
        const V inverse_r = slots[at].inverse_r, r = Lane<V>(1) / inverse_r;
        const Dual<V> x = transform(k, r);
        V last = V{}, now = envelope(k, r, inverse_r, x).value;
        for (int n = 0; n < c.n_max; ++n) {
            P[n] += now;
            const V next = (x.value - c.beta[n]) * now - c.gamma[n] * last;
            last = now;
            now = next;
        }
    }
}

// Nodes of n <= W sites.
template <class V>
LACEMAKER_NOINLINE void grade_nodes(const GradeView& view, int centre, const int* members, int n, int padding_atom,
                                    GradeWorkspace<V>& w) {
    const ModelView<double>& model = *view.model;
    const GradeCentre& c = view.centres[centre];
    const ZblPair no_zbl{0, 0, 0, 1};
    fill_group<V>(w.stage, 2 * model.n_species, members, n, model.far, padding_atom, one_bucket(model), w.group);
    const int first_product = c.n_nodes - c.n_products;
    w.X[0] = broadcast<V>(1);
    for (int r = 1; r < first_product; ++r) w.X[r] = V{};
    const SpeciesRows* rows = model.programs[centre].species_rows;
    for (int b = 0; b < 2 * model.n_species; ++b) {
        const int first = w.group.first[b], count = w.group.first[b + 1] - first;
        if (count == 0) continue;
        const int k = centre * model.n_species + b / 2;
        const PairTerms<double> no_pair{model.many_body + k, nullptr, nullptr, 0, &no_zbl};
        Slot<V>* slots = w.group.slots + first;
        fill_bucket(no_pair, slots, count);
        if (model.has_pair[k])
            accumulate_pair(model.pair[k], view.pair, slots, count, w.X + 1 + c.n_a + b / 2 * view.pair.n_max);
        if (b % 2 == 1) continue;
        while (rows->species < b / 2) ++rows;
        forward_bucket<V, forward_block<V>>(model, *rows, slots, count, w.X + 1 + rows->first_row, w.scratch);
    }
    for (int k = 0; k < c.n_products; ++k) w.X[first_product + k] = w.X[c.left[k]] * w.X[c.right[k]];
}

// B[k * grade_vectors] of one vector of sites.
template <class V>
LACEMAKER_NOINLINE void grade_values(const DesignSums& f, const V* X, V* B) {
    for (int k = 0; k < f.count; ++k) {
        V even = V{}, odd = V{};
        std::int32_t t = f.first[k];
        const std::int32_t last = f.first[k + 1];
        for (; t + 1 < last; t += 2) {
            even += f.weight[t] * (X[f.left[t]] * X[f.right[t]]);
            odd += f.weight[t + 1] * (X[f.left[t + 1]] * X[f.right[t + 1]]);
        }
        if (t < last) even += f.weight[t] * (X[f.left[t]] * X[f.right[t]]);
        B[k * grade_vectors] = even + odd;
    }
}

// most[v] = max(most[v], |B_v . column|) over the columns of one panel.
template <class V>
LACEMAKER_NOINLINE void grade_tile(const double* panel, const V* B, int n, V* most) {
    constexpr int P = grade_panel<V>;
    V sum[P][grade_vectors];
    LACEMAKER_UNROLL
    for (int p = 0; p < P; ++p)
        LACEMAKER_UNROLL
        for (int v = 0; v < grade_vectors; ++v) sum[p][v] = V{};
    for (int j = 0; j < n; ++j, panel += P, B += grade_vectors) {
        V b[grade_vectors];
        LACEMAKER_UNROLL
        for (int v = 0; v < grade_vectors; ++v) b[v] = B[v];
        LACEMAKER_UNROLL
        for (int p = 0; p < P; ++p) {
            LACEMAKER_UNROLL
            for (int v = 0; v < grade_vectors; ++v) sum[p][v] += panel[p] * b[v];
        }
    }
    LACEMAKER_UNROLL
    for (int p = 0; p < P; ++p)
        LACEMAKER_UNROLL
        for (int v = 0; v < grade_vectors; ++v) most[v] = maximum<V>(most[v], maximum<V>(sum[p][v], -sum[p][v]));
}

// Values and grades of the sites of a window, from its functions in w.B.
template <class V>
LACEMAKER_NOINLINE void grade_window(const GradeCentre& c, const std::int32_t* sites, int count, GradeWorkspace<V>& w,
                                     GradeJob& job) {
    constexpr int W = lanes<V>, T = grade_vectors * W;
    const int n = c.functions.count, n_tiles = (count + T - 1) / T, n_panels = (n + grade_panel<V> - 1) / grade_panel<V>;
    if (job.values)
        for (int at = 0; at < count; ++at) {
            double* out = job.values + sites[w.order[at]] * job.stride;
            const V* B = w.B + (std::size_t(at / T) * n * grade_vectors + at % T / W);
            for (int k = 0; k < n; ++k) out[k] = B[k * grade_vectors][at % W];
        }
    if (!job.grades) return;
    V most[grade_tiles<V>][grade_vectors] = {};
    for (int p = 0; p < n_panels; ++p)
        for (int t = 0; t < n_tiles; ++t)
            grade_tile<V>(c.inverse + std::size_t(p) * n * grade_panel<V>, w.B + std::size_t(t) * n * grade_vectors, n,
                          most[t]);
    for (int at = 0; at < count; ++at) {
        const double grade = most[at / T][at % T / W][at % W];
        job.grades[sites[w.order[at]]] = grade;
        if (!(grade < __builtin_inf())) job.status = {EvaluateStatus::not_finite, sites[w.order[at]], -1, 0};
    }
}

template <class V>
void grade_windows(const GradeView& view, const GradeCapacity& capacity, GradeJob& job, void* memory) {
    constexpr int W = lanes<V>, T = grade_vectors * W;
    const ModelView<double>& model = *view.model;
    GradeWorkspace<V> w(memory, capacity);
    EvaluateJob staging{};
    staging.atoms = job.atoms;
    staging.padded_positions = job.padded_positions;
    for (int k = 0; k < job.n_windows && job.status.code == EvaluateStatus::ok; ++k) {
        const Window& window = job.windows[k];
        const GradeCentre& c = view.centres[window.centre];
        const std::int32_t* sites = job.site_order + window.first;
        stage<double>(model, staging, sites, window.count, w.stage, job.status);
        if (job.status.code != EvaluateStatus::ok) return;
        group_sites(w.stage.count, w.stage.first, window.count, 2 * model.n_species, W, w.order);
        const int n = c.functions.count;
        for (int at = 0; at < (window.count + T - 1) / T * T; at += W) {
            V* B = w.B + std::size_t(at / T) * n * grade_vectors + at % T / W;
            if (at >= window.count) {
                for (int f = 0; f < n; ++f) B[f * grade_vectors] = V{};
                continue;
            }
            grade_nodes<V>(view, window.centre, w.order + at, window.count - at < W ? window.count - at : W,
                           job.atoms.n_atoms, w);
            grade_values<V>(c.functions, w.X, B);
        }
        grade_window<V>(c, sites, window.count, w, job);
    }
}

constexpr GradeKernels grade_entry() {
    using V = Vec<double, native_lanes<double>>;
    return {lanes<V>, grade_panel<V>, &grade_bytes<V>, &grade_windows<V>};
}

LACEMAKER_KERNEL_END
