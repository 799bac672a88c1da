#pragma once

namespace livetape::simulation {

inline std::string client::describe() const {
    constexpr std::array<std::string_view, 4> names{"websocket", "sse", "long-poll", "short-poll"};
    return std::string{names[static_cast<std::size_t>(transport_)]} +
           (is_async_ ? " client (asynchronous writes)" : " client (readiness)");
}

inline client::subscribed* client::find(std::size_t channel) {
    for (auto& each : subscriptions_)
        if (each.channel == channel) return &each;
    return nullptr;
}

inline client::subscribed* client::find(std::string_view name) {
    for (auto& each : subscriptions_)
        if (each.queue.source().name == name) return &each;
    return nullptr;
}

// Connecting and commanding.

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
    for (auto const channel : asked.channels) {
        if (!seen_[channel]) continue;
        if (!text.empty()) text += '!';
        if (asked.channels.size() > 1) text.append(server::names[channel]) += '~';
        text += position_text(seen_[channel]->epoch, seen_[channel]->offset);
    }
    return text;
}

inline void client::connect(request const& asked) {
    transport_ = asked.transport;
    is_async_ = asked.is_async;
    connected_at_ = last_sent_ = progress_at_ = virtual_now;
    auto const cursor = cursor_text(asked);
    bool const is_poll =
        transport_ == transport_kind::long_poll || transport_ == transport_kind::short_poll;

    std::string target = is_websocket() ? "/ws?channel="
                         : is_poll      ? "/poll?channel="
                                        : "/sse?channel=";
    for (auto const channel : asked.channels) target.append(server::names[channel]) += ',';
    target.pop_back();
    if (!cursor.empty()) target.append("&cursor=").append(cursor);
    if (asked.has_snapshot) target += "&snapshot=1";
    if (is_poll) {
        target += "&wait=" + std::to_string(asked.wait_seconds);
        target += "&limit=" + std::to_string(asked.limit);
        poll_limit_ = asked.limit;
        poll_deadline_ = virtual_now + std::chrono::seconds{asked.wait_seconds};
    }

    if (!is_poll)
        replies_.push_back({is_websocket() ? "HTTP/1.1 101 " : "HTTP/1.1 200 ", "\r\n\r\n"});
    // The short-poll without a cursor asks for the state.
    bool const has_snapshot =
        asked.has_snapshot || (is_poll && asked.wait_seconds == 0 && cursor.empty());
    bool has_snapshot_events = false;
    for (auto const channel : asked.channels)
        open(channel, start_of(channel, has_snapshot, asked.cursor), std::nullopt,
             &has_snapshot_events);
    if (transport_ == transport_kind::sse) {
        auto const id = has_snapshot_events ? "" : "id: " + reached_text() + "\n";
        auto places = has_snapshot_events ? std::vector<place>{} : reached();
        replies_.push_back({id + "retry: 2000\n\n", {}, std::move(places)});
    }

    auto& at = world_.on->loops[loop_index_];
    session_ = make_session(transport_, {world_.on->endpoint, at.wakes, virtual_now, 0}, target);
    session_->cursors().on_ready(&client::flush_ready, this);
    pump();
}

/// Begins a subscription and expects what the client is told about it.
inline void client::open(std::size_t channel, start_position const& start,
                         std::optional<std::uint64_t> id, bool* has_snapshot_events) {
    auto const& history = world_.on->at(channel).history;
    std::string const name{server::names[channel]};
    auto const with_id = id && *id != 0 ? ",\"id\":" + std::to_string(*id) : std::string{};
    if (find(channel) != nullptr) {
        replies_.push_back({"{\"error\":{\"code\":\"already_subscribed\",", "}" + with_id + "}"});
        return;
    }
    subscription_queue queue{history};
    auto const opening = queue.open(start);
    if (opening.is_ahead) {
        ++covered_.refusals;
        replies_.push_back({"{\"error\":{\"code\":\"bad_cursor\",", "}" + with_id + "}"});
        return;
    }
    if (opening.is_recovered) ++covered_.recoveries;
    if (has_snapshot_events != nullptr && opening.has_snapshot && !queue.empty())
        *has_snapshot_events = true;
    if (opening.has_snapshot) ++covered_.snapshots;
    if (is_websocket()) {
        auto const at = position_text(history.epoch, queue.reached());
        replies_.push_back({"{\"subscribed\":\"" + name + '"' + with_id + ",\"cursor\":\"" + at +
                                "\",\"recovered\":" + (opening.is_recovered ? "true}" : "false}"),
                            {},
                            {{channel, {history.epoch, queue.reached()}}}});
    }
    if (opening.missed) {
        ++(opening.missed->reason == gap_reason::epoch ? covered_.epoch_gaps : covered_.gaps);
        auto const text = gap_text(name, *opening.missed);
        if (is_websocket()) replies_.push_back({text});
        else if (transport_ == transport_kind::sse) replies_.push_back({sse_data(text) + '\n'});
        else {
            poll_gaps_.push_back(*opening.missed);
            poll_gap_channels_.push_back(channel);
        }
    }
    subscriptions_.push_back({channel, std::move(queue)});
}

