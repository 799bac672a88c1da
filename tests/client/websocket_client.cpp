#include <livetape/client/websocket_client.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <livetape/net/server.hpp>
#include <livetape/wire/request_parser.hpp>

#include <support/memory_stream.hpp>
#include <support/message_driver.hpp>

#include <doctest/doctest.h>

using namespace livetape;
using namespace std::chrono_literals;
using asio::ip::tcp;
using websocket::opcode;

// Asio 1.22 has no coroutines with clang 14 and the library of g++: what needs them is left out
// there.

namespace {

/// Gives out the stream of one `memory_peer`.
struct memory_dialer {
    using stream_type = test::memory_stream;

    asio::io_context* io = nullptr;
    test::memory_peer* peer = nullptr;
    std::error_code failure{};

    [[nodiscard]] static bool can_dial(url const&) noexcept { return true; }

    template <class Token>
    auto operator()(asio::any_io_executor const&, url const&, dial_options const&, Token&& token,
                    http::response_head* = nullptr) const {
        return asio::async_initiate<Token, void(std::error_code, test::memory_stream)>(
            [](auto handler, memory_dialer self) {
                asio::post(*self.io, [self, h = std::move(handler)]() mutable {
                    std::move(h)(self.failure, self.peer->stream());
                });
            },
            token, *this);
    }
};

using memory_client = basic_websocket_client<memory_dialer>;

/// A client, the peer at the other end of its memory stream, and what happened.
struct memory_world {
    explicit memory_world(websocket_client_options const& options = {})
        : client{io.get_executor(), options, memory_dialer{&io, &peer}} {}

    void run() {
        io.restart();
        io.poll();
    }

    void start_connect() {
        client.connect("ws://host/path", [this](std::error_code ec) { connected = ec; });
        run();
        request = peer.take();
    }

    /// The response that accepts the request.
    [[nodiscard]] std::string acceptance() const {
        http::request_parser parser;
        std::string_view input = request;
        REQUIRE(parser.feed(input) == parse_status::done);
        CHECK(websocket::check_handshake(parser.head()) == error::none);
        std::string out;
        websocket::append_accept(out, parser.head());
        return out;
    }

    void connect() {
        start_connect();
        peer.send(acceptance());
        run();
        REQUIRE(connected.has_value());
        REQUIRE_FALSE(*connected);
    }

    void start_read() {
        client.read([this](std::error_code ec, websocket_message message) {
            messages.push_back(ec ? ec.message() : std::string{message.payload});
            last_read = ec;
        });
        run();
    }

    void send_frame(opcode code, std::string_view payload) {
        std::string out;
        websocket::append_frame(out, code, payload);
        peer.send(out);
        run();
    }

    [[nodiscard]] test::received_items taken() {
        test::received_items items;
        test::feed(reader, peer.take(), items);
        run();
        return items;
    }

    asio::io_context io;
    test::memory_peer peer{io};
    memory_client client;
    websocket::message_reader reader{websocket::role::server, {}};
    std::string request;
    std::optional<std::error_code> connected;
    std::optional<std::error_code> last_read;
    std::vector<std::string> messages;
};

auto keep(std::optional<std::error_code>& into) {
    return [&into](std::error_code ec) { into = ec; };
}

std::error_code connect_answered_with(std::string const& response,
                                      websocket_client_options const& options = {}) {
    memory_world world{options};
    world.start_connect();
    world.peer.send(response);
    world.peer.end_input();
    world.run();
    CHECK(world.peer.pipe().is_closed);
    CHECK_FALSE(world.client.is_open());
    return world.connected.value();
}

#ifdef ASIO_HAS_CO_AWAIT
/// Runs one coroutine to its end.
void run_coroutine(asio::io_context& io, std::function<asio::awaitable<void>()> const& body) {
    std::exception_ptr failure;
    bool is_done = false;
    asio::co_spawn(io, body, [&](std::exception_ptr thrown) {
        failure = thrown;
        is_done = true;
        io.stop();
    });
    io.run();
    CHECK(is_done);
    if (failure) std::rethrow_exception(failure);
}
#endif

/// An echo server of this library, in the io_context of the test.
struct echo_server {
    explicit echo_server(asio::io_context& io) : served{io.get_executor(), all} {
        live_options live;
        live.message_bytes_max = 4u << 20;
        served.websocket(
            "/echo",
            [](websocket_link& link, opcode code, std::string_view payload) {
                link.send(code, payload);
            },
            live);
        port = served.listen({asio::ip::address_v4::loopback(), 0}).port();
    }

