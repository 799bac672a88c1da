#include "support/session_driver.hpp"

#include <livetape/transport/outbox.hpp>
#include <livetape/transport/request_session.hpp>
#include <livetape/transport/response_session.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace livetape::test;
using namespace std::chrono_literals;

static_assert(session<request_session>);
static_assert(session<response_session>);

struct request_driver : session_driver<request_session> {
    explicit request_driver(world& w, request_options const& options)
        : session_driver{w.endpoint.errors(), w.wakes, virtual_now, options} {
        start();
    }
};

struct response_driver : session_driver<response_session> {
    response_driver(world& w, std::string text, bool keep_alive)
        : session_driver{w.wakes, std::move(text), keep_alive, 30'000ms} {}
};

std::size_t const write_sizes[] = {1, 7, unlimited};

struct line_encoder {
    static void encode(event_view const& event, std::string& out) {
        out.append(event.payload).append("\n");
    }
    static std::size_t overhead(event_view const&) { return 1; }
};

} // namespace

TEST_CASE("transport/request_session: a head goes back to the driver with what came after it") {
    world w;
    request_options const options;
    std::string const text = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\nbody and GET /next";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        request_driver client{w, options};
        std::string rest = text.substr(cut), first = text.substr(0, cut);
        client.on.feed(first, virtual_now);
        client.on.feed(rest, virtual_now);
        client.pump();
        REQUIRE(client.on.end() == session_end::handback);
        CHECK(client.received.empty());
        CHECK(client.on.take_unread() == "body and GET /next");
        auto const head = client.on.take_head();
        CHECK(head.method() == "GET");
        CHECK(head.target() == "/a?b=c");
        CHECK(head.field("host") == "x");
    }
    CHECK(w.count_all() == 0);
}

TEST_CASE(
    "transport/request_session: a bad head is answered with its status and counted [RFC 9112]") {
    struct bad_head {
        std::string text;
        error what;
    };
    std::vector<bad_head> const table = {
        {"nonsense\r\n\r\n", error::bad_request_line},
        {"GET / HTTP/2.0\r\n\r\n", error::bad_http_version},
        {"GET / HTTP/1.1\r\nHost x\r\n\r\n", error::bad_header_field},
        {"GET / HTTP/1.1\r\n\r\n", error::bad_host},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: y\r\n\r\n", error::bad_content_length},
        {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
         error::bad_transfer_encoding},
        {"GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", error::target_too_long},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(500, 'a') + "\r\n\r\n",
         error::head_too_large},
    };
    request_options options;
    options.head = {400, 100, 10};
    for (auto const& v : table) {
        CAPTURE(v.text);
        for (auto const fed : write_sizes) {
            world w;
            request_driver client{w, options};
            client.piece_bytes = fed;
            client.window = 0;
            client.send(v.text + std::string(5000, 'x'), fed);
            client.open_window();
            auto const r = only_response(client.received);
            CHECK(r.status == describe(v.what).http_status);
            CHECK(r.code() == describe(v.what).name);
            CHECK(r.field("Connection") == "close");
            CHECK(client.is_over);
            CHECK_FALSE(client.is_aborted);
            CHECK(client.on.end() == session_end::close);
            CHECK(client.on.take_unread().empty());
            CHECK(w.count(v.what) == 1);
            CHECK(w.count_all() == 1);
        }
    }
}

