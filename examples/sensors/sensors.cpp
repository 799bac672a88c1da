// Sensors that ask for maintenance: readings get a seasonal baseline and an anomaly score, and what
// is odd becomes an alert that somebody acknowledges. Start it, then open the address that it
// prints:
//
//   sensors                                                          this machine's own telemetry
//   sensors --replay machine_temperature_system_failure.csv          a recording, 100 readings/s
//   sensors --replay nyc_taxi.csv --rate 1000 --alert-at 0.9998      any `timestamp,value` file

#include "../support/every.hpp"
#include "../support/page_host.hpp"
#include "../support/uplot.hpp"
#include "csv_replay.hpp"
#include "host_telemetry.hpp"
#include "sensor_watch.hpp"

#include <livetape/analytics/acknowledgements.hpp>
#include <livetape/analytics/alert_board.hpp>
#include <livetape/livetape.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <string>

namespace {

struct choices {
    std::string replay;
    double rate = 100;
    double alert_at = 0.9995;

    explicit choices(CLI::App& into) {
        auto* const file =
            into.add_option("--replay", replay, "A file of lines YYYY-MM-DD HH:MM:SS,value");
        into.add_option("--rate", rate, "Readings replayed per second")
            ->needs(file)
            ->check(CLI::Range(0.1, 1e5))
            ->capture_default_str();
        into.add_option("--alert-at", alert_at, "Anomaly score that alerts; 1 - it is how rare")
            ->check(CLI::Range(0.991, 0.9998))
            ->capture_default_str();
    }
    // The options refer to its parts.
    choices(choices const&) = delete;
    choices& operator=(choices const&) = delete;
};

sensors::reading_source open_source(std::string const& replay) {
    if (replay.empty()) return sensors::host_telemetry{};
    return sensors::csv_replay::open(replay);
}

int run(page_host& host, choices const& chosen) {
    auto source = open_source(chosen.replay);

    livetape::hub hub{{.log_bytes_max = 16u << 20, .log_events_max = 30'000}};
    auto& problems = hub.open("problems");
    livetape::alert_board alerts{hub.open("alerts")};
    livetape::live_options options;
    livetape::acknowledgements acknowledged{alerts, hub.open("acknowledgements"), options.hooks};
    acknowledged.report(problems);
    livetape::server server{host.io.get_executor(), hub};
    server.live("/live", options);
    server.files("/vendor/", examples::find_uplot(host.examples()));

    auto watch = sensors::watch_sensors(alerts, hub.open("readings"), problems, chosen.alert_at);

    double due = 0; // readings, not yet a whole one
    constexpr std::chrono::milliseconds turn{20};
    examples::every const readings{host.io, turn, [&] {
                                       due += chosen.rate *
                                              std::chrono::duration<double>{turn}.count();
                                       for (; due >= 1; --due) {
                                           auto const next = source();
                                           if (!next) {
                                               due = 0; // what was not there is not made up for
                                               break;
                                           }
                                           watch.take(*next);
                                           acknowledged.advance(next->time);
                                       }
                                       watch.tick();
                                       acknowledged.run();
                                   }};
    return host.run(server);
}

} // namespace

int main(int argc, char** argv) {
    page_host host{"sensors", "Serves readings of sensors, how odd they are, and what to look at."};
    choices chosen{host.arguments};
    if (auto const status = host.parse(argc, argv)) return *status;
    try {
        return run(host, chosen);
    } catch (std::exception const& error) {
        std::cerr << "sensors: " << error.what() << '\n';
        return 1;
    }
}
