#pragma once

#include <livetape/analytics/event_time.hpp>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace benchmarks {

/// One row of a metric's file, with its text, because results repeat the rows as they are.
struct metric_row {
    std::string time_text;
    std::string value_text;
    livetape::event_time time{};
    double value = 0; // NaN if the text is no number
};

/// Reads `YYYY-MM-DD hh:mm:ss` with an optional fraction, taken as UTC.
/// @return nothing if the text is no such time
[[nodiscard]] inline std::optional<livetape::event_time> parse_time(std::string_view text) {
    auto const number = [&](std::size_t at, std::size_t size) {
        int value = -1;
        if (at + size <= text.size()) {
            auto const* const end = text.data() + at + size;
            if (std::from_chars(text.data() + at, end, value).ptr != end) value = -1;
        }
        return value;
    };
    std::chrono::year_month_day const day{std::chrono::year{number(0, 4)},
                                          std::chrono::month{static_cast<unsigned>(number(5, 2))},
                                          std::chrono::day{static_cast<unsigned>(number(8, 2))}};
    int const hour = number(11, 2);
    int const minute = number(14, 2);
    int const second = number(17, 2);
    if (!day.ok() || number(0, 4) < 0 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
    return std::chrono::sys_days{day}.time_since_epoch() + std::chrono::hours{hour} +
           std::chrono::minutes{minute} + std::chrono::seconds{second};
}

/// Reads a file of the Numenta Anomaly Benchmark: the header `timestamp,value`, then rows.
class metric_reader {
public:
    /// @throws std::runtime_error if there is no such file, or another header
    explicit metric_reader(std::filesystem::path path) : path_{std::move(path)}, file_{path_} {
        std::string header;
        if (!std::getline(file_, header) || !header.starts_with("timestamp,value")) fail("header");
    }

    /// The next row, or nothing at the end.
    /// @throws std::runtime_error if a row has no two fields or no time
    [[nodiscard]] std::optional<metric_row> next() {
        std::string line;
        do {
            if (!std::getline(file_, line)) return std::nullopt;
            ++line_;
            if (line.ends_with('\r')) line.pop_back();
        } while (line.empty());
        auto const comma = line.find(',');
        if (comma == std::string::npos) fail("row");
        auto const end = line.find(',', comma + 1);
        metric_row row{line.substr(0, comma), line.substr(comma + 1, end - comma - 1)};
        auto const time = parse_time(row.time_text);
        if (!time) fail("timestamp");
        row.time = *time;
        row.value = std::numeric_limits<double>::quiet_NaN();
        auto const& text = row.value_text;
        std::from_chars(text.data(), text.data() + text.size(), row.value);
        return row;
    }

private:
    [[noreturn]] void fail(char const* what) const {
        throw std::runtime_error{path_.string() + ", line " + std::to_string(line_) + ": no " +
                                 what};
    }

    std::filesystem::path path_;
    std::ifstream file_;
    std::size_t line_ = 1;
};

/// Writes a result file: the rows and their scores, in the fewest digits that say them exactly.
class score_writer {
public:
    /// @throws std::runtime_error if the file cannot be made
    explicit score_writer(std::filesystem::path path) : path_{std::move(path)}, file_{path_} {
        file_ << "timestamp,value,anomaly_score\n";
        check();
    }

    void write(metric_row const& row, double score) {
        char text[32];
        auto const end = std::to_chars(text, text + sizeof text, score).ptr;
        file_ << row.time_text << ',' << row.value_text << ','
              << std::string_view{text, static_cast<std::size_t>(end - text)} << '\n';
    }

    /// @throws std::runtime_error if not all was written
    void close() {
        file_.close();
        check();
    }

private:
    void check() const {
        if (!file_) throw std::runtime_error{path_.string() + ": cannot be written"};
    }

    std::filesystem::path path_;
    std::ofstream file_;
};

} // namespace benchmarks
