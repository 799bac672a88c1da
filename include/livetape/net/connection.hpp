#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/socket_base.hpp>

#include <livetape/intrusive_ref.hpp>
#include <livetape/net/live_connection.hpp>
#include <livetape/net/shard.hpp>
#include <livetape/net/stream_traits.hpp>
#include <livetape/transport/session.hpp>

namespace livetape {

/// Drives a session over one stream: reads what arrives, writes what is due, keeps the deadline.
///
/// Which session it is, `connection` below knows; here are the operations, compiled once for each
/// type of stream. Owned by its pending operations alone.
/// Thread safety: shared objects unsafe; the stream's io_context owns it.
template <class Stream>
class basic_connection : public live_connection, private wheel_timer {
public:
    void shut_down() override {
        self_ref const self{this};
        // A stream that waits to go back has nothing left to say.
        if (phase_ == phase::returning) return finish(asio::error::connection_aborted);
        say_goodbye(clock::now());
        pump(clock::now());
    }

    void dismiss(std::string_view identity, dismissal const& why) override {
        if (phase_ != phase::serving) return;
        self_ref const self{this};
        auto const now = clock::now();
        dismiss_session(identity, why, now);
        pump(now);
    }

    void cancel() noexcept override {
        self_ref const self{this};
        phase_ = phase::over;
        close_stream();
    }

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) delete this;
    }

protected:
    explicit basic_connection(Stream stream)
        : wheel_timer{&basic_connection::expire}, stream_{std::move(stream)},
          shard_{shard::of(detail::context_of(stream_))} {}

    ~basic_connection() override { shard_.cancel(*this); }

    /// @param cursors        of the session, which must live as long as this
    /// @param speaks_second  the peer's first bytes are mostly there already
    void begin(subscriber& cursors, std::string received, bool speaks_second) {
        if constexpr (detail::readiness_stream<Stream>) {
            std::error_code ignored;
            if (!stream_.non_blocking()) stream_.non_blocking(true, ignored);
        }
        cursors_ = &cursors;
        cursors_->on_ready(&basic_connection::flush_ready, this);
        // Reading at once then saves a turn of the reactor.
        if constexpr (detail::readiness_stream<Stream>)
            if (speaks_second && received.empty()) return read_ready({});
        auto const now = clock::now();
        if (!received.empty()) feed(received, now);
        pump(now);
        read();
    }

    [[nodiscard]] Stream& stream() noexcept { return stream_; }

