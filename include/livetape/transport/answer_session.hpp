#pragma once

#include <livetape/error.hpp>
#include <livetape/transport/client_request.hpp>
#include <livetape/transport/refusal_reason.hpp>
#include <livetape/transport/response_session.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/wire/entity_tag.hpp>
#include <livetape/wire/field_list.hpp>
#include <livetape/wire/query.hpp>
#include <livetape/wire/request_head.hpp>
#include <livetape/wire/response.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace livetape {

/// What an answer is made from.
struct question {
    live_endpoint& endpoint;
    client_identity const& identity;
    http::query const& query;
    time_point now;
};

/// A JSON answer to a GET or HEAD: the body, and the entity tag (without quotation marks) that says
/// when it is the same; empty if it has none.
struct json_answer {
    std::string body;
    std::string tag;
};

/// A resource below the live prefix that is read at once: `path`, and what it answers.
template <class R>
concept json_resource = requires(question const& asked, json_answer& answer) {
    { R::path } -> std::convertible_to<std::string_view>;
    { R::answer(asked, answer) } -> std::same_as<refusal_reason>;
};

/// The one channel that a question names.
[[nodiscard]] inline refusal_reason read_channel(http::query const& query, std::string_view& name) {
    auto const channel = query.get("channel");
    if (!channel || query.count("channel") > 1)
        return {error::bad_query, "name one channel: ?channel=NAME"};
    name = *channel;
    return {};
}

/// Answers one GET or HEAD at once and whole: everything but the body is the same for all such
/// resources, permission, other origins and `If-None-Match` included. Thread safety: shared objects
/// unsafe; the shard's thread owns it.
template <json_resource Resource>
class answer_session : public response_session {
public:
    answer_session(session_context const& context, http::request_head const& head, std::string_view)
        : answer_session{context, respond(context, head)} {}

private:
    struct response {
        std::string bytes;
        bool keep_alive = false;
    };

    answer_session(session_context const& context, response&& answer)
        : response_session{context.wakes, std::move(answer.bytes), answer.keep_alive,
                           context.endpoint.options().write_timeout} {}

    static response respond(session_context const& context, http::request_head const& head) {
        auto& endpoint = context.endpoint;
        if (head.method() == "OPTIONS")
            return {endpoint.answer_preflight(head, "GET, HEAD", "Authorization, If-None-Match")};
        if (head.method() != "GET" && head.method() != "HEAD")
            return {endpoint.refuse(error::method_not_allowed, {}, head,
                                    "Allow: GET, HEAD, OPTIONS\r\n")};
        json_answer answer;
        if (auto const why = ask(context, head, answer))
            return {endpoint.refuse(why.what, why.detail, head)};
        return succeed(endpoint, head, answer);
    }

    static refusal_reason ask(session_context const& context, http::request_head const& head,
                              json_answer& answer) {
        client_identity identity;
        if (auto const why = context.endpoint.admit(head, identity); why != error::none)
            return {why};
        auto const query = http::query::parse(head.query());
        if (!query) return {error::bad_query, "the query is not well-formed name=value pairs"};
        return Resource::answer({context.endpoint, identity, *query, context.now}, answer);
    }

    static response succeed(live_endpoint& endpoint, http::request_head const& head,
                            json_answer& answer) {
        response made;
        made.keep_alive = http::keep_alive(head) && !has_body(head);
        auto const tag = '"' + answer.tag + '"';
        bool const is_known =
            !answer.tag.empty() &&
            http::matches_entity_tag(head.field("If-None-Match").value_or(""), tag);
        auto& out = made.bytes;
        http::append_status_line(out, is_known ? 304 : 200);
        if (!is_known) {
            out += "Content-Type: application/json\r\n";
            http::append_content_length(out, answer.body.size() + 1);
        }
        if (!answer.tag.empty()) http::append_field(out, "ETag", tag);
        out += "Cache-Control: no-cache, no-transform\r\n";
        http::append_connection(out, made.keep_alive, head.minor_version());
        out += endpoint.cross_origin_fields(head);
        http::append_end_of_head(out);
        if (!is_known && head.method() != "HEAD") out.append(answer.body).append(1, '\n');
        return made;
    }
};

/// The transport of such a resource.
template <json_resource Resource>
struct answer_transport {
    using session = answer_session<Resource>;

    [[nodiscard]] static bool matches(http::request_head const&, std::string_view path) noexcept {
        return path == Resource::path;
    }
};

} // namespace livetape
