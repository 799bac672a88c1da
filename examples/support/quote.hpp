#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace examples {

/// What somebody would pay for an instrument (`bid`) and what it can be had for (`ask`).
struct quote {
    std::string symbol;
    double bid = 0;
    double ask = 0;
    double volume = 0; ///< traded at it; many feeds, currencies above all, have none and say 0

    [[nodiscard]] double mid() const noexcept { return (bid + ask) / 2; }
    [[nodiscard]] double spread_basis_points() const noexcept { return (ask - bid) / mid() * 1e4; }
};

/// A quote and when it is due, counted from the source's first one.
struct timed_quote {
    std::chrono::microseconds due{};
    quote what;
};

/// Where quotes come from: each call gives the next one, in the order of time; nothing when there
/// are no more. A replayed file and the simulator are both such a function.
using quote_source = std::function<std::optional<timed_quote>()>;

} // namespace examples