private:
    // The session's, see the concept `session`.
    virtual void feed(std::span<char> bytes, time_point now) = 0;
    virtual void end_of_input(time_point now) = 0;
    virtual void gather(write_batch& batch, time_point now) = 0;
    virtual void settle(write_batch& batch, std::size_t written, time_point now) = 0;
    virtual time_point wake(time_point now) = 0;
    virtual void say_goodbye(time_point now) = 0;
    virtual void dismiss_session(std::string_view identity, dismissal const& why,
                                 time_point now) = 0;
    [[nodiscard]] virtual bool wants_input() const noexcept = 0;
    [[nodiscard]] virtual session_end end() const noexcept = 0;

    /// The last call: without an error the stream can carry on, else it has been closed.
    virtual void complete(std::error_code ec) = 0;

    enum class phase : std::uint8_t {
        serving,   ///< the session goes on
        returning, ///< the session is done and the stream goes back once no read is pending
        lingering, ///< our side is shut; what still comes is dropped, so that no reset hurries past
                   ///< our last bytes
        over,      ///< `done` has been called, or the connection was cancelled
    };

    using self_ref = intrusive_ref<basic_connection>;

    // After our side is shut, the peer has this long to read the rest and shut its own.
    static constexpr std::chrono::seconds linger_time{2};
    // Reads in a row from one stream before the others get their turn.
    static constexpr int reads_per_turn = 4;

    static void flush_ready(void* context) noexcept {
        self_ref const self{static_cast<basic_connection*>(context)};
        if (self->cursors_->is_overdrawn()) return self->finish(make_error_code(error::stalled));
        self->write_some(clock::now());
        if (self->end() != session_end::none) self->pump(clock::now());
    }

    static void expire(wheel_timer& timer) noexcept {
        self_ref const self{static_cast<basic_connection*>(&timer)};
        if (self->phase_ == phase::serving) self->pump(clock::now());
        else if (self->phase_ != phase::over) self->finish(asio::error::timed_out);
    }

    /// Writes what is due until there is nothing, the stream is full, or it is the others' turn;
    /// ends the connection if the session is over; sets the next deadline.
    void pump(time_point now) {
        if (phase_ != phase::serving) return;
        auto next = wake(now);
        resume_reading();
        for (;;) {
            if (end() == session_end::abort) return finish(asio::error::connection_aborted);
            if (is_writing_) break;
            bool const wrote = write_some(now);
            if (phase_ != phase::serving) return;
            if (is_writing_ || end() == session_end::none) break;
            if (!wrote) return conclude(now);
        }
        if (is_writing_) next = wake(now);
        if (next != never) shard_.fire_by(*this, next);
    }

    /// One write, if anything is due and none is in flight; false if there was nothing to write.
    bool write_some(time_point now) {
        if (is_writing_ || phase_ != phase::serving) return false;
        if constexpr (detail::readiness_stream<Stream>) return write_ready(now);
        else return write_async(now);
    }

    bool write_ready(time_point now) {
        auto& batch = shard_.batch();
        gather(batch, now);
        if (batch.empty()) return false;
        std::error_code ec;
        std::size_t written = 0;
        if (batch.count() == 1) {
            auto const bytes = batch.piece(0);
            written = stream_.write_some(asio::buffer(bytes.data(), bytes.size()), ec);
        } else {
            buffers pieces;
            written = stream_.write_some(pieces.fill(batch), ec);
        }
        if constexpr (detail::holding_stream<Stream>)
            if (stream_.holds_back()) return hold(written, now);
        is_cut_ = written < batch.bytes();
        settle(batch, written, now);
        resume_reading();
        if (ec && ec != asio::error::would_block && ec != asio::error::try_again) {
            finish(ec);
        } else if (is_cut_) {
            wait_for_room(now);
        } else if (cursors_->is_due()) {
            // More is due than a batch takes; the others come first.
            cursors_->make_ready();
        }
        return true;
    }

    void wait_for_room(time_point now) {
        set_writing(true);
        stream_.async_wait(asio::socket_base::wait_write,
                           [self = self_ref{this}](std::error_code) { self->end_wait(); });
        if (auto const next = wake(now); next != never) shard_.fire_by(*this, next);
    }

    void end_wait() {
        auto const now = clock::now();
        set_writing(false);
        if (flight_) {
            is_cut_ = flight_->written < flight_->batch->bytes();
            settle(*flight_->batch, flight_->written, now);
            flight_.reset();
        }
        pump(now);
    }

    /// The stream has taken bytes that are not on their way yet: until they are, the batch stays
    /// unsettled, so that the session sees a peer that takes nothing.
    bool hold(std::size_t written, time_point now) {
        is_cut_ = true;
        flight_ = std::make_unique<flight>(flight{shard_.take_batch(), written});
        wait_for_room(now);
        return true;
    }

    bool write_async(time_point now) {
        if (!flight_) flight_ = std::make_unique<flight>();
        auto& batch = flight_->batch;
        gather(batch, now);
        if (batch.empty()) {
            flight_.reset();
            return false;
        }
        set_writing(true);
        stream_.async_write_some(flight_->pieces.fill(batch),
                                 [self = self_ref{this}](std::error_code ec, std::size_t written) {
                                     self->end_write(ec, written);
                                 });
        if (auto const next = wake(now); next != never) shard_.fire_by(*this, next);
        return true;
    }

    void end_write(std::error_code ec, std::size_t written) {
        auto const now = clock::now();
        set_writing(false);
        settle(flight_->batch, written, now);
        if (phase_ != phase::serving) return;
        if (ec) return finish(ec);
        resume_reading();
        if (!write_some(now) || end() != session_end::none) pump(now);
    }

    void set_writing(bool is_writing) noexcept {
        is_writing_ = is_writing;
        cursors_->set_writing(is_writing);
    }

    void read() {
        if (is_reading_ || phase_ == phase::over) return;
        if (phase_ == phase::serving && !wants_input()) return pause_reading();
        is_reading_ = true;
        if constexpr (detail::readiness_stream<Stream>) {
            stream_.async_wait(asio::socket_base::wait_read,
                               [self = self_ref{this}](std::error_code ec) {
                                   self->is_reading_ = false;
                                   self->read_ready(ec);
                               });
        } else {
            if (!input_) input_ = std::make_unique<std::array<char, async_read_bytes>>();
            stream_.async_read_some(asio::buffer(*input_),
                                    [self = self_ref{this}](std::error_code ec, std::size_t size) {
                                        self->is_reading_ = false;
                                        self->take({self->input_->data(), size}, ec);
                                        self->after_read();
                                    });
        }
    }

    /// The session wants no input. As no operation may be pending then, one that does nothing owns
    /// the connection meanwhile.
    void pause_reading() {
        if (pause_) return;
        pause_ = std::make_unique<loop_timer>(detail::context_of(stream_), time_point::max());
        pause_->async_wait([self = self_ref{this}](std::error_code) {});
    }

    void resume_reading() {
        if (!pause_ || (phase_ == phase::serving && !wants_input())) return;
        pause_.reset();
        read();
    }

    void read_ready(std::error_code ec) {
        if (phase_ == phase::returning) return give_back();
        auto const buffer = shard_.read_buffer();
        for (int i = 0; i < reads_per_turn && !ec && phase_ != phase::over; ++i) {
            auto const size = stream_.read_some(asio::buffer(buffer.data(), buffer.size()), ec);
            if (ec == asio::error::would_block || ec == asio::error::try_again) return after_read();
            take(buffer.first(size), ec);
            if (size < buffer.size() || end() != session_end::none) break;
            // Replies go out between the reads of a turn: a peer that reads them shall not wait
            // because they pile up meanwhile.
            pump(clock::now());
            if (phase_ != phase::serving || !wants_input()) break;
        }
        after_read();
    }

    void take(std::span<char> bytes, std::error_code ec) {
        if (phase_ == phase::over) return;
        auto const now = clock::now();
        if (phase_ != phase::lingering && !bytes.empty()) feed(bytes, now);
        if (!ec || (phase_ == phase::returning && ec == asio::error::operation_aborted)) return;
        if (phase_ == phase::serving && ec == asio::error::eof) {
            if (!wants_input()) return; // the stream will say it again
            end_of_input(now);
            has_input_ended_ = true;
            return;
        }
        finish(ec);
    }

    void after_read() {
        if (phase_ == phase::returning) return give_back();
        if (phase_ == phase::serving) pump(clock::now());
        if (!has_input_ended_) read();
    }

    /// The session is over and all is written.
    void conclude(time_point now) {
        if (end() == session_end::handback) {
            phase_ = phase::returning;
            if (!is_reading_) return give_back();
            // Whoever gets the stream may have a request of it already, and must not wait for more.
            shard_.cancel(*this);
            shard_.fire_by(*this, now + keep_alive_time);
            cancel_read();
            return;
        }
        // With nothing more to read, closing says the same as shutting our side; but a layer such
        // as TLS has a good-bye of its own.
        bool const is_over = end() == session_end::finished || has_input_ended_;
        if (is_over && !detail::closing_stream<Stream>) return finish(asio::error::eof);
        std::error_code ec;
        detail::close_output(stream_, ec);
        if (ec || has_input_ended_) return finish(asio::error::eof);
        phase_ = phase::lingering;
        shard_.cancel(*this);
        shard_.fire_by(*this, now + linger_time);
        resume_reading();
    }

    /// Ends the pending read early, on streams that can; on others it ends with the next bytes.
    void cancel_read() noexcept {
        std::error_code ignored;
        auto& lowest = detail::lowest_layer_of(stream_);
        if constexpr (requires { lowest.cancel(ignored); }) lowest.cancel(ignored);
    }

    void give_back() {
        phase_ = phase::over;
        pause_.reset();
        unlink();
        complete({});
    }

    void finish(std::error_code ec) {
        if (phase_ == phase::over) return;
        if constexpr (detail::closing_stream<Stream>) {
            // What we end ourselves is no interruption, unless something is only half sent.
            std::error_code ignored;
            bool const is_our_wish = ec == asio::error::connection_aborted && !is_cut_;
            if (is_our_wish) detail::close_output(stream_, ignored);
        }
        phase_ = phase::over;
        unlink();
        close_stream();
        complete(ec);
    }

    void close_stream() noexcept {
        std::error_code ignored;
        detail::lowest_layer_of(stream_).close(ignored);
        cursors_->clear();
        pause_.reset();
        shard_.cancel(*this);
    }

    void unlink() noexcept { list_hook<live_connection>::unlink(); }

    /// The pieces of a batch as Asio takes them.
    struct buffers {
        std::array<asio::const_buffer, write_batch::pieces_max> pieces;

        std::span<asio::const_buffer const> fill(write_batch const& batch) noexcept {
            for (std::size_t i = 0; i < batch.count(); ++i)
                pieces[i] = asio::const_buffer{batch.piece(i).data(), batch.piece(i).size()};
            return {pieces.data(), batch.count()};
        }
    };

    /// What a write in flight keeps in place on a stream that is not driven by readiness.
    struct async_write {
        write_batch batch;
        buffers pieces;
    };

    /// What a write keeps whose bytes a stream that is driven by readiness holds back.
    struct held_write {
        std::unique_ptr<write_batch> batch;
        std::size_t written = 0;
    };

    using flight = std::conditional_t<detail::readiness_stream<Stream>, held_write, async_write>;

    static constexpr std::size_t async_read_bytes = 4096;
    static constexpr std::chrono::seconds keep_alive_time{75};

    Stream stream_;
    shard& shard_;
    subscriber* cursors_ = nullptr;
    std::unique_ptr<flight> flight_;
    std::unique_ptr<std::array<char, async_read_bytes>> input_;
    std::unique_ptr<loop_timer> pause_; ///< while nothing is read because nothing is wanted
    std::uint32_t references_ = 0;
    phase phase_ = phase::serving;
    bool is_reading_ = false;
    bool is_writing_ = false;
    bool is_cut_ = false; ///< the last write was not taken as a whole
    bool has_input_ended_ = false;
};

