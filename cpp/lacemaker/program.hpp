// The program of one centre: what product_kernel.hpp runs. Host code.
//
//     flat terms -> rows, merged monomials (terms.hpp) -> stored products for orders > 3 (shared_products.hpp)
//                -> run-blocks (block_cover.hpp) -> classes of equal shape, ordered to avoid rows just written
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "block_cover.hpp"
#include "evaluator_view.hpp"
#include "shared_products.hpp"
#include "terms.hpp"

namespace lacemaker {

struct Program {
    RowLayout layout;
    std::vector<double> linear;  // (n_rows,) weights of single rows
    std::vector<StoredProduct> products;
    std::vector<BlockClass> classes;
    std::vector<std::int32_t> index;        // per block: a, b, gammas (row numbers)
    std::vector<double> weights;            // per block: (run), (n_gamma, run)
    std::size_t n_terms = 0, n_blocks = 0;  // merged terms, blocks
    double predicted_cost = 0;              // FMAs on full registers, product stage

    int n_rows() const { return layout.n_a + int(products.size()); }
};

namespace detail {

inline bool same_class(const Block& x, const Block& y) { return x.run == y.run && x.gammas.size() == y.gammas.size(); }

// Orders the blocks of each class so that no row written by one of the last few blocks is written again: such a
// row is still on its way to the cache. Greedy over a short look-ahead.
inline void order_blocks(std::vector<Block>& blocks, int n_rows) {
    constexpr int distance = 8, look_ahead = 200;
    std::stable_sort(blocks.begin(), blocks.end(), [](const Block& x, const Block& y) {
        return x.run != y.run ? x.run > y.run : x.gammas.size() > y.gammas.size();
    });
    std::vector<int> last(n_rows + 1);
    for (std::size_t first = 0; first < blocks.size();) {
        std::size_t end = first;
        while (end < blocks.size() && same_class(blocks[end], blocks[first])) ++end;
        std::fill(last.begin(), last.end(), -2 * distance);
        int time = 0;
        for (std::size_t at = first; at < end; ++at, ++time) {
            const auto age = [&](const Block& b) {
                int least = std::min(distance, time - last[b.a]);
                for (int k = 0; k < b.run; ++k) least = std::min(least, time - last[b.b + k]);
                for (std::int32_t g : b.gammas) least = std::min(least, time - last[g]);
                return least;
            };
            std::size_t best = at;
            int best_age = -1;
            for (std::size_t k = at; k < end && k < at + look_ahead && best_age < distance; ++k) {
                const int a = age(blocks[k]);
                if (a > best_age) best = k, best_age = a;
            }
            std::swap(blocks[at], blocks[best]);
            const Block& b = blocks[at];
            last[b.a] = time;
            for (int k = 0; k < b.run; ++k) last[b.b + k] = time;
            for (std::int32_t g : b.gammas) last[g] = time;
        }
        first = end;
    }
}

inline void pack_blocks(const std::vector<Block>& blocks, Program& p) {
    for (std::size_t first = 0; first < blocks.size();) {
        std::size_t end = first;
        while (end < blocks.size() && same_class(blocks[end], blocks[first])) ++end;
        p.classes.push_back(
            {blocks[first].run, int(blocks[first].gammas.size()), int(end - first), p.index.size(), p.weights.size()});
        for (; first < end; ++first) {
            const Block& b = blocks[first];
            p.index.push_back(b.a);
            p.index.push_back(b.b);
            p.index.insert(p.index.end(), b.gammas.begin(), b.gammas.end());
            p.weights.insert(p.weights.end(), b.weights.begin(), b.weights.end());
        }
    }
    p.n_blocks = blocks.size();
}

}  // namespace detail

// Compiles the terms of one centre for kernels that keep runs of up to max_run rows in registers.
inline Program compile_program(const Tables& tables, int centre, const FlatTerms& flat, int max_run,
                               bool every_row = false) {
    Program p;
    std::vector<Monomial> terms = normalise_terms(tables, centre, flat, p.layout, every_row);
    p.n_terms = terms.size();
    p.products = share_products(terms, p.layout.n_a);
    std::vector<int> channel = p.layout.channel;
    const int n_channels = channel.empty() ? 0 : channel.back() + 1;
    for (std::size_t k = 0; k <= p.products.size(); ++k) channel.push_back(n_channels + int(k));
    p.linear.assign(p.n_rows(), 0.0);
    for (const Monomial& t : terms)
        if (t.order == 1) p.linear[t.row[0]] += t.weight;
    BlockCover cover = cover_terms({&terms, &channel, max_run});
    p.predicted_cost = cover.cost;
    detail::order_blocks(cover.blocks, p.n_rows());
    detail::pack_blocks(cover.blocks, p);
    return p;
}

}  // namespace lacemaker
