#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <livetape/channel/event.hpp>
#include <livetape/error.hpp>
#include <livetape/transport/delivery_choice.hpp>
#include <livetape/transport/history_query.hpp>

namespace livetape {

/// The longest `id` that a client can give a command, in bytes of JSON.
inline constexpr std::size_t command_id_bytes_max = 128;

/// The longest `message_id` that a client can give a publish: twice a UUID's text, and more.
inline constexpr std::size_t message_id_bytes_max = 128;

/// A client's message in the JSON subscription protocol.
struct command {
    enum class kind : std::uint8_t {
        subscribe,
        unsubscribe,
        change,
        credit,
        stats,
        publish,
        history,
        presence
    };

    kind what = kind::subscribe;
    std::string channel; ///< a name; of `subscribe` and `unsubscribe` also a pattern
    std::string id;      ///< as JSON, to be repeated in the reply; empty if there is none

    // Of `subscribe`.
    std::string cursor;
    bool has_snapshot = false;

    delivery_choice delivery;  ///< of `subscribe` and `change`
    std::uint32_t flushes = 0; ///< of `credit`

    // Of `publish`.
    std::string key;
    std::string message_id; ///< names the publish so that a retry is known; empty if there is none
    std::string payload;
    payload_kind payload_is = payload_kind::json;

    history_query history; ///< of `history`
};

/// Why a client's message was not understood; `none` with a command if it was.
struct command_failure {
    error what = error::none;
    std::string detail; ///< what was wrong in it, for the person who wrote the client
};

/// Reads a client's text message: a JSON object with one of the commands.
/// @param read  the command; on failure its `id` is still set if there was a good one
[[nodiscard]] inline command_failure parse_command(std::string_view message, command& read);

/// Reads a client's binary message: a publish without data as JSON, a line feed, and the bytes that
/// are published. JSON needs no line feed of its own, so the first one is where the bytes begin.
/// @param read  as of `parse_command`
[[nodiscard]] inline command_failure parse_binary_command(std::string_view message, command& read);

} // namespace livetape

#include <livetape/transport/impl/command.ipp>
