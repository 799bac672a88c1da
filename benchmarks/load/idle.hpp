#pragma once

#include "load/load_options.hpp"
#include "load/subscribers.hpp"
#include "support/process_usage.hpp"
#include "support/report.hpp"

#include <cstdio>

namespace benchmarks {

/// Opens connections that stay idle; reports how much the server's resident memory grew for each.
inline json_object measure_idle(load_options options, std::size_t count) {
    // What the server needs once, for its first connections, is not counted.
    load_options first = options;
    first.connections = 8;
    subscriber_load few{first};
    few.connect_all();
    few.run_for(0.2);
    auto const before = usage_of(options.server_process).resident_bytes;

    options.connections = count;
    subscriber_load many{options};
    many.connect_all();
    many.run_for(1);
    auto const after = usage_of(options.server_process).resident_bytes;
    auto const each =
        (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(count);

    json_object report;
    report.add("connections", count)
        .add("path", options.path)
        .add("resident_before_bytes", before)
        .add("resident_after_bytes", after)
        .add("bytes_per_connection", each);
    std::printf("%zu idle connections on %s: %.0f bytes of the server's memory each\n", count,
                options.path.c_str(), each);
    return report;
}

} // namespace benchmarks
