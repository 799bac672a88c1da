#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

namespace examples {

/// Takes a number of exactly `digits` digits from the front of the text.
inline bool take_digits(std::string_view& text, std::size_t digits, int& value) {
    if (text.size() < digits) return false;
    auto const* const end = text.data() + digits;
    if (!std::all_of(text.data(), end, [](char c) { return c >= '0' && c <= '9'; })) return false;
    std::from_chars(text.data(), end, value);
    text.remove_prefix(digits);
    return true;
}

inline bool take_character(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) return false;
    text.remove_prefix(1);
    return true;
}

/// Takes a finite number from the front of the text.
inline bool take_number(std::string_view& text, double& value) {
    auto const result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc{} || !std::isfinite(value)) return false;
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    return true;
}

/// A date and a time of day, as they were read.
struct calendar_time {
    int year = 0;
    int month = 0;
    int day = 0;
    int hours = 0;
    int minutes = 0;
    int seconds = 0;

    /// Since the Unix epoch; nothing if there is no such day or time.
    [[nodiscard]] std::optional<std::chrono::seconds> since_epoch() const {
        std::chrono::year_month_day const date{std::chrono::year{year},
                                               std::chrono::month{static_cast<unsigned>(month)},
                                               std::chrono::day{static_cast<unsigned>(day)}};
        if (!date.ok() || hours > 23 || minutes > 59 || seconds > 59) return std::nullopt;
        return std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{hours} +
               std::chrono::minutes{minutes} + std::chrono::seconds{seconds};
    }
};

} // namespace examples
