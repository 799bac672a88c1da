#pragma once

#include "quote.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

namespace examples {

/// Makes up a market of a dozen instruments: a quote_source without an end. The same seed gives
/// the same quotes on every machine.
///
/// Quotes come as a Poisson process; each moves its price by a step that is drawn back to where
/// the price began. Now and then an instrument has news: for some seconds its steps and its spread
/// are a multiple of the usual ones.
class market_simulator {
public:
    explicit market_simulator(std::uint64_t seed);

    std::optional<timed_quote> operator()();

    [[nodiscard]] std::size_t symbol_count() const noexcept { return instruments_.size(); }

private:
    struct instrument {
        std::string symbol;
        double price; ///< where it began and is drawn back to
        double tick;  ///< prices are multiples of it
        double quotes_per_second;
        double log_move = 0;                  ///< of the price, from where it began
        std::chrono::microseconds news_end{}; ///< nothing unusual from then on
    };

    /// A number in [0, 1). The standard's own distributions differ between implementations.
    double uniform() noexcept;
    double normal() noexcept;
    instrument& choose() noexcept;

    std::vector<instrument> instruments_;
    double quotes_per_second_ = 0; // of all
    std::uint64_t state_;
    std::chrono::microseconds now_{};
};

namespace inner {

inline constexpr double calm_step = 0.6e-4;     // relative, of one quote: 0.6 basis points
inline constexpr double calm_spread = 1.2e-4;   // relative: 1.2 basis points
inline constexpr double news_factor = 4;        // what news multiplies both by
inline constexpr double pull = 0.01;            // part of the way back that each quote goes
inline constexpr double news_per_second = 0.12; // over all instruments
inline constexpr double news_seconds_mean = 6;

inline std::chrono::microseconds seconds(double value) {
    return std::chrono::microseconds{static_cast<std::int64_t>(value * 1e6)};
}

} // namespace inner

inline market_simulator::market_simulator(std::uint64_t seed)
    : instruments_{{"AUDUSD", 0.6540, 1e-5, 5}, {"EURCHF", 0.9412, 1e-5, 3},
                   {"EURGBP", 0.8335, 1e-5, 4}, {"EURJPY", 163.42, 1e-3, 6},
                   {"EURUSD", 1.0862, 1e-5, 9}, {"GBPUSD", 1.3027, 1e-5, 7},
                   {"NZDUSD", 0.5981, 1e-5, 3}, {"USDCAD", 1.3894, 1e-5, 4},
                   {"USDCHF", 0.8669, 1e-5, 4}, {"USDJPY", 150.48, 1e-3, 8},
                   {"XAGUSD", 31.240, 1e-3, 3}, {"XAUUSD", 2654.3, 1e-2, 6}},
      state_{seed} {
    for (auto const& each : instruments_) quotes_per_second_ += each.quotes_per_second;
}

inline std::optional<timed_quote> market_simulator::operator()() {
    double const waited = -std::log(1 - uniform()) / quotes_per_second_;
    now_ += inner::seconds(waited);
    auto& chosen = choose();
    if (uniform() < inner::news_per_second * waited)
        chosen.news_end =
            now_ + inner::seconds(-std::log(1 - uniform()) * inner::news_seconds_mean);

    double const factor = now_ < chosen.news_end ? inner::news_factor : 1;
    chosen.log_move += inner::calm_step * factor * normal() - inner::pull * chosen.log_move;
    double const mid = chosen.price * std::exp(chosen.log_move);
    double const half_spread = mid * inner::calm_spread * factor * (0.8 + 0.4 * uniform()) / 2;

    timed_quote next{now_, {chosen.symbol, 0, 0, 0}};
    next.what.bid = std::round((mid - half_spread) / chosen.tick) * chosen.tick;
    next.what.ask = std::max(std::round((mid + half_spread) / chosen.tick) * chosen.tick,
                             next.what.bid + chosen.tick);
    next.what.volume = 1 + std::floor(uniform() * 20);
    return next;
}

/// SplitMix64, of which the upper 53 bits fill a double.
inline double market_simulator::uniform() noexcept {
    state_ += 0x9e3779b97f4a7c15u;
    auto mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    return static_cast<double>(mixed >> 11) * 0x1p-53;
}

/// Box and Muller's transform, of which one half is enough here.
inline double market_simulator::normal() noexcept {
    double const radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
}

/// An instrument, more often the one that quotes more often.
inline market_simulator::instrument& market_simulator::choose() noexcept {
    double left = uniform() * quotes_per_second_;
    for (auto& each : instruments_) {
        left -= each.quotes_per_second;
        if (left < 0) return each;
    }
    return instruments_.back();
}

} // namespace examples
