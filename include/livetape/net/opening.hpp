#pragma once

#include <chrono>
#include <cstdint>
#include <system_error>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/socket_base.hpp>

#include <livetape/intrusive_ref.hpp>
#include <livetape/net/live_connection.hpp>
#include <livetape/net/shard.hpp>
#include <livetape/net/stream_traits.hpp>
#include <livetape/time.hpp>

namespace livetape {

/// A connection before its first request, while the stream of a `stream_layer` opens.
///
/// Owned by its pending operation alone. Calls `done(error, stream)` exactly once, unless it is
/// cancelled or the server stops meanwhile: without error the stream may be moved from; else the
/// reason is told, and the stream stays until the peer has had the time to read why.
/// Thread safety: shared objects unsafe; the stream's io_context owns it.
template <class Stream, class Done>
class opening final : public live_connection, private wheel_timer {
public:
    /// Makes it and starts.
    static void start(Stream stream, connection_list& listed, Done done,
                      std::chrono::milliseconds timeout) {
        self_ref const self{new opening{std::move(stream), std::move(done)}};
        listed.push_back(*self);
        self->shard_.fire_by(*self, clock::now() + timeout);
        std::error_code ignored;
        self->stream_.lowest_layer().non_blocking(true, ignored);
        self->go_on();
    }

    /// There is nobody yet to say good-bye to.
    void shut_down() override { cancel(); }

    void cancel() noexcept override {
        self_ref const self{this};
        end();
    }

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) delete this;
    }

private:
    enum class phase : std::uint8_t { opening, lingering, over };

    using self_ref = intrusive_ref<opening>;

    // The time to read why it failed.
    static constexpr std::chrono::seconds linger_time{2};

    opening(Stream stream, Done done)
        : wheel_timer{&opening::expire}, stream_{std::move(stream)},
          shard_{shard::of(detail::context_of(stream_))}, done_{std::move(done)} {}

    ~opening() override { shard_.cancel(*this); }

    static void expire(wheel_timer& timer) noexcept {
        self_ref const self{static_cast<opening*>(&timer)};
        auto const was = std::exchange(self->phase_, phase::over);
        if (was == phase::opening) self->done_(asio::error::timed_out, self->stream_);
        self->end();
    }

    void go_on() {
        if (phase_ == phase::over) return;
        if (phase_ == phase::lingering) return drop_input();
        std::error_code ec;
        auto const wanted = stream_.open(ec);
        if (ec == asio::error::would_block) return wait(wanted);
        if (ec) return fail(ec);
        phase_ = phase::over;
        shard_.cancel(*this);
        unlink();
        done_(ec, stream_);
    }

    void wait(asio::socket_base::wait_type wanted) {
        stream_.lowest_layer().async_wait(
            wanted, [self = self_ref{this}](std::error_code) { self->go_on(); });
    }

    /// Closing while input is unread would send a reset, which may overtake the alert.
    void fail(std::error_code why) {
        phase_ = phase::lingering;
        shard_.cancel(*this);
        shard_.fire_by(*this, clock::now() + linger_time);
        done_(why, stream_);
        std::error_code ec;
        stream_.lowest_layer().shutdown(asio::socket_base::shutdown_send, ec);
        if (ec) end();
        else if (phase_ == phase::lingering) drop_input();
    }

    void drop_input() {
        std::error_code ec;
        auto const buffer = shard_.read_buffer();
        auto const into = asio::buffer(buffer.data(), buffer.size());
        stream_.lowest_layer().read_some(into, ec);
        if (!ec || ec == asio::error::would_block) wait(asio::socket_base::wait_read);
        else end();
    }

    void end() noexcept {
        phase_ = phase::over;
        std::error_code ignored;
        stream_.lowest_layer().close(ignored);
        shard_.cancel(*this);
        unlink();
    }

    void unlink() noexcept { list_hook<live_connection>::unlink(); }

    Stream stream_;
    shard& shard_;
    Done done_;
    std::uint32_t references_ = 0;
    phase phase_ = phase::opening;
};

} // namespace livetape
