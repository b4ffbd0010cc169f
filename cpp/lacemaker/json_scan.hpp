// As much JSON as the header of a .lace file needs: walk through a text, take strings and integers, skip the rest.
// Host code. Every step is bounds-checked, nesting is limited, and each byte is looked at a fixed number of times.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

namespace lacemaker {

class JsonError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class JsonScan {
public:
    JsonScan(const char* begin, const char* end) : begin_(begin), at_(begin), end_(end) {}

    // Calls value(key) for each member; value must consume the member's value.
    template <class F>
    void object(F&& value) {
        enter('{');
        if (!accept('}')) {
            do {
                std::string key = string();
                expect(':');
                value(key);
            } while (accept(','));
            expect('}');
        }
        --depth_;
    }

    // Calls element() for each element; it must consume the element.
    template <class F>
    void array(F&& element) {
        enter('[');
        if (!accept(']')) {
            do element();
            while (accept(','));
            expect(']');
        }
        --depth_;
    }

    std::string string() {
        expect('"');
        std::string out;
        while (true) {
            const unsigned char c = next();
            if (c == '"') return out;
            if (c < 0x20) fail("a control character in a string");
            if (c == '\\')
                escape(out);
            else
                out += char(c);
        }
    }

    std::uint64_t unsigned_integer() {
        space();
        if (at_ == end_ || *at_ < '0' || *at_ > '9') fail("something else than a whole number");
        std::uint64_t value = 0;
        for (; at_ < end_ && *at_ >= '0' && *at_ <= '9'; ++at_) {
            const unsigned digit = unsigned(*at_ - '0');
            if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) fail("a number that is too large");
            value = 10 * value + digit;
        }
        return value;
    }

    // Any value, unread.
    void skip() {
        space();
        if (at_ == end_) fail("the end of the text");
        if (*at_ == '{')
            object([this](const std::string&) { skip(); });
        else if (*at_ == '[')
            array([this] { skip(); });
        else if (*at_ == '"')
            string();
        else
            skip_word();
    }

    // Nothing but white space may be left.
    void end() {
        space();
        if (at_ != end_) fail("more after its end");
    }

private:
    static constexpr int deepest = 100;

    [[noreturn]] void fail(const std::string& what) const {
        throw JsonError(what + " at byte " + std::to_string(at_ - begin_) + " of the header");
    }

    void space() {
        while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
    }

    unsigned char next() {
        if (at_ == end_) fail("the end of the text");
        return static_cast<unsigned char>(*at_++);
    }

    bool accept(char c) {
        space();
        if (at_ == end_ || *at_ != c) return false;
        ++at_;
        return true;
    }

    void expect(char c) {
        if (!accept(c)) fail(std::string("no '") + c + "'");
    }

    void enter(char c) {
        expect(c);
        if (++depth_ > deepest) fail("brackets nested too deeply");
    }

    void skip_word() {  // numbers, true, false, null
        const char* start = at_;
        while (at_ < end_ && *at_ != '\0' && std::strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *at_)) ++at_;
        if (at_ == start) fail("an unknown value");
    }

    unsigned hex4() {
        unsigned value = 0;
        for (int k = 0; k < 4; ++k) {
            const unsigned char c = next();
            value *= 16;
            if (c >= '0' && c <= '9')
                value += c - '0';
            else if (c >= 'a' && c <= 'f')
                value += c - 'a' + 10;
            else if (c >= 'A' && c <= 'F')
                value += c - 'A' + 10;
            else
                fail("a broken \\u escape");
        }
        return value;
    }

    void escape(std::string& out) {
        const unsigned char c = next();
        if (c == 'u') return unicode(out);
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char* found = c == '\0' ? nullptr : std::strchr(from, c);
        if (!found) fail("an unknown escape");
        out += to[found - from];
    }

    void unicode(std::string& out) {  // as UTF-8
        std::uint32_t code = hex4();
        if (code >= 0xd800 && code < 0xdc00) {
            if (next() != '\\' || next() != 'u') fail("half of a surrogate pair");
            const std::uint32_t low = hex4();
            if (low < 0xdc00 || low > 0xdfff) fail("half of a surrogate pair");
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        if (code < 0x80) {
            out += char(code);
            return;
        }
        const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        out += char((0xff00 >> (more + 1) & 0xff) | code >> 6 * more);
        for (int k = more - 1; k >= 0; --k) out += char(0x80 | (code >> 6 * k & 0x3f));
    }

    const char *begin_, *at_, *end_;
    int depth_ = 0;
};

}  // namespace lacemaker
