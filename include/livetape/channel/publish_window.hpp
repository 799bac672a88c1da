#pragma once

#include <livetape/channel/keyed_list.hpp>
#include <livetape/config.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace livetape {

/// The ids of a channel's latest publishes and the offsets they got: what makes a retry harmless.
///
/// Bounded by count and by age; the oldest id is forgotten first. An id costs its bytes and about
/// 80 more.
/// Thread safety: shared objects unsafe; the channel's lock guards it.
class publish_window {
public:
    publish_window(std::size_t events_max, clock::duration age_max) noexcept
        : events_max_{events_max}, age_max_{age_max} {}
    publish_window(publish_window const&) = delete;
    publish_window& operator=(publish_window const&) = delete;

    /// The offset that the publish of that id got; nothing if it is not known (any more). O(1).
    [[nodiscard]] std::optional<std::uint64_t> find(std::string_view id) const {
        auto const* const found = seen_.find(id);
        if (found == nullptr) return std::nullopt;
        return found->value.offset;
    }

    /// Precondition: `find(id)` is empty, and no earlier call had a later `now`. O(1).
    void remember(std::string_view id, std::uint64_t offset, time_point now) {
        if (events_max_ == 0) return;
        if (seen_.size() == events_max_) seen_.erase(*seen_.front());
        auto& newest = seen_.find_or_add(id);
        newest.value = {offset, now};
        seen_.move_to_back(newest);
    }

    /// Forgets the ids that are as old as the limit at `now`. O(ids forgotten).
    void expire(time_point now) {
        while (!empty() && now - seen_.front()->value.time >= age_max_) seen_.erase(*seen_.front());
    }

    /// When `expire` has something to do next. Precondition: `!empty()`.
    [[nodiscard]] time_point next_due() const noexcept {
        LIVETAPE_ASSERT(!empty());
        return seen_.front()->value.time + age_max_;
    }

    [[nodiscard]] bool empty() const noexcept { return seen_.size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return seen_.size(); }

private:
    struct remembered {
        std::uint64_t offset = 0;
        time_point time{};
    };

    keyed_list<remembered> seen_; // by id, the oldest in front
    std::size_t events_max_;
    clock::duration age_max_;
};

} // namespace livetape
