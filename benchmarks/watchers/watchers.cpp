// Watches a keyed feed over many WebSocket connections, each as it chose: newest per key, at its
// own rate, some keys, some channels. Prints what the server used and whether everything that was
// published is accounted for; with --stalled, some watchers read nothing until the publisher has
// finished. For instance:
//
//   keyed_server --port 8080 --keys 100 --rate 100000 &
//   watchers --port 8080 --pid $! --rate 10
//   keyed_server --port 8080 --keys 20 --size 1024 --rate 32768 --bytes 1073741824 --write-timeout
//   600 & watchers --port 8080 --pid $! --rate 0 --stalled 50 --stalled-every 25 --to-the-end

#include "watchers/watchers.hpp"
#include "support/client_socket.hpp"
#include "support/process_usage.hpp"
#include "support/report.hpp"

#include <CLI/CLI.hpp>

#include <sys/types.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

struct run_options {
    benchmarks::watch_options watch;
    pid_t server_process = 0;
    double warm_up_seconds = 1;
    double seconds = 5;
    bool to_the_end = false; ///< until nothing comes any more, instead of for some seconds
};

/// Runs in short pieces, so that the server's memory is seen at its largest.
std::size_t run_and_watch_memory(benchmarks::watcher_load& load, run_options const& options) {
    std::size_t peak = 0;
    auto const look = [&] {
        peak = std::max(peak, benchmarks::usage_of(options.server_process).resident_bytes);
    };
    auto const end = benchmarks::monotonic_ns() + static_cast<std::int64_t>(options.seconds * 1e9);
    if (!options.to_the_end) {
        for (; benchmarks::monotonic_ns() < end; look()) load.run_for(0.1);
        return peak;
    }
    constexpr double longest_run_seconds = 600;
    auto const last =
        benchmarks::monotonic_ns() + static_cast<std::int64_t>(longest_run_seconds * 1e9);
    for (std::uint64_t bytes = 1; bytes != load.counts().bytes && benchmarks::monotonic_ns() < last;
         look()) {
        bytes = load.counts().bytes;
        load.run_for(0.5);
    }
    return peak;
}

/// With all keys of one channel: the watchers for which events are not accounted for.
std::size_t count_wrong(benchmarks::watcher_load const& load, run_options const& options) {
    if (options.watch.keys > 0 || options.watch.channels_each > 0 || !options.to_the_end) return 0;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < options.watch.connections; ++i)
        last = std::max(last, load.at(i).last_offset());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < options.watch.connections; ++i)
        if (load.at(i).unaccounted() != 0 || load.at(i).last_offset() != last) ++wrong;
    return wrong;
}

