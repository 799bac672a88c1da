#include <doctest/doctest.h>

#include <cstddef>
#include <span>
#include <string>

#include <livetape/wire/masking.hpp>
#include <support/hex.hpp>

namespace {

using livetape::test::from_hex;
using livetape::websocket::apply_mask;
using livetape::websocket::masking_key_type;

constexpr masking_key_type key{0x37, 0xfa, 0x21, 0x3d};

std::string some_bytes(std::size_t count) {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i)
        bytes += static_cast<char>(static_cast<unsigned char>(i * 37 + 11));
    return bytes;
}

std::string masked_slowly(std::string bytes, std::size_t phase) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ key[(phase + i) % 4]);
    return bytes;
}

TEST_CASE("wire/masking: masks and unmasks the example [RFC 6455 §5.7]") {
    std::string text = "Hello";
    apply_mask(text, key);
    CHECK(text == from_hex("7f 9f 4d 51 58"));
    apply_mask(text, key);
    CHECK(text == "Hello");
}

TEST_CASE("wire/masking: every length, alignment and phase, and nothing beside the bytes") {
    for (std::size_t offset = 0; offset < 8; ++offset) {
        for (std::size_t count = 0; count <= 100; ++count) {
            for (std::size_t phase = 0; phase < 5; ++phase) {
                auto const bytes = some_bytes(count);
                std::string buffer = std::string(offset, '<') + bytes + ">>>>";
                apply_mask(std::span{buffer}.subspan(offset, count), key, phase);
                auto const expected =
                    std::string(offset, '<') + masked_slowly(bytes, phase) + ">>>>";
                if (buffer != expected)
                    FAIL("offset " << offset << " count " << count << " phase " << phase);
            }
        }
    }
}

TEST_CASE("wire/masking: piece by piece is the same as at once") {
    auto const bytes = some_bytes(150);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        CAPTURE(cut);
        std::string pieces = bytes;
        apply_mask(std::span{pieces}.first(cut), key);
        apply_mask(std::span{pieces}.subspan(cut), key, cut);
        CHECK(pieces == masked_slowly(bytes, 0));
    }
}

} // namespace
