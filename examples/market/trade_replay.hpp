#pragma once

#include "tick.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace market {

/// Plays recorded trades of one instrument: a tick_source. They are what an exchange's public
/// "recent trades" call answers:
///
///     {"error":[],"result":{"XBTUSDT":[["105433.6","0.00027",1762795433.97,"b","l","",7], …]}}
///
/// price, volume, Unix time in seconds, and who came to whom: (b)uyer or (s)eller.
class trade_replay {
public:
    /// @throws std::runtime_error  with one sentence: it cannot be read, holds no trades, or has
    ///         something else in a line
    static trade_replay open(std::filesystem::path const& file) {
        simdjson::padded_string text;
        std::error_code ec;
        if (std::filesystem::is_directory(file, ec) ||
            simdjson::padded_string::load(file.string()).get(text) != simdjson::SUCCESS)
            throw std::runtime_error{"cannot read the replay file " + file.string()};
        return read(text, file.string());
    }

    /// @param name  stands for the file in messages
    static trade_replay read(simdjson::padded_string const& text, std::string_view name) {
        std::multimap<livetape::event_time, tick> by_time; // those of one instant as they were read
        simdjson::ondemand::parser parser;
        simdjson::ondemand::document document;
        std::size_t good_bytes = 0; // what was understood ends there
        try {
            document = parser.iterate(text);
            for (auto listed : document["result"].get_object()) {
                if (listed.key() == "last") continue;
                std::string const symbol{std::string_view{listed.unescaped_key()}};
                for (auto trade : listed.value().get_array()) {
                    char const* at = nullptr;
                    if (document.current_location().get(at) == simdjson::SUCCESS)
                        good_bytes = static_cast<std::size_t>(at - text.data());
                    auto made = read_trade(trade.get_array(), symbol);
                    by_time.emplace(made.time, std::move(made));
                }
            }
        } catch (std::exception const&) { // simdjson's, and that of a trade without sense
            auto const end = text.data() + std::min(good_bytes, text.size());
            throw std::runtime_error{
                std::string{name} + ", line " +
                std::to_string(1 + std::count(text.data(), end, '\n')) +
                R"(: expected trades ["price","volume",seconds,"b" or "s", …])"};
        }
        if (by_time.empty()) throw std::runtime_error{std::string{name} + " holds no trades"};
        trade_replay replay;
        replay.ticks_.reserve(by_time.size());
        for (auto& each : by_time) replay.ticks_.push_back(std::move(each.second));
        return replay;
    }

    std::optional<tick> operator()() {
        if (next_ == ticks_.size()) return std::nullopt;
        return ticks_[next_++];
    }

    [[nodiscard]] std::size_t size() const noexcept { return ticks_.size(); }

private:
    /// Throws for what is no trade.
    static tick read_trade(simdjson::ondemand::array fields, std::string const& symbol) {
        tick made{.symbol = symbol};
        std::size_t index = 0;
        for (auto field : fields) {
            if (index == 0) made.price = to_number(field.get_string());
            if (index == 1) made.volume = to_number(field.get_string());
            if (index == 2) made.time = livetape::seconds_to_event_time(field.get_double()).value();
            if (index == 3) {
                std::string_view const side = field.get_string();
                if (side != "b" && side != "s") throw std::runtime_error{"no side"};
                (side == "b" ? made.ask : made.bid) = made.price;
            }
            ++index;
        }
        if (index < 4 || !(made.price > 0) || !(made.volume >= 0))
            throw std::runtime_error{"no trade"};
        return made;
    }

    static double to_number(std::string_view text) {
        double value = 0;
        auto const end = text.data() + text.size();
        auto const result = std::from_chars(text.data(), end, value);
        if (result.ec != std::errc{} || result.ptr != end || !std::isfinite(value))
            throw std::runtime_error{"no number"};
        return value;
    }

    std::vector<tick> ticks_;
    std::size_t next_ = 0;
};

} // namespace market
