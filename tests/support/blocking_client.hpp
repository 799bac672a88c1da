#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>

#include <support/message_driver.hpp>

namespace livetape::test {

/// A client on a blocking loopback socket. Whatever does not come within a minute is an exception,
/// so that a test that hangs fails instead.
class blocking_client {
public:
    explicit blocking_client(std::uint16_t port, int receive_buffer_bytes = 0)
        : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
        if (receive_buffer_bytes > 0) set(SO_RCVBUF, receive_buffer_bytes);
        set(SO_RCVTIMEO, timeval{60, 0});
        set(SO_SNDTIMEO, timeval{60, 0});
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0)
            throw std::runtime_error{"cannot connect"};
    }
    blocking_client(blocking_client&& other) noexcept
        : socket_{std::exchange(other.socket_, -1)}, received_{std::move(other.received_)},
          reader_{std::move(other.reader_)} {}
    blocking_client& operator=(blocking_client&&) = delete;
    virtual ~blocking_client() {
        if (socket_ >= 0) ::close(socket_);
    }

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            auto const size = transmit(bytes);
            if (size <= 0) throw std::runtime_error{"cannot send"};
            bytes.remove_prefix(static_cast<std::size_t>(size));
        }
    }

    void get(std::string_view target, std::string_view fields = {}) {
        send("GET " + std::string{target} + " HTTP/1.1\r\nHost: test\r\n" + std::string{fields} +
             "\r\n");
    }

    /// Everything up to and with `mark`.
    std::string read_until(std::string_view mark) {
        for (;;) {
            if (auto const at = received_.find(mark); at != std::string::npos)
                return take(at + mark.size());
            if (!receive())
                throw std::runtime_error{"ended before " + std::string{mark} + " after " +
                                         received_};
        }
    }

    std::string read(std::size_t bytes) {
        while (received_.size() < bytes)
            if (!receive()) throw std::runtime_error{"ended early"};
        return take(bytes);
    }

    /// Everything until the server ends or resets the connection.
    std::string read_to_end() {
        while (receive()) {
        }
        return take(received_.size());
    }

    /// One response: its head, and its body if it has a length.
    std::string read_response(bool has_body = true) {
        auto response = read_until("\r\n\r\n");
        constexpr std::string_view name = "\r\nContent-Length: ";
        auto const at = response.find(name);
        if (has_body && at != std::string::npos)
            response += read(std::stoul(response.substr(at + name.size())));
        return response;
    }

    /// What lies in the socket now, without waiting; false once `mark` has come.
    bool is_without(std::string_view mark) {
        std::vector<char> buffer(64u << 10);
        auto const size = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size > 0) received_.append(buffer.data(), static_cast<std::size_t>(size));
        return received_.find(mark) == std::string::npos;
    }

    /// Opens a WebSocket; afterwards `read_message` gives its messages.
    void open_websocket(std::string_view target) {
        get(target, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        if (!read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "))
            throw std::runtime_error{"no WebSocket"};
        reader_.emplace(websocket::role::client, websocket::message_limits{});
    }

    received_item read_message() {
        for (;;) {
            std::span<char> input{received_};
            auto const item = reader_->next(input);
            received_item found{item.kind, std::string{item.payload}, item.close_code,
                                item.failure};
            received_.erase(0, received_.size() - input.size());
            if (found.kind != item_kind::none) return found;
            if (!receive()) throw std::runtime_error{"ended in place of a message"};
        }
    }

    void send_frame(websocket::opcode code, std::string_view payload, bool is_final = true) {
        std::string bytes;
        websocket::append_frame(
            bytes,
            {.opcode = code, .is_final = is_final, .is_masked = true, .masking_key = {1, 2, 3, 4}},
            payload);
        send(bytes);
    }

    /// Says that nothing more will be sent.
    virtual void shut_down() { ::shutdown(socket_, SHUT_WR); }

    /// Closes so that the server gets a reset.
    void reset() {
        set(SO_LINGER, linger{1, 0});
        ::close(std::exchange(socket_, -1));
    }

protected:
    [[nodiscard]] int descriptor() const { return socket_; }

    virtual std::ptrdiff_t transmit(std::string_view bytes) {
        return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    virtual std::ptrdiff_t receive_some(char* into, std::size_t size) {
        return ::recv(socket_, into, size, 0);
    }

private:
    template <class Value>
    void set(int option, Value const& value) {
        ::setsockopt(socket_, SOL_SOCKET, option, &value, sizeof value);
    }

    std::string take(std::size_t bytes) {
        auto taken = received_.substr(0, bytes);
        received_.erase(0, bytes);
        return taken;
    }

    bool receive() {
        std::vector<char> buffer(64u << 10);
        errno = 0;
        auto const size = receive_some(buffer.data(), buffer.size());
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            throw std::runtime_error{"nothing comes"};
        if (size <= 0) return false;
        received_.append(buffer.data(), static_cast<std::size_t>(size));
        return true;
    }

    int socket_;
    std::string received_;
    std::optional<websocket::message_reader> reader_;
};

} // namespace livetape::test
