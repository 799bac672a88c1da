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

inline constexpr std::size_t member_bytes_max = 20 + number_bytes_max;

/// Writes `,"name":number`; the name needs no escapes and has at most 16 bytes.
template <class Number>
char* write_member(char* to, std::string_view name, Number number) noexcept {
    *to++ = ',';
    *to++ = '"';
    to = std::copy_n(name.data(), name.size(), to);
    *to++ = '"';
    *to++ = ':';
    return write_number(to, number);
}

/// Writes such members into an array, because many small pieces cost more than one large one, and
/// appends them as an object.
template <std::size_t Members>
class members_text {
public:
    template <class Number>
    members_text& member(std::string_view name, Number number) noexcept {
        end_ = write_member(end_, name, number);
        return *this;
    }

    void append_to(std::string& out) noexcept {
        text_[0] = '{';
        *end_++ = '}';
        out.append(text_.data(), end_);
    }

private:
    std::array<char, Members * member_bytes_max + 1> text_; // the first comma gives way to a brace
    char* end_ = text_.data();
};

template <std::size_t Members>
void write_prices(members_text<Members>& to, ohlc_bar const& bar) noexcept {
    to.member("open", bar.open).member("high", bar.high).member("low", bar.low);
    to.member("close", bar.close).member("count", bar.count);
}

} // namespace detail

inline void append_value(std::string& out, ohlc_bar const& bar) {
    detail::members_text<5> text;
    detail::write_prices(text, bar);
    text.append_to(out);
}

inline void append_value(std::string& out, ohlcv_bar const& bar) {
    detail::members_text<7> text;
    detail::write_prices(text, bar);
    text.member("volume", bar.volume).member("vwap", bar.vwap).append_to(out);
}

inline void append_value(std::string& out, fitted_line const& line) {
    detail::members_text<2> text;
    text.member("slope", line.slope).member("intercept", line.intercept).append_to(out);
}

inline void append_value(std::string& out, quantile_summary const& of) {
    detail::members_text<5> text;
    text.member("min", of.min).member("median", of.median).member("p90", of.p90);
    text.member("p99", of.p99).member("max", of.max).append_to(out);
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

namespace detail {

inline constexpr std::size_t time_bytes_max = 24;

inline char* write_time(char* to, event_time time) noexcept {
    auto const nanoseconds = time.count();
    auto const magnitude = nanoseconds < 0 ? 0 - static_cast<std::uint64_t>(nanoseconds)
                                           : static_cast<std::uint64_t>(nanoseconds);
    if (nanoseconds < 0) *to++ = '-';
    to = std::to_chars(to, to + 14, magnitude / 1'000'000).ptr;
    auto fraction = magnitude % 1'000'000;
    if (fraction == 0) return to;
    *to = '.';
    for (int i = 6; i > 0; --i, fraction /= 10) to[i] = static_cast<char>('0' + fraction % 10);
    for (to += 6; *to == '0';) --to;
    return to + 1;
}

} // namespace detail

/// Appends a time in milliseconds since its epoch, as browsers count, with a fraction if it has
/// one.
inline void append_time(std::string& out, event_time time) {
    std::array<char, detail::time_bytes_max> text;
    out.append(text.data(), detail::write_time(text.data(), time));
}

} // namespace livetape
