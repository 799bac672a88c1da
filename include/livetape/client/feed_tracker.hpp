#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <livetape/client/feed_delivery.hpp>
#include <livetape/client/feed_event.hpp>
#include <livetape/client/feed_parser.hpp>
#include <livetape/client/feed_pattern.hpp>
#include <livetape/error.hpp>

namespace livetape {

/// Where a subscription begins.
struct subscribe_options {
    /// A cursor that an event or a server gave, `now`, `oldest`, or empty: what comes from now on,
    /// after the snapshot if there is one.
    std::string cursor{};

    /// Begin with the current state: the newest event of each key.
    bool has_snapshot = false;

    /// Which events, and how often; nothing for the delivery of the client's other channels.
    std::optional<feed_delivery> delivery{};
};

/// What a client has seen of each of its channels: makes the cursors to come back with, and hands
/// on each event once, whatever the server had to repeat. No I/O.
///
/// Theory of operation: an event's cursor is its channel's epoch and its offset, and events do not
/// tell the epoch. On WebSocket it comes before them (`subscribed`), in a poll's answer with them;
/// on an event stream it may come after them, in the `id` that ends a write. Events of a channel
/// whose epoch is not known wait here for it, so that a connection that ends before leaves no trace
/// and what it brought is brought again. An offset that was seen is dropped.
///
/// A pattern is one more such channel, which has no events and is known once the server has said
/// what it covers. What it brings are places too, and its cursor is made of theirs; one that the
/// server does not name any more is gone.
/// Thread safety: distinct objects safe; shared objects unsafe.
class feed_tracker {
public:
    using items = std::deque<feed_item>;

    /// One channel, or pattern, as its server must be asked for it.
    struct subscription {
        std::string channel;
        std::string cursor;
        bool has_snapshot = false; ///< only as long as no cursor is known
        bool is_known = false;     ///< the cursor is a place, not a wish
        std::optional<feed_delivery> delivery{};
    };

    /// @param held_bytes_max  data of events that wait for their epoch; a server sends it after
    ///                        64 KiB, or one event
    explicit feed_tracker(std::size_t held_bytes_max = std::size_t{4} << 20)
        : held_bytes_max_{held_bytes_max} {}

    /// False if the channel is there already, and not only by a pattern.
    bool add(std::string_view channel, subscribe_options options);

    /// False if there is no such channel.
    bool remove(std::string_view channel);

    /// Forgets a channel that a pattern brought; false if it is none.
    bool forget(std::string_view channel) {
        auto const* const at = find(channel);
        if (at == nullptr || at->pattern.empty()) return false;
        std::erase_if(places_, [&](place const& each) { return &each == at; });
        return true;
    }

    /// How a channel is to be delivered from now on; null if there is none, or it has no wish of
    /// its own. Valid until the next change.
    [[nodiscard]] std::optional<feed_delivery>* delivery_of(std::string_view channel) noexcept {
        auto* const at = find(channel);
        return at == nullptr ? nullptr : &at->begin.delivery;
    }

    [[nodiscard]] bool empty() const noexcept { return places_.empty(); }

    /// Whether several channels share a cursor, which names them then.
    [[nodiscard]] bool is_shared() const noexcept {
        return places_.size() > 1 || (!places_.empty() && detail::is_pattern(places_[0].channel));
    }
    [[nodiscard]] bool contains(std::string_view channel) const noexcept {
        return find(channel) != nullptr;
    }

    /// All channels and patterns that were asked for, in the order in which they were added.
    [[nodiscard]] std::vector<subscription> subscriptions() const;

    /// The cursor over all channels; empty if none is known. With one channel it is that one's.
    [[nodiscard]] std::string cursor() const;

    /// Forgets what an ended connection left unfinished.
    void restart();

    /// Takes a message that came on a WebSocket. Answers to commands are left to the caller, who
    /// has to give `subscribed` too.
    void on_websocket(server_message&& message, items& out);

    /// Takes a message of an event stream.
    /// @return error::message_too_large if events wait for a cursor that does not come
    [[nodiscard]] error on_stream(server_message&& message, items& out);

    /// Takes the last event ID of an event stream, after the event that it came with.
    /// @return error::bad_envelope if it is no cursor
    [[nodiscard]] error on_stream_id(std::string_view id, items& out);

