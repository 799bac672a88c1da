#include "quote_replay.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace dashboard {

namespace {

/// Takes a number of exactly `digits` digits from the front of the text.
bool take_digits(std::string_view& text, std::size_t digits, int& value) {
    if (text.size() < digits) return false;
    auto const* const end = text.data() + digits;
    if (!std::all_of(text.data(), end, [](char c) { return c >= '0' && c <= '9'; })) return false;
    std::from_chars(text.data(), end, value);
    text.remove_prefix(digits);
    return true;
}

bool take_character(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) return false;
    text.remove_prefix(1);
    return true;
}

bool take_number(std::string_view& text, double& value) {
    auto const result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc{} || !std::isfinite(value)) return false;
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    return true;
}

/// `eurusd_quotes.csv` holds quotes of EURUSD.
std::string symbol_of(std::filesystem::path const& file) {
    auto name = file.stem().string();
    name.resize(std::min(name.find('_'), name.size()));
    for (auto& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

} // namespace

std::optional<timed_quote> parse_quote_line(std::string_view line) {
    int year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0;
    timed_quote read;
    auto& [symbol, bid, ask, volume] = read.what;
    bool const has_form = take_digits(line, 4, year) && take_digits(line, 2, month) &&
                          take_digits(line, 2, day) && take_character(line, ' ') &&
                          take_digits(line, 2, hours) && take_digits(line, 2, minutes) &&
                          take_digits(line, 2, seconds) && take_digits(line, 3, milliseconds) &&
                          take_character(line, ',') && take_number(line, bid) &&
                          take_character(line, ',') && take_number(line, ask) &&
                          take_character(line, ',') && take_number(line, volume) && line.empty();
    std::chrono::year_month_day const date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    bool const has_sense = date.ok() && hours < 24 && minutes < 60 && seconds < 60 && bid > 0 &&
                           ask >= bid && volume >= 0;
    if (!has_form || !has_sense) return std::nullopt;
    read.due = std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{hours} +
               std::chrono::minutes{minutes} + std::chrono::seconds{seconds} +
               std::chrono::milliseconds{milliseconds};
    return read;
}

quote_replay quote_replay::open(std::filesystem::path const& file, bool is_endless) {
    std::ifstream in{file};
    if (!in)
        throw std::runtime_error{"cannot open the replay file " + file.string() + ": " +
                                 std::strerror(errno)};
    if (std::filesystem::is_directory(file))
        throw std::runtime_error{"the replay file " + file.string() + " is a directory"};
    return read(in, file.string(), symbol_of(file), is_endless);
}

quote_replay quote_replay::read(std::istream& in, std::string_view name, std::string symbol,
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
    auto const first = replay.quotes_.front().due;
    std::chrono::microseconds last{};
    for (auto& each : replay.quotes_) each.due = last = std::max(last, each.due - first);
    return replay;
}

std::optional<timed_quote> quote_replay::operator()() {
    if (next_ == quotes_.size()) {
        if (!is_endless_) return std::nullopt;
        round_began_ += quotes_.back().due + pause_between_rounds;
        next_ = 0;
    }
    auto next = quotes_[next_++];
    next.due += round_began_;
    return next;
}

} // namespace dashboard
