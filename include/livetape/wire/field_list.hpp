#pragma once

#include <cstddef>
#include <string_view>

#include <livetape/wire/characters.hpp>
#include <livetape/wire/message_head.hpp>

namespace livetape::http {

/// Whether a list-valued field (RFC 9110 §5.6.1) names the token, in any case, on any of its
/// lines. Elements are split at commas; quoted strings are not understood, as the lists this is
/// for (`Connection`, `Upgrade`, `Transfer-Encoding`) have none. O(bytes of that field).
[[nodiscard]] inline bool has_token(message_head const& head, std::string_view field_name,
                                    std::string_view token) noexcept {
    for (std::size_t i = 0; i < head.field_count(); ++i) {
        auto const field = head.field_at(i);
        if (!equals_ignoring_case(field.name, field_name)) continue;
        auto rest = field.value;
        while (true) {
            auto const comma = rest.find(',');
            if (equals_ignoring_case(trim_whitespace(rest.substr(0, comma)), token)) return true;
            if (comma == std::string_view::npos) break;
            rest.remove_prefix(comma + 1);
        }
    }
    return false;
}

/// Whether the sender of a head wants the connection to stay open after the response (RFC 9112
/// §9.3): HTTP/1.1 unless it says `close`; HTTP/1.0 only if it says `keep-alive`.
[[nodiscard]] inline bool keep_alive(message_head const& head) noexcept {
    if (has_token(head, "Connection", "close")) return false;
    return head.minor_version() >= 1 || has_token(head, "Connection", "keep-alive");
}

} // namespace livetape::http
