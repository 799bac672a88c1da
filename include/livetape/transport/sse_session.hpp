#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/transport/client_request.hpp>
#include <livetape/transport/encodings.hpp>
#include <livetape/transport/outbox.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/subscription_protocol.hpp>
#include <livetape/wire/response.hpp>
#include <livetape/wire/sse_block.hpp>

namespace livetape {

/// Subscriptions over Server-Sent Events (WHATWG HTML §9.2): `/sse?channel=…` with the envelope as
/// data, `/sse/raw/<channel>` with the payload alone.
///
/// The response has no length and ends with the connection, so that an event's bytes are the same
/// for every subscriber. Each event of a single channel carries its position as `id`; with several
/// channels each flush ends with a block that holds only the `id` of all positions.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class sse_session {
public:
    sse_session(session_context const& context, http::request_head const& head, std::string_view path);

    /// A client has nothing to say on an event stream; what comes is dropped.
    void feed(std::span<char>, time_point) noexcept {}

    /// A browser that leaves closes both directions; a half-closed stream has no reader to keep.
    void end_of_input(time_point) noexcept { end_ = session_end::abort; }

    void gather(write_batch& batch, time_point now);
    void settle(write_batch& batch, std::size_t written, time_point now) {
        out_.settle(batch, written, now, trailer_);
        std::string{}.swap(trailer_);
        if (written > 0) last_written_ = now;
    }

    [[nodiscard]] time_point wake(time_point now);
    [[nodiscard]] session_end end() const noexcept { return end_; }

    /// Ends the stream; the browser comes back by itself with its last event ID.
    void shut_down(time_point) noexcept {
        if (end_ == session_end::none) end_ = session_end::close;
    }

    [[nodiscard]] subscriber& cursors() noexcept { return cursors_; }
    [[nodiscard]] std::string take_unread() { return {}; }

private:
    void open(session_context const& context, http::request_head const& head, subscribe_request const& request,
              std::string_view identity);
    void refuse(refusal_reason const& why, http::request_head const& head);
    void append_gap_block(std::string_view channel, gap const& missed);

    [[nodiscard]] bool has_shared_id() const noexcept { return cursors_.count() > 1; }
    [[nodiscard]] std::string all_positions() const;

    live_endpoint& endpoint_;
    outbox out_;
    subscriber cursors_;
    std::string trailer_;
    time_point last_written_;
    session_end end_ = session_end::none;
    bool is_raw_ = false;
};

/// The SSE transport.
struct sse_transport {
    using session = sse_session;

    [[nodiscard]] static bool matches(http::request_head const&, std::string_view path) noexcept {
        return path == "/sse" || path.starts_with(raw_prefix);
    }

    static constexpr std::string_view raw_prefix = "/sse/raw/";
};

inline sse_session::sse_session(session_context const& context, http::request_head const& head,
                                std::string_view path)
    : endpoint_{context.endpoint}, cursors_{context.wakes}, last_written_{context.now},
      is_raw_{path.starts_with(sse_transport::raw_prefix)} {
    std::string identity;
    subscribe_request request;
    if (head.method() != "GET") {
        refuse({error::method_not_allowed}, head);
        return;
    }
    refusal_reason why{endpoint_.admit(head, identity)};
    if (!why) {
        auto const channel = is_raw_ ? path.substr(sse_transport::raw_prefix.size()) : std::string_view{};
        why = request.parse(head, channel, true, endpoint_.options().channels_per_session_max);
    }
    if (!why && request.channels().empty())
        why = {error::bad_query, "name at least one channel: ?channel=NAME"};
    if (!why && is_raw_ && request.channels().size() > 1)
        why = {error::bad_query, "a raw path takes one channel"};
    if (why) {
        refuse(why, head);
        return;
    }
    open(context, head, request, identity);
}

