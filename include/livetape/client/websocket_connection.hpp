#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/buffer.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include <livetape/client/close_stream.hpp>
#include <livetape/client/masking_keys.hpp>
#include <livetape/client/pending_operation.hpp>
#include <livetape/client/websocket_machine.hpp>
#include <livetape/client/websocket_options.hpp>
#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/time.hpp>
#include <livetape/wire/body_decoder.hpp>
#include <livetape/wire/body_framing.hpp>
#include <livetape/wire/client_handshake.hpp>
#include <livetape/wire/response_parser.hpp>
#include <livetape/wire/url.hpp>

namespace livetape::detail {

/// One WebSocket connection of a client, from dialling to its end: drives a `websocket_machine`
/// over a stream. Owned by its pending operations, and by the client while that uses it.
///
/// Theory of operation: `proceed` is called whenever something has changed, and starts what can be
/// started: a write if a batch waits, a read if somebody waits for a message or the connection is
/// closing, the timer if the machine's deadline has come nearer. When the machine is cut, all
/// operations complete and the stream is closed.
template <class Dialer>
class websocket_connection : public std::enable_shared_from_this<websocket_connection<Dialer>> {
public:
    using stream_type = typename Dialer::stream_type;

    websocket_connection(asio::any_io_executor executor, Dialer dialer,
                         websocket_client_options options)
        : executor_{std::move(executor)}, dialer_{std::move(dialer)}, options_{std::move(options)},
          timer_{executor_} {}

    void connect(std::string_view text, pending_operation<std::error_code> done);
    void read(pending_operation<std::error_code, websocket_message> done);
    void write(websocket::opcode code, std::string_view payload,
               pending_operation<std::error_code> done);
    void ping(std::string_view payload, pending_operation<std::error_code> done);
    void close(std::uint16_t code, std::string_view reason,
               pending_operation<std::error_code> done);

    /// Drops the connection; what is pending completes with operation_aborted.
    void cancel() { tear_down(asio::error::operation_aborted, no_linger); }

    /// The client is gone: a closing connection ends in peace, any other is dropped.
    void abandon() {
        if (!machine_ || !machine_->is_closing())
            tear_down(asio::error::operation_aborted, options_.close_timeout);
    }

    [[nodiscard]] bool is_open() const noexcept {
        return machine_ && !machine_->is_closing() && !is_torn_down_;
    }
    [[nodiscard]] bool was_dialled() const noexcept { return stream_.has_value(); }
    [[nodiscard]] http::response_head const& response() const noexcept { return response_; }
    [[nodiscard]] std::string const& refusal() const noexcept { return refusal_; }
    [[nodiscard]] std::string_view subprotocol() const noexcept { return agreement_.subprotocol; }
    [[nodiscard]] bool is_compressed() const noexcept { return is_compressed_; }
    [[nodiscard]] websocket_close const& peer_close() const noexcept {
        static websocket_close const none;
        return machine_ ? machine_->peer_close() : none;
    }

private:
    struct queued_write {
        std::uint64_t message; // complete when this one has been written; 0: the batch that comes
        pending_operation<std::error_code> done;
    };

    void send_request();
    void read_response();
    void take_response(std::size_t size);
    [[nodiscard]] error check(http::response_head const& head,
                              std::unique_ptr<websocket::message_codec>& codec);
    void open(std::unique_ptr<websocket::message_codec> codec, std::span<char> received);
    void collect_refusal(std::string_view input);
    void fail_connect(std::error_code ec);

    void proceed();
    void deliver();
    void start_read();
    void start_write();
    void complete_written();
    void arm_timer();
    void tear_down(std::error_code why, std::chrono::milliseconds linger);
    [[nodiscard]] std::error_code why_over() const {
        return machine_ && machine_->has_ended() ? machine_->why() : over_;
    }

    // What is read of a refusal: its body may be long, or never end.
    static constexpr std::size_t refusal_bytes_max = 4096;
    static constexpr std::chrono::milliseconds refusal_time{1000};
    // For a peer that was waited for in vain, or is of no interest any more.
    static constexpr std::chrono::milliseconds no_linger{0};

