#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/bind_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/socket_base.hpp>

#include <livetape/net/stream_traits.hpp>
#include <livetape/net/tls_engine.hpp>

namespace livetape {

/// A TLS connection, this side being the server, over a non-blocking socket. Like a plain socket it
/// is driven by readiness: wait, then read or write without waiting. An idle one has no buffers.
///
/// A completion handler must keep the stream alive, and the stream must stay where it is, while an
/// operation is pending.
/// Thread safety: shared objects unsafe; the socket's io_context owns it.
template <class Socket>
class tls_stream {
public:
    using executor_type = typename Socket::executor_type;
    using lowest_layer_type = Socket;

    /// @param context  kept for as long as the stream lives
    tls_stream(Socket socket, std::shared_ptr<SSL_CTX> context)
        : engine_{std::make_unique<engine>(std::move(socket), std::move(context))} {}

    [[nodiscard]] executor_type get_executor() noexcept { return engine_->socket.get_executor(); }
    [[nodiscard]] lowest_layer_type& lowest_layer() noexcept { return engine_->socket; }

    [[nodiscard]] bool non_blocking() const { return engine_->socket.non_blocking(); }
    void non_blocking(bool mode, std::error_code& ec) { engine_->socket.non_blocking(mode, ec); }

    /// Goes on with the handshake (RFC 8446 §2).
    /// @return with `would_block`, what the socket must be ready for
    asio::socket_base::wait_type open(std::error_code& ec) {
        engine_->open(ec);
        return engine_->holds_back() ? asio::socket_base::wait_write : asio::socket_base::wait_read;
    }

    /// Reads without waiting. `eof` after the peer's close_notify; `stream_truncated` (of
    /// asio::ssl::error) if the connection ended without one.
    std::size_t read_some(asio::mutable_buffer into, std::error_code& ec) {
        return engine_->read({static_cast<char*>(into.data()), into.size()}, ec);
    }

    /// Writes without waiting. What the socket does not take of what is written is held back, and
    /// sent by the operation that waits for `wait_write`.
    std::size_t write_some(std::span<asio::const_buffer const> pieces, std::error_code& ec) {
        return engine_->write(pieces, ec);
    }
    std::size_t write_some(asio::const_buffer bytes, std::error_code& ec) {
        return engine_->write({&bytes, 1}, ec);
    }

    /// Whether bytes that were written wait for the socket to take them.
    [[nodiscard]] bool holds_back() const noexcept { return engine_->holds_back(); }

    /// Waits until a read, or a write, can do something. Before it says that a write can, all that
    /// was held back is sent.
    /// @param token  `void(std::error_code)`
    template <class CompletionToken>
    auto async_wait(asio::socket_base::wait_type wanted, CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(std::error_code)>(
            [of = engine_.get(), wanted](auto handler) {
                if (wanted == asio::socket_base::wait_write) flush(*of, std::move(handler));
                else if (of->has_input()) complete(*of, std::move(handler));
                else of->socket.async_wait(wanted, std::move(handler));
            },
            token);
    }

    /// Sends close_notify, so that the peer can tell the end from an interruption, and then the end
    /// of the TCP stream.
    void close_output(std::error_code& ec) {
        engine_->close_output();
        engine_->socket.shutdown(asio::socket_base::shutdown_send, ec);
    }

    /// For whatever OpenSSL can tell of the connection; not to be read or written by.
    [[nodiscard]] SSL* native_handle() const noexcept { return engine_->native_handle(); }

private:
    struct engine final : detail::tls_engine {
        engine(Socket s, std::shared_ptr<SSL_CTX> of)
            : tls_engine{*of, asio::use_service<detail::tls_scratch>(detail::context_of(s))},
              context{std::move(of)}, socket{std::move(s)} {}

        std::size_t receive(std::span<char> into, std::error_code& ec) override {
            return socket.read_some(asio::buffer(into.data(), into.size()), ec);
        }
        std::size_t transmit(std::string_view bytes, std::error_code& ec) override {
            return socket.write_some(asio::buffer(bytes.data(), bytes.size()), ec);
        }

        std::shared_ptr<SSL_CTX> context; // and what was made with it, such as its certificates
        Socket socket;
    };

    template <class Handler>
    static void complete(engine& of, Handler handler) {
        auto const on = asio::get_associated_executor(handler, of.socket.get_executor());
        asio::post(on, [handler = std::move(handler)]() mutable {
            std::move(handler)(std::error_code{});
        });
    }

    template <class Handler>
    static void flush(engine& of, Handler handler) {
        auto const on = asio::get_associated_executor(handler, of.socket.get_executor());
        of.socket.async_wait(asio::socket_base::wait_write,
                             asio::bind_executor(on, [&of, handler = std::move(handler)](
                                                         std::error_code ec) mutable {
                                 if (!ec && !of.flush(ec) && !ec) flush(of, std::move(handler));
                                 else std::move(handler)(ec);
                             }));
    }

    std::unique_ptr<engine> engine_;
};

} // namespace livetape
