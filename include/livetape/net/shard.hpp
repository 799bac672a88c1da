#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <asio/basic_waitable_timer.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/write_batch.hpp>
#include <livetape/net/hub_clock.hpp>
#include <livetape/net/timing_wheel.hpp>
#include <livetape/random_seed.hpp>
#include <livetape/time.hpp>

namespace livetape {

/// A timer on one io_context. Asio's own `steady_timer` takes any executor, which costs a second of
/// compile time and an indirection.
using loop_timer =
    asio::basic_waitable_timer<clock, asio::wait_traits<clock>, asio::io_context::executor_type>;

/// What the sessions of one io_context share: the dispatcher that wakes them, one timing wheel, one
/// read buffer and one write batch, so that an idle connection needs none of its own.
///
/// There is one per io_context, made on first use; the io_context must be run by one thread. To use
/// several cores, run several io_contexts, each with a server of its own over the same hub.
/// Thread safety: shared objects unsafe; the io_context's thread owns it.
class shard : public asio::execution_context::service {
public:
    using key_type = shard;
    inline static asio::execution_context::id id;

    explicit shard(asio::execution_context& owner)
        : service{owner}, context_{static_cast<asio::io_context&>(owner)},
          dispatcher_{&shard::wake, this}, wheel_{clock::now()}, wheel_clock_{context_},
          tick_clock_{context_}, random_state_{random_seed()} {}

    /// The shard of an io_context.
    [[nodiscard]] static shard& of(asio::io_context& context) {
        return asio::use_service<shard>(context);
    }

    [[nodiscard]] dispatcher& wakes() noexcept { return dispatcher_; }

    /// From now on this io_context does what a hub has to do in time; see `hub::advance`.
    void drive(std::shared_ptr<agenda> const& due) {
        for (auto& each : hub_clocks_)
            if (&each.clock->due() == due.get()) return void(++each.users);
        hub_clocks_.push_back({std::make_unique<hub_clock>(context_, due), 1});
    }

    /// One who let it drive has stopped. With the last one the clock ends, so that what is pending
    /// (a member who may poll again, a retry that may come) does not keep `run` from returning.
    void release(agenda const& due) {
        std::erase_if(hub_clocks_, [&](driven_hub& each) {
            return &each.clock->due() == &due && --each.users == 0;
        });
    }

    /// A buffer for the read that is going on now; its content lasts until the next one.
    [[nodiscard]] std::span<char> read_buffer() noexcept { return read_buffer_; }

    /// A batch for the write that is going on now.
    [[nodiscard]] write_batch& batch() noexcept { return *batch_; }

    /// Gives that batch away, to whom it is to be settled by later, and takes another.
    [[nodiscard]] std::unique_ptr<write_batch> take_batch() {
        return std::exchange(batch_, std::make_unique<write_batch>());
    }

    [[nodiscard]] std::uint32_t random() noexcept {
        return static_cast<std::uint32_t>(mix_bits(++random_state_) >> 32);
    }

    /// Makes a timer fire at the latest one tick after `deadline`; a timer that is due earlier
    /// stays, because its owner looks at the time anyway.
    void fire_by(wheel_timer& timer, time_point deadline) {
        if (wheel_.fires_by(timer, deadline)) return;
        wheel_.schedule(timer, deadline);
        run_wheel();
    }

    /// The wheel's clock stops with its last timer, so that `io_context::run` can return.
    void cancel(wheel_timer& timer) noexcept {
        wheel_.cancel(timer);
        if (wheel_.empty() && is_wheel_running_) wheel_clock_.cancel();
    }

private:
    // Sessions flushed before the loop looks at other work: about a millisecond of sends.
    static constexpr std::size_t sessions_per_turn = 256;

    struct driven_hub {
        std::unique_ptr<hub_clock> clock;
        std::size_t users;
    };

    void shutdown() noexcept override { hub_clocks_.clear(); }

    static void wake(void* self) noexcept {
        auto& me = *static_cast<shard*>(self);
        asio::post(me.context_, [&me] { me.run_sessions(); });
    }

    void run_sessions() {
        if (dispatcher_.run(sessions_per_turn, clock::now()))
            asio::post(context_, [this] { run_sessions(); });
        await_tick();
    }

    /// Rates need a timer of their own: a tick of the wheel is longer than that of a game. It runs
    /// only while somebody waits for it.
    void await_tick() {
        auto const next = dispatcher_.next_tick();
        if (next == awaited_tick_) return;
        awaited_tick_ = next;
        if (next == time_point::max()) {
            tick_clock_.cancel();
            return;
        }
        tick_clock_.expires_at(next);
        tick_clock_.async_wait([this](std::error_code stopped) {
            if (stopped) return;
            awaited_tick_ = time_point::max();
            dispatcher_.tick(clock::now());
            await_tick();
        });
    }

    void run_wheel() {
        if (is_wheel_running_) return;
        is_wheel_running_ = true;
        wheel_clock_.expires_at(wheel_.next_tick());
        wheel_clock_.async_wait([this](std::error_code) {
            is_wheel_running_ = false;
            wheel_.advance(clock::now());
            if (!wheel_.empty()) run_wheel();
        });
    }

    asio::io_context& context_;
    dispatcher dispatcher_;
    timing_wheel wheel_;
    loop_timer wheel_clock_;
    loop_timer tick_clock_;
    std::vector<driven_hub> hub_clocks_;
    time_point awaited_tick_ = time_point::max();
    std::uint64_t random_state_;
    bool is_wheel_running_ = false;
    std::unique_ptr<write_batch> batch_ = std::make_unique<write_batch>();
    std::array<char, 64u << 10> read_buffer_;
};

} // namespace livetape
