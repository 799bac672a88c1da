// What polling costs and pushing saves: the same feed, followed by short-poll at 5 s and at 1 s, by
// long-poll, SSE and WebSocket. Starts a feed_server of its own for each case. For instance:
//
//   push_versus_poll --clients 100,1000 --rates 1,10 --seconds 15

#include "push_versus_poll/poll_case.hpp"
#include "support/report.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace benchmarks;

struct way {
    char const* name;
    method how;
    double interval_seconds;
};

constexpr way ways[] = {
    {"short-poll 5 s", method::short_poll, 5}, {"short-poll 1 s", method::short_poll, 1},
    {"long-poll", method::long_poll, 0},       {"SSE", method::sse, 0},
    {"WebSocket", method::websocket, 0},
};

json_object to_json(poll_case const& one, case_result const& result) {
    json_object row;
    row.add("method", one.name)
        .add("clients", one.clients)
        .add("updates_per_second", one.updates_per_second())
        .add("second_after_us", one.second_after_us)
        .add("staleness_p50_ms", result.staleness_p50_ms)
        .add("staleness_p99_ms", result.staleness_p99_ms)
        .add("staleness_max_ms", result.staleness_max_ms)
        .add("samples", result.samples)
        .add("just_after_p50_ms", result.just_after_p50_ms)
        .add("just_after_max_ms", result.just_after_max_ms)
        .add("just_after_samples", result.just_after_samples)
        .add("sent_bytes_per_update_and_client", result.sent_bytes)
        .add("received_bytes_per_update_and_client", result.received_bytes)
        .add("requests_per_second", result.requests_per_second)
        .add("server_cpu_us_per_update_and_client", result.server_cpu_us)
        .add("missing", result.missing)
        .add("repeated", result.repeated);
    return row;
}

void print_heading(char const* heading) {
    std::printf("\n%s\n%-15s %7s %9s | %9s %9s %9s | %9s %9s | %8s %8s | %9s | %9s\n", heading,
                "method", "clients", "updates/s", "p50 ms", "p99 ms", "max ms", "after p50",
                "after max", "B up", "B down", "requests/s", "CPU us");
}

void print_row(poll_case const& one, case_result const& r) {
    std::printf(
        "%-15s %7zu %9.3g | %9.2f %9.2f %9.2f | %9.2f %9.2f | %8.0f %8.0f | %10.1f | %9.2f\n",
        one.name.c_str(), one.clients, one.updates_per_second(), r.staleness_p50_ms,
        r.staleness_p99_ms, r.staleness_max_ms, r.just_after_p50_ms, r.just_after_max_ms,
        r.sent_bytes, r.received_bytes, r.requests_per_second, r.server_cpu_us);
    std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) try {
    CLI::App arguments{
        "Compares polling with pushing: staleness, bytes, requests and the server's CPU."};
    std::vector<std::size_t> clients{100, 1000};
    std::vector<double> rates{1, 10};
    case_options options;
    std::int64_t second_after_us = 300;
    std::string json = "build/benchmarks/push_versus_poll.json";
    arguments.add_option("--clients", clients, "Clients, a list")
        ->delimiter(',')
        ->capture_default_str();
    arguments.add_option("--rates", rates, "Updates per second, a list")
        ->delimiter(',')
        ->capture_default_str();
    arguments.add_option("--seconds", options.seconds, "Seconds of measuring a case")
        ->capture_default_str();
    arguments.add_option("--size", options.payload_bytes, "Bytes of a payload")
        ->check(CLI::Range(payload_bytes_min, std::size_t{4096}))
        ->capture_default_str();
    arguments
        .add_option("--second-after", second_after_us,
                    "Microseconds between the two updates of the worst phase; 0 leaves it out")
        ->capture_default_str();
    arguments.add_option("--server-core", options.server_core, "Core for the server");
    arguments.add_option("--load-core", options.load_core, "Core for the clients");
    arguments.add_option("--json", json, "Where the report goes")->capture_default_str();
    CLI11_PARSE(arguments, argc, argv);

    raise_file_limit();
    pin_to_core(options.load_core);
    std::vector<json_object> rows;
    bool is_right = true;
    auto const run_all = [&](std::size_t count, double rate, std::int64_t second_us) {
        for (auto const& each : ways) {
            poll_case const one{each.name, each.how, each.interval_seconds, count, rate, second_us};
            auto const result = run_case(one, options);
            print_row(one, result);
            rows.push_back(to_json(one, result));
            is_right = is_right && result.missing == 0 && result.repeated == 0;
        }
    };
    print_heading(
        "steady updates (after: of updates published just after an answer; bytes and CPU for each "
        "update and client)");
    for (auto const rate : rates)
        for (auto const count : clients) run_all(count, rate, 0);
    if (second_after_us > 0) {
        print_heading(
            "worst phase: each update is followed by another, while the answer is on its way");
        run_all(clients.front(), rates.front(), second_after_us);
    }

    json_object report;
    report.add("payload_bytes", options.payload_bytes)
        .add("seconds_per_case", options.seconds)
        .add("cases", rows)
        .add("environment", environment());
    if (!write_json(json, report)) {
        std::cerr << "push_versus_poll: cannot write " << json << '\n';
        return 1;
    }
    if (!is_right) std::cerr << "push_versus_poll: updates were missing or repeated\n";
    return is_right ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << "push_versus_poll: " << e.what() << '\n';
    return 1;
}
