#include <livetape/channel/hub.hpp>
#include <livetape/client/sse_client.hpp>
#include <livetape/net/server.hpp>

#include <support/scripted_server.hpp>

#include <doctest/doctest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace {

using namespace livetape;
using namespace std::chrono_literals;
using test::scripted_answer;
using test::scripted_server;

/// Waits of a millisecond, so that tests need not wait.
sse_client_options quick() {
    sse_client_options options;
    options.reconnect.backoff = {.delay_min = 1ms, .delay_max = 2ms, .requested_delay_max = 2ms};
    return options;
}

std::string stream(std::string_view body, std::string_view fields = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" +
           std::string{fields} + "\r\n" + std::string{body};
}

std::string chunked(std::string_view body, std::size_t chunk_bytes) {
    std::string out;
    for (; !body.empty(); body.remove_prefix(std::min(chunk_bytes, body.size()))) {
        auto const chunk = body.substr(0, chunk_bytes);
        out += "1;x\r\n";
        out.replace(out.size() - 5, 1, chunk.size() == 1 ? "1" : "2");
        out.append(chunk).append("\r\n");
    }
    return out + "0\r\n\r\n";
}

struct fixture {
    asio::io_context io;

    sse_event take(sse_client& client) {
        auto [ec, event] = test::take_next<sse_event>(io, client);
        REQUIRE_FALSE(ec);
        return event;
    }
    std::error_code end_of(sse_client& client) {
        return test::take_next<sse_event>(io, client).first;
    }
};

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

} // namespace