    asio::any_io_executor executor_;
    Dialer dialer_;
    websocket_client_options options_;
    asio::steady_timer timer_;
    std::optional<stream_type> stream_;
    url to_;
    std::string key_;
    std::string request_;
    http::response_parser parser_;
    http::response_head response_;
    std::string refusal_;         // the body of a response that is no upgrade, or its beginning
    error refused_ = error::none; // while that is read
    http::body_decoder decoder_{{}};
    websocket::handshake_agreement agreement_;
    std::optional<websocket_machine> machine_;
    std::vector<char> buffer_;
    std::string late_message_;
    std::span<char> input_; // what of the buffer was not taken yet
    time_point armed_for_ = time_point::max();
    pending_operation<std::error_code> connect_;
    pending_operation<std::error_code, websocket_message> read_;
    std::vector<pending_operation<std::error_code>> closes_;
    std::deque<queued_write> writes_;
    asio::cancellation_signal dial_cancellation_;
    std::error_code over_ = asio::error::not_connected;
    bool is_compressed_ = false;
    bool is_stream_read_ = false; // an operation that reads the stream is pending
    bool is_torn_down_ = false;
};

template <class Dialer>
void websocket_connection<Dialer>::connect(std::string_view text,
                                           pending_operation<std::error_code> done) {
    connect_ = std::move(done);
    connect_.on_cancel([weak = this->weak_from_this()] {
        if (auto const self = weak.lock()) self->cancel();
    });
    if (auto const why = parse_url(text, to_); why != error::none) return fail_connect(why);
    if (!to_.is_websocket() || !dialer_.can_dial(to_)) return fail_connect(error::bad_url_scheme);
    dialer_(executor_, to_, options_.dial,
            asio::bind_cancellation_slot(
                dial_cancellation_.slot(),
                [self = this->shared_from_this()](std::error_code ec, stream_type stream) {
                    if (self->is_torn_down_) return;
                    if (ec) return self->fail_connect(ec);
                    self->stream_.emplace(std::move(stream));
                    self->send_request();
                }),
            &response_);
}

template <class Dialer>
void websocket_connection<Dialer>::send_request() {
    timer_.expires_after(options_.handshake_timeout);
    timer_.async_wait([self = this->shared_from_this()](std::error_code ec) {
        if (!ec && self->connect_) self->tear_down(error::handshake_timeout, no_linger);
    });
    masking_keys random; // of its own: the key goes over the wire in the clear
    std::array<char, 16> bytes;
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
        auto const word = random.next();
        for (std::size_t j = 0; j < word.size(); ++j) bytes[i + j] = static_cast<char>(word[j]);
    }
    key_ = websocket::handshake_key(bytes);
    if (options_.compression) options_.offer.extensions = options_.compression->offer();
    websocket::append_handshake(request_, to_, options_.offer, key_);
    parser_ = http::response_parser{options_.head};
    buffer_.resize(options_.read_bytes);
    asio::async_write(*stream_, asio::buffer(request_),
                      [self = this->shared_from_this()](std::error_code ec, std::size_t) {
                          if (self->is_torn_down_) return;
                          if (ec) self->fail_connect(ec);
                          else self->read_response();
                      });
}

template <class Dialer>
void websocket_connection<Dialer>::read_response() {
    stream_->async_read_some(asio::buffer(buffer_), [self = this->shared_from_this()](
                                                        std::error_code ec, std::size_t size) {
        if (self->is_torn_down_) return;
        if (ec) self->fail_connect(ec);
        else self->take_response(size);
    });
}

