#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <livetape/channel/subscriber.hpp>
#include <livetape/transport/outbox.hpp>
#include <livetape/transport/session.hpp>

namespace livetape {

/// Writes one whole HTTP response and is done: files, pages of the host, refusals by the router.
/// Thread safety: shared objects unsafe; the shard's thread owns it.
class response_session {
public:
    /// @param response    head and body
    /// @param keep_alive  whether the stream can carry another request afterwards
    response_session(dispatcher& wakes, std::string response, bool keep_alive,
                     std::chrono::milliseconds write_timeout)
        : cursors_{wakes}, write_timeout_{write_timeout}, end_{keep_alive ? session_end::handback
                                                                          : session_end::close} {
        out_.lane() = std::move(response);
    }

    void feed(std::span<char> bytes, time_point) {
        if (end_ != session_end::handback) return;
        unread_.append(bytes.data(), bytes.size());
        if (unread_.size() > unread_bytes_max) end_ = session_end::abort;
    }

    [[nodiscard]] bool wants_input() const noexcept { return unread_.size() < pipelined_bytes_max; }

    /// Requests that came before the end are still answered.
    void end_of_input(time_point) noexcept {
        if (end_ == session_end::handback && unread_.empty()) end_ = session_end::close;
    }

    void gather(write_batch& batch, time_point now) {
        out_.gather_replies(batch);
        out_.begin_write(batch, now);
    }

    void settle(write_batch& batch, std::size_t written, time_point now) {
        out_.settle(batch, written, now);
    }

    [[nodiscard]] time_point wake(time_point now) noexcept {
        if (!out_.has_unsent()) return never;
        auto const deadline = out_.unsent_since() + write_timeout_;
        if (now < deadline) return deadline;
        end_ = session_end::abort;
        return never;
    }

    [[nodiscard]] session_end end() const noexcept { return end_; }
    void shut_down(time_point) noexcept {
        if (end_ == session_end::handback) end_ = session_end::close;
    }

    [[nodiscard]] subscriber& cursors() noexcept { return cursors_; }
    [[nodiscard]] std::string take_unread() { return std::move(unread_); }

private:
    // For drivers that feed more than is wanted.
    static constexpr std::size_t unread_bytes_max = std::size_t{1} << 20;

    outbox out_;
    subscriber cursors_; // without subscriptions: what the driver asks every session for
    std::string unread_;
    std::chrono::milliseconds write_timeout_;
    session_end end_;
};

static_assert(session<response_session>);

} // namespace livetape
