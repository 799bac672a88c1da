#pragma once

#include <livetape/channel/delivery.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace livetape::simulation {

/// What a client says about how it wants a channel; what it does not say stays as it is.
struct delivery_change {
    std::optional<delivery_mode> mode{};
    std::optional<std::chrono::milliseconds> interval{};
    bool is_rate = false; ///< the interval is said as a rate
    std::optional<std::optional<std::uint32_t>> credit{};
    std::optional<std::optional<std::vector<std::string>>> keys{};
    std::vector<std::string> add_keys{}, remove_keys{}; ///< no key is in both

    [[nodiscard]] bool moves_keys() const { return !add_keys.empty() || !remove_keys.empty(); }
    [[nodiscard]] bool is_empty() const {
        return !mode && !interval && !credit && !keys && !moves_keys();
    }

    /// What is chosen once it is said.
    [[nodiscard]] delivery_options applied_to(delivery_options chosen) const {
        if (mode) chosen.mode = *mode;
        if (interval) chosen.interval = *interval;
        if (credit) chosen.credit = *credit;
        if (keys) chosen.keys = *keys;
        if (!chosen.keys) return chosen;
        auto const is_in = [](auto const& list, std::string const& key) {
            return std::find(list.begin(), list.end(), key) != list.end();
        };
        std::erase_if(*chosen.keys, [&](auto const& key) { return is_in(remove_keys, key); });
        for (auto const& key : add_keys)
            if (!is_in(*chosen.keys, key)) chosen.keys->push_back(key);
        return chosen;
    }

    /// Says it in a command: fields, each after a comma.
    [[nodiscard]] std::string as_fields() const {
        std::string json;
        if (mode) json.append(",\"mode\":\"").append(name_of(*mode)) += '"';
        if (interval && is_rate) json.append(",\"rate\":").append(rate());
        else if (interval) json += ",\"interval\":" + std::to_string(interval->count());
        if (credit) json += ",\"credit\":" + (*credit ? std::to_string(**credit) : "null");
        if (keys) json += ",\"keys\":" + (*keys ? list_of(**keys) : "null");
        if (!add_keys.empty()) json += ",\"add_keys\":" + list_of(add_keys);
        if (!remove_keys.empty()) json += ",\"remove_keys\":" + list_of(remove_keys);
        return json;
    }

    /// Says it in a query, which has no words for credit and for moving keys.
    [[nodiscard]] std::string as_parameters() const {
        std::string query;
        if (mode) query.append("&mode=").append(name_of(*mode));
        if (interval && is_rate) query.append("&rate=").append(rate());
        else if (interval) query += "&interval=" + std::to_string(interval->count());
        if (!keys || !*keys) return query;
        query += "&keys=";
        // A key is what stands before a comma, so the one without letters is sayable too.
        for (auto const& key : **keys) query.append(key) += ',';
        return query;
    }

private:
    [[nodiscard]] static std::string_view name_of(delivery_mode mode) {
        return mode == delivery_mode::latest ? "latest" : "every";
    }

    /// Intervals that are said as rates divide a second.
    [[nodiscard]] std::string rate() const { return std::to_string(1000 / interval->count()); }

    [[nodiscard]] static std::string list_of(std::vector<std::string> const& keys) {
        std::string json;
        for (auto const& key : keys) json.append(json.empty() ? "\"" : ",\"").append(key) += '"';
        return '[' + json + ']';
    }
};

} // namespace livetape::simulation
