#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <livetape/error.hpp>
#include <livetape/wire/characters.hpp>
#include <livetape/wire/message_head.hpp>

namespace livetape::http {

/// What a request or response head may cost before anything is known of who sends it.
struct head_limits {
    /// Bytes from the first byte to the empty line, both included, with empty lines before the
    /// request line. Browsers with many cookies send some 8 KiB; 16 KiB is the common server limit.
    std::size_t head_bytes_max = 16384;
    /// Bytes of the request target. RFC 9112 §3 asks for at least 8000 for the whole line.
    std::size_t target_bytes_max = 8192;
    /// Field lines. A browser sends about 20; each costs 16 bytes besides its text.
    std::size_t fields_max = 100;
};

namespace detail {

/// Cuts a head into lines at LF. A line that is whole in the input is given where it lies, else its
/// pieces are gathered first: each byte is looked at a fixed number of times, however it was split.
class head_lines {
public:
    explicit head_lines(std::size_t bytes_max) noexcept : bytes_max_{bytes_max} {}

    /// Takes one line from the front of `input`, without its LF; nothing, and all input taken up to
    /// the limit, if its end is not there. The view is valid until the next call and while `input`
    /// lives. O(bytes taken).
    [[nodiscard]] std::optional<std::string_view> next(std::string_view& input) {
        if (is_partial_used_) partial_.clear();
        is_partial_used_ = false;
        auto const window = input.substr(0, bytes_max_ - bytes_);
        auto const end = window.find('\n');
        auto const taken = end == std::string_view::npos ? window.size() : end + 1;
        bytes_ += taken;
        input.remove_prefix(taken);
        if (end == std::string_view::npos) {
            partial_.append(window);
            return std::nullopt;
        }
        auto const line = window.substr(0, end);
        if (partial_.empty()) return line;
        is_partial_used_ = true;
        return partial_.append(line);
    }

    /// After `next` gave nothing: the beginning of the line whose end has not arrived.
    [[nodiscard]] std::string_view partial() const noexcept { return partial_; }

    /// Whether as many bytes were taken as a head may have.
    [[nodiscard]] bool is_full() const noexcept { return bytes_ >= bytes_max_; }

    /// Bytes taken so far.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    std::string partial_;
    std::size_t bytes_ = 0;
    std::size_t bytes_max_;
    bool is_partial_used_ = false;
};

/// Adds a field line without its line end to a head (RFC 9112 §5).
/// @return error::head_too_large if it has `fields_max` already, or error::bad_header_field
[[nodiscard]] inline error add_field_line(message_head& head, std::string_view line,
                                          std::size_t fields_max) {
    if (head.field_count() >= fields_max) return error::head_too_large;
    auto const colon = line.find(':');
    if (colon == std::string_view::npos) return error::bad_header_field;
    // A folded line (RFC 9112 §5.2) and white space before the colon (§5.1) fail here: neither SP
    // nor HTAB can be part of a token.
    auto const name = line.substr(0, colon);
    auto const value = trim_whitespace(line.substr(colon + 1));
    if (!is_token(name) || !is_field_value(value)) return error::bad_header_field;
    head.add_field(name, value);
    return error::none;
}

/// Reads `HTTP/1.x` (RFC 9112 §2.3). A minor version above 1 is taken for 1, the highest that there
/// is (RFC 9110 §2.5); RFC 6455 §4.2.1 wants "HTTP/1.1 or higher" as well.
/// @return the minor version, 0 or 1; -1 for another version; -2 for what is no version at all
[[nodiscard]] constexpr int parse_version(std::string_view text) noexcept {
    auto const is_decimal = [](char c) { return c >= '0' && c <= '9'; };
    bool const is_version = text.size() == 8 && text.substr(0, 5) == "HTTP/" &&
                            is_decimal(text[5]) && text[6] == '.' && is_decimal(text[7]);
    if (!is_version) return -2;
    if (text[5] != '1') return -1;
    return text[7] == '0' ? 0 : 1;
}

} // namespace detail

} // namespace livetape::http
