#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <livetape/channel/cursor.hpp>
#include <livetape/channel/subscriber.hpp>
#include <livetape/channel_pattern.hpp>
#include <livetape/error.hpp>
#include <livetape/transport/command.hpp>
#include <livetape/transport/delivery_choice.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/refusal_reason.hpp>
#include <livetape/wire/body_framing.hpp>
#include <livetape/wire/query.hpp>
#include <livetape/wire/request_head.hpp>
#include <livetape/wire/sha1.hpp>

namespace livetape {

/// Reads a number such as `0.5` or `1e3`; one that no double holds becomes infinite. False if the
/// text is anything else.
[[nodiscard]] inline bool parse_decimal(std::string_view text, double& out) noexcept {
    auto const* const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, out);
    bool const is_beyond = result.ec == std::errc::result_out_of_range;
    if (is_beyond) out = std::numeric_limits<double>::infinity();
    return (is_beyond || result.ec == std::errc{}) && result.ptr == end;
}

/// Reads a whole number; one beyond the type becomes the largest that it has, because every limit
/// is below. False if the text is anything else.
template <class Number>
[[nodiscard]] bool parse_whole(std::string_view text, Number& out) noexcept {
    auto const* const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, out);
    bool const is_beyond = result.ec == std::errc::result_out_of_range;
    if (is_beyond) out = std::numeric_limits<Number>::max();
    return (is_beyond || result.ec == std::errc{}) && result.ptr == end;
}

/// A query in which a parameter stands twice that can have one value only: which one counts would
/// be a guess.
[[nodiscard]] inline refusal_reason
refuse_repetitions(http::query const& from, std::initializer_list<std::string_view> names) {
    for (auto const name : names)
        if (from.count(name) > 1) return {error::bad_query, std::string{name} + " is there twice"};
    return {};
}

/// The subscriptions that a request asks for in its path and query:
/// `?channel=a&channel=b` or `?channel=a,b`, `cursor=`, `snapshot=1`, `mode=latest`, `rate=10`, and
/// `subscribe={"subscribe":"c","keys":["x,y"]}` for a channel that is delivered in a way of its
/// own.
class subscribe_request {
public:
    subscribe_request() = default;
    // The cursor's names are views into the text beside it.
    subscribe_request(subscribe_request const&) = delete;
    subscribe_request& operator=(subscribe_request const&) = delete;

    /// Reads the query of a request.
    /// @param path_channel  the channel that the path names, percent-encoded; empty if none
    /// @param has_last_event_id  whether a Last-Event-ID field wins over the cursor, as on SSE
    [[nodiscard]] refusal_reason parse(http::request_head const& head,
                                       std::string_view path_channel, bool has_last_event_id,
                                       std::size_t channels_max);

    [[nodiscard]] std::vector<std::string> const& channels() const noexcept { return channels_; }
    [[nodiscard]] cursor const& from() const noexcept { return cursor_; }
    [[nodiscard]] std::string_view cursor_text() const noexcept { return cursor_text_; }

    /// Whether one of the channels is a pattern.
    [[nodiscard]] bool has_pattern() const noexcept {
        for (auto const& each : channels_)
            if (has_wildcard(each)) return true;
        return false;
    }

    [[nodiscard]] bool has_snapshot() const noexcept { return has_snapshot_; }

    /// How that channel is to be delivered: as its own command says, else as the query does.
    [[nodiscard]] delivery_choice const& delivery(std::string_view channel) const noexcept {
        for (auto const& each : commands_)
            if (each.channel == channel) return each.delivery;
        return delivery_;
    }

    /// Whether only some keys of some channel are wanted.
    [[nodiscard]] bool has_keys() const noexcept {
        bool has_any = delivery_.keys.has_value();
        for (auto const& each : commands_) has_any = has_any || each.delivery.keys;
        return has_any;
    }

    /// Another parameter as a number, `otherwise` if it is missing; a malformed one sets `wrong`.
    [[nodiscard]] std::uint32_t number(std::string_view name, std::uint32_t otherwise,
                                       refusal_reason& wrong) const {
        auto const text = query_.get(name);
        if (!text) return otherwise;
        std::uint32_t value = 0;
        if (parse_whole(*text, value)) return value;
        wrong = {error::bad_query, std::string{name} + " must be a whole number"};
        return otherwise;
    }

private:
    refusal_reason add_channels(std::string_view list, std::size_t channels_max);
    refusal_reason add_command(std::string_view json, std::size_t channels_max);
    refusal_reason add_channel(std::string_view name, std::size_t channels_max);
    refusal_reason read_delivery();

