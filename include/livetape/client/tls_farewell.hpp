#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/socket_base.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/steady_timer.hpp>

namespace livetape::detail {

/// Ends a TLS connection in good order: says close_notify, so that the peer can tell the end from
/// an interruption (RFC 8446 §6.1), then that nothing follows, and drops what the peer still sends
/// until it ends too. A socket that is closed with such bytes unread resets the connection, and the
/// alert may be lost. Owned by its pending operations.
///
/// Operations of the stream may be pending: a write that is in flight goes before the alert, a read
/// ends as if the peer had said good-bye.
/// Thread safety: distinct objects safe; shared objects unsafe.
template <class Owner>
class tls_farewell : public std::enable_shared_from_this<tls_farewell<Owner>> {
public:
    using stream_type = asio::ssl::stream<asio::ip::tcp::socket>;

    /// @param owner  keeps the stream, and what its pending operations use
    tls_farewell(stream_type& stream, Owner owner)
        : stream_{stream}, owner_{std::move(owner)}, timer_{stream.get_executor()} {}

    /// @param linger  how long all of it may take; 0: what the socket takes at once is sent
    void start(std::chrono::milliseconds linger) {
        // Without this, OpenSSL would wait for the peer's alert, and fail if anything else came.
        auto* const ssl = stream_.native_handle();
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
        stream_.async_shutdown(
            [self = this->shared_from_this()](std::error_code ec) { self->shut_down(ec); });
        if (linger.count() == 0) return close();
        timer_.expires_after(linger);
        timer_.async_wait([self = this->shared_from_this()](std::error_code ec) {
            if (!ec) self->close();
        });
    }

private:
    void shut_down(std::error_code ec) {
        if (!ec) stream_.next_layer().shutdown(asio::socket_base::shutdown_send, ec);
        if (ec) close();
        else drop_input();
    }

    void drop_input() {
        stream_.next_layer().async_read_some(
            asio::buffer(dropped_),
            [self = this->shared_from_this()](std::error_code ec, std::size_t) {
                if (ec) self->close();
                else self->drop_input();
            });
    }

    void close() {
        timer_.cancel();
        std::error_code ignored;
        stream_.next_layer().close(ignored);
    }

    stream_type& stream_;
    Owner owner_;
    asio::steady_timer timer_;
    std::array<char, 4096> dropped_;
};

} // namespace livetape::detail
