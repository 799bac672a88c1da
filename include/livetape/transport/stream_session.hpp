#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/channel/cursor.hpp>
#include <livetape/channel/encoding.hpp>
#include <livetape/transport/client_request.hpp>
#include <livetape/transport/dismissal.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/outbox.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/session_channels.hpp>
#include <livetape/wire/response.hpp>

namespace livetape {

/// The format of an event stream: a response that goes on until one side ends it. `stream_session`
/// does everything that does not depend on it, so a host's own streaming transport is a format, an
/// encoder and a path.
///
/// A format is made from the request's path and is then asked:
/// - `path_channel(path)`: the channel that the path names, percent-encoded; nothing if such a path
///   names none
/// - `content_type()`
/// - `events(count)`: the encoding of a stream of that many channels
/// - `has_cursor_after_flush(count)`: whether the events of such a stream do not say where they
///   are, so that each flush must end with the cursor
/// - `append_cursor(out, cursor)`: what tells the client the cursor to come back with; it also
///   opens the stream, unless a snapshot follows, whose events bring their own
/// - `append_start(out, cursor, retry)`, if the format has it: what opens the stream instead. The
///   cursor is empty if a snapshot follows; `retry` is what the client should wait to come back
/// - `append_gap(out, channel, missed)`: a notice of lost events
/// - `append_end(out, channel, at)`, if the format has it: a notice that a channel was closed
/// - `append_error(out, what, detail)`, if the format has it: a notice that something is left out,
///   or of why the stream ends
/// - `append_heartbeat(out)`: something that a client ignores
///
/// `stream_format_base` has defaults for those that have one.
template <class F>
concept stream_format = std::constructible_from<F, std::string_view> &&
    requires(F const f, std::string& out, std::string_view text, gap const& missed,
             std::size_t count) {
    { f.path_channel(text) } -> std::same_as<std::optional<std::string_view>>;
    { f.content_type() } -> std::convertible_to<std::string_view>;
    { f.events(count) } -> std::same_as<encoding const&>;
    { f.has_cursor_after_flush(count) } -> std::same_as<bool>;
    f.append_cursor(out, text);
    f.append_gap(out, text, missed);
    f.append_heartbeat(out);
};

/// What a stream format need not say: no channel in the path, and a cursor after each flush.
struct stream_format_base {
    explicit stream_format_base(std::string_view) noexcept {}

    [[nodiscard]] static std::optional<std::string_view> path_channel(std::string_view) noexcept {
        return std::nullopt;
    }
    [[nodiscard]] static bool has_cursor_after_flush(std::size_t) noexcept { return true; }
};

/// Subscriptions over a response without an end: GET, the query of `subscribe_request`, then events
/// as they come, gap notices, and heartbeats when nothing else was sent for a while. HEAD gets the
/// head of such a response, which then ends.
///
/// The response has no length and ends with the connection, so that an event's bytes are the same
/// for every subscriber.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
template <stream_format Format>
class stream_session {
public:
    stream_session(session_context const& context, http::request_head const& head,
                   std::string_view path);

    /// A client has nothing to say on an event stream; what comes is dropped.
    void feed(std::span<char>, time_point) noexcept {}

    /// A browser that leaves closes both directions; a half-closed stream has no reader to keep.
    void end_of_input(time_point) noexcept {
        if (end_ == session_end::none) end_ = session_end::abort;
    }

    void gather(write_batch& batch, time_point now);
    void settle(write_batch& batch, std::size_t written, time_point now) {
        out_.settle(batch, written, now, trailer_);
        std::string{}.swap(trailer_);
        if (written > 0) last_written_ = now;
    }

    [[nodiscard]] time_point wake(time_point now);
    [[nodiscard]] session_end end() const noexcept { return end_; }

    /// Ends the stream; the client comes back with its last cursor.
    void shut_down(time_point) noexcept {
        if (end_ == session_end::none) end_ = session_end::close;
    }

    void dismiss(std::string_view whom, dismissal const& why, time_point) {
        if (whom != identity_.id || end_ != session_end::none) return;
        endpoint_.errors().count(error::dismissed);
        if constexpr (requires { format_.append_error(out_.lane(), error::none, why.reason); })
            format_.append_error(out_.lane(), error::dismissed, why.reason);
        close();
    }

