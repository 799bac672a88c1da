#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

namespace livetape::detail {

/// The words of an HTTP date, which commas, hyphens and spaces separate; nothing if there are more
/// than six.
[[nodiscard]] inline std::optional<std::size_t>
split_date(std::string_view text, std::array<std::string_view, 6>& words) noexcept {
    std::size_t count = 0;
    for (;;) {
        auto const begin = text.find_first_not_of(" ,-");
        if (begin == std::string_view::npos) return count;
        text.remove_prefix(begin);
        if (count == words.size()) return std::nullopt;
        words[count] = text.substr(0, text.find_first_of(" ,-"));
        text.remove_prefix(words[count++].size());
    }
}

template <class Number>
[[nodiscard]] bool read_digits(std::string_view text, Number& out) noexcept {
    auto const* const end = text.data() + text.size();
    if (text.empty() || text.front() < '0' || text.front() > '9') return false;
    auto const read = std::from_chars(text.data(), end, out);
    return read.ec == std::errc{} && read.ptr == end;
}

[[nodiscard]] inline std::optional<std::chrono::seconds>
read_time_of_day(std::string_view text) noexcept {
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (text.size() != 8 || text[2] != ':' || text[5] != ':' ||
        !read_digits(text.substr(0, 2), hour) || !read_digits(text.substr(3, 2), minute) ||
        !read_digits(text.substr(6), second) || hour > 23 || minute > 59 || second > 60)
        return std::nullopt;
    return std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
}

/// Reads an HTTP date in each of its three forms (RFC 9110 §5.6.7), of which two are history:
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`.
/// The name of the day is not looked at. A year of two digits is one of 1970 to 2069.
[[nodiscard]] inline std::optional<std::chrono::sys_seconds>
parse_http_date(std::string_view text) noexcept {
    std::array<std::string_view, 6> words;
    auto const count = split_date(text, words);
    if (!count || (*count != 5 && *count != 6)) return std::nullopt;
    bool const is_asctime = *count == 5;
    if (!is_asctime && words[5] != "GMT") return std::nullopt;
    auto const day_of_month = words[is_asctime ? 2 : 1];
    auto const month_name = words[is_asctime ? 1 : 2];
    auto const year_digits = words[is_asctime ? 4 : 3];

    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    auto const at = month_name.size() == 3 ? months.find(month_name) : std::string_view::npos;
    unsigned day = 0;
    int year = 0;
    auto const time = read_time_of_day(words[is_asctime ? 3 : 4]);
    if (at == std::string_view::npos || at % 3 != 0 || !time || !read_digits(day_of_month, day) ||
        !read_digits(year_digits, year))
        return std::nullopt;
    if (year_digits.size() == 2) year += year < 70 ? 2000 : 1900;
    std::chrono::year_month_day const date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(at / 3 + 1)},
                                           std::chrono::day{day}};
    if (!date.ok() || year > 9999) return std::nullopt;
    return std::chrono::sys_days{date} + *time;
}

} // namespace livetape::detail
