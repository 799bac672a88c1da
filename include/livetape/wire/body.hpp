#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/body_framing.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/parse_status.hpp>
#include <livetape/wire/request_head.hpp>

namespace livetape::http {

/// Refuses an Expect field that says anything but `100-continue` (RFC 9110 §10.1.1).
/// @return error::none or error::expectation_failed
[[nodiscard]] inline error check_expectation(request_head const& head) noexcept {
    auto const expectation = head.field("Expect");
    if (!expectation) return error::none;
    bool const is_known =
        head.count("Expect") == 1 && equals_ignoring_case(*expectation, "100-continue");
    return is_known ? error::none : error::expectation_failed;
}

/// Whether the client waits for `100 Continue` before it sends the body. In HTTP/1.0 the
/// expectation is ignored (RFC 9110 §10.1.1).
[[nodiscard]] inline bool expects_continue(request_head const& head) noexcept {
    return head.minor_version() >= 1 && head.field("Expect") &&
           check_expectation(head) == error::none;
}

/// Collects the body of one request, with Content-Length or in chunks (RFC 9112 §6.3, §7.1), into
/// memory up to a limit. Chunk extensions and trailer fields are read, bounded and dropped.
/// Thread safety: distinct objects safe; shared objects unsafe.
class body_reader {
public:
    /// Bytes of one chunk's size line, without the size's own digits: nobody sends extensions.
    static constexpr std::size_t chunk_extension_bytes_max = 256;
    /// Bytes of all size lines' extensions together, so that tiny chunks cannot carry a flood.
    static constexpr std::size_t extensions_bytes_max = 4096;
    /// Bytes of the trailer section with its line ends.
    static constexpr std::size_t trailer_bytes_max = 4096;

    /// @param head            what announces the body; not kept
    /// @param body_bytes_max  content bytes at most; a longer announcement fails at once
    body_reader(request_head const& head, std::size_t body_bytes_max);

    /// Takes bytes of the body from the front of `input` and no further. Feed an empty view first
    /// to learn whether there is a body at all, and whether it is acceptable.
    ///
    /// @return `done`: `body` is complete (at once if the request has none); `failed`: see
    ///         `failure`, later input is not taken, and the connection must be closed. O(taken).
    [[nodiscard]] parse_status feed(std::string_view& input);

    /// Why `feed` fails: bad_content_length, bad_transfer_encoding, body_too_large,
    /// expectation_failed, or head_too_large for the trailer section; else none.
    [[nodiscard]] error failure() const noexcept { return failure_; }

    /// What has come so far; the caller may move it out when `feed` said `done`.
    [[nodiscard]] std::string& body() noexcept { return body_; }

private:
    enum class state : std::uint8_t {
        done,
        failed,
        content, // bytes of a body, or of a chunk
        size_first_digit,
        size,
        before_extension,
        extension,
        size_line_feed,
        chunk_return,
        chunk_line_feed,
        trailer_start,
        trailer,
        trailer_line_feed,
        last_line_feed,
    };

    state fail(error why) noexcept {
        failure_ = why;
        return state::failed;
    }
    [[nodiscard]] state take_content(std::string_view& input);
    [[nodiscard]] state take_framing(char c) noexcept;
    [[nodiscard]] state take_size(char c) noexcept;
    [[nodiscard]] state take_extension(char c) noexcept;
    [[nodiscard]] state take_trailer(char c) noexcept;
    [[nodiscard]] state expect(char c, char wanted, state next) noexcept {
        return c == wanted ? next : fail(error::bad_transfer_encoding);
    }

