#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <livetape/error.hpp>

namespace livetape::websocket {

/// Compresses single messages, each on its own, so that many connections can send the same bytes.
/// Lives until the program ends: what it made may outlive whoever asked for it.
/// Thread safety: shared objects safe.
class shared_compressor {
public:
    /// The same as `message_codec::deflate`, and depends on nothing but the message.
    [[nodiscard]] virtual bool deflate(std::string_view message, std::string& out) const = 0;

protected:
    ~shared_compressor() = default;
};

/// Inflates and compresses the messages of one connection, as negotiated: what a machine that sends
/// or receives needs to know of an extension like permessage-deflate (RFC 7692), and no more.
/// Thread safety: distinct objects safe; shared objects unsafe.
class message_codec {
public:
    struct inflated {
        std::size_t bytes = 0; ///< written to the front of `out`
        /// There may be more than fitted into `out`: call again with what is left of the input.
        bool has_more = false;
        error failure = error::none; ///< error::bad_compression or error::internal_error
    };

    message_codec() = default;
    message_codec(message_codec const&) = delete;
    message_codec& operator=(message_codec const&) = delete;
    virtual ~message_codec() = default;

    /// Inflates the next piece of a compressed message, whatever the frames that it came in.
    ///
    /// @param input         taken from the front; empty once `has_more` is false
    /// @param ends_message  the message ends with this input; once `has_more` is false, the next
    ///                      call begins the next message
    /// @param out           at least one byte; the caller bounds the memory by calling again only
    ///                      while it has room
    /// After a failure the connection is of no use any more.
    [[nodiscard]] virtual inflated inflate(std::string_view& input, bool ends_message,
                                           std::span<char> out) = 0;

    /// Appends the compressed form of a whole message to `out`. The sender must send it, in order,
    /// in one or more frames, the first with RSV1 set (RFC 7692 §6).
    /// @return false, with `out` as it was, if the message goes plain: it is too small to gain
    [[nodiscard]] virtual bool deflate(std::string_view message, std::string& out) = 0;

    /// What makes messages that this connection's peer and others alike can inflate; null if there
    /// is no such thing. A connection that sends any of those sends nothing that `deflate` made,
    /// which may depend on what it made before.
    [[nodiscard]] virtual shared_compressor const* shared() const noexcept { return nullptr; }
};

} // namespace livetape::websocket
