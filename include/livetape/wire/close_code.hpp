#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/utf8.hpp>

namespace livetape::websocket {

/// Why a connection ends (RFC 6455 §7.4.1 and the IANA registry of close codes). Other values of
/// 3000 to 4999 are the applications' own.
enum class close_code : std::uint16_t {
    normal_closure = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    no_status_received = 1005, ///< never sent: the close frame had no code
    abnormal_closure = 1006,   ///< never sent: the connection ended without a close frame
    invalid_payload_data = 1007,
    policy_violation = 1008,
    message_too_big = 1009,
    mandatory_extension = 1010,
    internal_error = 1011,
    service_restart = 1012,
    try_again_later = 1013,
    bad_gateway = 1014,
    tls_handshake = 1015, ///< never sent: the TLS handshake failed
};

/// Whether a close frame may carry `code` (RFC 6455 §7.4): the registered codes that are not mere
/// names for a local state, and 3000 to 4999.
[[nodiscard]] constexpr bool may_be_sent(std::uint16_t code) noexcept {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/// The most bytes of a close reason: a control frame's payload without the code.
inline constexpr std::size_t close_reason_bytes_max = control_payload_bytes_max - 2;

/// What a close frame said.
struct close_status {
    /// 1005 (`no_status_received`) if the frame was empty.
    std::uint16_t code = static_cast<std::uint16_t>(close_code::no_status_received);
    std::string_view reason; ///< UTF-8, a view into the payload
};

/// Reads the payload of a close frame (RFC 6455 §5.5.1).
/// @param status  written only on success
/// @return error::bad_close_payload, error::bad_close_code or error::bad_utf8 if it is not right
[[nodiscard]] inline error parse_close(std::string_view payload, close_status& status) noexcept {
    if (payload.empty()) {
        status = {};
        return error::none;
    }
    if (payload.size() == 1) return error::bad_close_payload;
    auto const code = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                                 static_cast<unsigned char>(payload[1]));
    if (!may_be_sent(code)) return error::bad_close_code;
    auto const reason = payload.substr(2);
    if (!is_utf8(reason)) return error::bad_utf8;
    status = {code, reason};
    return error::none;
}

namespace detail {

/// A close frame's payload, built where no allocation is needed.
class close_payload {
public:
    close_payload(std::uint16_t code, std::string_view reason) noexcept {
        if (code == static_cast<std::uint16_t>(close_code::no_status_received)) return;
        LIVETAPE_ASSERT(may_be_sent(code));
        bytes_[0] = static_cast<char>(static_cast<unsigned char>(code >> 8));
        bytes_[1] = static_cast<char>(static_cast<unsigned char>(code & 0xFFu));
        size_ = 2;
        if (reason.size() > close_reason_bytes_max) {
            std::size_t cut = close_reason_bytes_max;
            while (cut > 0 && (static_cast<unsigned char>(reason[cut]) & 0xC0u) == 0x80u) --cut;
            reason = reason.substr(0, cut);
        }
        // A reason that is not UTF-8 would make the peer fail the connection with 1007 instead.
        if (is_utf8(reason)) size_ += reason.copy(bytes_.data() + 2, reason.size());
    }

    [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

private:
    std::array<char, control_payload_bytes_max> bytes_{};
    std::size_t size_ = 0;
};

} // namespace detail

/// Appends an unmasked close frame, as a server sends it (RFC 6455 §5.5.1).
///
/// @param code    one that `may_be_sent`, or 1005 for a frame without a payload
/// @param reason  for people; cut to 123 bytes between two code points, left out if it is not UTF-8
inline void append_close_frame(std::string& out, std::uint16_t code, std::string_view reason = {}) {
    append_frame(out, opcode::close, detail::close_payload{code, reason}.view());
}

inline void append_close_frame(std::string& out, close_code code, std::string_view reason = {}) {
    append_close_frame(out, static_cast<std::uint16_t>(code), reason);
}

/// The same as a client sends it: masked with `key`.
inline void append_masked_close_frame(std::string& out, std::uint16_t code, std::string_view reason,
                                      masking_key_type key) {
    append_masked_frame(out, opcode::close, detail::close_payload{code, reason}.view(), key);
}

} // namespace livetape::websocket
