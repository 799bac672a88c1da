#include <livetape/channel/hub.hpp>
#include <livetape/client/poll_client.hpp>
#include <livetape/client/sse_client.hpp>
#include <livetape/client/subscription_client.hpp>
#include <livetape/client/tls.hpp>
#include <livetape/net/server.hpp>
#include <livetape/net/tls.hpp>

#include <support/scripted_server.hpp>
#include <support/tls_certificates.hpp>

#include <doctest/doctest.h>

#include <asio/buffer.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/error.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/write.hpp>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

namespace {

using namespace livetape;
using namespace std::chrono_literals;
using feed_type = basic_subscription_client<tls_dialer>;

/// A server with TLS, and the dialer that trusts it, on one io_context.
struct fixture {
    explicit fixture(client_certificates clients = client_certificates::none) {
        auto const pem = authority.issue("localhost", "DNS:localhost,IP:127.0.0.1");
        tls_context const tls{{.certificates = {{.chain = pem.chain, .key = pem.key}},
                               .clients = clients,
                               .client_authorities = authority.pem()}};
        served.live("/live");
        port = served.listen({asio::ip::address_v4::loopback(), 0}, tls).port();
    }

    [[nodiscard]] tls_dialer dialer() const {
        auto name = (std::filesystem::temp_directory_path() / "livetape_XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        auto const file = std::filesystem::path{name} / "authority.pem";
        std::ofstream{file} << authority.pem();
        tls_dialer made{{.ca_file = file.string()}};
        std::filesystem::remove_all(name);
        return made;
    }

    [[nodiscard]] std::string address(std::string_view path) const {
        return "https://127.0.0.1:" + std::to_string(port) + std::string{path};
    }

    asio::io_context io;
    hub all;
    server served{io.get_executor(), all};
    test::certificate_authority authority{"livetape test authority"};
    std::uint16_t port = 0;
};

} // namespace

TEST_CASE("client/tls_subscription: follows channels over TLS on each transport [RFC 8446]") {
    for (auto const transport :
         {feed_transport::websocket, feed_transport::sse, feed_transport::poll}) {
        CAPTURE(static_cast<int>(transport));
        fixture f;
        for (auto const* name : {"a", "b"}) f.all.publish(name, "1");
        subscription_options options;
        options.reconnect.transports = {transport};
        feed_type feed{f.io.get_executor(), f.address("/live"), options, f.dialer()};
        for (auto const* name : {"a", "b"}) feed.subscribe(name, {.cursor = "oldest"});
        int count = 0;
        while (count < 20) {
            auto const taken = test::take_next<feed_item>(f.io, feed);
            REQUIRE_MESSAGE(!taken.first, taken.first.message());
            auto const& item = taken.second;
            REQUIRE_FALSE(std::holds_alternative<feed_waiting>(item));
            if (!std::holds_alternative<feed_event>(item)) continue;
            ++count;
            f.all.publish(count % 2 == 0 ? "a" : "b", '"' + std::string(1000, 'x') + '"');
        }
    }
}

TEST_CASE("client/tls_subscription: does not talk to a server that it cannot trust") {
    fixture f;
    subscription_options options;
    options.reconnect.attempts_max = 2;
    options.reconnect.backoff = {.delay_min = 1ms, .delay_max = 2ms};
    feed_type feed{f.io.get_executor(), f.address("/live"), options};
    feed.subscribe("a");
    std::error_code ec;
    while (!ec) ec = test::take_next<feed_item>(f.io, feed).first;
    CHECK(ec.category() == asio::error::get_ssl_category());
}

TEST_CASE("client/tls_subscription: a redirect never leads out of TLS [RFC 9110 15.4]") {
    fixture f;
    f.served.get("/moved/sse", [](http::request_head const&) {
        return http_reply{307, "text/plain", "", "Location: http://127.0.0.1:1/live/sse\r\n"};
    });
    subscription_options options;
    options.reconnect.transports = {feed_transport::sse};
    feed_type feed{f.io.get_executor(), f.address("/moved"), options, f.dialer()};
    feed.subscribe("a");
    std::error_code ec;
    while (!ec) ec = test::take_next<feed_item>(f.io, feed).first;
    CHECK(ec == error::redirect_refused);
}

TEST_CASE("client/tls_subscription: event streams and polls alone speak TLS too") {
    fixture f;
    f.all.publish("a", "1");
    basic_sse_client<tls_dialer> stream{
        f.io.get_executor(), f.address("/live/sse?channel=a&cursor=oldest"), {}, f.dialer()};
    CHECK(test::take_next<sse_event>(f.io, stream).second.type == "message");
    basic_poll_client<tls_dialer> polls{
        f.io.get_executor(), f.address("/live/poll?channel=a"), {.cursor = "oldest"}, f.dialer()};
    CHECK(test::take_next<poll_response>(f.io, polls).second.body.starts_with("{\"cursor\":"));
}

TEST_CASE("client/tls_subscription: a server that wants another certificate is not asked again") {
    for (auto const transport :
         {feed_transport::websocket, feed_transport::sse, feed_transport::poll}) {
        CAPTURE(static_cast<int>(transport));
        fixture f{client_certificates::required};
        subscription_options options;
        options.reconnect.transports = {transport};
        options.reconnect.backoff = {.delay_min = 1ms, .delay_max = 2ms};
        feed_type feed{f.io.get_executor(), f.address("/live"), options, f.dialer()};
        feed.subscribe("a");
        std::error_code ec;
        while (!ec) ec = test::take_next<feed_item>(f.io, feed).first;
        CHECK(ec == error::tls_handshake_failed);
    }
}

namespace {

/// A server for one connection on Asio's TLS, which tells a connection that ended (eof) from one
/// that was interrupted (stream_truncated). Answers the head of the request, then takes what comes.
class tls_peer {
public:
    using tcp = asio::ip::tcp;
    using script = std::function<std::string(http::request_head const& request)>;

