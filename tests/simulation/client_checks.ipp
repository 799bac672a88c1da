#pragma once

#include "client.hpp"

namespace livetape::simulation {

inline std::string client::describe() const {
    constexpr std::array<std::string_view, 5> names{"websocket", "sse", "long-poll", "short-poll",
                                                    "plain"};
    return std::string{names[static_cast<std::size_t>(transport_)]} +
           (is_async_ ? " client (asynchronous writes)" : " client (readiness)");
}

inline std::string client::describe_subscriptions() const {
    std::string text = describe();
    for (auto const& each : subscriptions_) {
        auto const& queue = each.queue;
        auto const& chosen = queue.delivery();
        text.append("\n    ").append(server::names[each.channel]);
        text += queue.is_latest() ? ": latest" : ": every";
        text += ", each " + std::to_string(chosen.interval.count()) + " ms";
        if (chosen.keys) {
            text += ", keys";
            for (auto const& key : *chosen.keys) text += " '" + key + "'";
        }
        if (chosen.credit) text += ", credit " + std::to_string(*chosen.credit);
        text += ", reached " + std::to_string(queue.reached()) + " of " +
                std::to_string(queue.source().last()) + ", kept from " +
                std::to_string(queue.source().first_kept) + ", " +
                std::to_string(queue.source().keys_max) + " keys, evicted upto " +
                std::to_string(queue.source().evicted()) + ", due" + queue.describe();
    }
    return text;
}

inline client::subscribed* client::find(std::size_t channel) {
    for (auto& each : subscriptions_)
        if (each.channel == channel) return &each;
    return nullptr;
}

inline client::subscribed const* client::find(std::size_t channel) const {
    for (auto const& each : subscriptions_)
        if (each.channel == channel) return &each;
    return nullptr;
}

inline client::subscribed* client::find(std::string_view name) {
    for (auto& each : subscriptions_)
        if (each.queue.source().name == name) return &each;
    return nullptr;
}

/// At rest nothing is due but what waits for a tick, and everything that was published is accounted
/// for.
inline void client::check_quiet() {
    if (session_ == nullptr) return;
    if (!replies_.empty() || !cut_rest_.empty()) fail("replies are not sent");
    // Without credit, the end waits until there is some, if anything lies before it.
    for (auto const& each : subscriptions_)
        if (each.of->history.is_closed && (each.queue.delivery().credit != 0u ||
                                           each.queue.reached() == each.queue.source().last()))
            fail("is not told that a channel was closed: " + each.of->history.name);
    for (auto const i : world_.on->opened())
        if (!is_ending_ && is_covered(server::names[i]) && find(i) == nullptr)
            fail("a channel that came is left out: " + std::string{server::names[i]});
    begin_run();
    for (auto& each : subscriptions_) {
        auto const& queue = each.queue;
        auto const name = " of " + queue.source().name;
        bool const has_credit = queue.delivery().credit != std::optional<std::uint32_t>{0};
        bool const may_wait =
            queue.has_rate() && world_.on->loops[loop_index_].awaited_tick() != time_point::max();
        if (!queue.empty() && has_credit && !may_wait)
            fail("is not woken for what is due" + name + ", from " +
                 std::to_string(queue.reached() + 1) + " to " +
                 std::to_string(queue.source().last()) + '\n' + describe_subscriptions());
        auto const* const real = session_->cursors().find(queue.source().name);
        // Without credit nobody looks past what is not wanted.
        if (real == nullptr || !queue.empty() || (queue.delivery().keys && !has_credit)) continue;
        auto const counters = real->counters();
        auto const published = queue.source().last() + 1 - queue.first_live();
        auto const& expected = queue.counters();
        // Of an event that retention took nobody knows any more whether it was wanted.
        bool const is_kept = queue.source().first_kept <= queue.first_live();
        auto const more_filtered =
            queue.is_filtered_estimated()
                ? static_cast<std::int64_t>(counters.filtered - expected.filtered)
                : 0;
        auto const text = [&](delivery_counters const& c) {
            return std::to_string(c.delivered) + " delivered, " + std::to_string(c.conflated) +
                   " conflated, " + std::to_string(c.skipped) + " skipped, " +
                   std::to_string(c.filtered) + " filtered";
        };
        if (counters.sum() != published ||
            (queue.source().evicted() == 0 && queue.owed() != more_filtered) ||
            (queue.source().evicted() == 0 && counters.delivered != expected.delivered) ||
            (counters.filtered > expected.filtered && !queue.is_filtered_estimated()) ||
            (is_kept && counters.filtered != expected.filtered) ||
            (queue.source().evicted() == 0 && counters.skipped < expected.skipped))
            fail(std::to_string(published) + " events" + name + " were published, of which " +
                 text(counters) + "; the model says " + text(expected) + ", owes " +
                 std::to_string(queue.owed()));
    }
}

} // namespace livetape::simulation
