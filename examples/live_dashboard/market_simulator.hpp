#pragma once

#include "quote.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dashboard {

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

} // namespace dashboard
