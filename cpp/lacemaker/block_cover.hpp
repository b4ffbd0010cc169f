// Covering the terms of two and three rows by run-blocks (product_kernel.hpp). Host code.
//
// A block is (a; b, b+1, .. b+R-1; gammas): R pairs of consecutive rows of one channel share a list of third rows, zero
// weights filling the gaps. Which of a term's three rows plays which part is free. Candidates: rows in the order of
// their channels (four ways), which makes long runs in full models; and a greedy choice of the pairs that serve
// most terms, which suits pruned models, where runs are lost. Given the parts, runs are cut by dynamic programming on
// predicted cost, and the candidate with the least predicted cost wins.
#pragma once

#include <algorithm>
#include <cstdint>
#include <queue>
#include <unordered_map>
#include <vector>

#include "shared_products.hpp"
#include "terms.hpp"

namespace lacemaker {

struct Block {
    std::int32_t a, b;
    int run;
    std::vector<std::int32_t> gammas;
    std::vector<double> weights;  // (run) of the pairs, then (n_gamma, run)
};

struct BlockCover {
    std::vector<Block> blocks;
    double cost = 0;  // predicted, in vector FMAs
};

// Rows to cover: their channel (consecutive rows of one channel may form a run) and the row of ones.
struct CoverProblem {
    const std::vector<Monomial>* terms;  // orders 2 and 3 only
    const std::vector<int>* channel;     // (n_rows + 1,) the last is the row of ones
    int max_run;
    std::int32_t ones() const { return std::int32_t(channel->size()) - 1; }
};

namespace detail {

// In units of one FMA on a full register, fitted to measured classes (Zen 4): up to R = 2 a row of the list costs its
// read-modify-write, beyond that its 2 R FMAs.
inline double block_cost(int run, int n_gamma) { return 7.0 + 3.0 * run + n_gamma * std::max(5.0, 2.0 * run + 1.0); }

// The parts of one term.
struct Parts {
    std::int32_t a, b, gamma;  // gamma = -1: a pair (a, b)
    double weight;
};

inline bool parts_before(const Parts& x, const Parts& y) {
    return x.a != y.a ? x.a < y.a : x.b != y.b ? x.b < y.b : x.gamma < y.gamma;
}

// Terms of one (a, b): positions in the sorted list of parts.
struct PairRange {
    std::int32_t b;
    std::size_t first, last;
};

// Appends the block (a; rows of pairs [begin, end)) and returns its cost.
inline void append_block(std::vector<Block>& out, std::int32_t a, const PairRange* begin, const PairRange* end,
                         const std::vector<Parts>& parts) {
    Block block;
    block.a = a;
    block.b = begin->b;
    block.run = int(end - begin);
    for (const PairRange* p = begin; p < end; ++p)
        for (std::size_t k = p->first; k < p->last; ++k)
            if (parts[k].gamma >= 0) block.gammas.push_back(parts[k].gamma);
    std::sort(block.gammas.begin(), block.gammas.end());
    block.gammas.erase(std::unique(block.gammas.begin(), block.gammas.end()), block.gammas.end());
    block.weights.assign(block.run * (1 + block.gammas.size()), 0.0);
    for (const PairRange* p = begin; p < end; ++p)
        for (std::size_t k = p->first; k < p->last; ++k) {
            const auto at = std::lower_bound(block.gammas.begin(), block.gammas.end(), parts[k].gamma);
            const std::size_t column = parts[k].gamma < 0 ? 0 : 1 + (at - block.gammas.begin());
            block.weights[column * block.run + (p - begin)] += parts[k].weight;
        }
    out.push_back(std::move(block));
}

// Cuts one stretch of consecutive rows into runs at least predicted cost.
inline double cut_runs(std::vector<Block>& out, std::int32_t a, const std::vector<PairRange>& stretch,
                       const std::vector<Parts>& parts, int max_run) {
    const int n = int(stretch.size());
    std::vector<double> best(n + 1, 0.0);
    std::vector<int> run(n, 1);
    std::vector<std::int32_t> gammas, merged;
    for (int i = n - 1; i >= 0; --i) {
        best[i] = 1e300;
        gammas.clear();
        for (int r = 1; r <= max_run && i + r <= n; ++r) {
            const PairRange& p = stretch[i + r - 1];
            merged.clear();
            std::size_t g = 0;
            for (std::size_t k = p.first; k < p.last; ++k) {
                if (parts[k].gamma < 0) continue;
                while (g < gammas.size() && gammas[g] < parts[k].gamma) merged.push_back(gammas[g++]);
                if (g < gammas.size() && gammas[g] == parts[k].gamma) ++g;
                merged.push_back(parts[k].gamma);
            }
            merged.insert(merged.end(), gammas.begin() + g, gammas.end());
            gammas.swap(merged);
            const double cost = block_cost(r, int(gammas.size())) + best[i + r];
            if (cost < best[i]) best[i] = cost, run[i] = r;
        }
    }
    for (int i = 0; i < n; i += run[i]) append_block(out, a, &stretch[i], &stretch[i] + run[i], parts);
    return n ? best[0] : 0.0;
}

inline BlockCover cover_parts(std::vector<Parts> parts, const CoverProblem& problem) {
    std::sort(parts.begin(), parts.end(), parts_before);
    const std::vector<int>& channel = *problem.channel;
    BlockCover out;
    std::vector<PairRange> stretch;
    for (std::size_t i = 0; i < parts.size();) {
        const std::int32_t a = parts[i].a;
        stretch.clear();
        while (i < parts.size() && parts[i].a == a) {
            PairRange p{parts[i].b, i, i};
            while (i < parts.size() && parts[i].a == a && parts[i].b == p.b) ++i;
            p.last = i;
            const bool adjoins =
                !stretch.empty() && p.b == stretch.back().b + 1 && channel[p.b] == channel[stretch.back().b];
            if (!stretch.empty() && !adjoins) {
                out.cost += cut_runs(out.blocks, a, stretch, parts, problem.max_run);
                stretch.clear();
            }
            stretch.push_back(p);
        }
        out.cost += cut_runs(out.blocks, a, stretch, parts, problem.max_run);
    }
    return out;
}

// Pair terms join a block that holds their pair anyway; the others become (ones; a, b): efficient where a whole channel
// is coupled to itself.
inline void add_pair_terms(std::vector<Parts>& parts, const CoverProblem& problem) {
    std::unordered_map<std::uint64_t, std::pair<std::int32_t, std::int32_t>> known;
    for (const Parts& p : parts) known.emplace(pair_key(p.a, p.b), std::make_pair(p.a, p.b));
    for (const Monomial& t : *problem.terms) {
        if (t.order != 2) continue;
        const auto found = known.find(pair_key(t.row[0], t.row[1]));
        if (found != known.end())
            parts.push_back({found->second.first, found->second.second, -1, t.weight});
        else
            parts.push_back({problem.ones(), t.row[0], t.row[1], t.weight});
    }
}

// Parts by the order of channels: `lowest_first` says which end plays a, `long_first` orders rows inside a channel.
inline BlockCover ordered_cover(const CoverProblem& problem, bool lowest_first, bool long_first) {
    const std::vector<int>& channel = *problem.channel;
    const auto before = [&](std::int32_t x, std::int32_t y) {
        if (channel[x] != channel[y]) return (channel[x] < channel[y]) == lowest_first;
        return (x > y) == long_first && x != y;
    };
    std::vector<Parts> parts;
    for (const Monomial& t : *problem.terms) {
        if (t.order != 3) continue;
        std::int32_t v[3] = {t.row[0], t.row[1], t.row[2]};
        std::sort(v, v + 3, before);
        parts.push_back({v[0], v[1], v[2], t.weight});
    }
    add_pair_terms(parts, problem);
    return cover_parts(std::move(parts), problem);
}

// Parts by pairs: again and again the pair of rows that serves most of the terms left.
inline BlockCover greedy_cover(const CoverProblem& problem) {
    const std::vector<Monomial>& terms = *problem.terms;
    std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> users;
    for (std::size_t t = 0; t < terms.size(); ++t) {
        if (terms[t].order != 3) continue;
        const auto& v = terms[t].row;
        const std::uint64_t keys[3] = {pair_key(v[0], v[1]), pair_key(v[0], v[2]), pair_key(v[1], v[2])};
        for (int k = 0; k < 3; ++k)
            if (k == 0 || (keys[k] != keys[k - 1] && keys[k] != keys[0])) users[keys[k]].push_back(std::uint32_t(t));
    }
    using Entry = std::pair<std::size_t, std::uint64_t>;
    std::priority_queue<Entry> queue;
    for (const auto& [key, list] : users) queue.push({list.size(), key});
    std::vector<char> done(terms.size(), 0);
    std::vector<Parts> parts;
    while (!queue.empty()) {
        const auto [count, key] = queue.top();
        queue.pop();
        std::vector<std::uint32_t>& list = users[key];
        list.erase(std::remove_if(list.begin(), list.end(), [&](std::uint32_t t) { return done[t]; }), list.end());
        if (list.empty()) continue;
        if (list.size() < count) {
            queue.push({list.size(), key});
            continue;
        }
        const std::int32_t a = std::int32_t(key >> 32), b = std::int32_t(key & 0xffffffffu);
        for (std::uint32_t t : list) {
            Monomial rest = terms[t];
            replace_pair(rest, a, b, problem.ones());
            parts.push_back({a, b, rest.row[0], rest.weight});
            done[t] = 1;
        }
    }
    add_pair_terms(parts, problem);
    return cover_parts(std::move(parts), problem);
}

}  // namespace detail

inline BlockCover cover_terms(const CoverProblem& problem) {
    BlockCover best = detail::greedy_cover(problem);
    for (int way = 0; way < 4; ++way) {
        BlockCover other = detail::ordered_cover(problem, way & 1, way & 2);
        if (other.cost < best.cost) best = std::move(other);
    }
    return best;
}

}  // namespace lacemaker
