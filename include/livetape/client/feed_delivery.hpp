#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/json_text.hpp>
#include <livetape/wire/query.hpp>

namespace livetape {

/// Which events a client wants of its channels.
enum class feed_mode : std::uint8_t {
    every,  ///< each one, in order
    latest, ///< the newest of each key; an event's `count` says how many it stands for
};

/// How a client wants its channels delivered (docs/delivery.md). The server's limits hold: beyond
/// them it refuses with error::bad_rate, error::too_many_keys or error::key_too_long.
struct feed_delivery {
    feed_mode mode = feed_mode::every;

    /// What comes is flushed at the multiples of this length on the server's clock; 0: at once.
    std::chrono::milliseconds interval{0};

    /// Only events of these keys; nothing is all of them.
    std::optional<std::vector<std::string>> keys{};

    /// Flushes that are taken until more are given; nothing for no limit. On WebSocket only: over
    /// the other transports nobody could give more, and there is no limit.
    std::optional<std::uint32_t> credit{};
};

namespace detail {

inline void append_list(std::string& json, std::vector<std::string> const& keys) {
    json += '[';
    for (auto const& key : keys) {
        append_json_string(json, key);
        json += ',';
    }
    if (json.back() == ',') json.pop_back();
    json += ']';
}

/// Appends the fields of a command about a subscription, each after a comma; what is default is
/// left out of a `subscribe`, but not of a `change`.
inline void append_fields(std::string& json, feed_delivery const& wanted, bool is_change = false) {
    bool const is_latest = wanted.mode == feed_mode::latest;
    if (is_latest) json += R"(,"mode":"latest")";
    else if (is_change) json += R"(,"mode":"every")";
    if (wanted.interval.count() > 0 || is_change) {
        json += R"(,"interval":)";
        append_number(
            json, static_cast<std::uint64_t>(std::max<std::int64_t>(wanted.interval.count(), 0)));
    }
    if (wanted.keys) append_list(json += R"(,"keys":)", *wanted.keys);
    else if (is_change) json += R"(,"keys":null)";
    if (wanted.credit) append_number(json += R"(,"credit":)", *wanted.credit);
    else if (is_change) json += R"(,"credit":null)";
}

/// Appends the parameters of an event stream or a poll.
/// Precondition: `has_parameters(wanted)`.
inline void append_parameters(std::string& target, feed_delivery const& wanted) {
    if (wanted.mode == feed_mode::latest) http::append_parameter(target, "mode", "latest");
    if (wanted.interval.count() > 0)
        http::append_parameter(target, "interval", std::to_string(wanted.interval.count()));
    if (!wanted.keys) return;
    std::string all;
    for (auto const& key : *wanted.keys) {
        if (!all.empty()) all += ',';
        all += key;
    }
    http::append_parameter(target, "keys", all);
}

/// Whether a delivery can be said in parameters, which separate keys by commas.
[[nodiscard]] inline bool has_parameters(feed_delivery const& wanted) {
    if (!wanted.keys) return true;
    for (auto const& key : *wanted.keys)
        if (key.empty() || key.find(',') != std::string::npos) return false;
    return true;
}

/// Appends one channel with a delivery of its own to the target of an event stream or a poll.
inline void append_subscribe(std::string& target, std::string_view channel, feed_delivery wanted) {
    wanted.credit.reset();
    std::string json = R"({"subscribe":)";
    append_json_string(json, channel);
    append_fields(json, wanted);
    json += '}';
    http::append_parameter(target, "subscribe", json);
}

} // namespace detail

} // namespace livetape