    [[nodiscard]] std::string url(std::string_view host = "127.0.0.1") const {
        return "ws://" + std::string{host} + ":" + std::to_string(port) + "/echo";
    }

    hub all;
    server served;
    std::uint16_t port = 0;
};

} // namespace

TEST_CASE("client/websocket: shakes hands, reads and writes [RFC 6455 4.1]") {
    memory_world world;
    world.connect();
    CHECK(world.request.starts_with("GET /path HTTP/1.1\r\nHost: host\r\nUpgrade: "));
    CHECK(world.client.response().status() == 101);
    CHECK(world.client.is_open());

    world.start_read();
    CHECK(world.messages.empty());
    world.send_frame(opcode::text, "one");
    CHECK(world.messages == std::vector<std::string>{"one"});
    world.send_frame(opcode::text, "two"); // nobody reads
    world.send_frame(opcode::ping, "p");
    CHECK(world.messages.size() == 1);
    CHECK(world.taken().empty());
    world.start_read();
    CHECK(world.messages.back() == "two");
    world.start_read();
    CHECK(world.taken() == test::received_items{test::pong("p")});

    std::optional<std::error_code> first;
    std::optional<std::error_code> second;
    world.client.write_text("a", keep(first));
    world.client.write_binary("b", keep(second));
    CHECK_FALSE(first.has_value());
    world.run();
    CHECK(first.value() == std::error_code{});
    CHECK(second.value() == std::error_code{});
    CHECK(world.taken() == test::received_items{test::text("a"), test::binary("b")});
}

