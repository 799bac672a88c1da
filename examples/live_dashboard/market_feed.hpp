#pragma once

#include "../support/quote.hpp"
#include "alert_feed.hpp"
#include "payload.hpp"
#include "rate_feed.hpp"

#include <livetape/analytics/combine.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/ohlc.hpp>
#include <livetape/analytics/tumbling_window.hpp>
#include <livetape/analytics/window_result.hpp>
#include <livetape/channel/hub.hpp>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/system_timer.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace dashboard {

/// Publishes quotes on `quotes` when they are due, keyed by symbol, and what they come to in each
/// second of the wall clock on `bars`.
class market_feed {
public:
    /// @param speed  how many seconds of the source pass in one; above 0
    market_feed(asio::io_context& io, livetape::hub& hub, alert_feed& alerts, rate_feed& rates,
                examples::quote_source source, double speed)
        : quotes_{hub.open("quotes", {.log_bytes_max = 32u << 20,
                                      .log_events_max = 200'000,
                                      .log_age_max = std::chrono::minutes{2}})},
          bars_channel_{hub.open(
              "bars", {.log_events_max = 20'000, .log_age_max = std::chrono::minutes{10}})},
          alerts_{alerts}, rates_{rates}, source_{std::move(source)}, speed_{speed},
          quote_timer_{io}, second_timer_{io} {}

    void start() {
        began_ = std::chrono::steady_clock::now();
        next_ = source_();
        wait_for_quote();
        wait_for_second();
    }

    void stop() {
        quote_timer_.cancel();
        second_timer_.cancel();
    }

private:
    using bar = livetape::combine<livetape::ohlcv, livetape::mean>;
    using second_bars = livetape::tumbling_window<bar>;

    static constexpr int quotes_per_turn_max = 1'000; // then others have their turn
    static constexpr alert_rule spread_rule{"spread", "bp", {3.5, 2}};
    static constexpr alert_rule range_rule{"1 s range", "bp", {9, 4}};

    [[nodiscard]] static std::chrono::milliseconds wall_time() {
        return std::chrono::floor<std::chrono::milliseconds>(
            std::chrono::system_clock::now().time_since_epoch());
    }

    [[nodiscard]] std::chrono::steady_clock::time_point due_time() const {
        std::chrono::duration<double, std::micro> const after{
            static_cast<double>(next_->due.count()) / speed_};
        return began_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(after);
    }

    void wait_for_quote() {
        if (!next_) return;
        quote_timer_.expires_at(due_time());
        quote_timer_.async_wait([this](std::error_code ec) {
            if (ec) return;
            publish_due();
            wait_for_quote();
        });
    }

    void publish_due() {
        auto const now = std::chrono::steady_clock::now();
        publish_bars();
        for (int i = 0; i < quotes_per_turn_max && next_ && due_time() <= now; ++i) {
            publish(next_->what);
            next_ = source_();
        }
    }

    void publish(examples::quote const& latest) {
        auto said = payload();
        said.significant("bid", latest.bid, price_digits)
            .significant("ask", latest.ask, price_digits)
            .rounded("volume", latest.volume, 0);
        quotes_.publish(said.finish(), {.key = latest.symbol});
        auto& own = bars_.at(latest.symbol);
        for (auto closed = own.add(wall_time(), latest.mid(), latest.volume); closed;
             closed = own.next())
            publish_bar(latest.symbol, *closed);
        alerts_.check(spread_rule, latest.symbol, latest.spread_basis_points());
        rates_.count("quotes");
        rates_.count("quotes." + latest.symbol);
    }

    /// Symbols that are not quoted in the next second need their bar ended by the clock.
    void wait_for_second() {
        second_timer_.expires_at(std::chrono::ceil<std::chrono::seconds>(
            std::chrono::system_clock::now() + std::chrono::milliseconds{1}));
        second_timer_.async_wait([this](std::error_code ec) {
            if (ec) return;
            publish_bars();
            rates_.publish();
            wait_for_second();
        });
    }

    void publish_bars() {
        bars_.for_each([this](std::string_view symbol, second_bars& each) {
            for (auto closed = each.advance(wall_time()); closed; closed = each.next())
                publish_bar(symbol, *closed);
        });
    }

    void publish_bar(std::string_view symbol, livetape::window_result<bar> const& closed) {
        auto const [prices, mean] = closed.value();
        auto const begin = std::chrono::duration_cast<std::chrono::seconds>(closed.begin);
        auto said = payload();
        said.rounded("begin", static_cast<double>(begin.count()), 0)
            .significant("open", prices.open, price_digits)
            .significant("high", prices.high, price_digits)
            .significant("low", prices.low, price_digits)
            .significant("close", prices.close, price_digits)
            .significant("average", prices.volume > 0 ? prices.vwap : mean, price_digits)
            .rounded("volume", prices.volume, 0)
            .rounded("count", static_cast<double>(prices.count), 0);
        bars_channel_.publish(said.finish(), {.key = symbol});
        alerts_.check(range_rule, symbol, (prices.high - prices.low) / prices.low * 1e4);
    }

    livetape::channel& quotes_;
    livetape::channel& bars_channel_;
    alert_feed& alerts_;
    rate_feed& rates_;
    examples::quote_source source_;
    double speed_;
    livetape::group_by<second_bars> bars_{second_bars{std::chrono::seconds{1}}};
    std::optional<examples::timed_quote> next_;
    std::chrono::steady_clock::time_point began_;
    asio::steady_timer quote_timer_;
    asio::system_timer second_timer_;
};

} // namespace dashboard
