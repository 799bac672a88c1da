#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <livetape/wire/frame_header.hpp>
#include <support/hex.hpp>

namespace {

using livetape::error;
using livetape::parse_status;
using livetape::test::from_hex;
using livetape::test::to_hex;
using namespace livetape::websocket;

constexpr masking_key_type key{0x37, 0xfa, 0x21, 0x3d};

struct header_vector {
    char const* name;
    char const* hex;
    frame_header header;
};

header_vector const header_vectors[] = {
    {"§5.7 unmasked text", "81 05", {.opcode = opcode::text, .payload_bytes = 5}},
    {"§5.7 masked text",
     "81 85 37 fa 21 3d",
     {.opcode = opcode::text, .is_masked = true, .masking_key = key, .payload_bytes = 5}},
    {"§5.7 first fragment",
     "01 03",
     {.opcode = opcode::text, .is_final = false, .payload_bytes = 3}},
    {"§5.7 last fragment", "80 02", {.opcode = opcode::continuation, .payload_bytes = 2}},
    {"§5.7 ping", "89 05", {.opcode = opcode::ping, .payload_bytes = 5}},
    {"§5.7 masked pong",
     "8a 85 37 fa 21 3d",
     {.opcode = opcode::pong, .is_masked = true, .masking_key = key, .payload_bytes = 5}},
    {"§5.7 256 bytes", "82 7e 01 00", {.opcode = opcode::binary, .payload_bytes = 256}},
    {"§5.7 64 KiB",
     "82 7f 00 00 00 00 00 01 00 00",
     {.opcode = opcode::binary, .payload_bytes = 65536}},
    {"empty", "82 00", {.opcode = opcode::binary}},
    {"125 bytes", "82 7d", {.opcode = opcode::binary, .payload_bytes = 125}},
    {"126 bytes", "82 7e 00 7e", {.opcode = opcode::binary, .payload_bytes = 126}},
    {"65535 bytes", "82 7e ff ff", {.opcode = opcode::binary, .payload_bytes = 65535}},
    {"most bytes, masked",
     "82 ff 7f ff ff ff ff ff ff ff 37 fa 21 3d",
     {.opcode = opcode::binary,
      .is_masked = true,
      .masking_key = key,
      .payload_bytes = 0x7FFFFFFFFFFFFFFFu}},
    {"longest close", "88 7d", {.opcode = opcode::close, .payload_bytes = 125}},
};

TEST_CASE("wire/frame_header: parses and writes the vectors [RFC 6455 §5.2, §5.7]") {
    for (auto const& v : header_vectors) {
        CAPTURE(v.name);
        auto const bytes = from_hex(v.hex);
        for (auto const* trailing : {"", "x", "a whole lot of bytes that follow"}) {
            frame_header header;
            auto const result = parse_header(bytes + trailing, header);
            CHECK(result.status == parse_status::done);
            CHECK(result.failure == error::none);
            CHECK(result.header_bytes == bytes.size());
            CHECK(header == v.header);
        }
        std::array<char, header_bytes_max> out{};
        auto const size = write_header(v.header, out);
        CHECK(to_hex({out.data(), size}) == to_hex(bytes));
    }
}

TEST_CASE("wire/frame_header: needs more before every split point, and leaves the header alone") {
    for (auto const& v : header_vectors) {
        CAPTURE(v.name);
        auto const bytes = from_hex(v.hex);
        for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
            frame_header header{.opcode = opcode::pong, .payload_bytes = 77};
            auto const result = parse_header(std::string_view{bytes}.substr(0, cut), header);
            CHECK(result.status == parse_status::need_more);
            CHECK(header == frame_header{.opcode = opcode::pong, .payload_bytes = 77});
        }
    }
}

struct refused_vector {
    char const* name;
    char const* hex;
    std::size_t deciding_bytes; // with fewer, it could still be valid
    error failure;
};

