#pragma once

#include <livetape/config.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace livetape {

/// The ids of a channel's latest publishes and the offsets they got: what makes a retry harmless.
///
/// Bounded by count and by age; the oldest id is forgotten first. An id costs its bytes and about
/// 120 more.
/// Thread safety: shared objects unsafe; the channel's lock guards it.
class publish_window {
public:
    publish_window(std::size_t events_max, clock::duration age_max) noexcept
        : events_max_{events_max}, age_max_{age_max} {}
    publish_window(publish_window const&) = delete;
    publish_window& operator=(publish_window const&) = delete;

    /// The offset that the publish of that id got; nothing if it is not known (any more). O(1).
    [[nodiscard]] std::optional<std::uint64_t> find(std::string_view id) const {
        auto const found = seen_.find(id);
        if (found == seen_.end()) return std::nullopt;
        return found->second;
    }

    /// Precondition: `find(id)` is empty, and no earlier call had a later `now`. O(1).
    void remember(std::string_view id, std::uint64_t offset, time_point now) {
        if (events_max_ == 0) return;
        if (order_.size() == events_max_) forget_oldest();
        auto const& newest = order_.emplace_back(remembered{std::string{id}, now});
        seen_.emplace(newest.id, offset);
    }

    /// Forgets the ids that are as old as the limit at `now`. O(ids forgotten).
    void expire(time_point now) {
        while (!order_.empty() && now - order_.front().time >= age_max_) forget_oldest();
    }

    /// When `expire` has something to do next. Precondition: `!empty()`.
    [[nodiscard]] time_point next_due() const noexcept {
        LIVETAPE_ASSERT(!empty());
        return order_.front().time + age_max_;
    }

    [[nodiscard]] bool empty() const noexcept { return order_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

private:
    struct remembered {
        std::string id;
        time_point time;
    };

    void forget_oldest() {
        seen_.erase(order_.front().id);
        order_.pop_front();
    }

    std::deque<remembered> order_;                             // never moves its elements
    std::unordered_map<std::string_view, std::uint64_t> seen_; // views of those ids
    std::size_t events_max_;
    clock::duration age_max_;
};

} // namespace livetape