TEST_CASE("client/websocket: takes a response and frames however they are split") {
    for (std::size_t const piece : {1u, 2u, 5u, 1000u}) {
        memory_world world;
        world.peer.pipe().read_max = piece;
        world.start_connect();
        std::string frames;
        websocket::append_frame(frames, opcode::text, "early");
        websocket::append_frame(frames, opcode::text, "bird");
        world.peer.send("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + world.acceptance() + frames);
        world.run();
        CHECK(world.connected.value() == std::error_code{});
        world.start_read();
        world.start_read();
        CHECK(world.messages == std::vector<std::string>{"early", "bird"});
    }
}

TEST_CASE("client/websocket: refuses a handshake that is not right, each with its error") {
    CHECK(connect_answered_with("HTTP/1.1 404 Not Found\r\n\r\n") == error::unexpected_status);
    CHECK(connect_answered_with("HTTP/1.1 101 OK\r\n\r\n") == error::bad_upgrade_response);
    CHECK(connect_answered_with("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") ==
          error::bad_accept);
    CHECK(connect_answered_with("SSH-2.0\r\n") == error::bad_status_line);
    CHECK(connect_answered_with("HTTP/3.0 200 OK\r\n\r\n") == error::bad_http_version);
    CHECK(connect_answered_with("HTTP/1.1 101 OK\r\nA\r\n\r\n") == error::bad_header_field);
    CHECK(connect_answered_with("HTTP/1.1 101 OK\r\n") == asio::error::eof);
    websocket_client_options options;
    options.head.head_bytes_max = 100;
    CHECK(connect_answered_with("HTTP/1.1 101 " + std::string(100, 'x'), options) ==
          error::head_too_large);

    memory_world world;
    world.start_connect();
    auto response = world.acceptance();
    response.insert(response.find("\r\n") + 2, "Sec-WebSocket-Protocol: chat\r\n");
    world.peer.send(response);
    world.run();
    CHECK(world.connected.value() == error::unoffered_subprotocol);
}

TEST_CASE("client/websocket: tells where a redirect leads and when to come again") {
    memory_world world;
    world.start_connect();
    world.peer.send("HTTP/1.1 307 Temporary Redirect\r\nLocation: wss://other/\r\n\r\n");
    world.run();
    CHECK(world.connected.value() == error::unexpected_status);
    CHECK(world.client.response().status() == 307);
    CHECK(world.client.response().field("location") == "wss://other/");

    memory_world busy;
    busy.start_connect();
    busy.peer.send("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n");
    busy.run();
    CHECK(busy.connected.value() == error::unexpected_status);
    CHECK(busy.client.response().field("Retry-After") == "120");
}

TEST_CASE("client/websocket: tells the words of a refusal, however they come") {
    std::string const words = R"({"error":{"code":"not_authorized","message":"not today"}})";
    struct body_vector {
        std::string bytes;
        bool ends = false;
        std::string words;
    };
    std::string const long_words(5000, 'w');
    for (auto const& v : {
             body_vector{"Content-Length: 57\r\n\r\n" + words, false, words},
             body_vector{"Transfer-Encoding: chunked\r\n\r\n39\r\n" + words + "\r\n0\r\n\r\n",
                         false, words},
             body_vector{"Connection: close\r\n\r\n" + words, true, words},
             body_vector{"Content-Length: 5000\r\n\r\n" + long_words, false,
                         long_words.substr(0, 4096)},
             body_vector{"Content-Length: 5000\r\n\r\nonly half", true, "only half"},
             body_vector{"Transfer-Encoding: chunked\r\n\r\n5\r\nwords\r\nx", false, "words"},
             body_vector{"Content-Length: 0\r\n\r\n", false, ""},
         })
        for (std::size_t const piece : {std::size_t{1}, std::size_t{50}, std::size_t{20'000}}) {
            CAPTURE(v.bytes);
            CAPTURE(piece);
            memory_world world;
            world.peer.pipe().read_max = piece;
            world.start_connect();
            world.peer.send("HTTP/1.1 403 Forbidden\r\n" + v.bytes);
            if (v.ends) world.peer.end_input();
            world.run();
            CHECK(world.connected.value() == error::unexpected_status);
            CHECK(world.client.response().status() == 403);
            CHECK(world.client.refusal() == v.words);
        }
}

TEST_CASE("client/websocket: does not wait long for the words of a refusal, and can be cancelled") {
    websocket_client_options options;
    options.handshake_timeout = 20ms;
    for (bool const is_cancelled : {false, true}) {
        memory_world world{options};
        world.start_connect();
        world.peer.send("HTTP/1.1 403 Forbidden\r\n\r\nfor");
        world.run();
        if (is_cancelled) world.client.cancel();
        world.io.restart();
        world.io.run();
        CHECK(world.connected.value() == (is_cancelled
                                              ? make_error_code(asio::error::operation_aborted)
                                              : make_error_code(error::unexpected_status)));
        CHECK(world.client.refusal() == "for");
    }
}

TEST_CASE("client/websocket: connects to WebSocket URLs alone") {
    asio::io_context io;
    std::vector<std::error_code> outcomes;
    websocket_client client{io.get_executor()};
    for (std::string_view const text :
         {"nonsense", "http://host/", "wss://host/", "ws://user@host/", "ws://host/a b"}) {
        client.connect(text, [&](std::error_code ec) { outcomes.push_back(ec); });
        CHECK(outcomes.empty());
        io.run();
        io.restart();
        REQUIRE(outcomes.size() == 1);
        if (text.starts_with("ws://user")) CHECK(outcomes[0] == error::bad_url_authority);
        else if (text.starts_with("ws://")) CHECK(outcomes[0] == error::bad_url_target);
        else CHECK(outcomes[0] == error::bad_url_scheme);
        outcomes.clear();
    }
}

TEST_CASE("client/websocket: completes with not_connected before a connection") {
    asio::io_context io;
    websocket_client client{io.get_executor()};
    int count = 0;
    auto const check = [&](std::error_code ec, auto const&...) {
        CHECK(ec == asio::error::not_connected);
        ++count;
    };
    client.read(check);
    client.write_text("x", check);
    client.ping("x", check);
    client.close(websocket::close_code::normal_closure, check);
    CHECK(count == 0);
    io.run();
    CHECK(count == 4);
    client.cancel();
    CHECK_FALSE(client.is_open());
    CHECK(client.response().status() == 0);
    CHECK(client.peer_close().code == 1006);
}

TEST_CASE("client/websocket: gives up a server that does not answer the handshake") {
    websocket_client_options options;
    options.handshake_timeout = 1ms;
    memory_world world{options};
    world.client.connect("ws://host/", keep(world.connected));
    world.io.run();
    CHECK(world.connected.value() == error::handshake_timeout);
    CHECK(world.peer.pipe().is_closed);
}

TEST_CASE("client/websocket: answers a close, waits for the end, and says what it was") {
    memory_world world;
    world.connect();
    world.start_read();
    std::string close;
    websocket::append_close_frame(close, 4321, "why");
    world.peer.send(close);
    world.run();
    CHECK(world.taken() == test::received_items{test::closed(4321)});
    CHECK(world.messages.empty());
    CHECK_FALSE(world.client.is_open());
    world.peer.end_input();
    world.run();
    CHECK(world.last_read.value() == error::connection_closed);
    CHECK(world.client.peer_close().code == 4321);
    CHECK(world.client.peer_close().reason == "why");
    CHECK(world.peer.pipe().is_closed);
    world.start_read();
    CHECK(world.last_read.value() == error::connection_closed);
    std::optional<std::error_code> closed;
    world.client.close(websocket::close_code::normal_closure, keep(closed));
    world.run();
    CHECK(closed.value() == std::error_code{});
}

TEST_CASE("client/websocket: closes while a read waits, or without one") {
    for (bool const is_reading : {true, false}) {
        memory_world world;
        world.connect();
        if (is_reading) world.start_read();
        std::optional<std::error_code> closed;
        world.client.close(1000, "bye", keep(closed));
        world.run();
        CHECK(world.taken() == test::received_items{test::closed(1000, "bye")});
        world.send_frame(opcode::text, "late");
        CHECK(world.messages == std::vector<std::string>(is_reading ? 1 : 0, "late"));
        if (is_reading) world.start_read();
        std::string close;
        websocket::append_close_frame(close, 1000);
        world.peer.send(close);
        world.run();
        CHECK_FALSE(closed.has_value());
        world.peer.end_input();
        world.run();
        CHECK(closed.value() == std::error_code{});
        if (is_reading) CHECK(world.last_read.value() == error::connection_closed);
    }
}

TEST_CASE("client/websocket: a message stays valid while the connection closes") {
    memory_world world;
    world.connect();
    std::string_view late;
    world.client.read([&](std::error_code, websocket_message message) { late = message.payload; });
    world.client.close(1000, {}, asio::detached);
    world.run();
    world.send_frame(opcode::text, "late");
    world.send_frame(opcode::text, "XXXXXXXX");
    CHECK(late == "late");
}

TEST_CASE("client/websocket: gives up a peer that does not answer the close frame") {
    websocket_client_options options;
    options.close_timeout = 1ms;
    memory_world world{options};
    world.connect();
    std::optional<std::error_code> closed;
    world.client.close(1000, {}, keep(closed));
    world.io.restart();
    world.io.run();
    CHECK(closed.value() == error::close_timeout);
}

TEST_CASE("client/websocket: pings, and gives up a peer that stays silent") {
    websocket_client_options options;
    options.ping_interval = 1ms;
    options.idle_timeout = 100ms; // a machine that stalls shorter still pings before it gives up
    memory_world world{options};
    world.connect();
    world.client.read([&](std::error_code ec, websocket_message) { world.last_read = ec; });
    world.io.restart();
    world.io.run();
    CHECK(world.last_read.value() == error::idle_timeout);
    auto const items = world.taken();
    REQUIRE_FALSE(items.empty());
    CHECK(items[0] == test::ping(""));
}

TEST_CASE("client/websocket: gives up a peer that takes nothing") {
    websocket_client_options options;
    options.write_timeout = 1ms;
    memory_world world{options};
    world.connect();
    world.peer.pipe().output_max = 10;
    std::optional<std::error_code> written;
    world.client.write_text(std::string(100, 'x'), keep(written));
    world.io.restart();
    world.io.run();
    CHECK(written.value() == error::stalled);
}

TEST_CASE("client/websocket: a write that does not fit leaves the connection as it was") {
    websocket_client_options options;
    options.queue_bytes_max = 100;
    memory_world world{options};
    world.connect();
    world.peer.pipe().output_max = 1;
    std::vector<std::error_code> outcomes;
    auto const note = [&](std::error_code ec) { outcomes.push_back(ec); };
    world.client.write_text("in flight", note);
    world.client.write_text(std::string(90, 'x'), note);
    world.client.write_text(std::string(90, 'y'), note);
    world.client.write_text("\xff", note);
    world.run();
    CHECK(outcomes == std::vector<std::error_code>{error::write_queue_full, error::bad_utf8});
    CHECK(world.client.is_open());
    world.peer.pipe().output_max = test::memory_pipe::unlimited;
    auto items = world.taken();
    for (auto const& item : world.taken()) items.push_back(item);
    CHECK(outcomes.size() == 4);
    CHECK(items.size() == 2);
}

TEST_CASE("client/websocket: cancelling a read loses nothing") {
    memory_world world;
    world.connect();
    asio::cancellation_signal signal;
    std::optional<std::error_code> cancelled;
    world.client.read(asio::bind_cancellation_slot(
        signal.slot(), [&](std::error_code ec, websocket_message) { cancelled = ec; }));
    world.run();
    signal.emit(asio::cancellation_type::total);
    CHECK_FALSE(cancelled.has_value());
    world.run();
    CHECK(cancelled.value() == asio::error::operation_aborted);
    CHECK(world.client.is_open());
    world.send_frame(opcode::text, "kept");
    world.start_read();
    CHECK(world.messages == std::vector<std::string>{"kept"});
}

TEST_CASE("client/websocket: cancelling completes everything, once") {
    memory_world world;
    world.connect();
    world.peer.pipe().output_max = 0;
    int count = 0;
    auto const note = [&](std::error_code ec, auto const&...) {
        CHECK(ec == asio::error::operation_aborted);
        ++count;
    };
    world.client.read(note);
    world.client.write_text("x", note);
    world.client.write_text("y", note);
    world.client.close(1000, {}, note);
    world.run();
    CHECK(count == 0);
    world.client.cancel();
    world.client.cancel();
    CHECK(count == 0);
    world.run();
    CHECK(count == 4);

    memory_world connecting;
    connecting.start_connect();
    connecting.client.cancel();
    connecting.run();
    CHECK(connecting.connected.value() == asio::error::operation_aborted);
}

TEST_CASE("client/websocket: says what broke when the n-th operation of the stream fails") {
    std::size_t failing = 1;
    for (bool is_whole = false; !is_whole; ++failing) {
        REQUIRE(failing < 50);
        CAPTURE(failing);
        memory_world world;
        world.peer.pipe().failing_operation = failing;
        world.start_connect();
        if (!world.connected) {
            world.peer.send(world.acceptance());
            world.run();
        }
        REQUIRE(world.connected.has_value());
        auto const reset = asio::error::connection_reset;
        if (*world.connected) {
            CHECK(*world.connected == reset);
            continue;
        }
        std::optional<std::error_code> written;
        world.start_read();
        world.client.write_text("x", keep(written));
        world.run();
        world.send_frame(opcode::text, "y");
        world.start_read();
        world.peer.end_input();
        world.run();
        REQUIRE(written.has_value());
        REQUIRE(world.last_read.has_value());
        if (*world.last_read == reset) continue;
        CHECK(*world.last_read == asio::error::eof);
        is_whole = true;
    }
    CHECK(failing > 4);
}

TEST_CASE("client/websocket: a client that goes drops its connection, or lets it close in peace") {
    for (bool const is_closing : {true, false}) {
        asio::io_context io;
        test::memory_peer peer{io};
        std::string frames;
        std::optional<std::error_code> closed;
        {
            memory_client client{io.get_executor(), {}, memory_dialer{&io, &peer}};
            client.connect("ws://host/", asio::detached);
            io.poll();
            http::request_parser parser;
            auto const request = peer.take();
            std::string_view input = request;
            REQUIRE(parser.feed(input) == parse_status::done);
            std::string out;
            websocket::append_accept(out, parser.head());
            peer.send(out);
            io.restart();
            io.poll();
            REQUIRE(client.is_open());
            if (is_closing) client.close(1000, {}, keep(closed));
        }
        io.restart();
        io.poll();
        CHECK(peer.pipe().is_closed != is_closing);
        if (!is_closing) continue;
        websocket::append_close_frame(frames, 1000);
        peer.send(frames);
        peer.end_input();
        io.restart();
        io.run();
        CHECK(closed.value() == std::error_code{});
        CHECK(peer.pipe().is_closed);
    }
}

#ifdef ASIO_HAS_CO_AWAIT
TEST_CASE("client/websocket: talks to this library's server, with coroutines") {
    asio::io_context io;
    echo_server server{io};
    run_coroutine(io, [&]() -> asio::awaitable<void> {
        websocket_client client{io.get_executor()};
        for (int round = 0; round < 2; ++round) {
            co_await client.connect(server.url(), asio::use_awaitable);
            for (std::size_t const size :
                 std::initializer_list<std::size_t>{0, 1, 125, 126, 65535, 65536, 1000000}) {
                std::string const payload(size, 'x');
                co_await client.write_text(payload, asio::use_awaitable);
                auto message = co_await client.read(asio::use_awaitable);
                CHECK(message.is_text());
                CHECK(message.payload == payload);
                co_await client.write_binary(payload, asio::use_awaitable);
                message = co_await client.read(asio::use_awaitable);
                CHECK_FALSE(message.is_text());
                CHECK(message.payload.size() == size);
            }
            co_await client.close(websocket::close_code::going_away, asio::use_awaitable);
            CHECK(client.peer_close().code == 1001);
        }
    });
}
#endif

TEST_CASE("client/websocket: talks with futures from another thread") {
    asio::io_context io;
    echo_server server{io};
    auto const guard = asio::make_work_guard(io);
    std::thread thread{[&] { io.run(); }};
    // Everything is called on the executor; the futures wait here. The promise lives until both
    // threads are done with it, and the client ends where it lived: a future may be ready while the
    // other thread is still on its way out of the operation.
    auto const on_executor = [&](auto call) {
        auto const started = std::make_shared<std::promise<decltype(call())>>();
        auto result = started->get_future();
        asio::post(io, [started, call] { started->set_value(call()); });
        return result.get();
    };
    auto client = std::make_unique<websocket_client>(io.get_executor());
    on_executor([&] { return client->connect(server.url(), asio::use_future); }).get();
    on_executor([&] { return client->write_text("future", asio::use_future); }).get();
    auto const message = on_executor([&] { return client->read(asio::use_future); }).get();
    CHECK(message.payload == "future");
    on_executor([&] { return client->close(1000, {}, asio::use_future); }).get();
    // The exception is looked at once the other thread is gone: what libstdc++ counts its
    // references with is invisible to the thread sanitizer.
    auto ended = on_executor([&] { return client->read(asio::use_future); });
    ended.wait();
    asio::post(io, [&] {
        client.reset();
        io.stop();
    });
    thread.join();
    CHECK_THROWS_AS(ended.get(), std::system_error);
}

#ifdef ASIO_HAS_CO_AWAIT
TEST_CASE("client/dial: tries the other family where the first is dead [RFC 8305 5]") {
    asio::io_context io;
    echo_server server{io}; // 127.0.0.1 alone; localhost may be ::1 as well
    run_coroutine(io, [&]() -> asio::awaitable<void> {
        websocket_client client{io.get_executor()};
        co_await client.connect(server.url("localhost"), asio::use_awaitable);
        CHECK(client.is_open());
    });
}
#endif

namespace {

/// A port that neither answers nor refuses: its backlog is full.
class black_hole {
public:
    black_hole() {
        for (auto& each : waiting_) each.async_connect(address(), asio::detached);
        io_.poll();
    }
    [[nodiscard]] tcp::endpoint address() const { return acceptor_.local_endpoint(); }

private:
    static tcp::acceptor listen(asio::io_context& io) {
        tcp::acceptor made{io, tcp::v4()};
        made.bind({asio::ip::address_v4::loopback(), 0});
        made.listen(0);
        return made;
    }

    asio::io_context io_; // its own: these connections never come about
    tcp::acceptor acceptor_ = listen(io_);
    std::array<tcp::socket, 4> waiting_{tcp::socket{io_}, tcp::socket{io_}, tcp::socket{io_},
                                        tcp::socket{io_}};
};

struct dialled {
    std::error_code ec;
    tcp::endpoint peer;
};

dialled dial_addresses(asio::io_context& io, std::vector<tcp::endpoint> addresses,
                       dial_options const& options) {
    std::optional<dialled> result;
    auto const operation =
        std::make_shared<detail::dial_operation>(io.get_executor(), url{}, options, nullptr);
    auto const note = [&](std::error_code ec, tcp::socket socket) {
        result = dialled{ec, ec ? tcp::endpoint{} : socket.remote_endpoint()};
        CHECK(socket.is_open() == !ec);
    };
    operation->start(std::move(addresses), {note, io.get_executor()});
    io.restart();
    io.run();
    return result.value();
}

} // namespace

TEST_CASE("client/dial: goes past an address that does not answer [RFC 8305 5]") {
    asio::io_context io;
    black_hole dead;
    tcp::acceptor live{io, {asio::ip::address_v4::loopback(), 0}};
    tcp::acceptor closed{io, {asio::ip::address_v4::loopback(), 0}};
    auto const refusing = closed.local_endpoint();
    closed.close();
    dial_options options;
    options.attempt_delay = 1ms;
    auto const found =
        dial_addresses(io, {dead.address(), refusing, live.local_endpoint()}, options);
    CHECK(found.ec == std::error_code{});
    CHECK(found.peer == live.local_endpoint());

    CHECK(dial_addresses(io, {refusing, refusing}, options).ec == asio::error::connection_refused);
    options.connect_timeout = 5ms;
    CHECK(dial_addresses(io, {dead.address()}, options).ec == error::connect_timeout);
}

TEST_CASE("client/dial: is cancelled while it waits") {
    asio::io_context io;
    black_hole dead;
    url to;
    REQUIRE(parse_url("ws://" + std::string{"127.0.0.1:"} + std::to_string(dead.address().port()),
                      to) == error::none);
    asio::cancellation_signal signal;
    std::optional<std::error_code> outcome;
    dial(io.get_executor(), to, {},
         asio::bind_cancellation_slot(signal.slot(), [&](std::error_code ec, tcp::socket socket) {
             outcome = ec;
             CHECK_FALSE(socket.is_open());
         }));
    io.poll();
    CHECK_FALSE(outcome.has_value());
    signal.emit(asio::cancellation_type::terminal);
    io.restart();
    io.run();
    CHECK(outcome.value() == asio::error::operation_aborted);
}

#ifdef ASIO_HAS_CO_AWAIT
namespace {

/// A proxy for one connection: reads the head of a request, answers, and, if it answers 200,
/// carries bytes between the two sides.
class tiny_proxy {
public:
    tiny_proxy(asio::io_context& io, std::string answer)
        : io_{io}, acceptor_{io, {asio::ip::address_v4::loopback(), 0}}, answer_{
                                                                             std::move(answer)} {
        asio::co_spawn(io, serve(), asio::detached);
    }

    [[nodiscard]] proxy_options options() const {
        return {"127.0.0.1", acceptor_.local_endpoint().port(), {}, {}};
    }
    std::string request;

private:
    asio::awaitable<void> serve() {
        tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
        co_await asio::async_read_until(client, asio::dynamic_buffer(request), "\r\n\r\n",
                                        asio::use_awaitable);
        co_await asio::async_write(client, asio::buffer(answer_), asio::use_awaitable);
        if (answer_.find(" 200 ") == std::string::npos) co_return;
        auto const colon = request.find(':');
        auto const port = static_cast<std::uint16_t>(std::stoi(request.substr(colon + 1)));
        tcp::socket server{io_};
        co_await server.async_connect({asio::ip::address_v4::loopback(), port},
                                      asio::use_awaitable);
        client_ = std::move(client);
        server_ = std::move(server);
        asio::co_spawn(io_, carry(*client_, *server_), asio::detached);
        co_await carry(*server_, *client_);
    }

    asio::awaitable<void> carry(tcp::socket& from, tcp::socket& to) {
        std::array<char, 4096> bytes;
        std::error_code ec;
        for (;;) {
            auto const size = co_await from.async_read_some(
                asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
            if (ec) break;
            co_await asio::async_write(to, asio::buffer(bytes, size),
                                       asio::redirect_error(asio::use_awaitable, ec));
        }
        to.shutdown(tcp::socket::shutdown_send, ec);
    }

    asio::io_context& io_;
    tcp::acceptor acceptor_;
    std::string answer_;
    std::optional<tcp::socket> client_;
    std::optional<tcp::socket> server_;
};

} // namespace

TEST_CASE("client/dial: goes through a proxy [RFC 9110 9.3.6]") {
    asio::io_context io;
    echo_server server{io};
    tiny_proxy proxy{io, "HTTP/1.1 200 Established\r\nVia: x\r\n\r\n"};
    run_coroutine(io, [&]() -> asio::awaitable<void> {
        websocket_client client{io.get_executor()};
        client.options().dial.proxy = proxy.options();
        client.options().dial.proxy.user = "Aladdin";
        client.options().dial.proxy.password = "open sesame";
        co_await client.connect(server.url(), asio::use_awaitable);
        co_await client.write_text("through", asio::use_awaitable);
        auto const message = co_await client.read(asio::use_awaitable);
        CHECK(message.payload == "through");
        co_await client.close(1000, {}, asio::use_awaitable);
    });
    CHECK(proxy.request.find("CONNECT 127.0.0.1:" + std::to_string(server.port)) == 0);
    CHECK(proxy.request.find("Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n") !=
          std::string::npos);
}

TEST_CASE("client/dial: says what the proxy answered") {
    struct {
        std::string answer;
        error failure;
        unsigned status;
    } const vectors[]{
        {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
         error::proxy_refused, 407},
        {"HTTP/1.1 503 Busy\r\n\r\n", error::proxy_refused, 503},
        {"SOCKS?\r\n", error::bad_status_line, 0},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.answer);
        asio::io_context io;
        tiny_proxy proxy{io, v.answer};
        run_coroutine(io, [&]() -> asio::awaitable<void> {
            websocket_client client{io.get_executor()};
            client.options().dial.proxy = proxy.options();
            std::error_code ec;
            co_await client.connect("ws://host/", asio::redirect_error(asio::use_awaitable, ec));
            CHECK(ec == v.failure);
            CHECK(client.response().status() == v.status);
        });
    }
}
#endif
