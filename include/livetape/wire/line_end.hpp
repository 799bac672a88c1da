#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace livetape::sse::detail {

/// The position of the first CR or LF, or npos. One pass, eight bytes at a time: two searches, one
/// for each, would be quadratic over the many lines of one buffer.
[[nodiscard]] inline std::size_t find_line_end(std::string_view text) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101;
    std::size_t i = 0;
    for (; text.size() - i >= sizeof(std::uint64_t); i += sizeof(std::uint64_t)) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + i, sizeof word);
        std::uint64_t const from_cr = word ^ (ones * '\r');
        std::uint64_t const from_lf = word ^ (ones * '\n');
        std::uint64_t const zeros = ((from_cr - ones) & ~from_cr) | ((from_lf - ones) & ~from_lf);
        if ((zeros & (ones * 0x80)) != 0) break;
    }
    for (; i < text.size(); ++i)
        if (text[i] == '\r' || text[i] == '\n') return i;
    return std::string_view::npos;
}

} // namespace livetape::sse::detail
