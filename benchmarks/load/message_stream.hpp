#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace benchmarks {

/// One WebSocket client's input: the HTTP answer, then frames with a message each, as a server
/// sends them. Headers alone are looked at, so that the client is cheaper than the server.
class message_stream {
public:
    enum class state : std::uint8_t { upgrading, open, closed };

    [[nodiscard]] state is() const noexcept { return state_; }
    [[nodiscard]] bool has_ping() const noexcept { return has_ping_; }
    void forget_ping() noexcept { has_ping_ = false; }

    /// Bytes that an incomplete frame left; the caller puts them before what it receives next.
    [[nodiscard]] std::string& rest() noexcept { return rest_; }

    /// Calls `on_message(payload, is_compressed)` for each whole message.
    template <class OnMessage>
    void take(std::string_view bytes, OnMessage&& on_message) {
        if (state_ == state::upgrading) {
            auto const end = bytes.find("\r\n\r\n");
            if (end != std::string_view::npos) {
                state_ = bytes.starts_with("HTTP/1.1 101 ") ? state::open : state::closed;
                bytes.remove_prefix(end + 4);
            }
        }
        while (state_ == state::open && take_frame(bytes, on_message)) {
        }
        rest_.assign(bytes);
    }

private:
    static std::uint64_t big_endian(std::string_view bytes) noexcept {
        std::uint64_t value = 0;
        for (char const byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
        return value;
    }

    /// Takes a whole frame from the front (RFC 6455 §5.2); false if none is there.
    template <class OnMessage>
    bool take_frame(std::string_view& bytes, OnMessage&& on_message) {
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
        case 0x2: on_message(payload, is_compressed); break;
        case 0x8: state_ = state::closed; break;
        case 0x9: has_ping_ = true; break;
        default: break;
        }
        bytes.remove_prefix(header + length);
        return true;
    }

    state state_ = state::upgrading;
    bool has_ping_ = false;
    std::string rest_;
};

} // namespace benchmarks
