#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <simdjson.h>

#include <livetape/client/feed_event.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/base64.hpp>
#include <livetape/wire/json_number.hpp>

namespace livetape {

/// One message of the server's (docs/protocol.md), whichever transport it came over.
struct server_message {
    enum class kind : std::uint8_t {
        event,
        gap,
        subscribed,
        unsubscribed,
        error,
        other, ///< of a later version, or an answer to what nobody here asked; to be ignored
    };

    kind what = kind::other;
    feed_event event{}; ///< of an event; for `subscribed` and `unsubscribed` channel and cursor
    feed_gap gap{};
    std::uint64_t id = 0; ///< the command's; 0 if it had none
    bool is_recovered = false;
    livetape::error failure = livetape::error::none;
    std::string message{}; ///< of an error
    std::string pattern{}; ///< of `subscribed`, if a pattern brought the channel
};

/// What a poll was answered.
struct poll_answer {
    std::string cursor;
    std::vector<server_message> messages; ///< gaps, then events
};

namespace detail {

/// The fields of one message, in whatever order they come; what is of the wrong type is as if it
/// were malformed. Thread safety: distinct objects safe; shared objects unsafe.
class message_fields {
public:
    message_fields() = default;

    /// @param has_bytes  whether an event's data follow the message
    explicit message_fields(bool has_bytes) : has_bytes_{has_bytes} {}

    /// @return whether the message is one of the protocol
    [[nodiscard]] bool read(simdjson::ondemand::object object, server_message& out) {
        for (auto field : object) {
            std::string_view name;
            simdjson::ondemand::value value;
            if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
                field.value().get(value) != simdjson::SUCCESS || !read(name, value, out))
                return false;
        }
        return finish(out);
    }

private:
    using kind = server_message::kind;

    [[nodiscard]] bool read(std::string_view name, simdjson::ondemand::value value,
                            server_message& out) {
        auto& event = out.event;
        if (name == "channel") return is(kind::event, out) && read(value, event.channel);
        if (name == "gap") return is(kind::gap, out) && read(value, out.gap.channel);
        if (name == "subscribed") return is(kind::subscribed, out) && read(value, event.channel);
        if (name == "unsubscribed")
            return is(kind::unsubscribed, out) && read(value, event.channel);
        if (name == "error") return is(kind::error, out) && read_error(value, out);
        if (name == "offset") return value.get(event.offset) == simdjson::SUCCESS;
        if (name == "key") return read(value, event.key.emplace());
        if (name == "data") return has_data_ = true, read_raw(value, event.data);
        if (name == "count") return value.get(event.count) == simdjson::SUCCESS;
        if (name == "data64") return read_binary(value, event);
        if (name == "cursor") return has_cursor_ = true, read(value, event.cursor);
        if (name == "from") return has_from_ = true, value.get(out.gap.from) == simdjson::SUCCESS;
        if (name == "to") return has_to_ = true, value.get(out.gap.to) == simdjson::SUCCESS;
        if (name == "reason") return has_reason_ = true, read(value, out.gap.reason);
        if (name == "pattern") return read(value, out.pattern);
        if (name == "recovered")
            return has_recovered_ = true, value.get(out.is_recovered) == simdjson::SUCCESS;
        // An id of another form is not one that this client gave.
        if (name == "id" && value.get(out.id) != simdjson::SUCCESS) out.id = 0;
        return true;
    }

    /// A message is of one kind.
    [[nodiscard]] static bool is(kind what, server_message& out) {
        bool const is_first = out.what == kind::other;
        out.what = what;
        return is_first;
    }

    [[nodiscard]] static bool read(simdjson::ondemand::value value, std::string& out) {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) return false;
        out = text;
        return true;
    }

    /// The value as it was written, so that no number changes its form.
    [[nodiscard]] static bool read_raw(simdjson::ondemand::value value, std::string& out) {
        std::string_view raw;
        if (simdjson::to_json_string(value).get(raw) != simdjson::SUCCESS) return false;
        out = raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1);
        return true;
    }

    [[nodiscard]] bool read_binary(simdjson::ondemand::value value, feed_event& out) {
        std::string_view encoded;
        has_data_ = out.is_binary = true;
        return value.get(encoded) == simdjson::SUCCESS && decode_base64(encoded, out.data);
    }

    [[nodiscard]] static bool read_error(simdjson::ondemand::value value, server_message& out) {
        simdjson::ondemand::object about;
        std::string_view code;
        if (value.get(about) != simdjson::SUCCESS || about["code"].get(code) != simdjson::SUCCESS)
            return false;
        out.failure = livetape::error::bad_envelope;
        for (std::size_t i = 1; i < error_count; ++i)
            if (describe(static_cast<livetape::error>(i)).name == code)
                out.failure = static_cast<livetape::error>(i);
        std::string_view message;
        if (about["message"].get(message) != simdjson::SUCCESS) return false;
        out.message = message;
        return true;
    }

    [[nodiscard]] bool finish(server_message const& out) const {
        switch (out.what) {
        case kind::event:
            return out.event.offset != 0 && out.event.count != 0 && has_data_ != has_bytes_;
        case kind::gap: return has_from_ && has_to_ && has_reason_;
        case kind::subscribed: return has_cursor_ && has_recovered_;
        case kind::unsubscribed: return has_cursor_;
        case kind::error:
        case kind::other: return true;
        }
        return false;
    }

    bool has_bytes_ = false;
    bool has_data_ = false;
    bool has_cursor_ = false;
    bool has_from_ = false;
    bool has_to_ = false;
    bool has_reason_ = false;
    bool has_recovered_ = false;
};

