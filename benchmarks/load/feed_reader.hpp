#pragma once

#include "load/message_stream.hpp"
#include "support/feed_payload.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace benchmarks {

/// What all subscribers together have received.
struct feed_counts {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
    std::uint64_t missing = 0;              ///< skipped sequence numbers
    std::uint64_t repeated = 0;             ///< doubled or out of order
    std::uint64_t unreadable = 0;           ///< frames that hold no event
    std::uint64_t compressed = 0;           ///< of the events; what they hold is not looked at
    std::vector<std::int64_t> staleness_ns; ///< of every `sample_every`th event

    static constexpr std::uint64_t sample_every = 997;
};

/// One subscriber of a raw path: each message is a numbered payload.
class feed_reader : public message_stream {
public:
    void take(std::string_view bytes, feed_counts& counts) {
        message_stream::take(bytes, [&](std::string_view payload, bool is_compressed) {
            if (is_compressed) ++counts.events, ++counts.compressed;
            else take_event(payload, counts);
        });
    }

private:
    void take_event(std::string_view payload, feed_counts& counts) {
        auto const sequence = read_sequence(payload);
        if (sequence != next_ && next_ != 0) {
            if (sequence == 0) ++counts.unreadable;
            else if (sequence > next_) counts.missing += sequence - next_;
            else ++counts.repeated;
        }
        next_ = sequence + 1;
        if (++counts.events % feed_counts::sample_every != 0) return;
        if (auto const published = read_time(payload); published != 0)
            counts.staleness_ns.push_back(monotonic_ns() - published);
    }

    std::uint64_t next_ = 0; // 0: the first event may be any
};

} // namespace benchmarks
