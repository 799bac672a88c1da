// Boost.Beast's way through the messages of `read_messages`, where Boost is there. Its frame parser
// cannot be called alone, so its stream reads from memory instead of a socket.

#if __has_include(<boost/beast/websocket.hpp>)

#include "masked_messages.hpp"

#include <benchmark/benchmark.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using beast::error_code;

/// A stream whose peer sends a handshake and then the same messages again and again.
class memory_stream {
public:
    using executor_type = asio::io_context::executor_type;

    memory_stream(asio::io_context& io, std::string_view messages)
        : executor_{io.get_executor()}, messages_{messages} {}

    executor_type get_executor() noexcept { return executor_; }

    template <class Buffers>
    std::size_t read_some(Buffers const& into, error_code& ec) {
        ec = {};
        if (rest_.empty()) rest_ = messages_;
        auto const size = asio::buffer_copy(into, asio::buffer(rest_.data(), rest_.size()));
        rest_.remove_prefix(size);
        return size;
    }

    template <class Buffers>
    std::size_t write_some(Buffers const& from, error_code& ec) {
        ec = {};
        return asio::buffer_size(from);
    }

    template <class Buffers>
    std::size_t read_some(Buffers const& into) {
        error_code ignored;
        return read_some(into, ignored);
    }

    template <class Buffers>
    std::size_t write_some(Buffers const& from) {
        error_code ignored;
        return write_some(from, ignored);
    }

private:
    executor_type executor_;
    std::string_view messages_;
    std::string_view rest_ = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
};

[[maybe_unused]] void teardown(beast::role_type, memory_stream&, error_code& ec) { ec = {}; }

void read_messages_beast(benchmark::State& state) {
    auto const messages = benchmarks::messages_of(static_cast<std::size_t>(state.range(0)));
    asio::io_context io{1};
    beast::websocket::stream<memory_stream> stream{io, messages.bytes};
    error_code ec;
    stream.accept(ec);
    if (ec) return state.SkipWithError("the handshake failed");
    beast::flat_buffer buffer;
    for (auto _ : state) {
        for (std::size_t i = 0; i < messages.count; ++i) {
            stream.read(buffer, ec);
            benchmark::DoNotOptimize(buffer.data().data());
            buffer.clear();
        }
    }
    if (ec) return state.SkipWithError("a message was refused");
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages.count));
}
BENCHMARK(read_messages_beast)->Arg(64)->Arg(1024);

} // namespace

#endif
