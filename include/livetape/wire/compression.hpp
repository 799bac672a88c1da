#pragma once

#include <memory>
#include <span>
#include <string>

#include <livetape/error.hpp>
#include <livetape/wire/extension.hpp>
#include <livetape/wire/message_codec.hpp>

namespace livetape::websocket {

/// A message compression that endpoints may agree on in the opening handshake: their options share
/// one object. `permessage_deflate` (wire/deflate.hpp) is one; without any, nothing links zlib.
/// Thread safety: shared objects safe.
class compression {
public:
    /// A server's answer to the extensions that a client offers.
    struct answer {
        std::unique_ptr<message_codec> codec; ///< null: declined, and nothing is sent
        std::string extension;                ///< the value of `Sec-WebSocket-Extensions`
    };

    /// A client's judgement of what a server accepted.
    struct verdict {
        error failure = error::none;          ///< error::bad_extension: fail the handshake
        std::unique_ptr<message_codec> codec; ///< null: the server declined
    };

    virtual ~compression() = default;

    /// For a server: takes the first offer that it can keep (RFC 7692 §5).
    /// @param offers  all extensions of the request, in the client's order of preference
    [[nodiscard]] virtual answer accept(std::span<extension const> offers) const = 0;

    /// For a client: the value of `Sec-WebSocket-Extensions` to send.
    [[nodiscard]] virtual std::string offer() const = 0;

    /// For a client that sent `offer()`: judges the response.
    /// @param accepted  all extensions of the response; none but the one offered may be there
    [[nodiscard]] virtual verdict confirm(std::span<extension const> accepted) const = 0;
};

} // namespace livetape::websocket
