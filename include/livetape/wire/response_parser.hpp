#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/head_lines.hpp>
#include <livetape/wire/parse_status.hpp>
#include <livetape/wire/response_head.hpp>

namespace livetape::http {

/// Incremental parser of HTTP/1.0 and HTTP/1.1 response heads (RFC 9112 §4, §5), as strict as
/// `request_parser`: every line ends with CR LF, and no field is folded. Of the body's framing it
/// knows nothing; that depends on the request too (`read_response_framing`).
///
/// One thing is forgiven: the space behind the status code may be missing when no reason follows,
/// as some servers leave it out and no two recipients could read that differently.
/// Thread safety: distinct objects safe; shared objects unsafe.
class response_parser {
public:
    /// `target_bytes_max` of the limits does not matter here.
    explicit response_parser(head_limits limits = {})
        : limits_{limits}, lines_{limits.head_bytes_max} {}

    /// Takes bytes from the front of `input`, up to the end of the head and no further.
    ///
    /// @return `done`: the head is complete, what follows is left in `input`, and later calls take
    ///         nothing until `release`; `need_more`: all was taken; `failed`: see `failure`, and
    ///         the connection must be closed. O(bytes taken).
    [[nodiscard]] parse_status feed(std::string_view& input);

    /// Why `feed` failed: bad_status_line, bad_http_version, bad_header_field or head_too_large;
    /// else none.
    [[nodiscard]] error failure() const noexcept { return failure_; }

    /// The parsed head, valid until `release`. Precondition: `feed` returned `done`.
    [[nodiscard]] response_head& head() noexcept {
        LIVETAPE_ASSERT(status_ == parse_status::done);
        return head_;
    }

    /// Gives the head away and starts over: for the next response of the connection, or the final
    /// one after an interim response. Precondition: `feed` returned `done`.
    [[nodiscard]] response_head release() {
        LIVETAPE_ASSERT(status_ == parse_status::done);
        auto head = std::move(head_);
        *this = response_parser{limits_};
        return head;
    }

private:
    [[nodiscard]] error parse_line(std::string_view line);
    [[nodiscard]] error parse_status_line(std::string_view line);
    [[nodiscard]] error check_partial() const noexcept;

    head_limits limits_;
    response_head head_;
    detail::head_lines lines_;
    parse_status status_ = parse_status::need_more;
    error failure_ = error::none;
};

inline parse_status response_parser::feed(std::string_view& input) {
    while (status_ == parse_status::need_more) {
        auto const line = lines_.next(input);
        auto const why = line ? parse_line(*line) : check_partial();
        if (why != error::none) {
            failure_ = why;
            head_ = {};
            return status_ = parse_status::failed;
        }
        if (!line) break;
    }
    return status_;
}

/// Whoever answers with another protocol is found out before an LF comes, which may be never.
inline error response_parser::check_partial() const noexcept {
    constexpr std::string_view start = "HTTP/";
    if (head_.status() == 0 &&
        lines_.partial().substr(0, start.size()) != start.substr(0, lines_.partial().size()))
        return error::bad_status_line;
    return lines_.is_full() ? error::head_too_large : error::none;
}

inline error response_parser::parse_line(std::string_view line) {
    bool const is_status_line = head_.status() == 0;
    if (line.empty() || line.back() != '\r')
        return is_status_line ? error::bad_status_line : error::bad_header_field;
    line.remove_suffix(1);
    if (is_status_line) return parse_status_line(line);
    if (!line.empty()) return detail::add_field_line(head_, line, limits_.fields_max);
    status_ = parse_status::done;
    return error::none;
}

inline error response_parser::parse_status_line(std::string_view line) {
    constexpr std::size_t version_bytes = 8;
    constexpr std::size_t code_end = version_bytes + 4;
    auto const version = detail::parse_version(line.substr(0, version_bytes));
    if (version == -2) return error::bad_status_line;
    if (version < 0) return error::bad_http_version;
    if (line.size() < code_end || line[version_bytes] != ' ') return error::bad_status_line;
    if (line.size() > code_end && line[code_end] != ' ') return error::bad_status_line;

    unsigned status = 0;
    for (char const c : line.substr(version_bytes + 1, 3)) {
        if (c < '0' || c > '9') return error::bad_status_line;
        status = status * 10 + static_cast<unsigned>(c - '0');
    }
    if (status < 100) return error::bad_status_line;
    auto const reason = line.size() > code_end ? line.substr(code_end + 1) : std::string_view{};
    if (!is_field_value(reason)) return error::bad_status_line;

    constexpr std::size_t usual_head_bytes = 512;
    constexpr std::size_t usual_field_count = 16;
    head_.reserve(usual_head_bytes, usual_field_count);
    head_.set_status_line(status, reason, version);
    return error::none;
}

} // namespace livetape::http
