#pragma once

#include "presence_book.hpp"
#include "served_channel.hpp"
#include "wire_text.hpp"

#include <livetape/channel/presence.hpp>

#include <algorithm>
#include <string>

namespace livetape::simulation {

/// The answer to who is on a channel, with the members in the order in which the channel has them;
/// empty if those are not the ones that must be there.
inline std::string presence_text(served_channel const& of, channel_history const& companion,
                                 std::string const& with_id) {
    auto const& book = *of.members;
    auto const listed = of.source->members()->members(1000);
    std::string members;
    for (auto const& each : listed) {
        auto const known = std::find_if(book.members().begin(), book.members().end(),
                                        [&](auto const& one) { return one.who.id == each.id; });
        if (known == book.members().end()) return {};
        members.append(members.empty() ? "{\"id\":\"" : ",{\"id\":\"").append(each.id) += '"';
        if (!known->who.info.empty()) members.append(",\"info\":").append(known->who.info);
        members += ",\"connections\":" + std::to_string(known->connections) + '}';
    }
    if (listed.size() != book.members().size()) return {};
    return "{\"presence\":\"" + of.history.name + '"' + with_id + ",\"cursor\":\"" +
           position_text(companion.epoch, companion.last()) + "\",\"members\":[" + members +
           "],\"count\":" + std::to_string(book.members().size()) +
           ",\"connections\":" + std::to_string(book.connections()) +
           ",\"anonymous\":" + std::to_string(book.anonymous()) + '}';
}

} // namespace livetape::simulation
