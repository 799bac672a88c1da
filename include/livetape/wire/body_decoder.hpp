#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/body_framing.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/parse_status.hpp>

namespace livetape::http {

/// Takes the content of one body out of its framing as it arrives (RFC 9112 §6.3, §7.1), and keeps
/// none of it. Chunk extensions and trailer fields are read, bounded and dropped.
/// Thread safety: distinct objects safe; shared objects unsafe.
class body_decoder {
public:
    /// Bytes of one chunk's size line, without the size's own digits: nobody sends extensions.
    static constexpr std::size_t chunk_extension_bytes_max = 256;
    /// Bytes of all size lines' extensions together, so that tiny chunks cannot carry a flood.
    static constexpr std::size_t extensions_bytes_max = 4096;
    /// Bytes of the trailer section with its line ends.
    static constexpr std::size_t trailer_bytes_max = 4096;

    /// No limit: for streams that go on, whose content is not kept.
    static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

    /// @param body_bytes_max  content bytes at most; a longer announcement fails at once
    explicit body_decoder(body_framing framing, std::uint64_t body_bytes_max = unlimited) noexcept;

    /// Takes bytes of the body from the front of `input`, up to the end of one run of content.
    /// Call it again while `content` is not empty. An empty input tells whether there is a body at
    /// all, and whether it is acceptable.
    ///
    /// @param content  the run that was found, a view into `input`; empty if there was none
    /// @return `need_more`: all input was taken, or there is content; `done`: the body is complete
    ///         and later input is left (at once if there is none); `failed`: see `failure`, later
    ///         input is not taken, and the connection must be closed. O(taken).
    [[nodiscard]] parse_status next(std::string_view& input, std::string_view& content) noexcept;

    /// Says that the connection has ended.
    /// @return whether the body is complete: it was already, or it is one that ends like this
    [[nodiscard]] bool end() noexcept {
        if (is_until_end_ && state_ == state::content) state_ = state::done;
        return state_ == state::done;
    }

    /// Why `next` fails: bad_transfer_encoding, body_too_large, or head_too_large for the trailer
    /// section; else none.
    [[nodiscard]] error failure() const noexcept { return failure_; }

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
        trailer_name,
        trailer_value,
        trailer_line_feed,
        last_line_feed,
    };

    state fail(error why) noexcept {
        failure_ = why;
        return state::failed;
    }
    [[nodiscard]] std::string_view take_content(std::string_view& input) noexcept;
    [[nodiscard]] state take_framing(char c) noexcept;
    [[nodiscard]] state take_size(char c) noexcept;
    [[nodiscard]] state take_extension(char c) noexcept;
    [[nodiscard]] state take_trailer(char c) noexcept;
    [[nodiscard]] state expect(char c, char wanted, state next) noexcept {
        return c == wanted ? next : fail(error::bad_transfer_encoding);
    }

    std::uint64_t remaining_ = 0;     // of the body, or of the chunk
    std::uint64_t allowed_;           // content bytes that may still come
    std::size_t extension_bytes_ = 0; // of this size line
    std::size_t extensions_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
    std::uint8_t size_digits_ = 0;
    bool is_chunked_ = false;
    bool is_until_end_ = false;
    state state_ = state::done;
    error failure_ = error::none;
};

inline body_decoder::body_decoder(body_framing framing, std::uint64_t body_bytes_max) noexcept
    : allowed_{body_bytes_max}, is_chunked_{framing.is_chunked}, is_until_end_{
                                                                     framing.is_until_end} {
    if (is_chunked_) {
        state_ = state::size_first_digit;
    } else if (framing.length > body_bytes_max) {
        state_ = fail(error::body_too_large);
    } else if (is_until_end_ || framing.length != 0) {
        remaining_ = is_until_end_ ? unlimited : framing.length;
        state_ = state::content;
    }
}

inline parse_status body_decoder::next(std::string_view& input,
                                       std::string_view& content) noexcept {
    content = {};
    while (!input.empty() && state_ != state::done && state_ != state::failed) {
        if (state_ == state::content) {
            content = take_content(input);
            // The last run is given before the end is told, so that no caller can drop it.
            if (!content.empty()) return parse_status::need_more;
        } else {
            char const c = input.front();
            input.remove_prefix(1);
            state_ = take_framing(c);
        }
    }
    if (state_ == state::failed) return parse_status::failed;
    return state_ == state::done ? parse_status::done : parse_status::need_more;
}

inline std::string_view body_decoder::take_content(std::string_view& input) noexcept {
    auto const content =
        remaining_ < input.size() ? input.substr(0, static_cast<std::size_t>(remaining_)) : input;
    if (content.size() > allowed_) {
        state_ = fail(error::body_too_large);
        return {};
    }
    input.remove_prefix(content.size());
    if (allowed_ != unlimited) allowed_ -= content.size();
    if (!is_until_end_) remaining_ -= content.size();
    if (remaining_ == 0) state_ = is_chunked_ ? state::chunk_return : state::done;
    return content;
}

inline body_decoder::state body_decoder::take_framing(char c) noexcept {
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

inline body_decoder::state body_decoder::take_size(char c) noexcept {
    if (c == '\r') return state::size_line_feed;
    auto const digit = hex_digit_value(c);
    if (digit < 0) return take_extension(c);
    // Leading zeros are allowed, but a size of 2^64 or more is an overflow or an attack.
    if (++size_digits_ > 16) return fail(error::bad_transfer_encoding);
    remaining_ = remaining_ * 16 + static_cast<unsigned>(digit);
    if (remaining_ > allowed_) return fail(error::body_too_large);
    return state::size;
}

/// RFC 9112 §7.1.1: an extension begins with a semicolon, perhaps after white space.
inline body_decoder::state body_decoder::take_extension(char c) noexcept {
    bool const has_begun = state_ == state::extension;
    if (has_begun && c == '\r') return state::size_line_feed;
    ++extensions_bytes_;
    if (++extension_bytes_ > chunk_extension_bytes_max || extensions_bytes_ > extensions_bytes_max)
        return fail(error::bad_transfer_encoding);
    if (!has_begun && (c == ' ' || c == '\t')) return state::before_extension;
    bool const is_allowed = has_begun ? detail::is_of(c, detail::value_character) : c == ';';
    return is_allowed ? state::extension : fail(error::bad_transfer_encoding);
}

inline body_decoder::state body_decoder::take_trailer(char c) noexcept {
    if (++trailer_bytes_ > trailer_bytes_max) return fail(error::head_too_large);
    if (state_ == state::trailer_line_feed) return expect(c, '\n', state::trailer_start);
    if (state_ == state::last_line_feed) return expect(c, '\n', state::done);
    if (state_ == state::trailer_value) {
        if (c == '\r') return state::trailer_line_feed;
        bool const is_allowed = detail::is_of(c, detail::value_character);
        return is_allowed ? state::trailer_value : fail(error::bad_transfer_encoding);
    }
    bool const is_start = state_ == state::trailer_start;
    if (c == '\r' && is_start) return state::last_line_feed;
    if (c == ':' && !is_start) return state::trailer_value;
    bool const is_allowed = detail::is_of(c, detail::token_character);
    return is_allowed ? state::trailer_name : fail(error::bad_transfer_encoding);
}

} // namespace livetape::http
