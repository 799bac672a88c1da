#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iterator>
#include <span>
#include <string_view>

namespace benchmarks {

/// CLOCK_MONOTONIC in nanoseconds: the same clock for every process of a machine.
[[nodiscard]] inline std::int64_t monotonic_ns() noexcept {
    timespec at{};
    clock_gettime(CLOCK_MONOTONIC, &at);
    return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

/// The smallest payload: room for the fields with the longest numbers.
inline constexpr std::size_t payload_bytes_min = 64;

/// Fills `out` with `{"s":<sequence>,"t":<published>,"p":"xxx…"}`.
/// Precondition: `out` has `payload_bytes_min` bytes or more.
inline void write_payload(std::span<char> out, std::uint64_t sequence,
                          std::int64_t published_ns) noexcept {
    char* to = out.data();
    char* const end = to + out.size();
    auto const put = [&](std::string_view text) {
        std::memcpy(to, text.data(), text.size());
        to += text.size();
    };
    put(R"({"s":)");
    to = std::to_chars(to, end, sequence).ptr;
    put(R"(,"t":)");
    to = std::to_chars(to, end, published_ns).ptr;
    put(R"(,"p":")");
    std::memset(to, 'x', static_cast<std::size_t>(end - to) - 2);
    to = end - 2;
    put(R"("})");
}

/// Puts text that compresses as JSON of market data does in place of the x's of a payload.
/// @param sequence  what the text varies with
inline void write_rows(std::span<char> payload, std::uint64_t sequence) noexcept {
    static constexpr std::string_view names[] = {"AAPL", "MSFT", "NVDA", "AMZN",
                                                 "GOOG", "META", "TSLA", "ORCL"};
    std::size_t const begin = std::string_view{payload.data(), payload.size()}.find('x');
    char* to = payload.data() + begin;
    char* const end = payload.data() + payload.size() - 2;
    for (std::uint64_t row = 0;; ++row) {
        char line[96];
        auto const random = (sequence * 31 + row) * 2654435761u;
        auto const size = std::snprintf(
            line, sizeof line, "symbol: %s, bid: %u.%02u, ask: %u.%02u, volume: %u; ",
            names[row % std::size(names)].data(), static_cast<unsigned>(100 + random % 50),
            static_cast<unsigned>(random / 64 % 100), static_cast<unsigned>(100 + random % 50),
            static_cast<unsigned>(random / 128 % 100), static_cast<unsigned>(random / 256 % 9000));
        auto const taken = std::min(end - to, static_cast<std::ptrdiff_t>(size));
        std::memcpy(to, line, static_cast<std::size_t>(taken));
        to += taken;
        if (to == end) return;
    }
}

/// What a subscriber reads of a payload.
struct payload_fields {
    std::uint64_t sequence = 0; ///< 0 if there is none: the text is no payload
    std::int64_t published_ns = 0;
};

namespace detail {

/// Reads digits at `from` and leaves it behind them. Faster than from_chars, which checks overflow.
inline std::uint64_t read_digits(char const*& from, char const* end) noexcept {
    std::uint64_t value = 0;
    for (; from != end; ++from) {
        auto const digit = static_cast<unsigned>(*from - '0');
        if (digit > 9) break;
        value = value * 10 + digit;
    }
    return value;
}

} // namespace detail

/// The sequence of the payload that begins at `text`, 0 if none does; `text` is left behind it.
[[nodiscard]] inline std::uint64_t read_sequence(std::string_view& text) noexcept {
    constexpr std::string_view prefix = R"({"s":)";
    if (!text.starts_with(prefix)) return 0;
    char const* at = text.data() + prefix.size();
    auto const value = detail::read_digits(at, text.data() + text.size());
    text.remove_prefix(static_cast<std::size_t>(at - text.data()));
    return value;
}

/// The publish time behind a sequence that was read, 0 if it is not there.
[[nodiscard]] inline std::int64_t read_time(std::string_view after_sequence) noexcept {
    constexpr std::string_view prefix = R"(,"t":)";
    if (!after_sequence.starts_with(prefix)) return 0;
    char const* at = after_sequence.data() + prefix.size();
    return static_cast<std::int64_t>(
        detail::read_digits(at, after_sequence.data() + after_sequence.size()));
}

} // namespace benchmarks
