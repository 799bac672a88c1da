#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/transport/client_request.hpp>
#include <livetape/transport/dismissal.hpp>
#include <livetape/transport/encodings.hpp>
#include <livetape/transport/outbox.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/session_channels.hpp>
#include <livetape/transport/subscription_protocol.hpp>
#include <livetape/wire/entity_tag.hpp>
#include <livetape/wire/field_list.hpp>
#include <livetape/wire/response.hpp>

namespace livetape {

/// One poll: `/poll?channel=…&cursor=…&wait=25&limit=100`.
///
/// A long-poll waits until a cursor is behind the end of its log, or the wait is over, answers
/// `{"cursor":"…","events":[…]}` and is done; a short-poll (`wait=0`) answers at once: without a
/// cursor with the current state, with one with the changes since. The cursor is the `ETag`; when
/// nothing changed, `If-None-Match` gets 304. Gaps stand beside the events, under `gaps`. HEAD is
/// answered as GET is, when GET would be, without the body.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class poll_session {
public:
    poll_session(session_context const& context, http::request_head const& head,
                 std::string_view path);

    /// What comes while the poll waits belongs to the next request.
    void feed(std::span<char> bytes, time_point) {
        if (end_ == session_end::close) return;
        unread_.append(bytes.data(), bytes.size());
        if (unread_.size() > endpoint_.options().message_bytes_max) end_ = session_end::abort;
    }

    [[nodiscard]] bool wants_input() const noexcept { return unread_.size() < pipelined_bytes_max; }

    /// Who waits is gone; else requests that came before the end are still answered.
    void end_of_input(time_point) noexcept {
        if (is_waiting_) end_ = session_end::abort;
        else if (end_ == session_end::handback && unread_.empty()) end_ = session_end::close;
    }

    void gather(write_batch& batch, time_point now) {
        if (is_waiting_ && has_news()) answer();
        out_.gather_replies(batch);
        out_.begin_write(batch, now);
    }

    void settle(write_batch& batch, std::size_t written, time_point now) {
        out_.settle(batch, written, now);
    }

    [[nodiscard]] time_point wake(time_point now) {
        if (is_waiting_) {
            if (now < deadline_) return deadline_;
            answer();
        }
        if (!out_.has_unsent()) return never;
        auto const stalled_at = out_.unsent_since() + endpoint_.options().write_timeout;
        if (now < stalled_at) return stalled_at;
        endpoint_.errors().count(error::stalled);
        end_ = session_end::abort;
        return never;
    }

    [[nodiscard]] session_end end() const noexcept { return end_; }

    /// A waiting poll is answered with what there is: nothing.
    void shut_down(time_point) {
        keep_alive_ = false;
        if (is_waiting_) answer();
        else if (end_ == session_end::handback) end_ = session_end::close;
    }

    /// A poll that waits is answered so; the answer of one that does not is on its way.
    void dismiss(std::string_view whom, dismissal const& why, time_point) {
        if (whom != identity_.id) return;
        keep_alive_ = false;
        if (end_ == session_end::handback) end_ = session_end::close;
        if (!is_waiting_) return;
        endpoint_.errors().count(error::dismissed);
        out_.lane() = http::refusal(error::dismissed, why.reason, false, answer_fields_);
        finish();
    }

    [[nodiscard]] subscriber& cursors() noexcept { return cursors_; }
    [[nodiscard]] std::string take_unread() { return std::move(unread_); }

private:
    refusal_reason open(subscribe_request const& request, bool is_short);
    refusal_reason open_one(subscribe_request const& request, std::string_view name,
                            bool has_snapshot, std::vector<pattern_match>& opened);
    [[nodiscard]] session_channels& channels();
    void refuse(refusal_reason const& why, http::request_head const& head);
    void answer();
    void append_events();
    [[nodiscard]] bool has_news();
    void append_head(unsigned status, std::string_view etag, std::size_t body_bytes);
    [[nodiscard]] bool is_behind() const noexcept;
    [[nodiscard]] bool is_known_to_client(std::string_view etag) const noexcept;
    [[nodiscard]] std::string reached() const;
    [[nodiscard]] std::string at_end() const;
    template <class PositionOf>
    [[nodiscard]] std::string positions(PositionOf position_of) const;
    void finish();

    live_endpoint& endpoint_;
    dispatcher& wakes_;
    outbox out_;
    subscriber cursors_;
    client_identity identity_;
    std::unique_ptr<session_channels> channels_; ///< null unless patterns or presence need it
    std::string unread_;
    std::string gaps_;   ///< gap notices, each after a comma
    std::string events_; ///< envelopes, each after a comma
    std::string if_none_match_;
    std::string answer_fields_; ///< field lines for pages of other origins
    time_point deadline_;
    std::uint32_t events_max_ = 0;
    session_end end_ = session_end::none;
    bool is_waiting_ = false;
    bool keep_alive_ = false;
    bool is_http_1_0_ = false;
    bool is_head_ = false;     ///< of the answer only the head is wanted
    bool is_shared_ = false;   ///< several channels, or patterns
    bool is_filtered_ = false; ///< only some keys are wanted
};

