#pragma once

#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/json_object.hpp>

#include <functional>
#include <limits>
#include <optional>
#include <string>

namespace market {

/// What a market said once: a quote, or a trade.
struct tick {
    static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

    std::string symbol;
    livetape::event_time time{}; ///< since the Unix epoch
    double price = 0;            ///< of a quote, the middle
    double volume = 0;
    double bid = unknown; ///< of a trade, the price if the seller came to the buyer
    double ask = unknown; ///< of a trade, the price if the buyer came to the seller
};

/// Each call gives the next tick, in the order of time; nothing when there are no more.
using tick_source = std::function<std::optional<tick>()>;

inline std::string to_json(tick const& from) {
    return std::string{livetape::json_object{}
                           .time("t", from.time)
                           .text("symbol", from.symbol)
                           .number("price", from.price)
                           .number("volume", from.volume)
                           .finish()};
}

} // namespace market
