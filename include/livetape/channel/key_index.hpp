#pragma once

#include <livetape/channel/segment.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace livetape {

/// The newest event of each key, in order of last update, also after the log let go of it.
///
/// While an event is in the log the index knows only its offset; when the event's segment leaves
/// the log, `keep` copies the event if it is still its key's newest.
/// Thread safety: shared objects unsafe; the channel's lock guards it.
class key_index {
public:
    struct entry {
        std::string key;
        std::uint64_t offset = 0;
        std::string payload; ///< the copy, once the log has let go of the event
        payload_kind kind = payload_kind::json;
        time_point time{};
    };

    key_index(std::size_t keys_max, std::size_t kept_bytes_max)
        : keys_max_{keys_max}, kept_bytes_max_{kept_bytes_max} {}

    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] auto begin() const noexcept { return entries_.begin(); }
    [[nodiscard]] auto end() const noexcept { return entries_.end(); }

    /// Makes `offset` the newest event of `key`. O(1).
    void update(std::string_view key, std::uint64_t offset) {
        if (keys_max_ == 0) return;
        if (auto const found = by_key_.find(key); found != by_key_.end()) {
            forget_copy(*found->second);
            found->second->offset = offset;
            entries_.splice(entries_.end(), entries_, found->second);
            return;
        }
        if (entries_.size() == keys_max_) evict_oldest();
        entries_.push_back({std::string{key}, offset, {}, payload_kind::json, {}});
        by_key_.emplace(entries_.back().key, std::prev(entries_.end()));
    }

    /// Copies those events of a segment that are still the newest of their key. O(events).
    void keep(segment const& leaving) {
        if (entries_.empty()) return;
        for (std::uint32_t index = 0; index < leaving.count(); ++index) {
            auto const event = leaving.at(index);
            if (event.key.empty()) continue;
            auto const found = by_key_.find(event.key);
            if (found == by_key_.end() || found->second->offset != event.offset) continue;
            auto& to = *found->second;
            to.payload = event.payload;
            to.kind = event.kind;
            to.time = event.time;
            kept_bytes_ += to.payload.size();
        }
        while (kept_bytes_ > kept_bytes_max_) evict_oldest();
    }

private:
    void forget_copy(entry& e) {
        kept_bytes_ -= e.payload.size();
        std::string{}.swap(e.payload);
    }

    void evict_oldest() {
        forget_copy(entries_.front());
        by_key_.erase(entries_.front().key);
        entries_.pop_front();
    }

    std::list<entry> entries_;
    std::unordered_map<std::string_view, std::list<entry>::iterator> by_key_;
    std::size_t keys_max_;
    std::size_t kept_bytes_max_;
    std::size_t kept_bytes_ = 0;
};

} // namespace livetape
