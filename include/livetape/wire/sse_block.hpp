#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <livetape/config.hpp>
#include <livetape/json_text.hpp>
#include <livetape/time.hpp>
#include <livetape/wire/line_end.hpp>

namespace livetape::sse {

/// One block of an event stream (WHATWG HTML §9.2.5): the lines up to an empty one. Views only.
struct block {
    /// The event's data, UTF-8, any line ends. Nothing: no `data` line, so that the client
    /// dispatches no event (but takes the id). Empty: an event whose data is the empty string.
    std::optional<std::string_view> data = {};
    /// What the client sends as Last-Event-ID when it comes back; empty: no `id` line, and the
    /// client keeps the one it has. Precondition: without NUL, CR and LF.
    std::string_view id = {};
    /// The event's type; empty: no `event` line, the type is "message". Precondition: without CR
    /// and LF.
    std::string_view event = {};
    /// How long the client waits before it connects again. Precondition: not negative.
    std::optional<std::chrono::milliseconds> retry = {};
};

namespace detail {

inline void append_line(std::string& out, std::string_view prefix, std::string_view text) {
    out.append(prefix);
    out.append(text);
    out.push_back('\n');
}

/// One line with the prefix for each line of the text; the line ends CR LF, CR and LF count alike.
inline void append_lines(std::string& out, std::string_view prefix, std::string_view text) {
    for (auto end = find_line_end(text); end != std::string_view::npos; end = find_line_end(text)) {
        append_line(out, prefix, text.substr(0, end));
        text.remove_prefix(text.substr(end, 2) == "\r\n" ? end + 2 : end + 1);
    }
    append_line(out, prefix, text);
}

} // namespace detail

/// Appends the block with its empty line at the end (WHATWG HTML §9.2.5). Data is split into a
/// `data` line for each of its lines; the client joins them with LF. O(size).
inline void append_block(std::string& out, block const& from) {
    LIVETAPE_ASSERT(from.id.find_first_of(std::string_view{"\0\r\n", 3}) == std::string_view::npos);
    LIVETAPE_ASSERT(from.event.find_first_of("\r\n") == std::string_view::npos);
    LIVETAPE_ASSERT(!from.retry || from.retry->count() >= 0);
    if (!from.id.empty()) detail::append_line(out, "id: ", from.id);
    if (!from.event.empty()) detail::append_line(out, "event: ", from.event);
    if (from.retry) {
        out.append("retry: ");
        append_number(out, static_cast<std::uint64_t>(from.retry->count()));
        out.push_back('\n');
    }
    if (from.data) detail::append_lines(out, "data: ", *from.data);
    out.push_back('\n');
}

/// Appends a comment, which clients ignore: a heartbeat, or padding. Its lines are split as those
/// of data; an empty line follows, so that it never joins the block after it. O(size).
inline void append_comment(std::string& out, std::string_view text = {}) {
    detail::append_lines(out, text.empty() ? ":" : ": ", text);
    out.push_back('\n');
}

} // namespace livetape::sse