TEST_CASE(
    "transport/request_session: a slow head is answered with 408, a silent connection closed") {
    world w;
    request_options const options;
    request_driver silent{w, options};
    silent.advance(74'999ms);
    CHECK_FALSE(silent.is_over);
    silent.advance(1ms);
    CHECK(silent.is_aborted);
    CHECK(silent.received.empty());

    // The time runs from the first byte, however many come.
    request_driver slow{w, options};
    slow.advance(60s);
    for (int i = 0; i < 9; ++i) {
        slow.send("G");
        slow.advance(1s);
    }
    slow.advance(999ms);
    CHECK_FALSE(slow.is_over);
    slow.advance(1ms);
    CHECK(slow.is_over);
    CHECK(only_response(slow.received).status == 408);
    CHECK(w.count(error::request_timeout) == 1);

    request_driver stuck{w, options};
    stuck.window = 0;
    stuck.send("nonsense\r\n\r\n");
    stuck.advance(9'999ms);
    CHECK_FALSE(stuck.is_over);
    stuck.advance(1ms);
    CHECK(stuck.is_aborted);
    CHECK(w.count(error::stalled) == 1);
}

TEST_CASE(
    "transport/request_session: the client's end and the server's stop end it without a word") {
    world w;
    request_options const options;
    request_driver gone{w, options};
    gone.send("GET /");
    gone.end_input();
    CHECK(gone.is_aborted);
    request_driver stopped{w, options};
    stopped.shut_down();
    CHECK(stopped.is_aborted);
    CHECK(stopped.received.empty());
    request_driver refused{w, options};
    refused.window = 0;
    refused.send("nonsense\r\n\r\n");
    refused.end_input();
    refused.shut_down();
    refused.open_window();
    CHECK(only_response(refused.received).status == 400);
    CHECK_FALSE(refused.is_aborted);
}

TEST_CASE("transport/response_session: a response is written whole, and the stream goes back or is "
          "closed") {
    for (auto const size : write_sizes) {
        world w;
        response_driver kept{w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true};
        kept.piece_bytes = size;
        kept.window = 0;
        kept.start().send("GET / HTTP/1.1\r\n", size);
        kept.open_window();
        CHECK(only_response(kept.received).body == "hi");
        CHECK(kept.on.end() == session_end::handback);
        CHECK(kept.on.take_unread() == "GET / HTTP/1.1\r\n");

        response_driver closing{w, "HTTP/1.1 404 Not Found\r\n\r\n", false};
        closing.piece_bytes = size;
        closing.window = 0;
        // A body that was not wanted is dropped, however long it is.
        closing.start().send(std::string(2 << 20, 'x'));
        closing.open_window();
        CHECK(only_response(closing.received).status == 404);
        CHECK(closing.on.end() == session_end::close);
        CHECK_FALSE(closing.is_aborted);
        CHECK(closing.on.take_unread().empty());
    }
}

TEST_CASE("transport/response_session: who pipelines a flood or takes nothing is cut off") {
    world w;
    response_driver flooding{w, "HTTP/1.1 200 OK\r\n\r\n", true};
    flooding.window = 0;
    flooding.start().send(std::string(1 << 20, 'x'));
    flooding.send("x");
    CHECK(flooding.in_transit == "x");
    CHECK_FALSE(flooding.is_over);
    std::string unwanted = "x";
    flooding.on.feed(unwanted, virtual_now);
    CHECK(flooding.on.end() == session_end::abort);

    response_driver stuck{w, "HTTP/1.1 200 OK\r\n\r\n", true};
    stuck.window = 3;
    stuck.start().advance(29'999ms);
    CHECK_FALSE(stuck.is_over);
    stuck.open_window(1);
    stuck.advance(29'999ms);
    CHECK_FALSE(stuck.is_over);
    stuck.advance(1ms);
    CHECK(stuck.is_aborted);
    CHECK(stuck.received == "HTTP");

    response_driver ended{w, "HTTP/1.1 200 OK\r\n\r\n", true};
    ended.window = 0;
    ended.start().end_input();
    CHECK(ended.on.end() == session_end::close);
    response_driver stopped{w, "HTTP/1.1 200 OK\r\n\r\n", true};
    stopped.window = 0;
    stopped.start().shut_down();
    CHECK(stopped.on.end() == session_end::close);
    stopped.open_window();
    CHECK(only_response(stopped.received).status == 200);
}

TEST_CASE(
    "transport/outbox: the rest of a cut event, then replies, then runs, wherever writes are cut") {
    std::size_t first_bytes = 1;
    for (std::size_t cut = 0; cut <= first_bytes; ++cut) {
        for (std::size_t second_cut = 0; second_cut < 12; ++second_cut) {
            world w;
            auto const source = w.source.try_open("c");
            subscriber cursors{w.wakes};
            opened_cursor opened;
            cursors.add(source, encoding_of<line_encoder>, {}, opened);
            for (auto const* payload : {"1111", "2222", "3333"}) w.publish("c", payload);

            outbox out;
            write_batch batch;
            std::string received;
            std::size_t bytes = 0;
            auto const write = [&](std::size_t at_most) {
                out.gather(batch, cursors, [](auto const&) { return true; });
                out.begin_write(batch, virtual_now);
                bytes = batch.bytes();
                auto const written = std::min(at_most, bytes);
                std::string all;
                for (std::size_t i = 0; i < batch.count(); ++i) all += batch.piece(i);
                received += all.substr(0, written);
                // What comes while the write is in flight stays behind it.
                out.lane() += "<" + std::to_string(bytes % 10) + ">";
                out.settle(batch, written, virtual_now);
                CHECK(out.has_unsent() == (written < bytes));
                return bytes;
            };
            out.lane() = "<reply>";
            first_bytes = write(cut);
            REQUIRE(first_bytes == 7 + 15);
            write(second_cut);
            for (int i = 0; i < 4; ++i) write(unlimited);

            // Replies come whole and in order, and so do events; neither stands inside the other.
            std::string replies, events;
            bool is_reply = false;
            for (char const c : received) {
                if (c == '<') {
                    CHECK((events.empty() || events.back() == '\n'));
                    is_reply = true;
                }
                (is_reply ? replies : events) += c;
                if (c == '>') is_reply = false;
            }
            CHECK(events == "1111\n2222\n3333\n");
            CHECK(replies.starts_with("<reply><2>"));
            CHECK(received.starts_with("<reply>"));
        }
    }
}

TEST_CASE(
    "transport/outbox: an idle outbox holds no memory, and what is due no more is not unsent") {
    world w;
    auto const source = w.source.try_open("c");
    subscriber cursors{w.wakes};
    opened_cursor opened;
    auto& subscription = cursors.add(source, encoding_of<line_encoder>, {}, opened);
    w.publish("c", "1111");
    outbox out;
    write_batch batch;
    auto const gather = [&] {
        out.gather(batch, cursors, [](auto const&) { return true; });
        out.begin_write(batch, virtual_now);
    };
    gather();
    cursors.remove(subscription);
    out.settle(batch, 0, virtual_now);
    CHECK(out.has_unsent());
    gather();
    CHECK(batch.empty());
    CHECK_FALSE(out.has_unsent());
    CHECK(out.is_empty());

    out.lane() = std::string(1000, 'x');
    CHECK(out.reply_bytes() == 1000);
    gather();
    out.lane() = "y";
    CHECK(out.reply_bytes() == 1001);
    out.settle(batch, 999, virtual_now);
    CHECK(out.reply_bytes() == 2);
    gather();
    CHECK(batch.bytes() == 2);
    out.settle(batch, 2, virtual_now);
    CHECK(out.is_empty());
    CHECK(out.lane().capacity() < 100);
}