TEST_CASE(
    "client/sse_client: reads events and comes back with the last event ID [WHATWG HTML 9.2]") {
    fixture f;
    scripted_server server{f.io, [](std::string const&, std::size_t number) {
                               if (number == 0)
                                   return scripted_answer{
                                       stream(": hi\n\nid: 1\nevent: tick\ndata: a\ndata: b\n\n"
                                              "data: c\n\nid: 3\n\nid: 4\ndata: cut")};
                               return scripted_answer{stream("id: 4\ndata: d\n\n")};
                           }};
    auto options = quick();
    options.http.fields = {{"Authorization", "Bearer x"}};
    sse_client client{f.io.get_executor(), server.url("/stream?x=1"), options};
    auto event = f.take(client);
    CHECK(event.type == "tick");
    CHECK(event.data == "a\nb");
    CHECK(event.last_event_id == "1");
    event = f.take(client);
    CHECK(event.type == "message");
    CHECK(event.data == "c");
    event = f.take(client);
    CHECK(event.data == "d");
    CHECK(event.last_event_id == "4");
    REQUIRE(server.requests.size() >= 2);
    CHECK(server.requests[0].starts_with("GET /stream?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
    CHECK(has(server.requests[0], "\r\nAccept: text/event-stream\r\n"));
    CHECK(has(server.requests[0], "\r\nAuthorization: Bearer x\r\n"));
    CHECK_FALSE(has(server.requests[0], "Last-Event-ID"));
    CHECK(has(server.requests[1], "\r\nLast-Event-ID: 3\r\n"));
}

TEST_CASE("client/sse_client: takes a body in chunks, of any size [RFC 9112 7.1]") {
    for (std::size_t const size : {1u, 2u}) {
        fixture f;
        scripted_server server{f.io, [&](std::string const&, std::size_t) {
                                   return scripted_answer{
                                       stream(chunked("data: one\n\ndata: two\n\n", size),
                                              "Transfer-Encoding: chunked\r\n"),
                                       false};
                               }};
        sse_client client{f.io.get_executor(), server.url("/"), quick()};
        CHECK(f.take(client).data == "one");
        CHECK(f.take(client).data == "two");
        // The body has ended, so the stream is asked for again.
        CHECK(f.take(client).data == "one");
    }
}

TEST_CASE("client/sse_client: stops for good when it is told to, or there is no event stream") {
    struct row {
        char const* name;
        std::string answer;
        error expected;
    };
    for (auto const& each : {
             row{"204", "HTTP/1.1 204 No Content\r\n\r\n", error::no_content},
             row{"json", test::response("200 OK", "application/json", "{}"),
                 error::bad_content_type},
             row{"no type", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                 error::bad_content_type},
             row{"404", test::response("404 Not Found", "text/plain", "no"),
                 error::unexpected_status},
             row{"to nowhere", test::redirect("ftp://127.0.0.1/"), error::redirect_refused},
             row{"in a circle", test::redirect("/again"), error::redirect_refused},
             row{"a redirect without a place", test::response("302 Found", "text/plain", ""),
                 error::redirect_refused},
         }) {
        CAPTURE(each.name);
        fixture f;
        scripted_server server{f.io,
                               [answer = each.answer](std::string const&, std::size_t number) {
                                   if (number == 0) return scripted_answer{stream("data: x\n\n")};
                                   return scripted_answer{answer};
                               }};
        sse_client client{f.io.get_executor(), server.url("/"), quick()};
        CHECK(f.take(client).data == "x");
        CHECK(f.end_of(client) == each.expected);
        CHECK(f.end_of(client) == each.expected);
    }
}

TEST_CASE("client/sse_client: comes back after failures that pass") {
    fixture f;
    scripted_server server{
        f.io, [](std::string const&, std::size_t number) {
            switch (number) {
            case 0:
                return scripted_answer{test::response("503 Service Unavailable", "text/plain", "",
                                                      "Retry-After: 1000000\r\n")};
            case 1: return scripted_answer{test::response("500 No", "text/html", "<html>", "")};
            case 2: return scripted_answer{""};
            case 3: return scripted_answer{"SSH-2.0-x\r\n"};
            case 4: return scripted_answer{"HTTP/1.1 200 OK\r\nContent-Ty"};
            case 5:
                return scripted_answer{stream("x", "Content-Length: 1\r\nContent-Length: 2\r\n")};
            case 6: return scripted_answer{stream("zz\r\n", "Transfer-Encoding: chunked\r\n")};
            case 7: return scripted_answer{test::redirect("/there")};
            default: return scripted_answer{stream("retry: 1\ndata: at last\n\n")};
            }
        }};
    sse_client client{f.io.get_executor(), server.url("/"), quick()};
    CHECK(f.take(client).data == "at last");
    REQUIRE(server.requests.size() == 9);
    CHECK(server.requests[7].starts_with("GET / "));
    CHECK(server.requests[8].starts_with("GET /there "));
}

TEST_CASE("client/sse_client: a redirect to another host gets none of this one's fields") {
    fixture f;
    scripted_server other{f.io, [](std::string const&, std::size_t) {
                              return scripted_answer{stream("data: x\n\n")};
                          }};
    scripted_server server{f.io, [&](std::string const&, std::size_t) {
                               return scripted_answer{test::redirect(other.url("/y"))};
                           }};
    auto options = quick();
    options.http.fields = {{"Cookie", "secret"}};
    sse_client client{f.io.get_executor(), server.url("/"), options};
    CHECK(f.take(client).data == "x");
    CHECK(has(server.requests.at(0), "secret"));
    CHECK_FALSE(has(other.requests.at(0), "secret"));
}

TEST_CASE("client/sse_client: gives up after the attempts that it may make") {
    fixture f;
    std::string address;
    {
        scripted_server gone{f.io, {}};
        address = gone.url("/");
    }
    auto options = quick();
    options.reconnect.attempts_max = 3;
    sse_client client{f.io.get_executor(), address, options};
    CHECK(f.end_of(client) == asio::error::connection_refused);
}

TEST_CASE("client/sse_client: a stream that falls silent is taken for dead") {
    fixture f;
    scripted_server server{
        f.io, [](std::string const&, std::size_t number) {
            return scripted_answer{stream("data: " + std::to_string(number) + "\n\n"), false};
        }};
    auto options = quick();
    options.silence_max = 10ms;
    sse_client client{f.io.get_executor(), server.url("/"), options};
    CHECK(f.take(client).data == "0");
    CHECK(f.take(client).data == "1");
    CHECK(f.take(client).data == "2");
}

TEST_CASE("client/sse_client: an answer that does not come is not waited for") {
    fixture f;
    scripted_server server{f.io, [](std::string const&, std::size_t number) {
                               return number == 0 ? scripted_answer{"HTTP/1.1 ", false}
                                                  : scripted_answer{stream("data: x\n\n")};
                           }};
    auto options = quick();
    options.http.response_timeout = 10ms;
    sse_client client{f.io.get_executor(), server.url("/"), options};
    CHECK(f.take(client).data == "x");
}

TEST_CASE("client/sse_client: ends at an event over the limit") {
    for (std::size_t const size : {10u, 11u}) {
        fixture f;
        scripted_server server{f.io, [&](std::string const&, std::size_t) {
                                   return scripted_answer{stream(
                                       "data: x\n\ndata: " + std::string(size, 'y') + "\n\n")};
                               }};
        auto options = quick();
        options.parser.data_bytes_max = 10;
        sse_client client{f.io.get_executor(), server.url("/"), options};
        CHECK(f.take(client).data == "x");
        if (size == 10) CHECK(f.take(client).data == std::string(size, 'y'));
        else CHECK(f.end_of(client) == error::message_too_large);
    }
}

TEST_CASE("client/sse_client: cancelling a read loses no event") {
    fixture f;
    scripted_server server{f.io, [](std::string const&, std::size_t) {
                               return scripted_answer{stream("data: x\n\n"), false};
                           }};
    sse_client client{f.io.get_executor(), server.url("/"), quick()};
    CHECK(f.take(client).data == "x");
    asio::cancellation_signal cancel;
    std::optional<std::error_code> result;
    client.next(asio::bind_cancellation_slot(
        cancel.slot(), [&](std::error_code ec, sse_event const&) { result = ec; }));
    f.io.poll();
    CHECK_FALSE(result);
    cancel.emit(asio::cancellation_type::terminal);
    test::run_until(f.io, [&] { return result.has_value(); });
    CHECK(*result == asio::error::operation_aborted);
    client.close();
    CHECK(f.end_of(client) == asio::error::operation_aborted);
}

TEST_CASE("client/sse_client: a caller's handler is gone before and after it is called") {
    fixture f;
    auto const held = std::make_shared<int>();
    std::weak_ptr<int> const watched = held;
    scripted_server server{f.io, [](std::string const&, std::size_t) {
                               return scripted_answer{stream(""), false};
                           }};
    std::optional<sse_client> client;
    client.emplace(f.io.get_executor(), server.url("/"), quick());
    bool is_aborted = false;
    client->next([held, &is_aborted](std::error_code ec, sse_event const&) {
        is_aborted = ec == asio::error::operation_aborted;
    });
    test::run_until(f.io, [&] { return !server.requests.empty(); });
    CHECK(watched.use_count() == 2);
    client.reset();
    test::run_until(f.io, [&] { return is_aborted; });
    CHECK(watched.use_count() == 1);
}

TEST_CASE("client/sse_client: refuses a URL that it cannot use") {
    asio::io_context io;
    for (auto const* address : {"https://a.test/", "ftp://a.test/", "http:///", "", "a.test"}) {
        CAPTURE(address);
        CHECK_THROWS_AS(sse_client(io.get_executor(), address), std::system_error);
    }
}

TEST_CASE(
    "client/sse_client: follows a server of this library, with futures, from another thread") {
    asio::io_context io;
    hub all;
    server served{io.get_executor(), all};
    served.live("/live");
    auto const port = served.listen({asio::ip::address_v4::loopback(), 0}).port();
    auto& clock = all.open("clock");
    auto options = quick();
    options.queue_events_max = 2;
    sse_client client{io.get_executor(),
                      "http://127.0.0.1:" + std::to_string(port) +
                          "/live/sse?channel=clock&cursor=oldest",
                      options};
    for (int i = 0; i < 100; ++i) clock.publish(std::to_string(i));
    std::thread runner{[&] { io.run(); }};
    for (int i = 0; i < 100; ++i) {
        auto const event = client.next(asio::use_future).get();
        CHECK(has(event.data, "\"data\":" + std::to_string(i) + '}'));
    }
    client.close();
    // The exception is looked at once the other thread is gone: what libstdc++ counts its
    // references with is invisible to the thread sanitizer.
    auto ended = client.next(asio::use_future);
    ended.wait();
    served.stop();
    runner.join();
    CHECK_THROWS_AS(ended.get(), std::system_error);
}
