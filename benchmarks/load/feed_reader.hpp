#pragma once

#include "support/feed_payload.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace benchmarks {

/// What all subscribers together have received.
struct feed_counts {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
    std::uint64_t missing = 0;              ///< skipped sequence numbers
    std::uint64_t repeated = 0;             ///< doubled or out of order
    std::uint64_t unreadable = 0;           ///< frames that hold no event
    std::uint64_t compressed = 0;           ///< of the events; what they hold is not looked at
    std::vector<std::int64_t> staleness_ns; ///< of every `sample_every`th event

    static constexpr std::uint64_t sample_every = 997;
};

/// Reads one subscriber's bytes: the HTTP answer, then frames with an event each. Only headers and
/// sequence numbers are looked at, so that the client is cheaper than the server.
class feed_reader {
public:
    enum class state : std::uint8_t { upgrading, open, closed };

    [[nodiscard]] state is() const noexcept { return state_; }
    [[nodiscard]] bool has_ping() const noexcept { return has_ping_; }
    void forget_ping() noexcept { has_ping_ = false; }

    /// Bytes that an incomplete frame left; the caller puts them before what it receives next.
    [[nodiscard]] std::string& rest() noexcept { return rest_; }

    void take(std::string_view bytes, feed_counts& counts) {
        if (state_ == state::upgrading) {
            auto const end = bytes.find("\r\n\r\n");
            if (end != std::string_view::npos) {
                state_ = bytes.starts_with("HTTP/1.1 101 ") ? state::open : state::closed;
                bytes.remove_prefix(end + 4);
            }
        }
        while (state_ == state::open && take_frame(bytes, counts)) {
        }
        rest_.assign(bytes);
    }

private:
    static std::uint64_t big_endian(std::string_view bytes) noexcept {
        std::uint64_t value = 0;
        for (char const byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
        return value;
    }

    /// Takes a whole frame from the front (RFC 6455 §5.2, as a server sends it); false if none is
    /// there.
    bool take_frame(std::string_view& bytes, feed_counts& counts) {
        if (bytes.size() < 2) return false;
        std::uint64_t length = static_cast<unsigned char>(bytes[1]);
        std::size_t header = 2;
        if (length >= 126) {
            header = length == 126 ? 4 : 10;
            if (bytes.size() < header) return false;
            length = big_endian(bytes.substr(2, header - 2));
        }
        if (bytes.size() - header < length) return false;
        auto const payload = bytes.substr(header, length);
        constexpr unsigned reserved_bit_1 = 0x40;
        bool const is_compressed = (static_cast<unsigned char>(bytes[0]) & reserved_bit_1) != 0;
        switch (static_cast<unsigned char>(bytes[0]) & 0x0Fu) {
        case 0x1:
        case 0x2:
            if (is_compressed) ++counts.events, ++counts.compressed;
            else take_event(payload, counts);
            break;
        case 0x8: state_ = state::closed; break;
        case 0x9: has_ping_ = true; break;
        default: break;
        }
        bytes.remove_prefix(header + length);
        return true;
    }

    void take_event(std::string_view payload, feed_counts& counts) {
        auto const sequence = read_sequence(payload);
        if (sequence != next_ && next_ != 0) {
            if (sequence == 0) ++counts.unreadable;
            else if (sequence > next_) counts.missing += sequence - next_;
            else ++counts.repeated;
        }
        next_ = sequence + 1;
        if (++counts.events % feed_counts::sample_every != 0) return;
        if (auto const published = read_time(payload); published != 0)
            counts.staleness_ns.push_back(monotonic_ns() - published);
    }

    state state_ = state::upgrading;
    bool has_ping_ = false;
    std::uint64_t next_ = 0; // 0: the first event may be any
    std::string rest_;
};

} // namespace benchmarks
