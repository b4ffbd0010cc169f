// The outside of a .lace file: header, digest, byte ranges of the arrays. Host code.
//
// The format is described in src/lacemaker/potential/file.py: 8 bytes N, N bytes of JSON, raw little-endian arrays. Nothing
// the file says is trusted: every length is compared with what is there before anything is read or reserved.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "json_scan.hpp"
#include "sha256.hpp"

namespace lacemaker {

// What is wrong, what was found, what to do: one line, beginning with the name of the file.
class LaceFileError : public std::runtime_error {
public:
    LaceFileError(const std::string& wrong, const std::string& found, const std::string& todo)
        : std::runtime_error(wrong + "; found: " + found + "; to do: " + todo) {}
};

inline constexpr std::uint64_t lace_format_version = 1;

// One array in the file, not yet looked at.
struct StoredArray {
    std::string type;                  // F64, I32 or I64
    std::vector<std::uint64_t> shape;
    std::uint64_t begin = 0, end = 0;  // bytes, counted from the first array

    std::string shape_text() const {
        std::string out;
        for (std::uint64_t n : shape) out += (out.empty() ? "" : ",") + std::to_string(n);
        return out;
    }
};

struct LaceContainer {
    std::map<std::string, StoredArray> arrays;  // in the byte order of their names
    const char* data = nullptr;                 // first byte of the first array
    std::uint64_t size = 0;
};

namespace detail {

inline constexpr std::uint64_t longest_header = 100'000'000;  // bytes; as in the safetensors library

struct InnerHeader {
    std::string format, sha256;
    std::uint64_t version = 0;
};

inline StoredArray scan_array(JsonScan& json) {
    StoredArray a;
    std::vector<std::uint64_t> range;
    json.object([&](const std::string& key) {
        if (key == "dtype")
            a.type = json.string();
        else if (key == "shape")
            a.shape.clear(), json.array([&] { a.shape.push_back(json.unsigned_integer()); });
        else if (key == "data_offsets")
            range.clear(), json.array([&] { range.push_back(json.unsigned_integer()); });
        else
            json.skip();
    });
    if (range.size() != 2) throw JsonError("an array without its byte range");
    a.begin = range[0], a.end = range[1];
    return a;
}

// The inner JSON text; fills `arrays`.
inline std::string scan_outer(const char* begin, const char* end, std::map<std::string, StoredArray>& arrays) {
    std::string text;
    JsonScan json(begin, end);
    json.object([&](const std::string& key) {
        if (key == "__metadata__") {
            json.object([&](const std::string& inner) { inner == "lacemaker" ? void(text = json.string()) : json.skip(); });
        } else if (!arrays.emplace(key, scan_array(json)).second) {
            throw JsonError("the array '" + key + "' twice");
        }
    });
    json.end();
    return text;
}

inline InnerHeader scan_inner(const std::string& text) {
    InnerHeader h;
    JsonScan json(text.data(), text.data() + text.size());
    json.object([&](const std::string& key) {
        if (key == "format")
            h.format = json.string();
        else if (key == "sha256")
            h.sha256 = json.string();
        else if (key == "version")
            h.version = json.unsigned_integer();
        else
            json.skip();
    });
    json.end();
    return h;
}

// Type, shape and byte range of one array agree with each other and with the file.
inline void check_stored(const std::string& name, const StoredArray& a, std::uint64_t size) {
    const std::string where = "the array '" + name + "' ";
    const std::uint64_t item = a.type == "I32" ? 4 : a.type == "F64" || a.type == "I64" ? 8 : 0;
    if (item == 0) throw JsonError(where + "of an unknown type");
    if (a.begin > a.end || a.end > size) throw JsonError(where + "outside the file, which is cut short or damaged");
    std::uint64_t bytes = item;
    for (std::uint64_t n : a.shape) {
        if (n != 0 && bytes > size / n) throw JsonError(where + "larger than the file");
        bytes *= n;
    }
    if (bytes != a.end - a.begin) throw JsonError(where + "with a byte range that does not fit its shape");
}

// The arrays cover the file without gaps or overlaps.
inline void check_cover(const std::map<std::string, StoredArray>& arrays, std::uint64_t size) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const auto& [name, a] : arrays) check_stored(name, a, size), ranges.push_back({a.begin, a.end});
    std::sort(ranges.begin(), ranges.end());
    std::uint64_t at = 0;
    for (const auto& [begin, end] : ranges) {
        if (begin != at) throw JsonError("arrays that leave gaps or overlap");
        at = end;
    }
    if (at != size) throw JsonError(std::to_string(size - at) + " bytes behind the last array");
}

inline std::string digest(std::string text, const std::string& stored, const LaceContainer& c) {
    const std::size_t at = stored.empty() ? std::string::npos : text.find(stored);
    if (at != std::string::npos) text.replace(at, stored.size(), std::string(64, '0'));
    Sha256 sha;
    sha.update(text);
    for (const auto& [name, a] : c.arrays) {
        sha.update(name + "|" + a.type + "|" + a.shape_text() + "|");
        sha.update(c.data + a.begin, a.end - a.begin);
    }
    return sha.digest();
}

}  // namespace detail

// Opens the bytes of a file, which must outlive the result; `source` names it in messages.
inline LaceContainer open_container(const char* bytes, std::size_t size, const std::string& source) {
    const auto not_lace = [&](const std::string& found) {
        return LaceFileError(source + " is not a whole .lace potential", found, "give a complete file written by lacemaker");
    };
    if (size < 8) throw not_lace(std::to_string(size) + " bytes");
    std::uint64_t length = 0;
    for (int k = 7; k >= 0; --k) length = length << 8 | static_cast<unsigned char>(bytes[k]);
    if (length > size - 8 || length > detail::longest_header)
        throw not_lace(std::to_string(size) + " bytes, of which the header claims " + std::to_string(length));
    LaceContainer c;
    c.data = bytes + 8 + length;
    c.size = size - 8 - length;
    std::string text;
    detail::InnerHeader header;
    try {
        text = detail::scan_outer(bytes + 8, c.data, c.arrays);
        if (!text.empty()) header = detail::scan_inner(text);
        if (header.format != "lacemaker potential") throw JsonError("a header of another kind");
        if (header.version <= lace_format_version) detail::check_cover(c.arrays, c.size);
    } catch (const JsonError& error) {
        throw not_lace(error.what());
    }
    if (header.version > lace_format_version)
        throw LaceFileError(source + " was written by a newer lacemaker",
                            "format version " + std::to_string(header.version) + ", while this plugin reads version " +
                                std::to_string(lace_format_version),
                            "update lacemaker and run `lace lammps build` again");
    if (header.version < 1) throw not_lace("a header without a format version");
    if (header.sha256.size() != 64 || detail::digest(text, header.sha256, c) != header.sha256)
        throw LaceFileError(source + " is damaged or was edited",
                            "contents that do not match the SHA-256 digest in its header", "take a fresh copy");
    return c;
}

}  // namespace lacemaker
