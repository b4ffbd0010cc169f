// From the tables of a basis to a DesignPlan. Host code, once per basis and instruction set.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

#include "design_plan.hpp"

namespace lacemaker {

// Compiles the functions of one centre species.
class CentreCompiler {
public:
    CentreCompiler(const Tables& tables, const DesignTables& design, int centre, int lanes)
        : tables_(tables), design_(design), c_(centre), lanes_(lanes) {}

    CentrePlan run() {
        read_functions();
        number_channels();
        NodePool nodes(plan_.view.n_channels);
        compile_values(nodes);
        compile_slopes(nodes);
        for (int z = 0; z < tables_.n_species; ++z) compile_pair(z);
        plan_.node_left = nodes.left();
        plan_.node_right = nodes.right();
        return std::move(plan_);
    }

private:
    struct Channel {
        int z, kind, l, m, n;  // kind 0: many-body, 1: pair basis; n counts from 0
        auto key() const { return std::tie(z, kind, l, m, n); }
        bool operator<(const Channel& o) const { return key() < o.key(); }
    };
    struct Slot {
        std::int32_t node, slope;
    };
    using FunctionIterator = std::map<std::int32_t, Polynomial>::const_iterator;

    // Polynomials by column; factors are raw channel numbers: A functions, then pair functions (z, n).
    void read_functions() {
        const int n_a = tables_.n_a(c_), n_pair = tables_.pair.n_max();
        for (int k = design_.row_centre[c_]; k < design_.row_centre[c_ + 1]; ++k)
            for (std::int64_t e = design_.row_first[k]; e < design_.row_first[k + 1]; ++e) {
                const std::int64_t p = design_.product_centre[c_] + design_.row_product[e];
                const auto begin = design_.product_index.begin();
                if (design_.row_coefficient[e] != 0)
                    functions_[k].terms.emplace_back(
                        Factors(begin + design_.product_first[p], begin + design_.product_first[p + 1]),
                        design_.row_coefficient[e]);
            }
        for (int q = 0; q < tables_.n_species * n_pair; ++q) {
            const int column = design_.pair_column[c_ * tables_.n_species * n_pair + q];
            if (column >= 0) functions_[column].terms.push_back({Factors{n_a + q}, 1.0});
        }
    }

    Channel channel(std::int32_t raw) const {
        const int n_a = tables_.n_a(c_), n_pair = tables_.pair.n_max();
        if (raw >= n_a) return {(raw - n_a) / n_pair, 1, 0, 0, (raw - n_a) % n_pair};
        const AChannel& a = tables_.channels(c_)[raw];
        return {a.z, 0, a.l, a.m, a.n - 1};
    }

    // Nodes of the channels in use, sorted by (z, kind, l, m, n); factors become rising lists of nodes.
    void number_channels() {
        for (const auto& [column, f] : functions_)
            for (const auto& term : f.terms)
                for (std::int32_t raw : term.first) channels_[channel(raw)] = 0;
        std::int32_t next = 0;
        for (auto& entry : channels_) entry.second = ++next;
        plan_.view.n_channels = next;
        for (auto& [column, f] : functions_)
            for (auto& term : f.terms) {
                for (std::int32_t& raw : term.first) raw = channels_[channel(raw)];
                std::sort(term.first.begin(), term.first.end());
            }
    }

    void compile_values(NodePool& nodes) {
        for (const auto& [column, f] : functions_)
            for (const auto& term : f.terms) nodes.announce(term.first);
        for (const auto& [column, f] : functions_) {
            for (const auto& [factors, c] : f.terms) plan_.values.add(nodes.split(factors), c);
            plan_.values.close();
            plan_.value_column.push_back(column);
        }
    }

    void compile_slopes(NodePool& nodes) {
        std::unordered_map<std::string, std::int32_t> known;
        for (const auto& [column, f] : functions_)
            for (const auto& [node, terms] : derivatives(f)) {
                std::map<Split, double> sum;
                for (const auto& [factors, c] : terms) sum[nodes.split(factors)] += c;
                std::string key;
                for (const auto& [split, c] : sum) {
                    key.append(reinterpret_cast<const char*>(&split), sizeof split);
                    key.append(reinterpret_cast<const char*>(&c), sizeof c);
                }
                const auto [at, is_new] = known.emplace(key, plan_.slopes.count());
                if (is_new) {
                    for (const auto& [split, c] : sum) plan_.slopes.add(split, c);
                    plan_.slopes.close();
                }
                slots_[column].push_back({node, at->second});
            }
    }

    void compile_pair(int z) {
        plan_.pairs.emplace_back();
        PairPlan& p = plan_.pairs.back();
        DesignPair& v = p.view;
        v.many_body = radial_pair<double>(tables_, tables_.many_body, c_, z);
        v.cutoff = v.many_body.rcut;
        if (tables_.pair.n_max() > 0) {
            v.pair = radial_pair<double>(tables_, tables_.pair, c_, z);
            v.cutoff = std::max(v.cutoff, v.pair.rcut);
        }
        add_channels(z, p);
        v.slot_first = std::int64_t(plan_.slot_slope.size());
        for (FunctionIterator f = functions_.begin(); f != functions_.end();) f = add_tile(f, p);
        const double slots = double(p.slot_offset.size()), rows = double(design_tile * p.tile_column.size());
        v.merge_gain = v.n_channels == 0 ? 1.0 : (3.0 * slots + 15.0 * rows) / (20.0 * v.n_channels);
        while (plan_.slot_slope.size() % lanes_ != 0) plan_.slot_slope.push_back(0);
    }

