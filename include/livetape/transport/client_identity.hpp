#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace livetape {

/// Who a client is, as the host's connect hook says: kept with the session, handed to the other
/// hooks, and shown to others where a channel has presence.
struct client_identity {
    client_identity() = default;

    /// An identity without more to say about it; implicit, so that a hook can answer with text.
    template <std::convertible_to<std::string_view> Text>
    client_identity(Text const& text) : id{std::string_view{text}} {}

    client_identity(std::string name, std::string about)
        : id{std::move(name)}, info{std::move(about)} {}

    std::string id;   ///< any UTF-8 text; empty: nobody in particular
    std::string info; ///< what members of a channel see of it: one JSON value, or empty for none
};

} // namespace livetape
