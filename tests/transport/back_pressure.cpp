#include <livetape/transport/message_session.hpp>
#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/response_session.hpp>
#include <livetape/transport/websocket_session.hpp>

#include <support/session_driver.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A client that sends without reading is not read either, loses nothing, and costs bounded memory.

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;
using websocket::opcode;

/// A handler that sends everything back, and counts.
struct echo {
    std::size_t messages = 0;
    std::size_t bytes = 0;
    message_handler const handler = [this](websocket_link& link, opcode code,
                                           std::string_view payload) {
        ++messages;
        bytes += payload.size();
        link.send(code, payload);
    };
};

using echo_driver = session_driver<message_session>;

std::string numbered(int first, int count) {
    std::string bytes;
    for (int i = first; i < first + count; ++i) bytes += masked(std::to_string(i));
    return bytes;
}

/// A masked message in frames of few bytes, with a ping after each.
std::string with_pings_between(std::string_view message, std::size_t fragment_bytes) {
    std::string bytes;
    for (std::size_t at = 0; at < message.size(); at += fragment_bytes) {
        auto const part = message.substr(at, fragment_bytes);
        websocket::append_frame(bytes,
                                {.opcode = at == 0 ? opcode::binary : opcode::continuation,
                                 .is_final = at + part.size() == message.size(),
                                 .is_masked = true,
                                 .masking_key = {1, 2, 3, 4}},
                                part);
        bytes += masked(std::to_string(at), opcode::ping);
    }
    return bytes;
}

} // namespace

