#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <livetape/transport/encodings.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/stream_session.hpp>
#include <livetape/transport/subscription_protocol.hpp>
#include <livetape/wire/sse_block.hpp>

namespace livetape {

/// The format of Server-Sent Events (WHATWG HTML §9.2): `/sse?channel=…` with the envelope as data,
/// `/sse/raw/<channel>` with the payload alone.
///
/// Each event of a single channel carries its position as `id`; with several channels each flush
/// ends with a block that holds only the `id` of all positions.
class sse_format {
public:
    static constexpr std::string_view raw_prefix = "/sse/raw/";

    explicit sse_format(std::string_view path) noexcept : is_raw_{path.starts_with(raw_prefix)} {}

    [[nodiscard]] std::optional<std::string_view>
    path_channel(std::string_view path) const noexcept {
        if (!is_raw_) return std::nullopt;
        return path.substr(raw_prefix.size());
    }

    [[nodiscard]] static std::string_view content_type() noexcept { return "text/event-stream"; }

    [[nodiscard]] encoding const& events(std::size_t channel_count) const noexcept {
        if (is_raw_) return encoding_of<sse_raw_encoder>;
        return channel_count == 1 ? encoding_of<sse_json_encoder> : encoding_of<sse_shared_encoder>;
    }

    [[nodiscard]] static bool has_cursor_after_flush(std::size_t channel_count) noexcept {
        return channel_count > 1;
    }

    static void append_start(std::string& out, std::string_view cursor,
                             std::chrono::milliseconds retry) {
        sse::append_block(out, {.id = cursor, .retry = retry});
    }

    static void append_cursor(std::string& out, std::string_view cursor) {
        sse::append_block(out, {.id = cursor});
    }

    /// Raw streams carry nothing but payloads as messages, so there a notice has a type of its own.
    void append_gap(std::string& out, std::string_view channel, gap const& missed) const {
        std::string json;
        livetape::append_gap(json, channel, missed);
        sse::append_block(out, {.data = json, .event = is_raw_ ? "gap" : ""});
    }

    void append_end(std::string& out, std::string_view channel, position const& at) const {
        std::string json;
        append_unsubscribed(json, channel, {}, at, "closed");
        sse::append_block(out, {.data = json, .event = is_raw_ ? "closed" : ""});
    }

    void append_error(std::string& out, error what, std::string_view detail = {}) const {
        std::string json;
        livetape::append_error(json, what, detail, {});
        sse::append_block(out, {.data = json, .event = is_raw_ ? "error" : ""});
    }

    static void append_heartbeat(std::string& out) { sse::append_comment(out); }

private:
    bool is_raw_;
};

/// Subscriptions over Server-Sent Events.
using sse_session = stream_session<sse_format>;

/// The SSE transport.
struct sse_transport {
    using session = sse_session;

    [[nodiscard]] static bool matches(http::request_head const&, std::string_view path) noexcept {
        return path == "/sse" || path.starts_with(sse_format::raw_prefix);
    }
};

} // namespace livetape
