#pragma once

#include "quote.hpp"

#include <chrono>
#include <filesystem>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dashboard {

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

private:
    /// Between the last quote and the first one of the next round.
    static constexpr std::chrono::seconds pause_between_rounds{1};

    std::vector<timed_quote> quotes_; // due from 0
    std::size_t next_ = 0;
    std::chrono::microseconds round_began_{};
    bool is_endless_ = false;
};

} // namespace dashboard