template <class Dialer>
void websocket_connection<Dialer>::take_response(std::size_t size) {
    std::string_view input{buffer_.data(), size};
    for (;;) {
        auto const status = parser_.feed(input);
        if (status == parse_status::failed) return fail_connect(parser_.failure());
        if (status == parse_status::need_more) return read_response();
        if (!parser_.head().is_interim()) break;
        (void)parser_.release();
    }
    response_ = parser_.release();
    std::unique_ptr<websocket::message_codec> codec;
    if (auto const why = check(response_, codec); why != error::none) {
        http::body_framing framing;
        bool const has_words =
            why == error::unexpected_status && response_.status() >= 400 &&
            http::read_response_framing(response_, "GET", framing) == error::none;
        if (!has_words) return fail_connect(why);
        refused_ = why;
        decoder_ = http::body_decoder{framing};
        timer_.expires_after(std::min(options_.handshake_timeout, refusal_time));
        timer_.async_wait([self = this->shared_from_this()](std::error_code ec) {
            if (!ec && self->connect_) self->tear_down(self->refused_, no_linger);
        });
        return collect_refusal(input);
    }
    open(std::move(codec), std::span{buffer_}.subspan(size - input.size(), input.size()));
}

template <class Dialer>
error websocket_connection<Dialer>::check(http::response_head const& head,
                                          std::unique_ptr<websocket::message_codec>& codec) {
    auto const why = websocket::check_response(head, options_.offer, key_, agreement_);
    if (why != error::none || !options_.compression) return why;
    auto verdict = options_.compression->confirm(agreement_.extensions);
    codec = std::move(verdict.codec);
    return verdict.failure;
}

template <class Dialer>
void websocket_connection<Dialer>::open(std::unique_ptr<websocket::message_codec> codec,
                                        std::span<char> received) {
    is_compressed_ = codec != nullptr;
    input_ = received;
    timer_.cancel();
    request_ = {};
    machine_.emplace(options_, masking_keys{}, std::move(codec), clock::now());
    connect_.complete({});
    proceed();
}

/// Reads the beginning of a refusal's body, for people; what does not come in time is left out.
template <class Dialer>
void websocket_connection<Dialer>::collect_refusal(std::string_view input) {
    for (;;) {
        std::string_view found;
        auto const status = decoder_.next(input, found);
        refusal_.append(found.substr(0, refusal_bytes_max - refusal_.size()));
        bool const is_enough = refusal_.size() == refusal_bytes_max;
        if (status != parse_status::need_more || is_enough) return fail_connect(refused_);
        if (found.empty()) break;
    }
    stream_->async_read_some(asio::buffer(buffer_), [self = this->shared_from_this()](
                                                        std::error_code ec, std::size_t size) {
        if (self->is_torn_down_) return;
        if (ec) self->fail_connect(self->refused_);
        else self->collect_refusal({self->buffer_.data(), size});
    });
}

template <class Dialer>
void websocket_connection<Dialer>::fail_connect(std::error_code ec) {
    tear_down(ec, options_.close_timeout);
}

template <class Dialer>
void websocket_connection<Dialer>::read(
    pending_operation<std::error_code, websocket_message> done) {
    LIVETAPE_ASSERT(!read_);
    if (!machine_ || is_torn_down_) return done.complete(why_over(), {});
    read_ = std::move(done);
    // Nothing is lost: what the stream gives meanwhile is for the next read.
    read_.on_cancel([weak = this->weak_from_this()] {
        auto const self = weak.lock();
        if (!self || !self->read_) return;
        self->machine_->set_reading(false, clock::now());
        self->read_.complete(asio::error::operation_aborted, {});
    });
    machine_->set_reading(true, clock::now());
    proceed();
}

template <class Dialer>
void websocket_connection<Dialer>::write(websocket::opcode code, std::string_view payload,
                                         pending_operation<std::error_code> done) {
    if (!machine_ || is_torn_down_) return done.complete(why_over());
    if (auto const why = machine_->send(code, payload); why != error::none)
        return done.complete(why);
    writes_.push_back({machine_->queued_count(), std::move(done)});
    proceed();
}

template <class Dialer>
void websocket_connection<Dialer>::ping(std::string_view payload,
                                        pending_operation<std::error_code> done) {
    if (!machine_ || is_torn_down_) return done.complete(why_over());
    auto const why = machine_->ping(payload);
    done.complete(why == error::none ? std::error_code{} : why);
    proceed();
}

template <class Dialer>
void websocket_connection<Dialer>::close(std::uint16_t code, std::string_view reason,
                                         pending_operation<std::error_code> done) {
    if (!machine_ || is_torn_down_) {
        bool const is_clean = machine_ && machine_->is_cleanly_closed();
        return done.complete(is_clean ? std::error_code{} : why_over());
    }
    closes_.push_back(std::move(done));
    machine_->close(code, reason, clock::now());
    proceed();
}

