#pragma once

#include <concepts>
#include <system_error>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/socket_base.hpp>

#include <livetape/config.hpp>

namespace livetape::detail {

/// A plain socket can say when it is ready, and then be read and written without waiting: its idle
/// connection holds no buffer, and neither does one of `tls_stream`. Other streams (Asio's own TLS,
/// in-memory pairs) are read and written by asynchronous operations that own their buffers
/// meanwhile.
template <class Stream>
concept readiness_stream = requires(Stream& s, std::error_code& ec, char* bytes) {
    s.non_blocking(true, ec);
    s.read_some(asio::buffer(bytes, 1), ec);
    s.write_some(asio::buffer(bytes, 1), ec);
    s.async_wait(asio::socket_base::wait_read, [](std::error_code) {});
};

/// A readiness stream that may take more than the socket does: then the rest goes out while it
/// waits for `wait_write`.
template <class Stream>
concept holding_stream = readiness_stream<Stream> && requires(Stream const& s) {
    { s.holds_back() } -> std::same_as<bool>;
};

/// A stream with a good-bye of its own below the session's.
template <class Stream>
concept closing_stream = requires(Stream& s, std::error_code& ec) {
    s.close_output(ec);
};

/// The io_context behind a stream's executor. Precondition: there is one; pools of threads and
/// other contexts cannot run sessions, which belong to one thread.
template <class Stream>
asio::io_context& context_of(Stream& stream) {
    auto const executor = stream.get_executor();
    if constexpr (requires {
                      {
                          asio::query(executor, asio::execution::context)
                          } -> std::same_as<asio::io_context&>;
                  }) {
        return asio::query(executor, asio::execution::context);
    } else {
        auto const* const of_context = executor.template target<asio::io_context::executor_type>();
        LIVETAPE_ASSERT(of_context != nullptr);
        return asio::query(*of_context, asio::execution::context);
    }
}

/// The layer below that can be closed and shut down.
template <class Stream>
auto& lowest_layer_of(Stream& stream) {
    if constexpr (requires { stream.lowest_layer(); }) return stream.lowest_layer();
    else return stream;
}

/// Says that nothing more will be sent.
template <class Stream>
void close_output(Stream& stream, std::error_code& ec) {
    if constexpr (closing_stream<Stream>) stream.close_output(ec);
    else lowest_layer_of(stream).shutdown(asio::socket_base::shutdown_send, ec);
}

} // namespace livetape::detail
