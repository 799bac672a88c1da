#pragma once

#include "../support/market_simulator.hpp"
#include "../support/quote.hpp"
#include "../support/quote_replay.hpp"
#include "tick.hpp"
#include "trade_replay.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

namespace market {

/// Quotes as ticks. @param began  the time of the source's first quote, since the Unix epoch
inline tick_source from_quotes(examples::quote_source source, std::chrono::microseconds began) {
    return [source = std::move(source), began]() -> std::optional<tick> {
        auto const next = source();
        if (!next) return std::nullopt;
        auto const& what = next->what;
        // Currencies are quoted without a volume: then each quote weighs the same.
        double const volume = what.volume > 0 ? what.volume : 1;
        return tick{what.symbol, began + next->due, what.mid(), volume, what.bid, what.ask};
    };
}

/// A recorded market: trades if the file's name ends with `.json`, else quotes.
/// @throws std::runtime_error  with one sentence: the file cannot be read
inline tick_source open_replay(std::filesystem::path const& file) {
    if (file.extension() == ".json") return trade_replay::open(file);
    auto quotes = examples::quote_replay::open(file, false);
    auto const began = quotes.began();
    return from_quotes(std::move(quotes), began);
}

/// A made-up market that begins now.
inline tick_source simulate(std::uint64_t seed) {
    return from_quotes(examples::market_simulator{seed},
                       std::chrono::floor<std::chrono::microseconds>(
                           std::chrono::system_clock::now().time_since_epoch()));
}

} // namespace market
