#include "../../examples/custom_transport/ndjson_transport.hpp"
#include "../../examples/embed/visitor.hpp"

#include <livetape/livetape.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace {

using namespace livetape;
using namespace std::chrono_literals;

/// A session without a connection: asked for what it writes.
template <class Session>
class lone_session {
public:
    lone_session(live_endpoint& endpoint, http::request_head const& head, std::string_view path)
        : session_{session_context{endpoint, wakes_, start, 0}, head, path} {}

    std::string written(std::size_t bytes_max = std::string::npos) {
        write_batch batch;
        session_.gather(batch, start);
        std::string text;
        for (std::size_t i = 0; i < batch.count(); ++i) text += batch.piece(i);
        if (text.size() > bytes_max) text.resize(bytes_max);
        session_.settle(batch, text.size(), start);
        return text;
    }

    void publish(channel& to, std::string_view payload) {
        to.publish(payload);
        wakes_.run(100, {});
    }

    Session* operator->() { return &session_; }

    static constexpr time_point start{};

private:
    dispatcher wakes_{[](void*) noexcept {}, nullptr};
    Session session_;
};

using ndjson_session = ndjson_transport::session;

http::request_head get(std::string_view target) { return {"GET", target, {{"Host", "localhost"}}}; }

std::string after_head(std::string const& response) {
    return response.substr(response.find("\r\n\r\n") + 4);
}

/// The last cursor that a stream of lines told.
std::string last_cursor(std::string const& lines) {
    constexpr std::string_view mark = R"({"cursor":")";
    auto const at = lines.rfind(mark) + mark.size();
    return lines.substr(at, lines.find('"', at) - at);
}

/// A client on the loopback device, in the same thread as the service that it talks to.
class loopback_client {
public:
    loopback_client(asio::io_context& io, asio::ip::tcp::endpoint const& service)
        : io_{io}, socket_{io} {
        socket_.connect({asio::ip::address_v4::loopback(), service.port()});
    }

    /// Sends a request and lets the service run until the answer has `text`, which is taken.
    bool ask(std::string_view request, std::string_view text) {
        asio::write(socket_, asio::buffer(request));
        return wait_for(text);
    }

    bool wait_for(std::string_view text) {
        auto const deadline = std::chrono::steady_clock::now() + 20s;
        for (auto at = received.find(text);; at = received.find(text)) {
            if (at != std::string::npos) {
                received.erase(0, at + text.size());
                return true;
            }
            if (std::chrono::steady_clock::now() > deadline) return false;
            io_.restart();
            io_.run_one_for(100ms);
            read_waiting();
        }
    }

    std::string received;

private:
    void read_waiting() {
        if (socket_.available() == 0) return;
        std::string bytes(socket_.available(), '\0');
        bytes.resize(socket_.read_some(asio::buffer(bytes)));
        received += bytes;
    }

    asio::io_context& io_;
    asio::ip::tcp::socket socket_;
};

