#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/channel/hub.hpp>
#include <livetape/error.hpp>
#include <livetape/transport/client_identity.hpp>
#include <livetape/transport/delivery_choice.hpp>
#include <livetape/transport/history_query.hpp>
#include <livetape/wire/compression.hpp>
#include <livetape/wire/origin.hpp>
#include <livetape/wire/request_head.hpp>
#include <livetape/wire/response.hpp>

namespace livetape {

/// What the host decides about its clients. Each is called on the shard's thread and must not
/// block; several shards may call one at the same time.
struct live_hooks {
    /// Who the client of a request is, kept with the session; the other hooks get its `id`. An
    /// `std::optional<std::string>` will do. Nothing refuses the request with 403. Default:
    /// everybody, as "".
    std::function<std::optional<client_identity>(http::request_head const& head)> connect;

    /// Whether that client may subscribe to a channel. Default: yes.
    std::function<bool(std::string_view identity, std::string_view channel)> subscribe;

    /// Whether that client may publish into a channel. Default: no.
    std::function<bool(std::string_view identity, std::string_view channel)> publish;
};

/// How a set of live paths behaves: every limit, with the reason for its default.
struct live_options {
    /// A client that takes none of the bytes due to it for this long is closed; it may come back
    /// with its cursor. Longer than a phone's change of network.
    std::chrono::milliseconds write_timeout{30'000};

    /// Silence after which something is sent: a ping on WebSocket, a comment on SSE. Below the
    /// 30 s after which the impatient proxies cut an idle connection.
    std::chrono::milliseconds heartbeat_interval{25'000};

    /// A WebSocket client that sends nothing for this long, not even a pong, is closed: three
    /// heartbeats, so that one lost answer is no reason.
    std::chrono::milliseconds idle_timeout{75'000};

    /// How long a WebSocket client has to answer a close frame.
    std::chrono::milliseconds close_timeout{5'000};

    /// The longest wait that a poll may ask for; longer ones are cut to it. Without `wait` it is 0.
    /// A minute is what proxies commonly let a request hang.
    std::chrono::milliseconds poll_wait_max{60'000};

    /// Events in one poll's answer unless it asks for fewer; the client fetches the rest at once.
    std::uint32_t poll_events_max = 1000;

    /// Once the events of a poll's answer, which is built in memory, come to this many bytes, the
    /// answer takes no more of them: one write or one event may be over it.
    std::size_t poll_bytes_max = std::size_t{1} << 20;

    /// What an EventSource waits before it connects again, and what is added to it at random so
    /// that the clients of a stopped server do not come back all at once.
    std::chrono::milliseconds sse_retry{2'000};
    std::chrono::milliseconds sse_retry_jitter{2'000};

    /// Channels on one connection: each costs about 150 bytes and a turn in every flush.
    std::size_t channels_per_session_max = 1000;

    /// Patterns of channel names on one connection. Screens want one or two; a channel that is
    /// created is matched against all of them.
    std::size_t patterns_per_session_max = 100;

    /// Dot-separated tokens of a pattern: each `*` may double the places where a name is looked
    /// for, and real hierarchies are about five deep.
    std::size_t pattern_tokens_max = 16;

    /// Members of a channel that one answer names; the counts are of all.
    std::size_t presence_members_max = 1000;

    /// How long one who polled stays on a channel after the wait that it asked for: the time to
    /// poll again on a slow network.
    std::chrono::milliseconds presence_linger{15'000};

    /// What a subscriber may choose about rates and keys.
    delivery_limits delivery{};

    /// What one answer to a history query holds: as many events as a poll's, and bytes that a
    /// WebSocket client may leave unread before it is read no further.
    history_limits history{};

    /// A WebSocket message from a client, all fragments together, and the body of a publish.
    std::size_t message_bytes_max = std::size_t{1} << 20;

    /// The same for a message to a handler of the host's own: what the usual tools and tests send
    /// at most. It is held in memory if the handler takes whole messages.
    std::size_t handler_message_bytes_max = std::size_t{16} << 20;

    /// Replies, a handler's too, that wait to be written before nothing more is read from their
    /// client; at half of it, reading goes on. One reply may be over it.
    std::size_t reply_bytes_max = std::size_t{256} << 10;

    /// A handler's message over this size is sent in fragments of it, so that a pong or a close
    /// waits for no more. About what a socket takes in one write.
    std::size_t fragment_bytes_max = std::size_t{64} << 10;

    /// Whether a channel that a client names is created if the hub does not have it. Closed by
    /// default, because a stranger could fill the hub.
    bool clients_may_create_channels = false;

    /// What WebSocket clients may agree on to compress messages, such as
    /// `std::make_shared<livetape::websocket::permessage_deflate>()` of wire/deflate.hpp. None by
    /// default: it costs the memory and the time that it says there, and the program links zlib.
    std::shared_ptr<websocket::compression const> compression{};

    /// Whose pages may connect, besides those of the server's own origin.
    http::origin_policy origins{};

    live_hooks hooks{};
};

/// How often each error was answered. Thread safety: shared objects safe.
class error_counters {
public:
    void count(error e) noexcept {
        counts_[static_cast<std::size_t>(e)].fetch_add(1, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t operator[](error e) const noexcept {
        return counts_[static_cast<std::size_t>(e)].load(std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<std::uint64_t>, error_count> counts_{};
};

/// Where sessions serve from: a hub, the options, and the counters of what was refused.
///
/// Thread safety: shared objects safe once made; the hub and the hooks must outlive the sessions.
class live_endpoint {
public:
    explicit live_endpoint(hub& source, live_options options = {})
        : source_{source}, options_{std::move(options)} {}

    [[nodiscard]] hub& source() const noexcept { return source_; }
    [[nodiscard]] live_options const& options() const noexcept { return options_; }
    [[nodiscard]] error_counters& errors() noexcept { return errors_; }
    [[nodiscard]] error_counters const& errors() const noexcept { return errors_; }

    /// Checks origin and permission of a request; on success `identity` is who it is.
    [[nodiscard]] error admit(http::request_head const& head, client_identity& identity) const {
        if (!options_.origins.allows(head)) return error::origin_refused;
        if (!options_.hooks.connect) return error::none;
        auto known = options_.hooks.connect(head);
        if (!known) return error::not_authorized;
        identity = std::move(*known);
        return error::none;
    }

    /// The fields that let an allowed page of another origin read the answer (Fetch §3.2).
    [[nodiscard]] std::string cross_origin_fields(http::request_head const& head) const {
        std::string fields;
        auto const origin = head.field("Origin");
        if (!origin || !options_.origins.allows(head)) return fields;
        http::append_field(fields, "Access-Control-Allow-Origin", *origin);
        http::append_field(fields, "Access-Control-Expose-Headers", "ETag");
        http::append_field(fields, "Vary", "Origin");
        return fields;
    }

    /// Counts an error and gives the whole HTTP response for it, after which the connection closes.
    /// The answer to HEAD has no body (RFC 9110 §9.3.2).
    [[nodiscard]] std::string refuse(error why, std::string_view detail,
                                     http::request_head const& head,
                                     std::string_view extra_fields = {}) {
        errors_.count(why);
        auto response =
            http::refusal(why, detail, false, cross_origin_fields(head).append(extra_fields));
        if (head.method() == "HEAD") response.resize(response.find("\r\n\r\n") + 4);
        return response;
    }

    /// The whole answer to a browser that asks before a page of another origin sends what HTML
    /// alone could not (Fetch §3.2.2), after which the connection closes.
    /// @param method  what the resource takes besides OPTIONS
    /// @param fields  the request fields beyond the usual ones that it understands
    [[nodiscard]] std::string answer_preflight(http::request_head const& head,
                                               std::string_view method, std::string_view fields) {
        if (!options_.origins.allows(head)) return refuse(error::origin_refused, {}, head);
        std::string response;
        http::append_status_line(response, 204);
        response.append("Allow: ").append(method).append(", OPTIONS\r\n");
        http::append_field(response, "Access-Control-Allow-Methods", method);
        http::append_field(response, "Access-Control-Allow-Headers", fields);
        response += "Connection: close\r\n";
        response += cross_origin_fields(head);
        http::append_end_of_head(response);
        return response;
    }

private:
    hub& source_;
    live_options options_;
    error_counters errors_;
};

} // namespace livetape