TEST_CASE("transport/back_pressure: an echo client that reads nothing is read no further, and "
          "loses nothing") {
    for (std::size_t const fed : {std::size_t{1}, std::size_t{1000}, std::size_t{65536}}) {
        CAPTURE(fed);
        world w{{.reply_bytes_max = 5000}};
        echo e;
        echo_driver ws{w.context(), handshake("/echo"), e.handler};
        ws.start();
        ws.window = 0;
        ws.send(numbered(0, 20'000), fed);
        // Frames of the server are 4 bytes shorter than the client's.
        CHECK(e.bytes <= 5000 + 10);
        CHECK_FALSE(ws.on.wants_input());
        CHECK(ws.in_transit.size() + fed > 100'000);
        std::size_t given = 0;
        while (ws.in_transit.size() > 20'000) {
            ws.open_window(700);
            given += 700;
            REQUIRE(e.bytes <= given + 5000 + 10);
            w.run();
        }
        ws.open_window();
        w.run();
        auto const inbox = read_websocket(ws.received);
        REQUIRE(inbox.messages.size() == 20'000);
        int wrong = 0;
        for (int i = 0; i < 20'000; ++i)
            wrong += inbox.messages[static_cast<std::size_t>(i)] == std::to_string(i) ? 0 : 1;
        CHECK(wrong == 0);
        CHECK(inbox.close_code == 0);
        CHECK(ws.on.wants_input());
        CHECK(w.count_all() == 0);
    }
}

TEST_CASE("transport/back_pressure: input is unwanted over the limit, and wanted again at half") {
    world w{{.reply_bytes_max = 100}};
    auto const ws = connect<websocket_session>(w, handshake("/ws"));
    ws->window = 0;
    for (int i = 0; i < 10; ++i) ws->send(masked("12345678", opcode::ping)); // 10 bytes each
    CHECK(ws->on.wants_input());
    ws->send(masked("12345678", opcode::ping));
    CHECK_FALSE(ws->on.wants_input());
    ws->open_window(59);
    CHECK_FALSE(ws->on.wants_input());
    ws->open_window(1);
    CHECK(ws->on.wants_input());
    ws->open_window();
    CHECK(read_websocket(ws->received).pongs.size() == 11);
}

TEST_CASE("transport/back_pressure: a reply larger than the limit goes out before more is read") {
    world w{{.reply_bytes_max = 1000}};
    echo e;
    echo_driver ws{w.context(), handshake("/echo"), e.handler};
    ws.start();
    ws.window = 0;
    std::string sent;
    for (int i = 0; i < 5; ++i) sent += masked(std::string(200'000, static_cast<char>('a' + i)));
    ws.send(sent, 65536);
    CHECK(e.messages == 1);
    for (std::size_t read = 1; read <= 5; ++read) {
        CHECK(e.messages == read);
        ws.open_window(200'000);
        w.run();
    }
    ws.open_window();
    w.run();
    auto const inbox = read_websocket(ws.received);
    REQUIRE(inbox.messages.size() == 5);
    for (std::size_t i = 0; i < 5; ++i)
        CHECK(inbox.messages[i] == std::string(200'000, static_cast<char>('a' + i)));
}

TEST_CASE("transport/back_pressure: pings within a long fragmented message are answered in order, "
          "however slowly they are read") {
    std::string message;
    while (message.size() < 300'000) message += std::to_string(message.size());
    for (std::size_t const fed : {std::size_t{7}, std::size_t{65536}}) {
        CAPTURE(fed);
        world w{{.reply_bytes_max = 500}};
        echo e;
        echo_driver ws{w.context(), handshake("/echo"), e.handler};
        ws.start();
        ws.window = 0;
        ws.send(with_pings_between(message, 10), fed);
        CHECK(e.messages == 0);
        CHECK_FALSE(ws.on.wants_input());
        for (int i = 0; i < 1000; ++i) ws.open_window(100);
        ws.open_window();
        w.run();
        auto const inbox = read_websocket(ws.received);
        REQUIRE(inbox.pongs.size() == (message.size() + 9) / 10);
        int wrong = 0;
        for (std::size_t i = 0; i < inbox.pongs.size(); ++i)
            wrong += inbox.pongs[i] == std::to_string(10 * i) ? 0 : 1;
        CHECK(wrong == 0);
        CHECK(inbox.messages == std::vector<std::string>{message});
        CHECK(w.count_all() == 0);
    }
}

TEST_CASE("transport/back_pressure: pieces of messages are handed out as slowly as their answers "
          "are read") {
    world w{{.reply_bytes_max = 500}};
    std::size_t pieces = 0;
    message_piece_handler const answer = [&](websocket_link& link, message_piece const& piece) {
        ++pieces;
        link.send(opcode::text, std::to_string(piece.payload.size()) + std::string(90, '.'));
    };
    session_driver<message_session> ws{w.context(), handshake("/pieces"), answer};
    ws.start();
    ws.window = 0;
    std::string sent;
    for (int i = 0; i < 100; ++i) sent += masked(std::string(200, 'x'), opcode::binary);
    ws.send(sent, 2000);
    CHECK(pieces <= 6);
    ws.open_window();
    w.run();
    CHECK(read_websocket(ws.received).messages.size() == pieces);
    CHECK(pieces >= 100);
}

TEST_CASE("transport/back_pressure: who reads slowly is neither pinged nor taken for silent") {
    world w{{.reply_bytes_max = 1000}};
    echo e;
    echo_driver ws{w.context(), handshake("/echo"), e.handler};
    ws.start();
    ws.window = 0;
    ws.send(masked(std::string(2000, 'x')) + masked("the pong is behind", opcode::pong));
    CHECK_FALSE(ws.on.wants_input());
    for (int i = 0; i < 10; ++i) {
        ws.advance(20s);
        ws.open_window(100);
    }
    CHECK_FALSE(ws.is_over);
    CHECK_FALSE(ws.on.wants_input());
    ws.open_window();
    CHECK(ws.on.wants_input());
    // From here on it counts again: three pings, and the end.
    ws.advance(74'999ms);
    auto inbox = read_websocket(ws.received);
    CHECK(inbox.pings.size() == 2);
    CHECK(inbox.close_code == 0);
    ws.advance(1ms);
    CHECK(read_websocket(ws.received).close_code == 4003);
    CHECK(w.count(error::idle_timeout) == 1);
}

TEST_CASE("transport/back_pressure: who reads nothing is cut when the write has stalled") {
    world w{{.reply_bytes_max = 1000}};
    echo e;
    echo_driver ws{w.context(), handshake("/echo"), e.handler};
    ws.start();
    ws.window = 0;
    ws.send(numbered(0, 1000));
    CHECK_FALSE(ws.on.wants_input());
    ws.advance(29'999ms);
    CHECK_FALSE(ws.is_over);
    ws.advance(1ms);
    CHECK(ws.is_aborted);
    CHECK(w.count(error::stalled) == 1);
    CHECK(w.count_all() == 1);
}

TEST_CASE("transport/back_pressure: a stopping server reads on to the client's close") {
    world w{{.reply_bytes_max = 1000}};
    echo e;
    echo_driver ws{w.context(), handshake("/echo"), e.handler};
    ws.start();
    ws.window = 0;
    ws.send(numbered(0, 1000) + masked_close(1000));
    auto const answered = e.messages;
    CHECK(answered < 1000);
    CHECK_FALSE(ws.on.wants_input());
    ws.shut_down();
    CHECK(ws.on.wants_input());
    ws.open_window();
    CHECK(e.messages == answered);
    auto const inbox = read_websocket(ws.received);
    CHECK(inbox.messages.size() == answered);
    CHECK(inbox.close_code == 1001);
    CHECK(ws.is_over);
    CHECK_FALSE(ws.is_aborted);
}

TEST_CASE("transport/back_pressure: the client's close is answered after all that it sent before") {
    for (bool const ends_too : {false, true}) {
        CAPTURE(ends_too);
        world w{{.reply_bytes_max = 1000}};
        echo e;
        echo_driver ws{w.context(), handshake("/echo"), e.handler};
        ws.start();
        ws.window = 0;
        ws.send(numbered(0, 1000) + masked_close(4242));
        if (ends_too) ws.end_input();
        ws.open_window();
        w.run();
        auto const inbox = read_websocket(ws.received);
        CHECK(inbox.messages.size() == 1000);
        CHECK(inbox.close_code == 4242);
        CHECK(ws.is_over);
        CHECK_FALSE(ws.is_aborted);
    }
}

TEST_CASE("transport/back_pressure: a driver that feeds what is not wanted may do so up to the "
          "limit") {
    auto const count = [](std::size_t fed) {
        world w{{.reply_bytes_max = 1000}};
        echo e;
        echo_driver ws{w.context(), handshake("/echo"), e.handler};
        ws.start();
        ws.window = 0;
        ws.send(masked(std::string(1001, 'x')));
        CHECK_FALSE(ws.on.wants_input());
        for (std::size_t i = 0; i < fed; ++i) {
            auto bytes = masked("1234"); // 10 bytes
            ws.on.feed(bytes, virtual_now);
        }
        ws.pump();
        ws.open_window();
        w.run();
        auto const inbox = read_websocket(ws.received);
        CHECK(inbox.close_code == (w.count(error::control_flood) > 0 ? 1008 : 0));
        return inbox.messages.size();
    };
    CHECK(count(100) == 101);
    CHECK(count(101) == 102);
    CHECK(count(102) == 1);
}

TEST_CASE("transport/back_pressure: commands that wait for a write stop the reading, and are all "
          "obeyed") {
    world w{{.reply_bytes_max = 200}};
    w.publish("a", "1");
    auto const ws = connect<websocket_session>(w, handshake("/ws?channel=a&cursor=oldest"));
    ws->window = 0;
    w.publish("a", "2");
    ws->window = unlimited;
    REQUIRE(ws->begin_write() > 0);
    // 19 bytes each; the eleventh is over the limit.
    for (int i = 0; i < 11; ++i) ws->send(masked(R"({"unsubscribe":"a"})"));
    CHECK_FALSE(ws->on.wants_input());
    for (int i = 0; i < 9; ++i) ws->send(masked(R"({"unsubscribe":"a"})"));
    CHECK_FALSE(ws->in_transit.empty());
    ws->end_write(0);
    ws->pump();
    w.run();
    auto const inbox = read_websocket(ws->received);
    CHECK(inbox.close_code == 0);
    CHECK(w.count(error::not_subscribed) == 19);
    CHECK(ws->in_transit.empty());
}

TEST_CASE("transport/back_pressure: large answers to small commands are made as they are read") {
    world w{{.reply_bytes_max = 1000}};
    w.publish("a", '"' + std::string(5000, 'x') + '"');
    auto const ws = connect<websocket_session>(w, handshake("/ws"));
    ws->window = 0;
    std::string sent;
    for (int i = 0; i < 500; ++i)
        sent += masked(R"({"history":"a","id":)" + std::to_string(i) + "}");
    ws->send(sent);
    ws->open_window(5'200);
    w.run();
    CHECK(ws->received.size() == 129 + 5'200);
    ws->open_window();
    w.run();
    auto const inbox = read_websocket(ws->received);
    REQUIRE(inbox.messages.size() == 500);
    for (std::size_t i = 0; i < 500; ++i)
        CHECK(member(inbox.messages[i], "id") == std::to_string(i));
}

TEST_CASE("transport/back_pressure: requests that are sent ahead are taken up to a limit, and "
          "outlive the end of input") {
    world w;
    w.publish("a", "1");
    auto const poll = connect<poll_session>(w, request("GET", "/poll?channel=a"), unlimited, 0);
    std::string const ahead(pipelined_bytes_max - 1, 'x');
    poll->send(ahead);
    CHECK(poll->on.wants_input());
    poll->send("yz");
    CHECK_FALSE(poll->on.wants_input());
    poll->send("later");
    CHECK(poll->in_transit == "later");
    poll->on.end_of_input(virtual_now);
    CHECK(poll->on.end() == session_end::handback);
    CHECK(poll->on.take_unread() == ahead + "yz");

    session_driver<response_session> page{w.wakes, "HTTP/1.1 204 No Content\r\n\r\n", true, 1s};
    page.window = 0;
    page.start();
    page.send(ahead);
    CHECK(page.on.wants_input());
    page.send("z");
    CHECK_FALSE(page.on.wants_input());
    page.on.end_of_input(virtual_now);
    CHECK(page.on.end() == session_end::handback);
}
