#pragma once

#include <chrono>
#include <concepts>
#include <system_error>
#include <utility>

#include <asio/socket_base.hpp>

namespace livetape {

/// What a listener puts between an accepted socket and the requests on it, such as TLS: it wraps
/// the socket into the stream that connections are driven over.
///
/// - `wrap(socket)`: the stream, which owns the socket. That is made non-blocking before `open`.
/// - `open_timeout()`: how long the peer has until the stream is open.
/// - `stream.open(ec)`: goes on with whatever must happen before the first request. Without error
///   the stream is open; with `would_block` it is to be called again once the lowest layer is ready
///   for what it returned; with any other error it has failed.
///
/// Thread safety: `wrap` is called from the thread of each server that the layer was given to.
template <class Layer, class Socket>
concept stream_layer = std::copy_constructible<Layer> &&
    requires(Layer const layer, Socket socket, std::error_code& ec) {
    { layer.open_timeout() } -> std::convertible_to<std::chrono::milliseconds>;
    { layer.wrap(std::move(socket)).open(ec) } -> std::same_as<asio::socket_base::wait_type>;
    { layer.wrap(std::move(socket)).lowest_layer() } -> std::same_as<Socket&>;
};

} // namespace livetape
