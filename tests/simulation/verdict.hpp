#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <livetape/random_seed.hpp>

namespace livetape::simulation {

/// Whether a run is right so far, and what went wrong first. Checks are made inside callbacks that
/// must not throw, so a failure is kept here and the run ends after the step.
class verdict {
public:
    [[nodiscard]] bool is_right() const { return failure_.empty(); }
    [[nodiscard]] std::string const& failure() const { return failure_; }

    /// Only the first failure counts: all that follows may be its consequence.
    void fail(std::string what) {
        if (failure_.empty()) failure_ = std::move(what);
    }

    /// @param describe  called without arguments for the text of a failure
    template <class Describe>
    bool check(bool condition, Describe&& describe) {
        if (!condition) fail(describe());
        return condition;
    }

private:
    std::string failure_;
};

/// Draws of one step. Each step has a generator of its own, made from the seed and its number, so
/// that a step does the same whether or not others before it are left out.
class random_source {
public:
    random_source(std::uint64_t seed, std::uint64_t step)
        : state_{mix_bits(mix_bits(seed) ^ (step * 0x9e3779b97f4a7c15u))} {}

    std::uint64_t below(std::uint64_t limit) {
        state_ = mix_bits(state_);
        return (state_ >> 16) % limit;
    }
    bool one_in(std::uint64_t n) { return below(n) == 0; }

private:
    std::uint64_t state_;
};

} // namespace livetape::simulation
