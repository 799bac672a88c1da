#pragma once

namespace livetape {

inline publish_result channel::try_publish(std::string_view payload,
                                           publish_options const& options) {
    auto const& limits = settings_->options;
    if (payload.size() > limits.payload_bytes_max)
        return {0, false, publish_refusal::payload_too_large};
    if (options.key.size() > limits.key_bytes_max) return {0, false, publish_refusal::key_too_long};
    if (options.id.size() > limits.publish_id_bytes_max)
        return {0, false, publish_refusal::id_too_long};

    short_lock_guard const lock{lock_};
    if (is_closed()) return {0, false, publish_refusal::no_channel};
    auto const now = settings_->now();
    if (!options.id.empty() && timed_ && timed_->window) {
        timed_->window->expire(now);
        if (auto const known = timed_->window->find(options.id)) return {*known, true};
    }
    publish_result result;
    if (auto const* const timer = collecting()) {
        result.offset = log_.next_offset() + timer->events.count();
        collect(payload, options, now);
    } else {
        event_view event{{}, 0, 0, options.key, payload, options.kind, now};
        result.offset = append(event);
        announce();
    }
    if (!options.id.empty()) {
        auto& window = timed().window;
        if (!window)
            window =
                make_owned<publish_window>(limits.publish_window_events, limits.publish_window_age);
        window->remember(options.id, result.offset, now);
    }
    bool const ages = limits.log_age_max.count() > 0 || (timed_ && timed_->window);
    if (ages && timed().aging_due == never) expect_aging(now);
    return result;
}

/// Puts an event into the log and the index of keys, and says its offset; nobody is told yet.
inline std::uint64_t channel::append(event_view& event) {
    auto const before = log_.next_offset() - 1;
    event.offset =
        log_.append(event, [&](segment const& leaving) { index_after(before).keep(leaving); });
    if (keys_ || !event.key.empty() || options().merge != nullptr)
        index_after(before).update(event);
    return event.offset;
}

/// The index of keys, made when it is first needed: as long as no event has a key, the log has all
/// and nobody watches a key, a quiet channel goes without. `last` is the newest event that it is to
/// know, if it is new.
inline key_index& channel::index_after(std::uint64_t last) {
    if (!keys_) {
        auto const& limits = options();
        keys_ = make_owned<key_index>(limits.keys_max, limits.log_bytes_max, limits.merge);
        keys_->begin_without_keys(last);
    }
    return *keys_;
}

inline void channel::announce() noexcept {
    snapshot_cache_.reset();
    last_offset_.store(log_.next_offset() - 1, std::memory_order_release);
    for (auto* const listener : listeners_) listener->raise();
}

inline void channel::collect(std::string_view payload, publish_options const& options,
                             time_point now) {
    auto& timer = *timed_->publishing;
    timer.events.add(options.key, payload, options.kind, now);
    if (timer.events.footprint_bytes() >= settings_->options.collected_bytes_max)
        append_collected();
    else if (timer.due == never) expect_flush(now);
}

inline void channel::append_collected() {
    auto* const timer = collecting();
    if (timer == nullptr) return;
    timer->due = never;
    if (timer->events.empty()) return;
    timer->events.drain([this](event_view event) { append(event); });
    announce();
}

inline void channel::set_publish_interval(std::chrono::nanoseconds interval) {
    short_lock_guard const lock{lock_};
    if (interval.count() <= 0) {
        append_collected();
        if (timed_) timed_->publishing.reset();
        return;
    }
    auto& timer = timed().publishing;
    if (!timer) timer = make_owned<timed_publishing>();
    if (std::exchange(timer->interval, interval) != interval && !timer->events.empty())
        expect_flush(settings_->now());
}

/// The agenda may hold an entry of an earlier interval: that one finds that it is not yet time.
inline void channel::expect_flush(time_point now) {
    auto& timer = *timed_->publishing;
    timer.due = next_aligned(now, timer.interval);
    if (!settings_->due) return;
    settings_->due->add(timer.due, weak_from_this(), [](void* self, time_point at) {
        auto& me = *static_cast<channel*>(self);
        short_lock_guard const lock{me.lock_};
        auto const* const collects = me.collecting();
        if (collects != nullptr && collects->due <= at) me.append_collected();
    });
}

inline void channel::drop_aged(time_point now) {
    if (timed_ && timed_->window) {
        timed_->window->expire(now);
        if (timed_->window->empty()) timed_->window.reset();
    }
    if (settings_->options.log_age_max.count() == 0) return;
    auto const last = log_.next_offset() - 1;
    log_.expire(now, [&](segment const& leaving) { index_after(last).keep(leaving); });
    snapshot_cache_.reset();
}

/// Looks at ages when the oldest reaches its limit, but at most once a second.
inline void channel::expect_aging(time_point now) {
    if (!settings_->due) return;
    auto const* const window = timed().window.get();
    auto due = window != nullptr && !window->empty() ? window->next_due() : never;
    if (auto const age = settings_->options.log_age_max;
        age.count() > 0 && log_.first_offset() < log_.next_offset())
        due = std::min(due, log_.first_time() + age);
    if (due == never) return;
    timed_->aging_due = next_aligned(std::max(due, now), std::chrono::seconds{1});
    settings_->due->add(timed_->aging_due, weak_from_this(), [](void* self, time_point at) {
        auto& me = *static_cast<channel*>(self);
        short_lock_guard const lock{me.lock_};
        me.timed_->aging_due = never;
        me.drop_aged(at);
        me.expect_aging(at);
    });
}

} // namespace livetape
