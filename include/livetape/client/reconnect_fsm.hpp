#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <livetape/client/backoff.hpp>
#include <livetape/client/disconnect.hpp>
#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/time.hpp>
#include <livetape/wire/url.hpp>

namespace livetape {

/// How a client comes back, changes the transport and gives up.
struct reconnect_options {
    /// What is tried, in this order. At least one.
    std::vector<feed_transport> transports{feed_transport::websocket, feed_transport::sse,
                                           feed_transport::poll};

    backoff_options backoff{};

    /// Attempts in a row that do not lead to a working connection before the client gives up;
    /// 0 for never, because a person's network may be away for a night.
    std::size_t attempts_max = 0;

    /// Redirects in a row that are followed; what browsers bound at 20, and nobody needs.
    std::size_t redirects_max = 5;

    /// A connection that worked for less is not taken for a good one: the waits go on growing.
    std::chrono::milliseconds good_life_min{5'000};

    /// Connections in a row that broke off before `good_life_min`, after which the next transport
    /// is tried: something in between lets them begin and then cuts them.
    std::size_t short_lives_max = 3;

    /// After a fallback the first transport is tried again when a connection ends and this has
    /// passed: the computer may be in another network now.
    std::chrono::milliseconds preference_time{600'000};
};

/// Decides how a client connects, changes the transport and retries; performs nothing.
///
/// Theory of operation: `start` asks for the first attempt. Whoever performs it says with `resume`
/// how it ended, at once or after hours, and gets the next action; after a `wait`, `wait_over`.
/// The transports of the list are tried without a wait in between; behind the last there is one,
/// and the list begins again. The one that worked stays until it ceases to.
/// Thread safety: distinct objects safe; shared objects unsafe.
class reconnect_fsm {
public:
    /// Connect over the transport: at its own place, or where a redirect led.
    struct connect {
        feed_transport transport;
        std::optional<url> at;
    };
    /// Back off, then call `wait_over`.
    struct wait {
        std::chrono::milliseconds delay;
    };
    /// Tell the caller why it is over. No call is due after it.
    struct finish {
        std::error_code ec;
    };
    using action = std::variant<connect, wait, finish>;

    /// Precondition: there is a transport.
    explicit reconnect_fsm(reconnect_options options = {})
        : options_{std::move(options)}, waits_{options_.backoff} {
        LIVETAPE_ASSERT(!options_.transports.empty());
    }

    /// The first attempt.
    [[nodiscard]] action start(time_point now) { return attempt(now); }

    /// The transport worked: the server's side of the protocol was seen.
    void is_live(time_point now) noexcept {
        if (!live_since_) live_since_ = now;
        attempts_ = 0;
        redirects_ = 0;
        tried_in_round_ = 0;
    }

    /// How the connection, or the attempt, ended.
    /// @param random  evenly spread over all its values
    [[nodiscard]] action resume(disconnect const& how, time_point now, std::uint32_t random);

    /// The wait is over.
    [[nodiscard]] action wait_over(time_point now) { return attempt(now); }

    /// The transport of the current, or last, attempt.
    [[nodiscard]] feed_transport transport() const noexcept { return options_.transports[index_]; }

private:
    [[nodiscard]] action attempt(time_point now);
    [[nodiscard]] action back_off(disconnect const& how, std::uint32_t random);
    [[nodiscard]] action fall_back(disconnect const& how, time_point now, std::uint32_t random);
    void judge_life(disconnect const& how, time_point now);

    reconnect_options options_;
    backoff waits_;
    std::optional<time_point> live_since_;
    time_point fell_back_at_{};
    std::size_t index_ = 0;
    std::size_t attempts_ = 0;       // since the last working connection
    std::size_t redirects_ = 0;      // since then
    std::size_t tried_in_round_ = 0; // transports that failed since the last wait
    std::size_t short_lives_ = 0;    // of this transport, in a row
};

inline reconnect_fsm::action reconnect_fsm::attempt(time_point now) {
    bool const is_preferred_due = index_ != 0 && now - fell_back_at_ >= options_.preference_time;
    if (is_preferred_due) index_ = 0;
    ++attempts_;
    return connect{transport(), std::nullopt};
}

inline reconnect_fsm::action reconnect_fsm::resume(disconnect const& how, time_point now,
                                                   std::uint32_t random) {
    auto verdict = judge(how, transport());
    judge_life(how, now);
    if (verdict == reconnect_verdict::redirect && ++redirects_ <= options_.redirects_max)
        return connect{transport(), how.redirect};
    if (verdict == reconnect_verdict::redirect) return finish{error::redirect_refused};
    if (verdict == reconnect_verdict::finish) return finish{how.ec};
    if (options_.attempts_max != 0 && attempts_ >= options_.attempts_max) return finish{how.ec};

    bool const is_cut = verdict == reconnect_verdict::retry && how.was_live &&
                        how.close_code == 0 && short_lives_ >= options_.short_lives_max;
    if (is_cut || verdict == reconnect_verdict::fall_back) return fall_back(how, now, random);
    return back_off(how, random);
}

/// Counts connections that ended soon after they began.
inline void reconnect_fsm::judge_life(disconnect const& how, time_point now) {
    auto const since = std::exchange(live_since_, std::nullopt);
    if (!since || !how.was_live) return;
    bool const was_good = now - *since >= options_.good_life_min;
    short_lives_ = was_good ? 0 : short_lives_ + 1;
    if (was_good) waits_.reset();
}

inline reconnect_fsm::action reconnect_fsm::fall_back(disconnect const& how, time_point now,
                                                      std::uint32_t random) {
    bool const is_only_one = options_.transports.size() == 1;
    // An answer that says no is one, where there is nothing else to try.
    if (is_only_one && how.http_status != 0 && !detail::is_temporary_status(how.http_status))
        return finish{how.ec};
    index_ = (index_ + 1) % options_.transports.size();
    fell_back_at_ = now;
    short_lives_ = 0;
    if (++tried_in_round_ < options_.transports.size()) return attempt(now);
    return back_off(how, random);
}

inline reconnect_fsm::action reconnect_fsm::back_off(disconnect const& how, std::uint32_t random) {
    tried_in_round_ = 0;
    return wait{waits_.next(random, how.requested_delay)};
}

} // namespace livetape
