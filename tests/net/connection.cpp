#include <livetape/net/serve.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/request_parser.hpp>

#include <support/memory_stream.hpp>
#include <support/message_driver.hpp>

#include <doctest/doctest.h>

#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/use_future.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// The driver over streams without readiness, as TLS will use it: everything by asynchronous reads
// and writes whose buffers must stay in place. One thread, no sockets, no waiting.

namespace {

using namespace livetape;
using test::memory_peer;
using test::memory_stream;
using returned = std::optional<returned_stream<memory_stream>>;

// One type for all handlers, because each makes all drivers anew.
using serve_handler = std::function<void(std::error_code, returned)>;

http::request_head head_of(std::string_view text) {
    http::request_parser parser;
    REQUIRE(parser.feed(text) == parse_status::done);
    return parser.release();
}

http::request_head get(std::string_view target) {
    return head_of("GET " + std::string{target} + " HTTP/1.1\r\nHost: test\r\n\r\n");
}

http::request_head upgrade(std::string_view target) {
    return head_of(
        "GET " + std::string{target} +
        " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
}

std::string frame(websocket::opcode code, std::string_view payload) {
    std::string bytes;
    websocket::append_masked_frame(bytes, code, payload, {0x12, 0x34, 0x56, 0x78});
    return bytes;
}

std::string close_frame() { return frame(websocket::opcode::close, "\x03\xe8"); }

/// The messages after the head of a WebSocket response.
test::received_items messages_of(std::string_view response) {
    auto const end = response.find("\r\n\r\n");
    if (end == std::string_view::npos) return {};
    return test::read_in_pieces(websocket::role::client, response.substr(end + 4), response.size());
}

int count_of(std::string_view text, std::string_view part) {
    int count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

/// A hub behind a memory stream, and what became of the exchange.
struct world {
    explicit world(live_options options = {}) : endpoint{all, std::move(options)} {}

    template <class Transports = default_transports>
    void serve(http::request_head head, std::string received = {}) {
        livetape::serve<Transports>(peer.stream(), std::move(head), endpoint,
                                    {"/live", std::move(received)}, note());
        CHECK(done_count == 0);
    }

    /// Notes the completion.
    serve_handler note() {
        return [this](std::error_code ec, returned stream) {
            ++done_count;
            error = ec;
            back = std::move(stream);
        };
    }

    /// Runs what can run; false if the io_context has run out of work.
    bool poll() {
        io.restart();
        while (io.poll() > 0) {
        }
        return !io.stopped();
    }

    asio::io_context io;
    hub all;
    live_endpoint endpoint;
    memory_peer peer{io};
    int done_count = 0;
    std::error_code error;
    returned back;
};

struct hello_session : response_session {
    hello_session(session_context const& context, http::request_head const& head,
                  std::string_view path)
        : response_session{
              context.wakes,
              detail::to_response({200, "text/plain", std::string{path}}, head.method(), true),
              true, std::chrono::seconds{1}} {}
};

struct hello_transport {
    using session = hello_session;
    static bool matches(http::request_head const&, std::string_view path) {
        return path.starts_with("/hello");
    }
};

/// What `connection` calls when a session is over.
struct count_done {
    int* count;
    template <class Session, class Stream>
    void operator()(std::error_code, Session&, Stream&) const {
        ++*count;
    }
};

template <class Session>
using driver = connection<memory_stream, Session, count_done>;

void start_websocket(world& w, connection_list& listed, int& done_count, std::string_view target) {
    session_context const context{w.endpoint, shard::of(w.io).wakes(), clock::now(), 0};
    driver<websocket_session>::start(w.peer.stream(), &listed, {}, count_done{&done_count}, context,
                                     upgrade(target), "/ws");
}

} // namespace

TEST_CASE("net/connection: a host speaks to all the connections that it has handed over") {
    live_options options;
    options.hooks.connect = [](http::request_head const& head) -> std::optional<client_identity> {
        return client_identity{head.path() == "/live/ws" ? "ann" : "bob"};
    };
    world w{std::move(options)};
    w.all.open("a");
    connection_list listed;
    memory_peer of_bob{w.io};
    int bob_done = 0;
    livetape::serve(w.peer.stream(), upgrade("/live/ws?channel=a"), w.endpoint,
                    {.connections = &listed}, w.note());
    livetape::serve(of_bob.stream(), get("/live/sse?channel=a"), w.endpoint,
                    {.connections = &listed},
                    serve_handler{[&](std::error_code, returned) { ++bob_done; }});
    w.poll();
    CHECK(messages_of(w.peer.take()).size() == 1);
    of_bob.take();
    dismissal const why{.reason = "enough", .close_code = 4321};
    listed.for_each([&](live_connection& each) { each.dismiss("ann", why); });
    w.poll();
    CHECK(count_of(w.peer.take(), "enough") == 1);
    w.peer.send(close_frame());
    w.poll();
    w.peer.end_input();
    w.poll();
    CHECK(w.done_count == 1);
    CHECK(bob_done == 0);
    w.all.publish("a", "1");
    w.poll();
    CHECK(count_of(of_bob.take(), "\"data\":1") == 1);
    listed.for_each([](live_connection& each) { each.shut_down(); });
    w.poll();
    of_bob.end_input();
    w.poll();
    CHECK(bob_done == 1);
    CHECK(listed.empty());
}

TEST_CASE("net/connection: serves events that arrive while a write is in flight") {
    world w;
    w.all.open("a");
    w.peer.pipe().output_max = 200;
    w.serve(upgrade("/live/ws?channel=a"));
    w.poll();
    std::string received;
    for (int i = 0; i < 50; ++i) {
        w.all.publish("a", std::to_string(i));
        w.poll();
        if (i % 7 == 0) received += w.peer.take(50);
    }
    while (w.poll() && !w.peer.pipe().output.empty()) received += w.peer.take(30);

    auto const messages = messages_of(received);
    REQUIRE(messages.size() == 51);
    CHECK(messages[0].payload.starts_with(R"({"subscribed":"a")"));
    for (std::size_t i = 0; i < 50; ++i)
        CHECK(messages[i + 1].payload == R"({"channel":"a","offset":)" + std::to_string(i + 1) +
                                             R"(,"data":)" + std::to_string(i) + '}');

    w.peer.send(close_frame());
    w.poll();
    w.peer.end_input();
    CHECK_FALSE(w.poll());
    CHECK(w.done_count == 1);
    CHECK(w.error);
    CHECK_FALSE(w.back);
    CHECK(w.peer.pipe().is_closed);
}

TEST_CASE("net/connection: answers what is fed while a write is in flight") {
    world w;
    w.all.open("a");
    w.peer.pipe().output_max = 10;
    w.serve(upgrade("/live/ws"));
    w.poll();
    for (int i = 0; i < 20; ++i) {
        w.peer.send(frame(websocket::opcode::ping, std::to_string(i)));
        w.poll();
    }
    w.peer.send(frame(websocket::opcode::text, R"({"subscribe":"a","id":1})"));
    w.poll();
    w.all.publish("a", "1");
    std::string received;
    while (w.poll() && !w.peer.pipe().output.empty()) received += w.peer.take();

    auto const messages = messages_of(received);
    REQUIRE(messages.size() == 22);
    for (std::size_t i = 0; i < 20; ++i) CHECK(messages[i] == test::pong(std::to_string(i)));
    CHECK(messages[20].payload.starts_with(R"({"subscribed":"a","id":1)"));
    CHECK(messages[21].payload.starts_with(R"({"channel":"a","offset":1)"));
}

TEST_CASE("net/connection: sends all that is due on more channels than one write takes") {
    world w;
    std::string target = "/live/ws?snapshot=1";
    for (int i = 0; i < 50; ++i) {
        auto const name = "c" + std::to_string(i);
        w.all.publish(name, "1");
        target += "&channel=" + name;
    }
    w.serve(upgrade(target));
    w.poll();
    CHECK(messages_of(w.peer.take()).size() == 100);
    for (int i = 0; i < 50; ++i) w.all.publish("c" + std::to_string(i), "2");
    w.poll();
    CHECK(count_of(w.peer.take(), R"("data":2)") == 50);
}

TEST_CASE("net/connection: reads and writes byte by byte as in one piece") {
    world w;
    w.all.publish("a", "1");
    w.peer.pipe().read_max = 1;
    w.peer.pipe().write_max = 1;
    w.serve(upgrade("/live/ws"),
            frame(websocket::opcode::text, R"({"subscribe":"a","snapshot":true})"));
    w.peer.send(frame(websocket::opcode::ping, "?") + close_frame());
    w.peer.end_input();
    CHECK_FALSE(w.poll());
    auto const messages = messages_of(w.peer.take());
    REQUIRE(messages.size() >= 3);
    CHECK(messages[0].payload.starts_with(R"({"subscribed":"a")"));
    CHECK(messages.back() == test::closed(1000));
    CHECK(w.done_count == 1);
}

TEST_CASE("net/connection: gives the stream back after a poll, with what came after it") {
    world w;
    w.all.publish("a", "1");
    w.serve(get("/live/poll?channel=a"));
    w.poll();
    CHECK(w.peer.take().ends_with(R"("events":[{"channel":"a","offset":1,"data":1}]})"
                                  "\n"));
    CHECK(w.done_count == 0);
    w.peer.send("GET /next");
    CHECK_FALSE(w.poll());
    REQUIRE(w.done_count == 1);
    CHECK_FALSE(w.error);
    REQUIRE(w.back);
    CHECK(w.back->received == "GET /next");

    // The same stream again, now with a poll that waits.
    auto const cursor = [&] {
        std::string text;
        append_position(text, {w.all.find("a")->epoch(), 1});
        return text;
    }();
    w.done_count = 0;
    livetape::serve(std::move(w.back->stream), get("/live/poll?channel=a&wait=30&cursor=" + cursor),
                    w.endpoint, {"/live", {}}, w.note());
    CHECK(w.poll());
    CHECK(w.peer.take().empty());
    w.all.publish("a", "2");
    CHECK(w.poll());
    CHECK(w.peer.take().ends_with(R"("events":[{"channel":"a","offset":2,"data":2}]})"
                                  "\n"));
    w.peer.end_input();
    CHECK_FALSE(w.poll());
    CHECK(w.done_count == 1);
}

TEST_CASE("net/connection: reports the end of input of every transport once") {
    for (auto const target :
         {"/live/ws", "/live/sse?channel=a", "/live/poll?channel=a&wait=60&cursor=now",
          "/live/poll?channel=a", "/live/nothing", "/elsewhere"}) {
        CAPTURE(target);
        world w;
        w.all.open("a");
        w.serve(std::string_view{target}.ends_with("ws") ? upgrade(target) : get(target));
        w.poll();
        w.peer.end_input();
        CHECK_FALSE(w.poll());
        CHECK(w.done_count == 1);
        CHECK(w.error);
        CHECK_FALSE(w.back);
        CHECK(w.peer.pipe().is_closed);
    }
}

TEST_CASE("net/connection: answers a path that is no transport's with 404 and reports it") {
    world w;
    w.serve(get("/live/nothing"));
    w.poll();
    CHECK(w.peer.take().starts_with("HTTP/1.1 404 "));
    CHECK(w.peer.pipe().is_shut_down);
    CHECK(w.endpoint.errors()[error::not_found] == 1);
}

TEST_CASE("net/connection: lets a host choose its transports") {
    world w;
    w.serve<transports<hello_transport>>(get("/live/hello/you"));
    w.poll();
    CHECK(w.peer.take().ends_with("\r\n\r\n/hello/you"));
    w.peer.send("x");
    CHECK_FALSE(w.poll());
    CHECK(w.back);

    world without;
    without.serve<transports<hello_transport>>(get("/live/sse?channel=a"));
    without.poll();
    CHECK(without.peer.take().starts_with("HTTP/1.1 404 "));
}

TEST_CASE("net/serve: completes on the handler's executor") {
    world w;
    asio::io_context other;
    bool is_done = false;
    memory_peer peer{w.io};
    using few = transports<hello_transport>;
    livetape::serve<few>(peer.stream(), get("/live/nothing"), w.endpoint, {},
                         asio::bind_executor(other.get_executor(),
                                             [&](std::error_code, returned) { is_done = true; }));
    peer.end_input();
    w.poll();
    CHECK_FALSE(is_done);
    other.run();
    CHECK(is_done);
}

TEST_CASE("net/serve: takes any completion token") {
    world w;
    w.peer.end_input();
    using few = transports<hello_transport>;
    auto future = livetape::serve<few>(w.peer.stream(), get("/live/nothing"), w.endpoint, {},
                                       asio::use_future);
    w.io.run();
    CHECK_THROWS_AS(future.get(), std::system_error);
}

TEST_CASE("net/connection: fails at each operation in turn without losing its completion") {
    for (std::size_t failing = 1;; ++failing) {
        CAPTURE(failing);
        world w;
        w.all.publish("a", "1");
        w.peer.pipe().failing_operation = failing;
        w.peer.pipe().write_max = 40;
        w.peer.pipe().read_max = 20;
        w.serve(upgrade("/live/ws?channel=a&snapshot=1"));
        w.poll();
        for (int i = 0; i < 3; ++i) {
            w.all.publish("a", "2");
            w.peer.send(frame(websocket::opcode::ping, "?"));
            w.poll();
        }
        w.peer.send(close_frame());
        w.peer.end_input();
        CHECK_FALSE(w.poll());
        REQUIRE(w.done_count == 1);
        CHECK(w.peer.pipe().is_closed);
        if (failing > w.peer.pipe().operation_count) {
            CHECK(messages_of(w.peer.take()).back() == test::closed(1000));
            break;
        }
        CHECK(failing < 1000);
        // Only a read or write that is pending beside the failed one may follow.
        CHECK(w.peer.pipe().operation_count <= failing + 1);
        CHECK(w.error == asio::error::connection_reset);
    }
}

TEST_CASE("net/connection: fails at each operation of polls in turn") {
    for (std::size_t failing = 1;; ++failing) {
        CAPTURE(failing);
        world w;
        w.all.publish("a", "1");
        w.peer.pipe().failing_operation = failing;
        w.peer.pipe().write_max = 50;
        w.serve(get("/live/poll?channel=a"));
        w.poll();
        w.peer.send("GET");
        CHECK_FALSE(w.poll());
        REQUIRE(w.done_count == 1);
        CHECK(bool{w.error} != bool{w.back});
        if (failing > w.peer.pipe().operation_count) break;
    }
}

TEST_CASE("net/connection: says good-bye when it is shut down, after what is in flight") {
    world w;
    w.all.open("a");
    connection_list listed;
    int done_count = 0;
    w.peer.pipe().output_max = 150;
    start_websocket(w, listed, done_count, "/ws?channel=a");
    CHECK_FALSE(listed.empty());
    w.all.publish("a", "1");
    w.poll();
    listed.for_each([](live_connection& each) { each.shut_down(); });
    w.all.publish("a", "2");
    std::string received;
    while (w.poll() && !w.peer.pipe().output.empty()) received += w.peer.take();
    CHECK(messages_of(received).back().close_code == 1001);
    CHECK(done_count == 0);
    w.peer.send(close_frame());
    w.poll();
    w.peer.end_input();
    CHECK_FALSE(w.poll());
    CHECK(done_count == 1);
    CHECK(listed.empty());
}

TEST_CASE("net/connection: closes at once when shut down between two requests") {
    world w;
    connection_list listed;
    int done_count = 0;
    driver<response_session>::start(
        w.peer.stream(), &listed, {}, count_done{&done_count}, shard::of(w.io).wakes(),
        std::string{"HTTP/1.1 204 No Content\r\n\r\n"}, true, std::chrono::seconds{1});
    CHECK(w.poll());
    listed.for_each([](live_connection& each) { each.shut_down(); });
    CHECK_FALSE(w.poll());
    CHECK(w.peer.pipe().is_closed);
    CHECK(listed.empty());
    CHECK(done_count == 1);
}

TEST_CASE("net/connection: is gone after a cancel, without completing") {
    for (bool const has_write_in_flight : {false, true}) {
        CAPTURE(has_write_in_flight);
        world w;
        w.all.open("a");
        connection_list listed;
        int done_count = 0;
        if (has_write_in_flight) w.peer.pipe().output_max = 5;
        start_websocket(w, listed, done_count, "/ws?channel=a");
        w.poll();
        w.all.publish("a", "1");
        listed.pop_front()->cancel();
        w.all.publish("a", "2");
        CHECK_FALSE(w.poll());
        CHECK(done_count == 0);
        CHECK(w.peer.pipe().is_closed);
    }
}

TEST_CASE("net/connection: goes with its io_context, whatever is pending") {
    for (auto const target :
         {"/live/ws?channel=a", "/live/sse?channel=a", "/live/poll?channel=a&wait=60&cursor=now",
          "/live/poll?channel=a", "/live/nothing"})
        for (bool const is_hub_first : {false, true})
            for (std::size_t const output_max : {std::size_t{5}, test::memory_pipe::unlimited}) {
                CAPTURE(target);
                auto io = std::make_unique<asio::io_context>();
                auto all = std::make_unique<hub>();
                all->open("a");
                auto endpoint = std::make_unique<live_endpoint>(*all);
                int done_count = 0;
                {
                    memory_peer peer{*io};
                    peer.pipe().output_max = output_max;
                    livetape::serve(peer.stream(),
                                    std::string_view{target}.find("ws") != std::string_view::npos
                                        ? upgrade(target)
                                        : get(target),
                                    *endpoint, {}, serve_handler{[&](std::error_code, returned) {
                                        ++done_count;
                                    }});
                    io->poll();
                    all->publish("a", "1");
                    io->poll();
                    all->publish("a", "2");
                }
                if (is_hub_first) {
                    endpoint.reset();
                    all.reset();
                }
                io.reset();
                CHECK(done_count == 0);
                if (all) all->publish("a", "3");
            }
}
