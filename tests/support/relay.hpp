#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

namespace livetape::test {

/// What stands between client and server on the loopback and does to their bytes what the test
/// says. All on the thread that runs the io_context.
class relay {
public:
    static constexpr auto unlimited = std::numeric_limits<std::size_t>::max();

    relay(asio::io_context& io, std::uint16_t server_port)
        : port_{server_port}, acceptor_{io, {asio::ip::address_v4::loopback(), 0}} {
        accept();
    }

    [[nodiscard]] std::string url(std::string_view target) const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) +
               std::string{target};
    }

    /// Called for each connection: bytes that the client gets before both sides are cut off.
    std::function<std::size_t()> budget = [] { return unlimited; };

    /// Called with the first bytes of a client, a request's head, which it may change; what it
    /// returns is the answer, and the server hears nothing.
    std::function<std::string(std::string& head)> on_request = [](std::string&) {
        return std::string{};
    };

    /// Cuts off both sides of every connection.
    void cut() {
        for (auto const& each : std::exchange(pairs_, {}))
            if (auto const still_there = each.lock()) still_there->close();
    }

    /// Where clients are sent from now on.
    void go_to(std::uint16_t server_port) { port_ = server_port; }

    std::size_t connection_count = 0;

private:
    using tcp = asio::ip::tcp;

    struct pair : std::enable_shared_from_this<pair> {
        pair(relay& of, tcp::socket from, std::size_t bytes)
            : owner{of}, client{std::move(from)}, server{client.get_executor()}, left{bytes} {}

        void start() {
            client.async_read_some(asio::buffer(up), [self = shared_from_this()](std::error_code ec,
                                                                                 std::size_t size) {
                if (ec) return;
                self->first.append(self->up.data(), size);
                if (self->first.find("\r\n\r\n") == std::string::npos) return self->start();
                self->answer = self->owner.on_request(self->first);
                if (self->answer.empty()) return self->connect();
                asio::async_write(self->client, asio::buffer(self->answer),
                                  [self](std::error_code, std::size_t) { self->close(); });
            });
        }

        void connect() {
            server.async_connect({asio::ip::address_v4::loopback(), owner.port_},
                                 [self = shared_from_this()](std::error_code ec) {
                                     if (ec) return self->close();
                                     asio::async_write(self->server, asio::buffer(self->first),
                                                       [self](std::error_code failed, std::size_t) {
                                                           if (failed) return self->close();
                                                           self->read_client();
                                                           self->read_server();
                                                       });
                                 });
        }

        void read_client() {
            client.async_read_some(asio::buffer(up), [self = shared_from_this()](std::error_code ec,
                                                                                 std::size_t size) {
                if (ec) return self->close();
                asio::async_write(self->server, asio::buffer(self->up.data(), size),
                                  [self](std::error_code failed, std::size_t) {
                                      failed ? self->close() : self->read_client();
                                  });
            });
        }

        void read_server() {
            server.async_read_some(asio::buffer(down), [self = shared_from_this()](
                                                           std::error_code ec, std::size_t size) {
                if (ec) return self->close();
                auto const passed = std::min(size, self->left);
                if (self->left != unlimited) self->left -= passed;
                asio::async_write(self->client, asio::buffer(self->down.data(), passed),
                                  [self](std::error_code failed, std::size_t) {
                                      failed || self->left == 0 ? self->close()
                                                                : self->read_server();
                                  });
            });
        }

        void close() {
            std::error_code ignored;
            client.close(ignored);
            server.close(ignored);
        }

        relay& owner;
        tcp::socket client, server;
        std::size_t left;
        std::string first, answer;
        std::array<char, 4096> up, down;
    };

    void accept() {
        acceptor_.async_accept([this](std::error_code ec, tcp::socket socket) {
            if (ec) return;
            ++connection_count;
            auto const made = std::make_shared<pair>(*this, std::move(socket), budget());
            pairs_.push_back(made);
            made->start();
            accept();
        });
    }

    std::uint16_t port_;
    tcp::acceptor acceptor_;
    std::vector<std::weak_ptr<pair>> pairs_;
};

} // namespace livetape::test
