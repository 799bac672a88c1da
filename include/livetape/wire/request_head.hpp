#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::http {

/// Compares two field names or tokens without regard to ASCII case (RFC 9110 §5.1).
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        char const x = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] + 32) : a[i];
        char const y = b[i] >= 'A' && b[i] <= 'Z' ? static_cast<char>(b[i] + 32) : b[i];
        if (x != y) return false;
    }
    return true;
}

/// One header field: views into the head that gave it, valid while that head lives unchanged.
struct header_field {
    std::string_view name;
    std::string_view value;
};

/// The head of an HTTP request (RFC 9112 §3, §5): owns its bytes, and so can be kept and moved.
///
/// A host with an HTTP server of its own fills one from what its parser found; the library's
/// parser is `request_parser`. Views are valid until the head is changed, moved from or destroyed.
/// Thread safety: distinct objects safe; shared objects unsafe.
class request_head {
public:
    request_head() = default;

    /// @param minor_version  1 for HTTP/1.1, 0 for HTTP/1.0
    request_head(std::string_view method, std::string_view target,
                 std::initializer_list<header_field> fields = {}, int minor_version = 1) {
        set_request_line(method, target, minor_version);
        for (auto const& field : fields) add_field(field.name, field.value);
    }

    /// Makes room for a head of that size, so that filling it allocates twice at most.
    void reserve(std::size_t bytes, std::size_t fields) {
        bytes_.reserve(bytes);
        fields_.reserve(fields);
    }

    /// Sets method, target and version; checks nothing. Called once, before or after the fields.
    void set_request_line(std::string_view method, std::string_view target, int minor_version) {
        method_ = append(method);
        target_ = append(target);
        minor_version_ = static_cast<std::uint8_t>(minor_version);
    }

    /// Appends one field; checks nothing. The value has no white space around it.
    void add_field(std::string_view name, std::string_view value) {
        fields_.emplace_back(append(name), append(value));
    }

    /// The method as it was sent; methods are case-sensitive (RFC 9110 §9.1).
    [[nodiscard]] std::string_view method() const noexcept { return view(method_); }

    /// The request target as it was sent (origin form or absolute form, RFC 9112 §3.2).
    [[nodiscard]] std::string_view target() const noexcept { return view(target_); }

    /// The target's path: without scheme and authority, without the query; still percent-encoded.
    /// The empty path of an absolute form is "/" (RFC 9110 §4.2.3).
    [[nodiscard]] std::string_view path() const noexcept {
        auto const origin = origin_form();
        auto const path = origin.substr(0, origin.find('?'));
        return path.empty() && !origin.empty() ? std::string_view{"/"} : path;
    }

    /// What follows the first '?', still percent-encoded; empty if there is none.
    [[nodiscard]] std::string_view query() const noexcept {
        auto const origin = origin_form();
        auto const mark = origin.find('?');
        return mark == std::string_view::npos ? std::string_view{} : origin.substr(mark + 1);
    }

    /// The host and port that the client asked for: of an absolute-form target if it is one, else
    /// of the Host field (RFC 9112 §3.2.2); empty if there is neither. O(fields).
    [[nodiscard]] std::string_view authority() const noexcept {
        auto const text = target();
        auto const scheme_end = text.find("://");
        if (text.empty() || text.front() == '/' || scheme_end == std::string_view::npos)
            return field("Host").value_or(std::string_view{});
        auto const rest = text.substr(scheme_end + 3);
        return rest.substr(0, rest.find_first_of("/?"));
    }

    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    [[nodiscard]] int minor_version() const noexcept { return minor_version_; }

    /// Fields in the order in which they came; `index` is less than `field_count`.
    [[nodiscard]] std::size_t field_count() const noexcept { return fields_.size(); }
    [[nodiscard]] header_field field_at(std::size_t index) const noexcept {
        return {view(fields_[index].first), view(fields_[index].second)};
    }

    /// The value of the first field of that name, in any case; nothing if there is none. O(fields).
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
        for (auto const& [field_name, value] : fields_)
            if (equals_ignoring_case(view(field_name), name)) return view(value);
        return std::nullopt;
    }

    /// How many fields have that name, in any case. O(fields).
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept {
        std::size_t found = 0;
        for (auto const& [field_name, value] : fields_)
            found += equals_ignoring_case(view(field_name), name) ? 1u : 0u;
        return found;
    }

private:
    struct range {
        std::uint32_t position = 0;
        std::uint32_t length = 0;
    };

    range append(std::string_view text) {
        range const at{static_cast<std::uint32_t>(bytes_.size()),
                       static_cast<std::uint32_t>(text.size())};
        bytes_.append(text);
        return at;
    }

    [[nodiscard]] std::string_view view(range at) const noexcept {
        return std::string_view{bytes_}.substr(at.position, at.length);
    }

    [[nodiscard]] std::string_view origin_form() const noexcept {
        auto const text = target();
        if (text.empty() || text.front() == '/') return text;
        auto const scheme_end = text.find("://");
        if (scheme_end == std::string_view::npos) return text;
        auto const start = text.find_first_of("/?", scheme_end + 3);
        return start == std::string_view::npos ? std::string_view{"/"} : text.substr(start);
    }

    std::string bytes_;
    std::vector<std::pair<range, range>> fields_;
    range method_, target_;
    std::uint8_t minor_version_ = 1;
};

} // namespace livetape::http
