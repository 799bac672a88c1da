#pragma once

#include "payload.hpp"

#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/ewma.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/channel/hub.hpp>

#include <chrono>
#include <cmath>
#include <string_view>

namespace dashboard {

/// Counts what is published and says once a second on `rates` how fast it comes, keyed by what.
class rate_feed {
public:
    explicit rate_feed(livetape::hub& hub) : rates_{hub.open("rates", {.log_events_max = 2'000})} {}

    void count(std::string_view what, double events = 1) { counted_.at(what).add(now(), events); }

    void publish() {
        counted_.for_each([&](std::string_view what, livetape::ewma_rate const& rate) {
            double const per_second = rate.at(now());
            if (std::isnan(per_second)) return; // it has only just begun
            rates_.publish(payload().rounded("value", per_second, 2).finish(), {.key = what});
        });
    }

private:
    static constexpr std::chrono::seconds window{5};

    [[nodiscard]] static livetape::event_time now() {
        return std::chrono::steady_clock::now().time_since_epoch();
    }

    livetape::channel& rates_;
    livetape::group_by<livetape::ewma_rate> counted_{livetape::ewma_rate{window}};
};

} // namespace dashboard
