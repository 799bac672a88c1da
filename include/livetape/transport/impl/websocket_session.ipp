#pragma once

#include <array>
#include <utility>

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
        refused = check_subscribe(endpoint, identity, request.channels().front());
    }

    std::string identity;
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
      format_{choose_format(link_, opening.is_raw)}, cursors_{context.wakes},
      identity_{std::move(opening.identity)}, is_raw_{opening.is_raw} {
    if (!link_.is_open()) return;
    auto const& request = opening.request;
    for (auto const& channel : request.channels()) {
        auto const start =
            start_of(request.from(), channel, request.has_snapshot(), request.channels().size());
        auto const refused = subscribe_to(channel, *start, {});
        if (!refused) continue;
        if (!is_raw_) reply_error(refused.what, refused.detail, {});
        else link_.close(refused.what, refused.detail, context.now);
    }
}

inline void websocket_session::obey(websocket::message_reader::item const& message,
                                    time_point now) {
    if (message.kind != websocket::message_reader::item_kind::text)
        return reply_error(error::bad_message, "commands are JSON text, not binary messages", {});
    command from;
    auto const failure = parse_command(message.payload, from);
    if (failure.what != error::none) return reply_error(failure.what, failure.detail, from.id);
    // What of the events in flight the client gets is known when the write ends; an unsubscription
    // waits for it, so that its reply names the last one, and so do the commands that follow it.
    bool const waits = from.what == command::kind::unsubscribe || !deferred_.empty();
    if (!has_events_in_flight_ || !waits || from.what == command::kind::publish) return obey(from);
    deferred_bytes_ += message.payload.size();
    if (deferred_bytes_ > link_.endpoint().options().reply_bytes_max)
        return link_.close(error::control_flood, {}, now);
    deferred_.push_back(std::move(from));
}

inline void websocket_session::obey_deferred() {
    for (auto const& from : std::exchange(deferred_, {}))
        if (link_.is_open()) obey(from);
    deferred_bytes_ = 0;
}

inline void websocket_session::obey(command const& from) {
    switch (from.what) {
    case command::kind::subscribe: return subscribe_by_command(from);
    case command::kind::unsubscribe: return unsubscribe(from);
    case command::kind::publish: return publish(from);
    }
}

inline void websocket_session::subscribe_by_command(command const& from) {
    auto const at = cursor::parse(from.cursor);
    if (!at) return reply_error(error::bad_cursor, {}, from.id);
    auto const start = start_of(*at, from.channel, from.has_snapshot, 1);
    auto const refused = subscribe_to(from.channel, *start, from.id);
    if (refused) reply_error(refused.what, refused.detail, from.id);
}

inline refusal_reason websocket_session::subscribe_to(std::string_view channel,
                                                      start_position const& start,
                                                      std::string_view id) {
    opened_cursor opened;
    subscription* added = nullptr;
    if (auto refused = subscribe(link_.endpoint(), identity_, cursors_, channel, start, format_,
                                 opened, added))
        return refused;
    if (is_raw_) return opened.missed ? refusal_reason{error::gap} : refusal_reason{};
    std::string json;
    append_subscribed(json, channel, id, added->reached(), opened.is_recovered);
    reply(json);
    if (opened.missed) {
        link_.endpoint().errors().count(error::gap);
        json.clear();
        append_gap(json, channel, *opened.missed);
        reply(json);
    }
    return {};
}

inline void websocket_session::unsubscribe(command const& from) {
    auto* const found = cursors_.find(from.channel);
    if (found == nullptr) return reply_error(error::not_subscribed, {}, from.id);
    std::string json;
    append_unsubscribed(json, from.channel, from.id, found->reached());
    cursors_.remove(*found);
    reply(json);
}

inline void websocket_session::publish(command const& from) {
    position at;
    auto refused = check_publish(link_.endpoint(), identity_, from.channel);
    if (!refused)
        refused = publish_from_client(link_.endpoint(), from.channel, from.payload,
                                      {from.key, from.payload_is}, at);
    if (refused) return reply_error(refused.what, refused.detail, from.id);
    std::string json;
    append_published(json, from.channel, from.id, at);
    reply(json);
}

inline bool websocket_session::report_gap(subscriber::missed_events const& missed, time_point now) {
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
