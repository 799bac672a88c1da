#pragma once

#include <livetape/analytics/accumulator.hpp>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

namespace livetape {

/// Several accumulators that take the same samples and are one: `combine<mean, max, count>`. Each
/// takes of a sample what it can: `combine<ohlcv, mean>` fed with price and volume has the mean of
/// the prices. A type may occur once only if it is to be found by `get<Type>()`.
/// Memory and time are those of its parts; mergeable.
template <accumulator... Parts>
requires(sizeof...(Parts) > 0) class combine {
public:
    constexpr combine() = default;
    constexpr explicit combine(Parts... parts) requires(sizeof...(Parts) > 0)
        : parts_{std::move(parts)...} {}

    template <class... Input>
    requires(accumulates<Parts, Input...>&&...) constexpr void add(event_time time,
                                                                   Input const&... input) {
        std::apply([&](auto&... part) { (detail::feed(part, time, input...), ...); }, parts_);
    }

    constexpr void cover(event_time begin,
                         event_time end) requires(detail::covers_span<Parts> || ...) {
        auto const tell = [&](auto& part) {
            if constexpr (requires { part.cover(begin, end); }) part.cover(begin, end);
        };
        std::apply([&](auto&... part) { (tell(part), ...); }, parts_);
    }

    constexpr void merge(combine const& later) {
        merge(later, std::index_sequence_for<Parts...>{});
    }

    /// The values of the parts, in their order.
    [[nodiscard]] constexpr auto value() const {
        return std::apply([](auto const&... part) { return std::tuple{part.value()...}; }, parts_);
    }

    /// What the parts have left out, each counted for itself.
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept {
        return std::apply([](auto const&... part) { return (detail::left_out_of(part) + ...); },
                          parts_);
    }

    template <class Part>
    [[nodiscard]] constexpr Part const& get() const noexcept {
        return std::get<Part>(parts_);
    }
    template <std::size_t Index>
    [[nodiscard]] constexpr auto const& get() const noexcept {
        return std::get<Index>(parts_);
    }

private:
    template <std::size_t... Index>
    constexpr void merge(combine const& later, std::index_sequence<Index...>) {
        (std::get<Index>(parts_).merge(std::get<Index>(later.parts_)), ...);
    }

    std::tuple<Parts...> parts_;
};

} // namespace livetape
