#pragma once

#include "ewma_rate.hpp"
#include "payload.hpp"

#include <livetape/channel/hub.hpp>

#include <chrono>
#include <map>
#include <string>
#include <string_view>

namespace dashboard {

/// Counts what is published and says once a second on `rates` how fast it comes, keyed by what.
class rate_feed {
public:
    explicit rate_feed(livetape::hub& hub) : rates_{hub.open("rates", {.log_events_max = 2'000})} {}

    void count(std::string_view what, double events = 1) {
        auto found = counted_.find(what);
        if (found == counted_.end()) found = counted_.emplace(what, ewma_rate{window}).first;
        found->second.add(now(), events);
    }

    void publish() {
        for (auto& [what, rate] : counted_)
            rates_.publish(payload{}.number("value", rate.at(now()), 2).finish(), {.key = what});
    }

private:
    static constexpr std::chrono::seconds window{5};

    [[nodiscard]] static std::chrono::duration<double> now() {
        return std::chrono::steady_clock::now().time_since_epoch();
    }

    livetape::channel& rates_;
    std::map<std::string, ewma_rate, std::less<>> counted_;
};

} // namespace dashboard