    http::query query_;
    std::vector<std::string> channels_;
    std::vector<command> commands_; // of the channels with a way of their own
    std::string cursor_text_;
    cursor cursor_;
    delivery_choice delivery_;
    bool has_snapshot_ = false;
};

/// Where a cursor puts a subscription to one channel; nothing if it is a single channel's cursor
/// and there are several.
[[nodiscard]] inline std::optional<start_position> start_of(cursor const& from,
                                                            std::string_view channel,
                                                            bool has_snapshot,
                                                            std::size_t channel_count) {
    start_position start;
    start.has_snapshot = has_snapshot;
    switch (from.what()) {
    case cursor::kind::none: break;
    case cursor::kind::now: start.has_snapshot = false; break;
    case cursor::kind::oldest: start.from = start_position::kind::oldest; break;
    case cursor::kind::positions:
        if (from.is_unnamed() && channel_count > 1) return std::nullopt;
        if (auto const at = from.find(channel)) {
            start.from = start_position::kind::after;
            start.after = *at;
        }
        break;
    }
    return start;
}

/// Whether a request announces a body. A session that does not read it must close the connection,
/// or the body would be taken for the next request.
[[nodiscard]] inline bool has_body(http::request_head const& head) noexcept {
    http::body_framing framing;
    auto const refused = http::read_body_framing(head, framing);
    return refused != error::none || framing.is_chunked || framing.length > 0;
}

/// Whether a client may subscribe to a channel that is there or could be; creates nothing.
[[nodiscard]] inline refusal_reason
check_subscribe(live_endpoint const& endpoint, std::string_view identity, std::string_view name) {
    auto const& options = endpoint.options();
    if (!is_channel_name(name)) return {error::bad_channel_name};
    if (options.hooks.subscribe && !options.hooks.subscribe(identity, name))
        return {error::not_authorized, "not allowed to subscribe to \"" + std::string{name} + '"'};
    if (options.clients_may_create_channels || endpoint.source().find(name)) return {};
    return {error::unknown_channel, "there is no channel \"" + std::string{name} + '"'};
}

/// Whether a client may publish into a channel that is there or could be; creates nothing.
[[nodiscard]] inline refusal_reason
check_publish(live_endpoint const& endpoint, std::string_view identity, std::string_view name) {
    auto const& options = endpoint.options();
    if (!is_channel_name(name)) return {error::bad_channel_name};
    // Whoever is allowed to publish everywhere could otherwise make people come and go.
    if (name.starts_with(presence_prefix))
        return {error::not_authorized, "who comes and goes is the server's to say"};
    if (!options.hooks.publish || !options.hooks.publish(identity, name))
        return {error::not_authorized, "not allowed to publish to \"" + std::string{name} + '"'};
    if (options.clients_may_create_channels || endpoint.source().find(name)) return {};
    return {error::unknown_channel, "there is no channel \"" + std::string{name} + '"'};
}

/// Opens the channel that a client named, after the check above.
[[nodiscard]] inline refusal_reason open_channel(live_endpoint& endpoint, std::string_view name,
                                                 std::shared_ptr<channel>& found) {
    auto& hub = endpoint.source();
    found = hub.try_open(name);
    if (found) return {};
    // What else `try_open` refuses: the name of a channel with presence leaves room for its
    // companion's.
    constexpr auto with_presence_max = channel_name_bytes_max - presence_prefix.size();
    if (name.size() > with_presence_max && hub.channel_count() < hub.channels_max())
        return {error::bad_channel_name, "a channel that says who is on it has a name of at most " +
                                             std::to_string(with_presence_max) + " bytes"};
    return {error::too_many_channels,
            "the hub is at its limit of " + std::to_string(hub.channels_max()) + " channels"};
}

/// A connection has as many channels as it may.
[[nodiscard]] inline refusal_reason too_many_channels(std::size_t channels_max) {
    return {error::too_many_channels,
            "a connection can have " + std::to_string(channels_max) + " channels"};
}

