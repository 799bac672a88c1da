#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

#include <livetape/client/dial.hpp>
#include <livetape/client/websocket_connection.hpp>
#include <livetape/client/websocket_options.hpp>
#include <livetape/config.hpp>
#include <livetape/wire/close_code.hpp>

namespace livetape {

/// A WebSocket client (RFC 6455): connects to a URL, reads and writes messages, closes.
///
/// One connection at a time; `connect` may be called again when it is over. While a read waits,
/// pings and close frames are answered, pings are sent into a silence, and a peer that is silent
/// for too long is given up. A user who never reads never hears of the peer.
///
/// An error ends the connection, but for those that a write or a ping gives at once. Then the
/// stream is closed, and every later operation completes with the same error.
///
/// Every operation takes a completion token and completes once, never inside its initiating
/// function. The destructor drops the connection; one that is closing ends in peace first.
/// Thread safety: distinct objects safe; shared objects unsafe: everything is called on the
/// executor, one thread of an io_context or a strand.
///
/// @tparam Dialer  how streams are opened: `tcp_dialer`, or `tls_dialer` of client/tls.hpp
template <class Dialer = tcp_dialer>
class basic_websocket_client {
public:
    using executor_type = asio::any_io_executor;

    // Two constructors, since g++ 12 destroys the temporaries of default arguments at wrong
    // addresses where `co_await` stands in the same expression.
    explicit basic_websocket_client(asio::any_io_executor executor)
        : executor_{std::move(executor)} {}

    basic_websocket_client(asio::any_io_executor executor, websocket_client_options options,
                           Dialer dialer = {})
        : executor_{std::move(executor)}, options_{std::move(options)}, dialer_{std::move(dialer)} {
    }

    basic_websocket_client(basic_websocket_client&&) noexcept = default;
    basic_websocket_client& operator=(basic_websocket_client&& other) noexcept {
        if (connection_) connection_->abandon();
        executor_ = std::move(other.executor_);
        options_ = std::move(other.options_);
        dialer_ = std::move(other.dialer_);
        connection_ = std::move(other.connection_);
        return *this;
    }
    ~basic_websocket_client() {
        if (connection_) connection_->abandon();
    }

    [[nodiscard]] asio::any_io_executor get_executor() const noexcept { return executor_; }

    /// What the next `connect` goes by.
    [[nodiscard]] websocket_client_options& options() noexcept { return options_; }

    /// Connects to a URL of the scheme ws or wss, and shakes hands.
    ///
    /// @param token  for `void(std::error_code)`: of `parse_url`, `dial` and
    ///               `websocket::check_response`, error::handshake_timeout, or the system's. With
    ///               error::unexpected_status, `response` tells a redirect from a refusal
    /// Precondition: no connection is open or being opened.
    template <class CompletionToken>
    auto connect(std::string_view to, CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(std::error_code)>(
            [this](auto handler, std::string const& text) {
                connection_ = std::make_shared<connection_type>(executor_, dialer_, options_);
                connection_->connect(text, {std::move(handler), executor_});
            },
            token, std::string{to});
    }

    /// Waits for the next message.
    ///
    /// @param token  for `void(std::error_code, websocket_message)`. The message is valid until the
    ///               next read or close begins. error::connection_closed after a closing handshake
    ///               (see `peer_close`), error::idle_timeout, an error of frames and messages if
    ///               the peer broke the protocol, or the system's. Cancelling it loses nothing
    /// Precondition: no other read is pending.
    template <class CompletionToken>
    auto read(CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(std::error_code, websocket_message)>(
            [this](auto handler) {
                detail::pending_operation<std::error_code, websocket_message> done{
                    std::move(handler), executor_};
                if (connection_) connection_->read(std::move(done));
                else done.complete(asio::error::not_connected, {});
            },
            token);
    }

    /// Writes a message behind those that wait; any number may.
    ///
    /// @param payload  copied when the operation is initiated
    /// @param token    for `void(std::error_code)`, once the stream has taken all of it.
    ///                 error::write_queue_full and, for text, error::bad_utf8 leave the connection
    ///                 as it was; error::connection_closed once it is closing
    template <class CompletionToken>
    auto write(websocket::opcode code, std::string_view payload, CompletionToken&& token) {
        LIVETAPE_ASSERT(code == websocket::opcode::text || code == websocket::opcode::binary);
        return initiate(token, [this, code, payload](auto done) {
            connection_->write(code, payload, std::move(done));
        });
    }

