#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <numbers>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace game {

/// A square world of cells with players in it; those without a hand steer themselves.
class world {
public:
    static constexpr float size = 4000;
    static constexpr float cell_size = 200;
    static constexpr std::size_t players_max = 30'000;

    /// One cell as it is published: `x`, `y` and the heading of each player in it.
    struct cell {
        std::string key;     ///< `<column>:<row>`
        std::string players; ///< per player: id, x, y, heading as four 32-bit little-endian words
    };

    explicit world(std::uint32_t bots) {
        for (std::uint32_t i = 0; i < bots; ++i) add();
    }

    /// Takes a player's input: one byte of keys (1 left, 2 right, 4 ahead). Who is new gets a
    /// player; what is malformed is nobody's.
    void steer(std::string_view name, std::string_view input) {
        if (name.empty() || input.size() != 1) return;
        auto const found = named_.find(name);
        if (found == named_.end() && players_.size() >= players_max) return;
        auto const id = found != named_.end() ? found->second : named_[std::string{name}] = add();
        players_[id].input = static_cast<std::uint8_t>(input.front());
        players_[id].is_steered = true;
    }

    [[nodiscard]] std::optional<std::uint32_t> id_of(std::string_view name) const {
        auto const found = named_.find(name);
        if (found == named_.end()) return std::nullopt;
        return found->second;
    }

    void move() {
        for (auto& each : players_) {
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
        for (std::uint32_t id = 0; id < players_.size(); ++id) {
            auto const& at = players_[id];
            append(now[cell_of(at.x) << 16 | cell_of(at.y)], id, at);
        }
        std::vector<cell> changed;
        for (auto& [where, players] : now)
            if (players != before_[where]) changed.push_back({key_of(where), players});
        for (auto const& [where, players] : before_)
            if (!players.empty() && now[where].empty()) changed.push_back({key_of(where), {}});
        before_ = std::move(now);
        return changed;
    }

private:
    struct player {
        float x = 0;
        float y = 0;
        float heading = 0;
        std::uint8_t input = 0;
        bool is_steered = false;
    };

    static constexpr float speed = 4;

    static float wrap(float at) { return at < 0 ? at + size : at >= size ? at - size : at; }
    static std::uint32_t cell_of(float at) { return static_cast<std::uint32_t>(at / cell_size); }
    static std::string key_of(std::uint32_t where) {
        return std::to_string(where >> 16) + ':' + std::to_string(where & 0xFFFF);
    }

    static void append(std::string& out, std::uint32_t id, player const& at) {
        static_assert(sizeof(float) == 4);
        std::array<char, 16> words{};
        std::memcpy(words.data(), &id, 4);
        std::memcpy(words.data() + 4, &at.x, 4);
        std::memcpy(words.data() + 8, &at.y, 4);
        std::memcpy(words.data() + 12, &at.heading, 4);
        out.append(words.data(), words.size());
    }

    std::uint32_t add() {
        players_.push_back(
            {random() * size, random() * size, random() * 2 * std::numbers::pi_v<float>, 0, false});
        return static_cast<std::uint32_t>(players_.size() - 1);
    }

    /// From 0 to 1, the same in every run.
    float random() {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<float>(random_ >> 40) / 16777216.0f;
    }

    std::vector<player> players_;
    std::map<std::string, std::uint32_t, std::less<>> named_;
    std::map<std::uint32_t, std::string> before_;
    std::uint64_t random_ = 1;
};

} // namespace game
