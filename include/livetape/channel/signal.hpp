#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace livetape {

class signal_queue;

/// What a signal stands for, so that its owner knows what to do with a taken one.
enum class signal_source : std::uint8_t { channel, channel_list };

/// "Something changed here": raised by any thread, taken by the one that owns the queue. Raising a
/// raised signal again does nothing, which is what makes a burst of publishes cost one wake-up.
class signal {
public:
    explicit signal(signal_queue& queue, signal_source source = signal_source::channel) noexcept
        : queue_{queue}, source_kind_{source} {}
    signal(signal const&) = delete;
    signal& operator=(signal const&) = delete;

    /// Safe from any thread. What the caller wrote before is visible to the owner after `lower`.
    inline void raise() noexcept;

    /// The owner lowers a taken signal before it looks at what changed, so that a change during the
    /// look raises it again and no wake-up is lost.
    void lower() noexcept { raised_.exchange(false, std::memory_order_acq_rel); }

    [[nodiscard]] bool is_raised() const noexcept {
        return raised_.load(std::memory_order_acquire);
    }
    [[nodiscard]] signal* next() const noexcept { return next_; }
    [[nodiscard]] signal_queue const& queue() const noexcept { return queue_; }
    [[nodiscard]] signal_source source_kind() const noexcept { return source_kind_; }

private:
    friend class signal_queue;

    signal_queue& queue_;
    signal* next_ = nullptr;
    std::atomic<bool> raised_{false};
    signal_source source_kind_;
};

/// The raised signals of one thread: a lock-free stack of many writers and one reader.
class signal_queue {
public:
    /// Called from any thread, by the raise that finds the queue empty; must make the owner call
    /// `take_all` soon, and must not call back into the library.
    using wake_function = void (*)(void* context) noexcept;

    signal_queue(wake_function wake, void* context) noexcept : wake_{wake}, context_{context} {}

    /// All raised signals, linked by `next()`. Owner's thread only.
    [[nodiscard]] signal* take_all() noexcept {
        return head_.exchange(nullptr, std::memory_order_acq_rel);
    }

    [[nodiscard]] bool is_empty() const noexcept {
        return head_.load(std::memory_order_acquire) == nullptr;
    }

private:
    friend class signal;

    void push(signal& raised) noexcept {
        auto* head = head_.load(std::memory_order_relaxed);
        do raised.next_ = head;
        while (!head_.compare_exchange_weak(head, &raised, std::memory_order_acq_rel,
                                            std::memory_order_relaxed));
        if (head == nullptr) wake_(context_);
    }

    std::atomic<signal*> head_{nullptr};
    wake_function wake_;
    void* context_;
};

inline void signal::raise() noexcept {
    if (!raised_.exchange(true, std::memory_order_acq_rel)) queue_.push(*this);
}

} // namespace livetape