inline void client::subscribe(std::size_t channel, bool has_snapshot, request::from cursor,
                              bool is_ahead) {
    auto start = start_of(channel, has_snapshot, cursor);
    std::string text;
    if (cursor == request::from::now) text = "now";
    if (cursor == request::from::oldest) text = "oldest";
    if (is_ahead) {
        auto const& history = world_.on->at(channel).history;
        start = {start_position::kind::after, {history.epoch, history.last() + 1}, has_snapshot};
    }
    if (start.from == start_position::kind::after)
        text = position_text(start.after.epoch, start.after.offset);
    auto const id = next_id_++ % 4; // 0: none
    std::string json = "{\"subscribe\":\"" + std::string{server::names[channel]} + '"';
    if (id != 0) json += ",\"id\":" + std::to_string(id);
    if (!text.empty()) json += ",\"cursor\":\"" + text + '"';
    if (has_snapshot) json += ",\"snapshot\":true";
    if (!send(json + '}')) return;
    obey_or_defer({command::kind::subscribe, channel, id, start});
    pump();
}

inline void client::unsubscribe(std::size_t channel) {
    auto const id = next_id_++ % 4;
    std::string json = "{\"unsubscribe\":\"" + std::string{server::names[channel]} + '"';
    if (id != 0) json += ",\"id\":" + std::to_string(id);
    if (!send(json + '}')) return;
    obey_or_defer({command::kind::unsubscribe, channel, id});
    pump();
}

/// The caller puts the event into the history, and pumps.
inline bool client::publish(std::size_t channel, std::string_view key, std::string_view payload) {
    auto const id = std::to_string(++next_id_);
    auto const name = std::string{server::names[channel]};
    std::string json = "{\"publish\":\"" + name + "\",\"id\":" + id;
    if (!key.empty()) json.append(",\"key\":\"").append(key) += '"';
    if (!send(json.append(",\"data\":").append(payload) + '}')) return false;
    auto const& history = world_.on->at(channel).history;
    auto const offset = history.last() + 1;
    replies_.push_back({"{\"published\":\"" + name + "\",\"id\":" + id +
                        ",\"offset\":" + std::to_string(offset) + ",\"cursor\":\"" +
                        position_text(history.epoch, offset) + "\"}"});
    return true;
}

/// Feeds a message, sometimes in two pieces, as a network may cut it; false if the session ended
/// meanwhile. The caller pumps.
inline bool client::send(std::string_view json) {
    last_sent_ = virtual_now;
    auto frame = client_frame(json);
    if (world_.random->one_in(4)) {
        auto const first = world_.random->below(frame.size());
        session_->feed({frame.data(), first});
        pump();
        if (!takes_commands()) return false;
        session_->feed({frame.data() + first, frame.size() - first});
    } else {
        session_->feed(frame);
    }
    return true;
}

/// An unsubscription waits until it is known what of the events in flight the client gets, and
/// what is asked for after it waits behind it.
inline void client::obey_or_defer(command const& from) {
    bool const waits = from.what == command::kind::unsubscribe || !deferred_.empty();
    if (!waits || !is_in_flight_ || !has_planned_events_) return obey(from);
    ++covered_.deferred;
    deferred_.push_back(from);
}

