#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <system_error>
#include <vector>

#include <livetape/config.hpp>
#include <livetape/time.hpp>

namespace livetape::detail {

/// Puts addresses into the order in which they are tried: the families alternate, beginning with
/// the family that the resolver put first, and keep their own order (RFC 8305 §4). O(size).
template <class Address, class IsSixth>
[[nodiscard]] std::vector<Address> interleave_families(std::vector<Address> const& resolved,
                                                       IsSixth is_v6) {
    std::vector<Address> lanes[2];
    for (auto const& address : resolved) {
        bool const is_first_family = is_v6(address) == is_v6(resolved.front());
        lanes[is_first_family ? 0 : 1].push_back(address);
    }
    std::vector<Address> ordered;
    ordered.reserve(resolved.size());
    for (std::size_t i = 0; ordered.size() < resolved.size(); ++i)
        for (auto const& lane : lanes)
            if (i < lane.size()) ordered.push_back(lane[i]);
    return ordered;
}

/// Decides which connection attempt starts when (RFC 8305 §5); performs nothing. Attempts are
/// numbered in the order of the addresses. The next one starts when the attempt delay has passed
/// or an attempt has failed; the first that connects wins.
class connect_race {
public:
    explicit connect_race(std::size_t candidate_count, std::chrono::milliseconds attempt_delay)
        : candidate_count_{candidate_count}, attempt_delay_{attempt_delay} {}

    /// The attempt to start now, if one is due. Call it again until nothing is due.
    [[nodiscard]] std::optional<std::size_t> due(time_point now) {
        if (started_count_ == candidate_count_) return std::nullopt;
        if (pending_count() != 0 && now < next_start_) return std::nullopt;
        next_start_ = now + attempt_delay_;
        return started_count_++;
    }

    /// When the next attempt is due if none fails before; nothing if there is no further one.
    [[nodiscard]] std::optional<time_point> next_start() const {
        if (started_count_ == candidate_count_) return std::nullopt;
        return next_start_;
    }

    /// Notes that an attempt failed: the next one is due at once.
    void fail(std::error_code why) {
        LIVETAPE_ASSERT(pending_count() != 0);
        ++failed_count_;
        if (!first_failure_) first_failure_ = why;
        next_start_ = time_point::min();
    }

    /// Whether nothing is left to wait for.
    [[nodiscard]] bool is_lost() const noexcept { return failed_count_ == candidate_count_; }

    /// Why the race is lost: the failure of the address that was tried first, since it is the one
    /// that a person would look at.
    [[nodiscard]] std::error_code failure() const noexcept { return first_failure_; }

private:
    [[nodiscard]] std::size_t pending_count() const noexcept {
        return started_count_ - failed_count_;
    }

    std::size_t candidate_count_;
    std::size_t started_count_ = 0;
    std::size_t failed_count_ = 0;
    std::chrono::milliseconds attempt_delay_;
    time_point next_start_ = time_point::min();
    std::error_code first_failure_;
};

} // namespace livetape::detail
