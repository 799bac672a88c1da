#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/wire/characters.hpp>

namespace livetape::websocket {

/// A parameter of an extension, as offered or accepted (RFC 6455 §9.1).
struct extension_parameter {
    std::string_view name;
    std::optional<std::string> value; ///< a token, unquoted; nothing if there was no '='
};

/// An extension with its parameters, in the order of the wire (RFC 6455 §9.1). The names are views
/// into the text that was parsed.
struct extension {
    std::string_view name;
    std::vector<extension_parameter> parameters;
};

namespace detail {

/// Walks over a field value whose grammar allows blanks between any two words.
class word_cursor {
public:
    explicit word_cursor(std::string_view text) noexcept : rest_{text} { skip_blanks(); }

    [[nodiscard]] bool is_at_end() const noexcept { return rest_.empty(); }

    /// Steps over `c` and the blanks behind it, if it comes next.
    bool take(char c) noexcept {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        skip_blanks();
        return true;
    }

    /// Steps over a token and the blanks behind it; empty if none comes next.
    [[nodiscard]] std::string_view take_token() noexcept {
        std::size_t size = 0;
        while (size < rest_.size() && http::is_token(rest_.substr(size, 1))) ++size;
        auto const token = rest_.substr(0, size);
        rest_.remove_prefix(size);
        skip_blanks();
        return token;
    }

    /// Steps over a token, quoted or not; empty if neither comes next. §9.1: what a quoted string
    /// means must be a token as well.
    [[nodiscard]] std::string take_quotable_token() {
        if (rest_.empty() || rest_.front() != '"') return std::string{take_token()};
        std::string token;
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            if (rest_[i] == '"') {
                rest_.remove_prefix(i + 1);
                skip_blanks();
                return http::is_token(token) ? token : std::string{};
            }
            if (rest_[i] == '\\' && ++i == rest_.size()) break;
            token += rest_[i];
        }
        return {};
    }

private:
    void skip_blanks() noexcept {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
            rest_.remove_prefix(1);
    }

    std::string_view rest_;
};

[[nodiscard]] inline bool take_extension(word_cursor& cursor, extension& found) {
    found.name = cursor.take_token();
    if (found.name.empty()) return false;
    while (cursor.take(';')) {
        extension_parameter parameter{cursor.take_token(), std::nullopt};
        if (parameter.name.empty()) return false;
        if (cursor.take('=')) {
            parameter.value = cursor.take_quotable_token();
            if (parameter.value->empty()) return false;
        }
        found.parameters.push_back(std::move(parameter));
    }
    return true;
}

} // namespace detail

/// Parses the value of one `Sec-WebSocket-Extensions` field, of a request or a response, and
/// appends what it lists (RFC 6455 §9.1). Empty list elements are skipped (RFC 9110 §5.6.1.2).
/// @return false, with `found` in an unspecified state, if the value does not keep the grammar
[[nodiscard]] inline bool parse_extensions(std::string_view value, std::vector<extension>& found) {
    detail::word_cursor cursor{value};
    while (!cursor.is_at_end()) {
        if (cursor.take(',')) continue;
        if (!detail::take_extension(cursor, found.emplace_back())) return false;
        if (!cursor.is_at_end() && !cursor.take(',')) return false;
    }
    return true;
}

} // namespace livetape::websocket
