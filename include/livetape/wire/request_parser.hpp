#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/authority.hpp>
#include <livetape/wire/body_framing.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/head_lines.hpp>
#include <livetape/wire/parse_status.hpp>
#include <livetape/wire/request_head.hpp>

namespace livetape::http {

/// Incremental parser of HTTP/1.0 and HTTP/1.1 request heads (RFC 9112 §2 to §6), strict: what two
/// recipients might read differently is refused, never repaired.
///
/// Theory of operation: input is cut at LF, and each line parsed as it comes. Every line must end
/// with CR LF: the permission of RFC 9112 §2.2 to take a bare LF is not used, since a bare LF or CR
/// is how request smuggling begins. When the empty line arrives, Host and the body's framing are
/// checked across the fields.
///
/// Empty lines before the request line are skipped, at most `empty_lines_max`.
/// Thread safety: distinct objects safe; shared objects unsafe.
class request_parser {
public:
    /// The longest method; the registered ones have at most 17 bytes (RFC 9110 §16.1).
    static constexpr std::size_t method_bytes_max = 32;
    /// Empty lines skipped before a request line (RFC 9112 §2.2 wants at least one).
    static constexpr std::size_t empty_lines_max = 4;

    explicit request_parser(head_limits limits = {})
        : limits_{limits}, lines_{limits.head_bytes_max} {}

    /// Takes bytes from the front of `input`, up to the end of the head and no further.
    ///
    /// @return `done`: the head is complete, the body or the next request is left in `input`, and
    ///         later calls take nothing until `release`; `need_more`: all was taken; `failed`: see
    ///         `failure`, this and later input is of no use, and the connection must be closed.
    ///         O(bytes taken).
    [[nodiscard]] parse_status feed(std::string_view& input);

    /// Why `feed` failed: bad_request_line, bad_http_version, bad_header_field, bad_host,
    /// bad_content_length, bad_transfer_encoding, target_too_long or head_too_large; else none.
    [[nodiscard]] error failure() const noexcept { return failure_; }

    /// Whether bytes of a request have arrived that is not complete: tells an idle connection
    /// from a slow request.
    [[nodiscard]] bool has_begun() const noexcept {
        return status_ == parse_status::need_more && lines_.bytes() != 0;
    }

    /// The parsed head, valid until `release`. Precondition: `feed` returned `done`.
    [[nodiscard]] request_head& head() noexcept {
        LIVETAPE_ASSERT(status_ == parse_status::done);
        return head_;
    }

    /// Gives the head away and starts over for the next request of the connection.
    /// Precondition: `feed` returned `done`.
    [[nodiscard]] request_head release() {
        LIVETAPE_ASSERT(status_ == parse_status::done);
        auto head = std::move(head_);
        *this = request_parser{limits_};
        return head;
    }

private:
    enum class stage : std::uint8_t { request_line, fields };

    [[nodiscard]] parse_status fail(error why);
    [[nodiscard]] error check_partial() const noexcept;
    [[nodiscard]] error check_request_line_size(std::string_view line) const noexcept;
    [[nodiscard]] error parse_line(std::string_view line);
    [[nodiscard]] error parse_request_line(std::string_view line);
    [[nodiscard]] error check_target(std::string_view method,
                                     std::string_view target) const noexcept;
    [[nodiscard]] error check_head() const noexcept;

