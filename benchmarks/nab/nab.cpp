// Runs the library's default anomaly detector over the files of the Numenta Anomaly Benchmark, row
// by row, each file with a detector of its own, all with the same parameters:
//
//   nab --data ../shared/data/nab --out /tmp/nab
//   python3 ../shared/tools/nab_score.py --data ../shared/data/nab --results /tmp/nab --by-category
//
// --jitter SEED multiplies each parameter by a random factor, to see how much the score owes to
// them; cross_validate, beside this file, does so many times.

#include "metric_file.hpp"

#include <livetape/analytics/anomaly_detector.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <random>

namespace {

/// The default parameters, each times its own random factor from 0.7 to 1.4.
livetape::anomaly_detector::options jittered(std::uint32_t seed) {
    std::mt19937 random{seed};
    auto const factor = [&] {
        return 0.7 * std::exp2(static_cast<double>(random()) / std::mt19937::max());
    };
    auto const scale = [&](double& parameter) { parameter *= factor(); };
    auto const scale_count = [&](std::size_t& parameter) {
        parameter = static_cast<std::size_t>(
            std::fmax(std::round(static_cast<double>(parameter) * factor()), 1));
    };
    livetape::anomaly_detector::options options;
    scale_count(options.day.slots);
    scale(options.day.smoothing);
    scale_count(options.week.slots);
    scale(options.week.smoothing);
    scale(options.recent_smoothing);
    scale(options.tail.memory);
    scale(options.tail.tail_share);
    scale(options.tail.tail_weight_min);
    scale(options.tail.tail_index_min);
    scale_count(options.cooldown.length);
    scale(options.cooldown.margin);
    scale_count(options.residual_window);
    scale_count(options.long_window);
    scale_count(options.still_window);
    scale(options.still_weight);
    return options;
}

/// Scores one file into another. A row is scored before the next one is read.
/// @return the number of rows
std::size_t score_file(std::filesystem::path const& from, std::filesystem::path const& to,
                       livetape::anomaly_detector::options const& options) {
    benchmarks::metric_reader reader{from};
    benchmarks::score_writer writer{to};
    livetape::anomaly_detector detector{options};
    std::size_t count = 0;
    while (auto const row = reader.next()) {
        writer.write(*row, detector.add(row->time, row->value).onset);
        ++count;
    }
    writer.close();
    return count;
}

void score_all(std::filesystem::path const& data, std::filesystem::path const& out,
               livetape::anomaly_detector::options const& options) {
    std::size_t files = 0;
    std::size_t rows = 0;
    auto const begin = std::chrono::steady_clock::now();
    for (auto const& entry : std::filesystem::recursive_directory_iterator{data}) {
        if (!entry.is_regular_file() || entry.path().extension() != ".csv") continue;
        auto const target = out / std::filesystem::relative(entry.path(), data);
        std::filesystem::create_directories(target.parent_path());
        rows += score_file(entry.path(), target, options);
        ++files;
    }
    std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - begin;
    std::cout << files << " files, " << rows << " rows in " << seconds.count()
              << " s, files included\n";
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Scores the files of the Numenta Anomaly Benchmark with the default detector"};
    std::filesystem::path data;
    std::filesystem::path out;
    std::uint32_t jitter = 0;
    app.add_option("--data", data, "folder of <category>/<file>.csv")
        ->required()
        ->check(CLI::ExistingDirectory);
    app.add_option("--out", out, "folder for the results, made if need be")->required();
    app.add_option("--jitter", jitter, "seed of random factors for all parameters; 0: none");
    CLI11_PARSE(app, argc, argv);
    try {
        score_all(data, out,
                  jitter == 0 ? livetape::anomaly_detector::options{} : jittered(jitter));
    } catch (std::exception const& failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
}
