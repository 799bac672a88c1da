#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <variant>

#include <livetape/client/disconnect.hpp>

namespace livetape {

/// An event as a subscriber gets it, over whatever transport.
struct feed_event {
    std::string channel;
    std::uint64_t offset = 0;         ///< from 1, without holes in one life of the channel
    std::uint64_t count = 1;          ///< published events that it stands for, itself included
    std::optional<std::string> key{}; ///< if the event has one
    std::string data{};               ///< JSON text as it was published, or the bytes if binary
    bool is_binary = false;
    std::string cursor{}; ///< what to subscribe with to go on after this event, another day
};

/// Events that were lost (docs/delivery.md). Offsets are both included; with `to` less than `from`
/// a new life of the channel has nothing that does not follow.
struct feed_gap {
    std::string channel;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::string reason{}; ///< `retention` or `epoch`
};

/// The server refused one subscription; the others go on. Without a channel it is the last item: an
/// HTTP status that stays ended it all, and the message says which, at what address.
struct feed_refusal {
    std::string channel;
    std::error_code ec;    ///< such as error::unknown_channel; error::bad_envelope for a code that
                           ///< this version does not know
    std::string message{}; ///< the server's, for people
};

/// The client connects, over this transport.
struct feed_connecting {
    feed_transport transport;
};

/// The transport works: what is published comes.
struct feed_live {
    feed_transport transport;
};

/// The connection ended, or did not come about; the next attempt is after the delay.
struct feed_waiting {
    std::chrono::milliseconds delay;
    disconnect why;
};

/// What a subscription client hands out, in order.
using feed_item =
    std::variant<feed_event, feed_gap, feed_refusal, feed_connecting, feed_live, feed_waiting>;

} // namespace livetape
