#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
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

    /// Only events of these keys; nothing is all of them. A key with a comma in it can be asked for
    /// on WebSocket only.
    std::optional<std::vector<std::string>> keys{};
};

namespace detail {

/// Appends the fields of a `subscribe` command, each after a comma; what is default is left out.
inline void append_fields(std::string& json, feed_delivery const& wanted) {
    if (wanted.mode == feed_mode::latest) json += R"(,"mode":"latest")";
    if (wanted.interval.count() > 0) {
        json += R"(,"interval":)";
        append_number(json, static_cast<std::uint64_t>(wanted.interval.count()));
    }
    if (!wanted.keys) return;
    json += R"(,"keys":[)";
    for (auto const& key : *wanted.keys) {
        append_json_string(json, key);
        json += ',';
    }
    if (json.back() == ',') json.pop_back();
    json += ']';
}

/// Appends the parameters of an event stream or a poll.
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

} // namespace detail

} // namespace livetape
