#pragma once

#include <memory>
#include <system_error>
#include <utility>

#include <asio/basic_waitable_timer.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <livetape/channel/agenda.hpp>
#include <livetape/time.hpp>

namespace livetape {

/// Calls a hub's agenda in time, on one io_context. Its timer runs only while something is pending,
/// so that `io_context::run` can return. Several clocks may drive one hub: each task runs once.
/// Thread safety: shared objects unsafe; the io_context's thread owns it.
class hub_clock {
public:
    hub_clock(asio::io_context& context, std::shared_ptr<agenda> due)
        : due_{std::move(due)}, driven_{std::make_shared<state>(context, *this)},
          driver_{&hub_clock::hasten, driven_.get()} {
        due_->add_driver(driver_);
    }
    hub_clock(hub_clock const&) = delete;
    hub_clock& operator=(hub_clock const&) = delete;
    ~hub_clock() {
        due_->remove_driver(driver_);
        driven_->owner = nullptr;
        driven_->timer.cancel();
    }

    [[nodiscard]] agenda const& due() const noexcept { return *due_; }

private:
    // What handlers hold, so that one that comes after the clock's end finds that out.
    struct state : std::enable_shared_from_this<state> {
        state(asio::io_context& on, hub_clock& of) : context{on}, timer{on}, owner{&of} {}

        asio::io_context& context;
        asio::basic_waitable_timer<clock, asio::wait_traits<clock>, asio::io_context::executor_type>
            timer;
        hub_clock* owner;
        time_point awaited = never;
    };

    /// Any thread's: the timer itself is this one's.
    static void hasten(void* self, time_point due) noexcept {
        auto& to = *static_cast<state*>(self);
        asio::post(to.context, [s = to.shared_from_this(), due] {
            if (s->owner != nullptr) s->owner->await(due);
        });
    }

    void await(time_point due) {
        auto& s = *driven_;
        if (due >= s.awaited) return;
        s.awaited = due;
        s.timer.expires_at(due);
        s.timer.async_wait([kept = driven_](std::error_code stopped) {
            if (stopped || kept->owner == nullptr) return;
            kept->awaited = never;
            auto& me = *kept->owner;
            auto const next = me.due_->advance(clock::now(), &me.driver_);
            if (next != never) me.await(next);
        });
    }

    std::shared_ptr<agenda> due_;
    std::shared_ptr<state> driven_;
    agenda_driver driver_;
};

} // namespace livetape
