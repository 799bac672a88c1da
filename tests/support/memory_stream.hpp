#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/async_result.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/socket_base.hpp>
#include <asio/steady_timer.hpp>

namespace livetape::test {

/// What a `memory_stream` and the test that plays its peer share. All of it belongs to the thread
/// that runs the io_context.
struct memory_pipe {
    static constexpr auto unlimited = std::numeric_limits<std::size_t>::max();

    explicit memory_pipe(asio::io_context& io) : readable{io}, writable{io} {
        readable.expires_at(asio::steady_timer::time_point::max());
        writable.expires_at(asio::steady_timer::time_point::max());
    }

    std::string input;                  ///< sent by the peer, not read yet
    std::string output;                 ///< written by the stream, not taken by the peer yet
    std::size_t read_max = unlimited;   ///< bytes of one read
    std::size_t write_max = unlimited;  ///< bytes of one write
    std::size_t output_max = unlimited; ///< bytes that lie unread before a write waits
    std::size_t failing_operation = 0;  ///< that read or write, counted from 1, fails; 0: none
    std::size_t operation_count = 0;
    bool has_input_ended = false;
    bool is_shut_down = false;
    bool is_closed = false;

    // Waits that never end by themselves: cancelling one lets its operation go on. The io_context
    // owns and destroys pending operations so, as it does those of sockets.
    asio::steady_timer readable;
    asio::steady_timer writable;

    [[nodiscard]] bool can_read() const noexcept {
        return !input.empty() || has_input_ended || is_closed;
    }
    [[nodiscard]] bool can_write() const noexcept {
        return output.size() < output_max || is_closed;
    }

    /// Whether an operation that is about to complete fails instead.
    [[nodiscard]] std::error_code outcome() {
        if (is_closed) return asio::error::operation_aborted;
        if (++operation_count == failing_operation) return asio::error::connection_reset;
        return {};
    }
};

/// One end of a connection that exists in memory: an asynchronous stream without readiness, like
/// TLS. Bytes are copied when an operation completes, so a sanitizer sees buffers that went away.
class memory_stream {
public:
    using executor_type = asio::io_context::executor_type;
    using lowest_layer_type = memory_stream;

    memory_stream(asio::io_context& io, std::shared_ptr<memory_pipe> pipe)
        : executor_{io.get_executor()}, pipe_{std::move(pipe)} {}
    memory_stream(memory_stream&&) = default;
    memory_stream& operator=(memory_stream&&) = default;

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
    [[nodiscard]] lowest_layer_type& lowest_layer() noexcept { return *this; }

    template <class Buffers, class Token>
    auto async_read_some(Buffers const& buffers, Token&& token) {
        auto const initiate = [pipe = pipe_](auto handler, Buffers to) {
            pipe->readable.async_wait(
                [pipe, to, handler = std::move(handler)](std::error_code) mutable {
                    auto ec = pipe->outcome();
                    std::size_t size = 0;
                    if (!ec && !pipe->input.empty()) {
                        auto const limit = std::min(pipe->read_max, pipe->input.size());
                        size = asio::buffer_copy(to, asio::buffer(pipe->input), limit);
                        pipe->input.erase(0, size);
                    } else if (!ec) {
                        ec = asio::error::eof;
                    }
                    std::move(handler)(ec, size);
                });
            if (pipe->can_read()) pipe->readable.cancel();
        };
        return asio::async_initiate<Token, void(std::error_code, std::size_t)>(initiate, token,
                                                                               buffers);
    }

    template <class Buffers, class Token>
    auto async_write_some(Buffers const& buffers, Token&& token) {
        auto const initiate = [pipe = pipe_](auto handler, Buffers from) {
            pipe->writable.async_wait([pipe, from,
                                       handler = std::move(handler)](std::error_code) mutable {
                auto const ec = pipe->outcome();
                std::size_t size = 0;
                if (!ec) {
                    auto const room =
                        pipe->output_max - std::min(pipe->output_max, pipe->output.size());
                    std::string bytes(std::min({asio::buffer_size(from), pipe->write_max, room}),
                                      '\0');
                    size = asio::buffer_copy(asio::buffer(bytes), from);
                    pipe->output += bytes;
                }
                std::move(handler)(ec, size);
            });
            if (pipe->can_write()) pipe->writable.cancel();
        };
        return asio::async_initiate<Token, void(std::error_code, std::size_t)>(initiate, token,
                                                                               buffers);
    }

    void shutdown(asio::socket_base::shutdown_type, std::error_code& ec) noexcept {
        pipe_->is_shut_down = true;
        ec = {};
    }

    void close(std::error_code& ec) {
        pipe_->is_closed = true;
        pipe_->readable.cancel();
        pipe_->writable.cancel();
        ec = {};
    }

private:
    executor_type executor_;
    std::shared_ptr<memory_pipe> pipe_;
};

/// The test's end of a `memory_stream`.
class memory_peer {
public:
    explicit memory_peer(asio::io_context& io)
        : io_{io}, pipe_{std::make_shared<memory_pipe>(io)} {}

    [[nodiscard]] memory_stream stream() { return {io_, pipe_}; }
    [[nodiscard]] memory_pipe& pipe() noexcept { return *pipe_; }

    void send(std::string_view bytes) {
        pipe_->input += bytes;
        pipe_->readable.cancel();
    }

    void end_input() {
        pipe_->has_input_ended = true;
        pipe_->readable.cancel();
    }

    /// Takes what the stream has written, or its first bytes.
    std::string take(std::size_t bytes_max = memory_pipe::unlimited) {
        auto bytes = pipe_->output.substr(0, bytes_max);
        pipe_->output.erase(0, bytes.size());
        if (pipe_->can_write()) pipe_->writable.cancel();
        return bytes;
    }

private:
    asio::io_context& io_;
    std::shared_ptr<memory_pipe> pipe_;
};

} // namespace livetape::test
