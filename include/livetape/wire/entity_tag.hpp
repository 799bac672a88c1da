#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/field_list.hpp>

#include <cstddef>
#include <string_view>

namespace livetape::http {

/// Whether an If-None-Match field names that tag, with its quotation marks (RFC 9110 §13.1.2): a
/// list of tags, compared weakly, because proxies that compress weaken them. O(size).
[[nodiscard]] inline bool matches_entity_tag(std::string_view list, std::string_view tag) noexcept {
    while (!list.empty()) {
        auto const comma = std::min(list.find(','), list.size());
        auto known = trim_whitespace(list.substr(0, comma));
        list.remove_prefix(std::min(comma + 1, list.size()));
        if (known.starts_with("W/")) known.remove_prefix(2);
        if (known == tag || known == "*") return true;
    }
    return false;
}

} // namespace livetape::http
