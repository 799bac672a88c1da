#pragma once

#include "../support/json_object.hpp"
#include "tick.hpp"

#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/latest_join.hpp>
#include <livetape/channel/channel.hpp>

#include <cmath>
#include <map>
#include <string>
#include <string_view>

namespace market {

/// Positions and what they have gained, profit and loss = position times (price - entry price).
///
/// It buys, or for every other symbol sells short, for the same money at the first price of each.
class portfolio {
public:
    static constexpr double money_per_position = 100'000;

    void see(tick const& latest) {
        auto [at, is_new] = positions_.try_emplace(latest.symbol);
        auto& held = at->second;
        if (is_new) {
            held.amount = (positions_.size() % 2 == 1 ? 1 : -1) * money_per_position / latest.price;
            held.cost = held.amount * latest.price;
            held.worth.add_left(latest.time, held.amount);
        }
        auto const worth = held.worth.add_right(latest.time, latest.price);
        if (!worth) return; // it came late
        double const gained = *worth - held.cost;
        gained_ += gained - held.gained;
        held.gained = gained;
        held.price = latest.price;
    }

    /// Of all positions, in the money of their prices.
    [[nodiscard]] double gained() const noexcept { return gained_; }

    [[nodiscard]] double invested() const noexcept {
        return money_per_position * static_cast<double>(positions_.size());
    }

    /// Says how each position stands, keyed by symbol, and all together under the key `total`.
    void publish(livetape::channel& to, livetape::event_time time) const {
        for (auto const& [symbol, held] : positions_)
            to.publish(examples::json_object{}
                           .time("t", time)
                           .text("symbol", symbol)
                           .number("amount", held.amount)
                           .number("price", held.price)
                           .number("gained", held.gained)
                           .finish(),
                       {.key = symbol});
        to.publish(examples::json_object{}
                       .time("t", time)
                       .number("gained", gained_)
                       .number("invested", invested())
                       .finish(),
                   {.key = "total"});
    }

private:
    struct position {
        double amount = 0; ///< negative: sold short
        double cost = 0;
        double price = 0;
        double gained = 0;
        livetape::latest_join<livetape::product> worth; // amount times price
    };

    std::map<std::string, position, std::less<>> positions_;
    double gained_ = 0;
};

} // namespace market