inline void client::obey(command const& from) {
    if (from.what == command::kind::subscribe) return open(from.channel, from.start, from.id);
    auto const with_id = from.id != 0 ? ",\"id\":" + std::to_string(from.id) : std::string{};
    auto* const ended = find(from.channel);
    if (ended == nullptr) {
        replies_.push_back({"{\"error\":{\"code\":\"not_subscribed\",", "}" + with_id + "}"});
        return;
    }
    ++covered_.unsubscriptions;
    position const at{ended->queue.source().epoch, ended->queue.reached()};
    replies_.push_back({"{\"unsubscribed\":\"" + std::string{server::names[from.channel]} + '"' +
                            with_id + ",\"cursor\":\"" + position_text(at.epoch, at.offset) + "\"}",
                        {},
                        {{from.channel, at}}});
    subscriptions_.erase(subscriptions_.begin() + (ended - subscriptions_.data()));
}

// The network, and the connection as `net/connection.hpp` drives it.

inline void client::flush() {
    if (world_.during_callback != nullptr) world_.during_callback(world_.world);
    write_some();
    if (session_ && session_->end() != session_end::none) pump();
    if (session_ && world_.random->one_in(500)) {
        ++covered_.deaths_in_callback;
        disconnect();
    }
}

inline void client::pump() {
    if (!session_) return;
    wakes_at_ = session_->wake();
    for (;;) {
        if (session_->end() == session_end::abort) return conclude();
        if (is_writing()) break;
        bool const wrote = write_some();
        if (!session_) return;
        if (is_writing() || session_->end() == session_end::none) break;
        if (!wrote) return conclude();
    }
    if (is_writing()) wakes_at_ = std::min(wakes_at_, session_->wake());
}

inline bool client::write_some() {
    if (!session_ || is_writing() || !world_.judge->is_right()) return false;
    session_->gather(batch_);
    plan_.clear();
    for (std::size_t i = 0; i < batch_.count(); ++i) plan_ += batch_.piece(i);
    read_plan();
    if (batch_.empty()) return false;
    if (!std::exchange(has_unsent_, true)) progress_at_ = virtual_now;
    if (is_async_) {
        is_in_flight_ = true;
        session_->cursors().set_writing(true);
        wakes_at_ = std::min(wakes_at_, session_->wake());
        return true;
    }
    auto written = plan_.size();
    if (world_.random->one_in(4)) written = world_.random->below(plan_.size() + 1);
    bool const is_cut = written < plan_.size();
    settle(written);
    if (is_cut) {
        ++covered_.partial_writes;
        is_blocked_ = true;
        session_->cursors().set_writing(true);
        wakes_at_ = std::min(wakes_at_, session_->wake());
    } else if (session_->cursors().is_due()) {
        session_->cursors().make_ready();
    }
    return true;
}

inline void client::let_through(std::size_t bytes_max) {
    if (is_blocked_) {
        is_blocked_ = false;
        session_->cursors().set_writing(false);
        return pump();
    }
    if (!is_in_flight_) return;
    auto const written = std::min(bytes_max, plan_.size());
    if (written < plan_.size()) ++covered_.partial_writes;
    is_in_flight_ = false;
    session_->cursors().set_writing(false);
    settle(written);
    if (!write_some() || (session_ && session_->end() != session_end::none)) pump();
}

/// The session has no more to write and wants to end.
inline void client::conclude() {
    auto const stalled_at = progress_at_ + world_.on->endpoint.options().write_timeout;
    bool const has_stalled =
        session_->end() == session_end::abort && has_unsent_ && virtual_now >= stalled_at;
    if (has_stalled) ++covered_.stalls;
    if (!may_end_ && !has_stalled && !was_silent()) fail("the session ended for no reason");
    disconnect();
}

inline void client::disconnect() {
    // A write in flight ends with its connection, and the batch lets go of what it holds.
    batch_.clear();
    session_.reset();
    subscriptions_.clear();
    replies_.clear();
    deferred_.clear();
    items_.clear();
    cut_rest_.clear();
    poll_gaps_.clear();
    poll_gap_channels_.clear();
    is_in_flight_ = is_blocked_ = is_ending_ = may_end_ = has_planned_events_ = has_unsent_ = false;
    wakes_at_ = never;
}

} // namespace livetape::simulation
