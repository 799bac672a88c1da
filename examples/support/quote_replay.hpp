#pragma once

#include "quote.hpp"
#include "text_fields.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <istream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace examples {

/// Reads one line `YYYYMMDD HHMMSSmmm,bid,ask,volume`; `due` is the time since the Unix epoch.
/// @return nothing if the line is anything else
[[nodiscard]] std::optional<timed_quote> parse_quote_line(std::string_view line);

/// Plays recorded quotes of one instrument: a quote_source.
class quote_replay {
public:
    /// Reads the whole file, so that a bad line is found now and not in an hour.
    /// @param is_endless  whether it starts over after the last quote
    /// @throws std::runtime_error  with one sentence: the file cannot be read, is empty, or has an
    ///         unreadable line (with its number)
    static quote_replay open(std::filesystem::path const& file, bool is_endless);

    /// The same from a stream. @param name  stands for the file in messages
    static quote_replay read(std::istream& in, std::string_view name, std::string symbol,
                             bool is_endless);

    std::optional<timed_quote> operator()();

    [[nodiscard]] std::size_t size() const noexcept { return quotes_.size(); }
    [[nodiscard]] std::string const& symbol() const noexcept { return quotes_.front().what.symbol; }

    /// When the first quote was made, since the Unix epoch.
    [[nodiscard]] std::chrono::microseconds began() const noexcept { return began_; }

private:
    /// Between the last quote and the first one of the next round.
    static constexpr std::chrono::seconds pause_between_rounds{1};

    std::vector<timed_quote> quotes_; // due from 0
    std::size_t next_ = 0;
    std::chrono::microseconds began_{};
    std::chrono::microseconds round_began_{};
    bool is_endless_ = false;
};

namespace inner {

/// `eurusd_quotes.csv` holds quotes of EURUSD.
inline std::string symbol_of(std::filesystem::path const& file) {
    auto name = file.stem().string();
    name.resize(std::min(name.find('_'), name.size()));
    for (auto& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

} // namespace inner

inline std::optional<timed_quote> parse_quote_line(std::string_view line) {
    calendar_time at;
    int milliseconds = 0;
    timed_quote read;
    auto& [symbol, bid, ask, volume] = read.what;
    bool const has_form = take_digits(line, 4, at.year) && take_digits(line, 2, at.month) &&
                          take_digits(line, 2, at.day) && take_character(line, ' ') &&
                          take_digits(line, 2, at.hours) && take_digits(line, 2, at.minutes) &&
                          take_digits(line, 2, at.seconds) && take_digits(line, 3, milliseconds) &&
                          take_character(line, ',') && take_number(line, bid) &&
                          take_character(line, ',') && take_number(line, ask) &&
                          take_character(line, ',') && take_number(line, volume) && line.empty();
    auto const time = at.since_epoch();
    if (!has_form || !time || !(bid > 0 && ask >= bid && volume >= 0)) return std::nullopt;
    read.due = *time + std::chrono::milliseconds{milliseconds};
    return read;
}

inline quote_replay quote_replay::open(std::filesystem::path const& file, bool is_endless) {
    std::ifstream in{file};
    if (!in)
        throw std::runtime_error{"cannot open the replay file " + file.string() + ": " +
                                 std::strerror(errno)};
    if (std::filesystem::is_directory(file))
        throw std::runtime_error{"the replay file " + file.string() + " is a directory"};
    return read(in, file.string(), inner::symbol_of(file), is_endless);
}

inline quote_replay quote_replay::read(std::istream& in, std::string_view name, std::string symbol,
                                       bool is_endless) {
    quote_replay replay;
    replay.is_endless_ = is_endless;
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        if (line.ends_with('\r')) line.pop_back();
        if (line.empty()) continue;
        auto parsed = parse_quote_line(line);
        if (!parsed)
            throw std::runtime_error{std::string{name} + ", line " + std::to_string(number) +
                                     ": expected YYYYMMDD HHMMSSmmm,bid,ask,volume but found \"" +
                                     line.substr(0, 60) + '"'};
        parsed->what.symbol = symbol;
        replay.quotes_.push_back(std::move(*parsed));
    }
    if (replay.quotes_.empty()) throw std::runtime_error{std::string{name} + " holds no quotes"};

    // A clock that was set back while recording must not stop the replay: then it does not wait.
    auto const first = replay.began_ = replay.quotes_.front().due;
    std::chrono::microseconds last{};
    for (auto& each : replay.quotes_) each.due = last = std::max(last, each.due - first);
    return replay;
}

inline std::optional<timed_quote> quote_replay::operator()() {
    if (next_ == quotes_.size()) {
        if (!is_endless_) return std::nullopt;
        round_began_ += quotes_.back().due + pause_between_rounds;
        next_ = 0;
    }
    auto next = quotes_[next_++];
    next.due += round_began_;
    return next;
}

} // namespace examples