std::string file_of_repository(std::string_view name) {
    auto const root = std::filesystem::path{CHECKOUT};
    std::ifstream in{root / name, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

TEST_CASE("examples/ndjson: a client gets its cursor, each event on a line, and the cursor again") {
    hub source{{}, {.seed = 1}};
    auto& ticks = source.open("ticks");
    live_endpoint endpoint{source};
    lone_session<ndjson_session> client{endpoint, get("/live/ndjson?channel=ticks"), "/ndjson"};

    auto const opening = client.written();
    CHECK(opening.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"));
    auto const cursor = last_cursor(opening);
    CHECK(after_head(opening) == "{\"cursor\":\"" + cursor + "\"}\n");
    CHECK(cursor.ends_with("-0"));

    ticks.publish("1");
    client.publish(ticks, R"({"two":2})");
    auto const lines = client.written();
    CHECK(lines.starts_with(
        "{\"channel\":\"ticks\",\"offset\":1,\"data\":1}\n"
        "{\"channel\":\"ticks\",\"offset\":2,\"data\":{\"two\":2}}\n{\"cursor\":\""));
    CHECK(last_cursor(lines).ends_with("-2"));
    CHECK(client.written().empty());
}

TEST_CASE("examples/ndjson: a client comes back with any cursor it was told and misses nothing") {
    hub source;
    auto& ticks = source.open("ticks");
    auto& quotes = source.open("quotes");
    live_endpoint endpoint{source};
    lone_session<ndjson_session> before{endpoint, get("/?channel=ticks,quotes"), "/ndjson"};
    CHECK(before.written().find("\"cursor\"") != std::string::npos);
    ticks.publish("1");
    before.publish(quotes, "10");
    auto const cursor = last_cursor(before.written());
    ticks.publish("2");
    quotes.publish("20");

    lone_session<ndjson_session> after{endpoint, get("/?channel=ticks,quotes&cursor=" + cursor),
                                       "/ndjson"};
    auto const lines = after_head(after.written());
    CHECK(lines.starts_with("{\"cursor\":\"" + cursor + "\"}\n"));
    CHECK(lines.find(R"({"channel":"ticks","offset":2,"data":2})") != std::string::npos);
    CHECK(lines.find(R"({"channel":"quotes","offset":2,"data":20})") != std::string::npos);
    CHECK(lines.find(R"("offset":1,)") == std::string::npos);
}

TEST_CASE("examples/ndjson: a write that is cut anywhere loses and doubles no byte") {
    hub source{{}, {.seed = 1}};
    auto& ticks = source.open("ticks");
    live_endpoint endpoint{source};
    lone_session<ndjson_session> whole{endpoint, get("/?channel=ticks"), "/ndjson"};
    (void)whole.written();
    whole.publish(ticks, "1");
    auto const expected = whole.written();
    for (std::size_t cut = 0; cut <= expected.size(); ++cut) {
        CAPTURE(cut);
        lone_session<ndjson_session> client{endpoint, get("/?channel=ticks&cursor=oldest"),
                                            "/ndjson"};
        auto const opening_bytes =
            lone_session<ndjson_session>{endpoint, get("/?channel=ticks"), "/ndjson"}
                .written()
                .size();
        auto text = client.written(opening_bytes + cut);
        for (std::string more = client.written(); !more.empty(); more = client.written())
            text += more;
        // A cut inside the cursor line makes it come twice; events never do.
        auto const events = text.substr(opening_bytes);
        CHECK(events.starts_with(R"({"channel":"ticks","offset":1,"data":1})"));
        CHECK(events.find("\"offset\"", 40) == std::string::npos);
        CHECK(events.ends_with(expected.substr(expected.find("{\"cursor\""))));
    }
}

TEST_CASE(
    "examples/ndjson: lost events are told and counted; a channel may end the stream instead") {
    for (auto const policy : {overrun_policy::skip, overrun_policy::close}) {
        CAPTURE(static_cast<int>(policy));
        hub source{{.log_events_max = 2, .on_overrun = policy}};
        auto& ticks = source.open("ticks");
        live_endpoint endpoint{source};
        lone_session<ndjson_session> client{endpoint, get("/?channel=ticks"), "/ndjson"};
        (void)client.written();
        for (auto const* const payload : {"1", "2", "3"}) ticks.publish(payload);
        client.publish(ticks, "4");
        auto const lines = client.written();
        CHECK(lines.starts_with(
            "{\"gap\":\"ticks\",\"from\":1,\"to\":2,\"reason\":\"retention\"}\n"));
        bool const goes_on = policy == overrun_policy::skip;
        CHECK((lines.find("\"offset\":3,") != std::string::npos) == goes_on);
        CHECK((client->end() == session_end::none) == goes_on);
        CHECK(endpoint.errors()[error::gap] == 1);
    }
}

TEST_CASE("examples/ndjson: a quiet stream gets an empty line; one that takes nothing is closed") {
    hub source;
    source.open("ticks");
    live_endpoint endpoint{source};
    auto const& options = endpoint.options();
    lone_session<ndjson_session> client{endpoint, get("/?channel=ticks"), "/ndjson"};
    (void)client.written();
    CHECK(client->wake(client.start) == client.start + options.heartbeat_interval);
    CHECK(client.written().empty());
    (void)client->wake(client.start + options.heartbeat_interval);
    CHECK(client.written(0).empty());
    (void)client->wake(client.start + options.write_timeout - 1ms);
    CHECK(client->end() == session_end::none);
    (void)client->wake(client.start + options.write_timeout);
    CHECK(client->end() == session_end::abort);
    CHECK(endpoint.errors()[error::stalled] == 1);

    lone_session<ndjson_session> other{endpoint, get("/?channel=ticks"), "/ndjson"};
    (void)other.written();
    (void)other->wake(other.start + options.heartbeat_interval);
    CHECK(other.written() == "\n");
}

TEST_CASE(
    "examples/ndjson: a request that cannot be served is refused as on the other transports") {
    hub source;
    source.open("ticks");
    live_endpoint endpoint{source};
    struct {
        http::request_head head;
        std::string_view answer;
        error counted;
    } const cases[] = {
        {get("/"), "HTTP/1.1 400 ", error::bad_query},
        {get("/?channel=other"), "HTTP/1.1 404 ", error::unknown_channel},
        {get("/?channel=a..b"), "HTTP/1.1 400 ", error::bad_channel_name},
        {get("/?channel=ticks&cursor=x"), "HTTP/1.1 400 ", error::bad_cursor},
        {get("/?channel=ticks&mode=newest"), "HTTP/1.1 501 ", error::unsupported},
        {{"POST", "/?channel=ticks"}, "HTTP/1.1 405 ", error::method_not_allowed},
    };
    for (auto const& each : cases) {
        CAPTURE(each.head.target());
        lone_session<ndjson_session> client{endpoint, each.head, "/ndjson"};
        CHECK(client.written().starts_with(each.answer));
        CHECK(client->end() == session_end::close);
        CHECK(endpoint.errors()[each.counted] == 1);
    }
}

TEST_CASE("examples/custom_transport: a server takes the host's transport beside its own") {
    asio::io_context io{1};
    hub source;
    auto& ticks = source.open("ticks");
    basic_server<transports<ndjson_transport, poll_transport>> server{io.get_executor(), source};
    server.live("/live");
    auto const at = server.listen({asio::ip::address_v4::loopback(), 0});

    loopback_client stream{io, at};
    CHECK(stream.ask("GET /live/ndjson?channel=ticks HTTP/1.1\r\nHost: x\r\n\r\n", "-0\"}\n"));
    ticks.publish(R"("tick")");
    CHECK(stream.wait_for("{\"channel\":\"ticks\",\"offset\":1,\"data\":\"tick\"}\n"));
    loopback_client poll{io, at};
    CHECK(poll.ask("GET /live/poll?channel=ticks HTTP/1.1\r\nHost: x\r\n\r\n",
                   R"("data":"tick"}]})"));
    CHECK(poll.ask("GET /live/sse?channel=ticks HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "));
}

TEST_CASE("examples/embed: a service hands a connection over and gets it back after a poll") {
    asio::io_context io{1};
    hub source;
    source.open("beeps");
    live_endpoint live{source};
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    acceptor.async_accept([&](std::error_code ec, asio::ip::tcp::socket socket) {
        REQUIRE(!ec);
        std::make_shared<visitor>(std::move(socket), std::string{}, live)->next_request();
    });

    loopback_client client{io, acceptor.local_endpoint()};
    CHECK(client.ask("GET /beep HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\nbeep 1\n"));
    CHECK(client.ask("GET /live/poll?channel=beeps HTTP/1.1\r\nHost: x\r\n\r\n", R"("offset":1,)"));
    // Two requests at once: what livetape has read of the second comes back with the connection.
    std::string cursor;
    append_position(cursor, {source.find("beeps")->epoch(), 1});
    CHECK(client.ask("GET /live/poll?channel=beeps&wait=60&cursor=" + cursor +
                         " HTTP/1.1\r\nHost: x\r\n\r\nGET /beep HTTP/1.1\r\nHost: x\r\n\r\n",
                     {}));
    io.poll();
    source.publish("beeps", "true");
    CHECK(client.wait_for(R"("offset":2,"data":true)"));
    CHECK(client.wait_for("\r\n\r\nbeep 3\n"));
    CHECK(
        client.ask("GET /live/nothing HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"));
}

TEST_CASE("examples/embed: a service answers what it does not know by itself") {
    asio::io_context io{1};
    hub source;
    live_endpoint live{source};
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    struct {
        std::string_view request;
        std::string_view answer;
    } const cases[] = {{"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "},
                       {"POST /beep HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "},
                       {"nonsense\r\n\r\n", "HTTP/1.1 400 "}};
    for (auto const& each : cases) {
        CAPTURE(each.request);
        acceptor.async_accept([&](std::error_code, asio::ip::tcp::socket socket) {
            std::make_shared<visitor>(std::move(socket), std::string{}, live)->next_request();
        });
        loopback_client client{io, acceptor.local_endpoint()};
        CHECK(client.ask(each.request, each.answer));
    }
}

TEST_CASE("examples/ten_lines: the README shows the program as it is") {
    auto const program = file_of_repository("examples/ten_lines/ten_lines.cpp");
    auto const readme = file_of_repository("README.md");
    auto const begin = program.find("#include");
    REQUIRE(begin != std::string::npos);
    CHECK(readme.find("```cpp\n" + program.substr(begin) + "```") != std::string::npos);
}

TEST_CASE("docs/errors: the page has each error with its status, its close code and its message") {
    auto const page = file_of_repository("docs/errors.md");
    for (std::size_t i = 1; i < error_count; ++i) {
        auto const& known = describe(static_cast<error>(i));
        std::string const row = "| `" + std::string{known.name} + "` | " +
                                std::to_string(known.http_status) + " | " +
                                std::to_string(known.close_code) + " | ";
        CAPTURE(row);
        auto const at = page.find(row);
        REQUIRE(at != std::string::npos);
        auto const line = page.substr(at, page.find('\n', at) - at);
        CHECK(line.find(known.message) != std::string::npos);
    }
}
