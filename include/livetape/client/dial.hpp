#pragma once

#include <memory>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/ip/tcp.hpp>

#include <livetape/client/dial_operation.hpp>
#include <livetape/client/dial_options.hpp>
#include <livetape/client/pending_operation.hpp>
#include <livetape/wire/response_head.hpp>
#include <livetape/wire/url.hpp>

namespace livetape {

/// Connects to the host of a URL over TCP, through a proxy if the options name one: resolves,
/// orders the addresses and races the attempts (RFC 8305 §4, §5). Whether the scheme is one over
/// TLS does not matter here; `dial_tls` (client/tls.hpp) goes on from it.
///
/// @param executor  what the socket is made with, and where the operation runs: an io_context's
///                  executor with one thread, or a strand
/// @param token     for `void(std::error_code, asio::ip::tcp::socket)`. Cancellable: terminal and
///                  partial cancellation, on the executor's thread
/// The error is error::connect_timeout, error::proxy_refused (the answer is in `*answer`), an error
/// of `http::response_parser` if the proxy speaks no HTTP, or the system's: of the resolver, or of
/// the address that was tried first.
/// @param answer    where the proxy's answer goes if it refuses; may be null, outlives the call
template <class CompletionToken>
auto dial(asio::any_io_executor executor, url const& to, dial_options const& options,
          CompletionToken&& token, http::response_head* answer = nullptr) {
    return asio::async_initiate<CompletionToken, void(std::error_code, asio::ip::tcp::socket)>(
        [](auto handler, asio::any_io_executor ex, url target, dial_options settings,
           http::response_head* where) {
            auto const operation = std::make_shared<detail::dial_operation>(
                ex, std::move(target), std::move(settings), where);
            operation->start({std::move(handler), ex});
        },
        token, std::move(executor), to, options, answer);
}

/// How a client of template parameter `Dialer` gets its stream; this one: plain TCP. A dialer is a
/// value with `stream_type`, an AsyncReadStream and AsyncWriteStream, and `operator()` of this
/// shape.
struct tcp_dialer {
    using stream_type = asio::ip::tcp::socket;

    /// Whether it can open a connection for that URL.
    [[nodiscard]] static bool can_dial(url const& to) noexcept { return !to.is_secure(); }

    /// @param token  for `void(std::error_code, stream_type)`
    template <class CompletionToken>
    auto operator()(asio::any_io_executor executor, url const& to, dial_options const& options,
                    CompletionToken&& token, http::response_head* answer = nullptr) const {
        return dial(std::move(executor), to, options, std::forward<CompletionToken>(token), answer);
    }
};

} // namespace livetape
