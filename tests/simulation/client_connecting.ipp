#pragma once

#include "client.hpp"

namespace livetape::simulation {

inline start_position client::start_of(std::size_t channel, bool has_snapshot,
                                       request::from cursor) const {
    start_position start;
    start.has_snapshot = has_snapshot && cursor != request::from::now;
    if (cursor == request::from::oldest) start.from = start_position::kind::oldest;
    if (cursor == request::from::seen && seen_[channel]) {
        start.from = start_position::kind::after;
        start.after = *seen_[channel];
    }
    return start;
}

inline std::string client::cursor_text(request const& asked) const {
    if (asked.cursor == request::from::now) return "now";
    if (asked.cursor == request::from::oldest) return "oldest";
    std::string text;
    if (asked.cursor == request::from::nothing) return text;
    bool const is_shared = asked.channels.size() > 1 || !asked.patterns.empty();
    for (std::size_t i = 0; i < server::channel_count; ++i) {
        bool is_asked =
            std::find(asked.channels.begin(), asked.channels.end(), i) != asked.channels.end();
        for (auto const& pattern : asked.patterns)
            is_asked = is_asked || covers(pattern, server::names[i]);
        if (!seen_[i] || !is_asked) continue;
        if (!text.empty()) text += '!';
        if (is_shared) text.append(server::names[i]) += '~';
        text += position_text(seen_[i]->epoch, seen_[i]->offset);
    }
    return text;
}

inline subscription* client::real(std::size_t channel) const {
    return session_ ? session_->cursors().find(server::names[channel]) : nullptr;
}

inline void client::connect(request asked) {
    transport_ = asked.transport;
    is_async_ = asked.is_async;
    who_ = asked.who;
    connected_at_ = last_sent_ = progress_at_ = virtual_now;
    is_shared_ = asked.channels.size() > 1 || !asked.patterns.empty();
    for (auto const channel : asked.channels) restrict(channel, asked.delivery);
    if (!asked.patterns.empty()) restrict_all(asked.delivery);
    if (is_plain()) {
        session_ = std::make_unique<plain_session>(world_.on->loops[loop_index_].wakes);
        session_->cursors().on_ready(&client::flush_ready, this);
        for (auto const channel : asked.channels)
            obey({command::kind::subscribe, channel, 0,
                  start_of(channel, asked.has_snapshot, asked.cursor), asked.delivery});
        return pump();
    }
    auto const cursor = cursor_text(asked);
    bool const is_poll =
        transport_ == transport_kind::long_poll || transport_ == transport_kind::short_poll;

    std::string target = is_websocket() ? "/ws?channel="
                         : is_poll      ? "/poll?channel="
                                        : "/sse?channel=";
    for (auto const channel : asked.channels) target.append(server::names[channel]) += ',';
    for (auto const& pattern : asked.patterns) target.append(pattern) += ',';
    target.pop_back();
    if (!cursor.empty()) target.append("&cursor=").append(cursor);
    if (asked.has_snapshot) target += "&snapshot=1";
    target += asked.delivery.as_parameters();
    if (is_poll) {
        target += "&wait=" + std::to_string(asked.wait_seconds);
        target += "&limit=" + std::to_string(asked.limit);
        poll_limit_ = asked.limit;
        poll_deadline_ = virtual_now + std::chrono::seconds{asked.wait_seconds};
    }

    auto& at = world_.on->loops[loop_index_];
    session_context const context{world_.on->endpoint, at.wakes, virtual_now, 0};
    // A poll may be answered before it is made.
    if (!is_poll) {
        replies_.push_back({is_websocket() ? "HTTP/1.1 101 " : "HTTP/1.1 200 ", "\r\n\r\n"});
        session_ = make_session(transport_, context, target, who_);
    }
    // The short-poll without a cursor asks for the state.
    bool const has_snapshot =
        asked.has_snapshot || (is_poll && asked.wait_seconds == 0 && cursor.empty());
    has_snapshot_events_ = false;
    auto const delivery = asked.delivery.applied_to({});
    for (auto const channel : asked.channels)
        open(channel, start_of(channel, has_snapshot, asked.cursor), delivery, {});
    for (auto const& pattern : asked.patterns) {
        command from{command::kind::subscribe, 0, 0, {}, asked.delivery};
        from.pattern = pattern;
        from.has_snapshot = has_snapshot;
        from.cursor = cursor.empty() ? request::from::nothing : asked.cursor;
        from.seen = seen_;
        open_pattern(from);
    }
    if (is_poll) {
        is_gathering_ = true;
        session_ = make_session(transport_, context, target, who_);
        is_gathering_ = false;
        world_.on->show_told();
    }
    if (transport_ == transport_kind::sse) expect_start();
    session_->cursors().on_ready(&client::flush_ready, this);
    pump();
}

/// A stream begins with its cursor, unless a snapshot follows, whose events bring their own.
inline void client::expect_start() {
    std::string cursor;
    std::vector<place> places;
    for (auto const& each : subscriptions_) {
        auto const* const opened = real(each.channel);
        if (opened == nullptr) return fail("a stream is refused for " + each.of->history.name);
        auto const at = opened->reached();
        cursor += cursor.empty() ? "id: " : "!";
        if (is_shared_) cursor.append(server::names[each.channel]) += '~';
        cursor += position_text(at.epoch, at.offset);
        places.push_back({each.channel, at});
    }
    if (cursor.empty()) cursor = "id: oldest";
    if (has_snapshot_events_) replies_.push_back({"retry: 2000\n\n"});
    else replies_.push_back({cursor + "\nretry: 2000\n\n", {}, std::move(places)});
}

/// Begins a subscription and expects what the client is told about it.
inline void client::open(std::size_t channel, start_position const& start,
                         delivery_options const& delivery, std::string const& with_id) {
    auto const refuse = [&](std::string_view code) {
        replies_.push_back(
            {"{\"error\":{\"code\":\"" + std::string{code} + "\",", "}" + with_id + "}"});
    };
    if (!world_.on->is_open(channel)) return refuse("unknown_channel");
    if (find(channel) != nullptr) return refuse("already_subscribed");
    if (auto const begun = begin(channel, start, delivery)) return announce(*begun, with_id);
    ++covered_.refusals;
    if (!is_plain()) refuse("bad_cursor");
}

/// Begins a subscription; nothing if no server ever gave out that place.
inline std::optional<client::beginning>
client::begin(std::size_t channel, start_position const& start, delivery_options const& delivery) {
    auto const& history = world_.on->at(channel).history;
    if (start.from == start_position::kind::after && start.after.epoch == history.epoch)
        world_.on->show_collected(channel, start.after.offset);
    subscription_queue queue{history, delivery};
    auto const opening = queue.open(start);
    if (opening.is_ahead) return std::nullopt;
    if (opening.is_recovered) ++covered_.recoveries;
    if (opening.has_snapshot) {
        ++covered_.snapshots;
        has_snapshot_events_ = true;
    }
    beginning begun{channel, {}, opening.is_recovered, opening.missed};
    if (auto const* const opened = real(channel)) {
        begun.at = opened->reached();
        if (!queue.is_reached(begun.at.offset))
            fail("a subscription to " + history.name + " starts at " +
                 std::to_string(begun.at.offset) + ", due" + queue.describe());
    }
    subscriptions_.push_back(
        {channel, &world_.on->at(channel), std::move(queue), ++subscriptions_made_});
    enter(world_.on->at(channel));
    return begun;
}

/// @param details  what the acknowledgement says besides: an id, or the pattern
inline void client::announce(beginning const& begun, std::string const& details) {
    std::string const name{server::names[begun.channel]};
    if (is_websocket() && !begun.is_gone)
        replies_.push_back({"{\"subscribed\":\"" + name + '"' + details + ",\"cursor\":\"" +
                                position_text(begun.at.epoch, begun.at.offset) +
                                "\",\"recovered\":" + (begun.is_recovered ? "true}" : "false}"),
                            {},
                            {{begun.channel, begun.at}}});
    if (!begun.missed) return;
    ++(begun.missed->reason == gap_reason::epoch ? covered_.epoch_gaps : covered_.gaps);
    auto const text = gap_text(name, *begun.missed);
    if (is_websocket()) replies_.push_back({text});
    else if (transport_ == transport_kind::sse) replies_.push_back({sse_data(text) + '\n'});
    else if (!is_plain()) {
        poll_gaps_.push_back(*begun.missed);
        poll_gap_channels_.push_back(begun.channel);
    }
}

} // namespace livetape::simulation
