#pragma once

#include "portfolio.hpp"
#include "tick.hpp"

#include <livetape/analytics/alert_board.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/ewma.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/analytics/latest_join.hpp>
#include <livetape/analytics/threshold_alarm.hpp>
#include <livetape/channel/channel.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

namespace market {

/// Alerts about spreads and about a portfolio. What is usual is learnt, so that one set of limits
/// does for currencies and for coins:
///
/// | alert | severity | fires when |
/// | --- | --- | --- |
/// | `spread.X` | warning | a spread is 3 times the usual one |
/// | `drawdown` | critical | the portfolio has lost so much since it was worth most |
class market_watch {
public:
    /// @param span  how long a value counts for what is usual, in the market's time
    /// @param drawdown_max  share of the money invested
    market_watch(livetape::alert_board& alerts, livetape::channel& spreads,
                 livetape::event_time span, double drawdown_max)
        : alerts_{alerts}, spreads_{spreads}, span_{span}, drawdown_{
                                                               {.fire_at = drawdown_max,
                                                                .resolve_at = drawdown_max / 2}} {}

    void see(tick const& latest) {
        auto& own = symbols_.try_emplace(latest.symbol, span_).first->second;
        own.spread.add_right(latest.time, latest.bid);
        auto const spread = own.spread.add_left(latest.time, latest.ask);
        if (auto const known = spread ? spread : own.spread.value())
            watch_spread(latest, own, *known);
        ++own.ticks;
    }

    void see(portfolio const& held, livetape::event_time time) {
        if (held.invested() == 0) return;
        best_ = std::max(best_, held.gained());
        double const lost = (best_ - held.gained()) / held.invested();
        if (tell("drawdown", livetape::severity::critical, drawdown_.add(time, lost), time,
                 "The portfolio is %.1f basis points below its best", lost * 1e4))
            best_ = held.gained(); // from here on it is measured anew
    }

    /// Says what each spread is, keyed by symbol.
    void publish(livetape::event_time time) const {
        for (auto const& [symbol, own] : symbols_)
            if (auto const spread = own.spread.value())
                spreads_.publish(livetape::json_object{}
                                     .time("t", time)
                                     .text("symbol", symbol)
                                     .number("spread", *spread)
                                     .number("usual", own.usual_spread.value())
                                     .finish(),
                                 {.key = symbol});
    }

private:
    static constexpr std::uint64_t ticks_to_learn = 30;

    struct watched {
        explicit watched(livetape::event_time span) : usual_spread{span} {}

        livetape::latest_join<livetape::difference> spread; // ask less bid
        livetape::ewma usual_spread;
        livetape::threshold_alarm wide{{.fire_at = 3, .resolve_at = 1.5}};
        std::uint64_t ticks = 0;
    };

    void watch_spread(tick const& latest, watched& own, double spread) {
        double const ratio = spread / own.usual_spread.value();
        own.usual_spread.add(latest.time, spread);
        if (own.ticks < ticks_to_learn || !std::isfinite(ratio)) return;
        tell("spread." + latest.symbol, livetape::severity::warning,
             own.wide.add(latest.time, ratio), latest.time,
             ("The spread of " + latest.symbol + " is %.1f times the usual one").c_str(), ratio);
    }

    /// @return whether the alert was resolved
    bool tell(std::string_view id, livetape::severity how, livetape::alarm_change change,
              livetape::event_time time, char const* format, double value) {
        if (change == livetape::alarm_change::resolved) return alerts_.resolve(id, time);
        if (change == livetape::alarm_change::none) return false;
        std::array<char, 120> text{};
        std::snprintf(text.data(), text.size(), format, value);
        alerts_.raise(id, how, text.data(), time);
        return false;
    }

    livetape::alert_board& alerts_;
    livetape::channel& spreads_;
    livetape::event_time span_;
    livetape::threshold_alarm drawdown_;
    std::map<std::string, watched, std::less<>> symbols_;
    double best_ = 0;
};

} // namespace market
