#pragma once

#include <livetape/analytics/event_time.hpp>

#include <concepts>
#include <cstdint>

namespace livetape {

/// Something that takes numbers one by one and can say at any time what they come to.
///
/// - `a.add(input…)` or `a.add(time, input…)` takes one sample; see `accumulates`.
/// - `a.merge(b)` makes `a` what it would be had it also taken what `b` took, after its own. It is
///   associative up to rounding, so that shards, servers and the panes of a window combine.
/// - `a.value()` is the result so far. A double that is not defined yet, such as the mean of
///   nothing, is NaN.
///
/// Accumulators of numbers leave out NaN and infinities, one bad sensor must not spoil a whole
/// window, and count them in `left_out()`. They read no clock, and those in this folder allocate
/// nothing after construction.
template <class Accumulator>
concept accumulator = std::copyable<Accumulator> &&
    requires(Accumulator into, Accumulator const from) {
    into.merge(from);
    from.value();
};

namespace detail {

template <class Accumulator, class... Input>
concept adds = requires(Accumulator into, Input const&... input) {
    into.add(input...);
};

/// The ways to hand over a sample, best first.
enum class feeding { none, timed, plain, timed_first, first };

template <class Accumulator, class... Input>
struct feeding_of {
    static constexpr feeding value = adds<Accumulator, event_time, Input...> ? feeding::timed
                                     : adds<Accumulator, Input...>           ? feeding::plain
                                                                             : feeding::none;
};

// Of a sample with several numbers, such as price and volume, an accumulator of one takes the
// first.
template <class Accumulator, class First, class Second, class... Rest>
struct feeding_of<Accumulator, First, Second, Rest...> {
    static constexpr feeding value = adds<Accumulator, event_time, First, Second, Rest...>
                                         ? feeding::timed
                                     : adds<Accumulator, First, Second, Rest...> ? feeding::plain
                                     : adds<Accumulator, event_time, First> ? feeding::timed_first
                                     : adds<Accumulator, First>             ? feeding::first
                                                                            : feeding::none;
};

template <class First, class... Rest>
constexpr First const& first_of(First const& first, Rest const&...) noexcept {
    return first;
}

/// What an operator was given and could not take, if it counts that.
template <class Operator>
[[nodiscard]] constexpr std::uint64_t left_out_of(Operator const& from) noexcept {
    if constexpr (requires { from.left_out(); }) return from.left_out();
    else return 0;
}

/// Adds a sample in the best way that the accumulator has. @return whether it has taken it
template <class Accumulator, class... Input>
constexpr bool feed(Accumulator& into, event_time time, Input const&... input) {
    constexpr auto how = feeding_of<Accumulator, Input...>::value;
    static_assert(how != feeding::none);
    auto const left_out = left_out_of(into);
    if constexpr (how == feeding::timed) into.add(time, input...);
    else if constexpr (how == feeding::plain) into.add(input...);
    else if constexpr (how == feeding::timed_first) into.add(time, first_of(input...));
    else into.add(first_of(input...));
    return left_out_of(into) == left_out;
}

/// An accumulator whose value depends on the span that it stands for, such as `rate`.
template <class Accumulator>
concept covers_span = requires(Accumulator into, event_time time) {
    into.cover(time, time);
};

} // namespace detail

/// An accumulator that can take such samples: with their time if it wants to know it, and only the
/// first number of each if it knows what to do with one.
template <class Accumulator, class... Input>
concept accumulates = accumulator<Accumulator> &&
                      detail::feeding_of<Accumulator, Input...>::value != detail::feeding::none;

} // namespace livetape
