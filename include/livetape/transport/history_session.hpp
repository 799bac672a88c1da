#pragma once

#include <livetape/channel/cursor.hpp>
#include <livetape/error.hpp>
#include <livetape/transport/answer_session.hpp>
#include <livetape/transport/client_request.hpp>
#include <livetape/transport/history.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace livetape {

/// The channel whose log a client may read: who may subscribe may read what was. Nothing is
/// created for a question.
[[nodiscard]] inline refusal_reason find_for_history(live_endpoint const& endpoint,
                                                     std::string_view identity,
                                                     std::string_view name,
                                                     std::shared_ptr<channel>& found) {
    if (auto refused = check_subscribe(endpoint, identity, name)) return refused;
    found = endpoint.source().find(name);
    if (found) return {};
    return {error::unknown_channel, "there is no channel \"" + std::string{name} + '"'};
}

/// A part of a channel's log: `GET /history?channel=…&from=…&to=…&limit=…&reverse=1`.
struct history_resource {
    static constexpr std::string_view path = "/history";

    [[nodiscard]] static refusal_reason answer(question const& asked, json_answer& answer) {
        history_query query;
        std::string_view name;
        if (auto refused = read_channel(asked.query, name)) return refused;
        if (auto refused = read(asked.query, query)) return refused;
        std::shared_ptr<channel> source;
        if (auto refused = find_for_history(asked.endpoint, asked.identity.id, name, source))
            return refused;
        auto const page = read_history(*source, query, asked.endpoint.options().history);
        append_history(answer.body, *source, page);
        // What the log holds changes at its ends only.
        append_position(answer.tag, {source->epoch(), page.last});
        answer.tag += '-';
        append_number(answer.tag, page.first_kept);
        return {};
    }

private:
    [[nodiscard]] static refusal_reason read(http::query const& from, history_query& query) {
        if (auto refused = refuse_repetitions(from, {"from", "to", "limit", "reverse"}))
            return refused;
        refusal_reason wrong;
        read(from, "from", query.from, wrong);
        read(from, "to", query.to, wrong);
        read(from, "limit", query.limit, wrong);
        if (auto const reverse = from.get("reverse")) {
            query.is_reversed = *reverse == "1" || *reverse == "true";
            if (!query.is_reversed && *reverse != "0" && *reverse != "false")
                return {error::bad_query, "reverse must be 1 or 0"};
        }
        if (!wrong && query.limit == 0u) return {error::bad_query, "limit must be at least 1"};
        return wrong;
    }

    template <class Number>
    static void read(http::query const& from, std::string_view name, std::optional<Number>& to,
                     refusal_reason& wrong) {
        auto const text = from.get(name);
        if (!text) return;
        if (!parse_whole(*text, to.emplace()))
            wrong = {error::bad_query, std::string{name} + " must be a whole number"};
    }
};

/// The transport that gives a part of a channel's log at once.
using history_transport = answer_transport<history_resource>;

} // namespace livetape