    void add_channels(int z, PairPlan& p) {
        DesignPair& v = p.view;
        v.first_node = 0;
        for (const auto& [channel, node] : channels_) {
            if (channel.z != z) continue;
            if (v.n_channels++ == 0) v.first_node = node;
            p.radial.push_back(channel.n);
            int& needed = channel.kind == 0 ? v.n_radial : v.n_pair_radial;
            needed = std::max(needed, channel.n + 1);
            if (channel.kind == 1) continue;
            const int harmonic = channel.l * channel.l + channel.l + channel.m;
            if (p.harmonic.empty() || p.harmonic.back() != harmonic) {
                p.harmonic.push_back(harmonic);
                p.harmonic_first.push_back(v.n_many_body);
            }
            ++v.n_many_body;
        }
        p.harmonic_first.push_back(v.n_many_body);
        v.n_harmonics = int(p.harmonic.size());
    }

    // The functions of consecutive columns up to the next multiple of design_tile; kept if any slot belongs to p.
    FunctionIterator add_tile(FunctionIterator f, PairPlan& p) {
        const std::int32_t first = f->first;
        int width = 0;
        bool used = false;
        std::vector<std::int32_t> ends;
        const std::size_t slots_before = p.slot_offset.size();
        do {
            add_slots(slots_[f->first], p);
            ends.push_back(std::int32_t(p.slot_offset.size()));
            used = p.slot_offset.size() > slots_before;
            ++width, ++f;
        } while (f != functions_.end() && f->first == first + width && f->first % design_tile != 0);
        if (!used) return f;
        ends.resize(design_tile, ends.back());
        p.tile_column.push_back(first);
        p.tile_width.push_back(width);
        p.tile_slot.insert(p.tile_slot.end(), ends.begin(), ends.end());
        return f;
    }

    void add_slots(const std::vector<Slot>& slots, PairPlan& p) {
        const std::size_t row = design_chunk * lanes_ * sizeof(double);
        for (const Slot& s : slots) {
            const int v = s.node - p.view.first_node;
            if (v < 0 || v >= p.view.n_channels) continue;
            p.slot_offset.push_back(std::uint32_t(v * row));
            plan_.slot_slope.push_back(s.slope);
        }
    }

    const Tables& tables_;
    const DesignTables& design_;
    int c_, lanes_;
    std::map<Channel, std::int32_t> channels_;     // -> node
    std::map<std::int32_t, Polynomial> functions_; // by column
    std::map<std::int32_t, std::vector<Slot>> slots_;
    CentrePlan plan_;
};

// Index checks; the messages name the argument.
inline void check(const Tables& t, const DesignTables& d) {
    using detail::require;
    const auto partition = [](const auto& first, std::size_t parts, std::size_t total, const std::string& name) {
        require((parts == 0 ? !first.empty() : first.size() == parts) && first.front() == 0 &&
                    std::size_t(first.back()) == total && std::is_sorted(first.begin(), first.end()),
                name + " must rise from 0 to " + std::to_string(total));
    };
    require(!d.product_first.empty() && !d.row_first.empty(), "product_first and row_first must start with a zero");
    const std::size_t nz = std::size_t(t.n_species);
    partition(d.product_centre, nz + 1, d.product_first.size() - 1, "product_centre");
    partition(d.product_first, 0, d.product_index.size(), "product_first");
    partition(d.row_centre, nz + 1, d.row_first.size() - 1, "row_centre");
    partition(d.row_first, 0, d.row_product.size(), "row_first");
    require(d.row_coefficient.size() == d.row_product.size(), "row_coefficient must be as long as row_product");
    require(d.pair_column.size() == nz * nz * t.pair.n_max(), "pair_column must have shape (NZ, NZ, n_pair)");
    require(d.n_columns >= int(d.row_first.size()) - 1, "n_columns is smaller than the number of many-body rows");
    for (std::int32_t column : d.pair_column)
        require(column >= -1 && column < d.n_columns, "pair_column holds a column outside -1..n_columns-1");
    for (std::size_t c = 0; c < nz; ++c) {
        const int n_products = d.product_centre[c + 1] - d.product_centre[c];
        for (std::int64_t p = d.product_first[d.product_centre[c]]; p < d.product_first[d.product_centre[c + 1]]; ++p)
            require(d.product_index[p] >= 0 && d.product_index[p] < t.n_a(int(c)),
                    "product_index holds an A function that the centre does not have");
        for (std::int64_t e = d.row_first[d.row_centre[c]]; e < d.row_first[d.row_centre[c + 1]]; ++e)
            require(d.row_product[e] >= 0 && d.row_product[e] < n_products,
                    "row_product holds a product that the centre does not have");
    }
    for (std::size_t p = 0; p + 1 < d.product_first.size(); ++p)
        require(d.product_first[p + 1] > d.product_first[p], "a product of the basis has no factors");
}

inline std::unique_ptr<DesignPlan> compile_design(const Tables& tables, const DesignTables& design, int lanes) {
    check(tables, design);
    std::vector<CentrePlan> centres;
    for (int c = 0; c < tables.n_species; ++c)
        centres.push_back(CentreCompiler(tables, design, c, lanes).run());
    return std::make_unique<DesignPlan>(tables, design.n_columns, std::move(centres));
}

}  // namespace lacemaker
