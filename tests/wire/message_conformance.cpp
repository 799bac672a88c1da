#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/error.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>
#include <support/conformance_cases.hpp>
#include <support/message_driver.hpp>

// The conformance cases as a server and as a client read them: whole, in pieces and at every split.

namespace {

using namespace livetape::test;
using livetape::error;

/// What comes of it when the reader gives pieces, put together again.
received_items read_joined(role side, std::string_view bytes, std::size_t piece_bytes) {
    livetape::websocket::message_reader reader{side};
    reader.give_pieces();
    piece_joiner joiner;
    received_items items;
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes)
        joiner.feed(reader, bytes.substr(at, piece_bytes), items);
    return items;
}

void run(std::vector<conformance_case> const& cases) {
    for (auto const& c : cases) {
        CAPTURE(c.id);
        for (auto const side : {role::server, role::client}) {
            auto const bytes = serialise(side, c.frames);
            CHECK(read_in_pieces(side, bytes, bytes.size()) == c.expected);
            CHECK(read_in_pieces(side, bytes, 1) == c.expected);
            CHECK(read_in_pieces(side, bytes, 997) == c.expected);
            for (auto const piece : {bytes.size(), std::size_t{1}, std::size_t{13}})
                CHECK(read_joined(side, bytes, piece) == c.expected);
            std::size_t const splits = bytes.size() <= 400 ? bytes.size() : 16;
            for (std::size_t cut = 0; cut <= splits; ++cut)
                if (read_split(side, bytes, cut) != c.expected) FAIL("cut at " << cut);

            // Bytes after the end of the case: ignored after an end, one more message otherwise.
            auto expected = c.expected;
            bool const has_ended = !expected.empty() && expected.back().kind >= item_kind::close;
            bool const is_open = !c.frames.empty() && !c.frames.back().is_final;
            if (!has_ended && !is_open) expected.push_back(text("trailing"));
            if (!has_ended && is_open) expected.push_back(failed(error::expected_continuation));
            auto const longer = bytes + serialise(side, {{1, "trailing"}});
            CHECK(read_in_pieces(side, longer, longer.size()) == expected);
        }
    }
}

TEST_CASE("wire/message_reader: conformance 1, data of every length form [RFC 6455 §5.2]") {
    run(data_cases());
}

TEST_CASE("wire/message_reader: conformance 2, pings and pongs [RFC 6455 §5.5]") {
    run(ping_cases());
}

TEST_CASE("wire/message_reader: conformance 3, reserved bits [RFC 6455 §5.2]") {
    run(reserved_bit_cases());
}

TEST_CASE("wire/message_reader: conformance 4, reserved opcodes [RFC 6455 §5.2]") {
    run(reserved_opcode_cases());
}

TEST_CASE("wire/message_reader: conformance 5, fragmentation [RFC 6455 §5.4]") {
    run(fragmentation_cases());
}

TEST_CASE("wire/message_reader: conformance 6, text in fragments [RFC 6455 §8.1]") {
    run(text_fragment_cases());
}

TEST_CASE("wire/message_reader: conformance 6, sequences of UTF-8 [RFC 3629 §4]") {
    run(utf8_cases());
}

TEST_CASE("wire/message_reader: conformance 7, closing [RFC 6455 §7]") { run(closing_cases()); }

TEST_CASE("wire/message_reader: conformance 6.4, fails at the octet that decides [RFC 6455 §8.1]") {
    std::string const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
    std::string const over = greek + "\xf4\x90\x80\x80"
                                     "edited";
    std::size_t const deciding = greek.size() + 1; // the second byte of what would be over U+10FFFF
    struct shape {
        char const* id;
        std::vector<sent_frame> frames;
        std::size_t frames_before; // those that are whole when the deciding octet arrives
    };
    shape const shapes[] = {
        {"6.4.1, whole frames",
         {{1, greek, unfinished}, {0, "\xf4\x90", unfinished}, {0, "\x80\x80"}},
         1},
        {"6.4.2, between frames",
         {{1, greek + "\xf4", unfinished}, {0, "\x90", unfinished}, {0, "\x80"}},
         1},
        {"6.4.3 and 6.4.4, one frame in octets", {{1, over}}, 0},
        {"one frame of many", {{1, over, unfinished}, {0, "never"}}, 0},
    };
    for (auto const& s : shapes) {
        CAPTURE(s.id);
        for (auto const side : {role::server, role::client}) {
            auto const bytes = serialise(side, s.frames);
            std::size_t const header_bytes = side == role::server ? 6 : 2;
            std::size_t const decided = deciding + 1 + header_bytes * (s.frames_before + 1);
            livetape::websocket::message_reader reader{side};
            for (std::size_t i = 0; i < decided; ++i) {
                received_items items;
                feed(reader, std::string_view{bytes}.substr(i, 1), items);
                if (i + 1 < decided) CHECK(items.empty());
                else CHECK(items == received_items{failed(error::bad_utf8)});
            }
        }
    }
}

TEST_CASE("wire/message_reader: conformance 9 and 10, messages to 16 MiB [RFC 6455 §5.4]") {
    for (auto const& c : large_cases()) {
        CAPTURE(c.id);
        auto const payload = large_payload(c);
        for (auto const side : {role::server, role::client}) {
            auto const bytes = serialise(side, c, payload);
            auto const items = read_in_pieces(side, bytes, c.piece_bytes, {c.message_bytes});
            REQUIRE(items.size() == 1);
            CHECK(items[0].kind == (c.code == opcode::text ? item_kind::text : item_kind::binary));
            CHECK((items[0].payload == payload));
            CHECK(read_in_pieces(side, bytes, c.piece_bytes, {c.message_bytes - 1}) ==
                  received_items{failed(error::message_too_large)});
        }
    }
}

} // namespace
