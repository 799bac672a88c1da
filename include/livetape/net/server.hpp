#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/basic_socket_acceptor.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <livetape/channel/hub.hpp>
#include <livetape/net/accept_queue.hpp>
#include <livetape/net/connection.hpp>
#include <livetape/net/opening.hpp>
#include <livetape/net/reply.hpp>
#include <livetape/net/shard.hpp>
#include <livetape/net/static_files.hpp>
#include <livetape/net/stream_layer.hpp>
#include <livetape/net/transports.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/message_session.hpp>
#include <livetape/transport/request_session.hpp>
#include <livetape/transport/response_session.hpp>
#include <livetape/wire/field_list.hpp>

namespace livetape {

/// How a server treats connections before they are sessions.
struct server_options {
    request_options request{};

    /// Connections at once. The system's limit of open files is the harder one; keep below it.
    std::size_t connections_max = 1'000'000;

    /// Connections at once from one address; 0 for no limit, because behind a proxy or a company's
    /// gateway all clients share one.
    std::size_t connections_per_address_max = 0;

    /// After `stop`, how long sessions have to say good-bye before they are cut.
    std::chrono::milliseconds drain_timeout{5'000};

    /// A client that takes nothing of an answer for this long is closed (live paths have their
    /// own).
    std::chrono::milliseconds write_timeout{30'000};
};

/// How a port is listened on.
struct listen_options {
    int backlog = 4096;      ///< connections that wait to be accepted; the system caps it
    bool reuse_port = false; ///< several servers share the port, one per io_context and core
};

/// Listens, reads requests and routes them: live paths to transports, others to files and to the
/// host's handlers. A convenience over `connection` and the transports; a host with a server of
/// its own uses `serve` instead.
///
/// Everything is set up before `listen`. Destroying the server closes its connections at once.
/// Thread safety: shared objects unsafe, except `stop` and `dismiss`, safe from any thread. The
/// io_context must be run by one thread.
template <class Transports = default_transports>
class basic_server {
public:
    using executor_type = asio::io_context::executor_type;
    using stream_type = asio::basic_stream_socket<asio::ip::tcp, executor_type>;
    using endpoint_type = asio::ip::tcp::endpoint;
    using request_handler = std::function<http_reply(http::request_head const&)>;

    /// @param executor  of an io_context that outlives the server
    /// @param source    must outlive the server
    basic_server(executor_type executor, hub& source, server_options options = {})
        : state_{new state{executor, source, std::move(options)}} {}
    basic_server(basic_server const&) = delete;
    basic_server& operator=(basic_server const&) = delete;
    ~basic_server() { state_->close_all(); }

    /// Serves the hub's channels below a path: `<prefix>/ws`, `<prefix>/sse`, `<prefix>/poll` …
    /// @return the endpoint, whose error counters can be read; valid as long as the server
    live_endpoint& live(std::string prefix, live_options options = {}) {
        auto& mount =
            state_->mounts.emplace_back(std::move(prefix), state_->source, std::move(options));
        return mount.endpoint;
    }

    /// Serves the files below a directory; throws std::system_error if there is none.
    void files(std::string prefix, std::string const& directory) {
        state_->directories.emplace_back(std::move(prefix), static_files{directory});
    }

    /// Answers GET and HEAD of one path by calling the handler on the shard's thread.
    void get(std::string path, request_handler handler) {
        state_->pages.emplace(std::move(path), std::move(handler));
    }

    /// Takes WebSocket connections at a path, whose messages go to the handler. A path that ends
    /// with `*` stands for all that begin with what is before it: "/rooms/*" for "/rooms/7", and
    /// "/*" for every one. The exact path goes first, then the longest such prefix; live paths and
    /// pages go before both kinds of prefix, and so do files below a prefix at least as long.
    /// @return the endpoint, whose error counters can be read; valid as long as the server
    live_endpoint& websocket(std::string path, message_handler handler, live_options options = {}) {
        auto& app = state_->apps.emplace_back(std::move(path), state_->source, std::move(options));
        app.on_message = std::move(handler);
        return app.endpoint;
    }

    /// The same with a handler that takes messages in pieces as they arrive: it is a callable of
    /// two parameters, a `websocket_link&` and a `message_piece const&`.
    live_endpoint& websocket(std::string path, message_piece_handler handler,
                             live_options options = {}) {
        auto& app = state_->apps.emplace_back(std::move(path), state_->source, std::move(options));
        app.on_piece = std::move(handler);
        return app.endpoint;
    }

    /// Starts to accept connections.
    /// @return the address, with the port that the system chose if it was 0
    /// @throws std::system_error  for instance if the port is in use
    endpoint_type listen(endpoint_type const& at, listen_options const& options = {}) {
        std::error_code ec;
        auto const bound = listen(at, options, ec);
        if (ec) throw std::system_error{ec, "cannot listen on port " + std::to_string(at.port())};
        return bound;
    }

    endpoint_type listen(endpoint_type const& at, listen_options const& options,
                         std::error_code& ec) {
        return state_->listen(at, options, {}, ec);
    }

    /// Starts to accept connections through a layer such as a `tls_context`. Those over the limit
    /// are closed before the layer opens.
    template <stream_layer<stream_type> Layer>
    endpoint_type listen(endpoint_type const& at, Layer layer, listen_options const& options = {}) {
        std::error_code ec;
        auto const bound = listen(at, std::move(layer), options, ec);
        if (ec) throw std::system_error{ec, "cannot listen on port " + std::to_string(at.port())};
        return bound;
    }

    template <stream_layer<stream_type> Layer>
    endpoint_type listen(endpoint_type const& at, Layer layer, listen_options const& options,
                         std::error_code& ec) {
        return state_->listen(at, options, state::opens_by(std::move(layer)), ec);
    }

    /// Stops accepting, tells the sessions to say good-bye (WebSocket clients get 1001) and closes
    /// them at the latest after the drain timeout. Safe from any thread.
    void stop() {
        asio::post(state_->executor, [s = state_] { s->stop(); });
    }

    /// Ends the connections of one client, whatever they are: a WebSocket with a close frame, an
    /// event stream with a last notice, a poll that waits with 403. What is published before this
    /// call may be lost to them. They may come back; whom the connect hook refuses stays out.
    ///
    /// Safe from any thread and from hooks and handlers: it happens soon after. With several
    /// servers, each is told. O(connections of the server).
    /// @param identity  what the connect hook said; that of nobody in particular is nobody
    void dismiss(std::string identity, dismissal why = {}) {
        if (identity.empty()) return;
        asio::post(
            state_->executor, [s = state_, whom = std::move(identity), why = std::move(why)] {
                s->connections.for_each([&](live_connection& each) { each.dismiss(whom, why); });
            });
    }

    /// The connections that `stop`, `dismiss` and the destructor reach: for those that a host hands
    /// to `serve` on the server's own thread.
    [[nodiscard]] connection_list& connections() noexcept { return state_->connections; }

    /// Open connections, on the server's own thread.
    [[nodiscard]] std::size_t connection_count() const noexcept { return state_->connection_count; }

    /// What was refused before a live path or a handler was found.
    [[nodiscard]] error_counters const& errors() const noexcept { return state_->errors; }

private:
    struct state;

    std::shared_ptr<state> state_;
};

/// The server with the library's own transports.
using server = basic_server<>;

} // namespace livetape

#include <livetape/net/impl/server.ipp>
