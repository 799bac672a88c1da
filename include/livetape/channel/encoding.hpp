#pragma once

#include <livetape/channel/event.hpp>

#include <concepts>
#include <cstddef>
#include <string>

namespace livetape {

/// Turns an event into the bytes that one transport sends, the same for every subscriber.
///
/// `encode` appends the event's whole wire form (frame header and all) to `out`; it is called once
/// per event and encoding, on the thread of the first reader, and must depend on nothing but the
/// event. `overhead` estimates the bytes that it adds to a payload; being wrong only costs memory.
template <class E>
concept encoder = requires(event_view const& event, std::string& out) {
    E::encode(event, out);
    { E::overhead(event) } -> std::convertible_to<std::size_t>;
};

/// An encoder as a value: its address names the encoding within a segment, so it lives as long as
/// any segment does, which is in practice until the program ends.
struct encoding {
    void (*append)(event_view const& event, std::string& out, void const* settings);
    std::size_t (*overhead)(event_view const& event);
    void const* settings = nullptr; ///< handed to `append`; lives as long as this does

    void encode(event_view const& event, std::string& out) const { append(event, out, settings); }
};

/// The one `encoding` of an encoder type in the whole program.
template <encoder E>
inline constexpr encoding encoding_of{
    [](event_view const& event, std::string& out, void const*) { E::encode(event, out); },
    [](event_view const& event) -> std::size_t { return E::overhead(event); }};

} // namespace livetape
