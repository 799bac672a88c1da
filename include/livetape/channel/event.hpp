#pragma once

#include <livetape/time.hpp>

#include <cstdint>
#include <string_view>

namespace livetape {

/// What a payload is, and so how each transport carries it.
enum class payload_kind : std::uint8_t {
    json,   ///< one JSON value, embedded in the envelope as it is
    text,   ///< UTF-8 text, a JSON string in the envelope
    binary, ///< any bytes: a binary frame, or base64 where only text can go
};

/// One immutable event of a channel. The views are valid while the segment that holds the event
/// is referenced.
struct event_view {
    std::string_view channel; ///< the channel's name
    std::uint64_t epoch = 0;  ///< the id of the log's life
    std::uint64_t offset = 0; ///< 1, 2, 3 … in one epoch, without holes
    std::string_view key;     ///< empty if the event has none
    std::string_view payload;
    payload_kind kind = payload_kind::json;
    time_point time{};       ///< when it was published
    std::uint32_t count = 1; ///< how many published events it stands for; over 1 if conflated
};

} // namespace livetape
