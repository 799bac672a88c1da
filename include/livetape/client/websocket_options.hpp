#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include <livetape/client/dial_options.hpp>
#include <livetape/wire/client_handshake.hpp>
#include <livetape/wire/compression.hpp>
#include <livetape/wire/head_lines.hpp>
#include <livetape/wire/message_reader.hpp>

namespace livetape {

/// How a WebSocket client behaves; every limit has a default.
struct websocket_client_options {
    dial_options dial{};
    websocket::handshake_offer offer{}; ///< subprotocols, origin and further fields

    /// Offers the extension that it stands for, as `websocket::permessage_deflate` does; null:
    /// none.
    std::shared_ptr<websocket::compression const> compression{};

    /// From the request to the whole response; a server may look up a token meanwhile.
    std::chrono::milliseconds handshake_timeout{10'000};
    /// The response's head.
    http::head_limits head{};
    /// Silence after which a ping is sent while a read waits; below the 30 s of impatient proxies
    /// and the minute of home routers. 0: no pings, and no idle timeout.
    std::chrono::milliseconds ping_interval{25'000};
    /// Silence, not even a pong, after which a waiting read fails: three pings.
    std::chrono::milliseconds idle_timeout{75'000};
    /// How long the peer may take to answer a close frame and end the connection.
    std::chrono::milliseconds close_timeout{5'000};
    /// How long the stream may take no byte of what is written.
    std::chrono::milliseconds write_timeout{30'000};
    /// What the peer may make the client hold.
    websocket::message_limits messages{};
    /// Bytes that wait to be written; one message is taken whatever its size if nothing waits.
    std::size_t queue_bytes_max = std::size_t{16} << 20;
    /// Longer messages are sent in fragments of that many bytes, so that pongs can go between;
    /// 0: never.
    std::size_t fragment_bytes = std::size_t{64} << 10;
    /// Bytes of the buffer that is read into.
    std::size_t read_bytes = std::size_t{16} << 10;
};

} // namespace livetape
