#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include <livetape/client/connect_race.hpp>
#include <livetape/client/dial_options.hpp>
#include <livetape/client/pending_operation.hpp>
#include <livetape/error.hpp>
#include <livetape/time.hpp>
#include <livetape/wire/proxy_tunnel.hpp>
#include <livetape/wire/response_parser.hpp>
#include <livetape/wire/url.hpp>

namespace livetape::detail {

/// What `dial` does: resolves, races, asks the proxy. Owned by its pending operations.
class dial_operation : public std::enable_shared_from_this<dial_operation> {
public:
    dial_operation(asio::any_io_executor executor, url to, dial_options options,
                   http::response_head* answer)
        : executor_{std::move(executor)}, to_{std::move(to)}, options_{std::move(options)},
          answer_{answer}, resolver_{executor_}, deadline_{executor_},
          next_attempt_{executor_}, winner_{executor_} {}

    /// Called once; `done` completes outside.
    void start(pending_operation<std::error_code, asio::ip::tcp::socket> done);

    /// The same with the addresses to try, in the order of a resolver, instead of resolving.
    void start(std::vector<asio::ip::tcp::endpoint> addresses,
               pending_operation<std::error_code, asio::ip::tcp::socket> done);

    /// Gives up; the handler gets operation_aborted. Idempotent.
    void cancel() { finish(asio::error::operation_aborted); }

private:
    using tcp = asio::ip::tcp;

    void begin(pending_operation<std::error_code, asio::ip::tcp::socket> done);
    void race();
    void start_due_attempts();
    void start_attempt(std::size_t index);
    void win(std::size_t index);
    void ask_proxy();
    void read_answer();
    void take_answer(std::size_t size);
    void finish(std::error_code ec);

    asio::any_io_executor executor_;
    url to_;
    dial_options options_;
    http::response_head* answer_;
    tcp::resolver resolver_;
    asio::steady_timer deadline_;
    asio::steady_timer next_attempt_;
    std::vector<tcp::endpoint> addresses_;
    std::vector<std::optional<tcp::socket>> attempts_; // one for each address, once it was started
    std::optional<connect_race> race_;
    tcp::socket winner_;
    std::string request_;
    std::array<char, 1> byte_{};
    http::response_parser parser_;
    pending_operation<std::error_code, asio::ip::tcp::socket> done_;
    bool is_finished_ = false;
};

inline void dial_operation::start(pending_operation<std::error_code, asio::ip::tcp::socket> done) {
    bool const has_proxy = !options_.proxy.host.empty();
    auto const& host = has_proxy ? options_.proxy.host : to_.host;
    auto const port = has_proxy ? options_.proxy.port : to_.port;
    // An address needs no resolver, which would cost a thread.
    std::error_code not_an_address;
    auto const address = asio::ip::make_address(host, not_an_address);
    if (!not_an_address) return start({tcp::endpoint{address, port}}, std::move(done));
    begin(std::move(done));
    resolver_.async_resolve(
        host, std::to_string(port), tcp::resolver::numeric_service,
        [self = shared_from_this()](std::error_code ec, tcp::resolver::results_type found) {
            if (self->is_finished_) return;
            if (ec) return self->finish(ec);
            for (auto const& each : found) self->addresses_.push_back(each.endpoint());
            self->race();
        });
}

inline void dial_operation::start(std::vector<asio::ip::tcp::endpoint> addresses,
                                  pending_operation<std::error_code, asio::ip::tcp::socket> done) {
    begin(std::move(done));
    addresses_ = std::move(addresses);
    asio::post(executor_, [self = shared_from_this()] {
        if (!self->is_finished_) self->race();
    });
}

inline void dial_operation::begin(pending_operation<std::error_code, asio::ip::tcp::socket> done) {
    done_ = std::move(done);
    done_.on_cancel([weak = weak_from_this()] {
        if (auto const self = weak.lock()) self->cancel();
    });
    deadline_.expires_after(options_.connect_timeout);
    deadline_.async_wait([self = shared_from_this()](std::error_code ec) {
        if (!ec) self->finish(error::connect_timeout);
    });
}

inline void dial_operation::race() {
    addresses_ = interleave_families(
        addresses_, [](tcp::endpoint const& each) { return each.address().is_v6(); });
    attempts_.resize(addresses_.size());
    race_.emplace(addresses_.size(), options_.attempt_delay);
    start_due_attempts();
}

inline void dial_operation::start_due_attempts() {
    while (auto const index = race_->due(clock::now())) start_attempt(*index);
    if (race_->is_lost()) return finish(race_->failure());
    auto const next = race_->next_start();
    if (!next) return;
    next_attempt_.expires_at(*next);
    next_attempt_.async_wait([self = shared_from_this()](std::error_code ec) {
        if (!ec && !self->is_finished_) self->start_due_attempts();
    });
}

inline void dial_operation::start_attempt(std::size_t index) {
    auto& socket = attempts_[index].emplace(executor_);
    socket.async_connect(addresses_[index], [self = shared_from_this(), index](std::error_code ec) {
        if (self->is_finished_ || self->winner_.is_open()) return;
        if (!ec) return self->win(index);
        self->attempts_[index].reset();
        self->race_->fail(ec);
        self->start_due_attempts();
    });
}

inline void dial_operation::win(std::size_t index) {
    winner_ = std::move(*attempts_[index]);
    attempts_.clear();
    next_attempt_.cancel();
    std::error_code ignored; // it is a matter of speed only
    winner_.set_option(tcp::no_delay{options_.no_delay}, ignored);
    if (options_.proxy.host.empty()) finish({});
    else ask_proxy();
}

inline void dial_operation::ask_proxy() {
    http::append_connect(request_, to_.host_and_port(), options_.proxy.user,
                         options_.proxy.password);
    asio::async_write(winner_, asio::buffer(request_),
                      [self = shared_from_this()](std::error_code ec, std::size_t) {
                          if (self->is_finished_) return;
                          if (ec) self->finish(ec);
                          else self->read_answer();
                      });
}

/// Byte by byte, since what follows the head belongs to the tunnel, and a stream cannot be given
/// bytes back. It is one short head for each connection.
inline void dial_operation::read_answer() {
    winner_.async_read_some(asio::buffer(byte_),
                            [self = shared_from_this()](std::error_code ec, std::size_t size) {
                                if (self->is_finished_) return;
                                if (ec) self->finish(ec);
                                else self->take_answer(size);
                            });
}

inline void dial_operation::take_answer(std::size_t size) {
    std::string_view input{byte_.data(), size};
    auto const status = parser_.feed(input);
    if (status == parse_status::failed) return finish(parser_.failure());
    if (status == parse_status::need_more) return read_answer();
    auto head = parser_.release();
    if (head.is_interim()) return read_answer();
    // RFC 9110 §9.3.6: any 2xx means that the tunnel begins behind the head.
    if (head.status() / 100 == 2) return finish({});
    if (answer_ != nullptr) *answer_ = std::move(head);
    finish(error::proxy_refused);
}

inline void dial_operation::finish(std::error_code ec) {
    if (is_finished_) return;
    is_finished_ = true;
    deadline_.cancel();
    next_attempt_.cancel();
    resolver_.cancel();
    attempts_.clear();
    std::error_code ignored;
    if (ec) winner_.close(ignored);
    done_.complete(ec, std::move(winner_));
}

} // namespace livetape::detail
