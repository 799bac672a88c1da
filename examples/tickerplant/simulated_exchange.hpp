#pragma once

#include <livetape/channel/hub.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tickerplant {

/// Producers within the program, so that there is something to see: prices that walk at random,
/// each in a channel of its own. The same walk for the same seed.
class simulated_exchange {
public:
    static constexpr std::array<std::string_view, 6> symbols{"ALFA", "BETA", "GAMA",
                                                             "DELT", "EPSI", "ZETA"};

    /// @param count  of producers, up to the number of symbols
    simulated_exchange(livetape::hub& hub, std::size_t count, std::uint64_t seed) : random_{seed} {
        for (auto const symbol : symbols) {
            if (walks_.size() == count) return;
            walks_.push_back({hub.open("ticks." + std::string{symbol}), 100});
        }
    }

    /// Publishes one tick of one of them, or of none.
    void tick() {
        if (walks_.empty()) return;
        auto& moved = walks_[random_() % walks_.size()];
        moved.price *= 1 + (static_cast<double>(random_() % 2001) - 1000) / 1e6;
        std::array<char, 48> json{};
        auto const size = std::snprintf(json.data(), json.size(), R"({"price":%.3f})", moved.price);
        moved.to.publish({json.data(), static_cast<std::size_t>(size)});
    }

private:
    struct walk {
        livetape::channel& to;
        double price;
    };

    std::vector<walk> walks_;
    std::mt19937_64 random_;
};

} // namespace tickerplant
