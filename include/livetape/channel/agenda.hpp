#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/short_lock.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace livetape {

/// The first multiple of `interval` after `now`, counted from the clock's zero: whoever uses the
/// same interval gets the same instants, and so one wake-up serves them all.
/// Precondition: `interval > 0`, and `now` is not before the clock's zero.
[[nodiscard]] constexpr time_point next_aligned(time_point now, clock::duration interval) noexcept {
    auto const since_zero = now.time_since_epoch();
    return time_point{since_zero - since_zero % interval + interval};
}

/// Who calls `agenda::advance` in time: told when that must be earlier than the last call said.
class agenda_driver {
public:
    /// Called from any thread, under the agenda's lock: must cause a call of `advance` at `due`,
    /// and must not call back into the library.
    using hasten_function = void (*)(void* context, time_point due) noexcept;

    agenda_driver(hasten_function hasten, void* context) noexcept
        : hasten_{hasten}, context_{context} {}
    agenda_driver(agenda_driver const&) = delete;
    agenda_driver& operator=(agenda_driver const&) = delete;

private:
    friend class agenda;

    hasten_function hasten_;
    void* context_;
    time_point told_ = never; // when it will call `advance` at the latest
};

/// What a hub's channels, copies and presence have to do at some time: the hub's only timer.
///
/// Nothing here reads a clock. Each task runs once, on the thread whose `advance` takes it, however
/// many drivers there are; a task that has more to do adds itself again. A subject that is gone
/// takes its tasks with it.
/// Thread safety: every member function is safe from any thread.
class agenda {
public:
    using task_function = void (*)(void* subject, time_point now);

    /// Calls `task(subject, now)` in the first `advance` whose `now` is not before `due`, unless
    /// the subject is gone by then. O(log tasks + drivers).
    void add(time_point due, std::weak_ptr<void> subject, task_function task) {
        short_lock_guard const lock{lock_};
        tasks_.push_back({due, std::move(subject), task});
        std::push_heap(tasks_.begin(), tasks_.end(), is_later);
        for (auto* const each : drivers_)
            if (due < each->told_) each->hasten_(each->context_, each->told_ = due);
    }

    /// Runs what is due at `now`; what these tasks add for `now` or earlier waits for the next
    /// call, so that no task can keep the caller here.
    /// @param by  the driver that calls, if one does
    /// @return when to call next; `never` if nothing is pending
    time_point advance(time_point now, agenda_driver* by = nullptr) {
        compact_vector<entry> due;
        {
            short_lock_guard const lock{lock_};
            while (!tasks_.empty() && tasks_.front().due <= now) {
                std::pop_heap(tasks_.begin(), tasks_.end(), is_later);
                due.push_back(std::move(tasks_.back()));
                tasks_.pop_back();
            }
        }
        for (auto& each : due)
            if (auto const subject = each.subject.lock()) each.task(subject.get(), now);

        short_lock_guard const lock{lock_};
        auto const next = next_due_locked();
        if (by != nullptr) by->told_ = next;
        return next;
    }

    /// When `advance` has something to do; `never` if nothing is pending.
    [[nodiscard]] time_point next_due() const {
        short_lock_guard const lock{lock_};
        return next_due_locked();
    }

    /// From now on the driver is told when it must call earlier. It is told at once if something is
    /// pending. It must be removed before it is destroyed.
    void add_driver(agenda_driver& driver) {
        short_lock_guard const lock{lock_};
        drivers_.push_back(&driver);
        driver.told_ = next_due_locked();
        if (driver.told_ != never) driver.hasten_(driver.context_, driver.told_);
    }

    /// After this returns, the driver is not told any more.
    void remove_driver(agenda_driver& driver) noexcept {
        short_lock_guard const lock{lock_};
        drivers_.erase_unordered(&driver);
    }

private:
    struct entry {
        time_point due;
        std::weak_ptr<void> subject;
        task_function task;
    };

    static bool is_later(entry const& a, entry const& b) noexcept { return a.due > b.due; }

    [[nodiscard]] time_point next_due_locked() const noexcept {
        return tasks_.empty() ? never : tasks_.front().due;
    }

    mutable short_lock lock_;
    compact_vector<entry> tasks_; // a heap, the earliest in front
    compact_vector<agenda_driver*> drivers_;
};

} // namespace livetape
