// TabulatedEvaluator: energies, forces and virials with tabulated radial functions and embedded densities. Host code.
//
//     TabulatedEvaluator e(tables, radial, embeddings, densities, choose_isa("auto"));
//     EvaluateStatus s = e.evaluate(atoms, energies, forces, virial, n_threads);
//
// The terms of a density are compiled like those of any potential (model.hpp), on rows that all densities share. The
// radial functions of `tables` are not used, only its A channels and cutoffs; A_znlm takes function
// first_function[l] + n - 1 of its species pair times the orthonormal harmonic. See tabulated_view.hpp.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "aligned_buffer.hpp"
#include "dispatch.hpp"
#include "model.hpp"
#include "schedule.hpp"
#include "tabulated_view.hpp"

namespace lacemaker {

extern const TabulatedKernels tabulated_kernels_baseline;
#ifdef LACEMAKER_X86_KERNELS
extern const TabulatedKernels tabulated_kernels_avx2;
extern const TabulatedKernels tabulated_kernels_avx512;
#endif

inline const TabulatedKernels& tabulated_kernels(Isa isa) {
#ifdef LACEMAKER_X86_KERNELS
    if (isa == Isa::avx2) return tabulated_kernels_avx2;
    if (isa == Isa::avx512) return tabulated_kernels_avx512;
#endif
    (void)isa;
    return tabulated_kernels_baseline;
}

// Tables of all species pairs, in the layout of the keyword arguments of _core.TabulatedEvaluator; pair k = i NZ + j.
struct RadialSplineTables {
    int n_l = 1;
    std::vector<std::int32_t> n_functions;     // (NZ, NZ)
    std::vector<std::int32_t> first_function;  // (NZ, NZ, n_l)
    std::vector<std::int32_t> has_core;        // (NZ, NZ)
    std::vector<double> inner;                 // (NZ, NZ, 2) Å: end and width of the inner cutoff
    std::vector<std::int32_t> segment_first;   // (NZ NZ + 1,)
    std::vector<double> segment_range;         // (S, 2) Å
    std::vector<std::int32_t> segment_bins;    // (S,)
    std::vector<double> coefficients;          // per pair (bins, table_order, n_functions), powers of t
};

struct EmbeddingTables {
    int n_densities = 1;
    std::vector<std::int32_t> kind;       // (NZ,)
    std::vector<double> weight, exponent;  // (NZ, n_densities)
    std::vector<double> core;             // (NZ, 2) eV: limit and width
    bool nearest_switch = false;
};

inline void check(const RadialSplineTables& t, const EmbeddingTables& e, const Tables& tables, std::size_t n_models) {
    using detail::require;
    const std::size_t nz = tables.n_species, pairs = nz * nz;
    require(t.n_l >= 1 && t.n_functions.size() == pairs && t.first_function.size() == pairs * t.n_l &&
                t.has_core.size() == pairs && t.inner.size() == 2 * pairs && t.segment_first.size() == pairs + 1,
            "the tables of radial functions must have one entry per pair of species");
    const std::size_t segments = t.segment_bins.size();
    require(t.segment_range.size() == 2 * segments && t.segment_first.front() == 0 &&
                std::is_sorted(t.segment_first.begin(), t.segment_first.end()) &&
                std::size_t(t.segment_first.back()) == segments,
            "segment_first must rise from 0 to the number of segments in NZ NZ + 1 steps");
    std::size_t size = 0;
    for (std::size_t k = 0; k < pairs; ++k) {
        const int first = t.segment_first[k], last = t.segment_first[k + 1];
        require(last - first >= 1 && last - first <= max_segments && t.n_functions[k] >= 0,
                "a pair of species needs 1 to " + std::to_string(max_segments) + " segments, found " +
                    std::to_string(last - first));
        for (int s = first; s < last; ++s) {
            require(t.segment_bins[s] >= 1 && t.segment_bins[s] <= 1000000 &&
                        t.segment_range[2 * s] < t.segment_range[2 * s + 1] &&
                        (s == first ? t.segment_range[2 * s] == 0
                                    : t.segment_range[2 * s] == t.segment_range[2 * s - 1]),
                    "segments must have bins and follow each other from 0 on");
            size += std::size_t(t.segment_bins[s]) * table_order * t.n_functions[k];
        }
    }
    require(t.coefficients.size() == size, "coefficients must hold bins x " + std::to_string(table_order) +
                                               " x functions numbers for each pair of species");
    for (std::size_t i = 0; i < nz; ++i)
        for (const AChannel *a = tables.channels(int(i)), *end = a + tables.n_a(int(i)); a != end; ++a) {
            const std::size_t k = i * nz + a->z;
            require(a->l < t.n_l && t.first_function[k * t.n_l + a->l] >= 0 &&
                        t.first_function[k * t.n_l + a->l] + a->n <= t.n_functions[k],
                    "a_spec names a radial function that is not tabulated");
        }
    require(e.n_densities >= 1 && e.n_densities <= max_densities && std::size_t(e.n_densities) == n_models,
            "1 to " + std::to_string(max_densities) + " densities are possible, found " +
                std::to_string(e.n_densities));
    require(e.kind.size() == nz && e.weight.size() == nz * e.n_densities && e.exponent.size() == e.weight.size() &&
                e.core.size() == 2 * nz,
            "the embedding must have one entry per species");
}

class TabulatedModel {
public:
    TabulatedModel(const Tables& tables, const RadialSplineTables& radial, const EmbeddingTables& embeddings,
                   const std::vector<ModelTerms>& densities, int max_run, int lanes)
        : radial_(radial), embeddings_(embeddings) {
        check(radial, embeddings, tables, densities.size());
        for (const ModelTerms& terms : densities) {
            check(tables, terms);
            models_.push_back(std::make_unique<Model<double>>(tables, terms, max_run, lanes * 8, true));
            views_.push_back(models_.back()->view());
        }
        set_splines(tables);
        radial_.coefficients = {};
        set_embeddings(tables.n_species);
        static_cast<Capacity&>(capacity_) = models_[0]->capacity();
        for (const auto& m : models_) capacity_.n_rows = std::max(capacity_.n_rows, m->capacity().n_rows);
        capacity_.n_densities = embeddings.n_densities;
        view_ = {embeddings_.n_densities, views_.data(), splines_.data(), embedding_views_.data(),
                 embeddings_.nearest_switch};
    }
    TabulatedModel(const TabulatedModel&) = delete;
    TabulatedModel& operator=(const TabulatedModel&) = delete;

