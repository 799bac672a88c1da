#pragma once

#include "support/feed_payload.hpp"

#include <cstdint>
#include <string_view>

namespace benchmarks {

/// What one message of the JSON protocol says, as far as the load client looks.
struct envelope {
    enum class kind : std::uint8_t { event, gap, subscribed, other };

    kind what = kind::other;
    std::uint64_t offset = 0; ///< of an event; of a subscription the last offset before it
    std::uint64_t count = 1;  ///< events that the event stands for
    std::uint64_t missed = 0; ///< events of a gap
    std::int64_t published_ns = 0;
};

namespace detail {

/// The digits behind the first `name` in `text`, which is left behind them; `otherwise` without.
inline std::uint64_t number_after(std::string_view& text, std::string_view name,
                                  std::uint64_t otherwise) noexcept {
    auto const at = text.find(name);
    if (at == std::string_view::npos) return otherwise;
    text.remove_prefix(at + name.size());
    char const* from = text.data();
    auto const value = read_digits(from, text.data() + text.size());
    text.remove_prefix(static_cast<std::size_t>(from - text.data()));
    return value;
}

} // namespace detail

/// Reads a message that the server wrote: fields are in the order of docs/protocol.md, so this
/// needs no JSON parser and costs less than the server.
[[nodiscard]] inline envelope read_envelope(std::string_view message) noexcept {
    envelope read;
    if (message.starts_with(R"({"channel":)")) {
        read.what = envelope::kind::event;
        auto const data = message.find(R"("data":)");
        auto head = message.substr(0, data);
        read.offset = detail::number_after(head, R"("offset":)", 0);
        read.count = detail::number_after(head, R"("count":)", 1);
        if (data == std::string_view::npos) return read;
        auto payload = message.substr(data + 7);
        if (read_sequence(payload) != 0) read.published_ns = read_time(payload);
    } else if (message.starts_with(R"({"gap":)")) {
        read.what = envelope::kind::gap;
        auto const from = detail::number_after(message, R"("from":)", 0);
        read.missed = detail::number_after(message, R"("to":)", 0) + 1 - from;
    } else if (message.starts_with(R"({"subscribed":)")) {
        read.what = envelope::kind::subscribed;
        auto const begin = message.find(R"("cursor":")") + 10;
        auto const dash = message.find('-', begin);
        if (dash != std::string_view::npos) {
            auto cursor = message.substr(dash);
            read.offset = detail::number_after(cursor, "-", 0);
        }
    }
    return read;
}

} // namespace benchmarks
