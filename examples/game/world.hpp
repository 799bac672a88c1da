#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace game {

/// A square world without edges, of cells with players in it; those without a name steer
/// themselves.
class world {
public:
    static constexpr float size = 4000;
    static constexpr float cell_size = 200;

    struct player {
        std::uint32_t id = 0; ///< never used twice
        float x = 0;
        float y = 0;
        float heading = 0; ///< radians
        std::uint8_t input = 0;
        bool is_steered = false;
    };

    /// One cell as it is published.
    struct cell {
        std::string key;     ///< `<column>:<row>`
        std::string players; ///< for each: id, x, y, heading as four 32-bit little-endian words
    };

    explicit world(std::uint32_t bots) {
        for (std::uint32_t i = 0; i < bots; ++i) add();
    }

    /// The player of that name, who begins somewhere if it is new.
    player const& enter(std::string_view name) {
        if (auto const found = named_.find(name); found != named_.end())
            return players_.at(found->second);
        auto& added = add();
        added.is_steered = true;
        named_.emplace(name, added.id);
        return added;
    }

    void leave(std::string_view name) {
        auto const found = named_.find(name);
        if (found == named_.end()) return;
        players_.erase(found->second);
        named_.erase(found);
    }

    /// Takes a player's input: one byte of keys (1 left, 2 right, 4 ahead). What is malformed, or
    /// of nobody who is here, does nothing.
    void steer(std::string_view name, std::string_view input) {
        auto const found = named_.find(name);
        if (found == named_.end() || input.size() != 1) return;
        players_.at(found->second).input = static_cast<std::uint8_t>(input.front());
    }

    void move() {
        for (auto& [id, each] : players_) {
            if (!each.is_steered) each.heading += 0.2f * (random() - 0.5f);
            if ((each.input & 1) != 0) each.heading -= 0.1f;
            if ((each.input & 2) != 0) each.heading += 0.1f;
            if (each.is_steered && (each.input & 4) == 0) continue;
            each.x = wrap(each.x + speed * std::cos(each.heading));
            each.y = wrap(each.y + speed * std::sin(each.heading));
        }
    }

    /// The cells in which something is different from last time, those that became empty included.
    [[nodiscard]] std::vector<cell> changed_cells() {
        std::map<std::uint32_t, std::string> now;
        for (auto const& [id, each] : players_)
            append(now[cell_of(each.x) << 16 | cell_of(each.y)], each);
        std::vector<cell> changed;
        for (auto const& [where, players] : now)
            if (players != before_[where]) changed.push_back({key_of(where), players});
        for (auto const& [where, players] : before_)
            if (!players.empty() && !now.contains(where)) changed.push_back({key_of(where), {}});
        before_ = std::move(now);
        return changed;
    }

private:
    static constexpr float speed = 4;

    static float wrap(float at) { return at < 0 ? at + size : at >= size ? at - size : at; }
    static std::uint32_t cell_of(float at) { return static_cast<std::uint32_t>(at / cell_size); }
    static std::string key_of(std::uint32_t where) {
        return std::to_string(where >> 16) + ':' + std::to_string(where & 0xFFFF);
    }

    static void append(std::string& out, player const& at) {
        static_assert(sizeof(float) == 4);
        std::array<char, 16> words{};
        std::memcpy(words.data(), &at.id, 4);
        std::memcpy(words.data() + 4, &at.x, 4);
        std::memcpy(words.data() + 8, &at.y, 4);
        std::memcpy(words.data() + 12, &at.heading, 4);
        out.append(words.data(), words.size());
    }

    player& add() {
        auto const id = next_id_++;
        return players_[id] = {
                   .id = id,
                   .x = random() * size,
                   .y = random() * size,
                   .heading = random() * 2 * std::numbers::pi_v<float>,
               };
    }

    /// From 0 to 1, the same in every run.
    float random() {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<float>(random_ >> 40) / 16777216.0f;
    }

    std::map<std::uint32_t, player> players_;
    std::map<std::string, std::uint32_t, std::less<>> named_;
    std::map<std::uint32_t, std::string> before_;
    std::uint32_t next_id_ = 1;
    std::uint64_t random_ = 1;
};

} // namespace game
