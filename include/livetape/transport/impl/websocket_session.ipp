#pragma once

#include <array>
#include <utility>

#include <livetape/transport/history_session.hpp>
#include <livetape/transport/presence_answer.hpp>

namespace livetape {

namespace detail {

/// What is decided about a WebSocket request before the handshake is answered.
struct websocket_opening {
    websocket_opening(session_context const& context, http::request_head const& head,
                      std::string_view path) {
        auto const prefix = websocket_transport::raw_prefix;
        is_raw = path.starts_with(prefix);
        auto& endpoint = context.endpoint;
        refused.what = websocket::check_handshake(head);
        if (!refused)
            refused.what =
                has_body(head) ? error::bad_content_length : endpoint.admit(head, identity);
        if (refused) return;
        refused = request.parse(head, is_raw ? path.substr(prefix.size()) : std::string_view{},
                                false, endpoint.options().channels_per_session_max);
        if (refused || !is_raw) return;
        if (request.channels().size() != 1) {
            refused = {error::bad_query, "a raw path takes one channel"};
            return;
        }
        refused = check_subscribe(endpoint, identity.id, request.channels().front());
    }

    client_identity identity;
    subscribe_request request;
    refusal_reason refused;
    bool is_raw = false;
};

inline constexpr std::array<std::string_view, 1> json_subprotocols{subprotocol_name};

} // namespace detail

inline websocket_session::websocket_session(session_context const& context,
                                            http::request_head const& head, std::string_view path)
    : websocket_session{context, head, detail::websocket_opening{context, head, path}} {}

inline websocket_session::websocket_session(session_context const& context,
                                            http::request_head const& head,
                                            detail::websocket_opening&& opening)
    : link_{context, head, opening.refused.what, opening.refused.detail,
            opening.is_raw ? std::span<std::string_view const>{} : detail::json_subprotocols},
      format_{choose_format(link_, opening.is_raw)}, wakes_{context.wakes}, cursors_{context.wakes},
      is_raw_{opening.is_raw} {
    if (!link_.is_open()) return;
    if (auto& known = opening.identity; !known.id.empty() || !known.info.empty())
        identity_ = std::make_unique<client_identity const>(std::move(known));
    auto const& request = opening.request;
    for (auto const& channel : request.channels()) {
        if (!is_raw_ && has_wildcard(channel)) {
            subscribe_to_pattern(
                {channel, request.cursor_text(), request.has_snapshot(), request.delivery(channel)},
                {});
            continue;
        }
        auto const start =
            start_of(request.from(), channel, request.has_snapshot(), request.channels().size());
        auto const refused = subscribe_to(channel, *start, request.delivery(channel), {});
        if (!refused) continue;
        if (!is_raw_) reply_error(refused.what, refused.detail, {});
        else link_.close(refused.what, refused.detail, context.now);
    }
}

inline void websocket_session::obey(websocket::message_reader::item const& message) {
    command from;
    bool const is_text = message.kind == websocket::message_reader::item_kind::text;
    auto const failure = is_text ? parse_command(message.payload, from)
                                 : parse_binary_command(message.payload, from);
    if (failure.what != error::none) return reply_error(failure.what, failure.detail, from.id);
    if (has_events_in_flight_ && waits_for_events(from.what)) {
        defer(std::move(from), message.payload.size());
    } else {
        obey(from);
    }
}

/// What of the events in flight the client gets is known when the write ends. What ends, changes or
/// counts a subscription waits for it, so that its reply stands exactly where it says, and so do
/// the commands that follow it.
inline bool websocket_session::waits_for_events(command::kind what) const noexcept {
    switch (what) {
    case command::kind::unsubscribe:
    case command::kind::change:
    case command::kind::stats: return true;
    case command::kind::subscribe:
        // It may be about a channel that a pattern brought already.
        return has_deferred() || (seldom_ && seldom_->channels);
    case command::kind::credit: return has_deferred();
    case command::kind::publish:
    case command::kind::history:
    case command::kind::presence: return false;
    }
    return false;
}

inline void websocket_session::defer(command&& from, std::size_t message_bytes) {
    auto& waiting = seldom();
    waiting.deferred.push_back(std::move(from));
    waiting.deferred_bytes += message_bytes;
    if (waiting.deferred_bytes > link_.endpoint().options().reply_bytes_max) link_.pause();
}

/// Obeys as many as the replies leave room for; the input waits behind the rest.
inline void websocket_session::obey_deferred() {
    auto& waiting = *seldom_;
    while (link_.is_open() && !link_.is_full() && waiting.obeyed < waiting.deferred.size())
        obey(waiting.deferred[waiting.obeyed++]);
    if (link_.is_open() && waiting.obeyed < waiting.deferred.size()) return link_.pause();
    waiting.deferred.clear();
    waiting.obeyed = waiting.deferred_bytes = 0;
}

inline void websocket_session::obey(command const& from) {
    switch (from.what) {
    case command::kind::subscribe: return subscribe_by_command(from);
    case command::kind::unsubscribe: return unsubscribe(from);
    case command::kind::publish: return publish(from);
    case command::kind::history: return give_history(from);
    case command::kind::change: return change(from);
    case command::kind::credit: return give_credit(from);
    case command::kind::stats: return give_stats(from);
    case command::kind::presence: return give_presence(from);
    }
}

inline void websocket_session::subscribe_by_command(command const& from) {
    if (has_wildcard(from.channel))
        return subscribe_to_pattern({from.channel, from.cursor, from.has_snapshot, from.delivery},
                                    from.id);
    auto* const covered = seldom_ && seldom_->channels ? cursors_.find(from.channel) : nullptr;
    if (covered != nullptr && seldom_->channels->is_by_pattern(covered->source()))
        return take_over(*covered, from);
    auto const at = cursor::parse(from.cursor);
    if (!at) return reply_error(error::bad_cursor, {}, from.id);
    auto start = start_of(*at, from.channel, from.has_snapshot, 1);
    if (start->from == start_position::kind::now && seldom_ && seldom_->channels &&
        seldom_->channels->covers(from.channel))
        start->from = start_position::kind::oldest;
    auto const refused = subscribe_to(from.channel, *start, from.delivery, from.id);
    if (refused) reply_error(refused.what, refused.detail, from.id);
}

inline refusal_reason websocket_session::subscribe_to(std::string_view channel,
                                                      start_position const& start,
                                                      delivery_choice const& delivery,
                                                      std::string_view id) {
    opened_cursor opened;
    subscription* added = nullptr;
    if (auto refused = subscribe(link_.endpoint(), identity(), cursors_, channel,
                                 {start, delivery, format_}, opened, added))
        return refused;
    if (is_raw_) return opened.missed ? refusal_reason{error::gap} : refusal_reason{};
    if (added->source().members() != nullptr) channels().enter(added->source());
    std::string json;
    append_subscribed(json, channel, id, added->reached(), opened.is_recovered);
    reply(json);
    if (opened.missed) report_gap(channel, *opened.missed);
    return {};
}

inline void websocket_session::report_gap(std::string_view channel, gap const& missed) {
    link_.endpoint().errors().count(error::gap);
    std::string json;
    append_gap(json, channel, missed);
    reply(json);
}

inline session_channels& websocket_session::channels() {
    auto& own = seldom().channels;
    if (!own)
        own = std::make_unique<session_channels>(
            link_.endpoint(), cursors_, wakes_, format_, identity_.get(),
            [](void* self, pattern_match const& match) {
                static_cast<websocket_session*>(self)->report_match(match);
            },
            this);
    return *own;
}

inline void websocket_session::subscribe_to_pattern(pattern_request const& wanted,
                                                    std::string_view id) {
    std::vector<pattern_match> matched;
    if (auto const refused = channels().subscribe(wanted, matched))
        return reply_error(refused.what, refused.detail, id);
    std::string reached;
    bool is_recovered = !wanted.cursor_text.empty() && wanted.cursor_text != "now";
    for (auto const& each : matched) {
        is_recovered = is_recovered && !each.missed();
        if (each.added != nullptr)
            append_named_position(reached, each.name(), each.added->reached());
    }
    std::string json;
    append_pattern_subscribed(json, wanted.pattern, id, reached, is_recovered);
    reply(json);
    for (auto const& each : matched) report_match(each);
}

/// The acknowledgement that goes before a channel's first event.
inline void websocket_session::report_match(pattern_match const& match) {
    if (!link_.is_open()) return;
    cursors_.make_ready();
    if (match.is_beyond_limit()) {
        auto const why = too_many_channels(link_.endpoint().options().channels_per_session_max);
        return reply_error(why.what, why.detail, {});
    }
    if (match.added != nullptr) {
        std::string json;
        append_subscribed(json, match.name(), {}, match.added->reached(), match.opened.is_recovered,
                          match.pattern);
        reply(json);
    }
    if (auto const missed = match.missed()) report_gap(match.name(), *missed);
}

/// A client names a channel that a pattern brought: it is there already, and goes on where it is.
inline void websocket_session::take_over(subscription& covered, command const& from) {
    auto delivery = covered.delivery();
    if (auto const refused = apply(from.delivery, link_.endpoint().options().delivery, delivery,
                                   keys_elsewhere(cursors_, &covered)))
        return reply_error(refused.what, refused.detail, from.id);
    channels().name(covered.source());
    if (!from.delivery.is_empty()) cursors_.change(covered, delivery);
    std::string json;
    append_subscribed(json, from.channel, from.id, covered.reached(), false);
    reply(json);
}

inline void websocket_session::unsubscribe_from_pattern(command const& from) {
    std::string left;
    if (!seldom_ || !seldom_->channels || !seldom_->channels->unsubscribe(from.channel, left))
        return reply_error(error::not_subscribed, {}, from.id);
    std::string json;
    append_pattern_unsubscribed(json, from.channel, from.id, left);
    reply(json);
}

inline void websocket_session::unsubscribe(command const& from) {
    if (has_wildcard(from.channel)) return unsubscribe_from_pattern(from);
    auto* const found = cursors_.find(from.channel);
    auto* const own = seldom_ ? seldom_->channels.get() : nullptr;
    if (found == nullptr || (own != nullptr && own->is_by_pattern(found->source())))
        return reply_error(error::not_subscribed, {}, from.id);
    std::string json;
    append_unsubscribed(json, from.channel, from.id, found->reached());
    reply(json);
    if (own != nullptr && own->keeps(found->source())) return;
    if (own != nullptr) own->leave(found->source());
    cursors_.remove(*found);
}

inline void websocket_session::change(command const& from) {
    auto* const found = cursors_.find(from.channel);
    if (found == nullptr) return reply_error(error::not_subscribed, {}, from.id);
    auto const& wanted = from.delivery;
    bool const moves_keys = wanted.moves_keys();
    auto delivery = found->delivery();
    auto const refused = apply(wanted, link_.endpoint().options().delivery, delivery,
                               keys_elsewhere(cursors_, found));
    if (refused) return reply_error(refused.what, refused.detail, from.id);
    if (moves_keys && !delivery.keys)
        return reply_error(error::bad_message,
                           "this subscription has no key set; give \"keys\" first", from.id);
    if (!wanted.moves_keys_only()) cursors_.change(*found, delivery);
    if (moves_keys) {
        cursors_.remove_keys(*found, wanted.remove_keys);
        cursors_.add_keys(*found, wanted.add_keys);
    }
    std::string json;
    append_changed(json, from.channel, from.id, found->reached());
    reply(json);
}

inline void websocket_session::give_credit(command const& from) {
    auto* const found = cursors_.find(from.channel);
    if (found == nullptr) return reply_error(error::not_subscribed, {}, from.id);
    cursors_.give_credit(*found, from.flushes);
    // A client that draws twenty times a second asks for no answers.
    if (from.id.empty()) return;
    std::string json;
    append_credited(json, from.channel, from.id, found->delivery().credit);
    reply(json);
}

inline void websocket_session::give_stats(command const& from) {
    auto const* const found = cursors_.find(from.channel);
    if (found == nullptr) return reply_error(error::not_subscribed, {}, from.id);
    std::string json;
    append_stats(json, from.channel, from.id, found->reached(), found->counters());
    reply(json);
}

inline void websocket_session::publish(command const& from) {
    client_published done;
    auto refused = check_publish(link_.endpoint(), identity(), from.channel);
    if (!refused)
        refused = publish_from_client(
            link_.endpoint(), identity(),
            {from.channel, from.payload, from.key, from.payload_is, from.message_id}, done);
    if (refused) return reply_error(refused.what, refused.detail, from.id);
    std::string json;
    append_published(json, from.channel, from.id, done.at, done.is_duplicate);
    reply(json);
}

inline void websocket_session::give_presence(command const& from) {
    auto const& options = link_.endpoint().options();
    std::shared_ptr<channel> of;
    if (auto const refused = find_for_presence(link_.endpoint(), identity(), from.channel, of))
        return reply_error(refused.what, refused.detail, from.id);
    std::string json;
    append_presence(json, *of, options.presence_members_max, from.id);
    reply(json);
}

inline void websocket_session::give_history(command const& from) {
    std::shared_ptr<channel> source;
    if (auto const refused = find_for_history(link_.endpoint(), identity(), from.channel, source))
        return reply_error(refused.what, refused.detail, from.id);
    std::string json;
    append_history(json, *source,
                   read_history(*source, from.history, link_.endpoint().options().history),
                   from.id);
    reply(json);
}

inline bool websocket_session::report_end(subscription& ended) {
    if (is_raw_) {
        link_.close(websocket::close_code::normal_closure, "the channel was closed");
        cursors_.remove(ended);
        return false;
    }
    std::string json;
    append_unsubscribed(json, ended.source().name(), {}, ended.reached(), "closed");
    reply(json);
    auto const closed = ended.source().shared_from_this();
    cursors_.remove(ended);
    if (seldom_ && seldom_->channels) seldom_->channels->forget(*closed);
    return true;
}

inline bool websocket_session::report_gap(subscriber::missed_events const& missed, time_point now) {
    if (missed.is_end) return report_end(*missed.of);
    bool const goes_on =
        !is_raw_ && missed.of->source().options().on_overrun == overrun_policy::skip;
    std::string json;
    append_gap(json, missed.of->source().name(), missed.range);
    if (!is_raw_) reply(json);
    if (goes_on) link_.endpoint().errors().count(error::gap);
    else link_.close(error::gap, {}, now);
    return goes_on;
}

inline void websocket_session::reply_error(error what, std::string_view detail,
                                           std::string_view id) {
    link_.endpoint().errors().count(what);
    std::string json;
    append_error(json, what, detail, id);
    reply(json);
}

} // namespace livetape
