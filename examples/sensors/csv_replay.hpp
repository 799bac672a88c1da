#pragma once

#include "../support/text_fields.hpp"
#include "reading.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <istream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensors {

/// Reads one line `YYYY-MM-DD HH:MM:SS,value`; the seconds may have a fraction.
/// @return nothing if the line is anything else
inline std::optional<reading> parse_reading_line(std::string_view line) {
    using namespace examples;
    calendar_time at;
    double fraction = 0;
    reading read;
    if (!(take_digits(line, 4, at.year) && take_character(line, '-') &&
          take_digits(line, 2, at.month) && take_character(line, '-') &&
          take_digits(line, 2, at.day) && take_character(line, ' ') &&
          take_digits(line, 2, at.hours) && take_character(line, ':') &&
          take_digits(line, 2, at.minutes) && take_character(line, ':') &&
          take_digits(line, 2, at.seconds)))
        return std::nullopt;
    if (line.starts_with('.') && !take_number(line, fraction)) return std::nullopt;
    auto const time = at.since_epoch();
    if (!time || fraction < 0 || fraction >= 1 || !take_character(line, ',') ||
        !take_number(line, read.value) || !line.empty())
        return std::nullopt;
    read.time =
        *time + std::chrono::floor<livetape::event_time>(std::chrono::duration<double>{fraction});
    return read;
}

/// Plays a recorded sensor: a reading_source. The file is as those of the Numenta Anomaly
/// Benchmark: a line `timestamp,value`, then a line per reading.
class csv_replay {
public:
    /// Reads the whole file, so that a bad line is found now and not in an hour.
    /// @throws std::runtime_error  with one sentence: the file cannot be read, holds no readings,
    ///         or has an unreadable line (with its number)
    static csv_replay open(std::filesystem::path const& file) {
        std::ifstream in{file};
        if (!in || std::filesystem::is_directory(file))
            throw std::runtime_error{"cannot read the file " + file.string()};
        return read(in, file.string(), file.stem().string());
    }

    /// The same from a stream. @param name  stands for the file in messages
    static csv_replay read(std::istream& in, std::string_view name, std::string const& sensor) {
        csv_replay replay;
        std::string line;
        for (std::size_t number = 1; std::getline(in, line); ++number) {
            if (line.ends_with('\r')) line.pop_back();
            if (line.empty() || (number == 1 && line == "timestamp,value")) continue;
            auto parsed = parse_reading_line(line);
            if (!parsed)
                throw std::runtime_error{std::string{name} + ", line " + std::to_string(number) +
                                         ": expected YYYY-MM-DD HH:MM:SS,value but found \"" +
                                         line.substr(0, 60) + '"'};
            parsed->sensor = sensor;
            replay.readings_.push_back(std::move(*parsed));
        }
        if (replay.readings_.empty())
            throw std::runtime_error{std::string{name} + " holds no readings"};
        return replay;
    }

    std::optional<reading> operator()() {
        if (next_ == readings_.size()) return std::nullopt;
        return readings_[next_++];
    }

    [[nodiscard]] std::size_t size() const noexcept { return readings_.size(); }

private:
    std::vector<reading> readings_;
    std::size_t next_ = 0;
};

} // namespace sensors
