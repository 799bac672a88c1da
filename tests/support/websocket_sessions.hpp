#pragma once

#include <support/session_driver.hpp>

#include <livetape/transport/websocket_session.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace livetape::test {

using websocket_driver = session_driver<websocket_session>;

inline std::unique_ptr<websocket_driver> open_socket(world& w, std::string_view target = "/ws",
                                                     std::size_t piece_bytes = unlimited) {
    return connect<websocket_session>(w, handshake(target), piece_bytes);
}

/// What a client gets for one message on a fresh connection, without the handshake's answer.
inline std::vector<std::string> replies_to(world& w, std::string_view message) {
    auto const ws = open_socket(w);
    ws->send(masked(message));
    auto const inbox = read_websocket(ws->received);
    CHECK(inbox.close_code == 0);
    return inbox.messages;
}

inline void fill(world& w, std::string_view channel, int count) {
    for (int i = 0; i < count; ++i) w.publish(channel, std::to_string(i));
}

/// Events and gaps together are all offsets of the range, once each and in order.
inline void check_complete(std::vector<std::string> const& messages, std::uint64_t first,
                           std::uint64_t last) {
    auto next = first;
    for (auto const& message : messages) {
        if (message.starts_with(R"({"gap")")) {
            REQUIRE(std::stoull(member(message, "from")) == next);
            next = std::stoull(member(message, "to")) + 1;
        } else {
            REQUIRE(std::stoull(member(message, "offset")) == next);
            ++next;
        }
    }
    CHECK(next == last + 1);
}

inline constexpr std::size_t write_sizes[] = {1, 7, unlimited};

} // namespace livetape::test
