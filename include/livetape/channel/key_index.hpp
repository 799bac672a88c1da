#pragma once

#include <livetape/channel/keyed_list.hpp>
#include <livetape/channel/retention.hpp>
#include <livetape/channel/segment.hpp>
#include <livetape/owned_ptr.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace livetape {

/// The newest event of each key, in order of last update, also after the log let go of it; and that
/// of the events without a key, which are as one key, but are not in the order.
///
/// While an event is in the log the index knows only its offset; when the event's segment leaves
/// the log, `keep` copies the event if it is still its key's newest.
/// Thread safety: shared objects unsafe; the channel's lock guards it.
class key_index {
public:
    /// An event that has left the log, or what all events of a key came to, if they merge.
    struct kept_event {
        std::string payload;
        payload_kind kind = payload_kind::json;
        time_point time{};
    };

    struct entry {
        std::uint64_t offset = 0;   ///< of the newest event; 0 if there was none yet
        std::uint32_t sequence = 0; ///< events of this key so far, modulo 2³²
        std::uint32_t watchers = 0; ///< key sets that name it; it stays in place while there is one
        owned_ptr<kept_event> kept; ///< once the log has let go of the event, or always
    };

    using node = keyed_list<entry>::node;

    key_index(std::size_t keys_max, std::size_t kept_bytes_max, merge_function merge = nullptr)
        : keys_max_{keys_max}, kept_bytes_max_{kept_bytes_max}, merge_{merge} {}

    /// Whether what is kept of a key is what all its events came to.
    [[nodiscard]] bool merges() const noexcept { return merge_ != nullptr; }

    /// Whether no key has an event.
    [[nodiscard]] bool empty() const noexcept { return keys_.listed() == 0; }

    /// Keys that have an event.
    [[nodiscard]] std::size_t size() const noexcept { return keys_.listed(); }

    /// The key that was updated longest ago; the others follow by `next()`. Null if there is none.
    [[nodiscard]] node const* front() const noexcept { return keys_.front(); }

    /// What is known of a key; null if nothing is. O(1).
    [[nodiscard]] entry const* find(std::string_view key) const noexcept {
        auto const* const found = key.empty() ? unkeyed_ : keys_.find(key);
        return found == nullptr ? nullptr : &found->value;
    }

    /// The newest offset of the keys that were evicted: a cursor before it may have lost events
    /// that are neither here nor in the log.
    [[nodiscard]] std::uint64_t evicted_offset() const noexcept { return evicted_offset_; }

    /// For an index that is new: the events up to `last` have come, none of them had a key.
    void begin_without_keys(std::uint64_t last) noexcept {
        if (last == 0) return;
        unkeyed().value.offset = last;
        unkeyed().value.sequence = static_cast<std::uint32_t>(last);
    }

    /// Makes an event the newest of its key. O(1), and the merging.
    void update(event_view const& event) {
        if (event.key.empty()) {
            advance(unkeyed(), event);
            return;
        }
        if (keys_max_ == 0) {
            evicted_offset_ = event.offset;
            return;
        }
        auto& which = keys_.find_or_add(event.key);
        if (!keys_.is_listed(which) && keys_.listed() == keys_max_) evict_oldest();
        advance(which, event);
        keys_.move_to_back(which);
        if (merge_ != nullptr) evict_over_limit();
    }

    /// Copies those events of a segment that are still the newest of their key. O(events).
    void keep(segment const& leaving) {
        if (merge_ != nullptr) return;
        if (unkeyed_ != nullptr && unkeyed_->value.offset >= leaving.first_offset() &&
            unkeyed_->value.offset < leaving.end_offset())
            keep(unkeyed_->value, leaving.at(static_cast<std::uint32_t>(unkeyed_->value.offset -
                                                                        leaving.first_offset())));
        if (keys_.size() == (unkeyed_ == nullptr ? 0 : 1)) return;
        for (std::uint32_t index = 0; index < leaving.count(); ++index) {
            auto const event = leaving.at(index);
            if (event.key.empty()) continue;
            auto* const found = keys_.find(event.key);
            // One that was evicted and is still watched counts for no limit, so it keeps nothing.
            if (found == nullptr || found->value.offset != event.offset || !keys_.is_listed(*found))
                continue;
            keep(found->value, event);
            kept_bytes_ += event.payload.size();
        }
        evict_over_limit();
    }

    /// The place of a key for a key set that names it, whether it has an event or not. It stays
    /// valid until `unwatch`.
    [[nodiscard]] node& watch(std::string_view key) {
        auto& which = key.empty() ? unkeyed() : keys_.find_or_add(key);
        ++which.value.watchers;
        return which;
    }

    void unwatch(node& which) noexcept {
        if (--which.value.watchers == 0 && &which != unkeyed_ && !keys_.is_listed(which))
            keys_.erase(which);
    }

private:
    /// The node of the events without a key, made when there is one or somebody watches them. It
    /// is parked, so that it counts for no limit and is never evicted.
    [[nodiscard]] node& unkeyed() {
        if (unkeyed_ == nullptr) unkeyed_ = &keys_.find_or_add({});
        return *unkeyed_;
    }

    void advance(node& which, event_view const& event) {
        auto& state = which.value;
        state.offset = event.offset;
        ++state.sequence;
        if (merge_ == nullptr) {
            forget_copy(which);
        } else if (state.kept) {
            auto& merged = *state.kept;
            auto const bytes_before = merged.payload.size();
            merge_(merged.payload, event.payload);
            merged.kind = event.kind;
            merged.time = event.time;
            if (&which != unkeyed_) kept_bytes_ += merged.payload.size() - bytes_before;
        } else {
            keep(state, event);
            if (&which != unkeyed_) kept_bytes_ += event.payload.size();
        }
    }

    static void keep(entry& which, event_view const& event) {
        which.kept =
            make_owned<kept_event>(kept_event{std::string{event.payload}, event.kind, event.time});
    }

    void forget_copy(node& which) noexcept {
        if (!which.value.kept) return;
        if (&which != unkeyed_) kept_bytes_ -= which.value.kept->payload.size();
        which.value.kept.reset();
    }

    void evict_over_limit() noexcept {
        while (kept_bytes_ > kept_bytes_max_) evict_oldest();
    }

    void evict_oldest() noexcept {
        auto& oldest = *keys_.front();
        forget_copy(oldest);
        if (oldest.value.offset > evicted_offset_) evicted_offset_ = oldest.value.offset;
        if (oldest.value.watchers > 0) keys_.park(oldest);
        else keys_.erase(oldest);
    }

    keyed_list<entry> keys_;
    node* unkeyed_ = nullptr; // among the parked nodes of `keys_`
    std::size_t keys_max_;
    std::size_t kept_bytes_max_;
    merge_function merge_;
    std::size_t kept_bytes_ = 0; // of keys in the list
    std::uint64_t evicted_offset_ = 0;
};

} // namespace livetape
