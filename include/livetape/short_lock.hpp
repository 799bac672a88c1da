#pragma once

#include <atomic>
#include <cstdint>

namespace livetape {

/// A mutual exclusion of four bytes, for what is held for microseconds and exists by the hundred
/// thousand: a `std::mutex` has 40 bytes, and its header costs every file 0.2 s.
///
/// A thread that finds it held sleeps in the kernel. Not recursive, and not fair.
/// Thread safety: every member function is safe from any thread.
class short_lock {
public:
    short_lock() = default;
    short_lock(short_lock const&) = delete;
    short_lock& operator=(short_lock const&) = delete;

    void lock() noexcept {
        auto expected = free;
        if (!state_.compare_exchange_strong(expected, held, std::memory_order_acquire,
                                            std::memory_order_relaxed))
            wait();
    }

    /// Precondition: this thread holds it.
    void unlock() noexcept {
        if (state_.exchange(free, std::memory_order_release) == awaited) state_.notify_one();
    }

private:
    static constexpr std::uint32_t free = 0;
    static constexpr std::uint32_t held = 1;
    static constexpr std::uint32_t awaited = 2; // held, and somebody may sleep

    // Who has slept takes it as awaited, because it cannot know whether others still sleep.
    void wait() noexcept {
        while (state_.exchange(awaited, std::memory_order_acquire) != free)
            state_.wait(awaited, std::memory_order_relaxed);
    }

    std::atomic<std::uint32_t> state_{free};
};

/// Holds a lock as long as it lives.
class [[nodiscard]] short_lock_guard {
public:
    explicit short_lock_guard(short_lock& lock) noexcept : lock_{lock} { lock_.lock(); }
    ~short_lock_guard() { lock_.unlock(); }
    short_lock_guard(short_lock_guard const&) = delete;
    short_lock_guard& operator=(short_lock_guard const&) = delete;

private:
    short_lock& lock_;
};

} // namespace livetape
