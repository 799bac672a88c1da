#pragma once

#include <livetape/analytics/counted_key.hpp>
#include <livetape/analytics/detail/slot_index.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/config.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace livetape {

struct decayed_top_k_options {
    std::size_t counters = 1000;                    ///< k, 1 to 2^30
    event_time half_life = std::chrono::minutes{1}; ///< h, positive
};

/// The keys that are trending now: the heaviest ones of a stream whose weights halve with every
/// half-life, at any times (forward decay: Cormode, Shkapenyuk, Srivastava, Xu, "Forward decay",
/// 2009; on weighted Space-Saving: Metwally, Agrawal, El Abbadi, 2005).
///
/// Formula: the decayed count of a key at time t is Σ w_i 2^-((t - t_i) / h) over its weights w_i
/// and times t_i. Stored is Σ w_i 2^((t_i - L) / h) for a fixed landmark L, so that no counter
/// changes by the passing of time and late events fit in by themselves; a question divides by 2^((t
/// - L) / h). When the exponents grow over 256, the landmark moves by whole half-lives, which only
/// changes exponents and so rounds nothing. A key without a counter takes over the lightest, as in
/// `space_saving`.
///
/// Error: with N(t) the decayed weight of the whole stream, count - error ≤ true count ≤ count and
/// error ≤ N(t) / k, up to rounding (2^-53 for each addition to a counter).
/// Time: any order. An event so late that its weight is no number any more (more than 1,000
/// half-lives before the landmark) is left out, so a clock that jumps ahead that far silences those
/// that do not: check times before. Weights that are not in [2^-512, 2^512] are left out.
/// All that is left out is counted.
/// Memory: 76 to 108 bytes a counter, 24 more for strings, and their characters. The constructor
/// allocates; after it only a string longer than all those that its counter held before does.
/// Mergeable, with the same bounds for the two streams together (`detail::merged_keys`).
/// Thread safety: distinct objects safe; shared objects unsafe.
template <countable_key Key>
class decayed_top_k {
public:
    using key_view = detail::key_view<Key>;
    using item = counted_key<key_view, double>;

    explicit decayed_top_k(decayed_top_k_options options = {})
        : index_{options.counters}, counters_(options.counters),
          heap_(options.counters), half_life_{options.half_life} {
        LIVETAPE_ASSERT(options.counters >= 1 && options.counters <= 1u << 30);
        LIVETAPE_ASSERT(options.half_life.count() > 0);
        lay_out();
    }

    /// Counts a key. O(log k).
    void add(event_time time, key_view key, double weight = 1) {
        if (!(weight >= 0x1p-512 && weight <= 0x1p512)) {
            ++left_out_;
            return;
        }
        if (total_ == 0) landmark_ = latest_ = time;
        auto exponent = half_lives(landmark_, time);
        if (exponent > exponent_max) {
            move_landmark(time);
            exponent = half_lives(landmark_, time);
        }
        weight *= std::exp2(exponent);
        if (weight < std::numeric_limits<double>::min()) {
            ++left_out_;
            return;
        }
        if (time > latest_) latest_ = time;
        total_ += weight;
        auto const tag = detail::tag_of(key);
        auto slot = find(tag, key);
        if (slot == detail::slot_index::none) slot = take_over(tag, key, least_weight());
        raise(slot, weight);
    }

    /// What is known of a key's decayed count at `now`; for a key without a counter, count and
    /// error are the most that it may have.
    [[nodiscard]] item estimate(key_view key, event_time now) const noexcept {
        return scaled(stored(key), scale_at(now));
    }

