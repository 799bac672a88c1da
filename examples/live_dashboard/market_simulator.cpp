#include "market_simulator.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dashboard {

namespace {

constexpr double calm_step = 0.6e-4;     // relative, of one quote: 0.6 basis points
constexpr double calm_spread = 1.2e-4;   // relative: 1.2 basis points
constexpr double news_factor = 4;        // what news multiplies both by
constexpr double pull = 0.01;            // part of the way back that each quote goes
constexpr double news_per_second = 0.12; // over all instruments
constexpr double news_seconds_mean = 6;

std::chrono::microseconds seconds(double value) {
    return std::chrono::microseconds{static_cast<std::int64_t>(value * 1e6)};
}

} // namespace

market_simulator::market_simulator(std::uint64_t seed)
    : instruments_{{"AUDUSD", 0.6540, 1e-5, 5}, {"EURCHF", 0.9412, 1e-5, 3},
                   {"EURGBP", 0.8335, 1e-5, 4}, {"EURJPY", 163.42, 1e-3, 6},
                   {"EURUSD", 1.0862, 1e-5, 9}, {"GBPUSD", 1.3027, 1e-5, 7},
                   {"NZDUSD", 0.5981, 1e-5, 3}, {"USDCAD", 1.3894, 1e-5, 4},
                   {"USDCHF", 0.8669, 1e-5, 4}, {"USDJPY", 150.48, 1e-3, 8},
                   {"XAGUSD", 31.240, 1e-3, 3}, {"XAUUSD", 2654.3, 1e-2, 6}},
      state_{seed} {
    for (auto const& each : instruments_) quotes_per_second_ += each.quotes_per_second;
}

std::optional<timed_quote> market_simulator::operator()() {
    double const waited = -std::log(1 - uniform()) / quotes_per_second_;
    now_ += seconds(waited);
    auto& chosen = choose();
    if (uniform() < news_per_second * waited)
        chosen.news_end = now_ + seconds(-std::log(1 - uniform()) * news_seconds_mean);

    double const factor = now_ < chosen.news_end ? news_factor : 1;
    chosen.log_move += calm_step * factor * normal() - pull * chosen.log_move;
    double const mid = chosen.price * std::exp(chosen.log_move);
    double const half_spread = mid * calm_spread * factor * (0.8 + 0.4 * uniform()) / 2;

    timed_quote next{now_, {chosen.symbol, 0, 0, 0}};
    next.what.bid = std::round((mid - half_spread) / chosen.tick) * chosen.tick;
    next.what.ask = std::max(std::round((mid + half_spread) / chosen.tick) * chosen.tick,
                             next.what.bid + chosen.tick);
    next.what.volume = 1 + std::floor(uniform() * 20);
    return next;
}

/// SplitMix64, of which the upper 53 bits fill a double.
double market_simulator::uniform() noexcept {
    state_ += 0x9e3779b97f4a7c15u;
    auto mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    return static_cast<double>(mixed >> 11) * 0x1p-53;
}

/// Box and Muller's transform, of which one half is enough here.
double market_simulator::normal() noexcept {
    double const radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
}

/// An instrument, more often the one that quotes more often.
market_simulator::instrument& market_simulator::choose() noexcept {
    double left = uniform() * quotes_per_second_;
    for (auto& each : instruments_) {
        left -= each.quotes_per_second;
        if (left < 0) return each;
    }
    return instruments_.back();
}

} // namespace dashboard
