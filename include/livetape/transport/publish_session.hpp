#pragma once

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/transport/client_request.hpp>
#include <livetape/transport/command.hpp>
#include <livetape/transport/json_reader.hpp>
#include <livetape/transport/outbox.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/subscription_protocol.hpp>
#include <livetape/wire/body.hpp>
#include <livetape/wire/field_list.hpp>
#include <livetape/wire/query.hpp>
#include <livetape/wire/response.hpp>
#include <livetape/wire/utf8.hpp>

namespace livetape {

/// One publish: `POST /publish?channel=…&key=…&message_id=…` with the payload as body, answered
/// with
/// `{"published":"chat","offset":12,"cursor":"…"}`, and `"duplicate":true` if it is a retry. The
/// field Idempotency-Key says the same as the parameter `message_id`, which wins.
///
/// `Content-Type` says what the payload is: `application/json` is checked to be JSON, `text/…` to
/// be UTF-8, anything else is binary. Refused, before the body is read, unless the host's hook
/// allows it.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class publish_session {
public:
    publish_session(session_context const& context, http::request_head const& head,
                    std::string_view path);

    void feed(std::span<char> bytes, time_point now) {
        // A byte buys a millisecond, so that a body that drips ends as one that does not come.
        waiting_since_ = std::min(now, waiting_since_ + std::chrono::milliseconds{bytes.size()});
        std::string_view input{bytes.data(), bytes.size()};
        if (is_reading_) read(input);
        // After a refusal the rest of the body may come; it is nobody's.
        if (end_ != session_end::handback) return;
        unread_.append(input);
        if (unread_.size() > endpoint_.options().message_bytes_max) end_ = session_end::abort;
    }

    [[nodiscard]] bool wants_input() const noexcept { return unread_.size() < pipelined_bytes_max; }

    /// Requests that came before the end are still answered.
    void end_of_input(time_point) noexcept {
        if (is_reading_) end_ = session_end::abort;
        else if (end_ == session_end::handback && unread_.empty()) end_ = session_end::close;
    }

    void gather(write_batch& batch, time_point now) {
        out_.gather_replies(batch);
        out_.begin_write(batch, now);
    }

    void settle(write_batch& batch, std::size_t written, time_point now) {
        out_.settle(batch, written, now);
    }

    [[nodiscard]] time_point wake(time_point now) {
        if (!is_reading_ && !out_.has_unsent()) return never;
        auto const since = is_reading_ ? waiting_since_ : out_.unsent_since();
        auto const deadline = since + endpoint_.options().write_timeout;
        if (now < deadline) return deadline;
        if (is_reading_) {
            refuse({error::request_timeout});
        } else {
            endpoint_.errors().count(error::stalled);
            end_ = session_end::abort;
        }
        return never;
    }

    [[nodiscard]] session_end end() const noexcept { return end_; }

    void shut_down(time_point) noexcept {
        keep_alive_ = false;
        if (end_ == session_end::handback) end_ = session_end::close;
    }

    [[nodiscard]] subscriber& cursors() noexcept { return cursors_; }
    [[nodiscard]] std::string take_unread() { return std::move(unread_); }

private:
    refusal_reason open();
    void read(std::string_view& input);
    refusal_reason publish(client_published& done);
    [[nodiscard]] refusal_reason why_unreadable() const {
        if (body_.failure() != error::body_too_large) return {body_.failure()};
        return {error::body_too_large, "a body has at most " +
                                           std::to_string(endpoint_.options().message_bytes_max) +
                                           " bytes"};
    }
    [[nodiscard]] std::string_view message_id() const noexcept {
        if (auto const given = query_.get("message_id")) return *given;
        return head_.field("Idempotency-Key").value_or(std::string_view{});
    }
    void refuse(refusal_reason const& why, std::string_view extra_fields = {});

    live_endpoint& endpoint_;
    outbox out_;
    subscriber cursors_; // without subscriptions: what the driver asks every session for
    http::request_head head_;
    client_identity identity_;
    http::query query_;
    http::body_reader body_;
    std::string unread_;
    time_point waiting_since_; ///< for the body
    session_end end_ = session_end::none;
    bool is_reading_ = false;
    bool keep_alive_ = false;
};

/// The transport that takes events instead of giving them.
struct publish_transport {
    using session = publish_session;

