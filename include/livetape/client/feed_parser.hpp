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
};

/// What a poll was answered.
struct poll_answer {
    std::string cursor;
    std::vector<server_message> messages; ///< gaps, then events
};

namespace detail {

/// Reads the fields of one message. simdjson's first parser checks the whole text; the second only
/// finds where "data" begins and ends, so that no number changes its form.
class message_fields {
public:
    explicit message_fields(simdjson::dom::object object) : object_{object} {}

    [[nodiscard]] bool has(char const* name) const {
        return object_.at_key(name).error() == simdjson::SUCCESS;
    }

    /// False if the field is missing or of another type.
    template <class Value>
    [[nodiscard]] bool read(char const* name, Value& out) const {
        return object_.at_key(name).get(out) == simdjson::SUCCESS;
    }

    [[nodiscard]] bool read(char const* name, std::string& out) const {
        std::string_view text;
        if (!read(name, text)) return false;
        out = text;
        return true;
    }

    [[nodiscard]] bool read(server_message& out) const {
        using kind = server_message::kind;
        if (has("channel")) return out.what = kind::event, read_event(out.event);
        if (has("gap")) return out.what = kind::gap, read_gap(out.gap);
        if (has("error")) return out.what = kind::error, read_error(out);
        bool const is_subscribed = has("subscribed");
        if (!is_subscribed && !has("unsubscribed")) return true;
        out.what = is_subscribed ? kind::subscribed : kind::unsubscribed;
        read_id(out);
        if (is_subscribed && !read("recovered", out.is_recovered)) return false;
        return read(is_subscribed ? "subscribed" : "unsubscribed", out.event.channel) &&
               read("cursor", out.event.cursor);
    }

private:
    [[nodiscard]] bool read_event(feed_event& out) const {
        std::string_view encoded;
        if (!read("channel", out.channel) || !read("offset", out.offset) || out.offset == 0)
            return false;
        if (has("key") && !read("key", out.key.emplace())) return false;
        if (has("data")) return true; // the caller has its text
        out.is_binary = true;
        return read("data64", encoded) && decode_base64(encoded, out.data);
    }

    [[nodiscard]] bool read_gap(feed_gap& out) const {
        return read("gap", out.channel) && read("from", out.from) && read("to", out.to) &&
               read("reason", out.reason);
    }

    [[nodiscard]] bool read_error(server_message& out) const {
        simdjson::dom::object about;
        std::string_view code;
        if (!read("error", about)) return false;
        message_fields const fields{about};
        if (!fields.read("code", code) || !fields.read("message", out.message)) return false;
        out.failure = livetape::error::bad_envelope;
        for (std::size_t i = 1; i < error_count; ++i)
            if (describe(static_cast<livetape::error>(i)).name == code)
                out.failure = static_cast<livetape::error>(i);
        read_id(out);
        return true;
    }

    void read_id(server_message& out) const {
        if (!read("id", out.id)) out.id = 0;
    }

    simdjson::dom::object object_;
};

inline simdjson::dom::parser& feed_dom_parser() {
    thread_local simdjson::dom::parser parser;
    return parser;
}

inline simdjson::ondemand::parser& feed_ondemand_parser() {
    thread_local simdjson::ondemand::parser parser;
    return parser;
}

/// Puts the text of a JSON value where an event of it goes.
[[nodiscard]] inline bool take_raw_data(simdjson::ondemand::object object, server_message& out) {
    if (out.what != server_message::kind::event || out.event.is_binary) return true;
    simdjson::ondemand::value value;
    std::string_view raw;
    if (object.find_field_unordered("data").get(value) != simdjson::SUCCESS ||
        simdjson::to_json_string(value).get(raw) != simdjson::SUCCESS)
        return false;
    out.event.data = raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1);
    return true;
}

} // namespace detail

/// Reads one message of a WebSocket, or the data of one event of an event stream.
///
/// @param out  unspecified unless the answer is error::none
/// @return error::bad_envelope if it is not JSON, or is not what the protocol says
[[nodiscard]] inline error parse_server_message(std::string_view json, server_message& out) {
    // The parsers copy what they are given, also when there is none to copy from.
    if (json.empty()) return error::bad_envelope;
    simdjson::dom::object object;
    if (detail::feed_dom_parser().parse(json.data(), json.size()).get(object) != simdjson::SUCCESS)
        return error::bad_envelope;
    out = {};
    if (!detail::message_fields{object}.read(out)) return error::bad_envelope;
    if (out.what != server_message::kind::event || out.event.is_binary) return error::none;

    simdjson::padded_string const padded{json};
    simdjson::ondemand::document document;
    simdjson::ondemand::object again;
    if (detail::feed_ondemand_parser().iterate(padded).get(document) != simdjson::SUCCESS ||
        document.get_object().get(again) != simdjson::SUCCESS || !detail::take_raw_data(again, out))
        return error::bad_envelope;
    return error::none;
}

/// Reads the body of a poll's answer.
///
/// @param out  unspecified unless the answer is error::none
/// @return error::bad_envelope if it is not JSON, or is not what the protocol says
[[nodiscard]] inline error parse_poll_answer(std::string_view json, poll_answer& out) {
    if (json.empty()) return error::bad_envelope;
    simdjson::padded_string const padded{json};
    simdjson::dom::object object;
    simdjson::dom::array events;
    simdjson::dom::array gaps;
    if (detail::feed_dom_parser().parse(padded).get(object) != simdjson::SUCCESS)
        return error::bad_envelope;
    detail::message_fields const fields{object};
    out = {};
    if (!fields.read("cursor", out.cursor) || !fields.read("events", events) ||
        (fields.has("gaps") && !fields.read("gaps", gaps)))
        return error::bad_envelope;
    auto const read_all = [&out](simdjson::dom::array const& list, server_message::kind what) {
        for (simdjson::dom::element const each : list) {
            simdjson::dom::object one;
            auto& message = out.messages.emplace_back();
            if (each.get(one) != simdjson::SUCCESS || !detail::message_fields{one}.read(message) ||
                message.what != what)
                return false;
        }
        return true;
    };
    if (fields.has("gaps") && !read_all(gaps, server_message::kind::gap))
        return error::bad_envelope;
    auto const gap_count = out.messages.size();
    if (!read_all(events, server_message::kind::event)) return error::bad_envelope;

    simdjson::ondemand::document document;
    simdjson::ondemand::array again;
    if (detail::feed_ondemand_parser().iterate(padded).get(document) != simdjson::SUCCESS ||
        document.find_field_unordered("events").get(again) != simdjson::SUCCESS)
        return error::bad_envelope;
    auto index = gap_count;
    for (auto each : again) {
        simdjson::ondemand::object one;
        if (index == out.messages.size() || each.get(one) != simdjson::SUCCESS ||
            !detail::take_raw_data(one, out.messages[index++]))
            return error::bad_envelope;
    }
    return error::none;
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
