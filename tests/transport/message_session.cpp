#include <livetape/transport/message_session.hpp>

#include <support/websocket_sessions.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// WebSocket connections whose messages go to the host.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;

static_assert(session<message_session>);

} // namespace

TEST_CASE("transport/message_session: the host gets each message and answers on the link") {
    for (auto const size : write_sizes) {
        world w;
        message_handler const echo = [](websocket_link& link, websocket::opcode code,
                                        std::string_view payload) {
            if (payload == "bye")
                link.close(error::internal_error, "the host says bye", virtual_now);
            link.send(code, payload);
        };
        session_driver<message_session> ws{w.context(), handshake("/echo"), echo};
        ws.piece_bytes = size;
        ws.start();
        // One reply may be larger than the limit of replies that wait.
        std::string const large(300 << 10, 'x');
        ws.send(masked("hello") + masked(std::string("\0\xff", 2), websocket::opcode::binary));
        if (size != 1) ws.send(masked(large));
        ws.send(masked("", websocket::opcode::pong) + masked("p", websocket::opcode::ping));
        auto const inbox = read_websocket(ws.received);
        CHECK(inbox.messages.at(0) == "hello");
        CHECK(inbox.messages.at(1) == std::string("\0\xff", 2));
        CHECK(inbox.kinds.at(1) == websocket::message_reader::item_kind::binary);
        if (size != 1) CHECK((inbox.messages.at(2) == large));
        CHECK(inbox.close_code == 0);
        ws.send(masked("bye") + masked("ignored"));
        CHECK(read_websocket(ws.received).close_code == 1011);
        CHECK(read_websocket(ws.received).close_reason == "the host says bye");
        ws.send(masked_close(1011));
        CHECK(ws.is_over);
        CHECK(w.count(error::internal_error) == 1);
        CHECK(w.count_all() == 1);
    }
}

TEST_CASE("transport/message_session: refusals, timeouts and shutting down are the link's") {
    world w;
    message_handler const ignore = [](websocket_link&, websocket::opcode, std::string_view) {};
    session_driver<message_session> refused{
        w.context(), handshake("/echo", {{"Origin", "https://evil.example"}}), ignore};
    CHECK(read_websocket(refused.start().received).handshake.status == 403);
    session_driver<message_session> with_body{
        w.context(), handshake("/echo", {{"Content-Length", "1"}}), ignore};
    CHECK(read_websocket(with_body.start().received).handshake.status == 400);
    session_driver<message_session> ws{w.context(), handshake("/echo"), ignore};
    ws.start();
    ws.advance(25s);
    CHECK(read_websocket(ws.received).pings.size() == 1);
    ws.shut_down();
    CHECK(read_websocket(ws.received).close_code == 1001);
    ws.end_input();
    CHECK(ws.is_over);
    CHECK(ws.on.take_unread().empty());
}

namespace {

/// Unmasked frames as they lie in a stream, behind the handshake's answer.
struct seen_frame {
    websocket::opcode code;
    bool is_final;
    std::size_t payload_bytes;
    friend bool operator==(seen_frame const&, seen_frame const&) = default;
};

std::vector<seen_frame> frames_in(std::string_view bytes) {
    take_head(bytes);
    std::vector<seen_frame> frames;
    websocket::frame_header header;
    while (!bytes.empty()) {
        auto const result = websocket::parse_header(bytes, header);
        REQUIRE(result.status == parse_status::done);
        bytes.remove_prefix(result.header_bytes + header.payload_bytes);
        frames.push_back(
            {header.opcode, header.is_final, static_cast<std::size_t>(header.payload_bytes)});
    }
    return frames;
}

} // namespace

TEST_CASE("transport/message_session: a large message goes in fragments and a pong comes between "
          "[RFC 6455 5.4, 5.5]") {
    using websocket::opcode;
    live_options options;
    options.fragment_bytes_max = 1000;
    world w{options};
    message_handler const echo = [](websocket_link& link, opcode code, std::string_view payload) {
        link.send(code, payload);
    };
    session_driver<message_session> ws{w.context(), handshake("/echo"), echo};
    ws.start();
    ws.window = 1500;
    ws.send(masked(std::string(1000, 'a')) + masked(std::string(2500, 'b'), opcode::binary) +
            masked("c"));
    ws.send(masked("now", opcode::ping));
    ws.open_window();
    std::vector<seen_frame> const expected{
        {opcode::text, true, 1000},        {opcode::binary, false, 1000},
        {opcode::pong, true, 3},           {opcode::continuation, false, 1000},
        {opcode::continuation, true, 500}, {opcode::text, true, 1}};
    CHECK(frames_in(ws.received) == expected);
    auto const inbox = read_websocket(ws.received);
    CHECK(inbox.messages ==
          std::vector<std::string>{std::string(1000, 'a'), std::string(2500, 'b'), "c"});
    CHECK(inbox.order == "momm");
}