    tls_peer(asio::io_context& io, int version, script answer)
        : answer_{std::move(answer)}, acceptor_{io, {asio::ip::address_v4::loopback(), 0}} {
        auto const pem = test::certificate_authority{"peer"}.issue("localhost");
        context_.use_certificate_chain(asio::buffer(pem.chain));
        context_.use_private_key(asio::buffer(pem.key), asio::ssl::context::pem);
        SSL_CTX_set_max_proto_version(context_.native_handle(), version);
        acceptor_.async_accept([this](std::error_code ec, tcp::socket socket) {
            REQUIRE_FALSE(ec);
            stream_.emplace(std::move(socket), context_);
            stream_->async_handshake(asio::ssl::stream_base::server,
                                     [this](std::error_code failed) {
                                         REQUIRE_FALSE(failed);
                                         read();
                                     });
        });
    }

    [[nodiscard]] std::string address(std::string const& scheme, std::string const& target) const {
        return scheme + "://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) +
               target;
    }

    void send(std::string bytes) {
        auto const kept = std::make_shared<std::string>(std::move(bytes));
        asio::async_write(*stream_, asio::buffer(*kept), [kept](std::error_code, std::size_t) {});
    }

    /// Ends its side with or without a word.
    void say_goodbye() { stream_->async_shutdown(asio::detached); }
    void vanish() { stream_->next_layer().close(); }

    /// After the end: whether the client has ended the TCP connection as well.
    [[nodiscard]] bool sees_end_of_tcp(asio::io_context& io) {
        std::optional<std::error_code> seen;
        stream_->next_layer().async_wait(tcp::socket::wait_read, [&](std::error_code ec) {
            char byte = 0;
            stream_->next_layer().read_some(asio::buffer(&byte, 1), ec);
            seen = ec;
        });
        test::run_until(io, [&] { return seen.has_value(); });
        return *seen == asio::error::eof;
    }

    std::string received; ///< after the request
    std::optional<std::error_code> end;

private:
    void read() {
        stream_->async_read_some(
            asio::buffer(buffer_), [this](std::error_code ec, std::size_t size) {
                received.append(buffer_.data(), size);
                std::string_view input = received;
                if (!has_answered_ && parser_.feed(input) == parse_status::done) {
                    has_answered_ = true;
                    send(answer_(parser_.head()));
                }
                if (has_answered_) received.erase(0, received.size() - input.size());
                if (ec) end = ec;
                else read();
            });
    }

