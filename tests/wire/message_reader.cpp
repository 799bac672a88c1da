#include <doctest/doctest.h>

#include <cstddef>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/error.hpp>
#include <livetape/wire/close_code.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>
#include <support/hex.hpp>
#include <support/message_driver.hpp>

namespace {

using namespace livetape::websocket;
using namespace livetape::test;
using livetape::error;

constexpr masking_key_type key{0x37, 0xfa, 0x21, 0x3d};

/// A frame as the peer of `side` sends it, with rules broken if the header says so.
void append_from_peer(std::string& out, role side, frame_header header, std::string_view payload) {
    header.is_masked = side == role::server;
    header.masking_key = key;
    append_frame(out, header, payload);
}

std::string frame(role side, opcode code, std::string_view payload, bool is_final = true) {
    std::string out;
    append_from_peer(out, side, {.opcode = code, .is_final = is_final}, payload);
    return out;
}

TEST_CASE("wire/message_reader: reads the examples [RFC 6455 §5.7]") {
    struct example {
        char const* name;
        role side;
        std::string bytes;
        received_items expected;
    };
    example const examples[] = {
        {"unmasked text", role::client, from_hex("81 05 48 65 6c 6c 6f"), {text("Hello")}},
        {"masked text",
         role::server,
         from_hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"),
         {text("Hello")}},
        {"fragmented text", role::client, from_hex("01 03 48 65 6c 80 02 6c 6f"), {text("Hello")}},
        {"ping", role::client, from_hex("89 05 48 65 6c 6c 6f"), {ping("Hello")}},
        {"masked pong",
         role::server,
         from_hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
         {pong("Hello")}},
        {"256 bytes",
         role::client,
         from_hex("82 7e 01 00") + std::string(256, 'b'),
         {binary(std::string(256, 'b'))}},
        {"64 KiB",
         role::client,
         from_hex("82 7f 00 00 00 00 00 01 00 00") + std::string(65536, 'b'),
         {binary(std::string(65536, 'b'))}},
    };
    for (auto const& e : examples) {
        CAPTURE(e.name);
        CHECK(read_in_pieces(e.side, e.bytes, e.bytes.size()) == e.expected);
        CHECK(read_in_pieces(e.side, e.bytes, 1) == e.expected);
        for (std::size_t cut = 0; cut <= e.bytes.size() && cut < 300; ++cut)
            if (read_split(e.side, e.bytes, cut) != e.expected) FAIL("cut at " << cut);
    }
}

TEST_CASE("wire/message_reader: gives a whole message where it lies in the input") {
    std::string bytes = frame(role::server, opcode::text, "Hello") +
                        frame(role::server, opcode::binary, "World") + "\x82";
    message_reader reader{role::server};
    std::span<char> input{bytes};
    auto const first = reader.next(input);
    CHECK(first.payload == "Hello");
    CHECK(first.payload.data() == bytes.data() + 6);
    auto const second = reader.next(input);
    CHECK(second.payload == "World");
    CHECK(second.payload.data() == bytes.data() + 11 + 6);
    CHECK(input.size() == 1);
    CHECK(reader.next(input).kind == item_kind::none);
    CHECK(input.empty());
}

TEST_CASE("wire/message_reader: gives a whole message in the input after a header begun before") {
    auto bytes = frame(role::server, opcode::text, "Hello");
    message_reader reader{role::server};
    for (std::size_t i = 0; i < 5; ++i) {
        std::span<char> input{bytes.data() + i, 1};
        CHECK(reader.next(input).kind == item_kind::none);
        CHECK(input.empty());
    }
    std::span<char> input{bytes.data() + 5, 6};
    auto const found = reader.next(input);
    CHECK(found.payload == "Hello");
    CHECK(found.payload.data() == bytes.data() + 6);
}

TEST_CASE("wire/message_reader: ignores everything after a close or a failure [RFC 6455 §7.1.7]") {
    for (auto const& end : {frame(role::server, opcode::close, ""), from_hex("83")}) {
        auto bytes = end + frame(role::server, opcode::text, "late");
        message_reader reader{role::server};
        std::span<char> input{bytes};
        auto const kind = reader.next(input).kind;
        CHECK((kind == item_kind::close || kind == item_kind::failed));
        CHECK(reader.next(input).kind == item_kind::none);
        CHECK(input.empty());
        auto more = frame(role::server, opcode::ping, "later");
        input = std::span<char>{more};
        CHECK(reader.next(input).kind == item_kind::none);
        CHECK(input.empty());
    }
}

TEST_CASE("wire/message_reader: control frames come between and inside the pieces of a message") {
    for (auto const side : {role::server, role::client}) {
        auto const bytes =
            frame(side, opcode::text, "one ", false) + frame(side, opcode::ping, "p1") +
            frame(side, opcode::continuation, "two ", false) + frame(side, opcode::pong, "") +
            frame(side, opcode::ping, "p2") + frame(side, opcode::continuation, "three") +
            frame(side, opcode::close, from_hex("03 e8") + "bye");
        received_items const expected{ping("p1"), pong(""), ping("p2"), text("one two three"),
                                      closed(1000, "bye")};
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            CAPTURE(cut);
            CHECK(read_split(side, bytes, cut) == expected);
        }
        for (std::size_t piece = 1; piece < 20; ++piece)
            CHECK(read_in_pieces(side, bytes, piece) == expected);
    }
}

