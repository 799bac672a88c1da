#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/wire/extension.hpp>

namespace livetape::websocket {

/// The parameters of permessage-deflate, as offered or accepted (RFC 7692 §7.1).
struct deflate_parameters {
    bool server_no_context_takeover = false;
    bool client_no_context_takeover = false;
    bool has_client_max_window_bits = false;            ///< the name is there, with a value or not
    std::optional<std::uint8_t> server_max_window_bits; ///< 8 to 15
    std::optional<std::uint8_t> client_max_window_bits; ///< 8 to 15

    friend bool operator==(deflate_parameters const&, deflate_parameters const&) = default;
};

/// The name in `Sec-WebSocket-Extensions` (RFC 7692 §7).
inline constexpr std::string_view deflate_extension_name = "permessage-deflate";

/// The largest window of DEFLATE, and what counts where a parameter says nothing (RFC 7692
/// §7.1.2). It is base-2 logarithm of bytes, as all window bits are.
inline constexpr std::uint8_t window_bits_max = 15;

/// The smallest window that zlib compresses with; 8, the smallest that a peer may ask for, it only
/// inflates.
inline constexpr std::uint8_t window_bits_deflatable_min = 9;

/// The window, widened to one that zlib deflates with.
[[nodiscard]] constexpr std::uint8_t deflatable(std::uint8_t window_bits) noexcept {
    return window_bits < window_bits_deflatable_min ? window_bits_deflatable_min : window_bits;
}

namespace detail {

/// RFC 7692 §7.1.2: a decimal from 8 to 15 without leading zeros.
[[nodiscard]] inline std::optional<std::uint8_t> parse_window_bits(std::string_view text) noexcept {
    if (text == "8" || text == "9") return static_cast<std::uint8_t>(text[0] - '0');
    bool const is_above_9 = text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5';
    if (!is_above_9) return {};
    return static_cast<std::uint8_t>(10 + (text[1] - '0'));
}

/// Takes one parameter in; false if it is unknown, repeated, or its value is not what it should be.
[[nodiscard]] inline bool take_deflate_parameter(extension_parameter const& from, bool is_response,
                                                 deflate_parameters& to) {
    auto const take_mark = [&from](bool& mark) {
        return !from.value && !std::exchange(mark, true);
    };
    if (from.name == "server_no_context_takeover") return take_mark(to.server_no_context_takeover);
    if (from.name == "client_no_context_takeover") return take_mark(to.client_no_context_takeover);
    auto const bits = from.value ? parse_window_bits(*from.value) : std::nullopt;
    if (from.name == "server_max_window_bits") {
        if (to.server_max_window_bits) return false;
        to.server_max_window_bits = bits;
        return bits.has_value();
    }
    if (from.name == "client_max_window_bits") {
        if (std::exchange(to.has_client_max_window_bits, true)) return false;
        to.client_max_window_bits = bits;
        // §7.1.2.2: only in an offer it may stand without a value.
        return bits.has_value() || (!from.value && !is_response);
    }
    return false;
}

} // namespace detail

/// Reads the parameters of one permessage-deflate in an offer or in a response (RFC 7692 §7.1).
/// @return nothing if one is unknown, repeated or has a value that it must not have: a server
///         declines such an offer, a client fails the handshake (§7)
[[nodiscard]] inline std::optional<deflate_parameters>
parse_deflate_parameters(extension const& from, bool is_response) {
    deflate_parameters found;
    for (auto const& parameter : from.parameters)
        if (!detail::take_deflate_parameter(parameter, is_response, found)) return {};
    return found;
}

/// The extension as a field value, as an offer or a response.
[[nodiscard]] inline std::string format_deflate_extension(deflate_parameters const& parameters) {
    std::string text{deflate_extension_name};
    if (parameters.server_no_context_takeover) text += "; server_no_context_takeover";
    if (parameters.client_no_context_takeover) text += "; client_no_context_takeover";
    if (auto const bits = parameters.server_max_window_bits)
        text += "; server_max_window_bits=" + std::to_string(*bits);
    if (auto const bits = parameters.client_max_window_bits)
        text += "; client_max_window_bits=" + std::to_string(*bits);
    else if (parameters.has_client_max_window_bits) text += "; client_max_window_bits";
    return text;
}

/// What one side wants of permessage-deflate: the four parameters, as options.
struct deflate_preferences {
    bool server_no_context_takeover = true;
    bool client_no_context_takeover = true;
    std::uint8_t server_max_window_bits = window_bits_max;
    std::uint8_t client_max_window_bits = window_bits_max;
};

/// A server's answer to one offer (RFC 7692 §7.1), or nothing if it has to decline it.
[[nodiscard]] inline std::optional<deflate_parameters>
answer_deflate_offer(deflate_parameters const& offer, deflate_preferences const& wanted) {
    deflate_parameters answer;
    // §7.1.1: both may be in the response whether or not the offer has them.
    answer.server_no_context_takeover =
        wanted.server_no_context_takeover || offer.server_no_context_takeover;
    answer.client_no_context_takeover =
        wanted.client_no_context_takeover || offer.client_no_context_takeover;

    auto const own = deflatable(wanted.server_max_window_bits);
    auto const asked = offer.server_max_window_bits.value_or(window_bits_max);
    if (asked < window_bits_deflatable_min) return {};
    // Messages compressed alone are shared by all connections with the same window: either ours or,
    // for all the peers with smaller ones, the smallest. §7.1.2.1 allows smaller than asked.
    auto const used = asked >= own                        ? own
                      : answer.server_no_context_takeover ? window_bits_deflatable_min
                                                          : asked;
    if (offer.server_max_window_bits || used < window_bits_max)
        answer.server_max_window_bits = used;

    // §7.1.2.2: a client that does not say that it understands the parameter must not be sent it.
    if (offer.has_client_max_window_bits) {
        auto bits = offer.client_max_window_bits.value_or(window_bits_max);
        if (bits > wanted.client_max_window_bits) bits = wanted.client_max_window_bits;
        if (offer.client_max_window_bits || bits < window_bits_max)
            answer.client_max_window_bits = bits;
        answer.has_client_max_window_bits = answer.client_max_window_bits.has_value();
    }
    return answer;
}

/// What a client offers.
[[nodiscard]] inline deflate_parameters make_deflate_offer(deflate_preferences const& wanted) {
    deflate_parameters offer;
    offer.server_no_context_takeover = wanted.server_no_context_takeover;
    offer.client_no_context_takeover = wanted.client_no_context_takeover;
    if (wanted.server_max_window_bits < window_bits_max)
        offer.server_max_window_bits = wanted.server_max_window_bits;
    offer.has_client_max_window_bits = true;
    if (wanted.client_max_window_bits < window_bits_max)
        offer.client_max_window_bits = deflatable(wanted.client_max_window_bits);
    return offer;
}

/// Whether a server's answer keeps to the client's offer (RFC 7692 §7.1.1 to §7.1.2): what was
/// asked of the server is granted, and nothing is asked of the client that it did not offer.
[[nodiscard]] inline bool keeps_deflate_offer(deflate_parameters const& answer,
                                              deflate_parameters const& offer) noexcept {
    if (offer.server_no_context_takeover && !answer.server_no_context_takeover) return false;
    if (offer.server_max_window_bits &&
        answer.server_max_window_bits.value_or(window_bits_max) > *offer.server_max_window_bits)
        return false;
    if (!answer.client_max_window_bits) return true;
    return offer.has_client_max_window_bits &&
           *answer.client_max_window_bits <= offer.client_max_window_bits.value_or(window_bits_max);
}

} // namespace livetape::websocket
