#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/error.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>
#include <support/hex.hpp>
#include <support/message_driver.hpp>

// The situations of the Autobahn test suite's groups 1 to 7 that concern what is received, under
// their numbers. Each is read by a server and by a client, whole, in pieces and at every split.

namespace {

using namespace livetape::websocket;
using namespace livetape::test;
using livetape::error;

struct sent_frame {
    unsigned opcode;
    std::string payload;
    bool is_final = true;
    std::uint8_t reserved_bits = 0;
};

struct conformance_case {
    std::string id;
    std::vector<sent_frame> frames;
    received_items expected;
};

constexpr bool more = false; // for `is_final`

std::string serialise(role side, std::vector<sent_frame> const& frames) {
    std::string bytes;
    unsigned char salt = 1;
    for (auto const& f : frames) {
        append_frame(bytes,
                     {.opcode = static_cast<opcode>(f.opcode),
                      .is_final = f.is_final,
                      .reserved_bits = f.reserved_bits,
                      .is_masked = side == role::server,
                      .masking_key = {salt, 0x5a, 0xc3, 0x0f}},
                     f.payload);
        salt = static_cast<unsigned char>(salt * 3);
    }
    return bytes;
}

void run(std::vector<conformance_case> const& cases) {
    for (auto const& c : cases) {
        CAPTURE(c.id);
        for (auto const side : {role::server, role::client}) {
            auto const bytes = serialise(side, c.frames);
            CHECK(read_in_pieces(side, bytes, bytes.size()) == c.expected);
            CHECK(read_in_pieces(side, bytes, 1) == c.expected);
            CHECK(read_in_pieces(side, bytes, 997) == c.expected);
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

TEST_CASE("wire/message_reader: conformance 1, data of every length form") {
    std::vector<conformance_case> cases;
    int number = 1;
    for (auto const size :
         std::initializer_list<std::size_t>{0, 125, 126, 127, 128, 65535, 65536}) {
        std::string const payload(size, '*');
        cases.push_back({"1.1." + std::to_string(number), {{1, payload}}, {text(payload)}});
        std::string const bytes(size, '\xfe');
        cases.push_back({"1.2." + std::to_string(number), {{2, bytes}}, {binary(bytes)}});
        ++number;
    }
    run(cases);
}

TEST_CASE("wire/message_reader: conformance 2, pings and pongs") {
    auto const bytes = from_hex("00 ff fe fd fc fb 00 ff");
    std::string const longest(125, '\xfe');
    std::vector<sent_frame> ten_pings;
    received_items ten_items;
    for (int i = 0; i < 10; ++i) {
        ten_pings.push_back({9, "payload-" + std::to_string(i)});
        ten_items.push_back(ping("payload-" + std::to_string(i)));
    }
    run({
        {"2.1", {{9, ""}}, {ping("")}},
        {"2.2", {{9, "Hello, world!"}}, {ping("Hello, world!")}},
        {"2.3", {{9, bytes}}, {ping(bytes)}},
        {"2.4, 2.6", {{9, longest}}, {ping(longest)}},
        {"2.5", {{9, longest + "x"}}, {failed(error::control_too_long)}},
        {"2.7", {{10, ""}}, {pong("")}},
        {"2.8", {{10, "unsolicited"}}, {pong("unsolicited")}},
        {"2.9", {{10, "unsolicited"}, {9, "ping"}}, {pong("unsolicited"), ping("ping")}},
        {"2.10, 2.11", ten_pings, ten_items},
    });
}

TEST_CASE("wire/message_reader: conformance 3, reserved bits") {
    auto const refused = failed(error::bad_reserved_bits);
    run({
        {"3.1", {{1, "small", true, 1}}, {refused}},
        {"3.2", {{1, "small"}, {1, "small", true, 2}, {9, ""}}, {text("small"), refused}},
        {"3.3, 3.4", {{1, "small"}, {1, "small", true, 3}, {9, ""}}, {text("small"), refused}},
        {"3.4", {{1, "small"}, {1, "small", true, 4}, {9, ""}}, {text("small"), refused}},
        {"3.5", {{2, "small", true, 5}}, {refused}},
        {"3.6", {{9, "small", true, 6}}, {refused}},
        {"3.7", {{8, "", true, 7}}, {refused}},
        {"3, continuation", {{1, "a", more}, {0, "b", true, 4}}, {refused}},
    });
}

TEST_CASE("wire/message_reader: conformance 4, reserved opcodes") {
    std::vector<conformance_case> cases;
    for (unsigned const code : {3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u}) {
        auto const id = (code < 8 ? "4.1, opcode " : "4.2, opcode ") + std::to_string(code);
        auto const refused = failed(error::bad_opcode);
        cases.push_back({id, {{code, ""}}, {refused}});
        cases.push_back({id + " with payload", {{code, "reserved"}}, {refused}});
        cases.push_back(
            {id + " after text", {{1, "before"}, {code, ""}, {9, ""}}, {text("before"), refused}});
        cases.push_back({id + " in a message", {{1, "a", more}, {code, ""}}, {refused}});
    }
    run(cases);
}

TEST_CASE("wire/message_reader: conformance 5, fragmentation") {
    auto const unexpected = failed(error::unexpected_continuation);
    auto const expected = failed(error::expected_continuation);
    auto const fragmented = failed(error::fragmented_control);
    run({
        {"5.1", {{9, "fragment1", more}, {0, "fragment2"}}, {fragmented}},
        {"5.2", {{10, "fragment1", more}, {0, "fragment2"}}, {fragmented}},
        {"5, close in fragments", {{8, "", more}}, {fragmented}},
        {"5.3 to 5.5", {{1, "fragment1", more}, {0, "fragment2"}}, {text("fragment1fragment2")}},
        {"5.6 to 5.8",
         {{1, "fragment1", more}, {9, "ping"}, {0, "fragment2"}},
         {ping("ping"), text("fragment1fragment2")}},
        {"5.9 to 5.11", {{0, "nothing to continue"}, {1, "Hello"}}, {unexpected}},
        {"5.12 to 5.14", {{0, "nothing to continue", more}, {1, "Hello"}}, {unexpected}},
        {"5.15",
         {{1, "fragment1", more}, {0, "fragment2"}, {0, "fragment3", more}, {1, "fragment4"}},
         {text("fragment1fragment2"), unexpected}},
        {"5.16", {{0, "fragment1", more}, {1, "fragment2", more}, {0, "fragment3"}}, {unexpected}},
        {"5.17", {{0, "fragment1"}, {1, "fragment2", more}, {0, "fragment3"}}, {unexpected}},
        {"5.18", {{1, "fragment1", more}, {1, "fragment2"}}, {expected}},
        {"5.18, binary", {{1, "fragment1", more}, {2, "fragment2", more}}, {expected}},
        {"5.19, 5.20",
         {{1, "fragment1", more},
          {0, "fragment2", more},
          {9, "ping1"},
          {0, "fragment3", more},
          {0, "fragment4", more},
          {9, "ping2"},
          {0, "fragment5"}},
         {ping("ping1"), ping("ping2"), text("fragment1fragment2fragment3fragment4fragment5")}},
        {"5, unfinished", {{1, "fragment1", more}, {10, ""}, {0, "", more}}, {pong("")}},
        {"5, close in a message",
         {{1, "fragment1", more}, {8, ""}, {0, "fragment2"}},
         {closed(1005)}},
    });
}

TEST_CASE("wire/message_reader: conformance 6, text in fragments") {
    std::string const greeting = "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc-UTF-8!!";
    std::string const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
    std::vector<sent_frame> by_byte;
    for (char const c : greeting)
        by_byte.push_back({by_byte.empty() ? 1u : 0u, std::string(1, c), more});
    by_byte.push_back({0, ""});
    auto const refused = failed(error::bad_utf8);
    run({
        {"6.1.1", {{1, ""}}, {text("")}},
        {"6.1.2", {{1, "", more}, {0, "", more}, {0, ""}}, {text("")}},
        {"6.1.3", {{1, "", more}, {0, "middle", more}, {0, ""}}, {text("middle")}},
        {"6.2.1", {{1, greeting}}, {text(greeting)}},
        {"6.2.2", {{1, greeting.substr(0, 12), more}, {0, greeting.substr(12)}}, {text(greeting)}},
        {"6.2.2, inside a code point",
         {{1, greeting.substr(0, 7), more}, {0, greeting.substr(7)}},
         {text(greeting)}},
        {"6.2.3, 6.2.4", by_byte, {text(greeting)}},
        {"6.2, with a ping inside a code point",
         {{1, greeting.substr(0, 7), more}, {9, "\xff"}, {0, greeting.substr(7)}},
         {ping("\xff"), text(greeting)}},
        {"6.3.1",
         {{1, greek + "\xed\xa0\x80"
                      "edited"}},
         {refused}},
        {"6.3.2",
         {{1, greek, more},
          {0, "\xed", more},
          {0, "\xa0", more},
          {0, "\x80"
              "edited"}},
         {refused}},
        {"6.4.1", {{1, greek, more}, {0, "\xf4\x90\x80\x80", more}, {0, "edited"}}, {refused}},
        {"6.4.2", {{1, greek + "\xf4", more}, {0, "\x90", more}, {0, "edited"}}, {refused}},
        {"6, ends inside a code point", {{1, "\xe2\x82"}}, {refused}},
        {"6, ends inside a code point in the last fragment",
         {{1, "\xe2", more}, {0, "\x82"}},
         {refused}},
        {"6, ends inside a code point in an empty fragment",
         {{1, "\xe2\x82", more}, {0, ""}},
         {refused}},
        {"6, a new message starts afresh",
         {{1, "\xe2\x82", more}, {0, "\xac"}, {1, "\x82"}},
         {text("\xe2\x82\xac"), refused}},
        {"6, binary may be anything",
         {{2, "\xff\xfe", more}, {0, "\xed\xa0\x80"}},
         {binary("\xff\xfe\xed\xa0\x80")}},
    });
}

TEST_CASE("wire/message_reader: conformance 6, sequences of UTF-8") {
    struct sequence {
        char const* id;
        std::string bytes;
        bool is_valid;
    };
    sequence const sequences[] = {
        {"6.5", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", true},
        {"6.6, prefix", "\xce", false},
        {"6.6, prefix of three", "\xce\xba\xe1\xbd", false},
        {"6.7.1", std::string(1, '\0'), true},
        {"6.7.2", "\xc2\x80", true},
        {"6.7.3", "\xe0\xa0\x80", true},
        {"6.7.4", "\xf0\x90\x80\x80", true},
        {"6.8.1", "\xf8\x88\x80\x80\x80", false},
        {"6.8.2", "\xfc\x84\x80\x80\x80\x80", false},
        {"6.9.1", "\x7f", true},
        {"6.9.2", "\xdf\xbf", true},
        {"6.9.3", "\xef\xbf\xbf", true},
        {"6.9.4", "\xf4\x8f\xbf\xbf", true},
        {"6.10.1", "\xf7\xbf\xbf\xbf", false},
        {"6.10.2", "\xfb\xbf\xbf\xbf\xbf", false},
        {"6.10.3", "\xfd\xbf\xbf\xbf\xbf\xbf", false},
        {"6.11.1", "\xed\x9f\xbf", true},
        {"6.11.2", "\xee\x80\x80", true},
        {"6.11.3", "\xef\xbf\xbd", true},
        {"6.11.4", "\xf4\x8f\xbf\xbf", true},
        {"6.11.5", "\xf4\x90\x80\x80", false},
        {"6.12.1", "\x80", false},
        {"6.12.2", "\xbf", false},
        {"6.12.8", "\x80\xbf\x80\xbf\x80\xbf\xbe", false},
        {"6.13.1", "\xc0 \xc1 \xc2 ", false},
        {"6.13.3", "\xe0 \xe1 \xe2 ", false},
        {"6.13.4", "\xf0 \xf1 ", false},
        {"6.14.1", "\xc0", false},
        {"6.14.2", "\xe0\x80", false},
        {"6.14.3", "\xf0\x80\x80", false},
        {"6.14.6", "\xdf", false},
        {"6.14.7", "\xef\xbf", false},
        {"6.15.1", "\xc0\xe0\x80\xf0\x80\x80", false},
        {"6.16.1", "\xfe", false},
        {"6.16.2", "\xff", false},
        {"6.17.1", "\xc0\xaf", false},
        {"6.17.2", "\xe0\x80\xaf", false},
        {"6.17.3", "\xf0\x80\x80\xaf", false},
        {"6.18.1", "\xc1\xbf", false},
        {"6.18.2", "\xe0\x9f\xbf", false},
        {"6.18.3", "\xf0\x8f\xbf\xbf", false},
        {"6.19.1", "\xc0\x80", false},
        {"6.19.2", "\xe0\x80\x80", false},
        {"6.19.3", "\xf0\x80\x80\x80", false},
        {"6.20.1", "\xed\xa0\x80", false},
        {"6.20.2", "\xed\xad\xbf", false},
        {"6.20.7", "\xed\xbf\xbf", false},
        {"6.21.1", "\xed\xa0\x80\xed\xb0\x80", false},
        {"6.22.1", "\xef\xbf\xbe", true},
        {"6.22.2", "\xef\xbf\xbf", true},
        {"6.22.34", "\xf4\x8f\xbf\xbf", true},
        {"6.23.1", "\xef\xbf\xb9", true},
        {"6.23.7", "\xef\xbb\xbf", true},
    };
    std::vector<conformance_case> cases;
    for (auto const& s : sequences) {
        auto const result = [&](std::string const& payload) {
            return s.is_valid ? text(payload) : failed(error::bad_utf8);
        };
        cases.push_back({s.id, {{1, s.bytes}}, {result(s.bytes)}});
        cases.push_back({std::string{s.id} + " in fragments",
                         {{1, s.bytes.substr(0, 1), more}, {0, s.bytes.substr(1)}},
                         {result(s.bytes)}});
        auto const longer = "some text before it " + s.bytes;
        cases.push_back({std::string{s.id} + " behind text", {{1, longer}}, {result(longer)}});
    }
    run(cases);
}

std::string close_payload(unsigned code, std::string_view reason = {}) {
    std::string payload;
    payload += static_cast<char>(static_cast<unsigned char>(code >> 8));
    payload += static_cast<char>(static_cast<unsigned char>(code & 0xFF));
    return payload.append(reason);
}

TEST_CASE("wire/message_reader: conformance 7, closing") {
    std::string const reason(123, '*');
    auto const bye = close_payload(1000);
    std::vector<conformance_case> cases{
        {"7.1.1", {{1, "Hello World!"}, {8, bye}}, {text("Hello World!"), closed(1000)}},
        {"7.1.2", {{8, bye}, {8, bye}}, {closed(1000)}},
        {"7.1.3", {{8, bye}, {9, ""}}, {closed(1000)}},
        {"7.1.4", {{8, bye}, {1, "late"}}, {closed(1000)}},
        {"7.1.5", {{1, "fragment1", more}, {8, bye}, {0, "fragment2"}}, {closed(1000)}},
        {"7.1.6",
         {{1, std::string(3000, 'B')}, {1, "Hello"}, {8, bye}, {9, ""}},
         {text(std::string(3000, 'B')), text("Hello"), closed(1000)}},
        {"7.3.1", {{8, ""}}, {closed(1005)}},
        {"7.3.2", {{8, "a"}}, {failed(error::bad_close_payload)}},
        {"7.3.3", {{8, bye}}, {closed(1000)}},
        {"7.3.4", {{8, close_payload(1000, "Hello World!")}}, {closed(1000, "Hello World!")}},
        {"7.3.5", {{8, close_payload(1000, reason)}}, {closed(1000, reason)}},
        {"7.3.6", {{8, close_payload(1000, reason + "*")}}, {failed(error::control_too_long)}},
        {"7.5.1",
         {{8, close_payload(1000, "\xce\xba\xed\xa0\x80"
                                  "edited")}},
         {failed(error::bad_utf8)}},
    };
    for (unsigned const code : {1000u, 1001u, 1002u, 1003u, 1007u, 1008u, 1009u, 1010u, 1011u,
                                1012u, 1013u, 1014u, 3000u, 3999u, 4000u, 4999u})
        cases.push_back({"7.7, code " + std::to_string(code),
                         {{8, close_payload(code)}},
                         {closed(static_cast<std::uint16_t>(code))}});
    for (unsigned const code :
         {0u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u, 1100u, 2000u, 2999u, 5000u, 65535u})
        cases.push_back({"7.9, 7.13, code " + std::to_string(code),
                         {{8, close_payload(code)}},
                         {failed(error::bad_close_code)}});
    run(cases);
}

} // namespace
