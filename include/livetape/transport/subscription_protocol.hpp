#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <livetape/channel/channel.hpp>
#include <livetape/channel/cursor.hpp>
#include <livetape/channel/event.hpp>
#include <livetape/error.hpp>
#include <livetape/json_text.hpp>

namespace livetape {

/// The subprotocol's name in `Sec-WebSocket-Protocol`.
inline constexpr std::string_view subprotocol_name = "livetape.v1.json";

/// The longest `id` that a client can give a command, in bytes of JSON.
inline constexpr std::size_t command_id_bytes_max = 128;

/// A client's message in the JSON subscription protocol.
struct command {
    enum class kind : std::uint8_t { subscribe, unsubscribe, publish };

    kind what = kind::subscribe;
    std::string channel;
    std::string id;     ///< as JSON, to be repeated in the reply; empty if there is none
    std::string cursor; ///< of `subscribe`
    bool has_snapshot = false;
    std::string key; ///< of `publish`
    std::string payload;
    payload_kind payload_is = payload_kind::json;
};

/// Why a client's message was not understood; `none` with a command if it was.
struct command_failure {
    error what = error::none;
    std::string detail; ///< what was wrong in it, for the person who wrote the client
};

/// Reads a client's message: a JSON object with one of `subscribe`, `unsubscribe` and `publish`.
/// @param read  the command; on failure its `id` is still set if there was a good one
[[nodiscard]] inline command_failure parse_command(std::string_view message, command& read);

namespace detail {

inline void append_id(std::string& out, std::string_view id) {
    if (id.empty()) return;
    out += R"(,"id":)";
    out += id;
}

} // namespace detail

/// Appends `{"subscribed":"ticks","id":1,"cursor":"…","recovered":true}`.
inline void append_subscribed(std::string& out, std::string_view channel, std::string_view id,
                              position const& at, bool is_recovered) {
    out += R"({"subscribed":)";
    append_json_string(out, channel);
    detail::append_id(out, id);
    out += R"(,"cursor":")";
    append_position(out, at);
    out += is_recovered ? R"(","recovered":true})" : R"(","recovered":false})";
}

/// Appends `{"unsubscribed":"ticks","id":1,"cursor":"…"}`.
inline void append_unsubscribed(std::string& out, std::string_view channel, std::string_view id,
                                position const& at) {
    out += R"({"unsubscribed":)";
    append_json_string(out, channel);
    detail::append_id(out, id);
    out += R"(,"cursor":")";
    append_position(out, at);
    out += R"("})";
}

/// Appends `{"published":"chat","id":1,"offset":12,"cursor":"…"}`.
inline void append_published(std::string& out, std::string_view channel, std::string_view id,
                             position const& at) {
    out += R"({"published":)";
    append_json_string(out, channel);
    detail::append_id(out, id);
    out += R"(,"offset":)";
    append_number(out, at.offset);
    out += R"(,"cursor":")";
    append_position(out, at);
    out += R"("})";
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

#include <livetape/transport/impl/subscription_protocol.ipp>
