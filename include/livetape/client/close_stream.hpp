#pragma once

#include <chrono>
#include <system_error>
#include <utility>

namespace livetape::detail {

/// Closes the stream of a connection that is over. One that has a good-bye of its own, as
/// `client_stream` has over TLS, says it first and takes at most `linger` for that.
/// @param owner  keeps the stream, and what its pending operations use, meanwhile
template <class Stream, class Owner>
void close_stream(Stream& stream, Owner owner, std::chrono::milliseconds linger) {
    std::error_code ignored;
    if constexpr (requires { stream.close(std::move(owner), linger); })
        stream.close(std::move(owner), linger);
    else stream.lowest_layer().close(ignored);
}

} // namespace livetape::detail