TEST_CASE("wire/message_reader: each side refuses the other's masking [RFC 6455 §5.1]") {
    CHECK(read_in_pieces(role::server, frame(role::client, opcode::text, "x"), 1) ==
          received_items{failed(error::unmasked_frame)});
    CHECK(read_in_pieces(role::client, frame(role::server, opcode::text, "x"), 1) ==
          received_items{failed(error::masked_frame)});
    CHECK(read_in_pieces(role::server, frame(role::client, opcode::ping, ""), 1) ==
          received_items{failed(error::unmasked_frame)});
    CHECK(read_in_pieces(role::client, frame(role::server, opcode::close, ""), 1) ==
          received_items{failed(error::masked_frame)});
    CHECK(read_in_pieces(role::server, from_hex("82 7e 00 05"), 4) ==
          received_items{failed(error::non_minimal_length)});
}

TEST_CASE("wire/message_reader: refuses a message over the limit by its declared length") {
    message_limits const limits{.message_bytes_max = 200};
    auto const server_reads = [&](std::string const& bytes) {
        auto const whole = read_in_pieces(role::server, bytes, bytes.size(), limits);
        CHECK(read_in_pieces(role::server, bytes, 1, limits) == whole);
        return whole;
    };
    for (auto const size : {std::size_t{199}, std::size_t{200}}) {
        std::string const payload(size, 'm');
        CHECK(server_reads(frame(role::server, opcode::binary, payload)) ==
              received_items{binary(payload)});
    }
    received_items const too_large{failed(error::message_too_large)};
    auto const over = frame(role::server, opcode::binary, std::string(201, 'm'));
    CHECK(server_reads(over) == too_large);
    CHECK(server_reads(over.substr(0, 8)) == too_large);
    CHECK(server_reads(over.substr(0, 7)).empty());
    CHECK(server_reads(from_hex("82 ff 7f ff ff ff ff ff ff ff 00 00 00 00")) == too_large);

    auto const first = frame(role::server, opcode::text, std::string(150, 'a'), false);
    CHECK(server_reads(first + frame(role::server, opcode::continuation, std::string(50, 'b'))) ==
          received_items{text(std::string(150, 'a') + std::string(50, 'b'))});
    auto const last = frame(role::server, opcode::continuation, std::string(51, 'b'));
    CHECK(server_reads(first + last.substr(0, 6)) == too_large);
    CHECK(server_reads(first + from_hex("80 ff 7f ff ff ff ff ff ff ff 00 00 00 00")) == too_large);
    CHECK(server_reads(first + frame(role::server, opcode::ping, std::string(125, 'p'))) ==
          received_items{ping(std::string(125, 'p'))});

    message_limits const none{.message_bytes_max = 0};
    CHECK(read_in_pieces(role::server, frame(role::server, opcode::text, ""), 1, none) ==
          received_items{text("")});
    CHECK(read_in_pieces(role::server, frame(role::server, opcode::text, "x"), 1, none) ==
          too_large);
}

