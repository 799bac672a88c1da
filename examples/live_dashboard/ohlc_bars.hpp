#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace dashboard {

/// What happened to one price within one second.
struct ohlc_bar {
    std::chrono::seconds begin{}; ///< of the second, on the clock of the times that were added
    double open = 0;
    double high = 0;
    double low = 0;
    double close = 0;
    double volume = 0;
    double average = 0; ///< volume-weighted (VWAP); the plain mean of the prices if none had volume
    std::uint32_t count = 0;
};

/// Gathers prices into bars of one second, per symbol. No clock: the times that go in decide.
/// Memory: one open bar per symbol.
class ohlc_bars {
public:
    /// Adds a price; the times of one symbol do not go back.
    /// Precondition: bars that ended before `time` were taken with `close_before`.
    void add(std::string_view symbol, std::chrono::milliseconds time, double price, double volume) {
        auto found = open_.find(symbol);
        if (found == open_.end()) found = open_.emplace(symbol, building{}).first;
        auto& [bar, price_sum, traded_sum] = found->second;
        if (bar.count == 0) {
            bar.begin = std::chrono::floor<std::chrono::seconds>(time);
            bar.open = bar.high = bar.low = price;
        }
        bar.high = std::max(bar.high, price);
        bar.low = std::min(bar.low, price);
        bar.close = price;
        bar.volume += volume;
        ++bar.count;
        price_sum += price;
        traded_sum += price * volume;
        bar.average = bar.volume > 0 ? traded_sum / bar.volume : price_sum / bar.count;
    }

    /// Hands over the bars whose second is over at `now`, by symbol, and forgets them.
    template <class Function> // called as function(symbol, bar)
    void close_before(std::chrono::milliseconds now, Function function) {
        for (auto& [symbol, each] : open_) {
            if (each.bar.count == 0 || each.bar.begin + std::chrono::seconds{1} > now) continue;
            function(std::string_view{symbol}, each.bar);
            each = {};
        }
    }

private:
    struct building {
        ohlc_bar bar{};
        double price_sum = 0;
        double traded_sum = 0; // price times volume
    };

    std::map<std::string, building, std::less<>> open_;
};

} // namespace dashboard
