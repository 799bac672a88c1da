#pragma once

#include <livetape/analytics/alert_board.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/transport/endpoint.hpp>

#include <simdjson.h>

#include <cstdint>
#include <string_view>

namespace examples {

/// Lets clients acknowledge alerts: they publish `{"id":"disk","who":"anna"}` into a channel, and
/// the host reads it as it reads any other. What is no acknowledgement changes nothing.
class acknowledgements {
public:
    static constexpr std::string_view channel_name = "acknowledgements";

    explicit acknowledgements(livetape::hub& hub)
        : said_{hub.open(channel_name, {.log_events_max = 100, .payload_bytes_max = 400})} {}

    /// Live paths on which clients may publish nothing else.
    [[nodiscard]] static livetape::live_options live() {
        livetape::live_options options;
        options.hooks.publish = [](std::string_view, std::string_view channel) {
            return channel == channel_name;
        };
        return options;
    }

    /// Passes on what clients have said since the last call. @param now  the alerts' time
    void pass_on(livetape::alert_board& board, livetape::event_time now) {
        for (auto const& event : said_.read(read_)) {
            read_ = event.offset;
            simdjson::dom::element said;
            std::string_view id;
            std::string_view who;
            if (parser_.parse(event.payload.data(), event.payload.size()).get(said) ==
                    simdjson::SUCCESS &&
                said["id"].get(id) == simdjson::SUCCESS &&
                said["who"].get(who) == simdjson::SUCCESS)
                board.acknowledge(id, who, now);
        }
    }

private:
    livetape::channel& said_;
    std::uint64_t read_ = 0;
    simdjson::dom::parser parser_;
};

} // namespace examples
