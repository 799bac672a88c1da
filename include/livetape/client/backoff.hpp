#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include <livetape/config.hpp>

namespace livetape {

/// How long a client waits between attempts.
struct backoff_options {
    /// The first wait is at least this and at most twice as long; a person hardly notices half a
    /// second, and a server that comes back is not met by all at once.
    std::chrono::milliseconds delay_min{500};

    /// No wait that the client chooses is longer: after an outage it is back within half a minute.
    std::chrono::milliseconds delay_max{30'000};

    /// A wait that the server asks for is cut to this, so that a slip of the server's does not
    /// silence a client for days.
    std::chrono::milliseconds requested_delay_max{600'000};
};

/// Exponential backoff with jitter: the waits double from attempt to attempt, and each is drawn
/// from the upper half of its range, so that clients that were cut off together come back apart.
/// Randomness is an argument.
/// Thread safety: distinct objects safe; shared objects unsafe.
class backoff {
public:
    /// Precondition: 0 <= delay_min <= delay_max.
    explicit backoff(backoff_options options = {}) : options_{options}, upper_{first_upper()} {
        LIVETAPE_ASSERT(options.delay_min.count() >= 0);
        LIVETAPE_ASSERT(options.delay_min <= options.delay_max);
    }

    /// The wait before the next attempt, and doubles the one after it.
    ///
    /// @param random     evenly spread over all its values
    /// @param requested  what the server asked for (`Retry-After`, or `retry` of an event stream);
    ///                   0 if nothing. The wait is never shorter, and a little longer at random.
    [[nodiscard]] std::chrono::milliseconds next(std::uint32_t random,
                                                 std::chrono::milliseconds requested = {}) {
        auto const lower = std::max(options_.delay_min, upper_ / 2);
        auto const own = lower + part_of(upper_ - lower, random);
        upper_ = upper_ > options_.delay_max / 2 ? options_.delay_max : upper_ * 2;
        requested = std::min(requested, options_.requested_delay_max);
        if (requested <= own) return own;
        return requested + part_of(options_.delay_min, random);
    }

    /// Starts over, after a connection that was good.
    void reset() noexcept { upper_ = first_upper(); }

private:
    [[nodiscard]] std::chrono::milliseconds first_upper() const noexcept {
        return options_.delay_min > options_.delay_max / 2 ? options_.delay_max
                                                           : options_.delay_min * 2;
    }

    /// Evenly spread from 0 to the whole, both included.
    [[nodiscard]] static std::chrono::milliseconds part_of(std::chrono::milliseconds whole,
                                                           std::uint32_t random) noexcept {
        auto const count = static_cast<std::uint64_t>(whole.count()) + 1;
        // In two halves, since the product might need 96 bits.
        auto const part = (count >> 32) * random + (((count & UINT32_MAX) * random) >> 32);
        return std::chrono::milliseconds{static_cast<std::int64_t>(part)};
    }

    backoff_options options_;
    std::chrono::milliseconds upper_; // the longest that the next wait can be
};

} // namespace livetape
