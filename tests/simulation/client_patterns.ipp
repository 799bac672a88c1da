#pragma once

#include "client.hpp"

namespace livetape::simulation {

/// Whether a pattern of the client covers channels of that name.
inline bool client::is_covered(std::string_view name) const {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](auto const& each) { return covers(each.text, name); });
}

/// The places that a client has seen of the channels that a pattern covers.
inline std::string client::cursor_of_pattern(std::string_view pattern, request::from cursor) const {
    request asked;
    asked.patterns.emplace_back(pattern);
    asked.cursor = cursor;
    return cursor_text(asked);
}

inline void client::subscribe(std::string const& pattern, bool has_snapshot, request::from cursor,
                              delivery_change delivery) {
    if (!is_websocket() || !deferred_.empty()) return;
    restrict_all(delivery);
    auto const text = cursor_of_pattern(pattern, cursor);
    auto fields = delivery.as_fields();
    if (!text.empty()) fields += ",\"cursor\":\"" + text + '"';
    if (has_snapshot) fields += ",\"snapshot\":true";
    command from{command::kind::subscribe, 0, next_id(), {}, std::move(delivery)};
    from.pattern = pattern;
    from.has_snapshot = has_snapshot;
    from.cursor = text.empty() ? request::from::nothing : cursor;
    from.seen = seen_;
    give(from, "subscribe", fields);
}

inline void client::unsubscribe(std::string const& pattern) {
    if (!is_websocket() || !deferred_.empty()) return;
    command from{command::kind::unsubscribe, 0, next_id()};
    from.pattern = pattern;
    give(from, "unsubscribe", {});
}

/// Subscribes to the channels that are there, in the order of their creation, but for those that it
/// has. With a cursor over several, one that it does not name is new to the client.
inline void client::open_pattern(command const& from) {
    is_orderly_ = true;
    for (auto const& each : patterns_)
        if (each.text == from.pattern) return expect_error("already_subscribed", from);
    ++covered_.patterns;
    auto const delivery = from.delivery.applied_to({});
    std::vector<beginning> all;
    for (auto const i : world_.on->opened()) {
        if (!covers(from.pattern, server::names[i]) || find(i) != nullptr) continue;
        bool const is_named = from.cursor == request::from::seen && from.seen[i];
        bool const is_new = from.cursor == request::from::seen || is_covered(server::names[i]);
        auto start = start_of(i, from.has_snapshot, from.cursor);
        if (is_named) start.after = *from.seen[i];
        if (is_new && !is_named) start = {start_position::kind::oldest, {}, false};
        if (auto begun = begin(i, start, delivery)) all.push_back(*begun);
        else return fail("a place that was seen is ahead");
        subscriptions_.back().is_by_pattern = true;
    }
    // Of a channel that is not there any more, what was not seen is lost.
    for (std::size_t i = 0; i < server::channel_count; ++i)
        if (from.cursor == request::from::seen && from.seen[i] && !world_.on->is_open(i) &&
            covers(from.pattern, server::names[i]))
            all.push_back({i, {}, false, gap{1, 0, gap_reason::epoch}, true});
    patterns_.push_back({from.pattern, delivery});
    if (is_websocket()) {
        std::string cursor;
        bool is_recovered =
            from.cursor == request::from::oldest || from.cursor == request::from::seen;
        for (auto const& each : all) {
            is_recovered = is_recovered && !each.missed;
            if (each.is_gone) continue;
            cursor.append(cursor.empty() ? "" : "!").append(server::names[each.channel]) += '~';
            cursor += position_text(each.at.epoch, each.at.offset);
        }
        replies_.push_back({"{\"subscribed\":\"" + from.pattern + '"' + from.with_id() +
                            ",\"cursor\":\"" + (cursor.empty() ? "oldest" : cursor) +
                            "\",\"recovered\":" + (is_recovered ? "true}" : "false}")});
    }
    for (auto const& each : all) announce(each, ",\"pattern\":\"" + from.pattern + '"');
}

