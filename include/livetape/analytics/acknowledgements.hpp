#pragma once

#include <livetape/analytics/alert_board.hpp>
#include <livetape/analytics/detail/json_fields.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/channel/channel.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace livetape {

/// Lets clients acknowledge the alerts of a board: they publish `{"id":"disk","who":"anna"}` into a
/// channel, over any transport, and everybody sees who it was.
///
///     live_options options;
///     acknowledgements acknowledged{alerts, hub.open("acknowledgements"), options.hooks};
///     server.live("/live", options);
///     … acknowledged.run();                    // from a timer, or as one of `pipelines`
///
/// That also opens the channel to clients: the hook for publishing allows it, and besides what the
/// host's own hook does. `who` is what the client says; a host that knows its clients refuses in
/// its own `subscribe` or `connect` hook whoever may not see alerts. Acknowledging what does not
/// fire, or is acknowledged already, changes nothing; what is no acknowledgement is a problem.
///
/// The board and the channel must outlive it, but not the hooks. Thread safety: distinct objects
/// safe; shared objects unsafe; the hook may be called by anybody.
class acknowledgements {
public:
    /// @param hooks  `live_hooks`, or what has a `publish` like it
    template <class Hooks>
    acknowledgements(alert_board& board, channel& said, Hooks& hooks)
        : acknowledgements{board, said} {
        hooks.publish = [name = std::string{said.name()}, others = std::move(hooks.publish)](
                            std::string_view identity, std::string_view channel) {
            return channel == name || (others && others(identity, channel));
        };
    }

    /// For hosts that decide themselves who may publish into the channel.
    acknowledgements(alert_board& board, channel& said)
        : board_{&board}, said_{&said}, read_{said.first_offset() - 1} {}

    /// Where problems are reported, at the end of each `run`.
    void report(channel& to) noexcept { problems_channel_ = &to; }

    /// Passes on what clients have said since the last call, at most so much. The alerts' time is
    /// that of `advance`, or that of the latest change of the board.
    std::size_t run(std::size_t events_max = 1000) {
        auto const events = said_->read(read_, {.events_max = events_max});
        for (auto const& event : events) {
            if (event.offset > read_ + 1)
                problems_.note(problem::missed, said_->name(), {}, event.offset - read_ - 1);
            read_ = event.offset;
            take(event.payload);
        }
        if (problems_channel_ != nullptr) problems_.report(*problems_channel_);
        return events.size();
    }

    /// States that it is so late.
    void advance(event_time time) noexcept { now_ = std::max(now_, time); }
    void tick() noexcept {}
    void finish() { run(); }

    [[nodiscard]] diagnostics const& problems() const noexcept { return problems_; }

private:
    void take(std::string_view payload) {
        std::string_view id;
        std::string_view who;
        if (auto const failure = fields_.read(payload, {{"id", &id}, {"who", &who}})) {
            problems_.note(failure->which, failure->field, payload);
            return;
        }
        board_->acknowledge(id, who, std::max(now_, board_->time()));
    }

    alert_board* board_;
    channel* said_;
    channel* problems_channel_ = nullptr;
    std::uint64_t read_;
    event_time now_ = event_time::min();
    detail::json_texts fields_;
    diagnostics problems_;
};

} // namespace livetape
