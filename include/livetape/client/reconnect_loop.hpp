#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>
#include <variant>

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>

#include <livetape/client/reconnect_fsm.hpp>
#include <livetape/random_seed.hpp>
#include <livetape/time.hpp>

namespace livetape::detail {

/// Performs what a `reconnect_fsm` decides: what the clients that come back have in common. All on
/// one executor.
class reconnect_loop : public std::enable_shared_from_this<reconnect_loop> {
public:
    reconnect_loop(reconnect_loop const&) = delete;
    reconnect_loop& operator=(reconnect_loop const&) = delete;
    virtual ~reconnect_loop() = default;

protected:
    reconnect_loop(asio::any_io_executor executor, reconnect_options options)
        : executor_{executor}, machine_{std::move(options)}, waiting_{std::move(executor)} {}

    /// Opens a connection; sooner or later `ended` is called, never inside this.
    virtual void attempt(reconnect_fsm::connect const& how) = 0;

    /// The next attempt is after the delay.
    virtual void backs_off(std::chrono::milliseconds delay, disconnect const& why) = 0;

    /// There will be no further attempt.
    virtual void gave_up(std::error_code ec) = 0;

    /// Begins with the first attempt; later calls do nothing.
    void begin() {
        if (!std::exchange(has_begun_, true)) perform(machine_.start(clock::now()), {});
    }

    void is_live() noexcept { machine_.is_live(clock::now()); }

    /// The attempt, or the connection, has ended.
    void ended(disconnect const& how) {
        if (!is_stopped_) perform(machine_.resume(how, clock::now(), random()), how);
    }

    /// Nothing of the above is called any more.
    void stop() {
        is_stopped_ = true;
        waiting_.cancel();
    }

    [[nodiscard]] bool is_stopped() const noexcept { return is_stopped_; }
    [[nodiscard]] asio::any_io_executor const& executor() const noexcept { return executor_; }

private:
    void perform(reconnect_fsm::action const& action, disconnect const& why) {
        if (auto const* const connect = std::get_if<reconnect_fsm::connect>(&action))
            return attempt(*connect);
        if (auto const* const finish = std::get_if<reconnect_fsm::finish>(&action)) {
            is_stopped_ = true;
            return gave_up(finish->ec);
        }
        auto const delay = std::get<reconnect_fsm::wait>(action).delay;
        backs_off(delay, why);
        waiting_.expires_after(delay);
        waiting_.async_wait([self = shared_from_this()](std::error_code) {
            if (!self->is_stopped_) self->perform(self->machine_.wait_over(clock::now()), {});
        });
    }

    [[nodiscard]] std::uint32_t random() noexcept {
        return static_cast<std::uint32_t>(mix_bits(seed_++) >> 32);
    }

    asio::any_io_executor executor_;
    reconnect_fsm machine_;
    asio::steady_timer waiting_;
    std::uint64_t seed_ = random_seed();
    bool has_begun_ = false;
    bool is_stopped_ = false;
};

} // namespace livetape::detail
