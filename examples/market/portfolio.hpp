#pragma once

#include "tick.hpp"

#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/channel/channel.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace market {

/// Positions and what they have gained, profit and loss = position times (price - entry price).
///
/// It buys, or for every other symbol sells short, for the same money at the first price of each,
/// and says so in the channel of positions. What they are worth comes from `worth_of_positions`.
class portfolio {
public:
    static constexpr double money_per_position = 100'000;

    explicit portfolio(livetape::channel& positions) : channel_{positions} {}

    void see(tick const& latest) {
        auto [at, is_new] = positions_.try_emplace(latest.symbol);
        if (!is_new) return;
        auto& held = at->second;
        held.amount = (positions_.size() % 2 == 1 ? 1 : -1) * money_per_position / latest.price;
        held.cost = held.worth = held.amount * latest.price;
        channel_.publish(livetape::json_object{}
                             .time("t", latest.time)
                             .text("symbol", latest.symbol)
                             .number("amount", held.amount)
                             .finish(),
                         {.key = latest.symbol});
    }

    /// A position is worth so much now: amount times price.
    void value(std::string_view symbol, double worth) {
        auto const at = positions_.find(symbol);
        if (at == positions_.end()) return;
        gained_ += worth - at->second.worth;
        at->second.worth = worth;
    }

    /// Of all positions, in the money of their prices.
    [[nodiscard]] double gained() const noexcept { return gained_; }

    [[nodiscard]] double invested() const noexcept {
        return money_per_position * static_cast<double>(positions_.size());
    }

    /// Says how each position stands, keyed by symbol, and all together under the key `total`.
    void publish(livetape::channel& to, livetape::event_time time) const {
        for (auto const& [symbol, held] : positions_)
            to.publish(livetape::json_object{}
                           .time("t", time)
                           .text("symbol", symbol)
                           .number("amount", held.amount)
                           .number("price", held.worth / held.amount)
                           .number("gained", held.worth - held.cost)
                           .finish(),
                       {.key = symbol});
        to.publish(livetape::json_object{}
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
        double worth = 0;
    };

    livetape::channel& channel_;
    std::map<std::string, position, std::less<>> positions_;
    double gained_ = 0;
};

/// Two channels in, the worth of each position out: `changed(symbol, detection)` after each price.
template <class Function>
auto worth_of_positions(livetape::channel& positions, livetape::channel& ticks,
                        livetape::channel& problems, Function changed) {
    using livetape::from;
    return livetape::join<livetape::product>(
               from(positions).json().time("t", 1e-3).number("amount").key("symbol"),
               from(ticks).json().time("t", 1e-3).number("price").key("symbol"))
        .to(changed)
        .report(problems);
}

} // namespace market