TEST_CASE("wire/message_reader: text fails at its first impossible byte, inside a frame [RFC 6455 "
          "§8.1]") {
    // Autobahn 6.4.1 to 6.4.4: the rest of the frame, and of the message, need not come.
    std::string const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
    auto const bytes =
        frame(role::server, opcode::text, greek, false) + frame(role::server, opcode::continuation,
                                                                "\xf4\x90\x80\x80"
                                                                "edited",
                                                                false);
    std::size_t const deciding_bytes = 6 + greek.size() + 6 + 2;
    message_reader reader{role::server};
    received_items items;
    for (std::size_t i = 0; i < deciding_bytes; ++i) {
        CHECK(items.empty());
        feed(reader, bytes.substr(i, 1), items);
    }
    CHECK(items == received_items{failed(error::bad_utf8)});
}

TEST_CASE("wire/message_reader: a close frame's payload is checked, however it arrives") {
    struct close_vector {
        char const* name;
        std::string payload;
        received_item expected;
    };
    close_vector const vectors[] = {
        {"empty", "", closed(1005)},
        {"one byte", "\x03", failed(error::bad_close_payload)},
        {"code", from_hex("03 e8"), closed(1000)},
        {"reason", from_hex("0f a1") + "gap", closed(4001, "gap")},
        {"code 1006", from_hex("03 ee"), failed(error::bad_close_code)},
        {"bad reason", from_hex("03 e8 80"), failed(error::bad_utf8)},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.name);
        auto const bytes = frame(role::server, opcode::close, v.payload) + "ignored";
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
            CHECK(read_split(role::server, bytes, cut) == received_items{v.expected});
    }
}

TEST_CASE("wire/message_reader: 4 MiB in fragments of one byte costs what the bytes cost") {
    constexpr std::size_t fragments = std::size_t{4} << 20;
    std::string const first = frame(role::client, opcode::binary, "x", false);
    std::string run;
    for (int i = 0; i < 4096; ++i) run += frame(role::client, opcode::continuation, "x", false);
    message_reader reader{role::client, {.message_bytes_max = fragments + 1}};
    received_items items;
    feed(reader, first, items);
    for (std::size_t sent = 0; sent + 4096 <= fragments; sent += 4096) feed(reader, run, items);
    CHECK(items.empty());
    feed(reader, frame(role::client, opcode::continuation, ""), items);
    REQUIRE(items.size() == 1);
    CHECK(items[0].payload.size() == fragments + 1);
}

TEST_CASE("wire/message_reader: a moved reader goes on where it was") {
    auto const bytes = frame(role::server, opcode::text, "one ", false) +
                       frame(role::server, opcode::continuation, "two");
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        message_reader before{role::server};
        received_items items;
        feed(before, bytes.substr(0, cut), items);
        message_reader after{std::move(before)};
        feed(after, bytes.substr(cut), items);
        CHECK(items == received_items{text("one two")});
    }
}

