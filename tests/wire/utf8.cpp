#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>

#include <livetape/wire/utf8.hpp>

namespace {

using livetape::is_utf8;
using livetape::utf8_validator;

enum class verdict : std::uint8_t { valid, incomplete, invalid };

/// Decodes the arithmetic way, then asks what the code point is: unlike the validator, which knows
/// ranges of bytes. An incomplete end counts as invalid if none of its completions is valid.
verdict judge(unsigned char const* bytes, std::size_t count) {
    std::size_t i = 0;
    while (i < count) {
        unsigned const lead = bytes[i];
        std::size_t const following = lead < 0x80              ? 0u
                                      : (lead & 0xE0u) == 0xC0 ? 1u
                                      : (lead & 0xF0u) == 0xE0 ? 2u
                                      : (lead & 0xF8u) == 0xF0 ? 3u
                                                               : 9u;
        if (following == 9) return verdict::invalid;
        constexpr std::array<std::uint32_t, 4> lead_bits{0x7F, 0x1F, 0x0F, 0x07};
        constexpr std::array<std::uint32_t, 4> smallest{0, 0x80, 0x800, 0x10000};
        std::uint32_t code_point = lead & lead_bits[following];
        std::size_t missing = 0;
        for (std::size_t k = 1; k <= following; ++k) {
            if (i + k < count) {
                if ((bytes[i + k] & 0xC0u) != 0x80) return verdict::invalid;
                code_point = code_point << 6 | (bytes[i + k] & 0x3Fu);
            } else {
                code_point <<= 6;
                ++missing;
            }
        }
        std::uint32_t const last = code_point + (std::uint32_t{1} << (6 * missing)) - 1;
        bool const is_overlong = last < smallest[following];
        bool const is_surrogate = code_point >= 0xD800 && last <= 0xDFFF;
        if (is_overlong || is_surrogate || code_point > 0x10FFFF) return verdict::invalid;
        if (missing > 0) return verdict::incomplete;
        i += following + 1;
    }
    return verdict::valid;
}

verdict validate(unsigned char const* bytes, std::size_t count) {
    utf8_validator validator;
    char text[4];
    for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>(bytes[i]);
    if (!validator.feed({text, count})) return verdict::invalid;
    return validator.is_complete() ? verdict::valid : verdict::incomplete;
}

TEST_CASE("wire/utf8: agrees with a decoder on all sequences of one to three bytes [RFC 3629 §4]") {
    std::size_t differences = 0;
    for (unsigned a = 0; a < 256; ++a) {
        unsigned char bytes[3] = {static_cast<unsigned char>(a), 0, 0};
        differences += validate(bytes, 1) != judge(bytes, 1);
        for (unsigned b = 0; b < 256; ++b) {
            bytes[1] = static_cast<unsigned char>(b);
            differences += validate(bytes, 2) != judge(bytes, 2);
            for (unsigned c = 0; c < 256; ++c) {
                bytes[2] = static_cast<unsigned char>(c);
                differences += validate(bytes, 3) != judge(bytes, 3);
            }
        }
    }
    CHECK(differences == 0);
}

TEST_CASE("wire/utf8: agrees with a decoder at the boundaries of four bytes [RFC 3629 §4]") {
    constexpr unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0,
                                       0xC1, 0xC2, 0xDF, 0xE0, 0xEC, 0xED, 0xEE, 0xEF, 0xF0,
                                       0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFE, 0xFF};
    std::size_t differences = 0;
    for (unsigned a = 0; a < 256; ++a) {
        for (unsigned b = 0; b < 256; ++b) {
            for (auto const c : edges) {
                for (auto const d : edges) {
                    unsigned char const bytes[4] = {static_cast<unsigned char>(a),
                                                    static_cast<unsigned char>(b), c, d};
                    differences += validate(bytes, 4) != judge(bytes, 4);
                }
            }
        }
    }
    CHECK(differences == 0);
}

