#pragma once

#include <livetape/analytics/alert_rule.hpp>
#include <livetape/analytics/detection.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/ewma.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace market {

/// A detector of the example's own: how many deviations a price is from its mean of late. What is
/// usual is learnt, so that one limit does for currencies and for coins.
class price_move {
public:
    /// @param span  how long a price counts for what is usual, in the market's time
    explicit price_move(livetape::event_time span) : prices_{span} {}

    double add(livetape::event_time time, double price) noexcept {
        double const deviation = prices_.deviation();
        double const move = (price - prices_.mean()) / deviation;
        prices_.add(time, price);
        return ++count_ > prices_to_learn && deviation > 0 ? move : 0;
    }

    [[nodiscard]] static livetape::alert_rule rule() {
        return {.name = "move", .how = livetape::severity::notice, .fire_at = 4, .resolve_at = 2};
    }

    [[nodiscard]] static std::string text(std::string_view symbol,
                                          livetape::detection<double> const& move) {
        std::array<char, 100> said{};
        std::snprintf(said.data(), said.size(), "%.*s is %+.1f deviations from its mean",
                      static_cast<int>(symbol.size()), symbol.data(), move.said);
        return said.data();
    }

private:
    static constexpr std::uint64_t prices_to_learn = 30;

    livetape::ewm_variance prices_;
    std::uint64_t count_ = 0;
};

} // namespace market
