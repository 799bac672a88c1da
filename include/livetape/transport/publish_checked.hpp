#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/transport/json_reader.hpp>
#include <livetape/wire/utf8.hpp>

#include <string_view>

namespace livetape {

/// Publishes what may be malformed: `channel::publish` takes its host at its word, and what is not
/// JSON then breaks the message of every subscriber. Checks that a payload of the kind `json` is
/// one JSON value (RFC 8259), that one of the kind `text` is UTF-8, and that the key is; anything
/// else is refused as `publish_refusal::bad_payload`.
///
/// Costs parsing the payload, some GB/s. Thread safety: safe from any thread, as the channel is.
[[nodiscard]] inline publish_result publish_checked(channel& to, std::string_view payload,
                                                    publish_options const& options = {}) {
    bool const is_good = (options.kind != payload_kind::json || detail::is_json(payload)) &&
                         (options.kind != payload_kind::text || is_utf8(payload)) &&
                         is_utf8(options.key);
    if (!is_good) return {0, false, publish_refusal::bad_payload};
    return to.try_publish(payload, options);
}

} // namespace livetape