/// The long-poll and short-poll transport.
struct poll_transport {
    using session = poll_session;

    [[nodiscard]] static bool matches(http::request_head const&, std::string_view path) noexcept {
        return path == "/poll";
    }
};

inline poll_session::poll_session(session_context const& context, http::request_head const& head,
                                  std::string_view)
    : endpoint_{context.endpoint}, wakes_{context.wakes}, cursors_{context.wakes},
      deadline_{context.now}, keep_alive_{http::keep_alive(head) && !has_body(head)},
      is_http_1_0_{head.minor_version() == 0}, is_head_{head.method() == "HEAD"} {
    auto const& options = endpoint_.options();
    subscribe_request request;
    if (head.method() == "OPTIONS") {
        out_.lane() = endpoint_.answer_preflight(head, "GET, HEAD", "Authorization, If-None-Match");
        keep_alive_ = false;
        finish();
        return;
    }
    if (head.method() != "GET" && !is_head_) {
        refuse({error::method_not_allowed}, head);
        return;
    }
    refusal_reason why{endpoint_.admit(head, identity_)};
    if (!why) why = request.parse(head, {}, false, options.channels_per_session_max);
    if (!why && request.channels().empty())
        why = {error::bad_query, "name at least one channel: ?channel=NAME"};
    std::uint32_t const wait = why ? 0 : request.number("wait", 0, why);
    std::uint32_t const limit = why ? 0 : request.number("limit", options.poll_events_max, why);
    if (!why && limit == 0) why = {error::bad_query, "limit must be at least 1"};
    events_max_ = std::min(limit, options.poll_events_max);
    if (!why) why = open(request, wait == 0);
    if (why) {
        refuse(why, head);
        return;
    }

    // What a poll that begins now and waits will hold does not depend on its cursor alone.
    bool const begins_now =
        request.from().what() == cursor::kind::now ||
        (request.from().what() == cursor::kind::none && !request.has_snapshot());
    if (auto const tags = head.field("If-None-Match"); tags && (wait == 0 || !begins_now))
        if_none_match_ = *tags;
    answer_fields_ = endpoint_.cross_origin_fields(head);
    auto const longest =
        std::chrono::duration_cast<std::chrono::seconds>(options.poll_wait_max).count();
    deadline_ += std::min<std::chrono::milliseconds>(
        std::chrono::seconds{std::min<std::int64_t>(wait, longest + 1)}, options.poll_wait_max);
    is_waiting_ = true;
    if (channels_) channels_->stay_until(deadline_ + options.presence_linger);
    if (deadline_ <= context.now || has_news() || !gaps_.empty()) answer();
}

/// @param is_short  a short-poll without a cursor gets the state
inline refusal_reason poll_session::open(subscribe_request const& request, bool is_short) {
    auto const& names = request.channels();
    is_filtered_ = request.has_keys();
    is_shared_ = names.size() > 1 || request.has_pattern();
    auto const has_snapshot =
        request.has_snapshot() || (is_short && request.from().what() == cursor::kind::none);
    std::vector<pattern_match> opened;
    for (auto const& name : names)
        if (auto refused = open_one(request, name, has_snapshot, opened)) return refused;
    for (auto const& each : opened) {
        if (each.is_beyond_limit())
            return too_many_channels(endpoint_.options().channels_per_session_max);
        auto const missed = each.missed();
        if (!missed) continue;
        gaps_ += ',';
        append_gap(gaps_, each.name(), *missed);
        endpoint_.errors().count(error::gap);
    }
    return {};
}

inline refusal_reason poll_session::open_one(subscribe_request const& request,
                                             std::string_view name, bool has_snapshot,
                                             std::vector<pattern_match>& opened) {
    if (has_wildcard(name))
        return channels().subscribe(
            {name, request.cursor_text(), has_snapshot, request.delivery(name)}, opened);
    pattern_match one;
    auto const start = start_of(request.from(), name, has_snapshot, request.channels().size());
    requested_subscription const wanted{*start, request.delivery(name),
                                        encoding_of<json_list_encoder>};
    if (auto refused =
            subscribe(endpoint_, identity_.id, cursors_, name, wanted, one.opened, one.added))
        return refused;
    if (one.added->source().members() != nullptr) channels().enter(one.added->source());
    opened.push_back(std::move(one));
    return {};
}

inline session_channels& poll_session::channels() {
    // A channel that comes while the poll waits begins with its first event, which is news enough;
    // one too many is told when the client polls again.
    if (!channels_)
        channels_ = std::make_unique<session_channels>(
            endpoint_, cursors_, wakes_, encoding_of<json_list_encoder>, &identity_,
            [](void*, pattern_match const&) {}, this);
    return *channels_;
}

