#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace benchmarks {

/// A file descriptor that closes itself.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int number) noexcept : number_{number} {}
    descriptor(descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor() { reset(); }

    [[nodiscard]] int get() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }
    void reset() noexcept {
        if (number_ >= 0) ::close(std::exchange(number_, -1));
    }

private:
    int number_ = -1;
};

/// Throws what the system says about the call that just failed.
[[noreturn]] inline void fail(char const* what) {
    throw std::system_error{errno, std::generic_category(), what};
}

/// Lets this process open as many files as the system allows it.
inline void raise_file_limit() noexcept {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/// Where a server listens.
struct server_address {
    std::string host = "127.0.0.1"; ///< an IPv4 address
    std::uint16_t port = 0;
};

/// Connects to a server. On loopback the connections come from many addresses, so that their number
/// is not bounded by the ports of one.
/// @param number  counts the connections, so that their addresses differ
[[nodiscard]] inline descriptor connect_to(server_address const& to, std::size_t number) {
    descriptor made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!made) fail("socket");
    int const yes = 1;
    setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    if (to.host.starts_with("127.")) {
        constexpr std::size_t connections_per_address = 4096;
        auto const last = static_cast<std::uint32_t>(number / connections_per_address % 250 + 1);
        at.sin_addr.s_addr = htonl((127u << 24) | last);
        setsockopt(made.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
        if (::bind(made.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fail("bind");
    }
    at.sin_port = htons(to.port);
    if (inet_pton(AF_INET, to.host.c_str(), &at.sin_addr) != 1) {
        errno = EINVAL;
        fail("--host takes an IPv4 address");
    }
    if (::connect(made.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fail("connect");
    return made;
}

/// Sends all of a short text on a socket that blocks.
inline void send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        auto const sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) fail("send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

/// A client's opening handshake (RFC 6455 §4.1) with further lines of fields.
[[nodiscard]] inline std::string upgrade_request(std::string_view path,
                                                 std::string_view fields = {}) {
    std::string request = "GET ";
    request.append(path).append(" HTTP/1.1\r\n"
                                "Host: localhost\r\n"
                                "Upgrade: websocket\r\n"
                                "Connection: Upgrade\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                "Sec-WebSocket-Version: 13\r\n");
    return request.append(fields).append("\r\n");
}

/// Answers a ping with a pong without payload, masked with zeros (RFC 6455 §5.5.3). A socket with
/// no room for six bytes has worse to tell its server than this.
inline void send_pong(int socket) {
    constexpr std::string_view pong{"\x8A\x80\0\0\0\0", 6};
    [[maybe_unused]] auto const sent = ::send(socket, pong.data(), pong.size(), MSG_NOSIGNAL);
}

} // namespace benchmarks
