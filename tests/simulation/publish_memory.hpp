#pragma once

#include <livetape/channel/retention.hpp>
#include <livetape/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace livetape::simulation {

/// The ids of publishes that a channel must know again, and what it must have forgotten.
class publish_memory {
public:
    explicit publish_memory(channel_options const& options)
        : events_max_{options.publish_window_events}, age_max_{options.publish_window_age} {}

    /// The offset of the publish of that id; 0 if it must not be known.
    [[nodiscard]] std::uint64_t find(std::string_view id, time_point now) const {
        for (auto const& each : last_)
            if (each.id == id && now - each.time < age_max_) return each.offset;
        return 0;
    }

    void add(std::string_view id, std::uint64_t offset, time_point now) {
        last_.push_back({std::string{id}, offset, now});
        if (last_.size() > events_max_) last_.pop_front();
    }

private:
    struct entry {
        std::string id;
        std::uint64_t offset;
        time_point time;
    };

    std::size_t events_max_;
    std::chrono::nanoseconds age_max_;
    std::deque<entry> last_;
};

} // namespace livetape::simulation