template <class Dialer>
void websocket_connection<Dialer>::proceed() {
    if (is_torn_down_ || !machine_) return;
    deliver();
    start_write();
    if (machine_->is_cut()) return tear_down(machine_->why(), options_.close_timeout);
    start_read();
    arm_timer();
}

/// Gives one message to the read that waits; a closing connection's messages go nowhere.
template <class Dialer>
void websocket_connection<Dialer>::deliver() {
    while (!is_stream_read_ && (read_ || machine_->is_closing())) {
        auto const now = clock::now();
        auto message = machine_->next(input_, now);
        if (!message) return;
        if (!read_) continue;
        if (machine_->is_closing()) {
            // The stream is read on meanwhile, into the same buffer.
            late_message_.assign(message->payload);
            message->payload = late_message_;
        }
        machine_->set_reading(false, now);
        return read_.complete({}, *message);
    }
}

template <class Dialer>
void websocket_connection<Dialer>::start_read() {
    if (is_stream_read_ || !machine_->wants_input()) return;
    if (!read_ && !machine_->is_closing()) return;
    is_stream_read_ = true;
    stream_->async_read_some(asio::buffer(buffer_), [self = this->shared_from_this()](
                                                        std::error_code ec, std::size_t size) {
        self->is_stream_read_ = false;
        if (self->is_torn_down_) return;
        self->input_ = std::span{self->buffer_}.first(size);
        if (ec) self->machine_->end_of_stream(ec);
        self->proceed();
    });
}

template <class Dialer>
void websocket_connection<Dialer>::start_write() {
    auto const batch = machine_->begin_batch(clock::now());
    if (batch.empty()) return;
    std::vector<asio::const_buffer> buffers;
    buffers.reserve(batch.size());
    for (auto const piece : batch) buffers.emplace_back(piece.data(), piece.size());
    asio::async_write(*stream_, std::move(buffers),
                      [self = this->shared_from_this()](std::error_code ec, std::size_t) {
                          if (self->is_torn_down_) return;
                          if (ec) self->machine_->end_of_stream(ec);
                          else self->machine_->written();
                          self->complete_written();
                          self->proceed();
                      });
}

template <class Dialer>
void websocket_connection<Dialer>::complete_written() {
    while (!writes_.empty() && writes_.front().message <= machine_->written_count()) {
        auto done = std::move(writes_.front().done);
        writes_.pop_front();
        done.complete({});
    }
}

/// The timer is set again only for an earlier time: traffic that puts the deadline off costs
/// nothing, the wait that comes too early finds the new one.
template <class Dialer>
void websocket_connection<Dialer>::arm_timer() {
    auto const due = machine_->deadline();
    if (due >= armed_for_) return;
    armed_for_ = due;
    timer_.expires_at(due);
    timer_.async_wait([self = this->shared_from_this()](std::error_code ec) {
        if (ec || self->is_torn_down_) return;
        self->armed_for_ = time_point::max();
        self->machine_->wake(clock::now());
        if (self->machine_->is_cut()) return self->tear_down(self->machine_->why(), no_linger);
        self->proceed();
    });
}

/// @param linger  what the peer has to end its side, too, if there is something to say about it
template <class Dialer>
void websocket_connection<Dialer>::tear_down(std::error_code why,
                                             std::chrono::milliseconds linger) {
    if (is_torn_down_) return;
    is_torn_down_ = true;
    over_ = why;
    timer_.cancel();
    dial_cancellation_.emit(asio::cancellation_type::terminal);
    if (stream_) close_stream(*stream_, this->shared_from_this(), linger);
    bool const is_clean = machine_ && machine_->is_cleanly_closed();
    if (connect_) connect_.complete(why);
    if (read_) read_.complete(why, {});
    for (auto& each : std::exchange(writes_, {})) each.done.complete(why);
    for (auto& each : std::exchange(closes_, {})) each.complete(is_clean ? std::error_code{} : why);
}

} // namespace livetape::detail
