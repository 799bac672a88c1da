#pragma once

#include <initializer_list>
#include <string_view>

#include <livetape/wire/message_head.hpp>

namespace livetape::http {

/// The head of an HTTP request (RFC 9112 §3, §5): owns its bytes, and so can be kept and moved.
///
/// A host with an HTTP server of its own fills one from what its parser found; the library's
/// parser is `request_parser`. Views are valid until the head is changed, moved from or destroyed.
/// Thread safety: distinct objects safe; shared objects unsafe.
class request_head : public message_head {
public:
    request_head() = default;

    /// @param minor_version  1 for HTTP/1.1, 0 for HTTP/1.0
    request_head(std::string_view method, std::string_view target,
                 std::initializer_list<header_field> fields = {}, int minor_version = 1) {
        set_request_line(method, target, minor_version);
        for (auto const& field : fields) add_field(field.name, field.value);
    }

    /// Sets method, target and version; checks nothing. Called once, before or after the fields.
    void set_request_line(std::string_view method, std::string_view target, int minor_version) {
        method_ = append(method);
        target_ = append(target);
        set_minor_version(minor_version);
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

private:
    [[nodiscard]] std::string_view origin_form() const noexcept {
        auto const text = target();
        if (text.empty() || text.front() == '/') return text;
        auto const scheme_end = text.find("://");
        if (scheme_end == std::string_view::npos) return text;
        auto const start = text.find_first_of("/?", scheme_end + 3);
        return start == std::string_view::npos ? std::string_view{"/"} : text.substr(start);
    }

    range method_, target_;
};

} // namespace livetape::http