bool measure(run_options const& options, benchmarks::json_object& report) {
    auto const memory_before = benchmarks::usage_of(options.server_process).resident_bytes;
    benchmarks::watcher_load load{options.watch};
    load.connect_all();
    load.stall();
    if (!options.to_the_end) load.run_for(options.warm_up_seconds);
    auto const memory_connected = benchmarks::usage_of(options.server_process).resident_bytes;

    auto& counts = load.counts();
    auto const before = counts;
    counts.staleness_ns.clear();
    auto const server_before = benchmarks::usage_of(options.server_process);
    auto const own_before = benchmarks::usage_of(getpid());
    auto const began = benchmarks::monotonic_ns();
    auto const peak = run_and_watch_memory(load, options);
    auto const seconds = static_cast<double>(benchmarks::monotonic_ns() - began) / 1e9;
    auto const server = benchmarks::usage_of(options.server_process) - server_before;
    auto const own = benchmarks::usage_of(getpid()) - own_before;
    auto staleness = counts.staleness_ns;
    auto const events = static_cast<double>(counts.events - before.events);
    auto const published = static_cast<double>(counts.stands_for - before.stands_for);
    auto const bytes = static_cast<double>(counts.bytes - before.bytes);

    if (options.watch.stalled > 0) {
        load.read_again();
        load.run_until_quiet(3, 120);
    }
    auto const wrong = count_wrong(load, options);
    auto const p50_ms = benchmarks::quantile(staleness, 0.5) / 1e6;
    auto const p99_ms = benchmarks::quantile(staleness, 0.99) / 1e6;
    auto const connections = static_cast<double>(options.watch.connections);
    report.add("connections", options.watch.connections)
        .add("stalled", options.watch.stalled)
        .add("mode", options.watch.mode)
        .add("rate", options.watch.rate)
        .add("keys_each", options.watch.keys > 0 ? options.watch.keys_each : 0)
        .add("channels_each", options.watch.channels_each)
        .add("seconds", seconds)
        .add("events_per_second", events / seconds)
        .add("stands_for_per_second", published / seconds)
        .add("bytes_per_second", bytes / seconds)
        .add("staleness_p50_ms", p50_ms)
        .add("staleness_p99_ms", p99_ms)
        .add("skipped", counts.skipped)
        .add("disordered", counts.disordered)
        .add("unaccounted_watchers", wrong)
        .add("closed", load.closed())
        .add("server_cpu", server.cpu_seconds / seconds)
        .add("server_user_share", server.user_share())
        .add("load_cpu", own.cpu_seconds / seconds)
        .add("memory_before_bytes", memory_before)
        .add("memory_connected_bytes", memory_connected)
        .add("memory_peak_bytes", peak);
    std::printf("%zu watchers (%zu stalled): %.3f M events/s standing for %.3f M, %.1f MB/s; "
                "staleness p50 %.1f ms p99 %.1f ms\n",
                options.watch.connections, options.watch.stalled, events / seconds / 1e6,
                published / seconds / 1e6, bytes / seconds / 1e6, p50_ms, p99_ms);
    std::printf("%llu skipped by gap notices, %llu disordered, %zu watchers not accounted for, "
                "%zu closed\n",
                static_cast<unsigned long long>(counts.skipped),
                static_cast<unsigned long long>(counts.disordered), wrong, load.closed());
    std::printf(
        "server: %.1f %% of a core (%.0f %% of it user); memory %.1f MB before, +%.0f B per "
        "watcher once connected, %.1f MB at most; load client %.0f %%\n",
        100 * server.cpu_seconds / seconds, 100 * server.user_share(),
        static_cast<double>(memory_before) / 1e6,
        (static_cast<double>(memory_connected) - static_cast<double>(memory_before)) / connections,
        static_cast<double>(peak) / 1e6, 100 * own.cpu_seconds / seconds);
    return counts.disordered + wrong + load.closed() == 0 && events > 0;
}

} // namespace

int main(int argc, char** argv) try {
    CLI::App arguments{"Watches a keyed feed over many WebSocket connections."};
    run_options options;
    auto& watch = options.watch;
    std::string json = "build/benchmarks/watchers.json";
    arguments.add_option("--host", watch.server.host, "The server's IPv4 address")
        ->capture_default_str();
    arguments.add_option("--port", watch.server.port, "The server's port")->required();
    arguments.add_option("--pid", options.server_process,
                         "The server's process, to read what it used");
    arguments.add_option("--connections", watch.connections, "Watchers")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    arguments.add_option("--stalled", watch.stalled, "Of them: read nothing while events come");
    arguments.add_option("--stalled-every", watch.stalled_every,
                         "Of the stalled: in mode every, whatever --mode says");
    arguments.add_option("--mode", watch.mode, "latest or every")
        ->check(CLI::IsMember({"latest", "every"}))
        ->capture_default_str();
    arguments.add_option("--rate", watch.rate, "Flushes per second; 0: as events come")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    arguments.add_option("--keys", watch.keys, "Keys of the channel, of which each watches some");
    arguments.add_option("--keys-each", watch.keys_each, "Keys that each watches, with --keys")
        ->capture_default_str();
    arguments.add_option("--channels-each", watch.channels_each,
                         "Channels feed.N that each subscribes to; 0: the one channel feed");
    arguments.add_option("--warm-up", options.warm_up_seconds, "Seconds before measuring")
        ->capture_default_str();
    arguments.add_option("--seconds", options.seconds, "Seconds of measuring")
        ->capture_default_str();
    arguments.add_flag("--to-the-end", options.to_the_end,
                       "Measure until nothing more comes, and see that everything adds up");
    arguments.add_option("--json", json, "Where the report goes")->capture_default_str();
    CLI11_PARSE(arguments, argc, argv);

    benchmarks::raise_file_limit();
    benchmarks::json_object report;
    bool const is_right = measure(options, report);
    report.add("environment", benchmarks::environment());
    if (!benchmarks::write_json(json, report)) {
        std::cerr << "watchers: cannot write " << json << '\n';
        return 1;
    }
    return is_right ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << "watchers: " << e.what() << '\n';
    return 1;
}
