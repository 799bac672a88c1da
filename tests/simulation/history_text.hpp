#pragma once

#include "channel_history.hpp"
#include "wire_text.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace livetape::simulation {

/// A question for a part of a channel's log.
struct history_question {
    std::optional<std::uint64_t> from{}, to{}, limit{};
    bool is_reversed = false;

    [[nodiscard]] std::string as_fields() const {
        std::string json;
        if (from) json += ",\"from\":" + std::to_string(*from);
        if (to) json += ",\"to\":" + std::to_string(*to);
        if (limit) json += ",\"limit\":" + std::to_string(*limit);
        if (is_reversed) json += ",\"reverse\":true";
        return json;
    }

    [[nodiscard]] std::string as_parameters() const {
        std::string query;
        if (from) query += "&from=" + std::to_string(*from);
        if (to) query += "&to=" + std::to_string(*to);
        if (limit) query += "&limit=" + std::to_string(*limit);
        if (is_reversed) query += "&reverse=1";
        return query;
    }
};

/// The answer: what is kept of the range; if that is too much, its oldest events where they were
/// asked for, else its newest.
inline std::string history_text(channel_history const& in, history_question const& asked,
                                std::string const& with_id, std::size_t bytes_max) {
    auto const first = std::max(asked.from.value_or(1), in.first_kept);
    auto const last = std::min(asked.to.value_or(in.last()), in.last());
    bool const is_from_front = asked.from && !asked.is_reversed;
    auto const limit = std::min(asked.limit.value_or(1000), std::uint64_t{1000});
    std::vector<std::uint64_t> given;
    std::size_t bytes = 0;
    for (auto i = first; i <= last && given.size() < limit; ++i) {
        auto const offset = is_from_front ? i : last - (i - first);
        bytes += envelope_text(in.at(offset), 1).size() + 1;
        if (bytes > bytes_max && !given.empty()) break;
        given.push_back(offset);
        if (bytes >= bytes_max) break;
    }
    std::string next;
    if (!given.empty() && is_from_front && given.back() < last)
        next = ",\"next_from\":" + std::to_string(given.back() + 1);
    if (!given.empty() && !is_from_front && given.back() > first)
        next = ",\"next_to\":" + std::to_string(given.back() - 1);
    if (!is_from_front && !asked.is_reversed) std::reverse(given.begin(), given.end());
    std::string events;
    for (auto const offset : given)
        events.append(events.empty() ? "" : ",") += envelope_text(in.at(offset), 1);
    return "{\"history\":\"" + in.name + '"' + with_id + ",\"cursor\":\"" +
           position_text(in.epoch, in.last()) +
           "\",\"first\":" + std::to_string(std::min(in.first_kept, in.last() + 1)) +
           ",\"last\":" + std::to_string(in.last()) + ",\"events\":[" + events + ']' + next + '}';
}

} // namespace livetape::simulation
