#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/hash_index.hpp>
#include <livetape/channel/key_index.hpp>
#include <livetape/channel/retention.hpp>
#include <livetape/channel/segment.hpp>
#include <livetape/compact_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace livetape {

/// Consecutive events of a log, kept alive whatever retention does.
struct held_events {
    std::uint64_t first = 1; ///< the first event that is held
    std::uint64_t last = 0;  ///< the last one; smaller than `first` if none is
    compact_vector<segment_ref> segments;

    [[nodiscard]] bool empty() const noexcept { return last < first; }
    [[nodiscard]] std::uint64_t count() const noexcept { return last + 1 - first; }

    /// Calls `f(event)` with each event, the newest first.
    template <class F>
    void for_each_backwards(F&& f) const {
        for (auto i = segments.size(); i > 0; --i) {
            auto const& holder = *segments[i - 1];
            auto const end = std::min(holder.end_offset(), last + 1);
            auto const begin = std::max(holder.first_offset(), first);
            for (auto offset = end; offset > begin; --offset)
                f(holder.at(static_cast<std::uint32_t>(offset - 1 - holder.first_offset())));
        }
    }
};

/// An event that somebody was to get and may still get, wherever it is now.
struct wanted_event {
    enum class state : std::uint8_t {
        waiting,    ///< not looked at
        copied,     ///< here it is
        superseded, ///< gone, but its key has a newer event
        lost,       ///< gone, and so is its key
    };

    std::string_view key;
    std::uint64_t offset = 0;
    std::uint32_t count = 1; ///< what the copy is to say
    state is = state::waiting;
};

/// What a conflating reader gets for the events `after` + 1 to `upto`.
struct conflated_events {
    std::uint64_t after = 0;
    std::uint64_t upto = 0;
    segment_ref events; ///< the newest of each key, by offset, each with its count; may be null

    /// Events that are in no count, of keys that were evicted or perhaps not; 0 if none were.
    std::uint64_t uncounted = 0;

    /// Not 0 if keys were evicted whose newest events may be missing: they lie at or before it.
    std::uint64_t lost_upto = 0;
};

/// A key that has changed, as the index of keys knows it.
struct changed_key {
    std::string key;
    std::uint64_t offset = 0; ///< of its newest event
    std::uint32_t events = 0; ///< events that it has had so far

    /// Its newest event, if it is not in the log, or what its events came to, if they merge.
    key_index::kept_event kept;
    bool is_kept = false; ///< whether that is there
};

/// Finds the newest event of each key among events that are given newest first, and counts how many
/// each stands for. O(1) per event.
/// Thread safety: shared objects unsafe.
class newest_events {
public:
    /// @param merge  folds the payloads of a key; null to keep the newest one
    explicit newest_events(merge_function merge = nullptr) noexcept : merge_{merge} {}

    /// Takes one more event, older than those before.
    void add(event_view const& event) {
        auto const hash = hash_of(event.key);
        if (auto* const known = find(event.key, hash)) {
            known->event.count += event.count;
            if (merge_ != nullptr) known->older.push_back(event.payload);
            return;
        }
        index_.add(hash, static_cast<std::uint32_t>(found_.size()));
        found_.push_back({event, {}, {}});
    }

    /// Lets the event of a key carry another payload; false if the key has not come.
    bool replace_payload(std::string_view key, std::string_view payload) noexcept {
        auto* const known = find(key);
        if (known == nullptr) return false;
        known->event.payload = payload;
        known->older.clear();
        return true;
    }

    /// Shares out `uncounted` events, of which only the number is known, among the keys of which
    /// they can have been: to each in proportion to the events that it has had and that are not
    /// counted. The sum is exact, and so is each count if all that the keys have ever had is to be
    /// counted. O(keys). Precondition: each key has been added, or no event is uncounted.
    void spread(std::uint64_t uncounted, compact_vector<changed_key> const& among) noexcept {
        auto const uncounted_of = [this](changed_key const& each) -> std::uint64_t {
            auto const counted = find(each.key)->event.count;
            return each.events > counted ? each.events - counted : 0;
        };
        if (uncounted == 0) return;
        std::uint64_t of_all = 0;
        for (auto const& each : among) of_all += uncounted_of(each);
        for (auto const& each : among) {
            auto const of_this = uncounted_of(each);
            auto const share = of_this == of_all ? uncounted : uncounted * of_this / of_all;
            find(each.key)->event.count += static_cast<std::uint32_t>(share);
            uncounted -= share;
            of_all -= of_this;
        }
    }

    /// A segment of the events found, oldest first; null if there are none.
    [[nodiscard]] segment_ref copy(log_identity_ref const& identity) {
        if (found_.empty()) return {};
        std::size_t bytes = 0;
        for (auto& each : found_) {
            if (merge_ != nullptr) fold(each);
            bytes += each.event.key.size() + each.event.payload.size();
        }
        segment_ref events =
            segment::make(identity, found_.back().event.offset,
                          static_cast<std::uint32_t>(found_.size()), bytes, segment_role::newest);
        for (auto i = found_.size(); i > 0; --i) events->append(found_[i - 1].event);
        return events;
    }

private:
    struct found {
        event_view event;
        compact_vector<std::string_view> older; // payloads, the newest first, if they merge
        std::string merged;                     // what the event's payload points to, then
    };

    void fold(found& which) const {
        if (which.older.empty()) return;
        auto& merged = which.merged;
        merged = which.older.back();
        for (auto i = which.older.size() - 1; i > 0; --i) merge_(merged, which.older[i - 1]);
        merge_(merged, which.event.payload);
        which.event.payload = merged;
    }

    static std::size_t hash_of(std::string_view key) noexcept {
        return std::hash<std::string_view>{}(key);
    }

    [[nodiscard]] found* find(std::string_view key) noexcept { return find(key, hash_of(key)); }

    [[nodiscard]] found* find(std::string_view key, std::size_t hash) noexcept {
        auto const index =
            index_.find(hash, [&](std::uint32_t each) { return found_[each].event.key == key; });
        return index == hash_index::none ? nullptr : &found_[index];
    }

    merge_function merge_;
    hash_index index_; // of those in `found_`, by key
    compact_vector<found> found_;
};

} // namespace livetape
