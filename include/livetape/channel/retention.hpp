#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace livetape {

/// What happens to a live subscription that retention has overtaken.
enum class overrun_policy : std::uint8_t {
    skip,  ///< a gap notice, then on at the oldest event that is kept
    close, ///< a gap notice and the end of the connection, with a code that says why
};

/// What a channel keeps, and what it takes. Of the `log_` limits the one reached first counts.
struct channel_options {
    /// Memory of events and their index. 4 MiB holds minutes of a busy feed of small events; the
    /// encodings that subscribers use add their own bytes on top.
    std::size_t log_bytes_max = 4u << 20;

    /// Events kept, exact. With 64-byte payloads about what 4 MiB holds.
    std::uint64_t log_events_max = 32'768;

    /// Age of the oldest event kept; zero keeps it until another limit is reached.
    std::chrono::nanoseconds log_age_max{0};

    /// The largest payload that can be published: 1 MiB, the same as a WebSocket message's default.
    std::size_t payload_bytes_max = 1u << 20;

    /// The longest key. Keys are names (a symbol, a metric, a host), not documents; below 65,536.
    std::size_t key_bytes_max = 255;

    /// Keys whose newest event is kept beyond the log's limits, for snapshots; the key that was
    /// updated longest ago is forgotten first. Their payloads are also held to `log_bytes_max`.
    std::size_t keys_max = 100'000;

    /// A dashboard wants to go on; a replica would rather start again.
    overrun_policy on_overrun = overrun_policy::skip;
};

} // namespace livetape