constexpr refused_vector refused_vectors[] = {
    {"RSV1", "c1 00", 1, error::bad_reserved_bits},
    {"RSV2", "a1 00", 1, error::bad_reserved_bits},
    {"RSV3", "91 00", 1, error::bad_reserved_bits},
    {"opcode 3", "83 00", 1, error::bad_opcode},
    {"opcode 4", "84 00", 1, error::bad_opcode},
    {"opcode 5", "85 00", 1, error::bad_opcode},
    {"opcode 6", "86 00", 1, error::bad_opcode},
    {"opcode 7", "87 00", 1, error::bad_opcode},
    {"opcode 11", "8b 00", 1, error::bad_opcode},
    {"opcode 12", "8c 00", 1, error::bad_opcode},
    {"opcode 13", "8d 00", 1, error::bad_opcode},
    {"opcode 14", "8e 00", 1, error::bad_opcode},
    {"opcode 15", "8f 00", 1, error::bad_opcode},
    {"fragment of a close", "08 00", 1, error::fragmented_control},
    {"fragment of a ping", "09 00", 1, error::fragmented_control},
    {"fragment of a pong", "0a 00", 1, error::fragmented_control},
    {"close of 126", "88 7e 00 7e", 2, error::control_too_long},
    {"ping of 126, masked", "89 fe 00 7e", 2, error::control_too_long},
    {"pong of a 64-bit length", "8a 7f", 2, error::control_too_long},
    {"125 in 16 bits", "82 7e 00 7d", 4, error::non_minimal_length},
    {"0 in 16 bits", "82 7e 00 00", 4, error::non_minimal_length},
    {"0 in 64 bits", "82 7f 00 00 00 00 00 00 00 00", 10, error::non_minimal_length},
    {"65535 in 64 bits", "82 7f 00 00 00 00 00 00 ff ff", 10, error::non_minimal_length},
    {"2^63", "82 7f 80 00 00 00 00 00 00 00", 10, error::non_minimal_length},
    {"2^64-1, masked", "82 ff ff ff ff ff ff ff ff ff", 10, error::non_minimal_length},
};

TEST_CASE("wire/frame_header: refuses at the byte that decides [RFC 6455 §5.2, §5.5]") {
    for (auto const& v : refused_vectors) {
        CAPTURE(v.name);
        auto const bytes = from_hex(v.hex) + "trailing bytes";
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            CAPTURE(cut);
            frame_header header{.payload_bytes = 77};
            auto const result = parse_header(std::string_view{bytes}.substr(0, cut), header);
            bool const is_decided = cut >= v.deciding_bytes;
            CHECK(result.status == (is_decided ? parse_status::failed : parse_status::need_more));
            CHECK(result.failure == (is_decided ? v.failure : error::none));
            CHECK(header.payload_bytes == 77);
        }
    }
}

TEST_CASE(
    "wire/frame_header: an extension's bits are allowed on the first frame of a message only") {
    frame_header header;
    auto const status = [&header](char const* hex, std::uint8_t allowed) {
        return parse_header(from_hex(hex), header, allowed).status;
    };
    CHECK(status("c1 00", reserved_bit_1) == parse_status::done);
    CHECK(header.reserved_bits == reserved_bit_1);
    CHECK(status("42 00", reserved_bit_1) == parse_status::done);
    CHECK(status("f1 00", reserved_bit_1 | reserved_bit_2 | reserved_bit_3) == parse_status::done);
    CHECK(header.reserved_bits == (reserved_bit_1 | reserved_bit_2 | reserved_bit_3));
    CHECK(status("e1 00", reserved_bit_1) == parse_status::failed);
    CHECK(status("a1 00", reserved_bit_1) == parse_status::failed);
    CHECK(status("c0 00", reserved_bit_1) == parse_status::failed);
    CHECK(status("c9 00", reserved_bit_1) == parse_status::failed);
    CHECK(status("81 00", reserved_bit_1) == parse_status::done);
}

TEST_CASE("wire/frame_header: serialises whole frames [RFC 6455 §5.7]") {
    std::string out;
    append_frame(out, opcode::text, "Hello");
    CHECK(to_hex(out) == "810548656c6c6f");
    out.clear();
    append_masked_frame(out, opcode::text, "Hello", key);
    CHECK(to_hex(out) == "818537fa213d7f9f4d5158");
    out.clear();
    append_frame(out, {.opcode = opcode::text, .is_final = false}, "Hel");
    append_frame(out, {.opcode = opcode::continuation, .is_final = true}, "lo");
    CHECK(to_hex(out) == "010348656c80026c6f");
    out.clear();
    append_frame(out, opcode::ping, "Hello");
    append_masked_frame(out, opcode::pong, "Hello", key);
    CHECK(to_hex(out) == "890548656c6c6f8a8537fa213d7f9f4d5158");
    out = "kept";
    append_frame(out, opcode::binary, std::string(256, 'b'));
    CHECK(out == "kept" + from_hex("82 7e 01 00") + std::string(256, 'b'));
    out.clear();
    append_frame(out, opcode::binary, std::string(65536, 'b'));
    CHECK(out == from_hex("82 7f 00 00 00 00 00 01 00 00") + std::string(65536, 'b'));
}

} // namespace