TEST_CASE("wire/utf8: every code point is valid, also when it comes byte by byte") {
    std::size_t refused = 0;
    for (std::uint32_t c = 0; c <= 0x10FFFF; ++c) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        std::string text;
        auto const put = [&text](std::uint32_t byte) {
            text += static_cast<char>(static_cast<unsigned char>(byte));
        };
        if (c < 0x80) {
            put(c);
        } else if (c < 0x800) {
            put(0xC0 | c >> 6);
            put(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            put(0xE0 | c >> 12);
            put(0x80 | (c >> 6 & 0x3F));
            put(0x80 | (c & 0x3F));
        } else {
            put(0xF0 | c >> 18);
            put(0x80 | (c >> 12 & 0x3F));
            put(0x80 | (c >> 6 & 0x3F));
            put(0x80 | (c & 0x3F));
        }
        utf8_validator validator;
        for (std::size_t i = 0; i < text.size(); ++i) {
            refused += !validator.feed(std::string_view{text}.substr(i, 1));
            refused += validator.is_complete() != (i + 1 == text.size());
        }
        refused += !is_utf8(text);
    }
    CHECK(refused == 0);
}

struct failing_vector {
    char const* name;
    std::string bytes;
    std::size_t failing_index; // of the byte at which it has to fail
};

std::string const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

failing_vector const failing_vectors[] = {
    {"Autobahn 6.3.1, surrogate",
     greek + "\xed\xa0\x80"
             "edited",
     12},
    {"Autobahn 6.4.1, over U+10FFFF",
     greek + "\xf4\x90\x80\x80"
             "edited",
     12},
    {"Autobahn 6.14.1, lone FE", "\xfe", 0},
    {"Autobahn 6.14.2, lone FF", "\xff", 0},
    {"Autobahn 6.12.1, lone continuation", "\x80", 0},
    {"Autobahn 6.17.1, overlong of two", "\xc0\xaf", 0},
    {"Autobahn 6.17.2, overlong of three", "\xe0\x80\xaf", 1},
    {"Autobahn 6.17.3, overlong of four", "\xf0\x80\x80\xaf", 1},
    {"Autobahn 6.17.4, form of five", "\xf8\x80\x80\x80\xaf", 0},
    {"Autobahn 6.18.3, largest overlong of three", "\xe0\x9f\xbf", 1},
    {"Autobahn 6.20.7, last surrogate", "\xed\xbf\xbf", 1},
    {"letter inside a code point",
     "\xe2\x82"
     "A",
     2},
    {"lead byte inside a code point", "\xf0\x9f\x98\xc3", 3},
    {"lead F5", "\xf5\x80\x80\x80", 0},
};

TEST_CASE("wire/utf8: fails at the earliest byte, behind text of any length") {
    for (auto const& v : failing_vectors) {
        CAPTURE(v.name);
        for (std::size_t before = 0; before <= 140; ++before) {
            CAPTURE(before);
            auto const bytes = std::string(before, 'a') + v.bytes;
            auto const index = before + v.failing_index;
            utf8_validator validator;
            CHECK(validator.feed(std::string_view{bytes}.substr(0, index)));
            CHECK_FALSE(validator.feed(std::string_view{bytes}.substr(index, 1)));
            CHECK_FALSE(validator.is_complete());
            CHECK_FALSE(validator.feed("a"));
            CHECK_FALSE(validator.feed(""));
            CHECK_FALSE(is_utf8(bytes));
            CHECK_FALSE(is_utf8(bytes + std::string(140, 'z')));
        }
    }
}

TEST_CASE("wire/utf8: text may be cut anywhere, and is complete only between code points") {
    std::string const text =
        "plain ascii that is longer than a step, " + greek + " \xf0\x9f\x98\x80 end";
    CHECK(is_utf8(text));
    CHECK(is_utf8(""));
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        CAPTURE(cut);
        utf8_validator validator;
        CHECK(validator.feed(std::string_view{text}.substr(0, cut)));
        bool const is_between =
            cut == text.size() || (static_cast<unsigned char>(text[cut]) & 0xC0u) != 0x80;
        CHECK(validator.is_complete() == is_between);
        CHECK(is_utf8(std::string_view{text}.substr(0, cut)) == is_between);
        CHECK(validator.feed(std::string_view{text}.substr(cut)));
        CHECK(validator.is_complete());
    }
}

/// What the validator says of a text that comes byte by byte, where no step takes more than one.
verdict validate_by_byte(std::string_view text) {
    utf8_validator validator;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (!validator.feed(text.substr(i, 1))) return verdict::invalid;
    return validator.is_complete() ? verdict::valid : verdict::incomplete;
}

verdict validate_at_once(std::string_view text) {
    utf8_validator validator;
    if (!validator.feed(text)) return verdict::invalid;
    return validator.is_complete() ? verdict::valid : verdict::incomplete;
}

