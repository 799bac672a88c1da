#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

namespace livetape::test {

/// Runs the io_context until the condition holds. A minute without anything to do is a failure.
template <class Condition>
void run_until(asio::io_context& io, Condition condition) {
    while (!condition()) {
        io.restart();
        if (io.run_one_for(std::chrono::minutes{1}) == 0)
            throw std::runtime_error{"nothing happens any more"};
    }
}

/// Asks a client for its next item and runs the io_context until it is there.
template <class Item, class Client>
std::pair<std::error_code, Item> take_next(asio::io_context& io, Client& client) {
    std::optional<std::pair<std::error_code, Item>> result;
    client.next([&result](std::error_code ec, Item item) { result.emplace(ec, std::move(item)); });
    run_until(io, [&] { return result.has_value(); });
    return std::move(*result);
}

/// What a `scripted_server` does with one request.
struct scripted_answer {
    std::string bytes;
    bool closes = true; ///< else the connection waits for another request
};

/// A server on the loopback that answers requests as the test says. It belongs to the thread that
/// runs the io_context, like the client that is tested, so that nothing depends on time.
class scripted_server {
public:
    /// Gets the head of a request and how many came before.
    using script = std::function<scripted_answer(std::string const& head, std::size_t number)>;

    scripted_server(asio::io_context& io, script answers)
        : acceptor_{io, {asio::ip::address_v4::loopback(), 0}}, answers_{std::move(answers)} {
        accept();
    }

    [[nodiscard]] std::string url(std::string_view target, std::string_view scheme = "http") const {
        return std::string{scheme} +
               "://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) +
               std::string{target};
    }

    std::vector<std::string> requests;
    std::size_t connection_count = 0;

private:
    using tcp = asio::ip::tcp;

    struct connection : std::enable_shared_from_this<connection> {
        connection(scripted_server& of, tcp::socket on) : server{of}, socket{std::move(on)} {}

        void read() {
            socket.async_read_some(asio::buffer(buffer), [self = shared_from_this()](
                                                             std::error_code ec, std::size_t size) {
                if (ec) return;
                self->received.append(self->buffer.data(), size);
                self->answer();
            });
        }

        void answer() {
            auto const end = received.find("\r\n\r\n");
            if (end == std::string::npos) return read();
            auto const head = received.substr(0, end + 4);
            received.erase(0, end + 4);
            server.requests.push_back(head);
            auto what = server.answers_(head, server.requests.size() - 1);
            bytes = std::move(what.bytes);
            asio::async_write(
                socket, asio::buffer(bytes),
                [self = shared_from_this(), closes = what.closes](std::error_code ec, std::size_t) {
                    if (!ec && !closes) self->read();
                });
        }

        scripted_server& server;
        tcp::socket socket;
        std::array<char, 4096> buffer;
        std::string received, bytes;
    };

    void accept() {
        acceptor_.async_accept([this](std::error_code ec, tcp::socket socket) {
            if (ec) return;
            ++connection_count;
            std::make_shared<connection>(*this, std::move(socket))->read();
            accept();
        });
    }

    tcp::acceptor acceptor_;
    script answers_;
};

/// A response with a body and its length.
inline std::string response(std::string_view status, std::string_view content_type,
                            std::string_view body, std::string_view fields = {}) {
    return "HTTP/1.1 " + std::string{status} + "\r\nContent-Type: " + std::string{content_type} +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string{fields} +
           "\r\n" + std::string{body};
}

/// A response that sends the client elsewhere.
inline std::string redirect(std::string_view to,
                            std::string_view status = "307 Temporary Redirect") {
    return response(status, "text/plain", "", "Location: " + std::string{to} + "\r\n");
}

} // namespace livetape::test
