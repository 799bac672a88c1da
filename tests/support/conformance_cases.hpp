#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/error.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>
#include <support/hex.hpp>
#include <support/message_driver.hpp>

// The situations of the Autobahn test suite's groups 1 to 7, 9 and 10 that concern what is
// received, under their numbers: frames that a peer sends, and what a reader makes of them. What an
// echoing endpoint answers follows from that.

namespace livetape::test {

using websocket::append_frame;
using websocket::opcode;
using websocket::role;

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

inline constexpr bool unfinished = false; // for `is_final`

inline std::string serialise(role side, std::vector<sent_frame> const& frames) {
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

/// Group 1: data of every length form (RFC 6455 §5.2, §5.6).
inline std::vector<conformance_case> data_cases() {
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
    return cases;
}

/// Group 2: pings and pongs (RFC 6455 §5.5.2, §5.5.3).
inline std::vector<conformance_case> ping_cases() {
    auto const bytes = from_hex("00 ff fe fd fc fb 00 ff");
    std::string const longest(125, '\xfe');
    std::vector<sent_frame> ten_pings;
    received_items ten_items;
    for (int i = 0; i < 10; ++i) {
        ten_pings.push_back({9, "payload-" + std::to_string(i)});
        ten_items.push_back(ping("payload-" + std::to_string(i)));
    }
    return {
        {"2.1", {{9, ""}}, {ping("")}},
        {"2.2", {{9, "Hello, world!"}}, {ping("Hello, world!")}},
        {"2.3", {{9, bytes}}, {ping(bytes)}},
        {"2.4, 2.6", {{9, longest}}, {ping(longest)}},
        {"2.5", {{9, longest + "x"}}, {failed(error::control_too_long)}},
        {"2.7", {{10, ""}}, {pong("")}},
        {"2.8", {{10, "unsolicited"}}, {pong("unsolicited")}},
        {"2.9", {{10, "unsolicited"}, {9, "ping"}}, {pong("unsolicited"), ping("ping")}},
        {"2.10, 2.11", ten_pings, ten_items},
    };
}

/// Group 3: reserved bits (RFC 6455 §5.2).
inline std::vector<conformance_case> reserved_bit_cases() {
    auto const refused = failed(error::bad_reserved_bits);
    return {
        {"3.1", {{1, "small", true, 1}}, {refused}},
        {"3.2", {{1, "small"}, {1, "small", true, 2}, {9, ""}}, {text("small"), refused}},
        {"3.3, 3.4", {{1, "small"}, {1, "small", true, 3}, {9, ""}}, {text("small"), refused}},
        {"3.4", {{1, "small"}, {1, "small", true, 4}, {9, ""}}, {text("small"), refused}},
        {"3.5", {{2, "small", true, 5}}, {refused}},
        {"3.6", {{9, "small", true, 6}}, {refused}},
        {"3.7", {{8, "", true, 7}}, {refused}},
        {"3, continuation", {{1, "a", unfinished}, {0, "b", true, 4}}, {refused}},
    };
}

/// Group 4: reserved opcodes (RFC 6455 §5.2).
inline std::vector<conformance_case> reserved_opcode_cases() {
    std::vector<conformance_case> cases;
    for (unsigned const code : {3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u}) {
        auto const id = (code < 8 ? "4.1, opcode " : "4.2, opcode ") + std::to_string(code);
        auto const refused = failed(error::bad_opcode);
        cases.push_back({id, {{code, ""}}, {refused}});
        cases.push_back({id + " with payload", {{code, "reserved"}}, {refused}});
        cases.push_back(
            {id + " after text", {{1, "before"}, {code, ""}, {9, ""}}, {text("before"), refused}});
        cases.push_back({id + " in a message", {{1, "a", unfinished}, {code, ""}}, {refused}});
    }
    return cases;
}

/// Group 5: fragmentation (RFC 6455 §5.4).
inline std::vector<conformance_case> fragmentation_cases() {
    auto const unexpected = failed(error::unexpected_continuation);
    auto const expected = failed(error::expected_continuation);
    auto const fragmented = failed(error::fragmented_control);
    return {
        {"5.1", {{9, "fragment1", unfinished}, {0, "fragment2"}}, {fragmented}},
        {"5.2", {{10, "fragment1", unfinished}, {0, "fragment2"}}, {fragmented}},
        {"5, close in fragments", {{8, "", unfinished}}, {fragmented}},
        {"5.3 to 5.5",
         {{1, "fragment1", unfinished}, {0, "fragment2"}},
         {text("fragment1fragment2")}},
        {"5.6 to 5.8",
         {{1, "fragment1", unfinished}, {9, "ping"}, {0, "fragment2"}},
         {ping("ping"), text("fragment1fragment2")}},
        {"5.9 to 5.11", {{0, "nothing to continue"}, {1, "Hello"}}, {unexpected}},
        {"5.12 to 5.14", {{0, "nothing to continue", unfinished}, {1, "Hello"}}, {unexpected}},
        {"5.15",
         {{1, "fragment1", unfinished},
          {0, "fragment2"},
          {0, "fragment3", unfinished},
          {1, "fragment4"}},
         {text("fragment1fragment2"), unexpected}},
        {"5.16",
         {{0, "fragment1", unfinished}, {1, "fragment2", unfinished}, {0, "fragment3"}},
         {unexpected}},
        {"5.17", {{0, "fragment1"}, {1, "fragment2", unfinished}, {0, "fragment3"}}, {unexpected}},
        {"5.18", {{1, "fragment1", unfinished}, {1, "fragment2"}}, {expected}},
        {"5.18, binary", {{1, "fragment1", unfinished}, {2, "fragment2", unfinished}}, {expected}},
        {"5.19, 5.20",
         {{1, "fragment1", unfinished},
          {0, "fragment2", unfinished},
          {9, "ping1"},
          {0, "fragment3", unfinished},
          {0, "fragment4", unfinished},
          {9, "ping2"},
          {0, "fragment5"}},
         {ping("ping1"), ping("ping2"), text("fragment1fragment2fragment3fragment4fragment5")}},
        {"5, unfinished",
         {{1, "fragment1", unfinished}, {10, ""}, {0, "", unfinished}},
         {pong("")}},
        {"5, close in a message",
         {{1, "fragment1", unfinished}, {8, ""}, {0, "fragment2"}},
         {closed(1005)}},
    };
}

/// Group 6.1 to 6.4: text in fragments (RFC 6455 §8.1).
inline std::vector<conformance_case> text_fragment_cases() {
    std::string const greeting = "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc-UTF-8!!";
    std::string const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
    std::vector<sent_frame> by_byte;
    for (char const c : greeting)
        by_byte.push_back({by_byte.empty() ? 1u : 0u, std::string(1, c), unfinished});
    by_byte.push_back({0, ""});
    auto const refused = failed(error::bad_utf8);
    return {
        {"6.1.1", {{1, ""}}, {text("")}},
        {"6.1.2", {{1, "", unfinished}, {0, "", unfinished}, {0, ""}}, {text("")}},
        {"6.1.3", {{1, "", unfinished}, {0, "middle", unfinished}, {0, ""}}, {text("middle")}},
        {"6.2.1", {{1, greeting}}, {text(greeting)}},
        {"6.2.2",
         {{1, greeting.substr(0, 12), unfinished}, {0, greeting.substr(12)}},
         {text(greeting)}},
        {"6.2.2, inside a code point",
         {{1, greeting.substr(0, 7), unfinished}, {0, greeting.substr(7)}},
         {text(greeting)}},
        {"6.2.3, 6.2.4", by_byte, {text(greeting)}},
        {"6.2, with a ping inside a code point",
         {{1, greeting.substr(0, 7), unfinished}, {9, "\xff"}, {0, greeting.substr(7)}},
         {ping("\xff"), text(greeting)}},
        {"6.3.1",
         {{1, greek + "\xed\xa0\x80"
                      "edited"}},
         {refused}},
        {"6.3.2",
         {{1, greek, unfinished},
          {0, "\xed", unfinished},
          {0, "\xa0", unfinished},
          {0, "\x80"
              "edited"}},
         {refused}},
        {"6.4.1",
         {{1, greek, unfinished}, {0, "\xf4\x90\x80\x80", unfinished}, {0, "edited"}},
         {refused}},
        {"6.4.2",
         {{1, greek + "\xf4", unfinished}, {0, "\x90", unfinished}, {0, "edited"}},
         {refused}},
        {"6, ends inside a code point", {{1, "\xe2\x82"}}, {refused}},
        {"6, ends inside a code point in the last fragment",
         {{1, "\xe2", unfinished}, {0, "\x82"}},
         {refused}},
        {"6, ends inside a code point in an empty fragment",
         {{1, "\xe2\x82", unfinished}, {0, ""}},
         {refused}},
        {"6, a new message starts afresh",
         {{1, "\xe2\x82", unfinished}, {0, "\xac"}, {1, "\x82"}},
         {text("\xe2\x82\xac"), refused}},
        {"6, binary may be anything",
         {{2, "\xff\xfe", unfinished}, {0, "\xed\xa0\x80"}},
         {binary("\xff\xfe\xed\xa0\x80")}},
    };
}

/// Group 6.5 to 6.23: sequences of UTF-8 (RFC 3629 §4).
inline std::vector<conformance_case> utf8_cases() {
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
                         {{1, s.bytes.substr(0, 1), unfinished}, {0, s.bytes.substr(1)}},
                         {result(s.bytes)}});
        auto const longer = "some text before it " + s.bytes;
        cases.push_back({std::string{s.id} + " behind text", {{1, longer}}, {result(longer)}});
    }
    return cases;
}

