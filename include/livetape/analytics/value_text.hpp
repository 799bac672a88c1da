#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/linear_regression.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/quantile_summary.hpp>
#include <livetape/json_text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace livetape {

namespace detail {

/// Writes a number that has at most 15 digits, four of them decimals, without an exponent; null if
/// it has more. A division tells which it is: it is rounded correctly (IEEE 754 §5.4.1), so if
/// scaled / 10^4 is the number, its text is read as the number, and no shorter one is, since
/// decimals of up to 15 digits are different doubles. The search for the fewest digits costs ten
/// times as much, and prices and counts are most of what is written. At most 17 characters.
inline char* write_short_decimal(char* to, double value) noexcept {
    constexpr double scale = 1e4;
    double const magnitude = std::fabs(value);
    if (!(magnitude < 1e15)) return nullptr;
    auto whole = static_cast<std::uint64_t>(magnitude);
    std::uint64_t decimals = 0;
    if (static_cast<double>(whole) != magnitude) {
        if (magnitude >= 1e15 / scale) return nullptr;
        auto const scaled = static_cast<std::uint64_t>(magnitude * scale + 0.5);
        if (static_cast<double>(scaled) / scale != magnitude) return nullptr;
        whole = scaled / 10'000;
        decimals = scaled % 10'000;
    }
    if (std::signbit(value)) *to++ = '-';
    to = std::to_chars(to, to + 15, whole).ptr;
    if (decimals == 0) return to;
    *to = '.';
    for (int i = 4; i > 0; --i, decimals /= 10) to[i] = static_cast<char>('0' + decimals % 10);
    for (to += 4; *to == '0';) --to;
    return to + 1;
}

inline constexpr std::size_t number_bytes_max = 24; // -1.2345678901234567e-308

/// Writes a number as JSON and returns its end; there must be `number_bytes_max` characters.
inline char* write_number(char* to, double value) noexcept {
    if (auto* const end = write_short_decimal(to, value)) return end;
    if (!is_finite(value)) return std::copy_n("null", 4, to);
    return std::to_chars(to, to + number_bytes_max, value).ptr;
}

inline char* write_number(char* to, std::uint64_t value) noexcept {
    return std::to_chars(to, to + number_bytes_max, value).ptr;
}

} // namespace detail

/// Appends a number as JSON, with as few digits as give it back; null for what JSON cannot say, NaN
/// and infinities. The overloads of `append_value` are how a pipeline writes results; one for a
/// type of the host's own, in the type's namespace, is found too.
inline void append_value(std::string& out, double value) {
    std::array<char, detail::number_bytes_max> text;
    out.append(text.data(), detail::write_number(text.data(), value));
}

template <std::unsigned_integral Number>
void append_value(std::string& out, Number value) {
    append_number(out, value);
}

namespace detail {

/// Appends a member with a name that needs no escapes and has at most 16 bytes.
template <class Number>
void append_member(std::string& out, std::string_view name, Number number) {
    std::array<char, 20 + number_bytes_max> text;
    auto* to = text.data();
    if (out.back() != '{') *to++ = ',';
    *to++ = '"';
    to = std::copy_n(name.data(), name.size(), to);
    *to++ = '"';
    *to++ = ':';
    out.append(text.data(), write_number(to, number));
}

inline void append_prices(std::string& out, ohlc_bar const& bar) {
    append_member(out, "open", bar.open);
    append_member(out, "high", bar.high);
    append_member(out, "low", bar.low);
    append_member(out, "close", bar.close);
    append_member(out, "count", bar.count);
}

} // namespace detail

inline void append_value(std::string& out, ohlc_bar const& bar) {
    out += '{';
    detail::append_prices(out, bar);
    out += '}';
}

inline void append_value(std::string& out, ohlcv_bar const& bar) {
    out += '{';
    detail::append_prices(out, bar);
    detail::append_member(out, "volume", bar.volume);
    detail::append_member(out, "vwap", bar.vwap);
    out += '}';
}

inline void append_value(std::string& out, fitted_line const& line) {
    out += '{';
    detail::append_member(out, "slope", line.slope);
    detail::append_member(out, "intercept", line.intercept);
    out += '}';
}

inline void append_value(std::string& out, quantile_summary const& of) {
    out += '{';
    detail::append_member(out, "min", of.min);
    detail::append_member(out, "median", of.median);
    detail::append_member(out, "p90", of.p90);
    detail::append_member(out, "p99", of.p99);
    detail::append_member(out, "max", of.max);
    out += '}';
}

/// Counts of a histogram, and any other list of numbers.
template <std::ranges::input_range Range>
requires std::is_arithmetic_v<std::ranges::range_value_t<Range>>
void append_value(std::string& out, Range const& values) {
    out += '[';
    for (auto const value : values) {
        if (out.back() != '[') out += ',';
        append_value(out, value);
    }
    out += ']';
}

/// The values of a `combine`, in their order.
template <class... Values>
void append_value(std::string& out, std::tuple<Values...> const& values) {
    out += '[';
    auto const append = [&](auto const& value) {
        if (out.back() != '[') out += ',';
        append_value(out, value);
    };
    std::apply([&](auto const&... value) { (append(value), ...); }, values);
    out += ']';
}

/// Appends a time in milliseconds since its epoch, as browsers count, with a fraction if it has
/// one.
inline void append_time(std::string& out, event_time time) {
    auto nanoseconds = time.count();
    if (nanoseconds < 0) out += '-';
    auto const magnitude = nanoseconds < 0 ? 0 - static_cast<std::uint64_t>(nanoseconds)
                                           : static_cast<std::uint64_t>(nanoseconds);
    append_number(out, magnitude / 1'000'000);
    auto fraction = magnitude % 1'000'000;
    if (fraction == 0) return;
    std::array<char, 7> digits{'.'};
    for (std::size_t i = 6; i > 0; --i, fraction /= 10)
        digits[i] = static_cast<char>('0' + fraction % 10);
    auto size = digits.size();
    while (digits[size - 1] == '0') --size;
    out.append(digits.data(), size);
}

} // namespace livetape
