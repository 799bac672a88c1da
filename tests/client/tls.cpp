#include <livetape/client/tls.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl/error.hpp>
#include <asio/write.hpp>

#include <doctest/doctest.h>

using namespace livetape;
using namespace std::chrono_literals;
using asio::ip::tcp;

// Handshakes that succeed, and certificates, are the business of tests/clients: there the servers
// are other people's.

namespace {

/// A server that accepts, says what it is told to, and nothing else.
class mute_server {
public:
    mute_server(asio::io_context& io, std::string greeting)
        : acceptor_{io, {asio::ip::address_v4::loopback(), 0}}, greeting_{std::move(greeting)} {
        acceptor_.async_accept([this](std::error_code ec, tcp::socket socket) {
            if (ec) return;
            socket_.emplace(std::move(socket));
            asio::async_write(*socket_, asio::buffer(greeting_), asio::detached);
        });
    }
    [[nodiscard]] url address(std::string const& scheme) const {
        url to;
        auto const port = std::to_string(acceptor_.local_endpoint().port());
        REQUIRE(parse_url(scheme + "://127.0.0.1:" + port, to) == error::none);
        return to;
    }

private:
    tcp::acceptor acceptor_;
    std::string greeting_;
    std::optional<tcp::socket> socket_;
};

struct outcome {
    std::error_code ec;
    bool is_open = false;
    bool is_secure = false;
};

auto into(std::optional<outcome>& result) {
    return [&result](std::error_code ec, client_stream stream) {
        result = outcome{ec, stream.lowest_layer().is_open(), stream.tls() != nullptr};
    };
}

} // namespace

TEST_CASE("client/tls: opens plain connections for URLs without TLS") {
    asio::io_context io;
    mute_server server{io, ""};
    std::optional<outcome> result;
    tls_dialer{}(io.get_executor(), server.address("ws"), {}, into(result));
    io.run();
    CHECK(result.value().ec == std::error_code{});
    CHECK(result->is_open);
    CHECK_FALSE(result->is_secure);
}

TEST_CASE("client/tls: gives up a server that does not shake hands") {
    asio::io_context io;
    mute_server server{io, ""};
    std::optional<outcome> result;
    tls_client_options options;
    options.handshake_timeout = 1ms;
    tls_dialer{options}(io.get_executor(), server.address("wss"), {}, into(result));
    io.run();
    CHECK(result.value().ec == error::handshake_timeout);
    CHECK_FALSE(result->is_open);
}

TEST_CASE("client/tls: says so when the server speaks no TLS") {
    asio::io_context io;
    mute_server server{io, "HTTP/1.1 400 Bad Request\r\n\r\n"};
    std::optional<outcome> result;
    tls_dialer{}(io.get_executor(), server.address("https"), {}, into(result));
    io.run();
    CHECK(result.value().ec.category() == asio::error::get_ssl_category());
    CHECK_FALSE(result->is_open);
}

TEST_CASE("client/tls: is cancelled while it shakes hands") {
    asio::io_context io;
    mute_server server{io, ""};
    std::optional<outcome> result;
    asio::cancellation_signal signal;
    tls_dialer{}(io.get_executor(), server.address("wss"), {},
                 asio::bind_cancellation_slot(signal.slot(), into(result)));
    io.poll();
    io.restart();
    CHECK_FALSE(result.has_value());
    signal.emit(asio::cancellation_type::terminal);
    io.run();
    CHECK(result.value().ec == asio::error::operation_aborted);
}

TEST_CASE("client/tls: throws when a file is not there or not what it should be") {
    CHECK_THROWS_AS(tls_dialer{{.ca_file = "/does/not/exist"}}, std::system_error);
    CHECK_THROWS_AS(tls_dialer{{.certificate_file = "/dev/null"}}, std::system_error);
    CHECK_THROWS_AS(tls_dialer{{.private_key_file = "/dev/null"}}, std::system_error);
}
