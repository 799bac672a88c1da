#pragma once

#include <cstdint>

namespace livetape {

/// How many samples came, whatever they hold: NaN counts. Exact up to 2^64. 8 bytes; mergeable.
class count {
public:
    template <class... Input>
    constexpr void add(Input const&...) noexcept {
        ++count_;
    }

    constexpr void merge(count const& later) noexcept { count_ += later.count_; }

    [[nodiscard]] constexpr std::uint64_t value() const noexcept { return count_; }

private:
    std::uint64_t count_ = 0;
};

} // namespace livetape
