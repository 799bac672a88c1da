#pragma once

namespace livetape::simulation {

inline std::string client::describe() const {
    constexpr std::array<std::string_view, 5> names{"websocket", "sse", "long-poll", "short-poll",
                                                    "plain"};
    return std::string{names[static_cast<std::size_t>(transport_)]} +
           (is_async_ ? " client (asynchronous writes)" : " client (readiness)");
}

inline std::string client::describe_subscriptions() const {
    std::string text = describe();
    for (auto const& [channel, queue, number] : subscriptions_) {
        auto const& chosen = queue.delivery();
        text.append("\n    ").append(server::names[channel]);
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
    if (is_plain()) {
        session_ = std::make_unique<plain_session>(world_.on->loops[loop_index_].wakes);
        session_->cursors().on_ready(&client::flush_ready, this);
        for (auto const channel : asked.channels)
            obey({command::kind::subscribe, channel, 0,
                  start_of(channel, asked.has_snapshot, asked.cursor),
                  specified(channel, asked.delivery)});
        return pump();
    }
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
        open(channel, start_of(channel, has_snapshot, asked.cursor), asked.delivery, std::nullopt,
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
                         delivery_options const& delivery, std::optional<std::uint64_t> id,
                         bool* has_snapshot_events) {
    auto const& history = world_.on->at(channel).history;
    std::string const name{server::names[channel]};
    auto const with_id = id && *id != 0 ? ",\"id\":" + std::to_string(*id) : std::string{};
    if (find(channel) != nullptr) {
        replies_.push_back({"{\"error\":{\"code\":\"already_subscribed\",", "}" + with_id + "}"});
        return;
    }
    subscription_queue queue{history, delivery};
    auto const opening = queue.open(start);
    if (opening.is_ahead) {
        ++covered_.refusals;
        if (!is_plain())
            replies_.push_back({"{\"error\":{\"code\":\"bad_cursor\",", "}" + with_id + "}"});
        return;
    }
    if (opening.is_recovered) ++covered_.recoveries;
    if (has_snapshot_events != nullptr && opening.has_snapshot) *has_snapshot_events = true;
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
        else if (!is_plain()) {
            poll_gaps_.push_back(*opening.missed);
            poll_gap_channels_.push_back(channel);
        }
    }
    subscriptions_.push_back({channel, std::move(queue), ++subscriptions_made_});
}

inline void client::subscribe(std::size_t channel, bool has_snapshot, request::from cursor,
                              bool is_ahead, delivery_options const& delivery) {
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
    if (is_plain()) {
        obey_or_defer({command::kind::subscribe, channel, 0, start, specified(channel, delivery)});
        return pump();
    }
    auto const id = next_id_++ % 4; // 0: none
    std::string json = "{\"subscribe\":\"" + std::string{server::names[channel]} + '"';
    if (id != 0) json += ",\"id\":" + std::to_string(id);
    if (!text.empty()) json += ",\"cursor\":\"" + text + '"';
    if (has_snapshot) json += ",\"snapshot\":true";
    if (!send(json + '}')) return;
    obey_or_defer({command::kind::subscribe, channel, id, start, {}});
    pump();
}

inline void client::unsubscribe(std::size_t channel) {
    if (is_plain()) {
        obey_or_defer({command::kind::unsubscribe, channel});
        return pump();
    }
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
    bool waits = from.what == command::kind::unsubscribe || !deferred_.empty();
    if (is_plain()) {
        // A host's own transport need not wait; but what a rate makes of events that come back
        // after it was chosen is not worth a rule.
        auto const* const known = find(from.channel);
        waits = !deferred_.empty() ||
                (from.what == command::kind::change &&
                 (from.delivery.interval.count() > 0 || from.delivery.keys ||
                  (known && (known->queue.has_rate() || known->queue.delivery().keys))));
    }
    if (!waits || !is_in_flight_ || !has_planned_events_) return obey(from);
    ++covered_.deferred;
    deferred_.push_back(from);
}

/// What a flush at a tick has of keys that were forgotten since the tick is not specified: where
/// that can be, `latest` has no rate.
inline delivery_options client::specified(std::size_t channel, delivery_options delivery) const {
    if (delivery.mode == delivery_mode::latest &&
        world_.on->at(channel).history.keys_max < server::keys)
        delivery.interval = {};
    if (world_.on->at(channel).history.keys_max < server::keys) delivery.keys.reset();
    return delivery;
}

/// Does with the cursors what a command asks for, and with the queues what that means.
inline void client::obey_plainly(command const& from) {
    auto& cursors = session_->cursors();
    std::string_view const name = server::names[from.channel];
    auto* const known = find(from.channel);
    if ((known == nullptr) != (from.what == command::kind::subscribe)) return;
    auto* const subscription = cursors.find(name);
    std::uint64_t passed = 0;
    switch (from.what) {
    case command::kind::subscribe: {
        opened_cursor opened;
        auto& added = cursors.add(world_.on->at(from.channel).source, encoding_of<plain_encoder>,
                                  from.start, from.delivery, opened);
        if (opened.is_ahead) cursors.remove(added);
        open(from.channel, from.start, from.delivery, std::nullopt);
        auto* const queue = find(from.channel);
        if (queue == nullptr) return;
        world_.judge->check(queue->queue.is_reached(added.reached().offset),
                            [] { return "a subscription starts at a wrong place"; });
        return;
    }
    case command::kind::unsubscribe:
        world_.judge->check(known->queue.is_reached(subscription->reached().offset), [&] {
            return "a subscription ends at a wrong place, " +
                   std::to_string(subscription->reached().offset) + '\n' + describe_subscriptions();
        });
        cursors.remove(*subscription);
        seen_[from.channel] = {known->queue.source().epoch, known->queue.reached()};
        subscriptions_.erase(subscriptions_.begin() + (known - subscriptions_.data()));
        return;
    case command::kind::change:
        // How many of them are then filtered is not specified.
        if (from.delivery.keys && known->queue.has_uncounted(from.delivery.mode)) return;
        ++covered_.changes;
        passed = subscription->counters().filtered;
        cursors.change(*subscription, from.delivery);
        world_.judge->check(known->queue.change(from.delivery, subscription->reached().offset,
                                                {passed, subscription->counters().filtered}),
                            [&] {
                                return "a change holds from a wrong place, " +
                                       std::to_string(subscription->reached().offset) + ", with " +
                                       std::to_string(subscription->counters().filtered) +
                                       " filtered, not " +
                                       std::to_string(known->queue.counters().filtered) + '\n' +
                                       describe_subscriptions();
                            });
        return;
    case command::kind::credit:
        cursors.give_credit(*subscription, from.flushes);
        return known->queue.give_credit(from.flushes);
    }
}

/// Of a change from or to a rate in `latest` mode it is open which of the pending events conflate
/// before the next tick, so a client that conflates keeps its rate. And of forgotten keys it is
/// open how much is told event by event.
inline void client::change(std::size_t channel, delivery_options delivery) {
    auto* const known = find(channel);
    if (known == nullptr || !deferred_.empty()) return;
    if (known->queue.is_latest() && delivery.mode == delivery_mode::every &&
        known->queue.may_miss_forgotten())
        return;
    if (known->queue.is_latest() || delivery.mode == delivery_mode::latest)
        delivery.interval = known->queue.delivery().interval;
    bool const is_same_mode = known->queue.delivery().mode == delivery.mode;
    if (!is_same_mode && delivery.interval.count() > 0) return;
    auto const meant = specified(channel, delivery);
    if (meant.interval != delivery.interval) return;
    delivery = meant;
    obey_or_defer({command::kind::change, channel, 0, {}, delivery});
    pump();
}

inline void client::give_credit(std::size_t channel, std::uint32_t flushes) {
    obey_or_defer({command::kind::credit, channel, 0, {}, {}, flushes});
    pump();
}

inline void client::obey(command const& from) {
    if (is_plain()) return obey_plainly(from);
    if (from.what == command::kind::subscribe)
        return open(from.channel, from.start, from.delivery, from.id);
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
    is_gathering_ = true;
    bool const is_alone = !world_.on->loops[loop_index_].is_running();
    for (auto& each : subscriptions_) each.queue.begin_read(is_alone);
    session_->gather(batch_);
    is_gathering_ = false;
    plan_.clear();
    for (std::size_t i = 0; i < batch_.count(); ++i) plan_ += batch_.piece(i);
    read_plan();
    take_credit();
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

inline void client::tick() {
    for (auto& each : subscriptions_) each.queue.tick(virtual_now);
}

/// The first events of a subscription in a batch use one credit.
inline void client::take_credit() {
    for (auto& each : subscriptions_) {
        bool const is_flushed = std::any_of(items_.begin(), items_.end(), [&](auto const& item) {
            return item.what == planned_item::kind::event && item.subscription == each.number;
        });
        if (is_flushed && !each.queue.use_credit()) fail("a flush without credit");
    }
}

/// A flush of which nothing was sent gives its credit back.
inline void client::refund(std::size_t written) {
    for (auto& each : subscriptions_) {
        auto const first = std::find_if(items_.begin(), items_.end(), [&](auto const& item) {
            return item.what == planned_item::kind::event && item.subscription == each.number;
        });
        if (first != items_.end() && first->begin >= written) each.queue.give_credit(1);
    }
}

/// At rest nothing is due but what waits for a tick, and everything that was published is accounted
/// for.
inline void client::check_quiet() {
    if (session_ == nullptr) return;
    if (!replies_.empty() || !cut_rest_.empty()) fail("replies are not sent");
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
    is_gathering_ = is_in_flight_ = is_blocked_ = is_ending_ = may_end_ = has_planned_events_ =
        has_unsent_ = false;
    wakes_at_ = never;
}

} // namespace livetape::simulation
