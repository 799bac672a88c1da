#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/channel/cursor.hpp>
#include <livetape/json_text.hpp>
#include <livetape/transport/encodings.hpp>
#include <livetape/transport/history_query.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

/// A part of a channel's log as it was at one instant.
struct history_page {
    std::uint64_t first_kept = 1;             ///< one past `last` if nothing is kept
    std::uint64_t last = 0;                   ///< the channel's newest event
    std::string events{};                     ///< the envelopes, each after a comma
    std::optional<std::uint64_t> next_from{}; ///< where newer events of the range go on
    std::optional<std::uint64_t> next_to{};   ///< where older events of the range go on
};

/// Reads what a history query asks for. An older place in the log is all that history is, so it
/// costs the events that are given. O(events).
/// Thread safety: safe from any thread, as the channel is.
[[nodiscard]] inline history_page read_history(channel const& source, history_query const& query,
                                               history_limits const& limits) {
    history_page page;
    page.last = source.last_offset();
    page.first_kept = std::min(source.first_offset(), page.last + 1);
    auto const first = std::max(query.from.value_or(1), page.first_kept);
    auto const last = std::min(query.to.value_or(page.last), page.last);
    std::uint64_t const events_max =
        std::min<std::uint64_t>(query.limit.value_or(limits.events_max), limits.events_max);
    if (first > last || events_max == 0) return page;

    bool const is_oldest_wanted = query.from && !query.is_reversed;
    auto const count = std::min(last - first + 1, events_max);
    auto const begin = is_oldest_wanted ? first : last - count + 1;
    auto const events = source.read(begin - 1, {.events_max = static_cast<std::size_t>(count)});
    if (events.empty()) return page;
    // Retention may have moved on since the bounds were read.
    auto const oldest = (*events.begin()).offset;
    if (oldest > last) return page;
    auto const newest = std::min(last, oldest + events.size() - 1);

    std::vector<std::string> envelopes;
    std::size_t bytes = 0;
    for (auto i = oldest; i <= newest && bytes < limits.bytes_max; ++i) {
        std::string envelope(1, ',');
        append_envelope(envelope, events.at(is_oldest_wanted ? i : newest - (i - oldest)));
        bytes += envelope.size();
        if (bytes <= limits.bytes_max || envelopes.empty())
            envelopes.push_back(std::move(envelope));
    }
    if (!is_oldest_wanted && !query.is_reversed) std::reverse(envelopes.begin(), envelopes.end());
    for (auto const& each : envelopes) page.events += each;
    auto const given = envelopes.size();
    if (is_oldest_wanted && oldest + given <= last) page.next_from = oldest + given;
    if (!is_oldest_wanted && newest - given >= first && newest - given > 0)
        page.next_to = newest - given;
    return page;
}

/// Appends `{"history":"ticks","id":1,"cursor":"…","first":1,"last":9,"events":[…],"next_to":4}`.
/// The cursor goes on after `last`.
/// @param id  as JSON; empty if the query had none
inline void append_history(std::string& out, channel const& source, history_page const& page,
                           std::string_view id = {}) {
    out += R"({"history":)";
    append_json_string(out, source.name());
    if (!id.empty()) out.append(R"(,"id":)").append(id);
    out += R"(,"cursor":")";
    append_position(out, {source.epoch(), page.last});
    out += R"(","first":)";
    append_number(out, page.first_kept);
    out += R"(,"last":)";
    append_number(out, page.last);
    out += R"(,"events":[)";
    if (!page.events.empty()) out.append(page.events, 1);
    out += ']';
    if (page.next_from) append_number(out += R"(,"next_from":)", *page.next_from);
    if (page.next_to) append_number(out += R"(,"next_to":)", *page.next_to);
    out += '}';
}

} // namespace livetape
