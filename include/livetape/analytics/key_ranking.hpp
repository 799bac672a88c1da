#pragma once

#include <livetape/analytics/decayed_top_k.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/hyperloglog.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/space_saving.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace livetape {

/// A key with its weight, which is at most `count` and at least `count - error`.
struct ranked_key {
    std::string key;
    double count = 0;
    double error = 0;

    friend bool operator==(ranked_key const&, ranked_key const&) = default;
};

inline void append_value(std::string& out, ranked_key const& each) {
    out += json_object{}
               .text("key", each.key)
               .number("count", each.count)
               .number("error", each.error)
               .finish();
}

inline void append_value(std::string& out, std::vector<ranked_key> const& ranking) {
    out += '[';
    for (auto const& each : ranking) {
        if (out.back() != '[') out += ',';
        append_value(out, each);
    }
    out += ']';
}

/// The heaviest keys of a whole stream, for `whole()` in a pipeline: `space_saving` with its bounds
/// over what the events' first numbers add up to, or over how many there are if they have none.
///
/// Weights are counted in whole units, rounded; what is not between 0.5 and 2^53 is left out and
/// counted. Memory and error as `space_saving`; mergeable.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class top_keys {
public:
    struct options {
        std::size_t count = 10;      ///< how many are reported
        std::size_t counters = 1000; ///< k: weights are less than a thousandth of all too high
    };

    top_keys() : top_keys(options{}) {}
    explicit top_keys(options const& chosen) : count_{chosen.count}, counted_{chosen.counters} {}

    void add(std::string_view key) { counted_.add(key); }
    void add(std::string_view key, double weight) {
        if (!(weight >= 0.5 && weight <= 0x1p53)) {
            if (weight != 0) ++left_out_;
            return;
        }
        counted_.add(key, static_cast<std::uint64_t>(weight + 0.5));
    }

    void merge(top_keys const& other) {
        counted_.merge(other.counted_);
        left_out_ += other.left_out_;
    }

    /// Heaviest first.
    [[nodiscard]] std::vector<ranked_key> value() const {
        std::vector<space_saving<std::string>::item> top(count_);
        top.resize(counted_.top(top));
        std::vector<ranked_key> ranking;
        ranking.reserve(top.size());
        for (auto const& each : top)
            ranking.push_back({std::string{each.key}, static_cast<double>(each.count),
                               static_cast<double>(each.error)});
        return ranking;
    }

    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

private:
    std::size_t count_;
    space_saving<std::string> counted_;
    std::uint64_t left_out_ = 0;
};

/// What is trending: the same with weights that halve with every half-life (`decayed_top_k`), as of
/// the latest event. Memory and error as there; mergeable.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class trending_keys {
public:
    struct options {
        std::size_t count = 10; ///< how many are reported
        decayed_top_k_options sketch{};
    };

    trending_keys() : trending_keys(options{}) {}
    explicit trending_keys(options const& chosen) : count_{chosen.count}, counted_{chosen.sketch} {}

    void add(event_time time, std::string_view key) { add(time, key, 1); }
    void add(event_time time, std::string_view key, double weight) {
        latest_ = std::max(latest_, time);
        counted_.add(time, key, weight);
    }

    /// Precondition: the half-lives are the same.
    void merge(trending_keys const& other) {
        latest_ = std::max(latest_, other.latest_);
        counted_.merge(other.counted_);
    }

    /// Heaviest first.
    [[nodiscard]] std::vector<ranked_key> value() const {
        std::vector<decayed_top_k<std::string>::item> top(count_);
        top.resize(counted_.top(top, latest_));
        std::vector<ranked_key> ranking;
        ranking.reserve(top.size());
        for (auto const& each : top)
            ranking.push_back({std::string{each.key}, each.count, each.error});
        return ranking;
    }

    [[nodiscard]] std::uint64_t left_out() const noexcept { return counted_.left_out(); }

private:
    std::size_t count_;
    decayed_top_k<std::string> counted_;
    event_time latest_ = event_time::min();
};

/// How many keys there are: `hyperloglog`, 4 KiB, 1.6 % standard error. Mergeable.
using distinct_keys = hyperloglog;

} // namespace livetape