    /// Takes the answer to a poll of all channels, or of one alone.
    /// @param channel  the only one that was asked for; empty for all
    /// @return error::bad_envelope if its cursor is none
    [[nodiscard]] error on_poll(poll_answer&& answer, std::string_view channel, items& out);

private:
    struct place {
        std::string channel;
        subscribe_options begin;
        std::string pattern{};    // which brought it; empty if it was asked for itself
        std::string epoch{};      // as the server writes it
        std::uint64_t offset = 0; // last seen
        bool is_known = false;    // epoch and offset are a place
        std::string next_epoch{}; // of a subscription whose gap notice is still to come
        std::uint64_t next_offset = 0;
        std::uint64_t gap_from = 0; // the last notice, which is not repeated
        std::uint64_t gap_to = 0;
        std::deque<feed_item> held{};
    };

    [[nodiscard]] place const* find(std::string_view channel) const noexcept;
    [[nodiscard]] place* find(std::string_view channel) noexcept {
        return const_cast<place*>(std::as_const(*this).find(channel));
    }
    [[nodiscard]] static bool split(std::string_view cursor, std::string_view& epoch,
                                    std::uint64_t& offset);
    [[nodiscard]] static std::string text_of(place const& at) {
        return at.epoch + '-' + std::to_string(at.offset);
    }
    /// The place of a channel, made if a pattern covers it; null if nothing does.
    [[nodiscard]] place* find_or_cover(std::string_view channel);
    [[nodiscard]] place const* find_cover(std::string_view channel) const noexcept;
    [[nodiscard]] std::string cursor_of(place const& asked) const;
    void note_covered(std::string_view cursor, std::string_view channel, items& out);
    static void append_named(std::string& cursor, place const& at) {
        if (!cursor.empty()) cursor += '!';
        cursor.append(at.channel).append(1, '~').append(text_of(at));
    }
    [[nodiscard]] error set_all(std::string_view cursor, std::string_view channel, bool is_before,
                                items& out);
    void set(place& at, std::string_view epoch, std::uint64_t offset, bool is_before, items& out);
    static void hand_on(place& at, feed_event&& event, items& out);
    static void hand_on(place& at, feed_gap&& gap, items& out);
    static void go_to_next(place& at);

