#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <livetape/wire/characters.hpp>

namespace livetape::http {

namespace detail {

[[nodiscard]] inline bool percent_decode(std::string_view in, std::string& out,
                                         bool plus_is_space) {
    auto const start = out.size();
    while (!in.empty()) {
        char const c = in.front();
        if (c != '%') {
            out.push_back(c == '+' && plus_is_space ? ' ' : c);
            in.remove_prefix(1);
            continue;
        }
        int const high = in.size() < 3 ? -1 : hex_digit_value(in[1]);
        int const low = in.size() < 3 ? -1 : hex_digit_value(in[2]);
        if (high < 0 || low < 0) {
            out.resize(start);
            return false;
        }
        out.push_back(static_cast<char>(static_cast<unsigned char>(high * 16 + low)));
        in.remove_prefix(3);
    }
    return true;
}

} // namespace detail

/// Appends the text with its percent-encoded bytes decoded (RFC 3986 §2.1), as for a path: '+'
/// stays. What comes out may be any bytes, NUL and invalid UTF-8 included. O(size).
/// @return false, and `out` as it was, if a '%' is not followed by two hexadecimal digits
[[nodiscard]] inline bool percent_decode(std::string_view in, std::string& out) {
    return detail::percent_decode(in, out, false);
}

/// Appends the bytes with all but the unreserved characters percent-encoded (RFC 3986 §2.3), so
/// that they can stand in any part of a URI. O(size).
inline void append_percent_encoded(std::string& out, std::string_view bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (char const c : bytes) {
        if (detail::is_of(c, detail::unreserved)) {
            out.push_back(c);
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        out.push_back('%');
        out.push_back(digits[byte >> 4]);
        out.push_back(digits[byte & 15u]);
    }
}

/// Appends a parameter to a request target, behind those that it has; the value is
/// percent-encoded. Precondition: the name needs no encoding, and the target has no fragment.
inline void append_parameter(std::string& target, std::string_view name, std::string_view value) {
    target.push_back(target.find('?') == std::string::npos ? '?' : '&');
    target.append(name).push_back('=');
    append_percent_encoded(target, value);
}

/// One decoded parameter: views that are valid while the query lives unchanged.
struct query_parameter {
    std::string_view name;
    std::string_view value;
};

/// The parameters of a query string in the form that browsers send
/// (application/x-www-form-urlencoded, WHATWG URL §5.1), decoded, in their order.
///
/// `for (auto const parameter : query)` visits them all. Thread safety: distinct objects safe;
/// shared objects unsafe.
class query {
public:
    /// Parameters at most, unless the caller says otherwise: one for each channel of a connection
    /// and some besides.
    static constexpr std::size_t parameters_max_default = 256;

    query() = default;

    /// Decodes what follows the '?' of a target, without the '?'. Empty parameters (`a&&b`) are
    /// skipped; one without '=' has an empty value; '+' is a space.
    /// @return nothing if a percent escape is malformed or there are over `parameters_max`: answer
    ///         with error::bad_query. O(size).
    [[nodiscard]] static std::optional<query>
    parse(std::string_view text, std::size_t parameters_max = parameters_max_default);

    /// The value of the first parameter of that name; names are case-sensitive. O(parameters).
    [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept {
        for (auto const parameter : *this)
            if (parameter.name == name) return parameter.value;
        return std::nullopt;
    }

    /// How many parameters have that name. O(parameters).
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept {
        std::size_t found = 0;
        for (auto const parameter : *this) found += parameter.name == name ? 1u : 0u;
        return found;
    }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

    /// Precondition: `index` < `size()`.
    [[nodiscard]] query_parameter operator[](std::size_t index) const noexcept {
        auto const at = entries_[index];
        auto const text = std::string_view{bytes_};
        return {text.substr(at.name, at.value - at.name), text.substr(at.value, at.end - at.value)};
    }

    /// Steps through the parameters by index.
    class iterator {
    public:
        iterator(query const& of, std::size_t index) noexcept : query_{&of}, index_{index} {}
        [[nodiscard]] query_parameter operator*() const noexcept { return (*query_)[index_]; }
        iterator& operator++() noexcept {
            ++index_;
            return *this;
        }
        [[nodiscard]] bool operator==(iterator const& other) const noexcept {
            return index_ == other.index_;
        }

    private:
        query const* query_;
        std::size_t index_;
    };

    [[nodiscard]] iterator begin() const noexcept { return {*this, 0}; }
    [[nodiscard]] iterator end() const noexcept { return {*this, size()}; }

private:
    // Positions in bytes_; a name ends where its value begins.
    struct entry {
        std::size_t name, value, end;
    };

    std::string bytes_;
    std::vector<entry> entries_;
};

inline std::optional<query> query::parse(std::string_view text, std::size_t parameters_max) {
    query parsed;
    parsed.bytes_.reserve(text.size());
    while (!text.empty()) {
        auto const pair = text.substr(0, text.find('&'));
        text.remove_prefix(pair.size() < text.size() ? pair.size() + 1 : text.size());
        if (pair.empty()) continue;
        if (parsed.entries_.size() == parameters_max) return std::nullopt;

        auto const equals = pair.find('=');
        auto const name = pair.substr(0, equals);
        auto const value =
            equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
        entry at{};
        at.name = parsed.bytes_.size();
        if (!detail::percent_decode(name, parsed.bytes_, true)) return std::nullopt;
        at.value = parsed.bytes_.size();
        if (!detail::percent_decode(value, parsed.bytes_, true)) return std::nullopt;
        at.end = parsed.bytes_.size();
        parsed.entries_.push_back(at);
    }
    return parsed;
}

} // namespace livetape::http
