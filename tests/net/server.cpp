#include <livetape/net/serve.hpp>
#include <livetape/net/server.hpp>
#include <livetape/wire/request_parser.hpp>

#include <support/blocking_client.hpp>

#include <doctest/doctest.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// Real sockets on the loopback: the server runs on a thread of its own, the tests are blocking
// clients. Nothing sleeps and nothing is timed.

namespace {

using namespace livetape;
using test::blocking_client;
using test::item_kind;
using namespace std::chrono_literals;

asio::ip::tcp::endpoint const any_port{asio::ip::address_v4::loopback(), 0};

/// A server with everything mounted, and its thread.
class running_server {
public:
    explicit running_server(server_options options = {}, live_options live = {},
                            channel_options const& channels = {})
        : all{channels}, served{io.get_executor(), all, std::move(options)} {
        live.hooks.publish = [](std::string_view, std::string_view) { return true; };
        live.clients_may_create_channels = true;
        endpoint = &served.live("/live", std::move(live));
        served.get("/hello", [](http::request_head const&) {
            return http_reply{200, "text/plain", "hello", {}};
        });
        live_options large;
        large.handler_message_bytes_max = 4u << 20;
        served.websocket(
            "/echo",
            [](websocket_link& link, websocket::opcode code, std::string_view payload) {
                link.send(code, payload);
            },
            std::move(large));
        port = served.listen(any_port).port();
        thread_ = std::thread{[this] { io.run(); }};
    }
    ~running_server() { stop(); }

    /// Returns when `io.run` has: whatever keeps it alive makes the test time out.
    void stop() {
        if (!thread_.joinable()) return;
        served.stop();
        thread_.join();
    }

    /// Calls `f` on the server's thread.
    template <class F>
    auto on_thread(F f) {
        std::packaged_task<decltype(f())()> task{std::move(f)};
        auto result = task.get_future();
        asio::post(io, [&task] { task(); });
        return result.get();
    }

    /// Waits for the server to have so many connections.
    void wait_for_connections(std::size_t count) {
        while (on_thread([this] { return served.connection_count(); }) != count)
            std::this_thread::yield();
    }