inline void sse_session::open(session_context const& context, http::request_head const& head,
                              subscribe_request const& request, std::string_view identity) {
    auto const& channels = request.channels();
    auto const& format = is_raw_                  ? encoding_of<sse_raw_encoder>
                         : channels.size() == 1 ? encoding_of<sse_json_encoder>
                                                : encoding_of<sse_shared_encoder>;
    std::string gaps;
    bool has_snapshot = false;
    for (auto const& channel : channels) {
        opened_cursor opened;
        subscription* added = nullptr;
        auto const start = start_of(request.from(), channel, request.has_snapshot(), channels.size());
        auto const why = subscribe(endpoint_, identity, cursors_, channel, *start, format, opened, added);
        if (why) return refuse(why, head);
        has_snapshot = has_snapshot || opened.snapshot;
        if (opened.missed) {
            out_.lane().swap(gaps);
            append_gap_block(channel, *opened.missed);
            out_.lane().swap(gaps);
        }
    }

    auto const& options = endpoint_.options();
    auto& lane = out_.lane();
    http::append_status_line(lane, 200);
    lane += "Content-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\n"
            "X-Accel-Buffering: no\r\nConnection: close\r\n";
    lane += endpoint_.cross_origin_fields(head);
    http::append_end_of_head(lane);
    auto const jitter = std::chrono::milliseconds{options.sse_retry_jitter.count() * context.random >> 32};
    // A quiet stream must be resumable before its first event. With a snapshot under way the
    // positions are not reached yet; its events bring their own.
    std::string const id = has_snapshot ? std::string{} : all_positions();
    sse::append_block(lane, {.id = id, .retry = options.sse_retry + jitter});
    lane += gaps;
}

inline void sse_session::refuse(refusal_reason const& why, http::request_head const& head) {
    cursors_.clear();
    auto const allow = why.what == error::method_not_allowed ? "Allow: GET\r\n" : "";
    out_.lane() = endpoint_.refuse(why.what, why.detail, head, allow);
    end_ = session_end::close;
}

inline void sse_session::append_gap_block(std::string_view channel, gap const& missed) {
    std::string json;
    append_gap(json, channel, missed);
    // Raw streams carry nothing but payloads as messages, so there a notice has a type of its own.
    sse::append_block(out_.lane(), {.data = json, .event = is_raw_ ? "gap" : ""});
    endpoint_.errors().count(error::gap);
}

inline std::string sse_session::all_positions() const {
    std::string id;
    if (cursors_.count() == 1) append_position(id, cursors_.at(0).reached());
    for (std::size_t i = 0; has_shared_id() && i < cursors_.count(); ++i)
        append_named_position(id, cursors_.at(i).source().name(), cursors_.at(i).reached());
    return id;
}

inline void sse_session::gather(write_batch& batch, time_point now) {
    if (end_ != session_end::none) {
        out_.gather_replies(batch);
    } else {
        auto const report_gap = [this](auto const& missed) {
            append_gap_block(missed.of->source().name(), missed.range);
            return true;
        };
        out_.gather(batch, cursors_, report_gap, has_shared_id() ? 1 : 0);
        if (has_shared_id() && batch.bytes() > out_.reply_bytes()) {
            sse::append_block(trailer_, {.id = all_positions()});
            batch.add(trailer_);
        }
    }
    if (!batch.empty()) out_.begin_write(now);
}

inline time_point sse_session::wake(time_point now) {
    auto const& options = endpoint_.options();
    auto next = never;
    if (out_.has_unsent()) {
        next = out_.unsent_since() + options.write_timeout;
        if (now >= next) {
            endpoint_.errors().count(error::stalled);
            end_ = session_end::abort;
            return never;
        }
    } else if (end_ == session_end::none && now >= last_written_ + options.heartbeat_interval) {
        sse::append_comment(out_.lane());
        last_written_ = now;
    }
    if (end_ == session_end::none) next = std::min(next, last_written_ + options.heartbeat_interval);
    return next;
}

} // namespace livetape
