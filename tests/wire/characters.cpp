#include <livetape/wire/characters.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

using namespace livetape::http;

TEST_CASE("wire/characters: knows the characters of a token [RFC 9110 5.6.2]") {
    constexpr std::string_view punctuation = "!#$%&'*+-.^_`|~";
    for (int c = 0; c < 256; ++c) {
        CAPTURE(c);
        auto const byte = static_cast<char>(static_cast<unsigned char>(c));
        bool const is_alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                                     (byte >= 'A' && byte <= 'Z');
        bool const is_expected =
            is_alphanumeric || punctuation.find(byte) != std::string_view::npos;
        CHECK(is_token(std::string(1, byte)) == is_expected);
    }
    CHECK_FALSE(is_token(""));
    CHECK_FALSE(is_token("a b"));
}

TEST_CASE("wire/characters: finds a forbidden byte of a value at every place [RFC 9110 5.5]") {
    for (int c = 0; c < 256; ++c) {
        CAPTURE(c);
        bool const is_allowed = c == '\t' || (c >= 0x20 && c != 0x7f);
        for (std::size_t size = 1; size < 20; ++size) {
            for (std::size_t position = 0; position < size; ++position) {
                std::string value(size, '\xff');
                value[position] = static_cast<char>(static_cast<unsigned char>(c));
                if (is_field_value(value) != is_allowed) FAIL_CHECK(size, " ", position);
            }
        }
    }
    CHECK(is_field_value(""));
}

TEST_CASE("wire/characters: trims spaces and tabs only [RFC 9110 5.6.3]") {
    CHECK(trim_whitespace(" \t a \t b\t ") == "a \t b");
    CHECK(trim_whitespace("\ra\n") == "\ra\n");
    CHECK(trim_whitespace(" \t ").empty());
    CHECK(trim_whitespace("").empty());
}

TEST_CASE("wire/characters: reads hexadecimal digits in both cases") {
    constexpr std::string_view lower = "0123456789abcdef";
    constexpr std::string_view upper = "0123456789ABCDEF";
    for (std::size_t i = 0; i < 16; ++i) {
        CHECK(hex_digit_value(lower[i]) == static_cast<int>(i));
        CHECK(hex_digit_value(upper[i]) == static_cast<int>(i));
    }
    for (char const c : std::string_view{"/:@G`g \xff"}) CHECK(hex_digit_value(c) == -1);
}
