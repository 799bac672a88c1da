#pragma once

#include <string>
#include <string_view>

#include <livetape/config.hpp>
#include <livetape/wire/base64.hpp>
#include <livetape/wire/characters.hpp>

namespace livetape::http {

/// Appends the request that asks a proxy for a tunnel (RFC 9110 §9.3.6).
///
/// @param target    host and port, `url::host_and_port`
/// @param user      for Basic credentials (RFC 7617), sent unasked; empty for none. Without a colon
/// @param password  used only with a user; both are UTF-8 without control characters
inline void append_connect(std::string& out, std::string_view target, std::string_view user,
                           std::string_view password) {
    LIVETAPE_ASSERT(is_field_value(target));
    LIVETAPE_ASSERT(user.find(':') == std::string_view::npos);
    out.append("CONNECT ").append(target).append(" HTTP/1.1\r\nHost: ").append(target);
    if (!user.empty()) {
        out.append("\r\nProxy-Authorization: Basic ");
        append_base64(out, std::string{user}.append(":").append(password));
    }
    out.append("\r\n\r\n");
}

} // namespace livetape::http
