#pragma once

#include <livetape/channel/event.hpp>

#include <cstdint>
#include <string_view>

namespace livetape {

/// What accompanies a payload.
struct publish_options {
    std::string_view key{};
    payload_kind kind = payload_kind::json;

    /// Names this publish, so that a retry of it is not published twice: a second one with the same
    /// id is answered with the first one's offset, as long as the channel remembers it
    /// (`channel_options::publish_window_events` and `publish_window_age`). Empty: no such check.
    std::string_view id{};
};

/// Why nothing was published.
enum class publish_refusal : std::uint8_t {
    none,
    payload_too_large, ///< over `channel_options::payload_bytes_max`
    key_too_long,      ///< over `channel_options::key_bytes_max`
    id_too_long,       ///< over `channel_options::publish_id_bytes_max`
    no_channel,        ///< the hub has no such channel and cannot open it, or it has been closed
    bad_payload,       ///< not what its kind says, or the key is not UTF-8 (`publish_checked`)
};

/// What became of a publish.
struct publish_result {
    std::uint64_t offset = 0;  ///< the event's; 0 if it was refused
    bool is_duplicate = false; ///< it had been published before; the offset is that of then
    publish_refusal refusal = publish_refusal::none;
};

} // namespace livetape
