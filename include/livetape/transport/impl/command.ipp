#pragma once

#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/transport/json_reader.hpp>
#include <livetape/wire/base64.hpp>

namespace livetape {

namespace detail {

/// One client message while its fields are read; the first failure stands.
class command_reader {
public:
    command_reader(simdjson::dom::object object, std::string_view message, command& read)
        : object_{object}, message_{message}, read_{read} {}

    /// @param has_bytes  whether the payload of a publish stands elsewhere
    command_failure run(bool has_bytes = false) {
        read_id();
        refuse_repetitions();
        read_kind();
        if (failed()) return failure_;
        switch (read_.what) {
        case command::kind::subscribe: read_subscribe(); break;
        case command::kind::change: read_delivery(); break;
        case command::kind::credit:
            read_.flushes = number<std::uint32_t>("flushes", 1).value_or(0);
            if (read_.flushes == 0)
                fail(error::bad_message, "a credit names the \"flushes\" that it gives");
            break;
        case command::kind::publish: read_publish(has_bytes); break;
        case command::kind::history: read_history(); break;
        case command::kind::unsubscribe:
        case command::kind::stats:
        case command::kind::presence: break;
        }
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

    /// A field that must be true or false if it is there.
    [[nodiscard]] bool truth(char const* name) {
        auto const field = object_.at_key(name);
        bool value = false;
        if (field.error() == simdjson::SUCCESS && field.get(value) != simdjson::SUCCESS)
            fail(error::bad_message, '"' + std::string{name} + "\" must be true or false");
        return value;
    }

    /// A field that must be a whole number from `least` on if it is there.
    template <class Number>
    [[nodiscard]] std::optional<Number> number(char const* name, std::uint64_t least = 0) {
        auto const field = object_.at_key(name);
        if (field.error() != simdjson::SUCCESS) return std::nullopt;
        std::uint64_t value = 0;
        if (field.get(value) == simdjson::SUCCESS && value >= least &&
            value <= std::numeric_limits<Number>::max())
            return static_cast<Number>(value);
        constexpr auto most = std::numeric_limits<Number>::max();
        fail(error::bad_message, '"' + std::string{name} + "\" must be a whole number from " +
                                     std::to_string(least) + " to " + std::to_string(most));
        return std::nullopt;
    }

    /// A field that must be a list of strings or null if it is there.
    [[nodiscard]] std::optional<std::vector<std::string>> list(char const* name) {
        auto const field = object_.at_key(name);
        if (field.error() != simdjson::SUCCESS || field.is_null()) return std::nullopt;
        std::vector<std::string> all;
        simdjson::dom::array items;
        if (field.get(items) == simdjson::SUCCESS) {
            bool is_good = true;
            for (auto const item : items) {
                std::string_view value;
                is_good = is_good && item.get(value) == simdjson::SUCCESS;
                all.emplace_back(value);
            }
            if (is_good) return all;
        }
        fail(error::bad_message, '"' + std::string{name} + "\" must be a list of strings");
        return std::nullopt;
    }

    [[nodiscard]] bool is_null(char const* name) const { return object_.at_key(name).is_null(); }

    void read_id() {
        auto const field = object_.at_key("id");
        if (field.error() != simdjson::SUCCESS) return;
        simdjson::dom::element id;
        if (field.get(id) != simdjson::SUCCESS) return;
        auto json = simdjson::minify(id);
        if (!id.is_number() && !id.is_string())
            return fail(error::bad_message, "\"id\" must be a number or a string");
        if (json.size() > command_id_bytes_max)
            return fail(error::id_too_long, "\"id\" has at most " +
                                                std::to_string(command_id_bytes_max) +
                                                " bytes as JSON");
        read_.id = std::move(json);
    }

    /// RFC 8259 §4 leaves open which of two fields of one name counts. Here none does: whoever
    /// wrote both would be told by nobody that one was dropped.
    void refuse_repetitions() {
        constexpr std::string_view known[] = {
            "subscribe", "unsubscribe", "change", "credit",   "stats",    "publish",
            "history",   "presence",    "id",     "cursor",   "snapshot", "mode",
            "rate",      "interval",    "keys",   "add_keys", "key",      "remove_keys",
            "flushes",   "message_id",  "data",   "data64",   "from",     "to",
            "limit",     "reverse"};
        static_assert(std::size(known) <= 32);
        std::uint32_t seen = 0;
        for (auto const field : object_) {
            auto bit = std::uint32_t{1};
            for (auto const name : known) {
                if (field.key == name) {
                    if ((seen & bit) != 0)
                        fail(error::bad_message, '"' + std::string{name} + "\" is there twice");
                    seen |= bit;
                }
                bit <<= 1;
            }
        }
    }

    void read_kind() {
        struct name_and_kind {
            char const* name;
            command::kind what;
        };
        using kind = command::kind;
        constexpr name_and_kind known[] = {
            {"subscribe", kind::subscribe}, {"unsubscribe", kind::unsubscribe},
            {"change", kind::change},       {"credit", kind::credit},
            {"stats", kind::stats},         {"publish", kind::publish},
            {"history", kind::history},     {"presence", kind::presence}};
        int found = 0;
        for (auto const& [name, what] : known) {
            // A subscription has a field of that name; the command names a channel.
            if (!has(name) || (what == kind::credit && !is_text(name))) continue;
            ++found;
            read_.what = what;
            if (auto const channel = text(name)) read_.channel = *channel;
        }
        if (found != 1)
            fail(error::bad_message,
                 "send an object with exactly one of \"subscribe\", \"unsubscribe\", \"change\", "
                 "\"credit\", \"stats\", \"publish\", \"history\" and \"presence\", naming a "
                 "channel");
    }

    [[nodiscard]] bool is_text(char const* name) const {
        return object_.at_key(name).type().value_unsafe() == simdjson::dom::element_type::STRING;
    }

    void read_subscribe() {
        if (auto const cursor = text("cursor")) read_.cursor = *cursor;
        read_.has_snapshot = truth("snapshot");
        read_delivery();
    }

    void read_delivery() {
        auto& to = read_.delivery;
        if (auto const mode = text("mode")) {
            if (!parse_mode(*mode, to)) fail(error::unsupported, std::string{modes_offered});
        }
        read_interval();
        to.keys = list("keys");
        to.has_all_keys = is_null("keys");
        to.has_unlimited_credit = is_null("credit");
        if (!to.has_unlimited_credit) to.credit = number<std::uint32_t>("credit");
        if (read_.what != command::kind::change) return;
        to.add_keys = list("add_keys").value_or(std::vector<std::string>{});
        to.remove_keys = list("remove_keys").value_or(std::vector<std::string>{});
        if (has("keys") && (has("add_keys") || has("remove_keys")))
            fail(error::bad_message, "give either \"keys\", or \"add_keys\" and \"remove_keys\"");
        if (to.is_empty() && !has("add_keys") && !has("remove_keys"))
            fail(error::bad_message, "a change has at least one of \"mode\", \"rate\", "
                                     "\"interval\", \"keys\", \"add_keys\", "
                                     "\"remove_keys\" and \"credit\"");
    }

    void read_interval() {
        if (has("rate") && has("interval"))
            return fail(error::bad_message, "give either \"rate\" or \"interval\"");
        for (auto const* name : {"rate", "interval"}) {
            if (!has(name)) continue;
            double value = 0;
            if (is_null(name)) read_.delivery.interval = delivery_choice::milliseconds::zero();
            else if (object_.at_key(name).get(value) == simdjson::SUCCESS)
                set_interval(name == std::string_view{"rate"}, value, read_.delivery);
            else fail(error::bad_message, '"' + std::string{name} + "\" must be a number or null");
        }
    }

    void read_publish(bool has_bytes) {
        if (auto const key = text("key")) read_.key = *key;
        if (auto const id = text("message_id")) {
            read_.message_id = *id;
            if (id->size() > message_id_bytes_max)
                fail(error::id_too_long, "\"message_id\" has at most " +
                                             std::to_string(message_id_bytes_max) + " bytes");
        }
        auto const encoded = text("data64");
        if (has_bytes) {
            if (has("data") || encoded)
                fail(error::bad_message,
                     "the data of a binary message are the bytes after the line feed");
            read_.payload_is = payload_kind::binary;
        } else if (has("data") == encoded.has_value()) {
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

    void read_history() {
        read_.history.from = number<std::uint64_t>("from");
        read_.history.to = number<std::uint64_t>("to");
        read_.history.limit = number<std::uint32_t>("limit", 1);
        read_.history.is_reversed = truth("reverse");
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

inline command_failure parse_command(std::string_view message, bool has_bytes, command& read) {
    if (message.empty()) return {error::bad_json, "not JSON: the message is empty"};
    simdjson::dom::object object;
    auto const parsed = parse_json(message);
    if (parsed.error() == simdjson::DEPTH_ERROR)
        return {error::bad_json, "not JSON that this server takes: " + json_fault(parsed.error())};
    if (parsed.error() != simdjson::SUCCESS)
        return {error::bad_json, "not JSON: " + json_fault(parsed.error())};
    if (parsed.get(object) != simdjson::SUCCESS) return {error::bad_json, "send a JSON object"};
    return command_reader{object, message, read}.run(has_bytes);
}

} // namespace detail

inline command_failure parse_command(std::string_view message, command& read) {
    return detail::parse_command(message, false, read);
}

inline command_failure parse_binary_command(std::string_view message, command& read) {
    auto const end = message.find('\n');
    auto failure = detail::parse_command(message.substr(0, end), true, read);
    if (failure.what != error::none) return failure;
    if (read.what != command::kind::publish || end == std::string_view::npos)
        return {error::bad_message,
                "a binary message is a publish as JSON, a line feed, and the bytes"};
    read.payload = message.substr(end + 1);
    return {};
}

} // namespace livetape
