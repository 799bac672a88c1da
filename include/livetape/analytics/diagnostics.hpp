#pragma once

#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/channel/channel.hpp>

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
    not_finite,    ///< a number is NaN, infinite or none for an operator, which leaves it out
    bad_time,      ///< NaN, or beyond `event_time_limit`
    far_ahead,     ///< a time that `time_guard_options` does not believe; the event is dropped
    far_behind,    ///< so much earlier than others before it; operators decide what is too late
    late,          ///< came after its window had closed for good
    key_too_long,  ///< cut to `group_options::key_bytes_max`
    key_evicted,   ///< there were more keys than `group_options::keys_max`
    crowded,       ///< a window gave something up early, for it was over a limit of its own
    missed,        ///< left the source's log before it was read
    refused,       ///< a result that the output channel or the alert board did not take
};

inline constexpr std::size_t problem_count = 13;

[[nodiscard]] constexpr std::string_view name_of(problem which) noexcept {
    constexpr std::array<std::string_view, problem_count> names{
        "unparsable", "missing_field", "wrong_type", "not_finite",   "bad_time",
        "far_ahead",  "far_behind",    "late",       "key_too_long", "key_evicted",
        "crowded",    "missed",        "refused"};
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

    /// The same, with an event as the example: `{"key":"A","time":1000}`.
    void note(problem which, std::string_view key, event_time time) {
        auto& kept = kinds_[static_cast<std::size_t>(which)];
        ++kept.count;
        if (kept.is_due) return;
        kept.is_due = true;
        kept.what.clear();
        kept.example =
            json_object{}.text("key", key.substr(0, example_bytes_max)).time("time", time).finish();
    }

    [[nodiscard]] std::uint64_t count(problem which) const noexcept {
        return kinds_[static_cast<std::size_t>(which)].count;
    }

    /// Publishes each kind of which there is more than at the last report, keyed by its name:
    /// `{"problem":"missing_field","count":3,"field":"price","example":"{\"symbol\":\"A\"}"}`.
    /// Where the channel does not take that much, the count alone.
    void report(channel& to) {
        for (std::size_t i = 0; i < problem_count; ++i) {
            auto& kept = kinds_[i];
            if (!kept.is_due) continue;
            kept.is_due = false;
            auto const name = name_of(static_cast<problem>(i));
            json_object said;
            said.text("problem", name).value("count", kept.count);
            std::string const short_text = said.copy();
            if (!kept.what.empty()) said.text("field", to_ascii(kept.what));
            if (!kept.example.empty()) said.text("example", to_ascii(kept.example));
            if (to.publish(said.finish(), {.key = name}) == 0)
                to.publish(short_text, {.key = name});
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
    static std::string const& to_ascii(std::string& text) {
        for (char& c : text)
            if ((static_cast<unsigned char>(c) & 0x80) != 0) c = '?';
        return text;
    }

    std::array<kind, problem_count> kinds_;
};

} // namespace livetape
