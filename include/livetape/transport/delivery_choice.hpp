#pragma once

#include <livetape/channel/delivery.hpp>
#include <livetape/error.hpp>
#include <livetape/transport/refusal_reason.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace livetape {

/// What a client says about how it wants a channel, in a command or in a query: as it was said,
/// whatever the limits. What it does not say stays as it is.
struct delivery_choice {
    /// Exact, so that a limit is compared with what was asked for and not with what it rounds to.
    using milliseconds = std::chrono::duration<double, std::milli>;

    std::optional<delivery_mode> mode{};
    std::optional<milliseconds> interval{}; ///< zero: at once
    bool is_rate = false;                   ///< the interval was given as a rate
    std::optional<std::uint32_t> credit{};  ///< flushes
    std::optional<std::vector<std::string>> keys{};
    bool has_all_keys = false;         ///< no key set from now on
    bool has_unlimited_credit = false; ///< no credit is counted from now on
    std::vector<std::string> add_keys{};
    std::vector<std::string> remove_keys{};

    [[nodiscard]] bool moves_keys() const noexcept {
        return !add_keys.empty() || !remove_keys.empty();
    }

    /// Whether nothing else is said, so that the rest of the subscription need not be touched.
    [[nodiscard]] bool moves_keys_only() const noexcept {
        return !mode && !interval && !credit && !keys && !has_all_keys && !has_unlimited_credit;
    }

    [[nodiscard]] bool is_empty() const noexcept { return moves_keys_only() && !moves_keys(); }
};

inline constexpr std::string_view modes_offered = "the modes are every and latest";

/// Reads the name of a mode; false if there is none of that name.
[[nodiscard]] inline bool parse_mode(std::string_view name, delivery_choice& to) noexcept {
    if (name != "every" && name != "latest") return false;
    to.mode = name == "latest" ? delivery_mode::latest : delivery_mode::every;
    return true;
}

/// Puts a rate per second, or an interval in milliseconds, into a choice, whatever the number is:
/// `apply` refuses what no limit allows.
inline void set_interval(bool is_rate, double value, delivery_choice& to) noexcept {
    to.is_rate = is_rate;
    // The rate 0 is the longest interval there is, a negative one less than the shortest.
    to.interval = delivery_choice::milliseconds{is_rate ? 1000 / value : value};
}

/// What a client may choose: every limit, with the reason for its default.
struct delivery_limits {
    /// Between two flushes of a subscription that has a rate. Faster than any display draws is as
    /// good as at once, and costs as much.
    std::chrono::milliseconds interval_min{5};

    /// Whoever wants less than an event a minute had better poll.
    std::chrono::milliseconds interval_max{60'000};

    /// Keys of one subscription: some screens full. A watched key costs about 16 bytes and its
    /// name.
    std::size_t keys_per_subscription_max = 1000;

    /// Keys of all subscriptions of one connection together.
    std::size_t keys_per_session_max = 10'000;

    /// The longest key that can be watched; by default as long as the longest that a channel takes.
    std::size_t key_bytes_max = 255;
};

namespace detail {

/// The number as a person writes it: whole, or with at most three digits after the point.
inline std::string decimal(double number) {
    auto const thousandths = static_cast<std::uint64_t>(number * 1000 + 0.5);
    auto text = std::to_string(thousandths / 1000);
    if (thousandths % 1000 == 0) return text;
    auto digits = std::to_string(1000 + thousandths % 1000);
    digits.front() = '.';
    while (digits.back() == '0') digits.pop_back();
    return text + digits;
}

[[nodiscard]] inline refusal_reason check_keys(std::vector<std::string> const& keys,
                                               delivery_limits const& limits) {
    for (auto const& key : keys)
        if (key.size() > limits.key_bytes_max)
            return {error::key_too_long,
                    "a key has at most " + std::to_string(limits.key_bytes_max) + " bytes"};
    return {};
}

/// How many keys there are once some have been added to and removed from others. O(keys).
[[nodiscard]] inline std::size_t key_count(delivery_choice const& wanted,
                                           std::vector<std::string> const& keys) {
    std::unordered_set<std::string_view> all(keys.begin(), keys.end());
    for (auto const& key : wanted.remove_keys) all.erase(key);
    all.insert(wanted.add_keys.begin(), wanted.add_keys.end());
    return all.size();
}

[[nodiscard]] inline refusal_reason check_interval(delivery_choice const& wanted,
                                                   delivery_limits const& limits) {
    using exact = delivery_choice::milliseconds;
    auto const interval = *wanted.interval;
    if (!wanted.is_rate && interval == exact::zero()) return {};
    if (interval >= exact{limits.interval_min} && interval <= exact{limits.interval_max}) return {};
    exact const longest{limits.interval_max};
    exact const shortest{limits.interval_min};
    return {error::bad_rate, "a rate lies between " + decimal(1000 / longest.count()) + " and " +
                                 decimal(1000 / shortest.count()) +
                                 " per second, an interval between " + decimal(shortest.count()) +
                                 " and " + decimal(longest.count()) + " milliseconds or is 0"};
}

} // namespace detail

/// Checks what a client chose and puts it into `to`; on refusal `to` is unspecified.
/// @param keys_elsewhere  keys of the connection's other subscriptions
[[nodiscard]] inline refusal_reason apply(delivery_choice const& wanted,
                                          delivery_limits const& limits, delivery_options& to,
                                          std::size_t keys_elsewhere = 0) {
    if (wanted.mode) to.mode = *wanted.mode;
    if (wanted.interval) {
        if (auto refused = detail::check_interval(wanted, limits)) return refused;
        to.interval = std::chrono::round<std::chrono::milliseconds>(*wanted.interval);
    }
    if (wanted.has_unlimited_credit) to.credit.reset();
    if (wanted.credit) to.credit = wanted.credit;
    if (wanted.has_all_keys) to.keys.reset();
    if (wanted.keys) to.keys = wanted.keys;
    for (auto const* const keys : {&wanted.add_keys, &wanted.remove_keys})
        if (auto refused = detail::check_keys(*keys, limits)) return refused;
    if (!to.keys) return {};
    if (auto refused = detail::check_keys(*to.keys, limits)) return refused;
    auto const count = detail::key_count(wanted, *to.keys);
    if (count > limits.keys_per_subscription_max)
        return {error::too_many_keys, "a subscription can have " +
                                          std::to_string(limits.keys_per_subscription_max) +
                                          " keys"};
    if (keys_elsewhere + count > limits.keys_per_session_max)
        return {error::too_many_keys, "a connection can have " +
                                          std::to_string(limits.keys_per_session_max) +
                                          " keys in all"};
    return {};
}

} // namespace livetape
