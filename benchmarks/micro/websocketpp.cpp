// websocketpp's way through the messages of `read_messages`, where it is there.

#if __has_include(<websocketpp/processors/hybi13.hpp>)

#include "masked_messages.hpp"

#include <benchmark/benchmark.h>
#include <websocketpp/config/core.hpp>
#include <websocketpp/processors/hybi13.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace {

using peer = websocketpp::config::core;

void read_messages_websocketpp(benchmark::State& state) {
    auto const messages = benchmarks::messages_of(static_cast<std::size_t>(state.range(0)));
    peer::rng_type random;
    auto const allocates = websocketpp::lib::make_shared<peer::con_msg_manager_type>();
    websocketpp::processor::hybi13<peer> reader{false, true, allocates, random};
    std::string bytes;
    for (auto _ : state) {
        bytes = messages.bytes; // reading unmasks in place
        auto* at = reinterpret_cast<std::uint8_t*>(bytes.data());
        std::size_t left = bytes.size();
        std::size_t count = 0;
        websocketpp::lib::error_code ec;
        while (left > 0) {
            auto const taken = reader.consume(at, left, ec);
            at += taken;
            left -= taken;
            if (ec) return state.SkipWithError("a message was refused");
            if (!reader.ready()) continue;
            benchmark::DoNotOptimize(reader.get_message());
            ++count;
        }
        if (count != messages.count) return state.SkipWithError("messages are missing");
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages.count));
}
BENCHMARK(read_messages_websocketpp)->Arg(64)->Arg(1024);

} // namespace

#endif
