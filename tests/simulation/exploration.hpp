#pragma once

#include "small_world.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace livetape::simulation {

/// What one subscriber can meet.
inline std::vector<small_world::action> actions_of_one() {
    using verb = small_world::verb;
    return {{verb::publish_a}, {verb::publish_b},    {verb::run},         {verb::read_all},
            {verb::read_one},  {verb::read_nothing}, {verb::park},        {verb::end_write},
            {verb::tick},      {verb::change_mode},  {verb::change_rate}, {verb::change_keys},
            {verb::subscribe}, {verb::doom}};
}

/// What two can do to each other, who share a loop, a channel, and with a rate what they read.
inline std::vector<small_world::action> actions_of_two() {
    using verb = small_world::verb;
    std::vector<small_world::action> all{
        {verb::publish_a}, {verb::publish_b}, {verb::run}, {verb::tick}};
    for (std::size_t who : {0u, 1u})
        for (auto const what : {verb::read_one, verb::park, verb::end_write, verb::change_mode,
                                verb::change_rate, verb::subscribe, verb::doom})
            all.push_back({what, who});
    return all;
}

/// The sequences that were tried; their number, or what went wrong.
struct exploration {
    std::uint64_t sequences = 0;
    std::string failure;
};

/// Tries every sequence of so many actions on a world of so many subscribers. What does nothing is
/// only tried at the end: the sequence without it is shorter.
inline void explore(std::size_t readers, std::span<small_world::action const> actions,
                    std::size_t length, exploration& result) {
    std::vector<std::size_t> steps(length);
    for (;;) {
        virtual_now = time_point{std::chrono::hours{1}};
        small_world world{readers};
        std::size_t made = 0;
        while (made < length && (world.act(actions[steps[made]]) || made + 1 == length)) ++made;
        if (made == length) {
            ++result.sequences;
            result.failure = world.come_to_rest();
            if (!result.failure.empty()) {
                result.failure += ", after actions";
                for (auto const step : steps) result.failure += ' ' + std::to_string(step);
                result.failure += " of " + std::to_string(readers);
                return;
            }
            --made;
        }
        // On to the next at the last place that matters.
        std::fill(steps.begin() + static_cast<std::ptrdiff_t>(made) + 1, steps.end(), 0);
        while (++steps[made] == actions.size()) {
            if (made == 0) return;
            steps[made--] = 0;
        }
    }
}

/// The same on both worlds.
inline exploration explore(std::size_t length) {
    exploration result;
    explore(1, actions_of_one(), length, result);
    if (result.failure.empty()) explore(2, actions_of_two(), length, result);
    return result;
}

} // namespace livetape::simulation
