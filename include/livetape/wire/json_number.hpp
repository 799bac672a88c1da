#pragma once

#include <cstddef>
#include <string_view>

namespace livetape::detail {

/// Whether the text is a number, of any size (RFC 8259 §6).
[[nodiscard]] constexpr bool is_json_number(std::string_view text) noexcept {
    auto const skip_digits = [&text] {
        std::size_t n = 0;
        while (n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
        text.remove_prefix(n);
        return n > 0;
    };
    if (text.starts_with('-')) text.remove_prefix(1);
    if (text.starts_with('0')) text.remove_prefix(1);
    else if (!skip_digits()) return false;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (!skip_digits()) return false;
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(text.size() > 1 && (text[1] == '+' || text[1] == '-') ? 2 : 1);
        if (!skip_digits()) return false;
    }
    return text.empty();
}

/// Whether a parser gave up at a number, malformed or larger than it can hold; newer versions of
/// simdjson tell integers apart.
template <class Code>
[[nodiscard]] constexpr bool is_number_error(Code code) noexcept {
    if constexpr (requires { Code::BIGINT_ERROR; })
        return code == Code::NUMBER_ERROR || code == Code::BIGINT_ERROR;
    else return code == Code::NUMBER_ERROR;
}

} // namespace livetape::detail
