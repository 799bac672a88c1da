#pragma once

#include <livetape/channel/agenda.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/channel_list.hpp>
#include <livetape/channel/channel_registry.hpp>
#include <livetape/channel/channel_watch.hpp>
#include <livetape/channel/presence.hpp>
#include <livetape/channel/slow_copy.hpp>
#include <livetape/channel_name.hpp>
#include <livetape/channel_pattern.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/config.hpp>
#include <livetape/short_lock.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace livetape {

/// The registry of channels: what a host publishes into and serves from.
///
/// The host owns it, and keeps it until the servers that use it are gone.
/// Thread safety: every member function is safe from any thread.
class hub {
public:
    /// @param defaults  the options of channels that are opened without their own
    explicit hub(channel_options const& defaults = {}, hub_options const& options = {})
        : registry_{std::make_shared<channel_registry>(options)}, defaults_{registry_->settings_of(
                                                                      defaults)} {}

    /// The channel of that name, created with the default options if there is none. The reference
    /// is valid as long as the hub: a channel that was opened so is never dropped.
    /// Precondition: `is_channel_name(name)`, and the hub has fewer than `channels_max` channels;
    /// the non-asserting twin is `try_open`.
    channel& open(std::string_view name) {
        auto const opened = registry_->open(name, defaults_, true);
        LIVETAPE_ASSERT(opened != nullptr);
        return *opened;
    }

    /// The same with options of its own, which count if this call creates the channel.
    channel& open(std::string_view name, channel_options const& options) {
        auto const opened = registry_->open(name, options, true);
        LIVETAPE_ASSERT(opened != nullptr);
        return *opened;
    }

    /// The channel of that name, created if there is none; null if the name is no channel name, is
    /// too long for a channel with presence, or the hub is full.
    [[nodiscard]] std::shared_ptr<channel> try_open(std::string_view name) {
        return registry_->open(name, defaults_, false);
    }

    [[nodiscard]] std::shared_ptr<channel> try_open(std::string_view name,
                                                    channel_options const& options) {
        return registry_->open(name, options, false);
    }

    /// The channel of that name; null if there is none.
    [[nodiscard]] std::shared_ptr<channel> find(std::string_view name) const {
        return channels()->find(name);
    }

    /// Ends a channel: its subscribers get what there is and are told that it was closed, nothing
    /// more can be published into it, and its name is free. Whoever uses the name again, and may
    /// create channels, begins a new life of it, with another epoch. References that `open` gave
    /// stay valid.
    /// @return false if there is none of that name
    bool close(std::string_view name) { return registry_->close(name); }

    /// Publishes into a channel that is created if need be; see `channel::publish`.
    /// @return 0 also if the channel cannot be opened
    std::uint64_t publish(std::string_view name, std::string_view payload,
                          publish_options const& options = {}) {
        return try_publish(name, payload, options).offset;
    }

    publish_result try_publish(std::string_view name, std::string_view payload,
                               publish_options const& options = {}) {
        auto const to = try_open(name);
        return to ? to->try_publish(payload, options)
                  : publish_result{0, false, publish_refusal::no_channel};
    }

    /// Copies what is published into a channel from now on into another one, at a slower pace. The
    /// hub keeps the copy until `slow_copy::stop`.
    /// Precondition: two different channels of this hub, and no copies lead back to the source.
    std::shared_ptr<slow_copy> copy(channel& source, channel& target,
                                    slow_copy_options const& options = {}) {
        LIVETAPE_ASSERT(&source != &target);
        auto made = std::make_shared<slow_copy>(source.shared_from_this(),
                                                target.shared_from_this(), options, due(), now());
        return keep(copies_, std::move(made));
    }

    /// Calls `call(channel)` with the `std::shared_ptr` of each channel that matches, those that
    /// there are and those to come, once each, in the order of their creation. See `channel_watch`
    /// for when and on which thread. The hub keeps the watch until `channel_watch::stop`.
    /// Precondition: a name or a well-formed pattern.
    template <class Call>
    std::shared_ptr<channel_watch> on_channel(std::string_view pattern, Call call) {
        LIVETAPE_ASSERT(is_channel_name(pattern) || is_channel_pattern(pattern));
        return keep(watches_, std::make_shared<detail::watch_of_channels<Call>>(
                                  std::move(call), pattern, channels(), due(), now()));
    }

    /// Calls `call(channel, events)` with what is published into a channel that matches, as a
    /// `channel&` and an `event_range` in the order of offsets; offsets that are left out were gone
    /// by then, because retention is shorter than the callback was late. The rest is as above.
    template <class Call>
    std::shared_ptr<channel_watch> on_publish(std::string_view pattern, Call call,
                                              channel_watch_options const& options = {}) {
        LIVETAPE_ASSERT(is_channel_name(pattern) || is_channel_pattern(pattern));
        return keep(watches_, std::make_shared<detail::watch_of_events<Call>>(
                                  std::move(call), pattern, channels(), due(), now(), options));
    }

    /// The channels in the order of their creation, which patterns read.
    [[nodiscard]] std::shared_ptr<channel_list> const& channels() const noexcept {
        return registry_->list();
    }

    [[nodiscard]] std::size_t channel_count() const { return channels()->count(); }

    [[nodiscard]] std::size_t channels_max() const noexcept {
        return registry_->options().channels_max;
    }

    /// Does what is due at `now`: flushes channels on a timer, runs slow copies, calls those who
    /// watch, ends the stay of pollers that did not come back, and drops what is over its age limit
    /// and channels that have been idle for too long. However many threads
    /// call it, each thing is done once. A server and a shard call it through `due`; a host without
    /// one calls it when `next_advance` says.
    /// @return when to call next; `never` if nothing is pending, until a publish changes that
    time_point advance(time_point now) { return due()->advance(now); }

    /// When `advance` has something to do; `never` if nothing is pending. It can become earlier by
    /// any publish, of which an `agenda_driver` is told.
    [[nodiscard]] time_point next_advance() const { return due()->next_due(); }

    /// What `advance` works off, for a driver that wants to be told. It may outlive the hub.
    [[nodiscard]] std::shared_ptr<agenda> const& due() const noexcept { return registry_->due(); }

private:
    [[nodiscard]] time_source now() const noexcept { return registry_->options().now; }

    /// Starts something of the host's and keeps it until it is stopped.
    template <class Kept, class Made>
    std::shared_ptr<Made> keep(compact_vector<std::shared_ptr<Kept>>& all,
                               std::shared_ptr<Made> made) {
        made->start();
        short_lock_guard const lock{lock_};
        all.erase_if([](auto const& each) { return each->is_stopped(); });
        all.push_back(made);
        return made;
    }

    std::shared_ptr<channel_registry> registry_;
    std::shared_ptr<channel_settings const> defaults_;
    short_lock lock_; // guards what follows
    compact_vector<std::shared_ptr<slow_copy>> copies_;
    compact_vector<std::shared_ptr<channel_watch>> watches_;
};

} // namespace livetape
