#include <livetape/client/websocket_client.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <livetape/wire/request_parser.hpp>

#include <support/memory_stream.hpp>
#include <support/message_driver.hpp>

#include <doctest/doctest.h>

using namespace livetape;
using namespace std::chrono_literals;
using websocket::opcode;

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
