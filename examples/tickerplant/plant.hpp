#pragma once

#include <livetape/channel/channel_list.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/channel_pattern.hpp>
#include <livetape/json_text.hpp>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tickerplant {

/// What the plant does with each producer's channel `ticks.<symbol>`: a copy for screens, a slower
/// copy of that copy for walls, and the way of publishing that is chosen for all of them.
///
/// It learns of new channels as a pattern does: from its place in the hub's list of channels.
class plant {
public:
    static constexpr std::string_view producers = "ticks.*"; ///< who may publish, and be copied
    static constexpr std::string_view control = "plant.interval"; ///< takes milliseconds, 0 to 5000
    static constexpr std::chrono::milliseconds screen_interval{200};
    static constexpr std::chrono::milliseconds wall_interval{1000};

    explicit plant(livetape::hub& hub)
        : hub_{hub}, control_{hub.open(control)}, state_{hub.open("plant.state")} {
        tell();
    }

    /// Takes over what came since the last call: new channels, and another way of publishing.
    void look() {
        bool const has_channels = take_channels();
        bool const has_control = take_control();
        if (has_channels || has_control) tell();
    }

private:
    bool take_channels() {
        std::vector<livetape::listed_channel> created;
        auto const& all = *hub_.channels();
        seen_ = all.read(seen_, all.end(), 1000, created);
        auto const before = ticks_.size();
        for (auto const& each : created)
            if (livetape::matches_channel_pattern(producers, each.source->name()))
                take_in(each.source);
        return ticks_.size() != before;
    }

    void take_in(std::shared_ptr<livetape::channel> const& ticks) {
        std::string const symbol{ticks->name().substr(ticks->name().find('.'))};
        auto const screen = hub_.try_open("screen" + symbol);
        auto const wall = hub_.try_open("wall" + symbol);
        if (!screen || !wall) return; // the hub is full
        hub_.copy(*ticks, *screen, {.interval = screen_interval, .from_oldest = true});
        hub_.copy(*screen, *wall, {.interval = wall_interval, .from_oldest = true});
        ticks->set_publish_interval(interval_);
        ticks_.push_back(ticks);
    }

    bool take_control() {
        auto const before = interval_;
        for (auto const& event : control_.read(control_read_)) {
            control_read_ = event.offset;
            std::int64_t wanted = -1;
            auto const* const end = event.payload.data() + event.payload.size();
            auto const result = std::from_chars(event.payload.data(), end, wanted);
            if (result.ec == std::errc{} && result.ptr == end && wanted >= 0 && wanted <= 5000)
                interval_ = std::chrono::milliseconds{wanted};
        }
        if (interval_ == before) return false;
        for (auto const& each : ticks_) each->set_publish_interval(interval_);
        return true;
    }

    void tell() {
        std::string json = R"({"interval":)";
        livetape::append_number(json, static_cast<std::uint64_t>(interval_.count()));
        json += R"(,"producers":)";
        livetape::append_number(json, ticks_.size());
        json += '}';
        state_.publish(json);
    }

    livetape::hub& hub_;
    livetape::channel& control_;
    livetape::channel& state_;
    std::vector<std::shared_ptr<livetape::channel>> ticks_;
    std::size_t seen_ = 0;
    std::uint64_t control_read_ = 0;
    std::chrono::milliseconds interval_{0};
};

} // namespace tickerplant
