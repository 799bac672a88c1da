#pragma once

#include <livetape/channel/retention.hpp>
#include <livetape/channel/segment.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace livetape {

/// Consecutive events of a log, kept alive whatever retention does.
struct held_events {
    std::uint64_t first = 1; ///< the first event that is held
    std::uint64_t last = 0;  ///< the last one; smaller than `first` if none is
    std::vector<segment_ref> segments;

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

    /// Events that are in no count: retention passed them before anybody counted.
    std::uint64_t uncounted = 0;

    /// Not 0 if keys were evicted whose newest events may be missing: they lie at or before it.
    std::uint64_t lost_upto = 0;
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
        if (slots_.size() < found_.size() * 2 + 2) grow();
        auto const hash = std::hash<std::string_view>{}(event.key);
        auto& slot = slot_of(event.key, hash);
        if (slot != 0) {
            auto& known = found_[slot - 1];
            known.event.count += event.count;
            if (merge_ != nullptr) known.older.push_back(event.payload);
            return;
        }
        slot = static_cast<std::uint32_t>(found_.size() + 1);
        found_.push_back({event, hash, {}});
    }

    /// Lets the event of a key carry another payload; false if the key has not come.
    bool replace_payload(std::string_view key, std::string_view payload) noexcept {
        if (slots_.empty()) return false;
        auto const slot = slot_of(key, std::hash<std::string_view>{}(key));
        if (slot == 0) return false;
        found_[slot - 1].event.payload = payload;
        found_[slot - 1].older.clear();
        return true;
    }

    /// A segment of the events found, oldest first; null if there are none.
    [[nodiscard]] segment_ref copy(std::shared_ptr<log_identity const> const& identity) {
        if (found_.empty()) return {};
        std::vector<std::string> merged(found_.size());
        for (std::size_t i = 0; merge_ != nullptr && i < found_.size(); ++i)
            fold(found_[i], merged[i]);
        std::size_t bytes = 0;
        for (auto const& each : found_) bytes += each.event.key.size() + each.event.payload.size();
        segment_ref events{new segment{identity, found_.back().event.offset,
                                       static_cast<std::uint32_t>(found_.size()), bytes,
                                       segment_role::newest}};
        for (auto i = found_.size(); i > 0; --i) events->append(found_[i - 1].event);
        return events;
    }

private:
    struct found {
        event_view event;
        std::size_t hash;
        std::vector<std::string_view> older; // payloads, the newest first, if they merge
    };

    void fold(found& which, std::string& merged) const {
        if (which.older.empty()) return;
        merged = which.older.back();
        for (auto i = which.older.size() - 1; i > 0; --i) merge_(merged, which.older[i - 1]);
        merge_(merged, which.event.payload);
        which.event.payload = merged;
    }

    [[nodiscard]] std::uint32_t& slot_of(std::string_view key, std::size_t hash) noexcept {
        auto const mask = slots_.size() - 1;
        auto at = hash & mask;
        while (slots_[at] != 0) {
            auto const& other = found_[slots_[at] - 1];
            if (other.hash == hash && other.event.key == key) break;
            at = (at + 1) & mask;
        }
        return slots_[at];
    }

    void grow() {
        slots_.assign(slots_.empty() ? 64 : slots_.size() * 2, 0);
        auto const mask = slots_.size() - 1;
        for (std::size_t i = 0; i < found_.size(); ++i) {
            auto at = found_[i].hash & mask;
            while (slots_[at] != 0) at = (at + 1) & mask;
            slots_[at] = static_cast<std::uint32_t>(i + 1);
        }
    }

    merge_function merge_;
    std::vector<std::uint32_t> slots_; // places in `found_`, from 1; 0 is free. A power of two
    std::vector<found> found_;
};

} // namespace livetape
