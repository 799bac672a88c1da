#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/linear_regression.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/quantile_summary.hpp>
#include <livetape/json_text.hpp>

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace livetape {

/// Appends a number as JSON, with as few digits as give it back; null for what JSON cannot say, NaN
/// and infinities. The overloads of `append_value` are how a pipeline writes results; one for a
/// type of the host's own, in the type's namespace, is found too.
inline void append_value(std::string& out, double value) {
    if (!detail::is_finite(value)) {
        out += "null";
        return;
    }
    std::array<char, 32> text;
    auto const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    out.append(text.data(), end);
}

template <std::unsigned_integral Number>
void append_value(std::string& out, Number value) {
    append_number(out, value);
}

namespace detail {

template <class Number>
void append_member(std::string& out, std::string_view name, Number number) {
    out += out.back() == '{' ? "\"" : ",\"";
    out += name;
    out += "\":";
    append_value(out, number);
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