/// A connection with its session. When the session is over, `done(error, session, stream)` is
/// called exactly once: without error if the stream can carry another request (`handback`), else
/// with the reason, after the stream was closed.
///
/// A thin shell, because there is one for each session and each way to go on.
/// Thread safety: shared objects unsafe; the stream's io_context owns it.
template <class Stream, session Session, class Done>
class connection final : public basic_connection<Stream> {
public:
    /// Makes a connection and starts it. `arguments` make the session.
    /// @param received  bytes that came with what was read before
    template <class... Arguments>
    static void start(Stream stream, connection_list* listed, std::string received, Done done,
                      Arguments&&... arguments) {
        intrusive_ref<connection> const self{new connection{std::move(stream), std::move(done),
                                                            std::forward<Arguments>(arguments)...}};
        if (listed != nullptr) listed->push_back(*self);
        constexpr bool speaks_second = requires { requires Session::peer_speaks_first; };
        self->begin(self->session_.cursors(), std::move(received), speaks_second);
    }

private:
    template <class... Arguments>
    connection(Stream stream, Done done, Arguments&&... arguments)
        : basic_connection<Stream>{std::move(stream)}, done_{std::move(done)},
          session_{std::forward<Arguments>(arguments)...} {}

    void feed(std::span<char> bytes, time_point now) override { session_.feed(bytes, now); }
    void end_of_input(time_point now) override { session_.end_of_input(now); }
    void gather(write_batch& batch, time_point now) override { session_.gather(batch, now); }
    void settle(write_batch& batch, std::size_t written, time_point now) override {
        session_.settle(batch, written, now);
    }
    time_point wake(time_point now) override { return session_.wake(now); }
    void say_goodbye(time_point now) override { session_.shut_down(now); }
    void dismiss_session([[maybe_unused]] std::string_view identity,
                         [[maybe_unused]] dismissal const& why,
                         [[maybe_unused]] time_point now) override {
        if constexpr (requires { session_.dismiss(identity, why, now); })
            session_.dismiss(identity, why, now);
    }
    [[nodiscard]] bool wants_input() const noexcept override {
        return livetape::wants_input(session_);
    }
    [[nodiscard]] session_end end() const noexcept override { return session_.end(); }
    void complete(std::error_code ec) override { done_(ec, session_, this->stream()); }

    Done done_; // may own what the session refers to, so it goes after it
    Session session_;
};

} // namespace livetape
