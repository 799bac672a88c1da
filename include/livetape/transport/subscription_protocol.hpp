#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <livetape/channel/channel.hpp>
#include <livetape/channel/cursor.hpp>
#include <livetape/channel/delivery.hpp>
#include <livetape/channel/event.hpp>
#include <livetape/error.hpp>
#include <livetape/json_text.hpp>

namespace livetape {

/// The subprotocol's name in `Sec-WebSocket-Protocol`.
inline constexpr std::string_view subprotocol_name = "livetape.v1.json";

namespace detail {

inline void append_id(std::string& out, std::string_view id) {
    if (id.empty()) return;
    out += R"(,"id":)";
    out += id;
}

} // namespace detail

/// Appends `{"subscribed":"ticks","id":1,"cursor":"…","recovered":true}`.
/// @param pattern  the one that covers the channel; empty if the client named the channel
inline void append_subscribed(std::string& out, std::string_view channel, std::string_view id,
                              position const& at, bool is_recovered,
                              std::string_view pattern = {}) {
    out += R"({"subscribed":)";
    append_json_string(out, channel);
    if (!pattern.empty()) append_json_string(out += R"(,"pattern":)", pattern);
    detail::append_id(out, id);
    out += R"(,"cursor":")";
    append_position(out, at);
    out += is_recovered ? R"(","recovered":true})" : R"(","recovered":false})";
}

/// Appends `{"subscribed":"sensor.*","id":1,"cursor":"…","recovered":true}`.
/// @param cursor  over the channels that match; empty if there is none yet, and then the oldest
///                event of whatever comes is the one to go on with
inline void append_pattern_subscribed(std::string& out, std::string_view pattern,
                                      std::string_view id, std::string_view cursor,
                                      bool is_recovered) {
    append_json_string(out += R"({"subscribed":)", pattern);
    detail::append_id(out, id);
    append_json_string(out += R"(,"cursor":)", cursor.empty() ? "oldest" : cursor);
    out += is_recovered ? R"(,"recovered":true})" : R"(,"recovered":false})";
}

/// Appends `{"unsubscribed":"sensor.*","id":1,"cursor":"…"}`; the cursor is as above.
inline void append_pattern_unsubscribed(std::string& out, std::string_view pattern,
                                        std::string_view id, std::string_view cursor) {
    append_json_string(out += R"({"unsubscribed":)", pattern);
    detail::append_id(out, id);
    append_json_string(out += R"(,"cursor":)", cursor.empty() ? "oldest" : cursor);
    out += '}';
}

/// Appends `{"unsubscribed":"ticks","id":1,"cursor":"…"}`.
/// @param reason  why, if the client did not ask for it
inline void append_unsubscribed(std::string& out, std::string_view channel, std::string_view id,
                                position const& at, std::string_view reason = {}) {
    out += R"({"unsubscribed":)";
    append_json_string(out, channel);
    detail::append_id(out, id);
    out += R"(,"cursor":")";
    append_position(out, at);
    out += '"';
    if (!reason.empty()) out.append(R"(,"reason":")").append(reason).push_back('"');
    out += '}';
}

/// Appends `{"published":"chat","id":1,"offset":12,"cursor":"…"}`, with `"duplicate":true` if it
/// had been published before.
inline void append_published(std::string& out, std::string_view channel, std::string_view id,
                             position const& at, bool is_duplicate = false) {
    out += R"({"published":)";
    append_json_string(out, channel);
    detail::append_id(out, id);
    out += R"(,"offset":)";
    append_number(out, at.offset);
    out += R"(,"cursor":")";
    append_position(out, at);
    out += is_duplicate ? R"(","duplicate":true})" : R"("})";
}

/// Appends `{"changed":"ticks","id":1,"from":122,"cursor":"…"}`: the change holds from the event
/// `from` on, which is the one after the cursor.
inline void append_changed(std::string& out, std::string_view channel, std::string_view id,
                           position const& at) {
    out += R"({"changed":)";
    append_json_string(out, channel);
    detail::append_id(out, id);
    out += R"(,"from":)";
    append_number(out, at.offset + 1);
    out += R"(,"cursor":")";
    append_position(out, at);
    out += R"("})";
}

/// Appends `{"credit":"ticks","id":1,"flushes":20}`: what the client has left; without a limit
/// `"flushes":null`.
inline void append_credited(std::string& out, std::string_view channel, std::string_view id,
                            std::optional<std::uint32_t> const& flushes) {
    out += R"({"credit":)";
    append_json_string(out, channel);
    detail::append_id(out, id);
    out += R"(,"flushes":)";
    if (flushes) append_number(out, *flushes);
    else out += "null";
    out += '}';
}

/// Appends `{"stats":"ticks","id":1,"cursor":"…","delivered":9,"conflated":90,"skipped":0,…}`: what
/// became of the events from where the subscription began up to the cursor.
inline void append_stats(std::string& out, std::string_view channel, std::string_view id,
                         position const& at, delivery_counters const& counted) {
    out += R"({"stats":)";
    append_json_string(out, channel);
    detail::append_id(out, id);
    out += R"(,"cursor":")";
    append_position(out, at);
    append_number(out += R"(","delivered":)", counted.delivered);
    append_number(out += R"(,"conflated":)", counted.conflated);
    append_number(out += R"(,"skipped":)", counted.skipped);
    append_number(out += R"(,"filtered":)", counted.filtered);
    out += '}';
}

/// Appends `{"gap":"ticks","from":100,"to":120,"reason":"retention"}`.
inline void append_gap(std::string& out, std::string_view channel, gap const& missed) {
    out += R"({"gap":)";
    append_json_string(out, channel);
    out += R"(,"from":)";
    append_number(out, missed.first);
    out += R"(,"to":)";
    append_number(out, missed.last);
    out +=
        missed.reason == gap_reason::epoch ? R"(,"reason":"epoch"})" : R"(,"reason":"retention"})";
}

/// Appends `{"error":{"code":"unknown_channel","message":"…"},"id":1}`; an empty detail stands for
/// the table's message.
inline void append_error(std::string& out, error what, std::string_view detail,
                         std::string_view id = {}) {
    auto const& known = describe(what);
    out += R"({"error":{"code":)";
    append_json_string(out, known.name);
    out += R"(,"message":)";
    append_json_string(out, detail.empty() ? known.message : detail);
    out += '}';
    detail::append_id(out, id);
    out += '}';
}

} // namespace livetape