    /// Writes the heaviest keys into `out`, heaviest first, with their counts at `now`, and returns
    /// how many there are. The views of strings are valid until the sketch changes. O(k log n).
    [[nodiscard]] std::size_t top(std::span<item> out, event_time now) const noexcept {
        if (out.empty()) return 0;
        auto const heavier = [](item const& x, item const& y) {
            return x.count != y.count ? x.count > y.count : x.key < y.key;
        };
        // `out` is a heap with the lightest of the heaviest in front.
        std::size_t written = 0;
        for_each([&](item const& each) {
            if (written < out.size()) {
                out[written++] = each;
                std::push_heap(out.begin(), out.begin() + signed_size(written), heavier);
            } else if (heavier(each, out.front())) {
                std::pop_heap(out.begin(), out.end(), heavier);
                out.back() = each;
                std::push_heap(out.begin(), out.end(), heavier);
            }
        });
        std::sort_heap(out.begin(), out.begin() + signed_size(written), heavier);
        double const scale = scale_at(now);
        for (auto& each : out.first(written)) each = scaled(each, scale);
        return written;
    }

    /// The keys that have a counter, heaviest first, with their counts at the latest time added, as
    /// copies: what a window gives when it closes.
    [[nodiscard]] std::vector<counted_key<Key, double>> value() const {
        std::vector<item> all(size_);
        static_cast<void>(top(all, latest_));
        std::vector<counted_key<Key, double>> copies;
        copies.reserve(all.size());
        for (auto const& each : all) copies.push_back({Key{each.key}, each.count, each.error});
        return copies;
    }

    /// Adds all that `other`, which must have the same options, has seen. O(k log k); allocates
    /// scratch memory for 2 k keys.
    void merge(decayed_top_k const& other);

