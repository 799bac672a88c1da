#pragma once

#include <livetape/transport/json_reader.hpp>
#include <livetape/wire/base64.hpp>

namespace livetape {

namespace detail {

/// One client message while its fields are read; the first failure stands.
class command_reader {
public:
    command_reader(simdjson::dom::object object, std::string_view message, command& read)
        : object_{object}, message_{message}, read_{read} {}

    command_failure run() {
        read_id();
        read_kind();
        if (!failed()) refuse_unsupported();
        if (!failed() && read_.what == command::kind::subscribe) read_subscribe();
        if (!failed() && read_.what == command::kind::publish) read_publish();
        return failure_;
    }

private:
    [[nodiscard]] bool failed() const noexcept { return failure_.what != error::none; }

    void fail(error what, std::string detail) {
        if (!failed()) failure_ = {what, std::move(detail)};
    }

    [[nodiscard]] bool has(char const* name) const {
        return object_.at_key(name).error() == simdjson::SUCCESS;
    }

    /// A field that must be a string if it is there.
    std::optional<std::string_view> text(char const* name) {
        auto const field = object_.at_key(name);
        if (field.error() != simdjson::SUCCESS) return std::nullopt;
        std::string_view value;
        if (field.get(value) == simdjson::SUCCESS) return value;
        fail(error::bad_message, '"' + std::string{name} + "\" must be a string");
        return std::nullopt;
    }

    void read_id() {
        auto const field = object_.at_key("id");
        if (field.error() != simdjson::SUCCESS) return;
        simdjson::dom::element id;
        if (field.get(id) != simdjson::SUCCESS) return;
        auto json = simdjson::minify(id);
        if ((id.is_number() || id.is_string()) && json.size() <= command_id_bytes_max)
            read_.id = std::move(json);
        else
            fail(error::bad_message, "\"id\" must be a number or a string of at most " +
                                         std::to_string(command_id_bytes_max) + " bytes");
    }

    void read_kind() {
        struct name_and_kind {
            char const* name;
            command::kind what;
        };
        constexpr name_and_kind known[] = {{"subscribe", command::kind::subscribe},
                                           {"unsubscribe", command::kind::unsubscribe},
                                           {"publish", command::kind::publish}};
        int found = 0;
        for (auto const& [name, what] : known) {
            if (!has(name)) continue;
            ++found;
            read_.what = what;
            if (auto const channel = text(name)) read_.channel = *channel;
        }
        for (auto const* name : {"presence", "history"})
            if (has(name))
                fail(error::unsupported, std::string{name} + " is not offered by this server");
        if (found != 1)
            fail(error::bad_message, "send an object with exactly one of \"subscribe\", "
                                     "\"unsubscribe\" and \"publish\", naming a channel");
    }

    void refuse_unsupported() {
        if (auto const mode = text("mode"); mode && *mode != "every")
            fail(error::unsupported, "the only mode that this server offers is \"every\"");
        for (auto const* name : {"rate", "keys"})
            if (has(name))
                fail(error::unsupported,
                     '"' + std::string{name} + "\" is not offered by this server");
    }

    void read_subscribe() {
        if (auto const cursor = text("cursor")) read_.cursor = *cursor;
        auto const snapshot = object_.at_key("snapshot");
        if (snapshot.error() == simdjson::SUCCESS &&
            snapshot.get(read_.has_snapshot) != simdjson::SUCCESS)
            fail(error::bad_message, "\"snapshot\" must be true or false");
    }

    void read_publish() {
        if (auto const key = text("key")) read_.key = *key;
        auto const encoded = text("data64");
        if (has("data") == encoded.has_value()) {
            fail(error::bad_message,
                 "a publish needs either \"data\" (any JSON) or \"data64\" (base64)");
        } else if (!encoded) {
            read_.payload = raw_data();
        } else if (decode_base64(*encoded, read_.payload)) {
            read_.payload_is = payload_kind::binary;
        } else {
            fail(error::bad_payload, "\"data64\" must be base64 with padding");
        }
    }

    /// The text of "data" as the client wrote it, so that no number changes its form. The message
    /// is known to be valid; the second parser only finds where the value begins and ends.
    std::string raw_data() {
        thread_local simdjson::ondemand::parser parser;
        simdjson::padded_string const padded{message_};
        simdjson::ondemand::document document;
        simdjson::ondemand::value value;
        std::string_view raw;
        if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
            document.find_field_unordered("data").get(value) != simdjson::SUCCESS ||
            simdjson::to_json_string(value).get(raw) != simdjson::SUCCESS)
            fail(error::bad_json, {});
        return std::string{raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1)};
    }

    simdjson::dom::object object_;
    std::string_view message_;
    command& read_;
    command_failure failure_;
};

} // namespace detail

inline command_failure parse_command(std::string_view message, command& read) {
    if (message.empty()) return {error::bad_json, "not JSON: the message is empty"};
    simdjson::dom::object object;
    auto const parsed = detail::json_parser().parse(message.data(), message.size());
    if (parsed.error() != simdjson::SUCCESS)
        return {error::bad_json,
                std::string{"not JSON: "} + simdjson::error_message(parsed.error())};
    if (parsed.get(object) != simdjson::SUCCESS) return {error::bad_json, "send a JSON object"};
    return detail::command_reader{object, message, read}.run();
}

} // namespace livetape
