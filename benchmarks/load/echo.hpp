#pragma once

#include "load/load_options.hpp"
#include "support/feed_payload.hpp"
#include "support/poller.hpp"
#include "support/process_usage.hpp"
#include "support/report.hpp"

#include <livetape/wire/frame_header.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace benchmarks {

/// Many connections that each have a few messages under way and send one more for each that comes
/// back. All messages are alike, so what comes back is one frame over and over, byte for byte.
class echo_load {
public:
    echo_load(load_options const& options, std::size_t depth, std::size_t message_bytes)
        : options_{options}, request_{upgrade_request(options.path)}, depth_{depth},
          clients_(options.connections), buffer_(std::size_t{1} << 20) {
        using namespace livetape::websocket;
        std::string const payload(message_bytes, 'x');
        append_frame(returned_, opcode::text, payload);
        std::string frame;
        append_masked_frame(frame, opcode::text, payload, {0x12, 0x34, 0x56, 0x78});
        frame_bytes_ = frame.size();
        for (std::size_t i = 0; i < depth; ++i) frames_ += frame;
    }

    /// Upgrades all connections, then fills each.
    void connect_all() {
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            clients_[i].socket = connect_to(options_.server, i);
            send_all(clients_[i].socket.get(), request_);
            skip_handshake(clients_[i].socket.get());
            poller_.add(clients_[i].socket.get(), i);
        }
        for (auto& each : clients_) send(each, depth_);
    }

    void run_for(double seconds) {
        auto const end = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
        while (monotonic_ns() < end) {
            auto const before = received_bytes_;
            poller_.wait(1000, [this](std::size_t index) { receive(clients_[index]); });
            if (received_bytes_ == before) throw std::runtime_error{"the server does not answer"};
        }
    }

    [[nodiscard]] std::uint64_t message_count() const noexcept { return message_count_; }

private:
    struct client {
        descriptor socket;
        std::size_t frame_position = 0; ///< bytes of the frame that is coming in
        std::size_t unsent_bytes = 0;   ///< of the frames that are due
    };

    static void skip_handshake(int socket) {
        std::string answer;
        while (!answer.ends_with("\r\n\r\n")) {
            char byte = 0;
            if (::recv(socket, &byte, 1, 0) != 1) throw std::runtime_error{"no handshake"};
            answer += byte;
        }
        if (!answer.starts_with("HTTP/1.1 101 ")) throw std::runtime_error{"handshake refused"};
    }

    void receive(client& from) {
        auto const received = ::recv(from.socket.get(), buffer_.data(), buffer_.size(), 0);
        if (received <= 0) {
            if (received < 0 && errno == EAGAIN) return;
            throw std::runtime_error{"the server closed a connection"};
        }
        std::string_view bytes{buffer_.data(), static_cast<std::size_t>(received)};
        received_bytes_ += bytes.size();
        std::size_t returned = 0;
        while (!bytes.empty()) {
            auto const piece = bytes.substr(0, returned_.size() - from.frame_position);
            if (std::memcmp(piece.data(), returned_.data() + from.frame_position, piece.size()) !=
                0)
                throw std::runtime_error{"what came back is not what was sent"};
            bytes.remove_prefix(piece.size());
            from.frame_position += piece.size();
            if (from.frame_position < returned_.size()) break;
            from.frame_position = 0;
            ++returned;
        }
        message_count_ += returned;
        send(from, returned);
    }

    /// Sends so many frames more. A socket that is full takes the rest when something came back,
    /// which must happen since the server has work then.
    void send(client& to, std::size_t frames) {
        to.unsent_bytes += frames * frame_bytes_;
        while (to.unsent_bytes > 0) {
            std::string_view const rest{frames_.data() + frames_.size() - to.unsent_bytes,
                                        to.unsent_bytes};
            auto const sent = ::send(to.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) return;
            if (sent < 0) fail("send");
            to.unsent_bytes -= static_cast<std::size_t>(sent);
        }
    }

    load_options const& options_;
    std::string request_;
    std::size_t depth_;
    std::string returned_; // a message as it comes back
    std::string frames_;   // as many as are under way on one connection
    std::size_t frame_bytes_ = 0;
    poller poller_;
    std::vector<client> clients_;
    std::vector<char> buffer_;
    std::uint64_t message_count_ = 0;
    std::uint64_t received_bytes_ = 0;
};

/// Measures messages that come back, for each second of the server's CPU time.
inline json_object measure_echo(load_options const& options, std::size_t depth,
                                std::size_t message_bytes) {
    echo_load load{options, depth, message_bytes};
    load.connect_all();
    load.run_for(options.warm_up_seconds);
    auto const count_before = load.message_count();
    auto const server_before = usage_of(options.server_process);
    auto const own_before = usage_of(getpid());
    auto const began = monotonic_ns();
    load.run_for(options.seconds);
    auto const seconds = static_cast<double>(monotonic_ns() - began) / 1e9;
    auto const server = usage_of(options.server_process) - server_before;
    auto const own = usage_of(getpid()) - own_before;
    auto const messages = static_cast<double>(load.message_count() - count_before);
    auto const per_cpu_second = server.cpu_seconds > 0 ? messages / server.cpu_seconds : 0;

    json_object report;
    report.add("connections", options.connections)
        .add("depth", depth)
        .add("message_bytes", message_bytes)
        .add("path", options.path)
        .add("seconds", seconds)
        .add("messages_per_second", messages / seconds)
        .add("server_messages_per_cpu_second", per_cpu_second)
        .add("server_cpu", server.cpu_seconds / seconds)
        .add("server_user_share", server.user_share())
        .add("load_cpu", own.cpu_seconds / seconds);
    std::printf(
        "%zu connections, %zu bytes, depth %zu: %.3f M messages/s, %.3f M per second of the "
        "server's CPU, of which %.0f %% in user space\n",
        options.connections, message_bytes, depth, messages / seconds / 1e6, per_cpu_second / 1e6,
        100 * server.user_share());
    return report;
}

} // namespace benchmarks