    script answer_;
    asio::ssl::context context_{asio::ssl::context::tls_server};
    tcp::acceptor acceptor_;
    std::optional<asio::ssl::stream<tcp::socket>> stream_;
    http::request_parser parser_;
    bool has_answered_ = false;
    std::array<char, 4096> buffer_;
};

tls_dialer any_dialer() { return tls_dialer{{.accept_any_certificate = true}}; }

std::string upgrade(http::request_head const& request) {
    std::string out;
    websocket::append_accept(out, request);
    return out;
}

std::string close_frame(std::uint16_t code) {
    std::string out;
    websocket::append_close_frame(out, code);
    return out;
}

std::string stream_of(http::request_head const&) {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
}

} // namespace

TEST_CASE("client/tls_subscription: a WebSocket that ends says close_notify [RFC 8446 6.1]") {
    enum class way { by_client, by_server, by_violation, dropped, cancelled, answered_by_nothing };
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION})
        for (auto const how : {way::by_client, way::by_server, way::by_violation, way::dropped,
                               way::cancelled, way::answered_by_nothing}) {
            CAPTURE(version);
            CAPTURE(static_cast<int>(how));
            asio::io_context io;
            tls_peer peer{io, version, upgrade};
            websocket_client_options options;
            if (how == way::answered_by_nothing) options.close_timeout = 1ms;
            auto client = std::make_unique<basic_websocket_client<tls_dialer>>(
                io.get_executor(), options, any_dialer());
            std::optional<std::error_code> connected, closed, ended;
            client->connect(peer.address("wss", "/"), [&](std::error_code ec) { connected = ec; });
            test::run_until(io, [&] { return connected.has_value(); });
            REQUIRE_FALSE(*connected);
            client->read([&](std::error_code ec, websocket_message) { ended = ec; });
            if (how == way::by_client || how == way::answered_by_nothing)
                client->close(1000, {}, [&](std::error_code ec) { closed = ec; });
            if (how == way::by_server) peer.send(close_frame(1000));
            if (how == way::by_violation) peer.send("\xff\xff");
            if (how == way::dropped) client.reset();
            if (how == way::cancelled) client->cancel();
            if (how == way::by_client || how == way::by_server || how == way::by_violation) {
                test::run_until(io, [&] { return !peer.received.empty(); });
                if (how == way::by_client) peer.send(close_frame(1000));
                peer.say_goodbye();
            }
            test::run_until(io, [&] { return ended.has_value() && peer.end.has_value(); });
            CHECK(*peer.end == asio::error::eof);
            if (how == way::by_client || how == way::by_server)
                CHECK(*ended == error::connection_closed);
            if (how == way::by_client) CHECK(closed.value() == std::error_code{});
            if (how == way::answered_by_nothing) CHECK(closed.value() == error::close_timeout);
            CHECK(peer.sees_end_of_tcp(io));
        }
}

TEST_CASE("client/tls_subscription: ends though the server does not end its side, or is gone") {
    for (bool const has_vanished : {false, true}) {
        CAPTURE(has_vanished);
        asio::io_context io;
        tls_peer peer{io, TLS1_3_VERSION, upgrade};
        websocket_client_options options;
        options.close_timeout = 20ms;
        basic_websocket_client<tls_dialer> client{io.get_executor(), options, any_dialer()};
        std::optional<std::error_code> connected, ended;
        client.connect(peer.address("wss", "/"), [&](std::error_code ec) { connected = ec; });
        test::run_until(io, [&] { return connected.has_value(); });
        client.read([&](std::error_code ec, websocket_message) { ended = ec; });
        if (has_vanished) peer.vanish();
        else client = basic_websocket_client<tls_dialer>{io.get_executor()};
        io.restart();
        // Returns once the client holds no socket any more: the peer does nothing.
        io.run();
        CHECK(ended.value() == (has_vanished ? make_error_code(asio::ssl::error::stream_truncated)
                                             : make_error_code(asio::error::operation_aborted)));
    }
}