    std::vector<place> places_;
    std::size_t held_bytes_max_;
    std::size_t held_bytes_ = 0;
};

inline feed_tracker::place const* feed_tracker::find(std::string_view channel) const noexcept {
    auto const found = std::find_if(places_.begin(), places_.end(),
                                    [&](place const& each) { return each.channel == channel; });
    return found == places_.end() ? nullptr : &*found;
}

inline bool feed_tracker::add(std::string_view channel, subscribe_options options) {
    if (auto* const known = find(channel)) {
        // What a pattern brought goes on where it is, and is the caller's own now.
        if (known->pattern.empty()) return false;
        known->pattern.clear();
        known->begin = std::move(options);
        return true;
    }
    auto& at = places_.emplace_back(place{std::string{channel}, std::move(options)});
    std::string_view epoch;
    if (!detail::is_pattern(channel) && split(at.begin.cursor, epoch, at.offset)) {
        at.epoch = epoch;
        at.is_known = true;
    }
    return true;
}

inline bool feed_tracker::remove(std::string_view channel) {
    auto* const at = find(channel);
    if (at == nullptr || !at->pattern.empty()) return false;
    auto const* const cover = detail::is_pattern(channel) ? nullptr : find_cover(channel);
    if (cover != nullptr) return at->pattern = cover->channel, true;
    std::string const gone{channel};
    std::erase_if(places_, [&](place const& each) { return each.channel == gone; });
    for (auto& each : places_) {
        if (each.pattern != gone) continue;
        auto const* const other = find_cover(each.channel);
        each.pattern = other == nullptr ? gone : other->channel;
    }
    std::erase_if(places_, [&](place const& each) { return each.pattern == gone; });
    return true;
}

inline feed_tracker::place const*
feed_tracker::find_cover(std::string_view channel) const noexcept {
    for (auto const& each : places_)
        if (detail::is_pattern(each.channel) && detail::covers(each.channel, channel)) return &each;
    return nullptr;
}

inline feed_tracker::place* feed_tracker::find_or_cover(std::string_view channel) {
    if (auto* const at = find(channel)) return at;
    auto const* const by = find_cover(channel);
    if (by == nullptr) return nullptr;
    auto pattern = by->channel; // the place moves
    auto& added = places_.emplace_back(place{std::string{channel}, {}});
    added.pattern = std::move(pattern);
    return &added;
}

/// What to subscribe with: a place, the places of what a pattern covers, or the caller's wish.
inline std::string feed_tracker::cursor_of(place const& asked) const {
    if (!detail::is_pattern(asked.channel))
        return asked.is_known ? text_of(asked) : asked.begin.cursor;
    std::string all;
    for (auto const& each : places_)
        if (each.pattern == asked.channel && each.is_known) append_named(all, each);
    if (!all.empty()) return all;
    return asked.is_known ? "oldest" : asked.begin.cursor;
}

inline std::vector<feed_tracker::subscription> feed_tracker::subscriptions() const {
    std::vector<subscription> all;
    for (auto const& at : places_)
        if (at.pattern.empty())
            all.push_back({at.channel, cursor_of(at), at.begin.has_snapshot && !at.is_known,
                           at.is_known, at.begin.delivery});
    return all;
}

inline std::string feed_tracker::cursor() const {
    if (places_.empty()) return {};
    if (!is_shared()) return places_[0].is_known ? text_of(places_[0]) : std::string{};
    std::string all;
    bool has_known_pattern = false;
    for (auto const& at : places_) {
        if (!at.is_known) continue;
        if (detail::is_pattern(at.channel)) has_known_pattern = true;
        else append_named(all, at);
    }
    // All that a pattern without channels will bring is new.
    return all.empty() && has_known_pattern ? "oldest" : all;
}

inline void feed_tracker::restart() {
    held_bytes_ = 0;
    for (auto& at : places_) {
        at.held.clear();
        at.next_epoch.clear();
        // An epoch that is gone stays the place to come back with: so the gap is told again.
        if (!at.epoch.empty()) at.is_known = true;
    }
}

inline void feed_tracker::on_websocket(server_message&& message, items& out) {
    using kind = server_message::kind;
    if (message.what == kind::subscribed) {
        auto* const at = message.pattern.empty() ? find(message.event.channel)
                                                 : find_or_cover(message.event.channel);
        std::string_view epoch;
        std::uint64_t offset = 0;
        if (at != nullptr && detail::is_pattern(at->channel)) at->is_known = true;
        if (at == nullptr || !split(message.event.cursor, epoch, offset)) return;
        // Coming back from here would hide the gap whose notice follows.
        at->next_epoch = epoch;
        at->next_offset = offset;
        if (!at->is_known || message.is_recovered) go_to_next(*at);
        return;
    }
    if (message.what != kind::event && message.what != kind::gap) return;
    auto* const at =
        find(message.what == kind::event ? message.event.channel : message.gap.channel);
    if (at == nullptr) return;
    // A channel of a pattern that is no more: when it comes again, it is a new one.
    bool const is_gone = message.what == kind::gap && message.gap.reason == "epoch" &&
                         !at->pattern.empty() && at->next_epoch.empty();
    if (!at->next_epoch.empty()) go_to_next(*at);
    if (message.what == kind::gap) hand_on(*at, std::move(message.gap), out);
    else if (at->is_known) hand_on(*at, std::move(message.event), out);
    if (is_gone) std::erase_if(places_, [&](place const& each) { return &each == at; });
}

inline error feed_tracker::on_stream(server_message&& message, items& out) {
    using kind = server_message::kind;
    if (message.what != kind::event && message.what != kind::gap) return error::none;
    bool const is_gap = message.what == kind::gap;
    auto* const at = find_or_cover(is_gap ? message.gap.channel : message.event.channel);
    if (at == nullptr) return error::none;
    if (is_gap && message.gap.reason == "epoch") at->is_known = false;
    if (at->is_known) {
        if (is_gap) hand_on(*at, std::move(message.gap), out);
        else hand_on(*at, std::move(message.event), out);
        return error::none;
    }
    held_bytes_ += message.event.data.size();
    if (held_bytes_ > held_bytes_max_) return error::message_too_large;
    if (is_gap) at->held.emplace_back(std::move(message.gap));
    else at->held.emplace_back(std::move(message.event));
    return error::none;
}

inline error feed_tracker::on_stream_id(std::string_view id, items& out) {
    auto const failure = set_all(id, {}, false, out);
    if (failure == error::none) note_covered(id, {}, out);
    if (failure == error::none) held_bytes_ = 0;
    return failure;
}

inline error feed_tracker::on_poll(poll_answer&& answer, std::string_view channel, items& out) {
    // Once to learn the epochs, once more for the places that are reached when all is handed on.
    if (auto const failure = set_all(answer.cursor, channel, true, out); failure != error::none)
        return failure;
    for (auto& each : answer.messages) {
        bool const is_gap = each.what == server_message::kind::gap;
        auto* const at = find_or_cover(is_gap ? each.gap.channel : each.event.channel);
        if (at == nullptr) continue;
        if (is_gap) hand_on(*at, std::move(each.gap), out);
        else if (at->is_known) hand_on(*at, std::move(each.event), out);
    }
    if (auto const failure = set_all(answer.cursor, channel, false, out); failure != error::none)
        return failure;
    note_covered(answer.cursor, channel, out);
    return error::none;
}

/// The server has said all that the patterns cover, or one alone; what it does not name is gone.
inline void feed_tracker::note_covered(std::string_view cursor, std::string_view channel,
                                       items& out) {
    auto const is_gone = [&](place const& each) {
        auto const named = each.channel + '~';
        return !each.pattern.empty() && (channel.empty() || each.pattern == channel) &&
               !cursor.starts_with(named) && cursor.find('!' + named) == std::string_view::npos;
    };
    for (auto& each : places_) {
        if (detail::is_pattern(each.channel) && (channel.empty() || each.channel == channel))
            each.is_known = true;
        if (!is_gone(each)) continue;
        for (auto& held : each.held)
            if (auto* const gap = std::get_if<feed_gap>(&held)) hand_on(each, std::move(*gap), out);
    }
    std::erase_if(places_, is_gone);
}

/// Reads a cursor and sets the places that it names.
/// @param channel    which one a cursor without names is of; empty for the only one
/// @param is_before  the events up to there are still to come
inline error feed_tracker::set_all(std::string_view cursor, std::string_view channel,
                                   bool is_before, items& out) {
    if (cursor == "oldest" && is_shared()) return error::none; // patterns that cover nothing
    while (!cursor.empty()) {
        auto part = cursor.substr(0, cursor.find('!'));
        cursor.remove_prefix(std::min(part.size() + 1, cursor.size()));
        auto const tilde = part.find('~');
        bool const is_named = tilde != std::string_view::npos;
        auto const name = is_named ? part.substr(0, tilde) : channel;
        if (is_named) part.remove_prefix(tilde + 1);
        std::string_view epoch;
        std::uint64_t offset = 0;
        if (!split(part, epoch, offset)) return error::bad_envelope;
        auto* const at =
            name.empty() && places_.size() == 1 ? &places_.front() : find_or_cover(name);
        if (at != nullptr) set(*at, epoch, offset, is_before, out);
    }
    return error::none;
}

inline void feed_tracker::set(place& at, std::string_view epoch, std::uint64_t offset,
                              bool is_before, items& out) {
    bool const is_new = !at.is_known || at.epoch != epoch;
    if (is_new) {
        at.epoch = epoch;
        at.offset = 0;
        at.is_known = true;
        for (auto& each : std::exchange(at.held, {})) {
            if (auto* const event = std::get_if<feed_event>(&each))
                hand_on(at, std::move(*event), out);
            else hand_on(at, std::get<feed_gap>(std::move(each)), out);
        }
    }
    if (!is_before) at.offset = std::max(at.offset, offset);
}

inline void feed_tracker::go_to_next(place& at) {
    // Of a subscription that was made anew while it was live, more may have come since it was
    // asked.
    bool const is_same = at.is_known && at.epoch == at.next_epoch;
    at.epoch = std::exchange(at.next_epoch, {});
    at.offset = is_same ? std::max(at.offset, at.next_offset) : at.next_offset;
    at.is_known = true;
}

inline void feed_tracker::hand_on(place& at, feed_event&& event, items& out) {
    if (event.offset <= at.offset) return;
    at.offset = event.offset;
    at.gap_from = at.gap_to = 0;
    event.cursor = text_of(at);
    out.emplace_back(std::move(event));
}

inline void feed_tracker::hand_on(place& at, feed_gap&& gap, items& out) {
    bool const is_repeated =
        gap.reason != "epoch" && gap.from == at.gap_from && gap.to == at.gap_to && gap.to != 0;
    if (is_repeated) return;
    at.gap_from = gap.from;
    at.gap_to = gap.to;
    out.emplace_back(std::move(gap));
}

/// Takes `<epoch>-<offset>` apart; the epoch is opaque.
inline bool feed_tracker::split(std::string_view cursor, std::string_view& epoch,
                                std::uint64_t& offset) {
    auto const dash = cursor.rfind('-');
    if (dash == std::string_view::npos || dash == 0 ||
        cursor.find_first_of("~!") != std::string_view::npos)
        return false;
    auto const* const end = cursor.data() + cursor.size();
    auto const number = std::from_chars(cursor.data() + dash + 1, end, offset);
    epoch = cursor.substr(0, dash);
    return number.ec == std::errc{} && number.ptr == end && dash + 1 != cursor.size();
}

} // namespace livetape
