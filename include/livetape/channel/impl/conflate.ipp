#pragma once

#include <livetape/channel/channel.hpp>

namespace livetape {

/// The events after `after` that are still here, at or before `upto`. The lock must be held.
inline held_events channel::hold(std::uint64_t after, std::uint64_t upto) const {
    held_events held{std::max(after + 1, log_.held_offset()), upto, {}};
    for (auto next = held.first; next <= upto; next = held.segments.back()->end_offset())
        held.segments.push_back(log_.find(next));
    return held;
}

inline conflated_events channel::conflate(std::uint64_t after, std::uint64_t upto) const {
    conflatable_events found;
    {
        short_lock_guard const lock{lock_};
        found = find_conflatable(after, upto);
    }
    return conflate(std::move(found));
}

/// What there is of the events `after` + 1 to `upto`. The lock must be held.
inline channel::conflatable_events channel::find_conflatable(std::uint64_t after,
                                                             std::uint64_t upto) const {
    conflatable_events found;
    found.result = {after, upto, {}, 0, 0};
    auto const held_offset = log_.held_offset();
    if (after + 1 < held_offset) {
        found.result.upto = log_.next_offset() - 1;
        found.changed = changed_after(after);
        if (keys_->evicted_offset() > after)
            found.result.lost_upto = std::min(keys_->evicted_offset(), held_offset - 1);
    }
    found.held = hold(after, found.result.upto);
    return found;
}

inline conflated_events channel::conflate(conflatable_events found) const {
    auto& [result, changed, held] = found;
    newest_events newest{options().merge};
    held.for_each_backwards([&](event_view const& event) { newest.add(event); });
    std::uint64_t counted = held.count();
    for (auto const& each : changed) {
        if (!each.is_kept) continue;
        auto const& [payload, kind, time] = each.kept;
        if (newest.replace_payload(each.key, payload)) continue;
        newest.add({{}, 0, each.offset, each.key, payload, kind, time});
        ++counted;
    }
    result.uncounted = (result.upto - result.after) - counted;
    if (result.lost_upto == 0) newest.spread(std::exchange(result.uncounted, 0), changed);
    result.events = newest.copy(log_.shared_identity());
    return result;
}

/// The keys that have an event after `after`, the last one changed first. The lock must be held.
/// O(keys).
inline compact_vector<changed_key> channel::changed_after(std::uint64_t after) const {
    compact_vector<changed_key> changed;
    auto const held_offset = log_.held_offset();
    auto const add = [&](std::string_view key, key_index::entry const& entry) {
        if (entry.offset <= after) return;
        auto& added = changed.push_back({});
        added.key = key;
        added.offset = entry.offset;
        added.events = entry.sequence;
        added.is_kept = entry.kept && (entry.offset < held_offset || keys_->merges());
        if (added.is_kept) added.kept = *entry.kept;
    };
    for (auto const* each = keys_->front(); each != nullptr; each = each->next())
        add(each->key(), each->value);
    // The events without a key are kept beside the order of keys.
    if (auto const* const unkeyed = keys_->find({})) add({}, *unkeyed);
    std::sort(changed.begin(), changed.end(),
              [](changed_key const& a, changed_key const& b) { return a.offset > b.offset; });
    return changed;
}

/// The event of that key and offset, from the log or the index of keys; offset 0 if neither has it.
/// If payloads merge, it carries what all events of the key came to. The lock must be held as long
/// as the event is used.
inline event_view channel::find_event(std::string_view key, std::uint64_t offset) const noexcept {
    auto const* const state = keys_ && keys_->merges() ? keys_->find(key) : nullptr;
    if (state != nullptr && state->kept && state->offset >= offset)
        return {{}, 0, offset, key, state->kept->payload, state->kept->kind, state->kept->time};
    if (offset >= log_.held_offset()) {
        auto const& holder = *log_.find(offset);
        return holder.at(static_cast<std::uint32_t>(offset - holder.first_offset()));
    }
    auto const* const known = keys_ ? keys_->find(key) : nullptr;
    if (known == nullptr || known->offset != offset || !known->kept) return {};
    return {{}, 0, offset, key, known->kept->payload, known->kept->kind, known->kept->time};
}

inline segment_ref channel::copy(compact_vector<wanted_event>& wanted, std::size_t begin,
                                 std::size_t events_max, std::size_t bytes_max) const {
    using state = wanted_event::state;
    short_lock_guard const lock{lock_};
    compact_vector<event_view> events;
    std::size_t bytes = 0;
    for (auto i = begin; i < wanted.size(); ++i) {
        auto& each = wanted[i];
        auto event = find_event(each.key, each.offset);
        if (event.offset == 0) {
            auto const* const known = keys_ ? keys_->find(each.key) : nullptr;
            bool const is_superseded = known != nullptr && known->offset > each.offset;
            each.is = is_superseded ? state::superseded : state::lost;
            if (is_superseded) continue;
            break;
        }
        auto const more = event.key.size() + event.payload.size();
        if (events.size() == events_max || (!events.empty() && bytes + more > bytes_max)) break;
        bytes += more;
        event.count = each.count;
        events.push_back(event);
        each.is = state::copied;
    }
    if (events.empty()) return {};
    segment_ref copies =
        segment::make(log_.shared_identity(), events.front().offset,
                      static_cast<std::uint32_t>(events.size()), bytes, segment_role::newest);
    for (auto const& event : events) copies->append(event);
    return copies;
}

} // namespace livetape
