// Reads a .lace potential: bytes -> checked tables and terms, ready for Model and Evaluator. Host code.
//
//     LacePotential p = read_lace_file("si.lace");        // throws LaceFileError
//
// The format, its formulas and the meaning of every array: src/lacemaker/potential/file.py. The file is data; whatever it
// holds, reading ends in a potential or in a LaceFileError, in time and memory proportional to its size.
#pragma once

#include <cerrno>
#include <cmath>
#include <fstream>
#include <set>

#include "grade_model.hpp"
#include "lace_container.hpp"
#include "model.hpp"

namespace lacemaker {

struct LacePotential {
    std::vector<std::int32_t> elements;  // (NZ,) atomic numbers
    Tables tables;
    ModelTerms terms;
    std::vector<double> cutoffs;         // (NZ, NZ) Å, centre feels neighbour
    double cutoff = 0;                   // Å, the largest
    DesignTables functions;              // optional: the functions one by one; without them no rows at all
    ActiveSets active_sets;              // optional; inverse empty: none
    std::vector<double> committee;       // optional, (k, n_columns) eV: members less the mean
    std::vector<double> committee_e0;    // (k, NZ) eV

    int n_species() const { return int(elements.size()); }
    bool has_functions() const { return !functions.product_first.empty(); }
    bool has_grade() const { return !active_sets.inverse.empty(); }
    bool has_committee() const { return has_functions() && !committee.empty(); }
};

namespace detail {

inline constexpr std::size_t most_radial = 512;        // radial functions
inline constexpr std::int64_t most_members = 1000;     // of a committee
inline constexpr double longest_cutoff = 1e3;          // Å
inline constexpr std::size_t most_bytes = 2'000'000'000;

class LaceArrays {
public:
    explicit LaceArrays(const LaceContainer& c) : c_(c) {}

    // The values of an array of the given type and shape; -1 leaves a length open.
    template <class T>
    std::vector<T> take(const std::string& name, const char* type, std::vector<std::int64_t> shape) {
        const auto found = c_.arrays.find(name);
        require(found != c_.arrays.end(), "no array '" + name + "'");
        const StoredArray& a = found->second;
        bool fits = a.type == type && a.shape.size() == shape.size();
        for (std::size_t k = 0; fits && k < shape.size(); ++k) fits = shape[k] < 0 || std::uint64_t(shape[k]) == a.shape[k];
        require(fits, "the array '" + name + "' with type " + a.type + " and shape (" + a.shape_text() + ")");
        used_.insert(name);
        std::vector<T> out((a.end - a.begin) / sizeof(T));
        if (!out.empty()) std::memcpy(out.data(), c_.data + a.begin, out.size() * sizeof(T));
        return out;
    }

    bool has(const std::string& name) const { return c_.arrays.count(name) > 0; }

    std::vector<double> reals(const std::string& name, std::vector<std::int64_t> shape) {
        std::vector<double> out = take<double>(name, "F64", std::move(shape));
        for (double v : out) require(std::isfinite(v), "a value in '" + name + "' that is not finite");
        return out;
    }

    std::vector<std::int32_t> integers(const std::string& name, std::vector<std::int64_t> shape) {
        return take<std::int32_t>(name, "I32", std::move(shape));
    }