/// Keys that a connection watches, but for those of one subscription. O(keys).
[[nodiscard]] inline std::size_t keys_elsewhere(subscriber const& cursors,
                                                subscription const* but = nullptr) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < cursors.count(); ++i) {
        if (&cursors.at(i) == but) continue;
        auto const delivery = cursors.at(i).delivery();
        if (delivery.keys) count += delivery.keys->size();
    }
    return count;
}

/// What a client asks for when it subscribes to one channel.
struct requested_subscription {
    start_position start;
    delivery_choice const& delivery;
    encoding const& format;
};

/// Adds a subscription for a client after every check.
/// @param opened  where the cursor was set, if nothing is refused
/// @param added   the subscription, if nothing is refused
[[nodiscard]] inline refusal_reason subscribe(live_endpoint& endpoint, std::string_view identity,
                                              subscriber& cursors, std::string_view name,
                                              requested_subscription const& wanted,
                                              opened_cursor& opened, subscription*& added) {
    if (auto refused = check_subscribe(endpoint, identity, name)) return refused;
    if (cursors.find(name) != nullptr) return {error::already_subscribed};
    auto const channels_max = endpoint.options().channels_per_session_max;
    if (cursors.count() >= channels_max) return too_many_channels(channels_max);
    delivery_options delivery;
    auto const other_keys = wanted.delivery.keys ? keys_elsewhere(cursors) : 0;
    if (auto refused = apply(wanted.delivery, endpoint.options().delivery, delivery, other_keys))
        return refused;
    std::shared_ptr<channel> source;
    if (auto refused = open_channel(endpoint, name, source)) return refused;
    added = &cursors.add(source, wanted.format, wanted.start, delivery, opened);
    if (!opened.is_ahead) return {};
    cursors.remove(*added);
    return {error::bad_cursor, "the cursor is ahead of channel \"" + std::string{name} + '"'};
}

/// What a client publishes, and what names the publish.
struct client_publish {
    std::string_view channel;
    std::string_view payload;
    std::string_view key{};
    payload_kind kind = payload_kind::json;
    std::string_view message_id{}; ///< the client's own, so that a retry is known; or empty
};

/// The place of a client's event, and whether it had been published before.
struct client_published {
    position at;
    bool is_duplicate = false;
};

/// Publishes what a client sent, after `check_publish`.
/// @param done  if nothing is refused
[[nodiscard]] inline refusal_reason publish_from_client(live_endpoint& endpoint,
                                                        std::string_view identity,
                                                        client_publish const& wanted,
                                                        client_published& done) {
    std::shared_ptr<channel> to;
    if (auto refused = open_channel(endpoint, wanted.channel, to)) return refused;
    std::string id;
    if (!wanted.message_id.empty()) {
        // Ids are of their client's making: those of another must not meet them. Half a digest
        // keeps them short, whatever the identity is.
        auto const scope = websocket::sha1(identity);
        id.assign(scope.begin(), scope.begin() + 16).append(wanted.message_id);
    }
    auto const result = to->try_publish(wanted.payload, {wanted.key, wanted.kind, id});
    done = {{to->epoch(), result.offset}, result.is_duplicate};
    auto const& limits = to->options();
    switch (result.refusal) {
    case publish_refusal::none: return {};
    case publish_refusal::id_too_long:
        return {error::id_too_long, "the id of a message and its sender have at most " +
                                        std::to_string(limits.publish_id_bytes_max) + " bytes"};
    case publish_refusal::no_channel: return {error::unknown_channel};
    case publish_refusal::bad_payload: return {error::bad_payload};
    case publish_refusal::payload_too_large:
    case publish_refusal::key_too_long: break;
    }
    return {error::payload_too_large,
            "a payload has at most " + std::to_string(limits.payload_bytes_max) +
                " bytes and a key " + std::to_string(limits.key_bytes_max)};
}

