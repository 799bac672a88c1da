#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/wire/close_code.hpp>
#include <livetape/wire/frame_header.hpp>

namespace livetape {

/// Messages that wait to be sent a frame at a time, so that a control frame gets between two of
/// them (RFC 6455 §5.4), and at the end a close frame, if there is to be one.
/// Thread safety: shared objects unsafe.
class fragment_queue {
public:
    [[nodiscard]] bool is_empty() const noexcept { return waiting_.empty(); }

    /// Payload bytes that wait.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    /// @param reserved_bits  of the first frame
    void push(websocket::opcode code, std::string payload, std::uint8_t reserved_bits) {
        bytes_ += payload.size();
        waiting_.push_back(
            {std::move(payload), 0, {.opcode = code, .reserved_bits = reserved_bits}});
    }

    /// Appends the next frame to `out`, with at most `fragment_bytes_max` of payload if it belongs
    /// to a message. Precondition: not empty.
    void append_next(std::string& out, std::size_t fragment_bytes_max) {
        auto& next = waiting_.front();
        auto const rest = std::string_view{next.payload}.substr(next.sent);
        auto const now = rest.substr(0, fragment_bytes_max);
        next.header.is_final = now.size() == rest.size();
        websocket::append_frame(out, next.header, now);
        bytes_ -= now.size();
        if (next.header.is_final) return waiting_.pop_front();
        next.sent += now.size();
        next.header.opcode = websocket::opcode::continuation;
        next.header.reserved_bits = 0;
    }

    void clear() noexcept {
        waiting_.clear();
        bytes_ = 0;
    }

private:
    struct message {
        std::string payload;
        std::size_t sent = 0;
        websocket::frame_header header; ///< of the next frame
    };

    std::list<message> waiting_; // an empty deque would hold memory
    std::size_t bytes_ = 0;
};

} // namespace livetape
