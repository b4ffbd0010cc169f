// Orders above three: stored products of two rows, so that every term has at most three factors. Host code.
//
// Greedily, the pair of rows that serves most of the terms still too long becomes a row of its own, X_p = X_a X_b, and
// replaces the pair in those terms (a factor may itself be such a product: order 5 takes two steps). A stored product
// costs one multiplication and one store on the way in, and two read-modify-writes on the way back, so it should serve
// several terms. A pair term (p, p') of two stored products, where both exist already, needs no new row.
#pragma once

#include <cstdint>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "terms.hpp"

namespace lacemaker {

// X[n_a + k] = X[first] X[second]
struct StoredProduct {
    std::int32_t first, second;
};

namespace detail {

inline std::uint64_t pair_key(std::int32_t a, std::int32_t b) {
    if (a > b) std::swap(a, b);
    return std::uint64_t(std::uint32_t(a)) << 32 | std::uint32_t(b);
}

inline bool holds_pair(const Monomial& t, std::int32_t a, std::int32_t b) {
    int found = 0;
    for (std::int32_t r : t) {
        if (found == 0 && r == a)
            ++found;
        else if (found == 1 && r == b)
            return true;
    }
    return false;
}

// Replaces rows a <= b of `t` by the row `product`, which is larger than all others.
inline void replace_pair(Monomial& t, std::int32_t a, std::int32_t b, std::int32_t product) {
    int kept = 0;
    bool want_a = true, want_b = true;
    for (int k = 0; k < t.order; ++k) {
        if (want_a && t.row[k] == a)
            want_a = false;
        else if (want_b && t.row[k] == b)
            want_b = false;
        else
            t.row[kept++] = t.row[k];
    }
    t.row[kept++] = product;
    t.order = kept;
    std::sort(t.row.begin(), t.row.begin() + kept);
}

class PairSharing {
public:
    PairSharing(std::vector<Monomial>& terms, int n_rows) : terms_(terms), next_row_(n_rows) {
        for (std::size_t t = 0; t < terms.size(); ++t) list_pairs(t);
        for (const auto& [key, list] : users_) queue_.push({list.size(), key});
    }

    std::vector<StoredProduct> run() {
        while (!queue_.empty()) {
            const auto [count, key] = queue_.top();
            queue_.pop();
            const std::int32_t a = std::int32_t(key >> 32), b = std::int32_t(key & 0xffffffffu);
            std::vector<std::uint32_t>& users = users_[key];
            users.erase(
                std::remove_if(users.begin(), users.end(),
                               [&](std::uint32_t t) { return terms_[t].order <= 3 || !holds_pair(terms_[t], a, b); }),
                users.end());
            if (users.empty()) continue;
            if (users.size() < count) {
                queue_.push({users.size(), key});
                continue;
            }
            store(a, b, std::vector<std::uint32_t>(users));
        }
        return std::move(products_);
    }

private:
    void list_pairs(std::size_t t) {
        const Monomial& m = terms_[t];
        if (m.order <= 3) return;
        for (int i = 0; i < m.order; ++i) {
            if (i > 0 && m.row[i] == m.row[i - 1]) continue;  // each pair of values once
            for (int j = i + 1; j < m.order; ++j)
                if (j == i + 1 || m.row[j] != m.row[j - 1])
                    users_[pair_key(m.row[i], m.row[j])].push_back(std::uint32_t(t));
        }
    }

    void store(std::int32_t a, std::int32_t b, const std::vector<std::uint32_t>& users) {
        const std::int32_t product = next_row_++;
        products_.push_back({a, b});
        std::vector<std::uint64_t> fresh;
        for (std::uint32_t t : users) {
            Monomial& m = terms_[t];
            replace_pair(m, a, b, product);
            if (m.order <= 3) continue;
            for (int k = 0; k + 1 < m.order; ++k) {
                if (k > 0 && m.row[k] == m.row[k - 1]) continue;
                const std::uint64_t key = pair_key(m.row[k], product);
                if (users_[key].empty()) fresh.push_back(key);
                users_[key].push_back(t);
            }
        }
        for (std::uint64_t key : fresh) queue_.push({users_[key].size(), key});
    }

    using Entry = std::pair<std::size_t, std::uint64_t>;
    struct Less {  // most users first, then the lower rows: deterministic
        bool operator()(const Entry& x, const Entry& y) const {
            return x.first != y.first ? x.first < y.first : x.second > y.second;
        }
    };
    std::vector<Monomial>& terms_;
    std::int32_t next_row_;
    std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> users_;
    std::priority_queue<Entry, std::vector<Entry>, Less> queue_;
    std::vector<StoredProduct> products_;
};

}  // namespace detail

// Shortens every term to at most three rows; returns the products to be stored behind the n_a rows.
inline std::vector<StoredProduct> share_products(std::vector<Monomial>& terms, int n_a) {
    std::vector<StoredProduct> products = detail::PairSharing(terms, n_a).run();
    std::unordered_map<std::uint64_t, std::int32_t> row;
    for (std::size_t k = 0; k < products.size(); ++k)
        row.emplace(detail::pair_key(products[k].first, products[k].second), n_a + std::int32_t(k));
    for (Monomial& t : terms) {  // a pair term whose product is stored anyway becomes a single row
        if (t.order != 2) continue;
        const auto found = row.find(detail::pair_key(t.row[0], t.row[1]));
        if (found == row.end()) continue;
        t.row[0] = found->second;
        t.order = 1;
    }
    merge_equal(terms);
    return products;
}

}  // namespace lacemaker
