#pragma once

#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/json_object.hpp>
#include <livetape/channel/channel.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace livetape {

enum class severity : std::uint8_t { notice, warning, critical };

[[nodiscard]] constexpr std::string_view name_of(severity how) noexcept {
    constexpr std::array<std::string_view, 3> names{"notice", "warning", "critical"};
    return names[static_cast<std::size_t>(how)];
}

/// The alerts of a host as a keyed channel: whoever subscribes sees each alert as it stands, and
/// then what changes. An alert has an id, which is the event's key, a severity, a state and a text:
///
///     {"id":"disk:a1","severity":"critical","state":"firing","since":1000,"time":4000,
///      "text":"disk is full","acknowledged_by":"anna"}
///
/// It fires until it is resolved; a person can acknowledge it meanwhile. What fires again after it
/// was resolved is a new alert of the same id. Nothing is published that changes nothing.
///
/// Memory: at most `firing_max` alerts; resolved ones live in the channel alone. O(alerts firing).
/// Thread safety: distinct objects safe; shared objects unsafe.
class alert_board {
public:
    /// @param firing_max  alerts at once; one more is not taken, for someone who reads a thousand
    ///                    alerts reads none. The channel must outlive the board
    explicit alert_board(channel& to, std::size_t firing_max = 1000)
        : to_{&to}, firing_max_{firing_max} {}

    /// An alert fires, or goes on with another severity or text.
    /// @return whether something was published
    bool raise(std::string_view id, severity how, std::string_view text, event_time time) {
        if (auto* const known = find(id)) {
            if (known->how == how && known->text == text) return false;
            // More severe is new: whoever acknowledged it did not know.
            if (how > known->how) known->acknowledged_by.clear();
            known->how = how;
            known->text = text;
            publish(*known, "firing", time);
            return true;
        }
        if (firing_.size() >= firing_max_) {
            ++refused_;
            return false;
        }
        firing_.push_back({std::string{id}, std::string{text}, {}, time, how});
        publish(firing_.back(), "firing", time);
        return true;
    }

    /// The alert is over. @return whether it was firing
    bool resolve(std::string_view id, event_time time) {
        auto* const known = find(id);
        if (known == nullptr) return false;
        publish(*known, "resolved", time);
        if (known != &firing_.back()) *known = std::move(firing_.back());
        firing_.pop_back();
        return true;
    }

    /// A person has seen it; the host calls this when a client says so and may.
    /// @return whether it is firing and was not acknowledged yet
    bool acknowledge(std::string_view id, std::string_view who, event_time time) {
        auto* const known = find(id);
        if (known == nullptr || !known->acknowledged_by.empty() || who.empty()) return false;
        known->acknowledged_by = who;
        publish(*known, "firing", time);
        return true;
    }

    [[nodiscard]] bool is_firing(std::string_view id) const noexcept {
        for (auto const& each : firing_)
            if (each.id == id) return true;
        return false;
    }
    /// Of the latest change; 0 before the first.
    [[nodiscard]] event_time time() const noexcept { return time_; }
    [[nodiscard]] std::size_t firing_count() const noexcept { return firing_.size(); }
    /// Alerts that were not taken because of `firing_max`, and changes that the channel did not
    /// take because they are longer than its limits.
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

private:
    struct alert {
        std::string id;
        std::string text;
        std::string acknowledged_by;
        event_time since;
        severity how;
    };

    [[nodiscard]] alert* find(std::string_view id) noexcept {
        for (auto& each : firing_)
            if (each.id == id) return &each;
        return nullptr;
    }

    void publish(alert const& which, std::string_view state, event_time time) {
        time_ = std::max(time_, time);
        text_.clear().text("id", which.id).text("severity", name_of(which.how));
        text_.text("state", state).time("since", which.since).time("time", time);
        text_.text("text", which.text);
        if (!which.acknowledged_by.empty()) text_.text("acknowledged_by", which.acknowledged_by);
        if (to_->publish(text_.finish(), {.key = which.id}) == 0) ++refused_;
    }

    channel* to_;
    std::size_t firing_max_;
    std::vector<alert> firing_;
    std::uint64_t refused_ = 0;
    event_time time_{0};
    json_object text_;
};

} // namespace livetape