TEST_CASE("client/tls_subscription: streams and polls that end say close_notify [RFC 8446 6.1]") {
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        asio::io_context io;
        auto const poll_answer = [](std::string const& fields) {
            return [fields](http::request_head const&) {
                return test::response("200 OK", "application/json", "{}",
                                      "ETag: \"c\"\r\n" + fields);
            };
        };
        tls_peer streaming{io, version, stream_of};
        tls_peer once{io, version, poll_answer("Connection: close\r\n")};
        tls_peer kept{io, version, poll_answer("")};
        tls_peer refusing{io, version, [](http::request_head const&) {
                              return test::response("404 Not Found", "text/plain", "no");
                          }};

        std::optional<basic_sse_client<tls_dialer>> stream;
        stream.emplace(io.get_executor(), streaming.address("https", "/"), sse_client_options{},
                       any_dialer());
        CHECK(test::take_next<sse_event>(io, *stream).second.data == "1");
        stream.reset();
        test::run_until(io, [&] { return streaming.end.has_value(); });
        CHECK(*streaming.end == asio::error::eof);

        std::optional<basic_poll_client<tls_dialer>> polls;
        polls.emplace(io.get_executor(), once.address("https", "/"), poll_client_options{},
                      any_dialer());
        CHECK(test::take_next<poll_response>(io, *polls).second.cursor == "c");
        test::run_until(io, [&] { return once.end.has_value(); });
        CHECK(*once.end == asio::error::eof);

        polls.emplace(io.get_executor(), kept.address("https", "/"), poll_client_options{},
                      any_dialer());
        CHECK(test::take_next<poll_response>(io, *polls).second.cursor == "c");
        polls.reset();
        test::run_until(io, [&] { return kept.end.has_value(); });
        CHECK(*kept.end == asio::error::eof);

        polls.emplace(io.get_executor(), refusing.address("https", "/"), poll_client_options{},
                      any_dialer());
        CHECK(test::take_next<poll_response>(io, *polls).first == error::unexpected_status);
        test::run_until(io, [&] { return refusing.end.has_value(); });
        CHECK(*refusing.end == asio::error::eof);
    }
}

TEST_CASE(
    "client/tls_subscription: reads what is on its way when it ends, lest the alert is lost") {
    asio::io_context io;
    std::string const flood = [] {
        std::string out;
        for (int i = 0; i < 100'000; ++i) out += "data: 0123456789\n\n";
        return out;
    }();
    tls_peer peer{io, TLS1_3_VERSION,
                  [&](http::request_head const& request) { return stream_of(request) + flood; }};
    std::optional<basic_sse_client<tls_dialer>> stream;
    stream.emplace(io.get_executor(), peer.address("https", "/"),
                   sse_client_options{.queue_events_max = 1}, any_dialer());
    CHECK(test::take_next<sse_event>(io, *stream).second.data == "1");
    stream.reset();
    test::run_until(io, [&] { return peer.end.has_value(); });
    CHECK(*peer.end == asio::error::eof);
}

TEST_CASE("client/tls_subscription: falls back where the upgrade is cut off without a word") {
    asio::io_context io;
    std::optional<tls_peer> peer;
    peer.emplace(io, TLS1_3_VERSION, [&](http::request_head const&) {
        asio::post(io, [&] { peer->vanish(); });
        return std::string{};
    });
    subscription_options options;
    options.reconnect.transports = {feed_transport::websocket, feed_transport::sse};
    feed_type feed{io.get_executor(), peer->address("https", "/live"), options, any_dialer()};
    feed.subscribe("a");
    auto const first = test::take_next<feed_item>(io, feed).second;
    CHECK(std::get<feed_connecting>(first).transport == feed_transport::websocket);
    auto const second = test::take_next<feed_item>(io, feed).second;
    REQUIRE(std::holds_alternative<feed_connecting>(second));
    CHECK(std::get<feed_connecting>(second).transport == feed_transport::sse);
}
