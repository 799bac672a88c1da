#pragma once

#include <chrono>
#include <cmath>

namespace dashboard {

/// How often something happens, in events per second, exponentially weighted: what happened `age`
/// ago counts exp(-age / window). Rises and falls smoothly, in two numbers of memory.
///
/// rate(t) = sum over events i of exp(-(t - t_i) / window) / window. Until the first `window` is
/// over, the weights so far do not sum to one; dividing by their sum keeps the start unbiased.
class ewma_rate {
public:
    explicit ewma_rate(std::chrono::duration<double> window) : window_{window} {}

    /// Counts events at a time that is not before that of the last call.
    void add(std::chrono::duration<double> time, double count = 1) {
        decay_to(time);
        weighted_count_ += count;
    }

    /// Events per second at a time that is not before that of the last call; 0 before the first.
    [[nodiscard]] double at(std::chrono::duration<double> time) {
        decay_to(time);
        double const weights = window_.count() * (1 - std::exp(-(time_ - began_) / window_));
        return weights > 0 ? weighted_count_ / weights : 0;
    }

private:
    void decay_to(std::chrono::duration<double> time) {
        if (!has_begun_) began_ = time_ = time;
        has_begun_ = true;
        weighted_count_ *= std::exp(-(time - time_) / window_);
        time_ = time;
    }

    std::chrono::duration<double> window_;
    std::chrono::duration<double> began_{};
    std::chrono::duration<double> time_{};
    double weighted_count_ = 0;
    bool has_begun_ = false;
};

} // namespace dashboard
