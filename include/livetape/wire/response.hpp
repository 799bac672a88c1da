#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/json_text.hpp>
#include <livetape/wire/characters.hpp>

namespace livetape::http {

/// The reason phrase of a status code (RFC 9110 §15); empty for one that the library never sends.
[[nodiscard]] constexpr std::string_view reason_phrase(unsigned status) noexcept {
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return {};
    }
}

/// Appends the status line of an HTTP/1.1 response (RFC 9112 §4).
/// Precondition: 100 <= status <= 999.
inline void append_status_line(std::string& out, unsigned status) {
    LIVETAPE_ASSERT(status >= 100 && status <= 999);
    out.append("HTTP/1.1 ");
    append_number(out, status);
    out.push_back(' ');
    out.append(reason_phrase(status));
    out.append("\r\n");
}

/// Appends one field line (RFC 9112 §5). Control characters of the value become spaces, so that no
/// value, wherever it is from, can begin a line of its own (RFC 9110 §5.5).
/// Precondition: the name is a token.
inline void append_field(std::string& out, std::string_view name, std::string_view value) {
    LIVETAPE_ASSERT(is_token(name));
    out.append(name);
    out.append(": ");
    auto const start = out.size();
    out.append(value);
    if (!is_field_value(value))
        for (std::size_t i = start; i < out.size(); ++i)
            if (!detail::is_of(out[i], detail::value_character)) out[i] = ' ';
    out.append("\r\n");
}

/// Appends the Content-Length field (RFC 9110 §8.6).
inline void append_content_length(std::string& out, std::uint64_t bytes) {
    out.append("Content-Length: ");
    append_number(out, bytes);
    out.append("\r\n");
}

/// Appends what the head must say about the connection (RFC 9112 §9.3): `close` if it ends, and
/// `keep-alive` to a client of HTTP/1.0 that asked for it. With HTTP/1.1 it stays open unsaid.
/// @param minor_version  of the request
inline void append_connection(std::string& out, bool keep_alive, int minor_version) {
    if (!keep_alive) out.append("Connection: close\r\n");
    else if (minor_version == 0) out.append("Connection: keep-alive\r\n");
}

/// Appends the empty line that ends a head.
inline void append_end_of_head(std::string& out) { out.append("\r\n"); }

/// A complete response that refuses a request: the status of `describe(why)`, and the body
/// `{"error":{"code":"<name>","message":"<detail, or the table's message>"}}` with a line feed.
/// A 426 says what to upgrade to (RFC 9110 §15.5.22, RFC 6455 §4.4).
///
/// A response to HEAD has no body: cut it after the first empty line.
/// @param detail        UTF-8 text for the person who sent the request; empty for the table's
/// @param keep_alive    false adds `Connection: close`
/// @param extra_fields  complete field lines, each with its CR LF, as `append_field` writes them
/// Precondition: `why` is not error::none.
[[nodiscard]] inline std::string refusal(error why, std::string_view detail, bool keep_alive,
                                         std::string_view extra_fields = {}) {
    LIVETAPE_ASSERT(why != error::none);
    auto const& known = describe(why);
    std::string body = R"({"error":{"code":)";
    append_json_string(body, known.name);
    body.append(R"(,"message":)");
    append_json_string(body, detail.empty() ? known.message : detail);
    body.append("}}\n");

    std::string out;
    out.reserve(256 + extra_fields.size() + body.size());
    append_status_line(out, known.http_status);
    append_field(out, "Content-Type", "application/json");
    append_content_length(out, body.size());
    append_field(out, "Cache-Control", "no-store");
    bool const is_upgrade = known.http_status == 426;
    if (is_upgrade) {
        append_field(out, "Upgrade", "websocket");
        append_field(out, "Sec-WebSocket-Version", "13");
    }
    if (is_upgrade || !keep_alive)
        append_field(out, "Connection",
                     !is_upgrade  ? "close"
                     : keep_alive ? "Upgrade"
                                  : "close, Upgrade");
    out.append(extra_fields);
    append_end_of_head(out);
    out.append(body);
    return out;
}

} // namespace livetape::http
