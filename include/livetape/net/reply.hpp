#pragma once

#include <string>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/request_head.hpp>
#include <livetape/wire/response.hpp>

namespace livetape {

/// What a host's own HTTP handler answers.
struct http_reply {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body{};
    std::string fields{}; ///< further field lines, as `http::append_field` writes them
};

namespace detail {

/// The whole response; without the body if the request was HEAD or the status has none.
inline std::string to_response(http_reply const& reply, std::string_view method, bool keep_alive) {
    std::string out;
    bool const has_body = reply.status != 204 && reply.status != 304;
    out.reserve(256 + reply.body.size());
    http::append_status_line(out, reply.status);
    if (has_body) {
        http::append_field(out, "Content-Type", reply.content_type);
        http::append_content_length(out, reply.body.size());
    }
    http::append_field(out, "Connection", keep_alive ? "keep-alive" : "close");
    out += reply.fields;
    http::append_end_of_head(out);
    if (has_body && method != "HEAD") out += reply.body;
    return out;
}

/// A refusal as a response; HEAD gets its head alone.
inline std::string to_refusal(error why, std::string_view method, bool keep_alive,
                              std::string_view fields = {}) {
    auto response = http::refusal(why, {}, keep_alive, fields);
    if (method == "HEAD") response.resize(response.find("\r\n\r\n") + 4);
    return response;
}

} // namespace detail

} // namespace livetape
