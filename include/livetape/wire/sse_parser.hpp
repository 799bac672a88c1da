#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/error.hpp>
#include <livetape/time.hpp>
#include <livetape/wire/line_end.hpp>
#include <livetape/wire/parse_status.hpp>

namespace livetape::sse {

/// What an event stream may make its reader hold.
struct parser_limits {
    /// Bytes of one line without its end.
    std::size_t line_bytes_max = std::size_t{1} << 20;
    /// Bytes of one event's data: its lines and the LF between them.
    std::size_t data_bytes_max = std::size_t{1} << 20;
};

/// An event as `parser::next` found it. Views are valid until the next call to the parser.
struct event {
    std::string_view type; ///< "message" if the stream gave none
    std::string_view data;
    std::string_view last_event_id; ///< of this or of an earlier event
};

/// Incremental parser of an event stream (WHATWG HTML §9.2.5 and §9.2.6). Nothing in a stream is
/// malformed, so it fails only at a limit.
///
/// Theory of operation: input is cut into lines at CR, LF or CR LF; a CR ends its line at once, and
/// an LF that comes next is dropped, even when it comes in the next piece. A line that is whole in
/// the input is read where it lies. An empty line dispatches what has gathered.
/// Thread safety: distinct objects safe; shared objects unsafe.
class parser {
public:
    explicit parser(parser_limits limits = {}) : limits_{limits} {}

    /// Takes bytes from the front of `input`, up to the end of the first block that makes an event.
    ///
    /// @param found  written only when the status is `done`
    /// @return `done`: there is an event; call again with what is left; `need_more`: all was taken;
    ///         `failed`: error::message_too_large, and later input is not taken. O(bytes taken).
    [[nodiscard]] parse_status next(std::string_view& input, event& found);

    /// error::message_too_large after `next` failed, else error::none.
    [[nodiscard]] error failure() const noexcept { return failure_; }

    /// The id of the last complete block that had one: what a reconnecting client sends as
    /// Last-Event-ID. A block that only carries an id counts, though it makes no event.
    [[nodiscard]] std::string_view last_event_id() const noexcept { return last_event_id_; }

    /// The reconnection time that the stream asked for last; nothing if it never did.
    [[nodiscard]] std::optional<std::chrono::milliseconds> reconnection_time() const noexcept {
        return reconnection_time_;
    }

    /// Starts over for the stream of a new connection; an unfinished block is dropped, the last
    /// event ID and the reconnection time stay.
    void restart();

private:
    [[nodiscard]] bool skip_start(std::string_view& input);
    [[nodiscard]] bool parse_line(std::string_view line);
    [[nodiscard]] bool add_data(std::string_view value);
    void set_reconnection_time(std::string_view value);
    [[nodiscard]] bool dispatch(event& found);
    [[nodiscard]] parse_status fail();

    static constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

    parser_limits limits_;
    std::string partial_;          // the beginning of a line whose end has not arrived
    std::string data_, type_, id_; // the buffers of WHATWG HTML §9.2.6
    std::string last_event_id_;
    std::string dispatched_type_;
    std::optional<std::chrono::milliseconds> reconnection_time_;
    std::size_t mark_bytes_ = 0;   // of a byte order mark that have arrived
    bool is_at_start_ = true;      // a byte order mark may still come
    bool is_after_return_ = false; // the last byte was CR: an LF belongs to it
    bool has_dispatched_ = false;  // data_ is the caller's until the next call
    error failure_ = error::none;
};

inline void parser::restart() {
    partial_.clear();
    data_.clear();
    type_.clear();
    // A block without id then keeps the old one, as browsers do.
    id_ = last_event_id_;
    mark_bytes_ = 0;
    is_at_start_ = true;
    is_after_return_ = false;
    has_dispatched_ = false;
    failure_ = error::none;
}

inline parse_status parser::next(std::string_view& input, event& found) {
    if (failure_ != error::none) return parse_status::failed;
    if (std::exchange(has_dispatched_, false)) data_.clear();
    if (is_at_start_ && !skip_start(input)) return parse_status::need_more;

    while (!input.empty()) {
        if (std::exchange(is_after_return_, false) && input.front() == '\n') {
            input.remove_prefix(1);
            continue;
        }
        auto const end = detail::find_line_end(input);
        auto line = input.substr(0, end);
        if (partial_.size() + line.size() > limits_.line_bytes_max) return fail();
        if (end == std::string_view::npos) {
            partial_.append(line);
            input = {};
            break;
        }
        is_after_return_ = input[end] == '\r';
        input.remove_prefix(end + 1);
        if (!partial_.empty()) line = partial_.append(line);
        bool const is_block_end = line.empty();
        bool const is_within_limits = parse_line(line);
        partial_.clear();
        if (!is_within_limits) return fail();
        if (is_block_end && dispatch(found)) return parse_status::done;
    }
    return parse_status::need_more;
}

/// Takes a byte order mark from the front of the stream; false while it cannot be told yet.
inline bool parser::skip_start(std::string_view& input) {
    while (mark_bytes_ < byte_order_mark.size()) {
        if (input.empty()) return false;
        if (input.front() != byte_order_mark[mark_bytes_]) {
            partial_.append(byte_order_mark.substr(0, mark_bytes_));
            break;
        }
        ++mark_bytes_;
        input.remove_prefix(1);
    }
    is_at_start_ = false;
    return true;
}

/// Reads one line (WHATWG HTML §9.2.6); an empty one is the caller's. False at the data limit.
inline bool parser::parse_line(std::string_view line) {
    auto const colon = line.find(':');
    auto const name = line.substr(0, colon);
    auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
    if (value.substr(0, 1) == " ") value.remove_prefix(1);

    if (name == "data") return add_data(value);
    if (name == "event") {
        type_ = value;
    } else if (name == "id") {
        if (value.find('\0') == std::string_view::npos) id_ = value;
    } else if (name == "retry") {
        set_reconnection_time(value);
    }
    return true;
}

inline bool parser::add_data(std::string_view value) {
    if (data_.size() + value.size() > limits_.data_bytes_max) return false;
    data_.append(value);
    data_.push_back('\n');
    return true;
}

inline void parser::set_reconnection_time(std::string_view value) {
    std::uint32_t milliseconds = 0;
    auto const [end, failure] =
        std::from_chars(value.data(), value.data() + value.size(), milliseconds);
    // Digits only; a number over 49 days is ignored like any other that makes no sense.
    if (failure == std::errc{} && end == value.data() + value.size())
        reconnection_time_ = std::chrono::milliseconds{milliseconds};
}

/// Ends a block; true if it makes an event, which is one that had a data line.
inline bool parser::dispatch(event& found) {
    last_event_id_ = id_;
    dispatched_type_.swap(type_);
    type_.clear();
    if (data_.empty()) return false;
    data_.pop_back();
    has_dispatched_ = true;
    found = {.type = dispatched_type_.empty() ? std::string_view{"message"} : dispatched_type_,
             .data = data_,
             .last_event_id = last_event_id_};
    return true;
}

inline parse_status parser::fail() {
    partial_ = {};
    data_ = {};
    failure_ = error::message_too_large;
    return parse_status::failed;
}

} // namespace livetape::sse
