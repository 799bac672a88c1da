#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/channel/subscriber.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/outbox.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/wire/request_parser.hpp>
#include <livetape/wire/response.hpp>

namespace livetape {

/// What a client may send before anybody knows what it wants.
struct request_options {
    http::head_limits head{};

    /// From the first byte of a request to the end of its head; drip-feeding ends here.
    std::chrono::milliseconds head_timeout{10'000};

    /// How long a connection may stay silent before its first request and between two of them.
    std::chrono::milliseconds keep_alive_timeout{75'000};
};

/// Reads one request head from a connection: the session before the session. It ends with
/// `handback` once the head is there, and `take_head` gives it; a bad head is answered and closed.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class request_session {
public:
    /// For drivers: a client sends its request as soon as it is connected.
    static constexpr bool peer_speaks_first = true;

    request_session(error_counters& errors, dispatcher& wakes, time_point now,
                    request_options const& options)
        : errors_{errors}, options_{options}, parser_{options.head}, cursors_{wakes}, since_{now} {}

    void feed(std::span<char> bytes, time_point now) {
        std::string_view input{bytes.data(), bytes.size()};
        if (end_ == session_end::none) {
            auto const had_begun = parser_.has_begun();
            auto const status = parser_.feed(input);
            if (!had_begun) since_ = now;
            if (status == parse_status::done) end_ = session_end::handback;
            if (status == parse_status::failed) refuse(parser_.failure());
        }
        // What follows a request that was refused is nobody's.
        if (end_ == session_end::handback) unread_.append(input);
    }

    void end_of_input(time_point) noexcept {
        if (end_ == session_end::none) end_ = session_end::abort;
    }

    void gather(write_batch& batch, time_point now) {
        out_.gather_replies(batch);
        out_.begin_write(batch, now);
    }

    void settle(write_batch& batch, std::size_t written, time_point now) {
        out_.settle(batch, written, now);
    }

    [[nodiscard]] time_point wake(time_point now) {
        if (end_ != session_end::none) return out_.has_unsent() ? wake_for_refusal(now) : never;
        auto const deadline =
            since_ + (parser_.has_begun() ? options_.head_timeout : options_.keep_alive_timeout);
        if (now < deadline) return deadline;
        if (parser_.has_begun()) refuse(error::request_timeout);
        else end_ = session_end::abort;
        return never;
    }

    [[nodiscard]] session_end end() const noexcept { return end_; }

    void shut_down(time_point) {
        if (end_ == session_end::none) end_ = session_end::abort;
    }

    [[nodiscard]] subscriber& cursors() noexcept { return cursors_; }

    /// Precondition: it ended with `handback`.
    [[nodiscard]] http::request_head take_head() { return parser_.release(); }
    [[nodiscard]] std::string take_unread() { return std::move(unread_); }

private:
    void refuse(error why) {
        errors_.count(why);
        out_.lane() = http::refusal(why, {}, false);
        end_ = session_end::close;
    }

    [[nodiscard]] time_point wake_for_refusal(time_point now) noexcept {
        auto const deadline = out_.unsent_since() + options_.head_timeout;
        if (now < deadline) return deadline;
        errors_.count(error::stalled);
        end_ = session_end::abort;
        return never;
    }

    error_counters& errors_;
    request_options const& options_;
    http::request_parser parser_;
    outbox out_;
    subscriber cursors_; // without subscriptions: what the driver asks every session for
    std::string unread_;
    time_point since_;
    session_end end_ = session_end::none;
};

static_assert(session<request_session>);

} // namespace livetape
