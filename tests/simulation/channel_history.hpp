#pragma once

#include "base64_text.hpp"

#include <livetape/channel/channel.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a subscriber must see, said so plainly that it can be checked by reading it. Nothing here
/// is fast, shares bytes or knows of segments: a channel is the list of all that was ever
/// published, and every subscriber has a queue of its own.
namespace livetape::simulation {

/// An event as its publisher knew it, and as the envelope of it has it, in two parts: between them
/// goes for how many events it stands.
struct published_event {
    std::string key; ///< empty: none
    std::string payload;
    payload_kind kind = payload_kind::json;
    std::string envelope_head{}, envelope_rest{};
    std::string binary_rest{}; ///< of a binary payload: what follows instead in a binary frame
};

/// Writes down the envelope of an event.
inline published_event event_of(std::string_view channel, std::uint64_t offset,
                                std::string_view key, std::string_view payload, payload_kind kind) {
    published_event event{std::string{key}, std::string{payload}, kind};
    event.envelope_head =
        "{\"channel\":\"" + std::string{channel} + "\",\"offset\":" + std::to_string(offset);
    if (!key.empty()) event.envelope_head.append(",\"key\":\"").append(key) += '"';
    auto& rest = event.envelope_rest;
    if (kind == payload_kind::json) rest.append(",\"data\":").append(payload);
    else if (kind == payload_kind::text) rest.append(",\"data\":\"").append(payload) += '"';
    else rest.append(",\"data64\":\"").append(base64_text(payload)) += '"';
    rest += '}';
    if (kind == payload_kind::binary) event.binary_rest.append("}\n").append(payload);
    return event;
}

/// One life of a channel: everything that was published in it, in order.
class channel_history {
public:
    channel_history(std::string_view channel, std::uint64_t epoch_of_it,
                    channel_options const& options)
        : name{channel}, epoch{epoch_of_it}, keys_max{options.keys_max}, merges{options.merge !=
                                                                                nullptr} {}

    std::string name;
    std::uint64_t epoch;
    std::size_t keys_max;
    bool merges;                         ///< payloads are objects, whose fields are put together
    std::vector<published_event> events; ///< that of offset 1 first
    std::uint64_t first_kept = 1;        ///< what retention has left begins here
    bool is_closed = false;              ///< nothing more comes, and who has read all is told

    [[nodiscard]] std::uint64_t last() const { return events.size(); }
    [[nodiscard]] published_event const& at(std::uint64_t offset) const {
        return events[offset - 1];
    }

    void publish(published_event event) {
        events.push_back(std::move(event));
        auto const& key = events.back().key;
        if (key.empty()) {
            unkeyed_ = last();
            return;
        }
        std::erase_if(newest_, [&](auto offset) { return at(offset).key == key; });
        newest_.push_back(last());
        if (newest_.size() <= keys_max) return;
        evicted_ = std::max(evicted_, newest_.front());
        newest_.erase(newest_.begin());
    }

    /// The newest event of each of the `keys_max` keys that were updated last; of a channel without
    /// keys, its newest event.
    [[nodiscard]] std::vector<std::uint64_t> snapshot() const {
        if (newest_.empty() && last() >= first_kept) return {last()};
        return newest_;
    }

    /// The newest event of each key, those without a key among them.
    [[nodiscard]] std::vector<std::uint64_t> newest_of_each() const {
        auto all = newest_;
        if (unkeyed_ > 0) all.insert(std::lower_bound(all.begin(), all.end(), unkeyed_), unkeyed_);
        return all;
    }

    /// Whether an event that retention has passed can still be had, as the newest of its key.
    [[nodiscard]] bool is_indexed(std::uint64_t offset) const {
        return offset == unkeyed_ ||
               std::find(newest_.begin(), newest_.end(), offset) != newest_.end();
    }

    /// The same, when `last` was the newest event.
    [[nodiscard]] bool was_indexed(std::uint64_t offset, std::uint64_t last) const {
        std::vector<std::string> later;
        for (auto next = offset + 1; next <= last; ++next) {
            auto const& key = at(next).key;
            if (key == at(offset).key) return false;
            if (!key.empty() && std::find(later.begin(), later.end(), key) == later.end())
                later.push_back(key);
        }
        return at(offset).key.empty() || later.size() < keys_max;
    }

    /// Whether the key of an event has a newer one that can be had.
    [[nodiscard]] bool has_newer(std::uint64_t offset) const {
        auto const& key = at(offset).key;
        for (auto newer = last(); newer > offset; --newer)
            if (at(newer).key == key) return newer >= first_kept || is_indexed(newer);
        return false;
    }

    /// Events of keys that were forgotten because there were too many lie at or before this one.
    [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

private:
    std::vector<std::uint64_t> newest_; // of each key, by offset
    std::uint64_t unkeyed_ = 0;
    std::uint64_t evicted_ = 0;
};

/// Something that a subscriber is still to get.
struct due_event {
    std::uint64_t offset = 0;
    std::uint32_t count =
        1; ///< events of the subscription's range that it stands for; 0: of a snapshot
    std::uint64_t oldest = 0; ///< the first of them
    bool is_ahead = false;    ///< comes before the log goes on, whatever its offset
};

} // namespace livetape::simulation
