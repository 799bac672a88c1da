#include <livetape/net/connection.hpp>
#include <livetape/net/server.hpp>
#include <livetape/transport/message_session.hpp>
#include <livetape/transport/poll_session.hpp>
#include <livetape/wire/frame_header.hpp>

#include <support/blocking_client.hpp>
#include <support/memory_stream.hpp>

#include <doctest/doctest.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

// Clients that send much before they read: over streams in memory, where every step is a test's,
// and over the loopback.

namespace {

using namespace livetape;
using test::blocking_client;
using test::memory_peer;
using test::memory_stream;
using websocket::opcode;

std::string client_frame(opcode code, std::string_view payload, bool is_final = true) {
    std::string bytes;
    websocket::append_frame(
        bytes,
        {.opcode = code, .is_final = is_final, .is_masked = true, .masking_key = {1, 2, 3, 4}},
        payload);
    return bytes;
}

std::string server_frame(opcode code, std::string_view payload) {
    std::string bytes;
    websocket::append_frame(bytes, code, payload);
    return bytes;
}

http::request_head upgrade() {
    return {"GET",
            "/echo",
            {{"Host", "test"},
             {"Upgrade", "websocket"},
             {"Connection", "Upgrade"},
             {"Sec-WebSocket-Version", "13"},
             {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}};
}

struct count_done {
    int* count;
    template <class Session, class Stream>
    void operator()(std::error_code, Session&, Stream&) const {
        ++*count;
    }
};

/// An echo connection over a stream in memory that takes 4000 bytes before the peer reads.
struct echo_world {
    explicit echo_world(asio::io_context& on) : io{on}, peer{io} {
        peer.pipe().output_max = 4000;
        session_context const context{endpoint, shard::of(io).wakes(), clock::now(), 0};
        connection<memory_stream, message_session, count_done>::start(
            peer.stream(), &listed, {}, count_done{&done_count}, context, upgrade(), handler);
        io.poll();
        peer.take();
    }

    /// Runs what can run; false if the io_context has run out of work.
    bool poll() {
        io.restart();
        while (io.poll() > 0) {
        }
        return !io.stopped();
    }

    /// What the peer gets if it reads so much at a time until nothing more comes.
    std::string read(std::size_t bytes_max = test::memory_pipe::unlimited) {
        std::string received;
        for (poll(); !peer.pipe().output.empty(); poll()) received += peer.take(bytes_max);
        return received;
    }

    asio::io_context& io;
    hub all;
    live_endpoint endpoint{all, {.reply_bytes_max = 5000, .fragment_bytes_max = 1000}};
    memory_peer peer;
    connection_list listed;
    int done_count = 0;
    message_handler const handler = [](websocket_link& link, opcode code,
                                       std::string_view payload) { link.send(code, payload); };
};

/// A server whose /echo sends everything back, and its thread.
class echo_server {
public:
    explicit echo_server(std::size_t reply_bytes_max = 16u << 10) : served{io.get_executor(), all} {
        live_options options;
        options.reply_bytes_max = reply_bytes_max;
        served.websocket(
            "/echo",
            [this](websocket_link& link, opcode code, std::string_view payload) {
                waiting_max = std::max(waiting_max.load(), link.out.reply_bytes());
                ++handled;
                link.send(code, payload);
            },
            std::move(options));
        served.get("/hello", [](http::request_head const& head) {
            return http_reply{200, "text/plain", std::string{head.query()}, {}};
        });
        port = served.listen({asio::ip::address_v4::loopback(), 0}).port();
        thread_ = std::thread{[this] { io.run(); }};
    }
    ~echo_server() {
        served.stop();
        thread_.join();
    }

    asio::io_context io{1};
    hub all;
    server served;
    std::uint16_t port = 0;
    std::atomic<std::size_t> waiting_max{0}; ///< replies that waited when a message was handled
    std::atomic<std::size_t> handled{0};

private:
    std::thread thread_;
};

/// Sends bytes from a thread of its own.
class sender {
public:
    sender(blocking_client& client, std::string bytes)
        : thread_{[&client, bytes = std::move(bytes), this] {
              try {
                  client.send(bytes);
              } catch (std::runtime_error const&) {
                  has_failed = true;
              }
          }} {}
    ~sender() { thread_.join(); }

    std::atomic<bool> has_failed{false};

private:
    std::thread thread_;
};

} // namespace

TEST_CASE("net/back_pressure: reads a stream no further than its answers go, and all of it in the "
          "end") {
    asio::io_context io;
    echo_world w{io};
    std::string sent, expected;
    for (int i = 0; i < 50'000; ++i) {
        sent += client_frame(opcode::text, std::to_string(i));
        expected += server_frame(opcode::text, std::to_string(i));
    }
    w.peer.send(sent);
    CHECK(w.poll());
    // Of 4096 bytes that a read brings about half are payload.
    CHECK(w.peer.pipe().input.size() > sent.size() - 30'000);
    auto const received = w.read(1234);
    CHECK((received == expected));
    CHECK(w.peer.pipe().input.empty());

    w.peer.send(client_frame(opcode::close, "\x03\xe8"));
    w.poll();
    w.peer.end_input();
    CHECK_FALSE(w.poll());
    CHECK(w.done_count == 1);
}

TEST_CASE("net/back_pressure: goes on after messages that go in fragments") {
    asio::io_context io;
    echo_world w{io};
    for (int i = 0; i < 20; ++i)
        w.peer.send(client_frame(opcode::binary, std::string(20'000, 'x')) +
                    client_frame(opcode::ping, std::to_string(i)));
    CHECK(w.poll());
    CHECK(w.peer.pipe().input.size() > 350'000);
    auto const received = w.read();
    auto const items =
        test::read_in_pieces(websocket::role::client, received, received.size(), {1u << 20});
    REQUIRE(items.size() == 40);
    CHECK(std::count(items.begin(), items.end(), test::binary(std::string(20'000, 'x'))) == 20);
    for (int i = 0; i < 20; ++i)
        CHECK(std::count(items.begin(), items.end(), test::pong(std::to_string(i))) == 1);
}

TEST_CASE("net/back_pressure: the end of input comes after all that was sent") {
    asio::io_context io;
    echo_world w{io};
    std::string sent;
    for (int i = 0; i < 5'000; ++i) sent += client_frame(opcode::text, std::to_string(i));
    w.peer.send(sent);
    w.peer.end_input();
    auto const received = w.read(1234);
    CHECK(test::read_in_pieces(websocket::role::client, received, received.size()).size() == 5'000);
    CHECK(w.done_count == 1);
    CHECK(w.peer.pipe().is_closed);
}

TEST_CASE("net/back_pressure: a connection that is not read can be shut down and cancelled, and "
          "goes with its io_context") {
    auto const flood = client_frame(opcode::binary, std::string(30'000, 'x')) +
                       client_frame(opcode::binary, std::string(30'000, 'y'));
    SUBCASE("shut down") {
        asio::io_context io;
        echo_world w{io};
        w.peer.send(flood + client_frame(opcode::close, "\x03\xe8"));
        w.poll();
        w.listed.for_each([](live_connection& each) { each.shut_down(); });
        auto const received = w.read();
        CHECK(test::read_in_pieces(websocket::role::client, received, received.size())
                  .back()
                  .close_code == 1001);
        w.peer.end_input();
        CHECK_FALSE(w.poll());
        CHECK(w.done_count == 1);
    }
    SUBCASE("cancelled") {
        asio::io_context io;
        echo_world w{io};
        w.peer.send(flood);
        w.poll();
        w.listed.pop_front()->cancel();
        CHECK_FALSE(w.poll());
        CHECK(w.peer.pipe().is_closed);
        CHECK(w.done_count == 0);
    }
    SUBCASE("with its io_context") {
        auto io = std::make_unique<asio::io_context>();
        hub all;
        live_endpoint endpoint{all, {.reply_bytes_max = 5000}};
        message_handler const handler = [](websocket_link& link, opcode code,
                                           std::string_view payload) { link.send(code, payload); };
        connection_list listed;
        int done_count = 0;
        {
            // The stream alone keeps the pipe, whose timers are the io_context's.
            memory_peer peer{*io};
            peer.pipe().output_max = 4000;
            session_context const context{endpoint, shard::of(*io).wakes(), clock::now(), 0};
            connection<memory_stream, message_session, count_done>::start(
                peer.stream(), &listed, {}, count_done{&done_count}, context, upgrade(), handler);
            peer.send(flood);
            io->poll();
            CHECK_FALSE(peer.pipe().input.empty());
        }
        CHECK_FALSE(listed.empty());
        io.reset();
        CHECK(listed.empty());
        CHECK(done_count == 0);
    }
}

TEST_CASE("net/back_pressure: a poll that waits stays, however much is sent ahead") {
    asio::io_context io;
    hub all;
    auto& a = all.open("a");
    live_endpoint endpoint{all};
    memory_peer peer{io};
    int done_count = 0;
    session_context const context{endpoint, shard::of(io).wakes(), clock::now(), 0};
    http::request_head const head{
        "GET", "/poll?channel=a&wait=30&cursor=now", {{"Host", "test"}}, 1};
    connection<memory_stream, poll_session, count_done>::start(
        peer.stream(), nullptr, {}, count_done{&done_count}, context, head, "/poll");
    peer.send(std::string(3 * pipelined_bytes_max, 'x'));
    io.poll();
    CHECK(peer.pipe().input.size() > pipelined_bytes_max);
    CHECK(peer.pipe().output.empty());
    a.publish("1");
    io.restart();
    while (io.poll() > 0) io.restart();
    CHECK(peer.take().ends_with(R"("events":[{"channel":"a","offset":1,"data":1}]})"
                                "\n"));
    CHECK(done_count == 1);
}

TEST_CASE("net/back_pressure: an echo client that sends 16 MB before it reads gets it all") {
    echo_server s;
    blocking_client client{s.port, 4096};
    client.open_websocket("/echo");
    std::string const payload(1000, 'x');
    std::string sent;
    constexpr std::size_t count = 16'000;
    for (std::size_t i = 0; i < count; ++i) sent += client_frame(opcode::binary, payload);
    sender const sending{client, std::move(sent)};
    while (s.waiting_max < (16u << 10) - 1000 && !sending.has_failed) std::this_thread::yield();
    auto const expected = server_frame(opcode::binary, payload);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i)
        wrong += client.read(expected.size()) == expected ? 0 : 1;
    CHECK(wrong == 0);
    CHECK(s.waiting_max <= 16u << 10);
}

TEST_CASE("net/back_pressure: messages of 1 MiB come back as slowly as they are read") {
    echo_server s;
    blocking_client client{s.port, 4096};
    client.open_websocket("/echo");
    std::string sent;
    for (char const each : {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'})
        sent += client_frame(opcode::binary, std::string(1u << 20, each));
    sender const sending{client, std::move(sent)};
    while (s.handled == 0) std::this_thread::yield();
    for (char const each : {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'}) {
        auto const message = client.read_message();
        CHECK((message == test::binary(std::string(1u << 20, each))));
    }
}

TEST_CASE("net/back_pressure: a message of 16 MiB in small fragments, with pings between, comes "
          "back after its pongs") {
    echo_server s;
    blocking_client client{s.port, 4096};
    client.open_websocket("/echo");
    std::string const part(1024, 'x');
    constexpr std::size_t parts = 16u << 10;
    std::string sent;
    for (std::size_t i = 0; i < parts; ++i) {
        sent += client_frame(i == 0 ? opcode::binary : opcode::continuation, part, i == parts - 1);
        sent += client_frame(opcode::ping, std::string(125, 'p'));
    }
    sender const sending{client, std::move(sent)};
    auto const pong = server_frame(opcode::pong, std::string(125, 'p'));
    std::size_t wrong = 0;
    // The last pong comes between two fragments of the echo, or before them.
    for (std::size_t i = 0; i + 1 < parts; ++i) wrong += client.read(pong.size()) == pong ? 0 : 1;
    CHECK(wrong == 0);
    std::size_t payload_bytes = 0, pongs = 0;
    while (payload_bytes < 16u << 20) {
        websocket::frame_header header;
        auto bytes = client.read(2);
        auto result = websocket::parse_header(bytes, header);
        while (result.status == parse_status::need_more) {
            bytes += client.read(1);
            result = websocket::parse_header(bytes, header);
        }
        REQUIRE(result.status == parse_status::done);
        auto const payload = client.read(static_cast<std::size_t>(header.payload_bytes));
        if (header.opcode == opcode::pong) ++pongs;
        else payload_bytes += payload.size();
    }
    CHECK(payload_bytes == 16u << 20);
    if (pongs == 0) CHECK(client.read(pong.size()) == pong);
    else CHECK(pongs == 1);
}

TEST_CASE("net/back_pressure: requests that are sent ahead are all answered, in order, also when "
          "the client has ended its side") {
    echo_server s;
    blocking_client client{s.port, 4096};
    constexpr int count = 30'000;
    std::string sent;
    for (int i = 0; i < count; ++i)
        sent += "GET /hello?" + std::to_string(i) +
                " HTTP/1.1\r\nHost: test\r\nX-Filler: " + std::string(50, 'x') + "\r\n\r\n";
    {
        sender const sending{client, std::move(sent)};
        int wrong = 0;
        for (int i = 0; i < count; ++i)
            wrong += client.read_response().ends_with("\r\n\r\n" + std::to_string(i)) ? 0 : 1;
        CHECK(wrong == 0);
    }
    blocking_client brief{s.port};
    brief.get("/hello?1");
    brief.get("/hello?2");
    brief.get("/hello?3");
    brief.shut_down();
    auto const answers = brief.read_to_end();
    for (char const* const each : {"\r\n\r\n1HTTP", "\r\n\r\n2HTTP", "\r\n\r\n3"})
        CHECK(answers.find(each) != std::string::npos);
}