    [[nodiscard]] static bool matches(http::request_head const&, std::string_view path) noexcept {
        return path == "/publish";
    }
};

inline publish_session::publish_session(session_context const& context,
                                        http::request_head const& head, std::string_view)
    : endpoint_{context.endpoint}, cursors_{context.wakes}, head_{head},
      body_{head, context.endpoint.options().message_bytes_max}, waiting_since_{context.now},
      keep_alive_{http::keep_alive(head)} {
    if (head.method() == "OPTIONS") {
        // A browser asks before it sends JSON to another origin.
        out_.lane() = endpoint_.answer_preflight(head, "POST",
                                                 "Content-Type, Authorization, Idempotency-Key");
        end_ = session_end::close;
        return;
    }
    if (head.method() != "POST") {
        refuse({error::method_not_allowed}, "Allow: POST, OPTIONS\r\n");
        return;
    }
    if (auto const why = open()) {
        refuse(why);
        return;
    }
    is_reading_ = true;
    std::string_view nothing;
    read(nothing);
    if (is_reading_ && http::expects_continue(head_))
        out_.lane() += "HTTP/1.1 100 Continue\r\n\r\n";
}

/// Everything that can be decided without the body.
inline refusal_reason publish_session::open() {
    if (auto const why = endpoint_.admit(head_, identity_); why != error::none) return {why};
    auto query = http::query::parse(head_.query());
    if (!query) return {error::bad_query, "the query is not well-formed name=value pairs"};
    query_ = std::move(*query);
    auto const channel = query_.get("channel");
    if (!channel || query_.count("channel") > 1)
        return {error::bad_query, "name one channel: ?channel=NAME"};
    if (auto refused = refuse_repetitions(query_, {"key", "message_id"})) return refused;
    if (!is_utf8(query_.get("key").value_or("")))
        return {error::bad_query, "the key must be UTF-8"};
    if (message_id().size() > message_id_bytes_max)
        return {error::id_too_long, "the id of a message has at most " +
                                        std::to_string(message_id_bytes_max) + " bytes"};
    return check_publish(endpoint_, identity_.id, *channel);
}

inline void publish_session::read(std::string_view& input) {
    auto const status = body_.feed(input);
    if (status == parse_status::need_more) return;
    is_reading_ = false;
    if (status == parse_status::failed) return refuse(why_unreadable());
    client_published done;
    if (auto const why = publish(done)) return refuse(why);

    std::string json;
    append_published(json, query_.get("channel").value_or(""), {}, done.at, done.is_duplicate);
    json += '\n';
    auto& lane = out_.lane();
    http::append_status_line(lane, 200);
    lane += "Content-Type: application/json\r\nCache-Control: no-store\r\n";
    http::append_content_length(lane, json.size());
    http::append_connection(lane, keep_alive_, head_.minor_version());
    lane += endpoint_.cross_origin_fields(head_);
    http::append_end_of_head(lane);
    lane += json;
    end_ = keep_alive_ ? session_end::handback : session_end::close;
}

inline refusal_reason publish_session::publish(client_published& done) {
    auto const type = head_.field("Content-Type").value_or("");
    auto const media_type = http::trim_whitespace(type.substr(0, type.find(';')));
    auto kind = payload_kind::binary;
    if (http::equals_ignoring_case(media_type, "application/json")) {
        kind = payload_kind::json;
        if (auto const fault = detail::parse_json(body_.body()).error(); fault != simdjson::SUCCESS)
            return {error::bad_payload,
                    "the body is not one JSON value: " + detail::json_fault(fault)};
    } else if (http::equals_ignoring_case(media_type.substr(0, 5), "text/")) {
        kind = payload_kind::text;
        if (!is_utf8(body_.body())) return {error::bad_payload, "the text is not UTF-8"};
    }
    return publish_from_client(endpoint_, identity_.id,
                               {query_.get("channel").value_or(""), body_.body(),
                                query_.get("key").value_or(""), kind, message_id()},
                               done);
}

inline void publish_session::refuse(refusal_reason const& why, std::string_view extra_fields) {
    out_.lane() += endpoint_.refuse(why.what, why.detail, head_, extra_fields);
    is_reading_ = false;
    end_ = session_end::close;
}

} // namespace livetape