TEST_CASE("wire/utf8: long text agrees with a decoder wherever four bytes lie in it") {
    constexpr unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1,
                                       0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF};
    std::size_t differences = 0;
    auto const check = [&](std::size_t at, unsigned char const(&bytes)[4]) {
        std::string text(160, 'a');
        for (std::size_t i = 0; i < 4; ++i) text[at + i] = static_cast<char>(bytes[i]);
        bool const is_valid = judge(bytes, 4) == verdict::valid;
        differences += is_utf8(text) != is_valid;
        // The text ends inside or behind the bytes.
        for (std::size_t size = 1; size <= 4; ++size)
            differences +=
                validate_at_once(std::string_view{text}.substr(0, at + size)) != judge(bytes, size);
    };
    for (auto const a : edges)
        for (auto const b : edges)
            for (auto const c : edges)
                for (auto const d : edges)
                    for (auto const at : std::initializer_list<std::size_t>{76, 125})
                        check(at, {a, b, c, d});
    for (unsigned a = 0; a < 256; ++a)
        for (unsigned b = 0; b < 256; ++b)
            for (auto const c : {0x41, 0x80, 0xBF})
                for (auto const at : std::initializer_list<std::size_t>{0, 15, 126})
                    check(at, {static_cast<unsigned char>(a), static_cast<unsigned char>(b),
                               static_cast<unsigned char>(c), 0x80});
    CHECK(differences == 0);
}

TEST_CASE("wire/utf8: a code point may lie anywhere in long text, and be wrong anywhere") {
    for (std::string const code_point : {"\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
        for (std::size_t at = 0; at <= 200; ++at) {
            auto const text = std::string(at, 'a') + code_point + std::string(200 - at, 'z');
            if (!is_utf8(text)) FAIL("refused at " << at);
            for (std::size_t i = 0; i < code_point.size(); ++i) {
                auto broken = text;
                broken[at + i] = '\xff';
                if (is_utf8(broken)) FAIL("FF accepted at " << at + i);
                broken.erase(at + i, 1);
                if (is_utf8(broken) != (code_point.size() == 1))
                    FAIL("short code point accepted at " << at);
            }
        }
    }
}

TEST_CASE("wire/utf8: random text in random pieces is judged as byte by byte") {
    constexpr unsigned seed = 20110;
    CAPTURE(seed);
    std::mt19937 random{seed};
    auto const below = [&random](std::size_t bound) {
        return static_cast<std::size_t>(random() % bound);
    };
    constexpr std::string_view code_points[] = {"a",
                                                "plain text of some length",
                                                "\xc2\x80",
                                                "\xdf\xbf",
                                                "\xe0\xa0\x80",
                                                "\xed\x9f\xbf",
                                                "\xef\xbf\xbf",
                                                "\xf0\x90\x80\x80",
                                                "\xf4\x8f\xbf\xbf"};
    std::array<std::size_t, 3> seen{};
    std::size_t differences = 0;
    for (int round = 0; round < 20'000; ++round) {
        // Some texts of one script, some mixed, some with a wrong byte, some cut at their end.
        auto const kinds = 1 + below(std::size(code_points));
        auto const size = below(600);
        std::string text;
        while (text.size() < size) text += code_points[below(kinds)];
        if (below(2) == 0 && !text.empty())
            text[below(text.size())] = static_cast<char>(static_cast<unsigned char>(below(256)));
        if (below(2) == 0 && !text.empty()) text.resize(text.size() - below(4) % text.size());

        auto const expected = validate_by_byte(text);
        ++seen.at(static_cast<std::size_t>(expected));
        differences += validate_at_once(text) != expected;
        utf8_validator validator;
        std::string_view rest = text;
        std::size_t taken = 0;
        while (!rest.empty()) {
            auto const piece = rest.substr(0, 1 + below(below(2) == 0 ? 5 : 300));
            rest.remove_prefix(piece.size());
            taken += piece.size();
            bool const is_possible = validator.feed(piece);
            differences +=
                is_possible !=
                (validate_by_byte(std::string_view{text}.substr(0, taken)) != verdict::invalid);
        }
        differences += validator.is_complete() != (expected == verdict::valid);
    }
    CHECK(differences == 0);
    for (auto const count : seen) CHECK(count > 500);
}

} // namespace
