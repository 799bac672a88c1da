#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/json_text.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace livetape {

/// What can be wrong with what a pipeline is given.
enum class problem : std::uint8_t {
    unparsable,    ///< the payload is not JSON, or no object
    missing_field, ///< a field that the pipeline names is not there
    wrong_type,    ///< it is there and is no number, or no key
    bad_time,      ///< NaN, or beyond `event_time_limit`
    late,          ///< came after its window had closed for good
    key_evicted,   ///< there were more keys than `group_options::keys_max`
    missed,        ///< left the source's log before it was read
    refused,       ///< a result that the output channel did not take
};

inline constexpr std::size_t problem_count = 8;

[[nodiscard]] constexpr std::string_view name_of(problem which) noexcept {
    constexpr std::array<std::string_view, problem_count> names{
        "unparsable", "missing_field", "wrong_type", "bad_time",
        "late",       "key_evicted",   "missed",     "refused"};
    return names[static_cast<std::size_t>(which)];
}

/// Counts problems and keeps an example of each, the newest since the last report: bad input costs
/// a number and at most `example_bytes_max` bytes, however much of it comes, and is never silent.
/// Thread safety: distinct objects safe; shared objects unsafe.
class diagnostics {
public:
    static constexpr std::size_t example_bytes_max = 200;

    /// Counts `times` of a problem. @param what  the field, or whatever else says more
    void note(problem which, std::string_view what, std::string_view example,
              std::uint64_t times = 1) {
        auto& kept = kinds_[static_cast<std::size_t>(which)];
        kept.count += times;
        // One example per report: the first of many is as good as the last.
        if (kept.is_due) return;
        kept.is_due = true;
        kept.what.assign(what.substr(0, example_bytes_max));
        kept.example.assign(example.substr(0, example_bytes_max));
    }

    [[nodiscard]] std::uint64_t count(problem which) const noexcept {
        return kinds_[static_cast<std::size_t>(which)].count;
    }

    /// Publishes each kind of which there is more than at the last report, keyed by its name:
    /// `{"problem":"missing_field","count":3,"field":"price","example":"{\"symbol\":\"A\"}"}`.
    void report(channel& to) {
        for (std::size_t i = 0; i < problem_count; ++i) {
            auto& kept = kinds_[i];
            if (!kept.is_due) continue;
            kept.is_due = false;
            auto const name = name_of(static_cast<problem>(i));
            text_ = "{\"problem\":\"";
            text_ += name;
            text_ += "\",\"count\":";
            append_number(text_, kept.count);
            if (!kept.what.empty()) append_text(",\"field\":", kept.what);
            if (!kept.example.empty()) append_text(",\"example\":", kept.example);
            text_ += '}';
            to.publish(text_, {.key = name});
        }
    }

private:
    struct kind {
        std::uint64_t count = 0;
        bool is_due = false;
        std::string what;
        std::string example;
    };

    /// What is no ASCII becomes '?': the example may be cut, or no UTF-8 at all.
    void append_text(std::string_view name, std::string& text) {
        text_ += name;
        std::replace_if(
            text.begin(), text.end(),
            [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }, '?');
        append_json_string(text_, text);
    }

    std::array<kind, problem_count> kinds_;
    std::string text_;
};

} // namespace livetape