inline void poll_session::refuse(refusal_reason const& why, http::request_head const& head) {
    auto const allow = why.what == error::method_not_allowed ? "Allow: GET, HEAD, OPTIONS\r\n" : "";
    out_.lane() = endpoint_.refuse(why.what, why.detail, head, allow);
    keep_alive_ = false;
    finish();
}

inline void poll_session::answer() {
    // The state's tag is the cursor that comes with it, so an unchanged state is known before its
    // events are read.
    std::string etag = '"' + at_end() + '"';
    bool is_unchanged = events_.empty() && is_known_to_client(etag);
    if (!is_unchanged) {
        append_events();
        etag = '"' + reached() + '"';
        is_unchanged = events_.empty() && is_known_to_client(etag);
    }
    if (is_unchanged) {
        append_head(304, etag, 0);
        return finish();
    }

    std::string body = R"({"cursor":)";
    body += etag;
    if (!gaps_.empty()) {
        gaps_.front() = '[';
        body += R"(,"gaps":)";
        body += gaps_;
        body += ']';
    }
    body += R"(,"events":[)";
    if (!events_.empty()) body.append(events_, 1);
    body += "]}\n";
    append_head(200, etag, body.size());
    if (!is_head_) out_.lane() += body;
    finish();
}

inline void poll_session::append_events() {
    write_batch batch;
    subscriber::missed_events missed;
    while (events_max_ > 0 && events_.size() < endpoint_.options().poll_bytes_max) {
        auto const taken = cursors_.take(batch, missed, events_max_);
        if (taken == subscriber::taken::nothing) return;
        if (taken == subscriber::taken::gap && missed.is_end) continue;
        if (taken == subscriber::taken::gap) {
            gaps_ += ',';
            append_gap(gaps_, missed.of->source().name(), missed.range);
            endpoint_.errors().count(error::gap);
            continue;
        }
        events_ += batch.piece(0);
        events_max_ -= batch.event_count();
        batch.settle(batch.bytes());
    }
}

inline void poll_session::append_head(unsigned status, std::string_view etag,
                                      std::size_t body_bytes) {
    auto& lane = out_.lane();
    http::append_status_line(lane, status);
    if (status != 304) {
        lane += "Content-Type: application/json\r\n";
        http::append_content_length(lane, body_bytes);
    }
    http::append_field(lane, "ETag", etag);
    lane += "Cache-Control: no-cache, no-transform\r\n";
    http::append_connection(lane, keep_alive_, is_http_1_0_ ? 0 : 1);
    lane += answer_fields_;
    http::append_end_of_head(lane);
}

/// Whether there is an event to answer with; a wake-up alone may be for one that was read before.
inline bool poll_session::is_behind() const noexcept {
    if (!cursors_.is_due()) return false;
    for (std::size_t i = 0; i < cursors_.count(); ++i)
        if (cursors_.at(i).is_behind()) return true;
    return false;
}

/// The same, where what is there may be of keys that nobody asked for: that is seen only when it is
/// read, and then the wait goes on.
inline bool poll_session::has_news() {
    // The next poll is told that a channel was closed, so this one has nothing to wait for.
    for (std::size_t i = 0; i < cursors_.count(); ++i)
        if (cursors_.at(i).source().is_closed()) return true;
    if (!is_behind()) return false;
    if (!is_filtered_) return true;
    append_events();
    return !events_.empty() || !gaps_.empty();
}

inline bool poll_session::is_known_to_client(std::string_view etag) const noexcept {
    return gaps_.empty() && http::matches_entity_tag(if_none_match_, etag);
}

/// The cursor of everything that was answered so far.
inline std::string poll_session::reached() const {
    return positions([](subscription const& s) { return s.reached(); });
}

/// The cursor after everything that there is.
inline std::string poll_session::at_end() const {
    return positions([](subscription const& s) {
        return position{s.source().epoch(), s.source().last_offset()};
    });
}

template <class PositionOf>
std::string poll_session::positions(PositionOf position_of) const {
    std::string text;
    if (!is_shared_ && cursors_.count() == 1) append_position(text, position_of(cursors_.at(0)));
    for (std::size_t i = 0; is_shared_ && i < cursors_.count(); ++i)
        append_named_position(text, cursors_.at(i).source().name(), position_of(cursors_.at(i)));
    // A pattern without channels yet: all that will be there is new to the client.
    if (text.empty() && is_shared_) text = "oldest";
    return text;
}

/// No more events are wanted; the answer is in the lane.
inline void poll_session::finish() {
    channels_.reset();
    cursors_.clear();
    is_waiting_ = false;
    end_ = keep_alive_ ? session_end::handback : session_end::close;
}

} // namespace livetape
