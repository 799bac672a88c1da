#pragma once

#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/event_time.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace livetape::detail {

/// A part of a struct that has not been named.
struct unnamed {};

/// Reads time, key and numbers from structs by projections: pointers to members, or functions.
template <class Struct, class Time, class Key, class... Number>
struct struct_fields {
    using input = Struct;
    static constexpr std::size_t number_count = sizeof...(Number);

    [[no_unique_address]] Time time{};
    [[no_unique_address]] Key key{};
    std::tuple<Number...> numbers{};

    std::optional<read_failure> read(Struct const& event, event_time published,
                                     record<number_count>& into) const {
        into.time = published;
        if constexpr (!std::same_as<Time, unnamed>) into.time = to_time(std::invoke(time, event));
        if (!is_event_time(into.time)) return read_failure{problem::bad_time, {}};
        if constexpr (!std::same_as<Key, unnamed>) {
            static_assert(
                !std::is_same_v<std::invoke_result_t<Key const&, Struct const&>, std::string>,
                "a key must outlive the call that gives it");
            into.key = std::string_view{std::invoke(key, event)};
        }
        read_numbers(event, into, std::index_sequence_for<Number...>{});
        return std::nullopt;
    }

    [[nodiscard]] static constexpr bool names_time() noexcept {
        return !std::same_as<Time, unnamed>;
    }

    [[nodiscard]] static std::optional<Struct> decode(std::string_view payload) {
        std::optional<Struct> decoded;
        if constexpr (std::is_trivially_copyable_v<Struct> &&
                      std::is_default_constructible_v<Struct>) {
            if (payload.size() != sizeof(Struct)) return std::nullopt;
            std::memcpy(&decoded.emplace(), payload.data(), sizeof(Struct));
        }
        return decoded;
    }

    [[nodiscard]] static std::string_view example(Struct const&) noexcept { return {}; }

private:
    template <class Rep, class Period>
    static event_time to_time(std::chrono::duration<Rep, Period> time) noexcept {
        return std::chrono::duration_cast<event_time>(time);
    }
    template <class Clock, class Duration>
    static event_time to_time(std::chrono::time_point<Clock, Duration> time) noexcept {
        return std::chrono::duration_cast<event_time>(time.time_since_epoch());
    }

    template <std::size_t... Index>
    void read_numbers(Struct const& event, record<number_count>& into,
                      std::index_sequence<Index...>) const {
        ((into.numbers[Index] = static_cast<double>(std::invoke(std::get<Index>(numbers), event))),
         ...);
    }
};

} // namespace livetape::detail