    std::string body_;
    std::uint64_t remaining_ = 0; // of the body, or of the chunk
    std::size_t body_bytes_max_;
    std::size_t extension_bytes_ = 0; // of this size line
    std::size_t extensions_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
    std::uint8_t size_digits_ = 0;
    bool is_chunked_ = false;
    state state_ = state::done;
    error failure_ = error::none;
};

inline body_reader::body_reader(request_head const& head, std::size_t body_bytes_max)
    : body_bytes_max_{body_bytes_max} {
    body_framing framing;
    error why = read_body_framing(head, framing);
    if (why == error::none) why = check_expectation(head);
    if (why == error::none && framing.length > body_bytes_max) why = error::body_too_large;
    if (why != error::none) {
        state_ = fail(why);
    } else if (framing.is_chunked) {
        is_chunked_ = true;
        state_ = state::size_first_digit;
    } else if (framing.length != 0) {
        remaining_ = framing.length;
        state_ = state::content;
    }
}

inline parse_status body_reader::feed(std::string_view& input) {
    while (!input.empty() && state_ != state::done && state_ != state::failed) {
        if (state_ == state::content) {
            state_ = take_content(input);
        } else {
            char const c = input.front();
            input.remove_prefix(1);
            state_ = take_framing(c);
        }
    }
    if (state_ == state::failed) return parse_status::failed;
    return state_ == state::done ? parse_status::done : parse_status::need_more;
}

inline body_reader::state body_reader::take_content(std::string_view& input) {
    // Memory is taken for what has arrived, not for what was announced.
    auto const piece = input.substr(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size())));
    body_.append(piece);
    input.remove_prefix(piece.size());
    remaining_ -= piece.size();
    if (remaining_ != 0) return state::content;
    return is_chunked_ ? state::chunk_return : state::done;
}

inline body_reader::state body_reader::take_framing(char c) noexcept {
    switch (state_) {
    case state::size_first_digit:
        remaining_ = 0;
        size_digits_ = 0;
        extension_bytes_ = 0;
        return hex_digit_value(c) >= 0 ? take_size(c) : fail(error::bad_transfer_encoding);
    case state::size: return take_size(c);
    case state::before_extension:
    case state::extension: return take_extension(c);
    case state::size_line_feed:
        return expect(c, '\n', remaining_ != 0 ? state::content : state::trailer_start);
    case state::chunk_return: return expect(c, '\r', state::chunk_line_feed);
    case state::chunk_line_feed: return expect(c, '\n', state::size_first_digit);
    default: return take_trailer(c);
    }
}

inline body_reader::state body_reader::take_size(char c) noexcept {
    if (c == '\r') return state::size_line_feed;
    auto const digit = hex_digit_value(c);
    if (digit < 0) return take_extension(c);
    // Leading zeros are allowed, but a size of 2^64 or more is an overflow or an attack.
    if (++size_digits_ > 16) return fail(error::bad_transfer_encoding);
    remaining_ = remaining_ * 16 + static_cast<unsigned>(digit);
    if (remaining_ > body_bytes_max_ - body_.size()) return fail(error::body_too_large);
    return state::size;
}

/// RFC 9112 §7.1.1: an extension begins with a semicolon, perhaps after white space.
inline body_reader::state body_reader::take_extension(char c) noexcept {
    bool const has_begun = state_ == state::extension;
    if (has_begun && c == '\r') return state::size_line_feed;
    ++extensions_bytes_;
    if (++extension_bytes_ > chunk_extension_bytes_max || extensions_bytes_ > extensions_bytes_max)
        return fail(error::bad_transfer_encoding);
    if (!has_begun && (c == ' ' || c == '\t')) return state::before_extension;
    bool const is_allowed = has_begun ? detail::is_of(c, detail::value_character) : c == ';';
    return is_allowed ? state::extension : fail(error::bad_transfer_encoding);
}

inline body_reader::state body_reader::take_trailer(char c) noexcept {
    if (++trailer_bytes_ > trailer_bytes_max) return fail(error::head_too_large);
    if (state_ == state::trailer_line_feed) return expect(c, '\n', state::trailer_start);
    if (state_ == state::last_line_feed) return expect(c, '\n', state::done);
    if (c == '\r')
        return state_ == state::trailer_start ? state::last_line_feed : state::trailer_line_feed;
    bool const is_allowed = detail::is_of(
        c, state_ == state::trailer_start ? detail::token_character : detail::value_character);
    return is_allowed ? state::trailer : fail(error::bad_transfer_encoding);
}

} // namespace livetape::http