inline refusal_reason subscribe_request::parse(http::request_head const& head,
                                               std::string_view path_channel,
                                               bool has_last_event_id, std::size_t channels_max) {
    // Each channel may be a parameter of its own, and there are some besides.
    auto const parameters_max = std::max(channels_max + 16, http::query::parameters_max_default);
    auto query = http::query::parse(head.query(), parameters_max);
    if (!query) return {error::bad_query, "the query is not well-formed name=value pairs"};
    query_ = std::move(*query);

    std::string decoded;
    if (!http::percent_decode(path_channel, decoded)) return {error::bad_channel_name};
    if (!path_channel.empty()) channels_.push_back(std::move(decoded));
    for (auto const& [name, value] : query_) {
        refusal_reason refused;
        if (name == "channel") refused = add_channels(value, channels_max);
        if (name == "subscribe") refused = add_command(value, channels_max);
        if (refused) return refused;
    }

    if (auto refused = refuse_repetitions(
            query_, {"cursor", "snapshot", "mode", "rate", "interval", "wait", "limit"}))
        return refused;
    if (auto refused = read_delivery()) return refused;
    if (auto const snapshot = query_.get("snapshot")) {
        has_snapshot_ = *snapshot == "1" || *snapshot == "true";
        if (!has_snapshot_ && *snapshot != "0" && *snapshot != "false")
            return {error::bad_query, "snapshot must be 1 or 0"};
    }

    if (auto const text = query_.get("cursor")) cursor_text_ = *text;
    auto const last_event_id = has_last_event_id ? head.field("Last-Event-ID") : std::nullopt;
    if (last_event_id && !last_event_id->empty()) cursor_text_ = *last_event_id;
    auto parsed = cursor::parse(cursor_text_, std::max<std::size_t>(channels_max, 1));
    if (!parsed) return {error::bad_cursor};
    cursor_ = std::move(*parsed);
    if (cursor_.is_unnamed() && (channels_.size() > 1 || has_pattern()))
        return {error::bad_cursor,
                "this cursor is a single channel's, and several channels are asked for"};
    return {};
}

inline refusal_reason subscribe_request::read_delivery() {
    if (auto const mode = query_.get("mode"); mode && !parse_mode(*mode, delivery_))
        return {error::unsupported, std::string{modes_offered}};
    if (query_.get("rate") && query_.get("interval"))
        return {error::bad_query, "give either rate or interval"};
    for (std::string_view const name : {"rate", "interval"}) {
        auto const text = query_.get(name);
        double value = 0;
        if (!text) continue;
        if (!parse_decimal(*text, value))
            return {error::bad_query, std::string{name} + " must be a number"};
        set_interval(name == "rate", value, delivery_);
    }
    for (auto const& [name, value] : query_) {
        if (name != "keys") continue;
        auto& keys = delivery_.keys ? *delivery_.keys : delivery_.keys.emplace();
        for (std::string_view rest = value; !rest.empty();) {
            auto const comma = std::min(rest.find(','), rest.size());
            keys.emplace_back(rest.substr(0, comma));
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    return {};
}

inline refusal_reason subscribe_request::add_channels(std::string_view list,
                                                      std::size_t channels_max) {
    for (bool more = true; more;) {
        auto const comma = list.find(',');
        more = comma != std::string_view::npos;
        if (auto refused = add_channel(list.substr(0, comma), channels_max)) return refused;
        if (more) list.remove_prefix(comma + 1);
    }
    return {};
}

inline refusal_reason subscribe_request::add_channel(std::string_view name,
                                                     std::size_t channels_max) {
    if (channels_.size() >= channels_max) return too_many_channels(channels_max);
    channels_.emplace_back(name);
    return {};
}

/// The same command as on WebSocket, for what a query cannot say of one channel alone.
inline refusal_reason subscribe_request::add_command(std::string_view json,
                                                     std::size_t channels_max) {
    command read;
    if (auto failure = parse_command(json, read); failure.what != error::none)
        return {failure.what, "subscribe: " + std::move(failure.detail)};
    if (read.what != command::kind::subscribe)
        return {error::bad_message, "subscribe: the command of a query is a subscribe"};
    if (!read.cursor.empty() || read.has_snapshot || read.delivery.credit)
        return {error::bad_message, "subscribe: cursor and snapshot are parameters of the query, "
                                    "and credit is given on WebSocket"};
    if (auto refused = add_channel(read.channel, channels_max)) return refused;
    commands_.push_back(std::move(read));
    return {};
}

} // namespace livetape
