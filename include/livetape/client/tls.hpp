#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/error.hpp>
#include <asio/ssl/host_name_verification.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/steady_timer.hpp>

#include <livetape/client/dial.hpp>
#include <livetape/client/dial_options.hpp>
#include <livetape/client/pending_operation.hpp>
#include <livetape/client/tls_farewell.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/response_head.hpp>
#include <livetape/wire/url.hpp>

namespace livetape {

namespace detail {

/// What a failure of TLS means for who tries again: an alert by which the server refuses this
/// client's certificate, misses one, or finds nothing in common (RFC 8446 §6.2) stays what it is
/// until somebody changes the configuration, and becomes error::tls_handshake_failed. Everything
/// else is passed on.
[[nodiscard]] inline std::error_code judge_tls(std::error_code ec) noexcept {
    if (ec.category() != asio::error::get_ssl_category()) return ec;
    switch (ERR_GET_REASON(static_cast<unsigned long>(ec.value()))) {
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return error::tls_handshake_failed;
    default: return ec;
    }
}

} // namespace detail

/// How a client speaks TLS; the defaults are what a browser does.
struct tls_client_options {
    /// A PEM file with the authorities to trust, instead of the system's.
    std::string ca_file{};
    /// A certificate chain and its key to show to servers that ask for them, as PEM files.
    std::string certificate_file{};
    std::string private_key_file{};
    /// Accepts any certificate: for tests against a server that one knows.
    bool accept_any_certificate = false;
    /// TLS's own handshake, after the connection.
    std::chrono::milliseconds handshake_timeout{10'000};
};

/// A connection that may or may not be over TLS: models Asio's AsyncReadStream and
/// AsyncWriteStream. Nothing of it may be pending when it is moved.
/// Thread safety: distinct objects safe; shared objects unsafe.
class client_stream {
public:
    using executor_type = asio::any_io_executor;
    using lowest_layer_type = asio::ip::tcp::socket;
    using tls_type = asio::ssl::stream<asio::ip::tcp::socket>;

    /// Plain TCP.
    explicit client_stream(asio::ip::tcp::socket socket)
        : plain_{std::make_unique<asio::ip::tcp::socket>(std::move(socket))} {}

    /// TLS; the handshake is for the owner to perform.
    client_stream(asio::ip::tcp::socket socket, asio::ssl::context& context)
        : tls_{std::make_unique<tls_type>(std::move(socket), context)} {}

    [[nodiscard]] executor_type get_executor() noexcept { return lowest_layer().get_executor(); }
    [[nodiscard]] lowest_layer_type& lowest_layer() noexcept {
        return tls_ ? tls_->next_layer() : *plain_;
    }

    /// The TLS layer; null if there is none.
    [[nodiscard]] tls_type* tls() noexcept { return tls_.get(); }

    template <class Buffers, class CompletionToken>
    auto async_read_some(Buffers const& buffers, CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(std::error_code, std::size_t)>(
            [this](auto handler, Buffers const& into) {
                if (!tls_) return plain_->async_read_some(into, std::move(handler));
                // With TLS 1.3 a client learns only here that its certificate was refused.
                auto const executor = asio::get_associated_executor(handler, get_executor());
                auto const slot = asio::get_associated_cancellation_slot(handler);
                auto judged = [handler = std::move(handler)](std::error_code ec,
                                                             std::size_t size) mutable {
                    std::move(handler)(detail::judge_tls(ec), size);
                };
                tls_->async_read_some(
                    into, asio::bind_executor(
                              executor, asio::bind_cancellation_slot(slot, std::move(judged))));
            },
            token, buffers);
    }

    template <class Buffers, class CompletionToken>
    auto async_write_some(Buffers const& buffers, CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(std::error_code, std::size_t)>(
            [this](auto handler, Buffers const& from) {
                if (tls_) tls_->async_write_some(from, std::move(handler));
                else plain_->async_write_some(from, std::move(handler));
            },
            token, buffers);
    }

    /// Ends the connection, and all that is pending on it. Over TLS the peer is told (close_notify,
    /// RFC 8446 §6.1), and has a while to end its side. The stream must stay where it is meanwhile.
    /// @param owner   keeps the stream, and what its pending operations use
    /// @param linger  how long that may take; 0: what the socket takes at once is sent
    template <class Owner>
    void close(Owner owner, std::chrono::milliseconds linger) {
        std::error_code ignored;
        if (plain_) plain_->close(ignored);
        else std::make_shared<detail::tls_farewell<Owner>>(*tls_, std::move(owner))->start(linger);
    }

private:
    std::unique_ptr<asio::ip::tcp::socket> plain_;
    std::unique_ptr<tls_type> tls_;
};

namespace detail {

/// Dials, and shakes hands if the URL asks for TLS. Owned by its pending operations.
class tls_dial_operation : public std::enable_shared_from_this<tls_dial_operation> {
public:
    using done_type = pending_operation<std::error_code, client_stream>;

    tls_dial_operation(asio::any_io_executor executor, url to,
                       std::shared_ptr<asio::ssl::context> context,
                       tls_client_options const& options)
        : executor_{executor}, to_{std::move(to)}, context_{std::move(context)}, options_{options},
          timer_{executor}, stream_{asio::ip::tcp::socket{executor}} {}

