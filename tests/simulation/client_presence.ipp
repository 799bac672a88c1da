#pragma once

#include "client.hpp"
#include "presence_text.hpp"

namespace livetape::simulation {

/// The client has subscribed to a channel, and is present there. A host's own transport says of
/// nobody that it is.
inline void client::enter(served_channel& which) {
    if (is_plain() || !which.members) return;
    is_orderly_ = true;
    on_ = {&which, world_.on->enter(which, who_)};
}

/// It is not any more; who polls stays for a while.
inline void client::leave(std::size_t channel) {
    if (channel != 0 || on_.of == nullptr) return;
    bool const is_poll =
        transport_ == transport_kind::long_poll || transport_ == transport_kind::short_poll;
    auto const& options = world_.on->endpoint.options();
    auto const left = std::exchange(on_, {});
    world_.on->leave(*left.of, who_.id, left.is_member,
                     is_poll ? poll_deadline_ + options.presence_linger : time_point{});
}

/// A session that ends is present as long as it is subscribed.
inline void client::settle_presence() {
    if (is_ending_ && on_.of != nullptr && (!session_ || real(0) == nullptr)) leave();
}

inline void client::ask_for_presence(std::size_t channel) {
    if (!is_websocket()) return;
    command const from{command::kind::presence, channel, next_id()};
    auto const name = std::string{server::names[channel]};
    if (!send("{\"presence\":\"" + name + '"' + from.with_id() + '}')) return;
    ++covered_.presence_asked;
    if (!world_.on->is_open(channel)) expect_error("unknown_channel", from);
    else if (!world_.on->at(channel).members) expect_error("no_presence", from);
    else
        replies_.push_back({presence_text(
            world_.on->at(channel), world_.on->at(server::companion).history, from.with_id())});
    pump();
}

} // namespace livetape::simulation