TEST_CASE("transport/message_session: a close that the host asks for waits for its messages") {
    using websocket::opcode;
    live_options options;
    options.fragment_bytes_max = 1000;
    for (auto const size : {std::size_t{1}, std::size_t{10}, std::size_t{5000}}) {
        CAPTURE(size);
        world w{options};
        message_handler const once = [&](websocket_link& link, opcode code, std::string_view) {
            link.ping("first");
            link.send(code, std::string(size, 'x'));
            link.close(websocket::close_code::going_away, "enough");
            link.send(code, "too late");
            link.ping("too late");
            link.close(4000);
        };
        session_driver<message_session> ws{w.context(), handshake("/once"), once};
        ws.start();
        ws.window = 100;
        ws.send(masked("go") + masked("ignored"));
        // The time for the answer begins when the close frame has gone out.
        ws.advance(20s);
        CHECK_FALSE(ws.is_over == (size > 1000));
        if (ws.is_over) continue;
        ws.open_window();
        auto const inbox = read_websocket(ws.received);
        CHECK(inbox.pings == std::vector<std::string>{"first"});
        CHECK(inbox.messages == std::vector<std::string>{std::string(size, 'x')});
        CHECK(inbox.close_code == 1001);
        CHECK(inbox.close_reason == "enough");
        ws.advance(4s);
        CHECK_FALSE(ws.is_over);
        ws.send(masked_close(1001));
        CHECK(ws.is_over);
        CHECK_FALSE(ws.is_aborted);
        CHECK(w.count_all() == 0);
    }
}

TEST_CASE("transport/message_session: the peer's close ends what is being sent [RFC 6455 5.5.1]") {
    using websocket::opcode;
    live_options options;
    options.fragment_bytes_max = 1000;
    for (bool const closes_first : {false, true}) {
        world w{options};
        message_handler const send = [&](websocket_link& link, opcode code, std::string_view) {
            link.send(code, std::string(5000, 'x'));
            if (closes_first) link.close(4001);
        };
        session_driver<message_session> ws{w.context(), handshake("/once"), send};
        ws.start();
        ws.window = 100;
        ws.send(masked("go"));
        ws.send(masked_close(1000));
        ws.open_window();
        auto const frames = frames_in(ws.received);
        REQUIRE(frames.size() == 2);
        CHECK(frames[0] == seen_frame{opcode::text, false, 1000});
        CHECK(frames[1] == seen_frame{opcode::close, true, 2});
        CHECK(read_websocket(ws.received).close_code == 1000);
        CHECK(ws.is_over);
    }
}

TEST_CASE("transport/message_session: a host gets messages in pieces, checked, and none kept") {
    using websocket::opcode;
    live_options options;
    options.handler_message_bytes_max = 3000;
    for (std::size_t const fed : {std::size_t{1}, std::size_t{100}, unlimited}) {
        CAPTURE(fed);
        world w{options};
        std::string seen;
        message_piece_handler const note = [&](websocket_link& link, message_piece const& piece) {
            if (piece.is_first) seen += piece.code == opcode::text ? "t(" : "b(";
            seen += piece.payload;
            if (piece.is_final) seen += ')';
            if (piece.is_final) link.send(piece.code, "got it");
        };
        session_driver<message_session> ws{w.context(), handshake("/pieces"), note};
        ws.start();
        ws.send(masked("gr\xc3\xbc\xc3\x9f") + masked("\xff", opcode::binary) + masked(""), fed);
        CHECK(seen == "t(gr\xc3\xbc\xc3\x9f)b(\xff)t()");
        CHECK(read_websocket(ws.received).messages.size() == 3);
        seen.clear();
        std::string large;
        websocket::append_frame(large,
                                {.opcode = opcode::binary,
                                 .is_final = false,
                                 .is_masked = true,
                                 .masking_key = {1, 2, 3, 4}},
                                std::string(3000, 'x'));
        websocket::append_frame(
            large, {.opcode = opcode::continuation, .is_masked = true, .masking_key = {1, 2, 3, 4}},
            "y");
        ws.send(large, fed);
        CHECK(seen == "b(" + std::string(3000, 'x'));
        CHECK(read_websocket(ws.received).close_code == 1009);
    }
}

TEST_CASE("transport/message_session: a handler's message is bounded at its own limit") {
    for (std::size_t const size : {99u, 100u, 101u}) {
        live_options options;
        options.message_bytes_max = 10;
        options.handler_message_bytes_max = 100;
        world w{options};
        std::size_t got = 0;
        message_handler const count = [&](websocket_link&, websocket::opcode,
                                          std::string_view payload) { got = payload.size(); };
        session_driver<message_session> ws{w.context(), handshake("/count"), count};
        ws.start();
        ws.send(masked(std::string(size, 'x')));
        CHECK(got == (size > 100 ? 0 : size));
        CHECK(read_websocket(ws.received).close_code == (size > 100 ? 1009 : 0));
    }
}