inline std::string close_payload(unsigned code, std::string_view reason = {}) {
    std::string payload;
    payload += static_cast<char>(static_cast<unsigned char>(code >> 8));
    payload += static_cast<char>(static_cast<unsigned char>(code & 0xFF));
    return payload.append(reason);
}

/// Group 7: closing (RFC 6455 §5.5.1, §7).
inline std::vector<conformance_case> closing_cases() {
    std::string const reason(123, '*');
    auto const bye = close_payload(1000);
    std::vector<conformance_case> cases{
        {"7.1.1", {{1, "Hello World!"}, {8, bye}}, {text("Hello World!"), closed(1000)}},
        {"7.1.2", {{8, bye}, {8, bye}}, {closed(1000)}},
        {"7.1.3", {{8, bye}, {9, ""}}, {closed(1000)}},
        {"7.1.4", {{8, bye}, {1, "late"}}, {closed(1000)}},
        {"7.1.5", {{1, "fragment1", unfinished}, {8, bye}, {0, "fragment2"}}, {closed(1000)}},
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
    return cases;
}

/// All groups of frames that are small enough to be split everywhere.
inline std::vector<conformance_case> all_small_cases() {
    std::vector<conformance_case> all;
    for (auto* const group : {data_cases, ping_cases, reserved_bit_cases, reserved_opcode_cases,
                              fragmentation_cases, text_fragment_cases, utf8_cases, closing_cases})
        for (auto& c : group()) all.push_back(std::move(c));
    return all;
}

/// One large message: in fragments of `fragment_bytes`, arriving in pieces of `piece_bytes`.
struct large_case {
    std::string id;
    websocket::opcode code;
    std::size_t message_bytes;
    std::size_t fragment_bytes;
    std::size_t piece_bytes;
};

/// Groups 9.1 to 9.6 and 10.1: messages to 16 MiB, whole, in fragments, and in small pieces.
inline std::vector<large_case> large_cases() {
    constexpr std::size_t kib = 1024;
    constexpr std::size_t mib = kib * kib;
    constexpr std::size_t usual_read = 64 * kib;
    std::vector<large_case> cases;
    for (auto const code : {opcode::text, opcode::binary}) {
        bool const is_text = code == opcode::text;
        auto const add = [&](char const* text_group, char const* binary_group, std::size_t number,
                             std::size_t message, std::size_t fragment, std::size_t piece) {
            cases.push_back({(is_text ? text_group : binary_group) + std::to_string(number), code,
                             message, fragment, piece});
        };
        std::size_t number = 0;
        for (auto const size : {64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib})
            add("9.1.", "9.2.", ++number, size, size, usual_read);
        number = 0;
        for (auto const fragment : {std::size_t{64}, std::size_t{256}, kib, 4 * kib, 16 * kib,
                                    64 * kib, 256 * kib, mib, 4 * mib})
            add("9.3.", "9.4.", ++number, 4 * mib, fragment, usual_read);
        number = 0;
        for (auto const piece :
             {std::size_t{64}, std::size_t{128}, std::size_t{256}, std::size_t{512}, kib, 2 * kib})
            add("9.5.", "9.6.", ++number, mib, mib, piece);
    }
    cases.push_back({"10.1.1", opcode::text, 65536, 1300, usual_read});
    return cases;
}

/// The message of a large case: text of code points of one to four bytes, or all values of a byte.
inline std::string large_payload(large_case const& c) {
    constexpr std::string_view text = "BAsd7&jh23 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ";
    std::string payload;
    payload.reserve(c.message_bytes);
    if (c.code == opcode::text) {
        while (payload.size() + text.size() <= c.message_bytes) payload += text;
        payload.append(c.message_bytes - payload.size(), '*');
    } else {
        for (std::size_t i = 0; i < c.message_bytes; ++i)
            payload += static_cast<char>(static_cast<unsigned char>(i * 7 + (i >> 8)));
    }
    return payload;
}

inline std::string serialise(role side, large_case const& c, std::string_view payload) {
    std::vector<sent_frame> frames;
    for (std::size_t at = 0; at < payload.size(); at += c.fragment_bytes)
        frames.push_back({at == 0 ? static_cast<unsigned>(c.code) : 0u,
                          std::string{payload.substr(at, c.fragment_bytes)},
                          payload.size() - at <= c.fragment_bytes});
    return serialise(side, frames);
}

} // namespace livetape::test