inline simdjson::dom::parser& feed_dom_parser() {
    thread_local simdjson::dom::parser parser;
    return parser;
}

inline simdjson::ondemand::parser& feed_ondemand_parser() {
    thread_local simdjson::ondemand::parser parser;
    return parser;
}

/// Whether the text is one JSON object. simdjson's second parser looks only at what it is asked
/// for; this one looks at all. A number that it cannot hold is no mistake of the text's: the caller
/// gets the digits.
[[nodiscard]] inline bool is_json_object(simdjson::padded_string const& json) {
    simdjson::dom::element whole;
    auto const failure = feed_dom_parser().parse(json).get(whole);
    if (failure == simdjson::SUCCESS) return whole.is_object();
    return is_number_error(failure);
}

[[nodiscard]] inline bool read_list(simdjson::ondemand::value value, server_message::kind what,
                                    std::vector<server_message>& out) {
    simdjson::ondemand::array list;
    if (value.get(list) != simdjson::SUCCESS) return false;
    for (auto each : list) {
        simdjson::ondemand::object one;
        auto& message = out.emplace_back();
        if (each.get(one) != simdjson::SUCCESS || !message_fields{}.read(one, message) ||
            message.what != what)
            return false;
    }
    return true;
}

} // namespace detail

namespace detail {

[[nodiscard]] inline bool read_server_message(std::string_view json, bool has_bytes,
                                              server_message& out) {
    // The parsers copy what they are given, also when there is none to copy from.
    if (json.empty()) return false;
    simdjson::padded_string const padded{json};
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    out = {};
    return is_json_object(padded) &&
           feed_ondemand_parser().iterate(padded).get(document) == simdjson::SUCCESS &&
           document.get_object().get(object) == simdjson::SUCCESS &&
           message_fields{has_bytes}.read(object, out);
}

} // namespace detail

/// Reads one text message of a WebSocket, or the data of one event of an event stream.
///
/// @param out  unspecified unless the answer is error::none
/// @return error::bad_envelope if it is not JSON, or is not what the protocol says
[[nodiscard]] inline error parse_server_message(std::string_view json, server_message& out) {
    return detail::read_server_message(json, false, out) ? error::none : error::bad_envelope;
}

/// Reads one binary message of a WebSocket: an event's envelope without data, a line feed, and the
/// bytes that were published.
///
/// @param out  unspecified unless the answer is error::none
/// @return error::bad_envelope if it is anything else
[[nodiscard]] inline error parse_binary_server_message(std::string_view message,
                                                       server_message& out) {
    auto const end = message.find('\n');
    if (end == std::string_view::npos ||
        !detail::read_server_message(message.substr(0, end), true, out) ||
        out.what != server_message::kind::event)
        return error::bad_envelope;
    out.event.is_binary = true;
    out.event.data = message.substr(end + 1);
    return error::none;
}

/// Reads the body of a poll's answer.
///
/// @param out  unspecified unless the answer is error::none
/// @return error::bad_envelope if it is not JSON, or is not what the protocol says
[[nodiscard]] inline error parse_poll_answer(std::string_view json, poll_answer& out) {
    if (json.empty()) return error::bad_envelope;
    simdjson::padded_string const padded{json};
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    out = {};
    if (!detail::is_json_object(padded) ||
        detail::feed_ondemand_parser().iterate(padded).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS)
        return error::bad_envelope;
    std::vector<server_message> events;
    bool has_cursor = false;
    bool has_events = false;
    for (auto field : object) {
        std::string_view name;
        std::string_view text;
        simdjson::ondemand::value value;
        bool is_good = field.unescaped_key().get(name) == simdjson::SUCCESS &&
                       field.value().get(value) == simdjson::SUCCESS;
        if (is_good && name == "cursor") {
            is_good = value.get(text) == simdjson::SUCCESS;
            out.cursor = text;
            has_cursor = true;
        } else if (is_good && name == "events") {
            is_good = detail::read_list(value, server_message::kind::event, events);
            has_events = true;
        } else if (is_good && name == "gaps") {
            is_good = detail::read_list(value, server_message::kind::gap, out.messages);
        }
        if (!is_good) return error::bad_envelope;
    }
    for (auto& each : events) out.messages.push_back(std::move(each));
    return has_cursor && has_events ? error::none : error::bad_envelope;
}

/// Reads what a refused request was told: `{"error":{"code":…,"message":…}}`.
/// @return error::none if the body is something else, as of a proxy
[[nodiscard]] inline error parse_refusal(std::string_view body, std::string& message) {
    server_message found;
    if (parse_server_message(body, found) != error::none ||
        found.what != server_message::kind::error)
        return error::none;
    message = std::move(found.message);
    return found.failure;
}

/// The text of an event whose data is a JSON string, which is how text is sent; nothing if it is
/// another kind of JSON, or binary.
[[nodiscard]] inline std::optional<std::string> text_of(feed_event const& event) {
    if (event.is_binary || event.data.empty() || event.data.front() != '"') return std::nullopt;
    std::string_view text;
    if (detail::feed_dom_parser().parse(event.data).get(text) != simdjson::SUCCESS)
        return std::nullopt;
    return std::string{text};
}

} // namespace livetape