    asio::io_context io{1};
    hub all;
    server served;
    live_endpoint* endpoint = nullptr;
    std::uint16_t port = 0;

private:
    std::thread thread_;
};

std::string cursor_text(channel const& of, std::uint64_t offset) {
    std::string text;
    append_position(text, {of.epoch(), offset});
    return text;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::uint64_t number_after(std::string_view text, std::string_view name) {
    auto const at = text.find(name);
    REQUIRE(at != std::string_view::npos);
    return std::stoull(std::string{text.substr(at + name.size(), 20)});
}

} // namespace

TEST_CASE("net/server: serves one event over every transport") {
    running_server s;
    auto& a = s.all.open("a");
    blocking_client websocket{s.port};
    websocket.open_websocket("/live/ws?channel=a");
    CHECK(contains(websocket.read_message().payload, R"("subscribed":"a")"));
    blocking_client raw{s.port};
    raw.open_websocket("/live/ws/raw/a");
    blocking_client sse{s.port};
    sse.get("/live/sse?channel=a");
    CHECK(contains(sse.read_until("\n\n"), "text/event-stream"));
    blocking_client poll{s.port};
    poll.get("/live/poll?channel=a&wait=60&cursor=" + cursor_text(a, 0));

    blocking_client publisher{s.port};
    publisher.send(
        "POST /live/publish?channel=a HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        "Content-Length: 7\r\n\r\n{\"x\":1}");
    CHECK(contains(publisher.read_response(), R"("offset":1)"));

    auto const envelope = R"({"channel":"a","offset":1,"data":{"x":1}})";
    CHECK(websocket.read_message().payload == envelope);
    CHECK(raw.read_message().payload == R"({"x":1})");
    CHECK(contains(sse.read_until("\n\n"), std::string{"data: "} + envelope));
    CHECK(contains(poll.read_response(), std::string{"\"events\":["} + envelope + "]"));

    poll.get("/live/poll?channel=a");
    CHECK(contains(poll.read_response(), envelope));
}

TEST_CASE("net/server: keeps a connection for one request after another, and pipelined ones") {
    running_server s;
    blocking_client client{s.port};
    for (int i = 0; i < 3; ++i) {
        client.get("/hello");
        CHECK(client.read_response().ends_with("hello"));
    }
    client.get("/missing");
    CHECK(client.read_response().starts_with("HTTP/1.1 404 "));
    client.send(
        "GET /hello HTTP/1.1\r\nHost: test\r\n\r\nHEAD /hello HTTP/1.1\r\nHost: test\r\n\r\n"
        "GET /live/poll?channel=a HTTP/1.1\r\nHost: test\r\n\r\n"
        "POST /live/publish?channel=a HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi"
        "GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n");
    CHECK(client.read_response().ends_with("hello"));
    auto const head_only = client.read_response(false);
    CHECK(contains(head_only, "Content-Length: 5\r\n"));
    CHECK(contains(client.read_response(), R"("events":[])"));
    CHECK(contains(client.read_response(), R"("offset":1)"));
    auto const rest = client.read_to_end();
    CHECK(rest.ends_with("hello"));
    CHECK(rest.find("HTTP/1.1") == rest.rfind("HTTP/1.1"));
}

TEST_CASE("net/server: answers thousands of pipelined requests") {
    running_server s;
    constexpr int count = 4'000;
    blocking_client client{s.port};
    std::thread sender{[&] {
        std::string requests;
        for (int i = 0; i < count; ++i) requests += "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n";
        client.send(requests);
    }};
    int answered = 0;
    for (int i = 0; i < count; ++i) answered += client.read_response().ends_with("hello") ? 1 : 0;
    sender.join();
    CHECK(answered == count);
}

TEST_CASE("net/server: gives others their turn between requests that come one after another") {
    asio::io_context io{1};
    hub all;
    server served{io.get_executor(), all};
    asio::ip::tcp::socket client{io};
    constexpr int count = 100;
    int calls = 0;
    int turns_of_others = 0;
    int calls_without_a_turn = 0;
    auto const ask = [&client] {
        std::string const request = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
        asio::write(client, asio::buffer(request));
    };
    served.get("/", [&](http::request_head const&) {
        if (turns_of_others != calls) ++calls_without_a_turn;
        ++calls;
        asio::post(io, [&] { ++turns_of_others; });
        // The next request is there before this one is answered.
        if (calls < count) ask();
        else io.stop();
        return http_reply{200, "text/plain", "", {}};
    });
    client.connect({any_port.address(), served.listen(any_port).port()});
    ask();
    io.run();
    CHECK(calls == count);
    CHECK(calls_without_a_turn == 0);
}

TEST_CASE("net/server: answers what it does not serve") {
    server_options options;
    options.request.head.head_bytes_max = 4096;
    running_server s{std::move(options)};
    auto const status_of = [&](std::string_view bytes) {
        blocking_client client{s.port};
        client.send(bytes);
        return client.read_until("\r\n\r\n").substr(9, 3);
    };
    CHECK(status_of("GET /missing HTTP/1.1\r\nHost: test\r\n\r\n") == "404");
    CHECK(status_of("GET /live HTTP/1.1\r\nHost: test\r\n\r\n") == "404");
    CHECK(status_of("GET /live/missing HTTP/1.1\r\nHost: test\r\n\r\n") == "404");
    CHECK(status_of("POST /hello HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n") == "405");
    CHECK(status_of("DELETE /live/sse?channel=a HTTP/1.1\r\nHost: test\r\n\r\n") == "405");
    CHECK(status_of("GET /live/ws HTTP/1.1\r\nHost: test\r\n\r\n") == "426");
    CHECK(status_of("GET /echo HTTP/1.1\r\nHost: test\r\n\r\n") == "426");
    CHECK(status_of("GET /hello HTTP/1.1\r\nHost: test\r\nX: " + std::string(5000, 'x') +
                    "\r\n\r\n") == "431");
    CHECK(status_of("GET /hello HTTP/3.0\r\nHost: test\r\n\r\n") == "505");
    CHECK(status_of("nonsense\r\n\r\n") == "400");
    CHECK(s.served.errors()[error::head_too_large] == 1);
    CHECK(s.served.errors()[error::method_not_allowed] == 1);

    blocking_client with_body{s.port};
    with_body.send("POST /missing HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nGET /");
    auto const answer = with_body.read_to_end();
    CHECK(answer.starts_with("HTTP/1.1 404 "));
    CHECK(contains(answer, "Connection: close\r\n"));
}

TEST_CASE("net/server: closes after HTTP/1.0 unless it is asked to keep the connection") {
    running_server s;
    blocking_client once{s.port};
    once.send("GET /hello HTTP/1.0\r\n\r\n");
    auto const answer = once.read_to_end();
    CHECK(contains(answer, "Connection: close\r\n"));
    CHECK(answer.ends_with("hello"));

    blocking_client kept{s.port};
    for (int i = 0; i < 2; ++i) {
        kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        CHECK(contains(kept.read_response(), "Connection: keep-alive\r\n"));
        kept.send("GET /missing HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        CHECK(contains(kept.read_response(), "Connection: keep-alive\r\n"));
    }
}

TEST_CASE("net/server: serves the files below a prefix that ends with a segment") {
    auto name = (std::filesystem::temp_directory_path() / "livetape_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    asio::io_context io;
    hub all;
    server served{io.get_executor(), all};
    CHECK_THROWS(served.files("/missing", name + "/missing"));
    served.files("/docs", name);
    std::filesystem::create_directory(name + "/sub");
    served.files("/docs/other", name + "/sub");
    auto const port = served.listen(any_port).port();
    std::thread thread{[&] { io.run(); }};
    {
        std::unique_ptr<FILE, int (*)(FILE*)> const file{std::fopen((name + "/2").c_str(), "w"),
                                                         &std::fclose};
        REQUIRE(file);
    }
    blocking_client client{port};
    client.get("/docs/2");
    CHECK(client.read_response().starts_with("HTTP/1.1 200 "));
    client.get("/docs2");
    CHECK(client.read_response().starts_with("HTTP/1.1 404 "));
    client.get("/docs/other/2");
    CHECK(client.read_response().starts_with("HTTP/1.1 404 "));
    client.get("/docs/../docs/2");
    client.read_response();
    served.stop();
    thread.join();
    std::filesystem::remove_all(name);
}

TEST_CASE("net/server: feeds two hundred connections at once, in order") {
    running_server s;
    auto& a = s.all.open("a");
    std::vector<blocking_client> websockets;
    std::vector<blocking_client> streams;
    for (int i = 0; i < 100; ++i) {
        websockets.emplace_back(s.port).open_websocket("/live/ws/raw/a");
        streams.emplace_back(s.port).get("/live/sse/raw/a");
        streams.back().read_until("\n\n");
    }
    s.wait_for_connections(200);
    for (int i = 1; i <= 20; ++i) a.publish(std::to_string(i));
    int wrong = 0;
    for (auto& each : websockets)
        for (int i = 1; i <= 20; ++i)
            wrong += each.read_message().payload == std::to_string(i) ? 0 : 1;
    for (auto& each : streams)
        for (int i = 1; i <= 20; ++i)
            wrong += contains(each.read_until("\n\n"), "data: " + std::to_string(i) + "\n") ? 0 : 1;
    CHECK(wrong == 0);
}

TEST_CASE("net/server: takes all who waited before it ran, more than it takes in one turn") {
    asio::io_context io{1};
    hub all;
    server served{io.get_executor(), all};
    served.get("/hello", [](http::request_head const&) { return http_reply{.body = "hello"}; });
    auto const port = served.listen(any_port).port();
    std::vector<blocking_client> waiting;
    for (int i = 0; i < 200; ++i) waiting.emplace_back(port).get("/hello");

    std::thread thread{[&] { io.run(); }};
    int answered = 0;
    for (auto& each : waiting) answered += each.read_response().ends_with("hello") ? 1 : 0;
    CHECK(answered == 200);
    served.stop();
    thread.join();
}

TEST_CASE("net/server: sends all that is due on more channels than one write takes") {
    running_server s;
    std::string target = "/live/ws?snapshot=1";
    for (int i = 0; i < 100; ++i) {
        s.all.publish("c" + std::to_string(i), "1");
        target += "&channel=c" + std::to_string(i);
    }
    blocking_client client{s.port};
    client.open_websocket(target);
    for (int i = 0; i < 200; ++i) client.read_message();
    s.on_thread([&] {
        for (int i = 0; i < 100; ++i) s.all.publish("c" + std::to_string(i), "2");
        return 0;
    });
    int count = 0;
    for (int i = 0; i < 100; ++i)
        count += contains(client.read_message().payload, R"("data":2)") ? 1 : 0;
    CHECK(count == 100);
}

TEST_CASE("net/server: serves what several threads publish meanwhile") {
    running_server s;
    s.all.open("a");
    blocking_client websocket{s.port};
    websocket.open_websocket("/live/ws?channel=a");
    websocket.read_message();
    blocking_client sse{s.port};
    sse.get("/live/sse?channel=a");
    sse.read_until("\n\n");
    std::vector<std::thread> publishers;
    for (int i = 0; i < 4; ++i)
        publishers.emplace_back([&] {
            for (int n = 0; n < 500; ++n) s.all.publish("a", "1");
        });
    int wrong = 0;
    for (std::uint64_t offset = 1; offset <= 2000; ++offset) {
        wrong += number_after(websocket.read_message().payload, "\"offset\":") == offset ? 0 : 1;
        wrong += number_after(sse.read_until("\n\n"), "\"offset\":") == offset ? 0 : 1;
    }
    for (auto& each : publishers) each.join();
    CHECK(wrong == 0);
}

TEST_CASE("net/server: keeps others going while a client reads nothing, which then gets the rest "
          "or a gap") {
    for (bool const is_log_long : {true, false}) {
        CAPTURE(is_log_long);
        channel_options channels;
        channels.log_bytes_max = 64u << 20;
        channels.log_events_max = is_log_long ? 100'000 : 64;
        running_server s{{}, {}, channels};
        auto& a = s.all.open("a");
        blocking_client stalled{s.port, 4096};
        stalled.open_websocket("/live/ws?channel=a");
        stalled.read_message();
        blocking_client fast{s.port};
        fast.open_websocket("/live/ws?channel=a");
        fast.read_message();

        constexpr std::uint64_t last = 2000;
        std::string const payload = '"' + std::string(8000, 'x') + '"';
        int wrong = 0;
        for (std::uint64_t offset = 1; offset <= last; ++offset) {
            a.publish(payload);
            if (offset % 20 != 0) continue;
            for (auto due = offset - 19; due <= offset; ++due)
                wrong += number_after(fast.read_message().payload, "\"offset\":") == due ? 0 : 1;
        }
        CHECK(wrong == 0);

        bool has_gap = false;
        for (std::uint64_t due = 1; due <= last;) {
            auto const message = stalled.read_message();
            REQUIRE(message.kind == item_kind::text);
            if (message.payload.starts_with("{\"gap\"")) {
                has_gap = true;
                REQUIRE(number_after(message.payload, "\"from\":") == due);
                due = number_after(message.payload, "\"to\":") + 1;
            } else {
                REQUIRE(number_after(message.payload, "\"offset\":") == due);
                ++due;
            }
        }
        CHECK(has_gap != is_log_long);
    }
}

TEST_CASE("net/server: sends replies that collected behind a full socket without another push") {
    live_options live;
    live.reply_bytes_max = 64u << 20;
    running_server s{{}, std::move(live)};
    blocking_client client{s.port, 4096};
    client.open_websocket("/live/ws");
    constexpr int count = 40'000;
    std::string bytes;
    websocket::append_frame(
        bytes, {.opcode = websocket::opcode::ping, .is_final = true, .is_masked = true},
        std::string(100, 'p'));
    std::string many;
    for (int i = 0; i < 100; ++i) many += bytes;
    for (int i = 0; i < count / 100; ++i) client.send(many);
    int pongs = 0;
    while (pongs < count) {
        REQUIRE(client.read_message().kind == item_kind::pong);
        ++pongs;
    }
}

TEST_CASE("net/server: says good-bye to everybody when it stops, and lets the io_context return") {
    server_options options;
    options.drain_timeout = 10min;
    running_server s{std::move(options)};
    auto& a = s.all.open("a");
    blocking_client websocket{s.port};
    websocket.open_websocket("/live/ws?channel=a");
    websocket.read_message();
    blocking_client echo{s.port};
    echo.open_websocket("/echo");
    blocking_client sse{s.port};
    sse.get("/live/sse?channel=a");
    sse.read_until("\n\n");
    blocking_client poll{s.port};
    poll.get("/live/poll?channel=a&wait=60&cursor=" + cursor_text(a, 0));
    blocking_client idle{s.port};
    idle.get("/hello");
    idle.read_response();
    blocking_client after_poll{s.port};
    after_poll.get("/live/poll?channel=a&wait=60&cursor=" + cursor_text(a, 0));
    a.publish("1");
    after_poll.read_response();
    poll.read_response();
    poll.get("/live/poll?channel=a&wait=60&cursor=" + cursor_text(a, 1));
    blocking_client silent{s.port};
    blocking_client halfway{s.port};
    halfway.send("GET /hel");
    s.wait_for_connections(8);
    // The poll's request must have been read, or its connection counts as idle.
    while (s.on_thread([&] { return shard::of(s.io).wakes().slowest_offset(a); }) != 1u)
        std::this_thread::yield();
    s.on_thread([] { return 0; });
    s.served.stop();

    websocket.read_message();
    auto const goodbye = websocket.read_message();
    CHECK(goodbye.kind == item_kind::close);
    CHECK(goodbye.close_code == 1001);
    websocket.send_frame(websocket::opcode::close, "\x03\xe9");
    CHECK(websocket.read_to_end().empty());
    CHECK(echo.read_message().close_code == 1001);
    echo.send_frame(websocket::opcode::close, "\x03\xe9");
    CHECK(echo.read_to_end().empty());
    sse.read_to_end();
    CHECK(idle.read_to_end().empty());
    CHECK(after_poll.read_to_end().empty());
    CHECK(silent.read_to_end().empty());
    halfway.read_to_end();
    auto const answer = poll.read_to_end();
    if (!answer.empty()) CHECK(contains(answer, "\"events\":[]"));
    CHECK_THROWS(blocking_client{s.port}.get("/hello"));
    {
        auto const gone = std::move(sse);
        auto const also_gone = std::move(poll);
    }
    s.stop();
    CHECK(s.served.connection_count() == 0);
}

TEST_CASE("net/server: dismisses, stops and cuts what others put on its list, too") {
    struct listener final : live_connection {
        void shut_down() override { heard += "stop "; }
        void dismiss(std::string_view identity, dismissal const& why) override {
            heard.append(identity).append(" ").append(why.reason).append(" ");
        }
        void cancel() noexcept override { heard += "cut"; }
        std::string heard;
    };
    asio::io_context io;
    hub all;
    listener other;
    {
        server served{io.get_executor(), all};
        served.connections().push_back(other);
        served.dismiss("ann", {.reason = "enough"});
        io.poll();
        served.stop();
        io.restart();
        io.poll();
    }
    CHECK(other.heard == "ann enough stop cut");
    CHECK_FALSE(other.is_linked());
}

TEST_CASE("net/server: dismisses one client on all its connections, and nobody else") {
    live_options live;
    live.hooks.connect = [](http::request_head const& head) -> std::optional<client_identity> {
        return client_identity{head.field("X-Name").value_or("")};
    };
    running_server s{{}, std::move(live)};
    auto& a = s.all.open("a");
    auto const subscribe_as = [&](std::string_view name) {
        blocking_client sse{s.port};
        sse.get("/live/sse?channel=a", "X-Name: " + std::string{name} + "\r\n");
        sse.read_until("\n\n");
        return sse;
    };
    auto ann = subscribe_as("ann");
    auto bob = subscribe_as("bob");
    auto nobody = subscribe_as("");
    blocking_client poll{s.port};
    poll.get("/live/poll?channel=a&wait=60&cursor=" + cursor_text(a, 0), "X-Name: ann\r\n");
    // Its request must have been read.
    while (s.on_thread([&] { return a.subscriber_count(); }) != 4) std::this_thread::yield();
    s.served.dismiss("ann", {.reason = "enough"});
    s.served.dismiss("");
    s.served.dismiss("nobody in particular");
    CHECK(contains(ann.read_to_end(), R"("code":"dismissed","message":"enough")"));
    CHECK(poll.read_to_end().starts_with("HTTP/1.1 403 "));
    a.publish("1");
    CHECK(contains(bob.read_until("\n\n"), "\"data\":1"));
    CHECK(contains(nobody.read_until("\n\n"), "\"data\":1"));
}

TEST_CASE("net/server: cuts those who do not say good-bye when the drain is over") {
    server_options options;
    options.drain_timeout = 1ms;
    running_server s{std::move(options)};
    blocking_client client{s.port};
    client.open_websocket("/live/ws");
    s.stop();
    CHECK(client.read_message().close_code == 1001);
    CHECK(s.served.connection_count() == 0);
}

TEST_CASE("net/server: refuses connections over its limits until some are gone") {
    for (bool const is_per_address : {false, true}) {
        CAPTURE(is_per_address);
        server_options options;
        (is_per_address ? options.connections_per_address_max : options.connections_max) = 2;
        running_server s{std::move(options)};
        std::optional<blocking_client> first{s.port};
        first->get("/hello");
        CHECK(first->read_response().ends_with("hello"));
        blocking_client second{s.port};
        second.get("/hello");
        CHECK(second.read_response().ends_with("hello"));
        {
            blocking_client third{s.port};
            auto const answer = third.read_to_end();
            CHECK(answer.starts_with("HTTP/1.1 503 "));
            CHECK(contains(answer, "Retry-After: 5\r\n"));
        }
        CHECK(s.served.errors()[error::too_many_connections] == 1);
        first.reset();
        s.wait_for_connections(1);
        blocking_client fourth{s.port};
        fourth.get("/hello");
        CHECK(fourth.read_response().ends_with("hello"));
    }
}

TEST_CASE("net/server: does not wait for ever for a head or for another request") {
    server_options options;
    options.request.head_timeout = 1ms;
    options.request.keep_alive_timeout = 1ms;
    running_server s{std::move(options)};
    blocking_client halfway{s.port};
    halfway.send("GET /hel");
    auto const answer = halfway.read_to_end();
    CHECK((answer.empty() || answer.starts_with("HTTP/1.1 408 ")));
    blocking_client silent{s.port};
    CHECK(silent.read_to_end().empty());
}

TEST_CASE("net/server: answers a client that has shut its side, and lets go of one that resets") {
    running_server s;
    s.all.open("a");
    blocking_client half{s.port};
    half.get("/hello");
    half.shut_down();
    CHECK(half.read_to_end().ends_with("hello"));
    blocking_client websocket{s.port};
    websocket.open_websocket("/live/ws?channel=a");
    websocket.read_message();
    websocket.shut_down();
    CHECK(websocket.read_to_end().empty());
    blocking_client poll{s.port};
    poll.get("/live/poll?channel=a&wait=60");
    poll.shut_down();
    poll.read_to_end();

    for (auto const target : {"/live/sse?channel=a", "/live/poll?channel=a&wait=60", "/hello"}) {
        blocking_client client{s.port};
        client.get(target);
        client.reset();
    }
    blocking_client busy{s.port, 4096};
    busy.open_websocket("/live/ws/raw/a");
    for (int i = 0; i < 1000; ++i) s.all.publish("a", '"' + std::string(8000, 'x') + '"');
    busy.read_message();
    busy.reset();
    s.wait_for_connections(0);
    blocking_client client{s.port};
    client.get("/hello");
    CHECK(client.read_response().ends_with("hello"));
}

TEST_CASE("net/server: gives a clear error when the port is in use") {
    running_server s;
    asio::io_context io;
    server second{io.get_executor(), s.all};
    std::error_code ec;
    CHECK(second.listen({asio::ip::address_v4::loopback(), s.port}, {}, ec).port() == 0);
    CHECK(ec == asio::error::address_in_use);
    try {
        second.listen({asio::ip::address_v4::loopback(), s.port});
        FAIL("it listens");
    } catch (std::system_error const& failure) {
        CHECK(failure.code() == asio::error::address_in_use);
        CHECK(contains(failure.what(), std::to_string(s.port)));
    }
    io.run();
}

TEST_CASE("net/server: lets servers share a port if they are asked to") {
    asio::io_context io;
    hub all;
    server first{io.get_executor(), all};
    server second{io.get_executor(), all};
    listen_options const shared{16, true};
    auto const at = first.listen(any_port, shared);
    CHECK(second.listen(at, shared) == at);
}

TEST_CASE("net/server: hands whole messages of its own WebSocket paths to the host") {
    running_server s;
    blocking_client client{s.port};
    client.open_websocket("/echo");
    client.send_frame(websocket::opcode::text, "short");
    CHECK(client.read_message() == test::text("short"));
    std::string const large(1u << 20, 'x');
    client.send_frame(websocket::opcode::binary, large);
    CHECK(client.read_message() == test::binary(large));
    client.send_frame(websocket::opcode::text, large.substr(0, 100'000), false);
    client.send_frame(websocket::opcode::ping, "between");
    for (int i = 0; i < 8; ++i)
        client.send_frame(websocket::opcode::continuation, large.substr(0, 100'000), false);
    client.send_frame(websocket::opcode::continuation, "", true);
    CHECK(client.read_message() == test::pong("between"));
    CHECK(client.read_message() == test::text(large.substr(0, 900'000)));
    client.send_frame(websocket::opcode::close, "\x03\xe8");
    CHECK(client.read_message() == test::closed(1000));
    CHECK(client.read_to_end().empty());
}

TEST_CASE("net/server: takes WebSockets below a path that ends with a star, nearest first") {
    asio::io_context io;
    hub all;
    server served{io.get_executor(), all};
    auto const says = [](std::string_view name) {
        return [name](websocket_link& link, websocket::opcode code, std::string_view) {
            link.send(code, name);
        };
    };
    served.websocket("/*", says("any"));
    served.websocket("/rooms/*", says("rooms"));
    served.websocket("/rooms/7", says("seven"));
    served.live("/live");
    served.get("/page", [](http::request_head const&) { return http_reply{}; });
    served.files("/files", std::filesystem::temp_directory_path());
    auto const port = served.listen(any_port).port();
    std::thread thread{[&] { io.run(); }};
    std::array<std::array<std::string_view, 2>, 7> const answers{{{"/", "any"},
                                                                  {"/rooms", "any"},
                                                                  {"/rooms/", "rooms"},
                                                                  {"/rooms/8?x=/rooms/7", "rooms"},
                                                                  {"/rooms/7?x", "seven"},
                                                                  {"/rooms/7/", "rooms"},
                                                                  {"/*", "any"}}};
    for (auto const& each : answers) {
        CAPTURE(each[0]);
        blocking_client client{port};
        client.open_websocket(each[0]);
        client.send_frame(websocket::opcode::text, "?");
        CHECK(client.read_message() == test::text(std::string{each[1]}));
    }
    for (auto const target : {"/page", "/files", "/files/missing"}) {
        CAPTURE(target);
        CHECK_THROWS(blocking_client{port}.open_websocket(target));
    }
    blocking_client live{port};
    live.open_websocket("/live/ws");
    live.send_frame(websocket::opcode::text, "?");
    CHECK(contains(live.read_message().payload, "bad_json"));
    served.stop();
    { auto const gone = std::move(live); }
    thread.join();
}

TEST_CASE("net/server: goes with its connections, before the io_context") {
    for (bool const is_polled_afterwards : {false, true}) {
        auto io = std::make_unique<asio::io_context>();
        auto all = std::make_unique<hub>();
        all->open("a");
        auto served = std::make_unique<server>(io->get_executor(), *all);
        served->live("/live");
        auto const port = served->listen(any_port).port();
        std::array<std::string_view, 4> const targets{"/live/sse?channel=a",
                                                      "/live/poll?channel=a&wait=60", "/no", ""};
        std::vector<blocking_client> clients;
        for (auto const target : targets) {
            auto& client = clients.emplace_back(port);
            if (!target.empty()) client.get(target);
        }
        while (clients[0].is_without("\r\n\r\n") || clients[2].is_without("\r\n\r\n") ||
               served->connection_count() < targets.size())
            io->poll();
        all->publish("a", "1");
        served.reset();
        if (is_polled_afterwards) {
            all->publish("a", "2");
            io->poll();
            for (auto& each : clients) each.read_to_end();
        }
        all.reset();
        io.reset();
    }
}

TEST_CASE("net/server: can be stopped and destroyed from its own callbacks") {
    asio::io_context io;
    hub all;
    auto served = std::make_unique<server>(io.get_executor(), all);
    served->get("/end", [&](http::request_head const&) {
        served.reset();
        return http_reply{200, "text/plain", "gone", {}};
    });
    served->websocket("/stop", [&](websocket_link& link, websocket::opcode code, std::string_view) {
        link.send(code, "stopping");
        served->stop();
    });
    auto const port = served->listen(any_port).port();
    std::thread thread{[&] { io.run(); }};
    blocking_client end{port};
    blocking_client stop{port};
    stop.open_websocket("/stop");
    end.get("/end");
    CHECK(end.read_to_end().ends_with("gone"));
    CHECK(stop.read_to_end().empty());
    { auto const gone = std::move(end); }
    thread.join();

    served = std::make_unique<server>(io.get_executor(), all);
    served->websocket("/stop", [&](websocket_link& link, websocket::opcode code, std::string_view) {
        link.send(code, "stopping");
        served->stop();
    });
    auto const second_port = served->listen(any_port).port();
    io.restart();
    thread = std::thread{[&] { io.run(); }};
    blocking_client client{second_port};
    client.open_websocket("/stop");
    client.send_frame(websocket::opcode::text, "now");
    CHECK(client.read_message() == test::text("stopping"));
    CHECK(client.read_message().close_code == 1001);
    client.send_frame(websocket::opcode::close, "\x03\xe9");
    CHECK(client.read_to_end().empty());
    thread.join();
}

namespace {

/// A host with a listener and a parser of its own, that gives live requests to `serve`.
class host {
public:
    explicit host(hub& all) : endpoint_{all}, acceptor_{io_, any_port} {
        accept();
        thread_ = std::thread{[this] { io_.run(); }};
    }
    ~host() {
        asio::post(io_, [this] { acceptor_.close(); });
        thread_.join();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    std::atomic<int> served_count{0};
    std::atomic<int> returned_count{0};

private:
    using socket = asio::ip::tcp::socket;

    struct visitor {
        explicit visitor(socket s) : stream{std::move(s)} {}
        socket stream;
        http::request_parser parser;
        std::array<char, 100> buffer{};
    };

    void accept() {
        acceptor_.async_accept([this](std::error_code ec, socket accepted) {
            if (ec) return;
            read(std::make_shared<visitor>(std::move(accepted)), {});
            accept();
        });
    }

    void read(std::shared_ptr<visitor> const& from, std::string_view received) {
        auto const status = from->parser.feed(received);
        if (status == parse_status::done) return serve(*from, std::string{received});
        if (status == parse_status::failed) return;
        from->stream.async_read_some(asio::buffer(from->buffer),
                                     [this, from](std::error_code ec, std::size_t size) {
                                         if (!ec) read(from, {from->buffer.data(), size});
                                     });
    }

    void serve(visitor& from, std::string received) {
        ++served_count;
        livetape::serve(std::move(from.stream), from.parser.release(), endpoint_,
                        {"/live", std::move(received)},
                        [this](std::error_code ec, std::optional<returned_stream<socket>> back) {
                            ++returned_count;
                            CHECK(bool{ec} != bool{back});
                            if (back)
                                read(std::make_shared<visitor>(std::move(back->stream)),
                                     back->received);
                        });
    }

    live_endpoint endpoint_;
    asio::io_context io_;
    asio::ip::tcp::acceptor acceptor_;
    std::thread thread_;
};

} // namespace

TEST_CASE("net/serve: serves the streams that a host accepts, and gives them back after polls") {
    hub all;
    all.publish("a", "1");
    {
        host own{all};
        blocking_client client{own.port()};
        for (int i = 0; i < 3; ++i) {
            client.get("/live/poll?channel=a");
            CHECK(contains(client.read_response(), R"("data":1)"));
        }
        client.send("GET /live/poll?channel=a HTTP/1.1\r\nHost: test\r\n\r\nGET "
                    "/live/poll?channel=a HTTP/1.1\r\nHost: test\r\n\r\n");
        CHECK(contains(client.read_response(), R"("data":1)"));
        CHECK(contains(client.read_response(), R"("data":1)"));
        client.get("/live/sse/raw/a?snapshot=1");
        client.read_until("data: 1\n");
        all.publish("a", "2");
        client.read_until("data: 2\n");
        CHECK(own.served_count == 6);
        client.reset();
        while (own.returned_count < 6) std::this_thread::yield();
    }
}
