#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <livetape/net/live_connection.hpp>
#include <livetape/net/reply.hpp>
#include <livetape/net/transports.hpp>
#include <livetape/transport/response_session.hpp>

namespace livetape {

/// A stream that comes back after an exchange and can carry another request.
template <class Stream>
struct returned_stream {
    Stream stream;
    std::string received; ///< bytes of the next request that have come already
};

/// What a host tells `serve` about a request.
struct serve_options {
    /// Where the live paths are mounted: what the request's path is cut by.
    std::string prefix = "/live";

    /// Bytes that came after the head.
    std::string received{};

    /// The list that the connection is on while it lives, by which a host can dismiss a client, say
    /// good-bye to all or cut them: a list of its own, or a server's `connections()`, so that the
    /// server's `dismiss` and `stop` do. It must outlive the connection and belong to its thread;
    /// null for none.
    connection_list* connections = nullptr;
};

namespace detail {

/// Carries the completion of `serve` out of the connection, to the handler's executor.
template <class Stream, class Handler>
class serve_completion {
public:
    serve_completion(Handler handler, Stream& stream)
        : work_{asio::get_associated_executor(handler, stream.get_executor())}, handler_{std::move(
                                                                                    handler)} {}

    template <class Session>
    void operator()(std::error_code ec, Session& session, Stream& stream) {
        std::optional<returned_stream<Stream>> back;
        if (!ec) back.emplace(returned_stream<Stream>{std::move(stream), session.take_unread()});
        asio::dispatch(work_.get_executor(),
                       [handler = std::move(handler_), ec, back = std::move(back)]() mutable {
                           std::move(handler)(ec, std::move(back));
                       });
    }

private:
    using executor_type = asio::associated_executor_t<Handler, typename Stream::executor_type>;

    asio::executor_work_guard<executor_type> work_;
    Handler handler_;
};

} // namespace detail

/// Serves one request on a connection that the caller has accepted and whose head it has parsed:
/// the way in for a host with a listener, a router and an authentication of its own.
///
/// The stream's executor must be an io_context's that one thread runs. A poll or a publish hands
/// the stream back if the client may send another request on it, once the first bytes of that have
/// come; a socket is then non-blocking. WebSocket and SSE keep it until they end. A path that is no
/// transport's is answered with 404.
///
/// @param stream    any Asio stream: TCP, TLS, an in-memory pair
/// @param endpoint  hub and options; must outlive the connection
/// @param token     `void(std::error_code, std::optional<returned_stream<Stream>>)`; the stream is
///                  there exactly if there is no error. Called once, never from inside this call.
template <class Transports = default_transports, class Stream, class CompletionToken>
auto serve(Stream stream, http::request_head head, live_endpoint& endpoint, serve_options options,
           CompletionToken&& token) {
    using signature = void(std::error_code, std::optional<returned_stream<Stream>>);
    auto const initiate = [&endpoint](auto handler, Stream on, http::request_head asked,
                                      serve_options how) {
        auto& context = detail::context_of(on);
        asio::post(context, [&endpoint, handler = std::move(handler), on = std::move(on),
                             asked = std::move(asked), how = std::move(how)]() mutable {
            detail::serve_completion<Stream, decltype(handler)> done{std::move(handler), on};
            auto path = asked.path();
            bool const is_below = path.starts_with(how.prefix);
            if (is_below) path.remove_prefix(how.prefix.size());
            shard::of(detail::context_of(on)).drive(endpoint.source().due());
            if (is_below &&
                Transports::start(on, endpoint, asked, path, how.received, how.connections, done))
                return;
            endpoint.errors().count(error::not_found);
            using driver = connection<Stream, response_session, decltype(done)>;
            auto& own = shard::of(detail::context_of(on));
            driver::start(std::move(on), how.connections, std::move(how.received), std::move(done),
                          own.wakes(), detail::to_refusal(error::not_found, asked.method(), false),
                          false, endpoint.options().write_timeout);
        });
    };
    return asio::async_initiate<CompletionToken, signature>(initiate, token, std::move(stream),
                                                            std::move(head), std::move(options));
}

} // namespace livetape
