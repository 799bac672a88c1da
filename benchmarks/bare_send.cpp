// The limit that feed_server is compared with: after the handshakes, one thread does nothing but
// send the same bytes, a batch of WebSocket frames, to every socket in turn. For instance:
//
//   bare_send --port 8080 --connections 1000 --batch 16 &
//   load --port 8080 --connections 1000
//
// With --pace it sends at a rate instead, to one client at a time: the limit for many quiet
// channels.

#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/handshake.hpp>
#include <livetape/wire/request_parser.hpp>

#include "support/client_socket.hpp"
#include "support/feed_payload.hpp"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using benchmarks::descriptor;

volatile std::sig_atomic_t has_stopped = 0;

descriptor listen_on(std::uint16_t port) {
    descriptor made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!made) benchmarks::fail("socket");
    int const yes = 1;
    setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    if (::bind(made.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
        benchmarks::fail("bind");
    if (::listen(made.get(), 4096) != 0) benchmarks::fail("listen");
    return made;
}

/// Reads a client's opening handshake and answers it; false if the client is no WebSocket client.
bool shake_hands(int socket) {
    livetape::http::request_parser parser;
    for (std::array<char, 4096> buffer;;) {
        auto const received = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (received <= 0) return false;
        std::string_view input{buffer.data(), static_cast<std::size_t>(received)};
        auto const status = parser.feed(input);
        if (status == livetape::parse_status::failed) return false;
        if (status == livetape::parse_status::done) break;
    }
    if (livetape::websocket::check_handshake(parser.head()) != livetape::error::none) return false;
    std::string answer;
    livetape::websocket::append_accept(answer, parser.head());
    benchmarks::send_all(socket, answer);
    return true;
}

std::vector<descriptor> accept_clients(int listener, std::size_t count) {
    std::vector<descriptor> clients;
    while (clients.size() < count && has_stopped == 0) {
        descriptor client{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
        if (!client || !shake_hands(client.get())) continue;
        int const yes = 1;
        setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        fcntl(client.get(), F_SETFL, O_NONBLOCK);
        clients.push_back(std::move(client));
    }
    return clients;
}

/// A batch of frames, written once and renumbered for each round.
class frame_batch {
public:
    frame_batch(std::size_t payload_bytes, std::size_t count) : payload_bytes_{payload_bytes} {
        std::string const payload(payload_bytes, 'x');
        for (std::size_t i = 0; i < count; ++i) {
            livetape::websocket::append_frame(bytes_, livetape::websocket::frame_header{}, payload);
            ends_.push_back(bytes_.size());
        }
    }

    void renumber() {
        for (auto const end : ends_) {
            std::span<char> const payload{bytes_.data() + end - payload_bytes_, payload_bytes_};
            benchmarks::write_payload(payload, ++sequence_, benchmarks::monotonic_ns());
        }
    }

    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

private:
    std::size_t payload_bytes_;
    std::uint64_t sequence_ = 0;
    std::string bytes_;
    std::vector<std::size_t> ends_;
};

/// Sends it all, waiting whenever the socket is full; false if the client is gone.
bool send_batch(int socket, std::string_view bytes) {
    for (;;) {
        auto const sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent == static_cast<ssize_t>(bytes.size())) return true;
        if (sent < 0 && errno != EAGAIN) return false;
        if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
        pollfd full{socket, POLLOUT, 0};
        if (::poll(&full, 1, -1) < 0) return false;
    }
}

/// Lets so many sends a second pass; all of them if it is 0.
class pace {
public:
    explicit pace(double per_second) {
        if (per_second > 0)
            interval_ = std::chrono::duration_cast<std::chrono::nanoseconds>(
                std::chrono::duration<double>{1 / per_second});
    }

    void wait() {
        if (interval_.count() == 0) return;
        due_ += interval_;
        std::this_thread::sleep_until(due_);
    }

private:
    std::chrono::nanoseconds interval_{0};
    std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now();
};

} // namespace

int main(int argc, char** argv) try {
    CLI::App arguments{
        "Sends WebSocket frames to every connected client in turn, and nothing else."};
    std::uint16_t port = 8080;
    std::size_t connections = 1000;
    std::size_t size = 64;
    std::size_t batch = 1;
    double per_second = 0;
    arguments.add_option("--port", port, "Port to listen on")->capture_default_str();
    arguments.add_option("--connections", connections, "Clients to wait for before sending begins")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    arguments.add_option("--size", size, "Bytes of a payload")
        ->check(CLI::Range(benchmarks::payload_bytes_min, std::size_t{512} << 10))
        ->capture_default_str();
    arguments.add_option("--batch", batch, "Frames of one send")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str();
    arguments.add_option("--pace", per_second, "Sends a second over all clients; 0: all they take")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    CLI11_PARSE(arguments, argc, argv);

    benchmarks::raise_file_limit();
    // Without SA_RESTART, so that a signal also ends the calls that wait.
    struct sigaction on_stop {};
    on_stop.sa_handler = [](int) { has_stopped = 1; };
    sigaction(SIGINT, &on_stop, nullptr);
    sigaction(SIGTERM, &on_stop, nullptr);

    auto const listener = listen_on(port);
    std::cout << "bare_send: port " << port << std::endl;
    frame_batch frames{size, batch};
    while (has_stopped == 0) {
        auto clients = accept_clients(listener.get(), connections);
        pace sends{per_second};
        while (!clients.empty() && has_stopped == 0) {
            frames.renumber();
            std::erase_if(clients, [&](auto const& client) {
                sends.wait();
                return !send_batch(client.get(), frames.bytes());
            });
        }
    }
} catch (std::exception const& e) {
    std::cerr << "bare_send: " << e.what() << '\n';
    return 1;
}
