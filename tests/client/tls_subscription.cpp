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

#include <asio/io_context.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
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
