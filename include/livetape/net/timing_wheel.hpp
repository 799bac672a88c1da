#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <livetape/intrusive_list.hpp>
#include <livetape/time.hpp>

namespace livetape {

/// Something with a deadline in a timing wheel; its owner cancels it before it is destroyed.
class wheel_timer : public list_hook<wheel_timer> {
public:
    /// Called once when the deadline has passed; may destroy the timer or schedule it again.
    using expire_function = void (*)(wheel_timer& self) noexcept;

    explicit wheel_timer(expire_function expire) noexcept : expire_{expire} {}

    [[nodiscard]] bool is_scheduled() const noexcept { return is_linked(); }

private:
    friend class timing_wheel;

    expire_function expire_;
    std::int64_t tick_ = 0;
};

/// Deadlines of many connections at the cost of one clock: a ring of slots, each a list of the
/// timers whose tick falls there (hashed wheel, Varghese and Lauck 1987, scheme 6).
///
/// Deadlines are rounded up to a tick, so a timer fires up to one tick late and never early.
/// `schedule` is O(1); `advance` visits each slot passed and the timers of later rounds in it.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class timing_wheel {
public:
    /// A twentieth of a second: coarse enough to be cheap, fine enough for a one-second long-poll.
    static constexpr std::chrono::milliseconds tick_length{50};

    explicit timing_wheel(time_point now) noexcept : start_{now} {}

    /// Sets the deadline of a timer, moving it if it is scheduled. A deadline in the past fires at
    /// the next tick.
    void schedule(wheel_timer& timer, time_point deadline) noexcept {
        if (!timer.is_scheduled()) ++count_;
        timer.tick_ = std::max(tick_of(deadline - clock::duration{1}) + 1, current_ + 1);
        slots_[slot_of(timer.tick_)].push_back(timer);
    }

    /// Whether a timer fires by `deadline` as it is scheduled, give or take a tick.
    [[nodiscard]] bool fires_by(wheel_timer const& timer, time_point deadline) const noexcept {
        return timer.is_scheduled() && timer.tick_ <= tick_of(deadline - clock::duration{1}) + 1;
    }

    void cancel(wheel_timer& timer) noexcept {
        if (!timer.is_scheduled()) return;
        timer.unlink();
        --count_;
    }

    /// Fires all timers whose deadline is at or before `now`.
    void advance(time_point now) noexcept {
        auto const target = tick_of(now);
        // After a pause longer than a round every slot is visited once, not once per round.
        auto const slots_to_visit = std::min<std::int64_t>(target - current_, slot_count);
        intrusive_list<wheel_timer> due;
        for (std::int64_t i = 0; i < slots_to_visit; ++i)
            slots_[slot_of(target - i)].for_each([&](wheel_timer& timer) {
                if (timer.tick_ <= target) due.push_back(timer);
            });
        current_ = std::max(current_, target);
        while (auto* const timer = due.pop_front()) {
            --count_;
            timer->expire_(*timer);
        }
    }

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    /// When `advance` next has something to look at, at the latest one tick from now.
    [[nodiscard]] time_point next_tick() const noexcept {
        return start_ + (current_ + 1) * tick_length;
    }

private:
    static constexpr std::size_t slot_count = 512; // a round of 25.6 s, about one heartbeat

    [[nodiscard]] std::int64_t tick_of(time_point at) const noexcept {
        return std::chrono::floor<std::chrono::milliseconds>(at - start_) / tick_length;
    }
    [[nodiscard]] static std::size_t slot_of(std::int64_t tick) noexcept {
        return static_cast<std::size_t>(tick) % slot_count;
    }

    time_point start_;
    std::int64_t current_ = 0;
    std::size_t count_ = 0;
    std::array<intrusive_list<wheel_timer>, slot_count> slots_;
};

} // namespace livetape