std::string random_text(std::mt19937& random, std::size_t code_points) {
    constexpr std::string_view alphabet[] = {
        "a", "Z", " ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "plain words "};
    std::string out;
    for (std::size_t i = 0; i < code_points; ++i) out += alphabet[random() % std::size(alphabet)];
    return out;
}

TEST_CASE("wire/message_reader: random messages in random fragments come back") {
    for (unsigned const seed : {1u, 2u, 3u, 5u, 8u, 13u, 21u, 34u, 55u, 89u, 144u, 233u}) {
        INFO("seed " << seed);
        std::mt19937 random{seed};
        auto const side = random() % 2 == 0 ? role::server : role::client;
        std::string bytes;
        received_items expected;
        auto const send = [&](opcode code, bool is_final, std::string_view payload) {
            masking_key_type random_key;
            for (auto& key_byte : random_key)
                key_byte = static_cast<unsigned char>(random() & 0xFFu);
            append_frame(bytes,
                         {.opcode = code,
                          .is_final = is_final,
                          .is_masked = side == role::server,
                          .masking_key = random_key},
                         payload);
        };
        auto const send_controls = [&] {
            while (random() % 3 == 0) {
                auto const payload = random_text(random, random() % 9);
                bool const is_ping = random() % 2 == 0;
                send(is_ping ? opcode::ping : opcode::pong, true, payload);
                expected.push_back(is_ping ? ping(payload) : pong(payload));
            }
        };
        for (int message = 0; message < 40; ++message) {
            bool const is_text = random() % 2 == 0;
            auto const size = random() % 10 == 0 ? random() % 20000 : random() % 60;
            auto const payload = random_text(random, size);
            std::string_view rest = payload;
            auto code = is_text ? opcode::text : opcode::binary;
            send_controls();
            while (random() % 3 != 0) {
                auto const part = rest.substr(0, random() % (rest.size() + 1));
                rest.remove_prefix(part.size());
                send(code, false, part);
                code = opcode::continuation;
                send_controls();
            }
            send(code, true, rest);
            expected.push_back(is_text ? text(payload) : binary(payload));
        }
        std::string close;
        if (side == role::server) append_masked_close_frame(close, 1000, "done", key);
        else append_close_frame(close, close_code::normal_closure, "done");
        bytes += close;
        expected.push_back(closed(1000, "done"));

        CHECK(read_in_pieces(side, bytes, bytes.size()) == expected);
        CHECK(read_in_pieces(side, bytes, 1) == expected);
        message_reader reader{side};
        received_items items;
        for (std::string_view rest = bytes; !rest.empty();) {
            auto const part = rest.substr(0, random() % (random() % 4 == 0 ? 5000 : 20));
            rest.remove_prefix(part.size());
            feed(reader, part, items);
        }
        CHECK(items == expected);
    }
}

TEST_CASE("wire/message_reader: damaged bytes give the same items however they are cut") {
    for (unsigned seed = 1; seed <= 2000; ++seed) {
        INFO("seed " << seed);
        std::mt19937 random{seed};
        std::string bytes;
        for (int i = 0; i < 6; ++i) {
            bool const is_text = random() % 2 == 0;
            bytes += frame(role::server, is_text ? opcode::text : opcode::ping,
                           random_text(random, random() % 12), !is_text || random() % 3 != 0);
            if (random() % 2 == 0) bytes += frame(role::server, opcode::continuation, "more");
        }
        for (auto damages = random() % 4; damages > 0; --damages)
            bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 7);
        message_limits const limits{.message_bytes_max = 60};
        auto const whole = read_in_pieces(role::server, bytes, bytes.size(), limits);
        for (std::size_t const piece : {std::size_t{1}, std::size_t{3}, std::size_t{16}})
            if (read_in_pieces(role::server, bytes, piece, limits) != whole)
                FAIL("in pieces of " << piece);
    }
}

TEST_CASE("wire/message_reader: gives a message in pieces as it comes, where it lies") {
    message_reader reader{role::server};
    reader.give_pieces();
    auto bytes = frame(role::server, opcode::text, "abc", false) +
                 frame(role::server, opcode::ping, "between") +
                 frame(role::server, opcode::continuation, "", false) +
                 frame(role::server, opcode::continuation, "defg", true) +
                 frame(role::server, opcode::binary, "whole", true) +
                 frame(role::server, opcode::binary, "", true) +
                 frame(role::server, opcode::text, "x", false) +
                 frame(role::server, opcode::continuation, "", true);
    struct expected_item {
        item_kind kind;
        std::string_view payload;
        bool is_first;
        bool is_final;
    };
    expected_item const expected[] = {
        {item_kind::text, "abc", true, false},  {item_kind::ping, "between", true, true},
        {item_kind::text, "defg", false, true}, {item_kind::binary, "whole", true, true},
        {item_kind::binary, "", true, true},    {item_kind::text, "x", true, false},
        {item_kind::text, "", false, true},
    };
    std::span<char> input{bytes};
    for (auto const& e : expected) {
        auto const item = reader.next(input);
        CAPTURE(e.payload);
        CHECK(item.kind == e.kind);
        CHECK(item.payload == e.payload);
        CHECK(item.is_first == e.is_first);
        CHECK(item.is_final == e.is_final);
        if (!item.payload.empty()) CHECK(item.payload.data() >= bytes.data());
        if (!item.payload.empty()) CHECK(item.payload.data() < bytes.data() + bytes.size());
    }
    CHECK(reader.next(input).kind == item_kind::none);
}

