#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/channel/cursor.hpp>
#include <livetape/channel/presence.hpp>
#include <livetape/error.hpp>
#include <livetape/json_text.hpp>
#include <livetape/transport/answer_session.hpp>
#include <livetape/transport/client_request.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace livetape {

/// Appends who is on a channel, at most so many members by name:
/// `{"presence":"room","id":1,"cursor":"…","members":[{"id":"a","info":{…},"connections":2}],
/// "count":1,"connections":3,"anonymous":1}`. The cursor is one of the companion channel, taken
/// before the members: what it goes on with is all that they do not show.
/// Precondition: the channel has presence. O(members given).
inline void append_presence(std::string& out, channel const& of, std::size_t members_max,
                            std::string_view id = {}) {
    auto const& there = *of.members();
    auto const& companion = *there.companion();
    position const at{companion.epoch(), companion.last_offset()};
    auto const members = there.members(members_max);
    auto const counts = there.counts();
    append_json_string(out += R"({"presence":)", of.name());
    if (!id.empty()) out.append(R"(,"id":)").append(id);
    append_position(out += R"(,"cursor":")", at);
    out += R"(","members":[)";
    for (auto const& each : members) {
        append_json_string(out += R"({"id":)", each.id);
        if (!each.info.empty()) out.append(R"(,"info":)").append(each.info);
        append_number(out += R"(,"connections":)", each.connections);
        out += "},";
    }
    if (!members.empty()) out.pop_back();
    append_number(out += R"(],"count":)", counts.members);
    append_number(out += R"(,"connections":)", counts.connections);
    append_number(out += R"(,"anonymous":)", counts.anonymous);
    out += '}';
}

/// The channel whose members a client may see: who may subscribe to the companion channel, where
/// joins and leaves are told, may see who is there.
[[nodiscard]] inline refusal_reason find_for_presence(live_endpoint const& endpoint,
                                                      std::string_view identity,
                                                      std::string_view name,
                                                      std::shared_ptr<channel>& found) {
    if (!is_channel_name(name)) return {error::bad_channel_name};
    auto const& may_subscribe = endpoint.options().hooks.subscribe;
    if (may_subscribe && !may_subscribe(identity, std::string{presence_prefix}.append(name)))
        return {error::not_authorized, "not allowed to see who is on \"" + std::string{name} + '"'};
    found = endpoint.source().find(name);
    if (!found) return {error::unknown_channel, "there is no channel \"" + std::string{name} + '"'};
    if (found->members() == nullptr) return {error::no_presence};
    return {};
}

/// Who is on a channel: `GET /presence?channel=…`.
struct presence_resource {
    static constexpr std::string_view path = "/presence";

    [[nodiscard]] static refusal_reason answer(question const& asked, json_answer& answer) {
        std::string_view name;
        if (auto refused = read_channel(asked.query, name)) return refused;
        std::shared_ptr<channel> of;
        if (auto refused = find_for_presence(asked.endpoint, asked.identity.id, name, of))
            return refused;
        append_presence(answer.body, *of, asked.endpoint.options().presence_members_max);
        return {};
    }
};

/// The transport that says who is on a channel.
using presence_transport = answer_transport<presence_resource>;

} // namespace livetape