    const TabulatedView& view() const { return view_; }
    const TabulatedCapacity& capacity() const { return capacity_; }
    const std::vector<std::unique_ptr<Model<double>>>& densities() const { return models_; }
    std::size_t table_bytes() const { return table_bytes_; }

private:
    // Coefficients padded to whole vectors, with a bin of zeros behind the last.
    void set_splines(const Tables& tables) {
        const std::size_t pairs = std::size_t(tables.n_species) * tables.n_species;
        buffers_.resize(pairs);
        const double* from = radial_.coefficients.data();
        for (std::size_t k = 0; k < pairs; ++k) {
            RadialSplines s{};
            const int first = radial_.segment_first[k], n = radial_.n_functions[k];
            s.n_functions = n;
            s.stride = (n + table_padding - 1) / table_padding * table_padding;
            s.n_segments = radial_.segment_first[k + 1] - first;
            for (int i = 0; i < s.n_segments; ++i) {
                s.start[i] = radial_.segment_range[2 * (first + i)];
                s.end = radial_.segment_range[2 * (first + i) + 1];
                s.n_bins[i] = radial_.segment_bins[first + i];
                s.bins_per_length[i] = s.n_bins[i] / (s.end - s.start[i]);
                s.first_bin[i] = s.zero_bin;
                s.zero_bin += s.n_bins[i];
            }
            const std::size_t rows = std::size_t(s.zero_bin) * table_order, size = (rows + table_order) * s.stride;
            double* to = static_cast<double*>(buffers_[k].reserve(size * sizeof(double)));
            std::fill_n(to, size, 0.0);
            for (std::size_t row = 0; row < rows; ++row, from += n) std::copy_n(from, n, to + row * s.stride);
            s.coefficients = to;
            s.first_function = radial_.first_function.data() + k * radial_.n_l;
            s.has_core = radial_.has_core[k] != 0;
            s.inner = radial_.inner[2 * k], s.inner_width = radial_.inner[2 * k + 1];
            splines_.push_back(s);
            table_bytes_ += size * sizeof(double);
            capacity_.n_functions = std::max(capacity_.n_functions, s.stride);
        }
    }

    void set_embeddings(int nz) {
        for (int z = 0; z < nz; ++z) {
            const std::size_t at = std::size_t(z) * embeddings_.n_densities;
            embedding_views_.push_back({embeddings_.kind[z], embeddings_.n_densities, embeddings_.weight.data() + at,
                                        embeddings_.exponent.data() + at, embeddings_.core[2 * z],
                                        embeddings_.core[2 * z + 1]});
        }
    }

    RadialSplineTables radial_;
    EmbeddingTables embeddings_;
    std::vector<std::unique_ptr<Model<double>>> models_;
    std::vector<ModelView<double>> views_;
    std::vector<AlignedBuffer> buffers_;
    std::vector<RadialSplines> splines_;
    std::vector<EmbeddingView> embedding_views_;
    TabulatedCapacity capacity_{};
    TabulatedView view_{};
    std::size_t table_bytes_ = 0;
};

class TabulatedEvaluator {
public:
    TabulatedEvaluator(const Tables& tables, const RadialSplineTables& radial, const EmbeddingTables& embeddings,
                       const std::vector<ModelTerms>& densities, Isa isa)
        : isa_(isa),
          kernels_(tabulated_kernels(isa)),
          n_species_(tables.n_species),
          model_(tables, radial, embeddings, densities, kernels_.max_run, kernels_.lanes),
          schedule_(tables.n_species) {}

    // As Evaluator::evaluate.
    EvaluateStatus evaluate(const AtomsView& atoms, double* site_energies, double* forces, double* virial,
                            int n_threads = 1) const {
        return schedule_.run(model_, kernels_, atoms, site_energies, forces, virial, n_threads);
    }

    Isa isa() const { return isa_; }
    int n_species() const { return n_species_; }
    int lanes() const { return kernels_.lanes; }
    const TabulatedModel& model() const { return model_; }

private:
    Isa isa_;
    const TabulatedKernels& kernels_;
    int n_species_;
    TabulatedModel model_;
    Schedule schedule_;
};

}  // namespace lacemaker
