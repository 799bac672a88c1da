#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include <livetape/wire/message_head.hpp>

namespace livetape::http {

/// The head of an HTTP response (RFC 9112 §4, §5): owns its bytes, and so can be kept and moved.
/// Views are valid until the head is changed, moved from or destroyed.
/// Thread safety: distinct objects safe; shared objects unsafe.
class response_head : public message_head {
public:
    response_head() = default;

    /// @param minor_version  1 for HTTP/1.1, 0 for HTTP/1.0
    explicit response_head(unsigned status, std::string_view reason = {},
                           std::initializer_list<header_field> fields = {}, int minor_version = 1) {
        set_status_line(status, reason, minor_version);
        for (auto const& field : fields) add_field(field.name, field.value);
    }

    /// Sets status, reason and version; checks nothing. Called once, before or after the fields.
    void set_status_line(unsigned status, std::string_view reason, int minor_version) {
        status_ = static_cast<std::uint16_t>(status);
        reason_ = append(reason);
        set_minor_version(minor_version);
    }

    /// 100 to 999; 0 before a status line was set. What is over 599 means a server error (RFC 9110
    /// §15).
    [[nodiscard]] unsigned status() const noexcept { return status_; }

    /// The reason phrase: for people, in any encoding, often empty.
    [[nodiscard]] std::string_view reason() const noexcept { return view(reason_); }

    /// Whether another response follows on the same request (RFC 9110 §15.2). 101 is not of this
    /// kind here: after it the connection speaks another protocol.
    [[nodiscard]] bool is_interim() const noexcept {
        return status_ >= 100 && status_ < 200 && status_ != 101;
    }

private:
    range reason_;
    std::uint16_t status_ = 0;
};

} // namespace livetape::http
