#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include <livetape/wire/base64.hpp>
#include <support/hex.hpp>

namespace {

using livetape::append_base64;
using livetape::decode_base64;
using livetape::is_base64;

struct vector {
    std::string_view bytes;
    std::string_view text;
};

// RFC 4648 §10, and the two characters that differ from the URL alphabet.
constexpr vector vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+"},
};

TEST_CASE("wire/base64: encodes and decodes the vectors [RFC 4648 §10]") {
    for (auto const& v : vectors) {
        CAPTURE(v.text);
        std::string text = "before:";
        append_base64(text, v.bytes);
        CHECK(text == "before:" + std::string{v.text});
        CHECK(is_base64(v.text));
        std::string bytes = "before:";
        CHECK(decode_base64(v.text, bytes));
        CHECK(bytes == "before:" + std::string{v.bytes});
    }
}

TEST_CASE("wire/base64: every pair of bytes comes back") {
    for (std::size_t length = 0; length <= 5; ++length) {
        for (unsigned value = 0; value < 0x10000; value += length < 4 ? 1 : 251) {
            std::string bytes(length, 'x');
            if (length > 0)
                bytes.front() = static_cast<char>(static_cast<unsigned char>(value & 0xFF));
            if (length > 1)
                bytes.back() = static_cast<char>(static_cast<unsigned char>(value >> 8));
            std::string text;
            append_base64(text, bytes);
            std::string decoded;
            if (!decode_base64(text, decoded) || decoded != bytes) {
                CAPTURE(livetape::test::to_hex(bytes));
                FAIL("does not come back");
            }
        }
    }
}

TEST_CASE("wire/base64: refuses what is not the one form of its bytes [RFC 4648 §3]") {
    struct refused {
        char const* name;
        std::string_view text;
    };
    constexpr refused texts[] = {
        {"one character", "Z"},
        {"padding missing, one byte", "Zg"},
        {"padding missing, two bytes", "Zm8"},
        {"half of the padding", "Zg="},
        {"too much padding", "Zg==="},
        {"three characters of padding", "Z==="},
        {"only padding", "===="},
        {"only padding in the last group", "Zm9v===="},
        {"padding in the middle", "Zg==Zm9v"},
        {"padding before a character", "Zg=v"},
        {"padding first", "=Zm9"},
        {"unused bits set, one byte", "Zh=="},
        {"the highest unused bit set, one byte", "Zo=="},
        {"unused bits set, two bytes", "Zm9="},
        {"blank", "Zm 9"},
        {"line break", "Zm9v\r\n"},
        {"URL alphabet, minus", "-//-"},
        {"URL alphabet, underscore", "__+_"},
        {"byte over 127", "Zm9\xff"},
        {"NUL", std::string_view{"Zm\0v", 4}},
    };
    for (auto const& r : texts) {
        CAPTURE(r.name);
        CHECK_FALSE(is_base64(r.text));
        std::string bytes = "kept";
        CHECK_FALSE(decode_base64(r.text, bytes));
        CHECK(bytes == "kept");
    }
}

TEST_CASE("wire/base64: accepts exactly the alphabet") {
    for (int c = 0; c < 256; ++c) {
        CAPTURE(c);
        auto const letter = static_cast<char>(static_cast<unsigned char>(c));
        bool const is_in_alphabet = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                    (c >= '0' && c <= '9') || c == '+' || c == '/';
        std::string bytes;
        CHECK(decode_base64(std::string{letter} + "AAA", bytes) == is_in_alphabet);
        CHECK(decode_base64(std::string{"A"} + letter + "AA", bytes) == is_in_alphabet);
    }
}

} // namespace