    void start(dial_options const& options, http::response_head* answer, done_type done) {
        done_ = std::move(done);
        done_.on_cancel([weak = weak_from_this()] {
            if (auto const self = weak.lock()) self->finish(asio::error::operation_aborted);
        });
        dial(executor_, to_, options,
             asio::bind_cancellation_slot(
                 dialling_.slot(),
                 [self = shared_from_this()](std::error_code ec, asio::ip::tcp::socket socket) {
                     if (!self->done_) return;
                     if (ec) return self->finish(ec);
                     if (self->to_.is_secure()) return self->shake_hands(std::move(socket));
                     self->stream_ = client_stream{std::move(socket)};
                     self->finish({});
                 }),
             answer);
    }

private:
    void shake_hands(asio::ip::tcp::socket socket) {
        stream_ = client_stream{std::move(socket), *context_};
        auto& tls = *stream_.tls();
        if (auto const ec = prepare(tls)) return finish(ec);
        timer_.expires_after(options_.handshake_timeout);
        timer_.async_wait([self = shared_from_this()](std::error_code ec) {
            if (!ec) self->finish(error::handshake_timeout);
        });
        tls.async_handshake(
            asio::ssl::stream_base::client,
            [self = shared_from_this()](std::error_code ec) { self->finish(judge_tls(ec)); });
    }

    [[nodiscard]] std::error_code prepare(client_stream::tls_type& tls) {
        std::error_code ec;
        if (!options_.accept_any_certificate) {
            tls.set_verify_mode(asio::ssl::verify_peer, ec);
            tls.set_verify_callback(asio::ssl::host_name_verification{to_.host}, ec);
        }
        std::error_code is_name;
        (void)asio::ip::make_address(to_.host, is_name);
        // RFC 6066 §3: addresses are not permitted in the server name indication.
        bool const is_set =
            !is_name || SSL_set_tlsext_host_name(tls.native_handle(), to_.host.c_str()) == 1;
        // RFC 7301: a server that also speaks HTTP/2 must choose this one.
        constexpr unsigned char protocols[] = "\x08http/1.1";
        bool const is_offered =
            SSL_set_alpn_protos(tls.native_handle(), protocols, sizeof protocols - 1) == 0;
        if (!ec && !(is_set && is_offered)) ec = asio::error::no_memory;
        return ec;
    }

    /// The stream stays whole until its handshake has ended: it is given away only after success.
    void finish(std::error_code ec) {
        if (!done_) return;
        timer_.cancel();
        dialling_.emit(asio::cancellation_type::terminal);
        if (!ec) return done_.complete({}, std::move(stream_));
        std::error_code ignored;
        stream_.lowest_layer().close(ignored);
        done_.complete(ec, client_stream{asio::ip::tcp::socket{executor_}});
    }

    asio::any_io_executor executor_;
    url to_;
    std::shared_ptr<asio::ssl::context> context_;
    tls_client_options options_;
    asio::steady_timer timer_;
    client_stream stream_;
    asio::cancellation_signal dialling_;
    done_type done_;
};

} // namespace detail

/// Opens connections for every URL: over TLS for wss and https, plain for ws and http. TLS 1.2 and
/// 1.3; the server's certificate must be signed by a trusted authority and carry the URL's host;
/// the name is sent (SNI), and HTTP/1.1 is asked for (ALPN). Copies share their settings.
/// Thread safety: distinct objects safe, copies included; shared objects unsafe.
class tls_dialer {
public:
    using stream_type = client_stream;

    /// Loads the files.
    /// @throws std::system_error if one of them cannot be read, or is not what it should be
    explicit tls_dialer(tls_client_options options = {})
        : options_{std::move(options)}, context_{std::make_shared<asio::ssl::context>(
                                            asio::ssl::context::tls_client)} {
        if (SSL_CTX_set_min_proto_version(context_->native_handle(), TLS1_2_VERSION) != 1)
            throw std::system_error{make_error_code(asio::error::no_protocol_option)};
        if (options_.ca_file.empty()) context_->set_default_verify_paths();
        else context_->load_verify_file(options_.ca_file);
        if (!options_.certificate_file.empty())
            context_->use_certificate_chain_file(options_.certificate_file);
        if (!options_.private_key_file.empty())
            context_->use_private_key_file(options_.private_key_file, asio::ssl::context::pem);
    }

    [[nodiscard]] static bool can_dial(url const&) noexcept { return true; }

    /// @param token  for `void(std::error_code, client_stream)`: as `dial`, and what TLS says, such
    ///               as a certificate that is not trusted, or error::handshake_timeout. Cancellable
    template <class CompletionToken>
    auto operator()(asio::any_io_executor executor, url const& to, dial_options const& options,
                    CompletionToken&& token, http::response_head* answer = nullptr) const {
        return asio::async_initiate<CompletionToken, void(std::error_code, client_stream)>(
            [context = context_, tls = options_](auto handler, asio::any_io_executor ex, url target,
                                                 dial_options settings,
                                                 http::response_head* where) {
                auto const operation = std::make_shared<detail::tls_dial_operation>(
                    ex, std::move(target), context, tls);
                operation->start(settings, where, {std::move(handler), ex});
            },
            token, std::move(executor), to, options, answer);
    }

private:
    tls_client_options options_;
    std::shared_ptr<asio::ssl::context> context_;
};

} // namespace livetape
