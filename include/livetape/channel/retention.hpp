#pragma once

#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace livetape {

/// What happens to a live subscription that retention has overtaken.
enum class overrun_policy : std::uint8_t {
    skip,  ///< a gap notice, then on at the oldest event that is kept
    close, ///< a gap notice and the end of the connection, with a code that says why
};

/// Folds a newer payload of a key into what its older ones came to, for instance the fields of a
/// JSON object into another. Folding in a payload that is in it already must change nothing.
using merge_function = void (*)(std::string& into, std::string_view newer);

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

    /// How events are published: 0 on every update, else on a timer, collected and flushed together
    /// every so long. Where a channel starts; `channel::set_publish_interval` changes it.
    std::chrono::nanoseconds publish_interval{0};

    /// Memory of the events that a channel on a timer collects; reaching it flushes them early. A
    /// few socket buffers: more at once would only make the readers' latency worse.
    std::size_t collected_bytes_max = 256u << 10;

    /// Publishes with an id that are remembered, to recognise a retry: the last so many, and those
    /// of the last so long. A client retries within seconds, on a bad network within minutes; an id
    /// costs some 150 bytes.
    std::size_t publish_window_events = 1000;
    std::chrono::nanoseconds publish_window_age = std::chrono::minutes{2};

    /// The longest id of a publish: four times a UUID's text.
    std::size_t publish_id_bytes_max = 144;

    /// Whether the channel knows who is on it, and says who joins and leaves in its companion
    /// channel `@presence/<name>`. The name then has at most 245 bytes.
    bool presence = false;

    /// Members listed; connections of more are counted only. A member costs its id, its info and
    /// some 200 bytes, and whoever asks who is there must be sent them all.
    std::size_t presence_members_max = 10'000;

    /// The longest info about a member that is listed; it is sent to everybody there.
    std::size_t presence_info_bytes_max = 1024;

    /// For publishers of partial updates: with it, a conflated event carries all that its key's
    /// events since the reader's cursor came to, instead of the last one alone; and where not all
    /// of them are at hand, all that the key's events ever came to, as snapshots then do. Called
    /// while publishing, under the channel's lock; events without a key are those of one key.
    merge_function merge = nullptr;

    /// How long a channel may be idle before its hub drops it, with its log: not published into,
    /// not subscribed to, not asked for, and not held by the host. Zero keeps it. For hubs whose
    /// clients create channels: without it, what they leave behind fills the hub for good. A host
    /// that publishes into such a channel does it by name, or keeps what `hub::try_open` gives.
    std::chrono::nanoseconds idle_time_max{0};

    /// Memory of events that have left the log but are held by sessions that send them, with their
    /// encodings. Beyond it the sessions that hold them are cut. A write that makes progress holds
    /// a segment or two, 128 KiB each at most, for seconds at most: 16 MiB are a hundred of them.
    std::size_t pinned_bytes_max = 16u << 20;
};

} // namespace livetape
