#pragma once

#include <livetape/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace livetape {

/// Which of a channel's events a subscription gets.
enum class delivery_mode : std::uint8_t {
    every,  ///< each one, in order, until retention passes the subscriber
    latest, ///< the newest of each key; what it superseded is stepped over and counted
};

/// What a subscriber chooses for one channel, and may change while it is subscribed.
///
/// `latest` is the conflating queue of the subscriber, exactly: pending events are kept by key, in
/// the order of last update; an event of a key that is pending takes its place, adds to its count
/// and moves to the end; a flush takes from the front. Events without a key are events of one key.
struct delivery_options {
    delivery_mode mode = delivery_mode::every;

    /// Zero delivers at once. Otherwise events are flushed at the multiples of this length on the
    /// clock, so that all who chose the same one are flushed together: with `every` all that came
    /// since, with `latest` what is left of it by key.
    std::chrono::milliseconds interval{0};

    /// How many more flushes the client takes until it gives credit again; nothing is no limit.
    std::optional<std::uint32_t> credit{};

    /// The keys whose events are wanted, whether they exist yet or not; nothing is all of them. The
    /// empty key stands for the events that have none.
    std::optional<std::vector<std::string>> keys{};
};

/// What became of the events that were published in a subscription's range: those after its start
/// that it has been handed or has stepped over. The four add up to them exactly.
///
/// What precedes the range is not counted: the events of a snapshot, and the newest event of a key
/// that is added to a key set.
struct delivery_counters {
    std::uint64_t delivered = 0; ///< handed out
    std::uint64_t conflated = 0; ///< superseded by a newer event of their key before they were due
    std::uint64_t skipped = 0;   ///< lost to retention, which a gap notice told
    std::uint64_t filtered = 0;  ///< of a key that is not wanted

    [[nodiscard]] std::uint64_t sum() const noexcept {
        return delivered + conflated + skipped + filtered;
    }

    delivery_counters& operator+=(delivery_counters const& other) noexcept {
        delivered += other.delivered;
        conflated += other.conflated;
        skipped += other.skipped;
        filtered += other.filtered;
        return *this;
    }

    delivery_counters& operator-=(delivery_counters const& other) noexcept {
        delivered -= other.delivered;
        conflated -= other.conflated;
        skipped -= other.skipped;
        filtered -= other.filtered;
        return *this;
    }

    friend bool operator==(delivery_counters const&, delivery_counters const&) = default;
};

} // namespace livetape