    template <class CompletionToken>
    auto write_text(std::string_view payload, CompletionToken&& token) {
        return write(websocket::opcode::text, payload, std::forward<CompletionToken>(token));
    }

    template <class CompletionToken>
    auto write_binary(std::string_view payload, CompletionToken&& token) {
        return write(websocket::opcode::binary, payload, std::forward<CompletionToken>(token));
    }

    /// Queues a ping, ahead of messages. Pongs are not reported; that they come keeps the
    /// connection alive.
    /// Precondition: `payload` has at most 125 bytes.
    template <class CompletionToken>
    auto ping(std::string_view payload, CompletionToken&& token) {
        return initiate(
            token, [this, payload](auto done) { connection_->ping(payload, std::move(done)); });
    }

    /// Closes: sends a close frame behind the messages that wait, and completes when the peer has
    /// answered and ended the connection. A read that waits gets the messages that still come, and
    /// then error::connection_closed; without one they are dropped.
    ///
    /// @param code    one that `websocket::may_be_sent`, or 1005 for none
    /// @param reason  for people; at most 123 bytes of UTF-8
    /// @param token   for `void(std::error_code)`; error::close_timeout if the peer does not answer
    template <class CompletionToken>
    auto close(std::uint16_t code, std::string_view reason, CompletionToken&& token) {
        return initiate(token, [this, code, reason](auto done) {
            connection_->close(code, reason, std::move(done));
        });
    }

    template <class CompletionToken>
    auto close(websocket::close_code code, CompletionToken&& token) {
        return close(static_cast<std::uint16_t>(code), {}, std::forward<CompletionToken>(token));
    }

    /// Drops the connection at once; what is pending completes with operation_aborted. Idempotent.
    void cancel() {
        if (connection_) connection_->cancel();
    }

    /// Whether messages can be written.
    [[nodiscard]] bool is_open() const noexcept { return connection_ && connection_->is_open(); }

    /// Whether the last `connect` came as far as the opening handshake: then the server, or whoever
    /// stands before it, has taken the connection.
    [[nodiscard]] bool was_dialled() const noexcept {
        return connection_ && connection_->was_dialled();
    }

    /// The head of the server's response to the last `connect`, or of the proxy's if it refused;
    /// status 0 if there was none. Valid until the next `connect`.
    [[nodiscard]] http::response_head const& response() const noexcept {
        static http::response_head const none;
        return connection_ ? connection_->response() : none;
    }

    /// The body of that response if it was a refusal (status 400 or above), at most 4 KiB of it and
    /// what came within a second: the server's words, for people. Valid until the next `connect`.
    [[nodiscard]] std::string_view refusal() const noexcept {
        return connection_ ? std::string_view{connection_->refusal()} : std::string_view{};
    }

    /// The subprotocol that the server chose; empty for none. Valid until the next `connect`.
    [[nodiscard]] std::string_view subprotocol() const noexcept {
        return connection_ ? connection_->subprotocol() : std::string_view{};
    }

    /// Whether the server took the compression that was offered.
    [[nodiscard]] bool is_compressed() const noexcept {
        return connection_ && connection_->is_compressed();
    }

    /// What the peer's close frame said. Valid until the next `connect`.
    [[nodiscard]] websocket_close const& peer_close() const noexcept {
        static websocket_close const none;
        return connection_ ? connection_->peer_close() : none;
    }

private:
    using connection_type = detail::websocket_connection<Dialer>;

    template <class CompletionToken, class Start>
    auto initiate(CompletionToken& token, Start start) {
        return asio::async_initiate<CompletionToken, void(std::error_code)>(
            [this](auto handler, Start begin) {
                detail::pending_operation<std::error_code> done{std::move(handler), executor_};
                if (connection_) begin(std::move(done));
                else done.complete(asio::error::not_connected);
            },
            token, std::move(start));
    }

    asio::any_io_executor executor_;
    websocket_client_options options_;
    Dialer dialer_;
    std::shared_ptr<connection_type> connection_;
};

/// A client for ws:// URLs.
using websocket_client = basic_websocket_client<tcp_dialer>;

} // namespace livetape