/// Ends a pattern, and what nobody else covers; the client is told what was reached of all that the
/// pattern brought.
inline void client::close_pattern(command const& from) {
    auto const ended = std::find_if(patterns_.begin(), patterns_.end(),
                                    [&](auto const& each) { return each.text == from.pattern; });
    if (ended == patterns_.end()) return expect_error("not_subscribed", from);
    patterns_.erase(ended);
    expected_reply reply{begin_reply("unsubscribed", from) + ",\"cursor\":\"", "\"}"};
    reply.is_over_several = true;
    for (auto const& each : subscriptions_) {
        if (!each.is_by_pattern || !covers(from.pattern, each.queue.source().name)) continue;
        reply.all_reached.push_back(std::make_shared<subscription_queue>(each.queue));
        reply.places.push_back({each.channel, {}});
    }
    replies_.push_back(std::move(reply));
    std::erase_if(subscriptions_, [&](auto const& each) {
        auto const& name = each.queue.source().name;
        bool const is_left = each.is_by_pattern && covers(from.pattern, name) && !is_covered(name);
        if (is_left) leave(each.channel);
        return is_left;
    });
}

/// The client names what a pattern brought: it goes on where it is, and stays.
inline void client::take_over(command const& from, subscribed& covered) {
    ++covered_.take_overs;
    auto& queue = covered.queue;
    auto const& subscription = *real(covered.channel);
    auto const at = subscription.reached();
    bool const is_right = from.delivery.is_empty()
                              ? queue.is_reached(at.offset)
                              : queue.change(from.delivery.applied_to(queue.delivery()), at.offset,
                                             {covered.passed, subscription.counters().filtered});
    if (!is_right)
        fail("what is taken over is at a wrong place, " + std::to_string(at.offset) + '\n' +
             describe_subscriptions());
    covered.is_by_pattern = false;
    announce({covered.channel, at}, from.with_id());
}

/// Channels that were created and that the server has noticed are subscribed to, from their
/// beginning, or what was kept of it when the loop noticed.
/// @param has_read  whether they may have been read since
inline void client::notice_matches(bool has_read) {
    if (patterns_.empty() || !session_ || is_ending_) return;
    auto& cursors = session_->cursors();
    for (std::size_t i = 0; i < cursors.count(); ++i) {
        auto const& found = cursors.at(i);
        std::size_t channel = 0;
        while (server::names[channel] != found.source().name()) ++channel;
        if (find(channel) != nullptr) continue;
        ++covered_.late_channels;
        auto const by = std::find_if(patterns_.begin(), patterns_.end(), [&](auto const& each) {
            return covers(each.text, found.source().name());
        });
        if (by == patterns_.end()) return fail("a channel comes that nobody asked for");
        auto const& history = world_.on->at(channel).history;
        auto const at = found.reached();
        // If several patterns cover it, any of them may say how; but of one that may have been read
        // the credit is not what it began with, and it is the first.
        subscription_queue queue{history, has_read ? by->delivery : found.delivery()};
        queue.open_at(kept_at_run_[channel] - 1);
        if (!has_read && !queue.is_reached(at.offset))
            fail("channel " + history.name + " comes at " + std::to_string(at.offset) + ", due" +
                 queue.describe());
        subscriptions_.push_back(
            {channel, &world_.on->at(channel), std::move(queue), ++subscriptions_made_, true});
        enter(world_.on->at(channel));
        if (!is_websocket()) continue;
        auto const begun = "{\"subscribed\":\"" + history.name + "\",\"pattern\":\"";
        if (has_read) {
            expected_reply reply{
                begun + by->text + "\",\"cursor\":\"", "\",\"recovered\":false}", {{channel, {}}}};
            reply.reached = std::make_shared<subscription_queue>(subscriptions_.back().queue);
            replies_.push_back(std::move(reply));
        } else {
            replies_.push_back({begun,
                                "\",\"cursor\":\"" + position_text(at.epoch, at.offset) +
                                    "\",\"recovered\":false}",
                                {{channel, at}}});
        }
    }
}

} // namespace livetape::simulation
