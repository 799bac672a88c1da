#pragma once

#include "client.hpp"

namespace livetape::simulation {

inline void client::subscribe(std::size_t channel, bool has_snapshot, request::from cursor,
                              bool is_ahead, delivery_change delivery) {
    if (is_deferred(channel)) return;
    restrict(channel, delivery);
    if (auto const* const known = find(channel); known && known->is_by_pattern) {
        // What a change may not be is no part of taking a channel over, either.
        if (known->queue.is_latest() || delivery.mode == delivery_mode::latest)
            delivery.interval.reset();
        if (!may_change(*known, delivery)) return;
    }
    // It may be by a pattern when it is obeyed, and nobody knows now what may then be changed.
    bool const is_there = find(channel) != nullptr && deferred_.empty();
    if (is_covered(server::names[channel]) && !is_there) delivery = {};
    is_ahead = is_ahead && world_.on->is_open(channel);
    auto start = start_of(channel, has_snapshot, cursor);
    std::string text;
    if (cursor == request::from::now) text = "now";
    if (cursor == request::from::oldest) text = "oldest";
    if (is_ahead) {
        // The last one that was published may be collected yet, the one after it cannot be known.
        auto const& to = world_.on->at(channel);
        auto const after = to.next_offset() - world_.random->below(2);
        start = {start_position::kind::after, {to.history.epoch, after}, has_snapshot};
    }
    if (start.from == start_position::kind::after)
        text = position_text(start.after.epoch, start.after.offset);
    auto fields = delivery.as_fields();
    if (!text.empty()) fields += ",\"cursor\":\"" + text + '"';
    if (has_snapshot) fields += ",\"snapshot\":true";
    give({command::kind::subscribe, channel, next_id(), start, std::move(delivery)}, "subscribe",
         fields);
}

inline void client::unsubscribe(std::size_t channel) {
    if (!is_deferred(channel))
        give({command::kind::unsubscribe, channel, next_id()}, "unsubscribe", {});
}

inline void client::change(std::size_t channel, delivery_change wanted) {
    if (is_deferred(channel) || (is_plain() && !deferred_.empty())) return;
    if (auto const* const known = find(channel)) {
        restrict(channel, wanted);
        // Of a change from or to a rate in `latest` mode it is open which of the pending events
        // conflate before the next tick, so a client that conflates keeps its rate.
        if (known->queue.is_latest() || wanted.mode == delivery_mode::latest)
            wanted.interval.reset();
        if (!may_change(*known, wanted)) return;
    } else if (is_covered(server::names[channel])) {
        return; // it may have come when it is obeyed
    }
    if (wanted.is_empty()) return;
    auto const fields = wanted.as_fields();
    give({command::kind::change, channel, next_id(), {}, std::move(wanted)}, "change", fields);
}

inline void client::give_credit(std::size_t channel, std::uint32_t flushes) {
    if (!is_deferred(channel))
        give({command::kind::credit, channel, next_id(), {}, {}, flushes}, "credit",
             ",\"flushes\":" + std::to_string(flushes));
}

inline void client::ask_for_stats(std::size_t channel) {
    if (!is_deferred(channel) && is_websocket())
        give({command::kind::stats, channel, next_id()}, "stats", {});
}

inline void client::ask_for_history(std::size_t channel, history_question const& asked) {
    if (!is_websocket()) return;
    command const from{command::kind::history, channel, next_id()};
    auto const name = std::string{server::names[channel]};
    if (!send("{\"history\":\"" + name + '"' + from.with_id() + asked.as_fields() + '}')) return;
    ++covered_.histories;
    if (!world_.on->is_open(channel)) {
        expect_error("unknown_channel", from);
        return pump();
    }
    replies_.push_back({history_text(world_.on->at(channel).history, asked, from.with_id(),
                                     world_.on->endpoint.options().history.bytes_max)});
    pump();
}

/// The caller pumps; if this is true, it puts the event into the history before. Bytes go in a
/// binary message or in base64.
inline bool client::publish(publish_request const& wanted) {
    auto const with_id = ",\"id\":" + std::to_string(++next_id_);
    auto const name = std::string{server::names[wanted.channel]};
    std::string json = "{\"publish\":\"" + name + '"' + with_id;
    if (!wanted.key.empty()) json.append(",\"key\":\"").append(wanted.key) += '"';
    if (!wanted.message_id.empty())
        json.append(",\"message_id\":\"").append(wanted.message_id) += '"';
    bool const is_binary = wanted.kind == payload_kind::binary && world_.random->one_in(2);
    if (is_binary) json.append("}\n").append(wanted.payload);
    else if (wanted.kind == payload_kind::binary)
        json.append(",\"data64\":\"").append(base64_text(wanted.payload)) += "\"}";
    else json.append(",\"data\":").append(wanted.payload) += '}';
    if (!send(json, false, is_binary ? '\x82' : '\x81')) return false;
    if (wanted.channel == server::companion) {
        replies_.push_back({"{\"error\":{\"code\":\"not_authorized\",", "}" + with_id + "}"});
        return false;
    }
    if (!world_.on->is_open(wanted.channel)) {
        replies_.push_back({"{\"error\":{\"code\":\"unknown_channel\",", "}" + with_id + "}"});
        return false;
    }
    if (wanted.kind == payload_kind::binary) ++covered_.publishes_of_bytes;
    auto const& to = world_.on->at(wanted.channel);
    auto const known = wanted.message_id.empty()
                           ? 0
                           : to.memory.find(id_of_publish(who_.id, wanted.message_id), virtual_now);
    auto const offset = known != 0 ? known : to.next_offset();
    if (known != 0) ++covered_.duplicates;
    replies_.push_back({published_text(name, with_id, {to.history.epoch, offset}, known != 0)});
    return known == 0;
}

/// Gives a command: by a message, or by calls where there are none.
inline void client::give(command const& from, std::string_view name, std::string const& fields) {
    if (!is_plain()) {
        auto json = "{\"" + std::string{name} + "\":\"" + name_in(from);
        // Whether it may be asked for is known now, and not after other writes.
        bool const is_whole =
            from.what == command::kind::change || (from.pattern.empty() && find(from.channel));
        if (!send(json + '"' + from.with_id() + fields + '}', is_whole)) return;
    }
    if (waits_for_events(from) && is_in_flight_ && has_planned_events_) {
        ++covered_.deferred;
        deferred_.push_back(from);
    } else {
        obey(from);
    }
    pump();
}

/// Feeds a message, sometimes in two pieces, as a network may cut it; false if the session ended
/// meanwhile. The caller pumps.
inline bool client::send(std::string_view json, bool is_whole, char opcode) {
    last_sent_ = virtual_now;
    auto frame = client_frame(json, opcode);
    std::size_t first = 0;
    if (!is_whole && world_.random->one_in(4)) {
        first = world_.random->below(frame.size());
        session_->feed({frame.data(), first});
        pump();
        if (!takes_commands()) return false;
    }
    notice_matches();
    for (auto& each : subscriptions_) {
        auto const* const known = real(each.channel);
        if (known == nullptr) {
            fail("a subscription is gone: " + each.of->history.name);
            return false;
        }
        each.passed = known->counters().filtered;
    }
    session_->feed({frame.data() + first, frame.size() - first});
    return true;
}

/// What ends, changes or counts a subscription waits until it is known what of the events in flight
/// the client gets, and what is asked for after it waits behind it.
inline bool client::waits_for_events(command const& from) const {
    using kind = command::kind;
    if (!deferred_.empty()) return true;
    if (!is_plain())
        return from.what == kind::unsubscribe || from.what == kind::change ||
               from.what == kind::stats || (from.what == kind::subscribe && is_orderly_);
    // A host's own transport need not wait; but what a rate makes of events that come back after it
    // was chosen is not worth a rule.
    auto const* const known = find(from.channel);
    if (from.what != kind::change || known == nullptr) return false;
    auto const chosen = known->queue.delivery();
    auto const meant = from.delivery.applied_to(chosen);
    return meant.interval.count() > 0 || meant.keys || chosen.interval.count() > 0 || chosen.keys;
}

/// Whether a command about that channel waits. What follows it is not specified, unless it ends the
/// subscription.
inline bool client::is_deferred(std::size_t channel) const {
    for (auto const& each : deferred_)
        if (!each.pattern.empty()) return true;
    auto const last = std::find_if(deferred_.rbegin(), deferred_.rend(),
                                   [&](auto const& each) { return each.channel == channel; });
    return last != deferred_.rend() && last->what != command::kind::unsubscribe;
}

/// What a flush at a tick has of keys that were forgotten since the tick is not specified: where
/// that can be, `latest` has no rate, and there are no key sets.
inline void client::restrict(std::size_t channel, delivery_change& wanted) const {
    if (world_.on->keys_max(channel) >= server::keys) return;
    auto const* const known = find(channel);
    auto const mode = known ? known->queue.delivery().mode : delivery_mode::every;
    if (wanted.mode.value_or(mode) == delivery_mode::latest) wanted.interval.reset();
    wanted.keys.reset();
    wanted.add_keys.clear();
    wanted.remove_keys.clear();
}

/// The same for whatever a pattern may cover.
inline void client::restrict_all(delivery_change& wanted) const {
    for (std::size_t i = 0; i < server::channel_count; ++i) restrict(i, wanted);
}

/// Not everything is specified: of forgotten keys it is open how much is told event by event, and
/// of events that retention took, how many are of keys that are not wanted.
inline bool client::may_change(subscribed const& which, delivery_change const& wanted) const {
    auto const& queue = which.queue;
    auto const meant = wanted.applied_to(queue.delivery());
    bool const forgets = queue.source().keys_max < server::keys;
    bool const has_rate = meant.interval.count() > 0;
    if (forgets && has_rate && meant.mode == delivery_mode::latest) return false;
    // Whoever waits for a write to end does not know what retention does meanwhile.
    bool const waits = is_in_flight_ && has_planned_events_;
    bool const leaves_latest = queue.is_latest() && meant.mode == delivery_mode::every;
    if (leaves_latest && (queue.may_miss_forgotten() || (waits && forgets))) return false;
    if (!meant.keys || is_plain()) return true;
    return !queue.has_uncounted(meant.mode) && !(waits && !which.of->keeps_all());
}

/// Does with the cursors what a command asks for, and with the queues what that means.
inline void client::obey_plainly(command const& from) {
    auto& cursors = session_->cursors();
    auto* const known = find(from.channel);
    bool const begins = from.what == command::kind::subscribe;
    if ((known == nullptr) != begins || (begins && !world_.on->is_open(from.channel))) return;
    auto* const subscription = real(from.channel);
    switch (from.what) {
    case command::kind::subscribe: {
        opened_cursor opened;
        auto const delivery = from.delivery.applied_to({});
        auto& added = cursors.add(world_.on->at(from.channel).source->shared_from_this(),
                                  encoding_of<plain_encoder>, from.start, delivery, opened);
        if (opened.is_ahead) cursors.remove(added);
        return open(from.channel, from.start, delivery, {});
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
    case command::kind::change: {
        auto const meant = from.delivery.applied_to(known->queue.delivery());
        if (meant.keys && known->queue.has_uncounted(meant.mode)) return;
        known->passed = subscription->counters().filtered;
        cursors.change(*subscription, meant);
        return change(from, *known);
    }
    case command::kind::credit:
        cursors.give_credit(*subscription, from.flushes);
        return known->queue.give_credit(from.flushes);
    case command::kind::stats:
    case command::kind::history:
    case command::kind::presence: return;
    }
}

inline void client::obey(command const& from) {
    if (is_plain()) return obey_plainly(from);
    bool const begins = from.what == command::kind::subscribe;
    if (!from.pattern.empty()) return begins ? open_pattern(from) : close_pattern(from);
    auto* const known = find(from.channel);
    if (begins && known != nullptr && known->is_by_pattern) return take_over(from, *known);
    if (begins) {
        auto start = from.start;
        // A channel that is covered and not there yet has just come.
        if (start.from == start_position::kind::now && is_covered(server::names[from.channel]))
            start.from = start_position::kind::oldest;
        return open(from.channel, start, from.delivery.applied_to({}), from.with_id());
    }
    if (known == nullptr || (from.what == command::kind::unsubscribe && known->is_by_pattern))
        return expect_error("not_subscribed", from);
    switch (from.what) {
    case command::kind::unsubscribe: return end(from, *known);
    case command::kind::change: return change(from, *known);
    case command::kind::stats: return give_stats(from, *known);
    default: break;
    }
    known->queue.give_credit(from.flushes);
    auto const& left = known->queue.delivery().credit;
    ++covered_.credits;
    if (from.id != 0)
        replies_.push_back({begin_reply("credit", from) +
                            ",\"flushes\":" + (left ? std::to_string(*left) : "null") + '}'});
}

inline void client::expect_error(std::string_view code, command const& from) {
    replies_.push_back(
        {"{\"error\":{\"code\":\"" + std::string{code} + "\",", "}" + from.with_id() + "}"});
}

inline std::string client::name_in(command const& from) {
    return from.pattern.empty() ? std::string{server::names[from.channel]} : from.pattern;
}

inline std::string client::begin_reply(std::string_view what, command const& to) {
    return "{\"" + std::string{what} + "\":\"" + name_in(to) + '"' + to.with_id();
}

inline void client::end(command const& from, subscribed& ended) {
    ++covered_.unsubscriptions;
    // What a pattern covers goes on.
    bool const goes_on = is_covered(ended.queue.source().name);
    expected_reply reply{
        begin_reply("unsubscribed", from) + ",\"cursor\":\"", "\"}", {{from.channel, {}}}};
    reply.reached = std::make_shared<subscription_queue>(ended.queue);
    replies_.push_back(std::move(reply));
    ended.is_by_pattern = goes_on;
    if (goes_on) return;
    subscriptions_.erase(subscriptions_.begin() + (&ended - subscriptions_.data()));
    leave(from.channel);
}

/// The session has obeyed; the client is told exactly the place that was reached.
inline void client::change(command const& from, subscribed& which) {
    auto& queue = which.queue;
    auto const meant = from.delivery.applied_to(queue.delivery());
    if (from.delivery.moves_keys() && !meant.keys) {
        if (!is_plain()) expect_error("bad_message", from);
        return;
    }
    ++covered_.changes;
    auto const& subscription = *real(which.channel);
    auto const at = subscription.reached();
    if (!queue.change(meant, at.offset, {which.passed, subscription.counters().filtered}))
        fail("a change holds from a wrong place, " + std::to_string(at.offset) + ", with " +
             std::to_string(subscription.counters().filtered) + " filtered, not " +
             std::to_string(queue.counters().filtered) + '\n' + describe_subscriptions());
    if (is_plain()) return;
    ++covered_.changes_by_command;
    replies_.push_back({begin_reply("changed", from) +
                            ",\"from\":" + std::to_string(at.offset + 1) + ",\"cursor\":\"" +
                            position_text(at.epoch, at.offset) + "\"}",
                        {},
                        {{which.channel, at}}});
}

/// The counts add up to the events between the beginning and the place that was reached. In
/// `latest` mode superseded ones are counted with those that stand for them.
inline void client::give_stats(command const& from, subscribed& which) {
    ++covered_.stats;
    auto const& subscription = *real(which.channel);
    auto const at = subscription.reached();
    auto const counted = subscription.counters();
    auto const first = which.queue.first_live();
    auto const upto = std::max(at.offset + 1, first) - first;
    bool const is_exact = !which.queue.is_latest() && !which.queue.is_ahead_of_log();
    if (!which.queue.is_reached(at.offset) || (is_exact && counted.sum() != upto) ||
        counted.sum() > which.queue.source().last() + 1 - first)
        fail("the counts are of " + std::to_string(counted.sum()) + " events upto " +
             std::to_string(at.offset) + ", from " + std::to_string(first) + '\n' +
             describe_subscriptions());
    replies_.push_back(
        {begin_reply("stats", from) + ",\"cursor\":\"" + position_text(at.epoch, at.offset) +
         "\",\"delivered\":" + std::to_string(counted.delivered) + ",\"conflated\":" +
         std::to_string(counted.conflated) + ",\"skipped\":" + std::to_string(counted.skipped) +
         ",\"filtered\":" + std::to_string(counted.filtered) + '}'});
}

} // namespace livetape::simulation
