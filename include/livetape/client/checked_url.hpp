#pragma once

#include <string>
#include <string_view>
#include <system_error>

#include <livetape/error.hpp>
#include <livetape/wire/url.hpp>

namespace livetape::detail {

/// A URL that a client with that dialer can connect to; the schemes of WebSocket are taken for
/// those of HTTP.
/// @throws std::system_error if it is none
template <class Dialer>
[[nodiscard]] url checked_url(std::string_view text) {
    url at;
    auto why = parse_url(text, at);
    if (why == error::none) {
        at.scheme = at.is_secure() ? url::scheme_type::https : url::scheme_type::http;
        if (!Dialer::can_dial(at)) why = error::bad_url_scheme;
    }
    if (why != error::none)
        throw std::system_error{make_error_code(why), "cannot use the URL " + std::string{text}};
    return at;
}

} // namespace livetape::detail