    // Arrays that format version 1 does not have: of a format this reader does not understand.
    void refuse_unknown() const {
        static const std::set<std::string> not_needed = {"coefficients",  "column_kind",     "column_centre",
                                                         "column_first",  "column_channels", "column_multiplicity"};
        for (const auto& [name, a] : c_.arrays)
            require(used_.count(name) || not_needed.count(name) || name.compare(0, 6, "extra.") == 0,
                    "an array '" + name + "' that format version 1 does not know");
    }

private:
    const LaceContainer& c_;
    std::set<std::string> used_;
};

inline RadialTable take_radial(LaceArrays& arrays, const std::string& kind, std::int64_t nz) {
    RadialTable t;
    t.transform = arrays.integers(kind + "_transform", {1})[0];
    t.transform_params = arrays.reals(kind + "_transform_params", {nz, nz, 5});
    t.envelope = arrays.integers(kind + "_envelope", {1})[0];
    const std::vector<double> p = arrays.reals(kind + "_envelope_params", {2});
    t.envelope_params[0] = p[0], t.envelope_params[1] = p[1];
    t.norm = arrays.reals(kind + "_norm", {-1});
    const std::int64_t n = std::int64_t(t.norm.size());
    t.beta = arrays.reals(kind + "_beta", {n});
    t.gamma = arrays.reals(kind + "_gamma", {n});
    require(t.norm.size() <= most_radial, std::to_string(n) + " radial functions in '" + kind + "_norm', at most " +
                                              std::to_string(most_radial) + " can be used");
    for (std::size_t k = 0; k < t.transform_params.size(); k += 5)
        require(t.transform_params[k + 2] < longest_cutoff, "a cutoff beyond 1000 Å in '" + kind + "_transform_params'");
    return t;
}

inline void check_zbl(const Tables& t) {
    for (std::size_t k = 0; k < t.zbl_a.size(); ++k) {
        const double charges = t.zbl[3 * k], inner = t.zbl[3 * k + 1], outer = t.zbl[3 * k + 2];
        require(charges == 0 || (charges > 0 && inner >= 0 && inner < outer && outer < longest_cutoff && t.zbl_a[k] > 0),
                "impossible charges or radii in 'zbl'");
    }
}

inline Tables take_tables(LaceArrays& arrays, std::int64_t nz) {
    Tables t;
    t.n_species = int(nz);
    t.many_body = take_radial(arrays, "mb", nz);
    t.pair = take_radial(arrays, "pair", nz);
    t.zbl = arrays.reals("zbl", {nz, nz, 3});
    t.zbl_a = arrays.reals("zbl_a", {nz, nz});
    check_zbl(t);
    t.a_first = arrays.integers("a_first", {nz + 1});
    const std::vector<std::int32_t> spec = arrays.integers("a_spec", {-1, 4});
    for (std::size_t k = 0; k < spec.size(); k += 4) {
        require(spec[k + 3] >= -1000 && spec[k + 3] <= 1000, "an impossible harmonic in 'a_spec'");
        t.a_spec.push_back({spec[k], spec[k + 1], spec[k + 2], spec[k + 3]});
    }
    check(t);
    return t;
}

inline ModelTerms take_terms(LaceArrays& arrays, const Tables& tables) {
    const std::int64_t nz = tables.n_species;
    ModelTerms t;
    t.term_centre = arrays.integers("term_centre", {nz + 1});
    t.term_weight = arrays.reals("term_weight", {-1});
    t.term_first = arrays.take<std::int64_t>("term_first", "I64", {std::int64_t(t.term_weight.size()) + 1});
    t.term_index = arrays.integers("term_index", {-1});
    t.pair_coefficients = arrays.reals("pair_coefficients", {nz, nz, tables.pair.n_max()});
    t.e0 = arrays.reals("e0", {nz});
    check(tables, t);
    for (int centre = 0; centre < nz; ++centre)
        for (std::int64_t k = t.term_first[t.term_centre[centre]]; k < t.term_first[t.term_centre[centre + 1]]; ++k)
            require(t.term_index[k] >= 0 && t.term_index[k] < tables.n_a(centre),
                    "an index in 'term_index' outside the A functions of its centre");
    for (std::size_t k = 0; k < t.term_weight.size(); ++k) {
        const std::int64_t order = t.term_first[k + 1] - t.term_first[k];
        require(order >= 1 && order <= max_order, "a product of " + std::to_string(order) + " factors; 1 to " +
                                                      std::to_string(max_order) + " are possible");
    }
    return t;
}

// How far centre i feels neighbour j, from the terms that are there.
inline std::vector<double> reach(const Tables& t, const ModelTerms& terms) {
    std::vector<double> out;
    for (int i = 0; i < t.n_species; ++i)
        for (int j = 0; j < t.n_species; ++j) {
            const std::size_t k = std::size_t(i) * t.n_species + j;
            double r = 0;
            if (terms.term_centre[i + 1] > terms.term_centre[i]) r = t.many_body.transform_params[5 * k + 2];
            if (t.pair.n_max() > 0) r = std::max(r, t.pair.transform_params[5 * k + 2]);
            if (t.zbl[3 * k] != 0) r = std::max(r, t.zbl[3 * k + 2]);
            out.push_back(r);
        }
    return out;
}

// Optional arrays: src/lacemaker/uncertainty/functions.py, extrapolation.py and storage.py say what they hold.
inline DesignTables take_functions(LaceArrays& arrays, const Tables& tables, std::int64_t n_columns) {
    const std::string name = "extra.functions.";
    const std::int64_t nz = tables.n_species;
    DesignTables d;
    d.product_centre = arrays.integers(name + "product_centre", {nz + 1});
    d.product_first = arrays.take<std::int64_t>(name + "product_first", "I64", {-1});
    d.product_index = arrays.integers(name + "product_index", {-1});
    d.row_centre = arrays.integers(name + "row_centre", {nz + 1});
    d.row_first = arrays.take<std::int64_t>(name + "row_first", "I64", {-1});
    d.row_product = arrays.integers(name + "row_product", {-1});
    d.row_coefficient = arrays.reals(name + "row_coefficient", {-1});
    d.pair_column = arrays.integers(name + "pair_column", {nz, nz, tables.pair.n_max()});
    require(n_columns <= std::numeric_limits<std::int32_t>::max(), "too many coefficients");
    d.n_columns = int(n_columns);
    check(tables, d, {std::vector<std::int32_t>(nz + 1, 0), {}, {}});
    return d;
}

inline void take_uncertainty(LaceArrays& arrays, LacePotential& p) {
    const std::int64_t nz = p.n_species(), n_columns = std::int64_t(arrays.reals("coefficients", {-1}).size());
    if (arrays.has("extra.functions.row_first")) p.functions = take_functions(arrays, p.tables, n_columns);
    if (arrays.has("extra.committee.coefficients")) {
        p.committee = arrays.reals("extra.committee.coefficients", {-1, n_columns});
        const std::int64_t k = n_columns > 0 ? std::int64_t(p.committee.size()) / n_columns : 0;
        p.committee_e0 = arrays.reals("extra.committee.e0", {k, nz});
        require(k <= most_members, std::to_string(k) + " members of a committee, at most " + std::to_string(most_members));
    }
    if (!arrays.has("extra.grade.inverse")) return;
    require(p.has_functions(), "active sets without the functions they belong to ('extra.functions.…')");
    p.active_sets.first = arrays.integers("extra.grade.first", {nz + 1});
    p.active_sets.column = arrays.integers("extra.grade.column", {-1});
    p.active_sets.inverse = arrays.reals("extra.grade.inverse", {-1});
    check(p.tables, p.functions, p.active_sets);
}

inline LacePotential take_potential(const LaceContainer& container) {
    LaceArrays arrays(container);
    LacePotential p;
    p.elements = arrays.integers("elements", {-1});
    require(!p.elements.empty(), "no elements");
    for (std::int32_t z : p.elements)
        require(z >= 1 && z <= 118 && std::count(p.elements.begin(), p.elements.end(), z) == 1,
                "atomic numbers that repeat or are not within 1 to 118");
    p.tables = take_tables(arrays, std::int64_t(p.elements.size()));
    p.terms = take_terms(arrays, p.tables);
    take_uncertainty(arrays, p);
    arrays.refuse_unknown();
    p.cutoffs = reach(p.tables, p.terms);
    p.cutoff = *std::max_element(p.cutoffs.begin(), p.cutoffs.end());
    return p;
}

}  // namespace detail

// The potential held in `size` bytes; `source` names them in messages.
inline LacePotential parse_lace(const char* bytes, std::size_t size, const std::string& source) {
    const LaceContainer container = open_container(bytes, size, source);
    try {
        return detail::take_potential(container);
    } catch (const std::invalid_argument& error) {  // whole and unedited, but not something this kernel can run
        throw LaceFileError(source + " cannot be run by this version", error.what(),
                            "use the lacemaker version that wrote it; if it is this one, please report it");
    }
}

// The bytes of a file.
inline std::string read_bytes(const std::string& path) {
    const auto cannot = [&](const std::string& found) {
        return LaceFileError("the potential " + path + " cannot be read", found, "check the path and its permissions");
    };
    errno = 0;
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const std::streamoff size = file ? std::streamoff(file.tellg()) : -1;
    if (size < 0) throw cannot(errno ? std::strerror(errno) : "no such file");
    if (std::size_t(size) > detail::most_bytes) throw cannot(std::to_string(size) + " bytes, which is no .lace potential");
    std::string bytes(std::size_t(size), '\0');
    file.seekg(0);
    if (size > 0 && !file.read(&bytes[0], size)) throw cannot(errno ? std::strerror(errno) : "fewer bytes than announced");
    return bytes;
}

inline LacePotential read_lace_file(const std::string& path) {
    const std::string bytes = read_bytes(path);
    return parse_lace(bytes.data(), bytes.size(), path);
}

}  // namespace lacemaker
