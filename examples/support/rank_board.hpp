#pragma once

#include <livetape/analytics/json_object.hpp>
#include <livetape/channel/channel.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

/// A top-k list as a keyed channel: the keys are the ranks from "1" on, and an event says who has
/// that rank: `{"name":"ann","value":120}`. So a snapshot is the whole list, and an update costs
/// the ranks that changed; whoever follows it in mode `latest` never falls behind.
class rank_board {
public:
    explicit rank_board(livetape::channel& to) : to_{to} {}

    /// Publishes the ranks that are not as they were. A rank that nobody has any more is `null`.
    /// @param top  its first `count` items, heaviest first, as the heavy-hitter sketches give them
    template <class Items>
    void show(Items const& top, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            set(i, std::string{livetape::json_object{}
                                   .text("name", top[i].key)
                                   .value("value", top[i].count)
                                   .finish()});
        }
        for (auto i = count; i < shown_.size(); ++i) set(i, "null");
    }

private:
    void set(std::size_t index, std::string json) {
        if (index == shown_.size()) shown_.emplace_back();
        if (shown_[index] == json) return;
        to_.publish(json, {.key = std::to_string(index + 1)});
        shown_[index] = std::move(json);
    }

    livetape::channel& to_;
    std::vector<std::string> shown_;
};
