// Spoils a potential file in many ways and reads it: every attempt must end in a potential or in a LaceFileError, soon.
//
//     fuzz_lace_file FILE.lace [attempts] [seed]
//
// Half of the attempts repair the digest afterwards, so that what it would catch reaches the checks behind it; potentials
// that still come out are compiled and evaluated on a few atoms. Build with -fsanitize=address,undefined.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "lacemaker/lace_file.hpp"
#include "lacemaker/site_evaluator.hpp"
#include "lacemaker/site_uncertainty.hpp"

using namespace lacemaker;

namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t n) { return n ? random() % n : 0; }

// Writes the right digest into the header, if the outside of the file is still in order.
void repair_digest(std::string& bytes) {
    try {
        std::uint64_t length = 0;
        std::memcpy(&length, bytes.data(), 8);
        if (bytes.size() < 8 || length > bytes.size() - 8) return;
        LaceContainer c;
        c.data = bytes.data() + 8 + length;
        c.size = bytes.size() - 8 - length;
        const std::string text = detail::scan_outer(bytes.data() + 8, c.data, c.arrays);
        detail::check_cover(c.arrays, c.size);
        const std::string stored = detail::scan_inner(text).sha256;
        if (stored.size() != 64) return;
        const std::string right = detail::digest(text, stored, c);
        const std::size_t at = bytes.find(stored);
        if (at != std::string::npos) bytes.replace(at, 64, right);
    } catch (const JsonError&) {
    }
}

void flip_bit(std::string& s, Random& random, std::size_t first, std::size_t last) {
    if (first < last) s[first + below(random, last - first)] ^= char(1 << below(random, 8));
}

void spoil(std::string& s, Random& random) {
    static const char* const words[] = {"-1", "99999999999999999999", "0", "[]", "{}", "\"", "\\u0000", "4294967296", "1e9", ","};
    std::uint64_t length = 0;
    if (s.size() >= 8) std::memcpy(&length, s.data(), 8);
    const std::size_t header = std::min<std::uint64_t>(s.size(), 8 + std::min<std::uint64_t>(length, s.size()));
    const std::size_t way = below(random, 14);
    switch (way < 8 ? way : 5) {  // numbers of arrays more often: the digest hides them otherwise
    case 0: flip_bit(s, random, 0, s.size()); break;
    case 1: flip_bit(s, random, 0, header); break;
    case 2: s.resize(below(random, s.size())); break;
    case 3: s.insert(below(random, s.size()), words[below(random, 10)]); break;
    case 4: s.erase(below(random, s.size()), 1 + below(random, 20)); break;
    case 5: {  // a number of an array becomes extreme
        static const unsigned char extremes[][8] = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0}, {0xff, 0xff, 0xff, 0x7f},
                                                    {0, 0, 0, 0x80}, {1}, {2}, {0, 0, 0, 0, 0, 0, 0xf0, 0x7f}, {24}};
        if (s.size() < header + 8) break;
        const std::size_t at = header + below(random, (s.size() - header) / 4) * 4;
        std::memcpy(&s[at], extremes[below(random, 8)], std::min<std::size_t>(below(random, 2) ? 4 : 8, s.size() - at));
        break;
    }
    case 6: {  // a digit of the header
        const std::size_t at = s.find_first_of("0123456789", 8 + below(random, header > 8 ? header - 8 : 1));
        if (at != std::string::npos && at < header) s[at] = char('0' + below(random, 10));
        break;
    }
    default: {  // swap two stretches
        const std::size_t n = 1 + below(random, 16);
        if (s.size() < 2 * n + 1) break;
        const std::size_t a = below(random, s.size() - n), b = below(random, s.size() - n);
        for (std::size_t k = 0; k < n; ++k) std::swap(s[a + k], s[b + k]);
    }
    }
}

// A few atoms of all species near each other.
double evaluate(const LacePotential& p) {
    const int n = 5;
    const double x[3 * n] = {0, 0, 0, 1.9, 0.1, 0.2, 0.2, 2.1, -0.3, 0.4, 0.3, 2.4, -1.7, -1.1, 0.9};
    std::vector<int> all(n), counts(n, n - 1);
    std::vector<std::int32_t> species(n);
    std::vector<std::vector<int>> lists(n);
    std::vector<const int*> first(n);
    for (int i = 0; i < n; ++i) {
        all[i] = i, species[i] = i % p.n_species();
        for (int j = 0; j < n; ++j)
            if (j != i) lists[i].push_back(j);
        first[i] = lists[i].data();
    }
    SiteEvaluator evaluator(p.tables, p.terms, Isa::baseline);
    std::vector<double> energies(n), forces(3 * (n + 1)), virial(6);
    const HostAtoms atoms{n, x, species.data(), n, all.data(), counts.data(), first.data(), 0x1FFFFFFF};
    evaluator.evaluate(atoms, energies.data(), forces.data(), virial.data());
    if (p.has_grade()) SiteGrade(p.tables, p.functions, p.active_sets, Isa::baseline).evaluate(atoms, energies.data());
    if (p.has_committee()) {
        SiteCommittee committee(p.tables, contract(p.tables, p.functions, p.committee, p.committee_e0), Isa::baseline);
        std::vector<double> each(committee.size() * (n + 1)), all(3 * each.size());
        committee.evaluate(atoms, each.data(), all.data());
    }
    return energies[0];
}

}  // namespace

int main(int n_arguments, char** arguments) {
    if (n_arguments < 2) return std::fprintf(stderr, "usage: fuzz_lace_file FILE.lace [attempts] [seed]\n"), 2;
    const std::string whole = read_bytes(arguments[1]);
    const int attempts = n_arguments > 2 ? std::atoi(arguments[2]) : 2000;
    Random random(n_arguments > 3 ? std::strtoull(arguments[3], nullptr, 10) : 1);
    int read = 0, refused = 0, not_run = 0;
    double longest = 0;
    for (int k = 0; k < attempts; ++k) {
        std::string bytes = whole;
        if (k > 0)
            for (std::size_t n = 1 + below(random, 3); n > 0 && bytes.size() > 1; --n) spoil(bytes, random);
        if (k % 2 == 1 && bytes.size() >= 8) repair_digest(bytes);
        const auto start = std::chrono::steady_clock::now();
        try {
            const LacePotential p = parse_lace(bytes.data(), bytes.size(), "spoilt.lace");
            ++read;
            evaluate(p);
        } catch (const LaceFileError&) {
            ++refused;
        } catch (const std::invalid_argument&) {  // the kernel's own checks; LAMMPS reports them alike
            ++not_run;
        }
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        longest = std::max(longest, seconds.count());
    }
    std::printf("%d attempts: %d read, %d refused, %d not run, longest %.3f s\n", attempts, read, refused, not_run, longest);
    return read > 0 && refused > 0 && longest < 10 ? 0 : 1;
}
