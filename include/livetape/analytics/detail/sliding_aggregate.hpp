#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/config.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace livetape::detail {

/// The merge of a queue of accumulators, in at most four merges per push, pop or query whatever the
/// length: DABA Lite of Tangwongsan, Hirzel and Schneider ("In-order sliding-window aggregation in
/// worst-case constant time", VLDB Journal 30, 2021). Needs no inverse, so minima and sketches
/// slide too, and sums do not drift, as they do where what leaves is subtracted.
///
/// Theory of operation. Places are counted up for ever; the queue is [front, end), cut in five:
///
///     front ≤ left ≤ right ≤ middle ≤ back ≤ end
///     [front, left)   each the merge from itself to `back`
///     [left, right)   each the merge from itself to `right`
///     [right, middle) as they came
///     [middle, back)  each the merge from itself to `back`
///     [back, end)     as they came; `back_total_` is their merge
///
/// `front_total_` is the merge of [right, back) as long as left < right. Each push and pop moves
/// the inner borders by one, so that [front, back) is all merges to `back` by the time that it is
/// as short as [back, end); then what was back becomes front.
template <accumulator Accumulator>
class sliding_aggregate {
public:
    explicit sliding_aggregate(Accumulator empty)
        : empty_{std::move(empty)}, front_total_{empty_}, back_total_{empty_},
          ring_(4, entry{empty_, {}}) {}

    /// Makes room for so many entries, so that later pushes do not allocate.
    void reserve(std::size_t entries) {
        while (ring_.size() < entries) grow();
    }

    void push(event_time time, Accumulator const& single) {
        if (size() == ring_.size()) grow();
        at(end_) = {single, time};
        ++end_;
        back_total_.merge(single);
        step();
    }

    /// Precondition: not empty.
    void pop() {
        LIVETAPE_ASSERT(size() > 0);
        ++front_;
        step();
    }

    [[nodiscard]] Accumulator total() const {
        if (front_ == back_) return back_total_;
        auto merged = at(front_).total;
        merged.merge(back_total_);
        return merged;
    }

    /// Precondition: not empty.
    [[nodiscard]] event_time oldest() const noexcept { return at(front_).time; }

    [[nodiscard]] std::size_t size() const noexcept {
        return static_cast<std::size_t>(end_ - front_);
    }

private:
    struct entry {
        Accumulator total;
        event_time time;
    };

    [[nodiscard]] entry& at(std::uint64_t place) noexcept {
        return ring_[static_cast<std::size_t>(place) & (ring_.size() - 1)];
    }
    [[nodiscard]] entry const& at(std::uint64_t place) const noexcept {
        return ring_[static_cast<std::size_t>(place) & (ring_.size() - 1)];
    }

    void step() {
        if (front_ == back_) {
            // At most one entry, which is its own merge.
            left_ = right_ = middle_ = back_ = end_;
            back_total_ = empty_;
            return;
        }
        if (left_ == back_) {
            left_ = front_;
            right_ = back_;
            middle_ = back_ = end_;
            front_total_ = back_total_;
            back_total_ = empty_;
        }
        if (left_ == right_) {
            LIVETAPE_ASSERT(right_ == middle_);
            ++left_, ++right_, ++middle_;
            return;
        }
        at(left_).total.merge(front_total_);
        ++left_;
        --middle_;
        if (middle_ + 1 < back_) at(middle_).total.merge(at(middle_ + 1).total);
    }

    void grow() {
        std::vector<entry> larger(ring_.size() * 2, entry{empty_, {}});
        for (auto place = front_; place < end_; ++place)
            larger[static_cast<std::size_t>(place) & (larger.size() - 1)] = std::move(at(place));
        ring_ = std::move(larger);
    }

    Accumulator empty_;
    Accumulator front_total_;
    Accumulator back_total_;
    std::vector<entry> ring_; // a power of two
    std::uint64_t front_ = 0;
    std::uint64_t left_ = 0;
    std::uint64_t right_ = 0;
    std::uint64_t middle_ = 0;
    std::uint64_t back_ = 0;
    std::uint64_t end_ = 0;
};

} // namespace livetape::detail
