// Sparse sums of products for the design kernel: which products of A functions to store, which to form on the fly.
//
// Host code. A factor list (a_1 <= ... <= a_m of node numbers) becomes a product of two nodes:
//
//     m = 1: 1 * a    m = 2: a * b    m = 3: (pair) * a    m = 4: (pair) * (pair)    m = 5: (pair) * (triple)
//
// Nodes of two and more factors are stored products; a pair that exists or that many lists can use is preferred, so
// a basis of order 3 with 9000 products needs about 2000 stored pairs for its values and none for its slopes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "design_view.hpp"

namespace lacemaker {

using Factors = std::vector<std::int32_t>;  // node numbers of A functions, rising
using Split = std::pair<std::int32_t, std::int32_t>;

// Nodes of one centre: 0 is 1, 1..n_channels are the A functions, products follow.
class NodePool {
public:
    explicit NodePool(int n_channels) : n_channels_(n_channels) {}

    // Tell that `factors` will be split later: pairs that occur often are preferred.
    void announce(const Factors& factors) {
        if (factors.size() < 3) return;
        for (std::size_t a = 0; a < factors.size(); ++a)
            for (std::size_t b = a + 1; b < factors.size(); ++b) ++uses_[{factors[a], factors[b]}];
    }

    // Two nodes whose product is the product of all factors.
    Split split(const Factors& f) {
        switch (f.size()) {
            case 0: return {0, 0};
            case 1: return {0, f[0]};
            case 2: return {f[0], f[1]};
            case 3: return split_three(f);
            case 4: return split_four(f);
            default: {
                const auto middle = f.begin() + f.size() / 2;
                return {node(Factors(f.begin(), middle)), node(Factors(middle, f.end()))};
            }
        }
    }

    int count() const { return 1 + n_channels_ + int(left_.size()); }
    const std::vector<std::int32_t>& left() const { return left_; }
    const std::vector<std::int32_t>& right() const { return right_; }

private:
    std::int32_t node(const Factors& f) {
        if (f.size() == 1) return f[0];
        const auto found = products_.find(f);
        if (found != products_.end()) return found->second;
        const Split parts = split(f);
        const std::int32_t id = count();
        left_.push_back(parts.first);
        right_.push_back(parts.second);
        products_.emplace(f, id);
        return id;
    }

    // How welcome the pair is: already there, else by the number of lists that hold it.
    long merit(std::int32_t a, std::int32_t b) const {
        if (products_.count({a, b})) return 1L << 40;
        const auto found = uses_.find({a, b});
        return found == uses_.end() ? 0 : found->second;
    }

    Split split_three(const Factors& f) {
        static constexpr int ways[3][3] = {{0, 1, 2}, {0, 2, 1}, {1, 2, 0}};
        const auto best = std::max_element(ways, ways + 3, [&](const int* x, const int* y) {
            return merit(f[x[0]], f[x[1]]) < merit(f[y[0]], f[y[1]]);
        });
        return {node({f[(*best)[0]], f[(*best)[1]]}), f[(*best)[2]]};
    }

    Split split_four(const Factors& f) {
        static constexpr int ways[3][4] = {{0, 1, 2, 3}, {0, 2, 1, 3}, {0, 3, 1, 2}};
        const auto total = [&](const int* w) { return merit(f[w[0]], f[w[1]]) + merit(f[w[2]], f[w[3]]); };
        const auto best =
            std::max_element(ways, ways + 3, [&](const int* x, const int* y) { return total(x) < total(y); });
        const std::int32_t one = node({f[(*best)[0]], f[(*best)[1]]});
        return {one, node({f[(*best)[2]], f[(*best)[3]]})};
    }

    int n_channels_;
    std::vector<std::int32_t> left_, right_;
    std::map<Factors, std::int32_t> products_;
    std::map<Split, long> uses_;
};

// Storage behind a DesignSums.
struct SumList {
    std::vector<std::int32_t> first{0}, left, right;
    std::vector<double> weight;

    void add(const Split& nodes, double c) {
        left.push_back(nodes.first);
        right.push_back(nodes.second);
        weight.push_back(c);
    }
    void close() { first.push_back(std::int32_t(left.size())); }
    int count() const { return int(first.size()) - 1; }
    std::size_t bytes() const { return 4 * (first.size() + left.size() + right.size()) + 8 * weight.size(); }
    DesignSums view() const { return {count(), first.data(), left.data(), right.data(), weight.data()}; }
};

// One function of a centre: sum of coefficient * product of A functions.
struct Polynomial {
    std::vector<std::pair<Factors, double>> terms;
};

// dB/dA_v of a polynomial for every v it holds: v -> terms with equal factors added up.
inline std::map<std::int32_t, std::map<Factors, double>> derivatives(const Polynomial& p) {
    std::map<std::int32_t, std::map<Factors, double>> out;
    for (const auto& [factors, coefficient] : p.terms)
        for (std::size_t k = 0; k < factors.size(); ++k) {
            Factors rest = factors;  // equal factors each give one copy, hence the power's exponent
            rest.erase(rest.begin() + k);
            out[factors[k]][rest] += coefficient;
        }
    return out;
}

}  // namespace lacemaker