    [[nodiscard]] subscriber& cursors() noexcept { return cursors_; }
    [[nodiscard]] std::string take_unread() { return {}; }

private:
    void open(session_context const& context, http::request_head const& head,
              subscribe_request const& request);
    refusal_reason subscribe_all(subscribe_request const& request, std::string& gaps,
                                 bool& has_snapshot);
    [[nodiscard]] session_channels& channels();
    void report_match(pattern_match const& match);
    bool report_end(subscription& ended);
    void refuse(refusal_reason const& why, http::request_head const& head);

    /// No events are wanted; what there is to say is in the lane.
    void close() noexcept {
        channels_.reset();
        cursors_.clear();
        end_ = session_end::close;
    }

    void append_gap(std::string& out, std::string_view channel, gap const& missed) {
        format_.append_gap(out, channel, missed);
        endpoint_.errors().count(error::gap);
    }

    [[nodiscard]] bool has_trailer() const {
        return format_.has_cursor_after_flush(event_streams());
    }
    /// What the format is asked by: whether events are of one channel or of several.
    [[nodiscard]] std::size_t event_streams() const noexcept { return is_shared_ ? 2 : 1; }
    [[nodiscard]] std::string reached() const;

    live_endpoint& endpoint_;
    dispatcher& wakes_;
    outbox out_;
    subscriber cursors_;
    client_identity identity_;
    std::unique_ptr<session_channels> channels_; ///< null unless patterns or presence need it
    std::string trailer_;
    time_point last_written_;
    session_end end_ = session_end::none;
    bool is_shared_ = false; ///< several channels, or patterns
    [[no_unique_address]] Format format_;
};

template <stream_format Format>
stream_session<Format>::stream_session(session_context const& context,
                                       http::request_head const& head, std::string_view path)
    : endpoint_{context.endpoint}, wakes_{context.wakes}, cursors_{context.wakes},
      last_written_{context.now}, format_{path} {
    subscribe_request request;
    if (head.method() == "OPTIONS") {
        out_.lane() = endpoint_.answer_preflight(head, "GET, HEAD", "Authorization, Last-Event-ID");
        end_ = session_end::close;
        return;
    }
    if (head.method() != "GET" && head.method() != "HEAD") {
        refuse({error::method_not_allowed}, head);
        return;
    }
    auto const channel = format_.path_channel(path);
    refusal_reason why{endpoint_.admit(head, identity_)};
    if (!why)
        why = request.parse(head, channel.value_or(std::string_view{}), true,
                            endpoint_.options().channels_per_session_max);
    if (!why && request.channels().empty())
        why = {error::bad_query, "name at least one channel: ?channel=NAME"};
    if (!why && channel && (request.channels().size() > 1 || request.has_pattern()))
        why = {error::bad_query, "a raw path takes one channel"};
    if (why) {
        refuse(why, head);
        return;
    }
    open(context, head, request);
}

template <stream_format Format>
void stream_session<Format>::open(session_context const& context, http::request_head const& head,
                                  subscribe_request const& request) {
    std::string gaps;
    bool has_snapshot = false;
    if (auto const why = subscribe_all(request, gaps, has_snapshot)) return refuse(why, head);

    auto const& options = endpoint_.options();
    auto& lane = out_.lane();
    http::append_status_line(lane, 200);
    http::append_field(lane, "Content-Type", format_.content_type());
    lane +=
        "Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nConnection: close\r\n";
    lane += endpoint_.cross_origin_fields(head);
    http::append_end_of_head(lane);
    if (head.method() == "HEAD") return close();
    // The cursor after a gap must not arrive without the notice of the gap.
    lane += gaps;
    // A quiet stream must be resumable before its first event. With a snapshot under way the
    // positions are not reached yet; its events bring their own.
    auto const cursor = has_snapshot ? std::string{} : reached();
    auto const jitter =
        std::chrono::milliseconds{options.sse_retry_jitter.count() * context.random >> 32};
    if constexpr (requires { format_.append_start(lane, cursor, jitter); })
        format_.append_start(lane, cursor, options.sse_retry + jitter);
    else if (!cursor.empty()) format_.append_cursor(lane, cursor);
}

/// Subscribes to everything that the request names; whatever is refused refuses the whole.
template <stream_format Format>
refusal_reason stream_session<Format>::subscribe_all(subscribe_request const& request,
                                                     std::string& gaps, bool& has_snapshot) {
    auto const& names = request.channels();
    // Patterns bring any number of channels.
    is_shared_ = names.size() > 1 || request.has_pattern();
    std::vector<pattern_match> found;
    for (auto const& name : names) {
        if (has_wildcard(name)) {
            pattern_request const wanted{name, request.cursor_text(), request.has_snapshot(),
                                         request.delivery(name)};
            if (auto refused = channels().subscribe(wanted, found)) return refused;
            continue;
        }
        pattern_match one;
        auto const start = start_of(request.from(), name, request.has_snapshot(), names.size());
        requested_subscription const wanted{*start, request.delivery(name),
                                            format_.events(event_streams())};
        if (auto refused =
                subscribe(endpoint_, identity_.id, cursors_, name, wanted, one.opened, one.added))
            return refused;
        if (one.added->source().members() != nullptr) channels().enter(one.added->source());
        found.push_back(std::move(one));
    }
    for (auto const& each : found) {
        if (each.is_beyond_limit())
            return too_many_channels(endpoint_.options().channels_per_session_max);
        has_snapshot = has_snapshot || each.opened.snapshot;
        if (auto const missed = each.missed()) append_gap(gaps, each.name(), *missed);
    }
    return {};
}

template <stream_format Format>
session_channels& stream_session<Format>::channels() {
    if (!channels_)
        channels_ = std::make_unique<session_channels>(
            endpoint_, cursors_, wakes_, format_.events(event_streams()), &identity_,
            [](void* self, pattern_match const& match) {
                static_cast<stream_session*>(self)->report_match(match);
            },
            this);
    return *channels_;
}

/// A channel begins with its first event and needs no notice; one that is left out does.
template <stream_format Format>
void stream_session<Format>::report_match(pattern_match const& match) {
    if (match.added != nullptr || end_ != session_end::none) return;
    auto const why = too_many_channels(endpoint_.options().channels_per_session_max);
    endpoint_.errors().count(why.what);
    if constexpr (requires { format_.append_error(out_.lane(), why.what, why.detail); })
        format_.append_error(out_.lane(), why.what, why.detail);
    cursors_.make_ready();
}

/// A channel was closed; with the last one the stream ends.
template <stream_format Format>
bool stream_session<Format>::report_end(subscription& ended) {
    if constexpr (requires { format_.append_end(out_.lane(), ended.source().name(), position{}); })
        format_.append_end(out_.lane(), ended.source().name(), ended.reached());
    auto const closed = ended.source().shared_from_this();
    cursors_.remove(ended);
    if (channels_) channels_->forget(*closed);
    bool const is_last = cursors_.count() == 0 && !(channels_ && channels_->has_patterns());
    if (is_last) end_ = session_end::close;
    return !is_last;
}

template <stream_format Format>
void stream_session<Format>::refuse(refusal_reason const& why, http::request_head const& head) {
    auto const allow = why.what == error::method_not_allowed ? "Allow: GET, HEAD, OPTIONS\r\n" : "";
    out_.lane() = endpoint_.refuse(why.what, why.detail, head, allow);
    close();
}

/// The cursor of everything that was handed out.
template <stream_format Format>
std::string stream_session<Format>::reached() const {
    std::string text;
    if (!is_shared_ && cursors_.count() == 1) append_position(text, cursors_.at(0).reached());
    for (std::size_t i = 0; is_shared_ && i < cursors_.count(); ++i)
        append_named_position(text, cursors_.at(i).source().name(), cursors_.at(i).reached());
    // A pattern without channels yet: all that will be there is new to the client.
    if (text.empty() && is_shared_) text = "oldest";
    return text;
}

template <stream_format Format>
void stream_session<Format>::gather(write_batch& batch, time_point now) {
    if (end_ != session_end::none) {
        out_.gather_replies(batch);
    } else {
        auto const report_gap = [this](auto const& missed) {
            if (missed.is_end) return report_end(*missed.of);
            append_gap(out_.lane(), missed.of->source().name(), missed.range);
            if (missed.of->source().options().on_overrun == overrun_policy::close)
                end_ = session_end::close;
            return end_ == session_end::none;
        };
        out_.gather(batch, cursors_, report_gap, has_trailer() ? 1 : 0);
        if (has_trailer() && batch.bytes() > out_.reply_bytes()) {
            format_.append_cursor(trailer_, reached());
            batch.add(trailer_);
        }
    }
    out_.begin_write(batch, now);
}

template <stream_format Format>
time_point stream_session<Format>::wake(time_point now) {
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
        format_.append_heartbeat(out_.lane());
        last_written_ = now;
    }
    // While something is unsent, a heartbeat has no point and no deadline.
    if (end_ == session_end::none && !out_.has_unsent())
        next = std::min(next, last_written_ + options.heartbeat_interval);
    return next;
}

} // namespace livetape
