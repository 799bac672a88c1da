#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
#include <livetape/client/dial_options.hpp>
#include <livetape/client/disconnect.hpp>
#include <livetape/client/http_date.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/body_decoder.hpp>
#include <livetape/wire/body_framing.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/field_list.hpp>
#include <livetape/wire/response.hpp>
#include <livetape/wire/response_parser.hpp>
#include <livetape/wire/url.hpp>

namespace livetape {

/// Fields that a client sends with its requests, such as Authorization: names, which are tokens,
/// and values.
using request_fields = std::vector<std::pair<std::string, std::string>>;

/// How a client of event streams and polls makes its requests.
struct http_options {
    dial_options dial{};

    /// Sent with each request. Not passed on to another host when a redirect leads there: it may
    /// be a secret of this one's.
    request_fields fields{};

    /// From the request to the head of the response; a poll has its `wait` on top.
    std::chrono::milliseconds response_timeout{15'000};

    /// The response's head; what servers send is far below.
    http::head_limits head{};
};

namespace detail {

/// The delay of a Retry-After field (RFC 9110 §10.2.3): seconds, or a date, which is counted from
/// the server's own `Date`, because two clocks need not agree. 0 if there is none, or it cannot be
/// read.
[[nodiscard]] inline std::chrono::milliseconds retry_after(http::response_head const& head) {
    auto const field = head.field("Retry-After");
    if (!field) return {};
    std::uint32_t seconds = 0;
    if (read_digits(*field, seconds)) return std::chrono::seconds{seconds};
    auto const then = parse_http_date(*field);
    auto const now = parse_http_date(head.field("Date").value_or(std::string_view{}));
    if (!then || !now || *then <= *now) return {};
    return *then - *now;
}

/// Whether a Content-Type names that media type, with or without parameters (RFC 9110 §8.3.1).
[[nodiscard]] inline bool has_media_type(http::response_head const& head, std::string_view type) {
    auto value = head.field("Content-Type").value_or(std::string_view{});
    value = value.substr(0, value.find(';'));
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    return http::equals_ignoring_case(value, type);
}

/// One connection that carries GET requests one after the other, and is opened when there is none.
/// Owned by its pending operations; after `close` none of its callbacks is called.
///
/// Callbacks run on the executor, and never inside the call that they belong to.
template <class Dialer>
class http_exchange : public std::enable_shared_from_this<http_exchange<Dialer>> {
public:
    using stream_type = typename Dialer::stream_type;

    /// Nothing: the response is of the wanted kind, and `read` gives its content.
    using opened = std::function<void(std::optional<disconnect>)>;

    /// Content; none of it without an error means that the body is complete. The view is valid
    /// until the next call.
    using content = std::function<void(std::error_code, std::string_view)>;

    /// The whole body of a response, or why there is none.
    using fetched = std::function<void(std::optional<disconnect>, std::string)>;

    http_exchange(asio::any_io_executor executor, Dialer dialer, http_options const& options)
        : executor_{executor}, dialer_{std::move(dialer)}, options_{options}, deadline_{executor},
          parser_{options.head} {}

    /// Asks for a URL. Precondition: no other call is pending, and the body of the response before
    /// was read to its end, or `close` was called.
    /// @param media_type  what the content of the response must be
    /// @param fields      besides those of the options
    void open(url const& at, std::string_view media_type, request_fields const& fields,
              std::chrono::milliseconds timeout, opened done);

    /// Reads on in the body. Precondition: `open` succeeded, the body was not complete, and no
    /// other call is pending.
    void read(std::chrono::milliseconds timeout, content done);

    /// `open`, then the body to its end.
    void fetch(url const& at, std::string_view media_type, std::chrono::milliseconds timeout,
               std::size_t body_bytes_max, fetched done);

    /// Ends the connection and all that is pending. Idempotent.
    void close();

    /// The head of the response. Precondition: `open` succeeded.
    [[nodiscard]] http::response_head const& head() const noexcept { return head_; }

private:
    /// A stream and what its operations read and write, which stays until the last of them is over:
    /// those of TLS go on for a moment after the stream was closed.
    struct connection {
        explicit connection(stream_type on) : stream{std::move(on)} {}

        stream_type stream;
        std::string request;
        std::array<char, 16384> buffer;
    };

    void send();
    void receive(std::function<void(std::error_code)> then);
    void take_head();
    void judge_head();
    void collect_refusal();
    void collect_body(std::size_t body_bytes_max, fetched done);
    void refuse(std::error_code ec);
    void complete_body();
    void arm(std::chrono::milliseconds timeout);
    void disarm() { deadline_.expires_at(asio::steady_timer::time_point::max()); }
    void drop_stream();

    // What the server has to end its side of a TLS connection: what ours gives a client.
    static constexpr std::chrono::milliseconds linger_time{2000};
    // Bytes of a refusal's body that are kept for people and codes.
    static constexpr std::size_t refusal_bytes_max = 4096;

