// What the design kernel reads (design_view.hpp), with its storage. Host code; design_compile.hpp makes it.
#pragma once

#include "design_terms.hpp"
#include "design_view.hpp"
#include "harmonics.hpp"
#include "tables.hpp"

namespace lacemaker {

// The keyword arguments of the Python class _core.DesignRows.
struct DesignTables {
    std::vector<std::int32_t> product_centre;  // (NZ + 1,) products of each centre
    std::vector<std::int64_t> product_first;   // (n_products + 1,)
    std::vector<std::int32_t> product_index;   // A functions, numbered within the centre
    std::vector<std::int32_t> row_centre;      // (NZ + 1,) many-body columns of each centre
    std::vector<std::int64_t> row_first;       // (K_mb + 1,)
    std::vector<std::int32_t> row_product;     // numbered within the centre
    std::vector<double> row_coefficient;
    std::vector<std::int32_t> pair_column;     // (NZ, NZ, n_pair) column or -1
    int n_columns = 0;
};

// Storage behind a DesignPair.
struct PairPlan {
    DesignPair view{};
    std::vector<std::int32_t> harmonic, harmonic_first, radial;
    std::vector<std::int32_t> tile_column, tile_width, tile_slot{0};
    std::vector<std::uint32_t> slot_offset;

    void connect() {
        view.harmonic = harmonic.data();
        view.harmonic_first = harmonic_first.data();
        view.radial = radial.data();
        view.n_tiles = int(tile_column.size());
        view.tile_column = tile_column.data();
        view.tile_width = tile_width.data();
        view.tile_slot = tile_slot.data();
        view.slot_offset = slot_offset.data();
    }
    std::size_t bytes() const {
        return 4 * (harmonic.size() + harmonic_first.size() + radial.size() + tile_column.size() + tile_width.size() +
                    tile_slot.size() + slot_offset.size());
    }
};

// Storage behind a DesignCentre.
struct CentrePlan {
    DesignCentre view{};
    std::vector<PairPlan> pairs;
    std::vector<DesignPair> pair_views;
    std::vector<std::int32_t> node_left, node_right, value_column, slot_slope;
    SumList values, slopes;

    void connect() {
        pair_views.clear();
        for (PairPlan& p : pairs) {
            p.connect();
            pair_views.push_back(p.view);
        }
        view.pairs = pair_views.data();
        view.n_nodes = 1 + view.n_channels + int(node_left.size());
        view.node_left = node_left.data();
        view.node_right = node_right.data();
        view.values = values.view();
        view.value_column = value_column.data();
        view.slopes = slopes.view();
        view.n_slots = std::int64_t(slot_slope.size());
        view.slot_slope = slot_slope.data();
    }
    std::size_t bytes() const {
        std::size_t sum = 4 * (node_left.size() + node_right.size() + value_column.size() + slot_slope.size());
        for (const PairPlan& p : pairs) sum += p.bytes();
        return sum + values.bytes() + slopes.bytes();
    }
};

class DesignPlan {
public:
    DesignPlan(const Tables& tables, int n_columns, std::vector<CentrePlan> centres)
        : tables_(tables), centres_(std::move(centres)) {
        view_.n_species = tables.n_species;
        view_.n_columns = n_columns;
        for (const AChannel& a : tables.a_spec) view_.lmax = std::max(view_.lmax, int(a.l));
        beta_.resize(harmonic_stride * harmonic_stride);
        fill_harmonic_beta(beta_.data());
        for (int l = 0; l <= view_.lmax; ++l)
            for (int m = -l; m <= l; ++m) norm_.push_back(harmonic_norm(l, m));
        for (CentrePlan& c : centres_) {
            c.connect();
            centre_views_.push_back(c.view);
        }
        view_.centres = centre_views_.data();
        view_.many_body = recursion(tables_.many_body);
        view_.pair = recursion(tables_.pair);
        view_.many_body_norm = tables_.many_body.norm.data();
        view_.pair_norm = tables_.pair.norm.data();
        view_.harmonic_beta = beta_.data();
        view_.harmonic_norm = norm_.data();
    }
    DesignPlan(const DesignPlan&) = delete;
    DesignPlan& operator=(const DesignPlan&) = delete;

    const DesignView& view() const { return view_; }
    const std::vector<CentrePlan>& centres() const { return centres_; }

private:
    static Recursion<double> recursion(const RadialTable& t) {
        return {t.beta.data(), t.gamma.data(), t.n_max(), false};
    }

    Tables tables_;
    std::vector<double> beta_, norm_;
    std::vector<CentrePlan> centres_;
    std::vector<DesignCentre> centre_views_;
    DesignView view_{};
};

}  // namespace lacemaker
