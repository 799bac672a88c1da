#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace livetape::detail {

/// Whether two words of texts of the same length, at their beginning and at their end, agree.
/// Precondition: both have at least as many bytes as a word.
template <class Word>
[[nodiscard]] inline bool same_ends(std::string_view a, std::string_view b) noexcept {
    auto const load = [](std::string_view from, std::size_t at) {
        Word word;
        std::memcpy(&word, from.data() + at, sizeof word);
        return word;
    };
    auto const last = a.size() - sizeof(Word);
    return load(a, 0) == load(b, 0) && load(a, last) == load(b, last);
}

/// Whether two texts are the same. For names of fields and keys, which are mostly so short that the
/// call of `memcmp` costs more than the comparison. O(bytes).
[[nodiscard]] inline bool same_text(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    if (a.size() > 16) return a == b;
    if (a.size() >= 8) return same_ends<std::uint64_t>(a, b);
    if (a.size() >= 4) return same_ends<std::uint32_t>(a, b);
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i]) return false;
    return true;
}

} // namespace livetape::detail