    asio::any_io_executor executor_;
    Dialer dialer_;
    http_options options_;
    asio::steady_timer deadline_;
    asio::cancellation_signal dialing_;
    std::shared_ptr<connection> connection_; // its operations hold it too
    std::string request_;
    std::string body_;
    std::string media_type_;
    url at_;
    url original_;
    http::response_parser parser_;
    http::response_head head_;
    http::body_decoder decoder_{{}};
    std::string_view input_; // bytes of the connection's buffer that were not looked at
    opened opened_;
    std::chrono::milliseconds timeout_{};
    std::size_t generation_ = 0; // of the stream: late completions know that they are late
    bool is_reused_ = false;
    bool has_answer_begun_ = false;
    bool was_reached_ = false;
    bool has_timed_out_ = false;
};

template <class Dialer>
void http_exchange<Dialer>::open(url const& at, std::string_view media_type,
                                 request_fields const& fields, std::chrono::milliseconds timeout,
                                 opened done) {
    bool const is_same_place =
        connection_ && at.host == at_.host && at.port == at_.port && at.scheme == at_.scheme;
    if (!is_same_place) drop_stream();
    if (original_.host.empty()) original_ = at;
    at_ = at;
    media_type_ = media_type;
    opened_ = std::move(done);
    timeout_ = timeout;
    request_ = "GET " + at.target + " HTTP/1.1\r\n";
    http::append_field(request_, "Host", at.authority());
    http::append_field(request_, "Accept", media_type);
    bool const is_trusted = at.host == original_.host && at.port == original_.port &&
                            at.is_secure() == original_.is_secure();
    if (is_trusted)
        for (auto const& each : options_.fields)
            http::append_field(request_, each.first, each.second);
    for (auto const& each : fields) http::append_field(request_, each.first, each.second);
    http::append_end_of_head(request_);
    is_reused_ = connection_ != nullptr;
    has_timed_out_ = false;
    was_reached_ = is_reused_;
    send();
}

/// Sends the request, over a new connection if there is none.
template <class Dialer>
void http_exchange<Dialer>::send() {
    parser_ = http::response_parser{options_.head};
    has_answer_begun_ = false;
    input_ = {};
    auto const self = this->shared_from_this();
    if (!connection_) {
        if (!dialer_.can_dial(at_)) {
            // A redirect may lead to a scheme that this program was built without.
            asio::post(executor_, [self, generation = generation_] {
                if (generation == self->generation_)
                    self->refuse(make_error_code(error::bad_url_scheme));
            });
            return;
        }
        auto const took = [self, generation = generation_](std::error_code ec, stream_type stream) {
            if (generation != self->generation_) return;
            if (ec) return self->refuse(ec);
            self->was_reached_ = true;
            self->connection_ = std::make_shared<connection>(std::move(stream));
            self->send();
        };
        dialer_(executor_, at_, options_.dial, asio::bind_cancellation_slot(dialing_.slot(), took));
        return;
    }
    arm(timeout_);
    connection_->request = request_;
    asio::async_write(
        connection_->stream, asio::buffer(connection_->request),
        [self, on = connection_, generation = generation_](std::error_code ec, std::size_t) {
            if (generation != self->generation_) return;
            if (ec) return self->refuse(ec);
            self->take_head();
        });
}

template <class Dialer>
void http_exchange<Dialer>::receive(std::function<void(std::error_code)> then) {
    connection_->stream.async_read_some(
        asio::buffer(connection_->buffer),
        [self = this->shared_from_this(), on = connection_, generation = generation_,
         then = std::move(then)](std::error_code ec, std::size_t size) {
            if (generation != self->generation_) return;
            self->input_ = {on->buffer.data(), size};
            if (self->has_timed_out_) ec = make_error_code(error::idle_timeout);
            then(ec);
        });
}

template <class Dialer>
void http_exchange<Dialer>::take_head() {
    auto const status = parser_.feed(input_);
    if (status == parse_status::failed) return refuse(make_error_code(parser_.failure()));
    if (status == parse_status::done) {
        head_ = parser_.release();
        if (head_.is_interim()) return take_head();
        return judge_head();
    }
    receive([this](std::error_code ec) {
        if (ec) return refuse(ec);
        has_answer_begun_ = true;
        take_head();
    });
}

/// The head is there: decides whether the response is what was asked for.
template <class Dialer>
void http_exchange<Dialer>::judge_head() {
    http::body_framing framing;
    if (auto const why = http::read_response_framing(head_, "GET", framing); why != error::none)
        return refuse(make_error_code(why));
    decoder_ = http::body_decoder{framing};
    if (head_.status() != 200 || !has_media_type(head_, media_type_)) {
        body_.clear();
        return collect_refusal();
    }
    disarm();
    std::exchange(opened_, nullptr)(std::nullopt);
}

/// Reads some of a refusal's body, for people.
template <class Dialer>
void http_exchange<Dialer>::collect_refusal() {
    for (;;) {
        std::string_view found;
        auto const status = decoder_.next(input_, found);
        body_.append(found.substr(0, refusal_bytes_max - body_.size()));
        bool const is_enough = body_.size() == refusal_bytes_max || is_redirect(head_.status());
        if (status != parse_status::need_more || is_enough) return refuse({});
        if (found.empty()) break;
    }
    receive([this](std::error_code ec) { ec ? refuse({}) : collect_refusal(); });
}

/// The response is not the one that was wanted, or there is none.
template <class Dialer>
void http_exchange<Dialer>::refuse(std::error_code ec) {
    bool const has_head = !ec;
    // A server may close a connection at the very moment that it is used again (RFC 9112 §9.3.1).
    if (is_reused_ && !has_head && !has_answer_begun_ && !has_timed_out_) {
        is_reused_ = false;
        drop_stream();
        return send();
    }
    disconnect how{.ec = has_timed_out_ ? make_error_code(error::idle_timeout) : ec,
                   .was_reached = was_reached_};
    if (has_head) {
        how.http_status = head_.status();
        how.ec = how.http_status == 200   ? error::bad_content_type
                 : how.http_status == 204 ? error::no_content
                                          : error::unexpected_status;
        how.requested_delay = retry_after(head_);
        how.reason = std::move(body_);
        if (is_redirect(how.http_status)) {
            url target;
            auto const location = head_.field("Location").value_or(std::string_view{});
            if (resolve_redirect(at_, location, target) == error::none) how.redirect = target;
            else how.ec = error::redirect_refused;
        }
    }
    auto const done = std::exchange(opened_, nullptr);
    drop_stream();
    done(std::move(how));
}

template <class Dialer>
void http_exchange<Dialer>::read(std::chrono::milliseconds timeout, content done) {
    // Posted even if bytes are there: a long body must not make the calls nest.
    auto const look = [this, done](std::error_code ec) {
        std::string_view found;
        if (ec) {
            bool const is_complete = ec == asio::error::eof && decoder_.end();
            drop_stream();
            return done(is_complete ? std::error_code{} : ec, {});
        }
        auto const status = decoder_.next(input_, found);
        if (status == parse_status::failed) {
            drop_stream();
            return done(make_error_code(decoder_.failure()), {});
        }
        if (found.empty() && status == parse_status::need_more) return read(timeout_, done);
        disarm();
        // What of the body is complete is told by the next call.
        if (found.empty()) complete_body();
        done({}, found);
    };
    timeout_ = timeout;
    arm(timeout);
    std::string_view no_input;
    std::string_view no_content;
    bool const is_over = decoder_.next(no_input, no_content) != parse_status::need_more;
    if (!is_over && input_.empty()) return receive(look);
    asio::post(executor_, [self = this->shared_from_this(), generation = generation_, look] {
        if (generation == self->generation_) look({});
    });
}

/// Keeps the connection for another request, if both sides can.
template <class Dialer>
void http_exchange<Dialer>::complete_body() {
    if (!http::keep_alive(head_) || !input_.empty()) drop_stream();
}

template <class Dialer>
void http_exchange<Dialer>::fetch(url const& at, std::string_view media_type,
                                  std::chrono::milliseconds timeout, std::size_t body_bytes_max,
                                  fetched done) {
    open(at, media_type, {}, timeout,
         [this, body_bytes_max, done = std::move(done)](std::optional<disconnect> failed) mutable {
             if (failed) return done(std::move(failed), {});
             body_.clear();
             collect_body(body_bytes_max, std::move(done));
         });
}

template <class Dialer>
void http_exchange<Dialer>::collect_body(std::size_t body_bytes_max, fetched done) {
    read(options_.response_timeout, [this, body_bytes_max, done = std::move(done)](
                                        std::error_code ec, std::string_view found) mutable {
        if (!ec && body_.size() + found.size() > body_bytes_max)
            ec = make_error_code(error::body_too_large);
        if (ec) {
            drop_stream();
            return done(disconnect{.ec = ec, .was_reached = true, .was_cut_short = true}, {});
        }
        if (found.empty()) return done(std::nullopt, std::move(body_));
        body_.append(found);
        collect_body(body_bytes_max, std::move(done));
    });
}

/// Whatever is pending ends in time; the deadline is met by closing the stream under it.
template <class Dialer>
void http_exchange<Dialer>::arm(std::chrono::milliseconds timeout) {
    has_timed_out_ = false;
    deadline_.expires_after(timeout);
    deadline_.async_wait(
        [weak = this->weak_from_this(), generation = generation_](std::error_code ec) {
            auto const self = weak.lock();
            if (ec || !self || generation != self->generation_ || !self->connection_) return;
            // A deadline that was moved while this waited its turn is another one.
            if (self->deadline_.expiry() > asio::steady_timer::clock_type::now()) return;
            self->has_timed_out_ = true;
            std::error_code ignored;
            self->connection_->stream.lowest_layer().close(ignored);
        });
}

template <class Dialer>
void http_exchange<Dialer>::drop_stream() {
    ++generation_;
    disarm();
    input_ = {};
    if (!connection_) return;
    auto& stream = connection_->stream;
    close_stream(stream, std::move(connection_), linger_time);
}

template <class Dialer>
void http_exchange<Dialer>::close() {
    opened_ = nullptr;
    drop_stream();
    dialing_.emit(asio::cancellation_type::terminal);
}

} // namespace detail
} // namespace livetape
