#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/error.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>

namespace livetape::test {

using item_kind = websocket::message_reader::item_kind;

/// An item of a `message_reader` that owns its payload.
struct received_item {
    item_kind kind = item_kind::none;
    std::string payload;
    std::uint16_t close_code = 0;
    error failure = error::none;

    friend bool operator==(received_item const&, received_item const&) = default;

    friend std::ostream& operator<<(std::ostream& out, received_item const& item) {
        out << "{kind " << static_cast<int>(item.kind) << ", ";
        if (item.payload.size() <= 40) out << '"' << item.payload << '"';
        return out << ", " << item.payload.size() << " bytes, close " << item.close_code << ", "
                   << describe(item.failure).name << '}';
    }
};

using received_items = std::vector<received_item>;

inline std::ostream& operator<<(std::ostream& out, received_items const& items) {
    for (auto const& item : items) out << item << ' ';
    return out;
}

inline received_item text(std::string payload) { return {item_kind::text, std::move(payload)}; }
inline received_item binary(std::string payload) { return {item_kind::binary, std::move(payload)}; }
inline received_item ping(std::string payload) { return {item_kind::ping, std::move(payload)}; }
inline received_item pong(std::string payload) { return {item_kind::pong, std::move(payload)}; }
inline received_item closed(std::uint16_t code, std::string reason = {}) {
    return {item_kind::close, std::move(reason), code};
}
inline received_item failed(error failure) { return {item_kind::failed, {}, 0, failure}; }

/// Feeds bytes to a reader and adds what it finds to `items`. The bytes lie in a block of their
/// own that ends with them, so that a sanitizer sees a reader that keeps or passes them.
inline void feed(websocket::message_reader& reader, std::string_view bytes, received_items& items) {
    std::vector<char> block(bytes.begin(), bytes.end());
    std::span<char> input{block};
    for (;;) {
        auto const item = reader.next(input);
        if (item.kind == item_kind::none) break;
        items.push_back({item.kind, std::string{item.payload}, item.close_code, item.failure});
    }
    if (!input.empty()) items.push_back({item_kind::none, "left in the input"});
}

/// Puts the pieces that a reader gives together to messages; each must come in its turn.
class piece_joiner {
public:
    /// Feeds bytes, as `feed` does, and adds whole messages and other items to `items`.
    void feed(websocket::message_reader& reader, std::string_view bytes, received_items& items) {
        std::vector<char> block(bytes.begin(), bytes.end());
        std::span<char> input{block};
        for (;;) {
            auto const item = reader.next(input);
            if (item.kind == item_kind::none) break;
            if (item.kind == item_kind::text || item.kind == item_kind::binary) {
                if (item.is_first != !is_in_message_) items.push_back({item_kind::none, "no turn"});
                if (item.payload.empty() && !item.is_final)
                    items.push_back({item_kind::none, "empty piece"});
                is_in_message_ = !item.is_final;
                joined_ += item.payload;
                largest_ = std::max(largest_, item.payload.size());
                if (item.is_final) items.push_back({item.kind, std::exchange(joined_, {})});
            } else {
                items.push_back(
                    {item.kind, std::string{item.payload}, item.close_code, item.failure});
            }
        }
        if (!input.empty()) items.push_back({item_kind::none, "left in the input"});
    }

    [[nodiscard]] std::size_t largest_piece() const noexcept { return largest_; }
    [[nodiscard]] std::string_view joined() const noexcept { return joined_; }

private:
    std::string joined_;
    std::size_t largest_ = 0;
    bool is_in_message_ = false;
};

/// Feeds bytes in pieces of `piece_bytes` to a fresh reader.
inline received_items read_in_pieces(websocket::role side, std::string_view bytes,
                                     std::size_t piece_bytes,
                                     websocket::message_limits limits = {}) {
    websocket::message_reader reader{side, limits};
    received_items items;
    for (std::size_t at = 0; at < bytes.size(); at += piece_bytes)
        feed(reader, bytes.substr(at, piece_bytes), items);
    return items;
}

/// Feeds bytes in two pieces to a fresh reader.
inline received_items read_split(websocket::role side, std::string_view bytes, std::size_t cut,
                                 websocket::message_limits limits = {}) {
    websocket::message_reader reader{side, limits};
    received_items items;
    feed(reader, bytes.substr(0, cut), items);
    feed(reader, bytes.substr(cut), items);
    return items;
}

} // namespace livetape::test
