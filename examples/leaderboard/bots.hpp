#pragma once

#include <livetape/channel/hub.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leaderboard {

/// Players of the program's own, some more eager than others, who play for a while and pause for a
/// while. The same plays for the same seed.
class bots {
public:
    bots(livetape::hub& hub, std::size_t count, std::uint64_t seed)
        : plays_{hub.open("plays")}, random_{seed} {
        constexpr std::array<std::string_view, 12> names{"ada",  "bela", "cleo", "dora",
                                                         "emil", "finn", "gina", "hugo",
                                                         "ines", "jona", "kurt", "lena"};
        for (std::size_t i = 0; i < count; ++i) {
            std::string name{names[i % names.size()]};
            if (i >= names.size()) name += std::to_string(i / names.size());
            players_.push_back({std::move(name), random_() % 2 == 0});
        }
    }

    /// What happens in a tenth of a second.
    void play() {
        for (std::size_t i = 0; i < players_.size(); ++i) {
            auto& each = players_[i];
            if (random_() % 80 == 0) each.is_playing = !each.is_playing;
            // The first of them are the most eager.
            if (!each.is_playing || random_() % (5 + i) != 0) continue;
            plays_.publish(R"({"player":")" + each.name + R"(","points":)" +
                           std::to_string(10 * (1 + random_() % 10)) + '}');
        }
    }

private:
    struct bot {
        std::string name;
        bool is_playing;
    };

    livetape::channel& plays_;
    std::mt19937_64 random_;
    std::vector<bot> players_;
};

} // namespace leaderboard
