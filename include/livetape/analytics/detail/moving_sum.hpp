#pragma once

#include <cstddef>
#include <vector>

namespace livetape::detail {

/// The sum of the last `size` numbers. Rounding errors do not pile up: each time round the ring the
/// sum is taken anew, O(size) once in `size` steps. Memory: 8 bytes per number.
class moving_sum {
public:
    /// Precondition: size is at least 1.
    explicit moving_sum(std::size_t size) : ring_(size, 0.0) {}

    /// Takes a finite number in and gives the one that falls out, 0 as long as there is none.
    double push(double value) noexcept {
        double const oldest = ring_[next_];
        ring_[next_] = value;
        if (++next_ < ring_.size()) {
            sum_ += value - oldest;
        } else {
            next_ = 0;
            sum_ = 0;
            for (double const kept : ring_) sum_ += kept;
        }
        if (count_ < ring_.size()) ++count_;
        return oldest;
    }

    [[nodiscard]] bool is_full() const noexcept { return count_ == ring_.size(); }
    [[nodiscard]] double sum() const noexcept { return sum_; }
    [[nodiscard]] double mean() const noexcept { return sum_ / static_cast<double>(ring_.size()); }

private:
    std::vector<double> ring_;
    std::size_t next_ = 0;
    std::size_t count_ = 0;
    double sum_ = 0;
};

} // namespace livetape::detail
