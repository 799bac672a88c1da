#pragma once

#include <livetape/intrusive_list.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>

namespace livetape {

class channel_feed;
class subscription;
class rate_class;

/// The subscriptions of one channel, on one thread, that are flushed at the same instants.
/// Thread safety: shared objects unsafe; the dispatcher's thread owns it.
class rate_group : public list_hook<rate_group> {
public:
    rate_group(channel_feed& feed, rate_class& flushed_by) noexcept
        : feed_{feed}, class_{flushed_by} {}

    [[nodiscard]] channel_feed& feed() const noexcept { return feed_; }
    [[nodiscard]] rate_class& flushed_by() const noexcept { return class_; }

    intrusive_list<subscription> members;

    /// The end of the log when the group was flushed last.
    std::uint64_t flushed_upto = 0;

private:
    channel_feed& feed_;
    rate_class& class_;
};

/// All groups of one thread with the same interval: they are flushed together, at the multiples of
/// the interval, and the class has a tick only while one of them waits for it.
/// Thread safety: shared objects unsafe; the dispatcher's thread owns it.
class rate_class {
public:
    explicit rate_class(std::chrono::milliseconds interval) noexcept : interval_{interval} {}

    [[nodiscard]] std::chrono::milliseconds interval() const noexcept { return interval_; }

    /// When the class ticks next; `time_point::max()` if nobody waits.
    [[nodiscard]] time_point deadline() const noexcept {
        return waiting.empty() ? time_point::max() : deadline_;
    }

    /// Lets a group take part in the next tick after `now`. O(1).
    void arm(rate_group& group, time_point now) noexcept {
        if (waiting.empty()) {
            auto const since_epoch = now.time_since_epoch();
            deadline_ = time_point{(since_epoch / interval_ + 1) *
                                   std::chrono::duration_cast<time_point::duration>(interval_)};
        }
        if (!group.is_linked()) waiting.push_back(group);
    }

    intrusive_list<rate_group> waiting;
    std::size_t group_count = 0;

private:
    std::chrono::milliseconds interval_;
    time_point deadline_{};
};

} // namespace livetape
