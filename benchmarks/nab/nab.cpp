// Runs the library's default anomaly detector over the files of the Numenta Anomaly Benchmark, row
// by row, each file with a detector of its own, all with the same parameters:
//
//   nab --data ../shared/data/nab --out /tmp/nab
//   python3 ../shared/tools/nab_score.py --data ../shared/data/nab --results /tmp/nab --by-category

#include "metric_file.hpp"

#include <livetape/analytics/anomaly_detector.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <iostream>

namespace {

/// Scores one file into another. A row is scored before the next one is read.
/// @return the number of rows
std::size_t score_file(std::filesystem::path const& from, std::filesystem::path const& to) {
    benchmarks::metric_reader reader{from};
    benchmarks::score_writer writer{to};
    livetape::anomaly_detector detector;
    std::size_t count = 0;
    while (auto const row = reader.next()) {
        writer.write(*row, detector.add(row->time, row->value).onset);
        ++count;
    }
    writer.close();
    return count;
}

void score_all(std::filesystem::path const& data, std::filesystem::path const& out) {
    std::size_t files = 0;
    std::size_t rows = 0;
    auto const begin = std::chrono::steady_clock::now();
    for (auto const& entry : std::filesystem::recursive_directory_iterator{data}) {
        if (!entry.is_regular_file() || entry.path().extension() != ".csv") continue;
        auto const target = out / std::filesystem::relative(entry.path(), data);
        std::filesystem::create_directories(target.parent_path());
        rows += score_file(entry.path(), target);
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
    app.add_option("--data", data, "folder of <category>/<file>.csv")
        ->required()
        ->check(CLI::ExistingDirectory);
    app.add_option("--out", out, "folder for the results, made if need be")->required();
    CLI11_PARSE(app, argc, argv);
    try {
        score_all(data, out);
    } catch (std::exception const& failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
}
