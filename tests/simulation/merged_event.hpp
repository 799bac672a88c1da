#pragma once

#include "channel_history.hpp"
#include "wire_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace livetape::simulation {

/// The payloads of a channel that merges: objects of these fields, each with the offset of the
/// event that set it as its value.
inline constexpr std::array<std::string_view, 4> merged_fields{"a", "b", "c", "d"};

/// Whether an event sets a field.
inline bool sets_field(published_event const& event, std::string_view field) {
    return event.payload.find('"' + std::string{field} + "\":") != std::string::npos;
}

/// The last event of a key, up to that offset and after another one, that sets a field; 0: none.
inline std::uint64_t last_to_set(channel_history const& in, std::string_view key,
                                 std::string_view field, std::uint64_t after, std::uint64_t upto) {
    for (auto offset = upto; offset > after; --offset)
        if (in.at(offset).key == key && sets_field(in.at(offset), field)) return offset;
    return 0;
}

/// Whether a payload carries all that the events of a key up to `offset` came to, for whoever knows
/// what the events before `oldest` came to. It may say more than that, older things or newer ones
/// that come anyway, but nothing that is not so.
inline bool is_merged(channel_history const& in, std::uint64_t offset, std::uint64_t oldest,
                      strict_reader& payload) {
    auto const& key = in.at(offset).key;
    std::array<bool, merged_fields.size()> is_said{};
    if (!payload.skip("{")) return false;
    for (std::string_view separator; !payload.skip("}"); separator = ",") {
        std::string_view field;
        std::uint64_t set_by = 0;
        if (!payload.skip(separator) || !payload.skip("\"") || !payload.read_string(field) ||
            !payload.skip(":") || !payload.read(set_by) || set_by == 0 || set_by > in.last())
            return false;
        auto const known = std::find(merged_fields.begin(), merged_fields.end(), field);
        if (known == merged_fields.end() || in.at(set_by).key != key ||
            !sets_field(in.at(set_by), field) || last_to_set(in, key, field, set_by, offset) != 0)
            return false;
        is_said[static_cast<std::size_t>(known - merged_fields.begin())] = true;
    }
    for (std::size_t i = 0; i < merged_fields.size(); ++i)
        if (!is_said[i] && last_to_set(in, key, merged_fields[i], oldest - 1, offset) != 0)
            return false;
    return true;
}

} // namespace livetape::simulation