    /// Keys that have a counter.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The decayed weight of the whole stream at `now`.
    [[nodiscard]] double total(event_time now) const noexcept { return total_ * scale_at(now); }
    /// Events with a weight that cannot be counted.
    [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

    void clear() noexcept {
        index_.clear();
        for (auto& each : counters_) each = {};
        size_ = 0;
        total_ = 0;
        left_out_ = 0;
        lay_out();
    }

private:
    static constexpr double exponent_max = 256;

    struct counter {
        Key key{};
        double weight = 0; ///< as of the landmark
        double error = 0;
        std::uint32_t tag = 0;
        std::uint32_t position = 0; ///< in `heap_`
        bool is_used = false;
    };
    /// Another sketch as if it had this one's landmark.
    struct aligned {
        using item = decayed_top_k::item;
        decayed_top_k const& of;
        double scale;

        [[nodiscard]] std::size_t size() const noexcept { return of.size_; }
        [[nodiscard]] bool contains(key_view key) const noexcept {
            return of.find(detail::tag_of(key), key) != detail::slot_index::none;
        }
        [[nodiscard]] item estimate(key_view key) const noexcept {
            return scaled(of.stored(key), scale);
        }
        template <class Visit>
        void for_each(Visit visit) const {
            of.for_each([&](item const& each) { visit(scaled(each, scale)); });
        }
    };

    [[nodiscard]] std::uint32_t find(std::uint32_t tag, key_view key) const noexcept {
        return index_.find(tag, [&](std::uint32_t slot) { return counters_[slot].key == key; });
    }

    [[nodiscard]] double least_weight() const noexcept { return counters_[heap_.front()].weight; }

    /// What is known of a key as of the landmark.
    [[nodiscard]] item stored(key_view key) const noexcept {
        auto const slot = find(detail::tag_of(key), key);
        if (slot == detail::slot_index::none) return {key, least_weight(), least_weight()};
        return {key, counters_[slot].weight, counters_[slot].error};
    }

    template <class Visit>
    void for_each(Visit visit) const {
        for (auto const& each : counters_)
            if (each.is_used) visit(item{each.key, each.weight, each.error});
    }

    [[nodiscard]] static item scaled(item const& each, double scale) noexcept {
        return {each.key, each.count * scale, each.error * scale};
    }

    /// From one time to another, in half-lives; the difference of any two times fits.
    [[nodiscard]] double half_lives(event_time from, event_time to) const noexcept {
        auto const forward = distance(from, to);
        return to >= from ? static_cast<double>(forward) / static_cast<double>(half_life_.count())
                          : -half_lives(to, from);
    }
    [[nodiscard]] static std::uint64_t distance(event_time from, event_time to) noexcept {
        return static_cast<std::uint64_t>(to.count()) - static_cast<std::uint64_t>(from.count());
    }

    /// What a stored weight is multiplied by to give the decayed one; finite for any time.
    [[nodiscard]] double scale_at(event_time now) const noexcept {
        return std::exp2(std::min(-half_lives(landmark_, now), 1000.0));
    }

    /// Moves the landmark forward by whole half-lives, to less than one before `time`.
    void move_landmark(event_time time) noexcept {
        auto const half_life = static_cast<std::uint64_t>(half_life_.count());
        auto const steps = distance(landmark_, time) / half_life;
        auto const moved = static_cast<std::uint64_t>(landmark_.count()) + steps * half_life;
        landmark_ = event_time{static_cast<std::int64_t>(moved)};
        // 2100 halvings make zero of any double.
        auto const halvings = static_cast<int>(std::min<std::uint64_t>(steps, 2100));
        total_ = std::ldexp(total_, -halvings);
        for (auto& each : counters_) {
            each.weight = std::ldexp(each.weight, -halvings);
            each.error = std::ldexp(each.error, -halvings);
        }
    }

    void lay_out() noexcept {
        for (std::uint32_t i = 0; i < heap_.size(); ++i) place(i, i);
    }

    void place(std::uint32_t slot, std::uint32_t position) noexcept {
        heap_[position] = slot;
        counters_[slot].position = position;
    }

    /// Gives the counter with the least weight to a key that has none.
    std::uint32_t take_over(std::uint32_t tag, key_view key, double error) {
        auto const slot = heap_.front();
        auto& taken = counters_[slot];
        if (taken.is_used) index_.erase(taken.tag, slot);
        else ++size_;
        taken.key = key;
        taken.error = error;
        taken.tag = tag;
        taken.is_used = true;
        index_.insert(tag, slot);
        return slot;
    }

    /// Adds to a weight and lets its counter sink to its place in the heap.
    void raise(std::uint32_t slot, double weight) noexcept {
        auto const raised = counters_[slot].weight += weight;
        std::size_t position = counters_[slot].position;
        for (;;) {
            auto child = 2 * position + 1;
            if (child >= heap_.size()) break;
            auto const weight_at = [&](std::size_t at) { return counters_[heap_[at]].weight; };
            if (child + 1 < heap_.size() && weight_at(child + 1) < weight_at(child)) ++child;
            if (!(weight_at(child) < raised)) break;
            place(heap_[child], static_cast<std::uint32_t>(position));
            position = child;
        }
        place(slot, static_cast<std::uint32_t>(position));
    }

    static std::ptrdiff_t signed_size(std::size_t size) noexcept {
        return static_cast<std::ptrdiff_t>(size);
    }

    detail::slot_index index_;
    std::vector<counter> counters_;
    std::vector<std::uint32_t> heap_; ///< slots of counters, the lightest in front
    event_time half_life_;
    event_time landmark_{0};
    event_time latest_{0}; ///< of the events added, if there was one
    double total_ = 0;     ///< as of the landmark
    std::size_t size_ = 0;
    std::uint64_t left_out_ = 0;
};

template <countable_key Key>
void decayed_top_k<Key>::merge(decayed_top_k const& other) {
    LIVETAPE_ASSERT(other.counters_.size() == counters_.size() && other.half_life_ == half_life_);
    left_out_ += other.left_out_;
    if (other.total_ == 0) return;
    if (total_ == 0) {
        landmark_ = other.landmark_;
        latest_ = other.latest_;
    }
    latest_ = std::max(latest_, other.latest_);
    if (other.landmark_ > landmark_) move_landmark(other.landmark_);
    aligned const theirs{other, std::exp2(half_lives(landmark_, other.landmark_))};
    auto const all = detail::merged_keys<Key>(aligned{*this, 1.0}, theirs, counters_.size());
    auto const total = total_ + other.total_ * theirs.scale;
    auto const left_out = left_out_;
    clear();
    total_ = total;
    left_out_ = left_out;
    // The heaviest first: whoever is light is taken over by nobody, as unused counters are lighter.
    for (auto const& each : all)
        if (each.count > 0)
            raise(take_over(detail::tag_of(each.key), each.key, each.error), each.count);
}

} // namespace livetape
