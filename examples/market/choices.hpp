#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>

namespace market {

/// What the command line says of the market.
struct choices {
    std::string replay; ///< empty: simulate
    double speed = 1;
    double bar_seconds = 1;
    double drawdown_basis_points = 5;
    std::uint64_t seed = 7;

    /// Adds the options; they are read when `into` parses, so this may not be moved.
    explicit choices(CLI::App& into) {
        into.add_option("--replay", replay, "Trades (.json) or quotes (.csv) to replay");
        into.add_option("--speed", speed, "Seconds of the market that pass in one")
            ->check(CLI::Range(0.001, 1e6))
            ->capture_default_str();
        into.add_option("--bar", bar_seconds, "Seconds of a bar")
            ->check(CLI::Range(0.1, 86400.0))
            ->capture_default_str();
        into.add_option("--drawdown", drawdown_basis_points, "Basis points lost that alert")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
        into.add_option("--seed", seed, "Seed of the made-up market")->capture_default_str();
    }
    choices(choices const&) = delete;
    choices& operator=(choices const&) = delete;
};

} // namespace market
