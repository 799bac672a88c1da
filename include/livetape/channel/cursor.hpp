#pragma once

#include <livetape/channel_name.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace livetape {

/// A place in one channel's log: after the event `offset`, which is the last one seen (0: none).
struct position {
    std::uint64_t epoch = 0;
    std::uint64_t offset = 0;

    friend bool operator==(position const&, position const&) = default;
};

/// Appends a position as clients see it: `<epoch in base 32>-<offset in base 10>`.
inline void append_position(std::string& out, position const& at) {
    char digits[20]; // 13 of base 32, or 20 of base 10
    out.append(digits, std::to_chars(digits, digits + sizeof digits, at.epoch, 32).ptr);
    out += '-';
    out.append(digits, std::to_chars(digits, digits + sizeof digits, at.offset).ptr);
}

/// Reads what `append_position` wrote, also with capitals or leading zeros; nothing if the text is
/// anything else.
[[nodiscard]] inline std::optional<position> parse_position(std::string_view text) noexcept {
    auto const dash = text.find('-');
    if (dash == 0 || dash == std::string_view::npos || dash + 1 == text.size()) return std::nullopt;
    position at;
    auto const* const middle = text.data() + dash;
    auto const* const end = text.data() + text.size();
    auto const epoch = std::from_chars(text.data(), middle, at.epoch, 32);
    auto const offset = std::from_chars(middle + 1, end, at.offset);
    if (epoch.ec != std::errc{} || epoch.ptr != middle) return std::nullopt;
    if (offset.ec != std::errc{} || offset.ptr != end) return std::nullopt;
    return at;
}

/// One channel's part of a cursor over several.
struct named_position {
    std::string_view channel;
    position at;
};

/// What a client asks with its cursor: nothing, one of the words, or the places it has reached.
///
/// A cursor over one channel is a position; over several it is `<channel>~<position>`, joined by
/// `!`. Every character of it may stand in a query string and in an HTTP field as it is.
class cursor {
public:
    enum class kind : std::uint8_t {
        none,      ///< the client sent no cursor
        now,       ///< only what comes
        oldest,    ///< all that is kept
        positions, ///< after the given places
    };

    cursor() = default;

    /// Reads a cursor; nothing if it is malformed. The views point into `text`.
    [[nodiscard]] static std::optional<cursor> parse(std::string_view text,
                                                     std::size_t channels_max = 1000);

    [[nodiscard]] kind what() const noexcept { return kind_; }

    /// The place in that channel; nothing if the cursor does not have it. A cursor that names no
    /// channel is any channel's. O(channels of the cursor).
    [[nodiscard]] std::optional<position> find(std::string_view channel) const noexcept {
        for (auto const& p : positions_)
            if (p.channel.empty() || p.channel == channel) return p.at;
        return std::nullopt;
    }

    /// The places, of `kind::positions`.
    [[nodiscard]] std::vector<named_position> const& positions() const noexcept {
        return positions_;
    }

    /// Whether it is a single channel's cursor, which does not name its channel.
    [[nodiscard]] bool is_unnamed() const noexcept {
        return positions_.size() == 1 && positions_.front().channel.empty();
    }

private:
    kind kind_ = kind::none;
    std::vector<named_position> positions_;
};

/// Appends one channel's part to a cursor over several.
inline void append_named_position(std::string& out, std::string_view channel, position const& at) {
    if (!out.empty()) out += '!';
    out.append(channel);
    out += '~';
    append_position(out, at);
}

inline std::optional<cursor> cursor::parse(std::string_view text, std::size_t channels_max) {
    cursor result;
    if (text.empty()) return result;
    if (text == "now" || text == "oldest") {
        result.kind_ = text == "now" ? kind::now : kind::oldest;
        return result;
    }
    result.kind_ = kind::positions;
    for (bool more = true; more;) {
        auto const mark = text.find('!');
        auto part = text.substr(0, mark);
        more = mark != std::string_view::npos;
        if (more) text.remove_prefix(mark + 1);

        named_position named;
        if (auto const tilde = part.find('~'); tilde != std::string_view::npos) {
            named.channel = part.substr(0, tilde);
            if (!is_channel_name(named.channel) || result.find(named.channel)) return std::nullopt;
            part.remove_prefix(tilde + 1);
        } else if (more || !result.positions_.empty()) {
            return std::nullopt;
        }
        auto const at = parse_position(part);
        if (!at || result.positions_.size() == channels_max) return std::nullopt;
        named.at = *at;
        result.positions_.push_back(named);
    }
    return result;
}

} // namespace livetape