TEST_CASE("wire/message_reader: pieces joined are the messages, however the input is cut") {
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        auto const side = random() % 2 == 0 ? role::server : role::client;
        std::string bytes;
        received_items expected;
        for (int i = 0; i < 8; ++i) {
            std::string message;
            auto const count = random() % 200;
            for (std::size_t j = 0; j < count; ++j) message += random() % 2 == 0 ? "a" : "\u00e9";
            std::string_view rest = message;
            auto code = random() % 2 == 0 ? opcode::text : opcode::binary;
            expected.push_back(code == opcode::text ? text(message) : binary(message));
            for (bool is_final = false; !is_final; code = opcode::continuation) {
                auto const size = random() % (rest.size() + 1);
                is_final = size == rest.size();
                bytes += frame(side, code, rest.substr(0, size), is_final);
                rest.remove_prefix(size);
            }
        }
        message_reader reader{side};
        reader.give_pieces();
        piece_joiner joiner;
        received_items items;
        for (std::string_view rest = bytes; !rest.empty();) {
            auto const size = std::min<std::size_t>(rest.size(), 1 + random() % 100);
            joiner.feed(reader, rest.substr(0, size), items);
            rest.remove_prefix(size);
        }
        CHECK(items == expected);
    }
}

TEST_CASE("wire/message_reader: pieces are checked as whole messages are [RFC 6455 §8.1]") {
    auto const read = [](std::string const& bytes, message_limits limits = {}) {
        message_reader reader{role::server, limits};
        reader.give_pieces();
        piece_joiner joiner;
        received_items items;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            joiner.feed(reader, std::string_view{bytes}.substr(i, 1), items);
        return items;
    };
    CHECK(read(frame(role::server, opcode::text, "a\xed\xa0")) ==
          received_items{failed(error::bad_utf8)});
    CHECK(read(frame(role::server, opcode::text, "a\xe2\x82")) ==
          received_items{failed(error::bad_utf8)});
    CHECK(read(frame(role::server, opcode::text, "a\xe2\x82", false) +
               frame(role::server, opcode::continuation, "\xac")) ==
          received_items{text("a\xe2\x82\xac")});
    auto const two = frame(role::server, opcode::binary, "abcd", false) +
                     frame(role::server, opcode::continuation, "efgh");
    CHECK(read(two, {8}) == received_items{binary("abcdefgh")});
    CHECK(read(two, {7}) == received_items{failed(error::message_too_large)});
}

TEST_CASE("wire/message_reader: a large message in tiny fragments takes time in proportion "
          "[RFC 6455 §5.4]") {
    // Quadratic, it would not end.
    struct {
        std::size_t message_bytes;
        std::size_t fragment_bytes;
        bool gives_pieces;
    } const cases[] = {{std::size_t{2} << 20, 1, false},
                       {std::size_t{16} << 20, 64, false},
                       {std::size_t{16} << 20, 64, true}};
    for (auto const& c : cases) {
        message_reader reader{role::server, {c.message_bytes}};
        if (c.gives_pieces) reader.give_pieces();
        auto const one =
            frame(role::server, opcode::continuation, std::string(c.fragment_bytes, 'x'), false);
        std::string many;
        constexpr std::size_t frames_at_once = 1024;
        for (std::size_t i = 0; i < frames_at_once; ++i) many += one;
        std::size_t items = 0;
        std::size_t received = 0;
        message_reader::item last;
        auto const read = [&](std::string bytes) {
            std::span<char> input{bytes};
            while ((last = reader.next(input)).kind == item_kind::text) {
                ++items;
                received += last.payload.size();
            }
            return last.kind == item_kind::none;
        };
        REQUIRE(read(frame(role::server, opcode::text, "", false)));
        auto const sent_at_once = frames_at_once * c.fragment_bytes;
        for (std::size_t sent = 0; sent < c.message_bytes; sent += sent_at_once)
            REQUIRE(read(many));
        REQUIRE(read(frame(role::server, opcode::continuation, "", true)));
        CHECK(received == c.message_bytes);
        CHECK(items == (c.gives_pieces ? c.message_bytes / c.fragment_bytes + 1 : 1));
    }
}

} // namespace
