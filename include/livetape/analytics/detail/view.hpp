#pragma once

#include <livetape/analytics/detail/join_reader.hpp>
#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/latest_join.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

// How a branch of a pipeline looks at the stream. Each view has
//
//   is_whole                          whether one operator serves all keys, and gets them to see
//   keeps_keys                        whether what it gives has the key of the event
//   number_count<N>                   how many numbers it gives if events have N
//   pass(event, problems, consume)    calls `consume` with what it makes of an event, or not
namespace livetape::detail {

/// Each event under its key.
struct per_key {
    static constexpr bool is_whole = false;
    static constexpr bool keeps_keys = true;
    template <std::size_t Numbers>
    static constexpr std::size_t number_count = Numbers;

    template <class Record, class Consume>
    void pass(Record const& event, diagnostics&, Consume&& consume) {
        consume(event);
    }
};

/// All events together.
struct whole_stream : per_key {
    static constexpr bool is_whole = true;
    static constexpr bool keeps_keys = false;
};

/// Two keys of the stream, joined, under a name of their own; the others are not seen.
template <class Operation>
class key_pair {
public:
    static constexpr bool is_whole = false;
    static constexpr bool keeps_keys = false;
    template <std::size_t>
    static constexpr std::size_t number_count = joined_count<Operation>;

    key_pair(std::string left, std::string right, std::string name, latest_join<Operation> join)
        : left_{std::move(left)}, right_{std::move(right)}, name_{std::move(name)}, join_{std::move(
                                                                                        join)} {}

    template <class Record, class Consume>
    void pass(Record const& event, diagnostics& problems, Consume&& consume) {
        bool const is_left = event.key == left_;
        if (!is_left && event.key != right_) return;
        auto const late = join_.late();
        auto const joined = is_left ? join_.add_left(event.time, event.numbers[0])
                                    : join_.add_right(event.time, event.numbers[0]);
        if (join_.late() != late) problems.note(problem::late, event.key, event.time);
        if (joined)
            consume(record<joined_count<Operation>>{event.time, name_, numbers_of(*joined)});
    }

private:
    std::string left_;
    std::string right_;
    std::string name_;
    latest_join<Operation> join_;
};

} // namespace livetape::detail