    head_limits limits_;
    request_head head_;
    detail::head_lines lines_;
    std::size_t empty_lines_ = 0;
    stage stage_ = stage::request_line;
    parse_status status_ = parse_status::need_more;
    error failure_ = error::none;
};

inline parse_status request_parser::feed(std::string_view& input) {
    while (status_ == parse_status::need_more) {
        auto const line = lines_.next(input);
        auto const why = line ? parse_line(*line) : check_partial();
        if (why != error::none) return fail(why);
        if (!line) break;
    }
    return status_;
}

inline parse_status request_parser::fail(error why) {
    failure_ = why;
    head_ = {};
    lines_ = detail::head_lines{0};
    return status_ = parse_status::failed;
}

inline error request_parser::check_partial() const noexcept {
    auto const partial = lines_.partial();
    if (stage_ == stage::request_line && !partial.empty()) {
        // Whoever speaks another protocol (TLS, for one) is told at the first byte.
        if (partial.front() != '\r' && !detail::is_of(partial.front(), detail::token_character))
            return error::bad_request_line;
        if (auto const why = check_request_line_size(partial); why != error::none) return why;
    }
    return lines_.is_full() ? error::head_too_large : error::none;
}

/// O(1) while the line is within bounds. `line` may end with the CR of its line end.
inline error request_parser::check_request_line_size(std::string_view line) const noexcept {
    constexpr std::size_t around_target =
        method_bytes_max + std::string_view{"  HTTP/1.1\r"}.size();
    if (line.size() < around_target || line.size() - around_target <= limits_.target_bytes_max)
        return error::none;
    auto const start = line.substr(0, method_bytes_max + 1);
    auto const space = start.find(' ');
    bool const has_method = space != std::string_view::npos && is_token(start.substr(0, space));
    return has_method ? error::target_too_long : error::bad_request_line;
}

inline error request_parser::parse_line(std::string_view line) {
    bool const is_request_line = stage_ == stage::request_line;
    if (is_request_line)
        if (auto const why = check_request_line_size(line); why != error::none) return why;
    if (line.empty() || line.back() != '\r')
        return is_request_line ? error::bad_request_line : error::bad_header_field;
    line.remove_suffix(1);

    if (is_request_line) {
        if (!line.empty()) return parse_request_line(line);
        return ++empty_lines_ > empty_lines_max ? error::bad_request_line : error::none;
    }
    if (!line.empty()) return detail::add_field_line(head_, line, limits_.fields_max);
    auto const why = check_head();
    if (why == error::none) status_ = parse_status::done;
    return why;
}

inline error request_parser::parse_request_line(std::string_view line) {
    auto const first_space = line.find(' ');
    auto const method = line.substr(0, first_space);
    if (method.size() > method_bytes_max || !is_token(method)) return error::bad_request_line;
    if (first_space == std::string_view::npos) return error::bad_request_line;

    auto const last_space = line.rfind(' ');
    // A line without a version is the simple request of HTTP/0.9.
    if (last_space == first_space) return error::bad_http_version;
    auto const target = line.substr(first_space + 1, last_space - first_space - 1);
    if (target.size() > limits_.target_bytes_max) return error::target_too_long;

    auto const minor_version = detail::parse_version(line.substr(last_space + 1));
    if (minor_version == -2) return error::bad_request_line;
    if (minor_version < 0) return error::bad_http_version;
    if (auto const why = check_target(method, target); why != error::none) return why;

    constexpr std::size_t usual_head_bytes = 512;
    constexpr std::size_t usual_field_count = 16;
    head_.reserve(2 * target.size() > usual_head_bytes ? 2 * target.size() : usual_head_bytes,
                  usual_field_count);
    head_.set_request_line(method, target, minor_version);
    stage_ = stage::fields;
    return error::none;
}

/// RFC 9112 §3.2: origin form, absolute form of http and https, and "*" for OPTIONS. The authority
/// form belongs to CONNECT, which only a proxy serves.
inline error request_parser::check_target(std::string_view method,
                                          std::string_view target) const noexcept {
    if (method == "CONNECT" || target.empty()) return error::bad_request_line;
    if (!detail::all_of(target, detail::target_character)) return error::bad_request_line;
    if (target.front() == '/') return error::none;
    if (target == "*") return method == "OPTIONS" ? error::none : error::bad_request_line;

    auto const scheme_end = target.find("://");
    auto const scheme = target.substr(0, scheme_end);
    if (scheme_end == std::string_view::npos ||
        !(equals_ignoring_case(scheme, "http") || equals_ignoring_case(scheme, "https")))
        return error::bad_request_line;
    auto const rest = target.substr(scheme_end + 3);
    return is_host_and_port(rest.substr(0, rest.find_first_of("/?"))) ? error::none
                                                                      : error::bad_host;
}

inline error request_parser::check_head() const noexcept {
    auto const hosts = head_.count("Host");
    if (hosts > 1 || (hosts == 0 && head_.minor_version() == 1)) return error::bad_host;
    if (hosts == 1 && !is_host_and_port(*head_.field("Host"))) return error::bad_host;
    body_framing framing;
    return read_body_framing(head_, framing);
}

} // namespace livetape::http
