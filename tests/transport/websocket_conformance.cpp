#include "support/conformance_cases.hpp"
#include "support/session_driver.hpp"

#include <livetape/transport/message_session.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

// The conformance cases as a client sees them that talks to an echoing server: every message comes
// back, every ping has its pong, and every failure ends with the close code of its error.

namespace {

using namespace livetape;
using namespace livetape::test;

constexpr std::string_view order_of_kinds =
    "?mmo?cc"; // by `item_kind`, as `websocket_inbox` has it

message_handler const echo = [](websocket_link& link, websocket::opcode code,
                                std::string_view payload) { link.send(code, payload); };

/// What the server must answer to what it received.
struct expected_answers {
    std::string order;
    std::vector<std::string> messages;
    std::vector<std::string> pongs;
    int close_code = 0;
    bool is_over = false;
    std::size_t failures = 0;
};

expected_answers answers_to(received_items const& items) {
    expected_answers answers;
    for (auto const& item : items) {
        if (item.kind != item_kind::pong)
            answers.order += order_of_kinds.at(static_cast<std::size_t>(item.kind));
        if (item.kind == item_kind::text || item.kind == item_kind::binary)
            answers.messages.push_back(item.payload);
        if (item.kind == item_kind::ping) answers.pongs.push_back(item.payload);
        if (item.kind == item_kind::close) answers.close_code = item.close_code;
        if (item.kind == item_kind::failed) {
            answers.close_code = describe(item.failure).close_code;
            ++answers.failures;
        }
        answers.is_over = item.kind == item_kind::close || item.kind == item_kind::failed;
    }
    return answers;
}

void check_answers(world const& w, session_driver<message_session> const& ws,
                   expected_answers const& expected) {
    auto const inbox = read_websocket(ws.received);
    CHECK(inbox.order == expected.order);
    CHECK(inbox.messages == expected.messages);
    CHECK(inbox.pongs == expected.pongs);
    CHECK(inbox.close_code == expected.close_code);
    CHECK(ws.is_over == expected.is_over);
    CHECK_FALSE(ws.is_aborted);
    CHECK(w.count_all() == expected.failures);
}

TEST_CASE("transport/message_session: conformance 1 to 7, an echoing server's answers [RFC 6455 §5 "
          "to §8]") {
    for (auto const& c : all_small_cases()) {
        CAPTURE(c.id);
        auto const bytes = serialise(role::server, c.frames);
        auto const expected = answers_to(c.expected);
        for (std::size_t const piece : {std::size_t{1}, std::size_t{97}, unlimited}) {
            if (piece == 1 && bytes.size() > 4096) continue;
            CAPTURE(piece);
            world w;
            session_driver<message_session> ws{w.context(), handshake("/echo"), echo};
            ws.piece_bytes = piece;
            ws.start();
            ws.send(bytes, piece);
            check_answers(w, ws, expected);
            // The peer may hang up now, or hear nothing more whatever it sends.
            auto const answered = ws.received.size();
            if (expected.is_over) ws.send(bytes);
            else ws.end_input();
            CHECK(ws.is_over);
            CHECK(ws.received.size() == answered);
        }
    }
}

TEST_CASE("transport/message_session: conformance 6.4, closes with 1007 before the message ends "
          "[RFC 6455 §8.1]") {
    world w;
    session_driver<message_session> ws{w.context(), handshake("/echo"), echo};
    ws.start();
    auto const first = serialise(role::server, {{1, "\xce\xba\xf4", unfinished}});
    ws.send(first +
            serialise(role::server, {{0, std::string(1000, '\x90'), unfinished}}).substr(0, 8));
    CHECK_FALSE(ws.is_over);
    ws.send("\x90");
    CHECK(ws.is_over);
    CHECK(read_websocket(ws.received).close_code == 1007);
}

TEST_CASE("transport/message_session: conformance 9 and 10, echoes messages to 16 MiB") {
    for (auto const& c : large_cases()) {
        CAPTURE(c.id);
        auto const payload = large_payload(c);
        world w{{.message_bytes_max = c.message_bytes}};
        session_driver<message_session> ws{w.context(), handshake("/echo"), echo};
        ws.start();
        ws.send(serialise(role::server, c, payload), c.piece_bytes);
        auto const inbox = read_websocket(ws.received);
        REQUIRE(inbox.messages.size() == 1);
        CHECK((inbox.messages[0] == payload));
        CHECK(inbox.kinds[0] == (c.code == opcode::text ? item_kind::text : item_kind::binary));
        CHECK_FALSE(ws.is_over);
    }
}

TEST_CASE("transport/message_session: conformance 9.7 and 9.8, a thousand messages one by one") {
    for (auto const code : {websocket::opcode::text, websocket::opcode::binary}) {
        for (auto const size :
             std::initializer_list<std::size_t>{0, 16, 64, 256, 1024, 4096, 16384}) {
            CAPTURE(size);
            world w;
            session_driver<message_session> ws{w.context(), handshake("/echo"), echo};
            ws.start();
            std::string const payload(size, 'B');
            std::string expected;
            websocket::append_frame(expected, code, payload);
            std::size_t wrong = 0;
            for (int i = 0; i < 1000; ++i) {
                ws.received.clear();
                ws.send(masked(payload, code));
                wrong += ws.received == expected ? 0u : 1u;
            }
            CHECK(wrong == 0);
        }
    }
}

} // namespace
