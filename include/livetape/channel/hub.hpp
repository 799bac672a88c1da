#pragma once

#include <livetape/channel/agenda.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/channel_list.hpp>
#include <livetape/channel/channel_name.hpp>
#include <livetape/channel/presence.hpp>
#include <livetape/channel/slow_copy.hpp>
#include <livetape/random_seed.hpp>
#include <livetape/short_lock.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

/// What a hub needs besides the options of its channels.
struct hub_options {
    /// Channels in all. Clients may be allowed to create channels, and each costs about 1 KiB.
    std::size_t channels_max = 1'000'000;

    /// Where epochs come from; give a fixed one for a run that can be replayed.
    std::uint64_t seed = random_seed();

    /// What stamps published events.
    time_source now = clock::now;
};

/// The registry of channels: what a host publishes into and serves from.
///
/// The host owns it, and keeps it until the servers that use it are gone.
/// Thread safety: every member function is safe from any thread.
class hub {
public:
    /// @param defaults  the options of channels that are opened without their own
    explicit hub(channel_options const& defaults = {}, hub_options const& options = {})
        : options_{options}, agenda_{std::make_shared<livetape::agenda>()},
          list_{std::make_shared<channel_list>()}, defaults_{settings_of(defaults)} {}

    /// The channel of that name, created with the default options if there is none. The reference
    /// is valid as long as the hub.
    /// Precondition: `is_channel_name(name)`, and the hub has fewer than `channels_max` channels;
    /// the non-asserting twin is `try_open`.
    channel& open(std::string_view name) {
        auto const opened = try_open(name);
        LIVETAPE_ASSERT(opened != nullptr);
        return *opened;
    }

    /// The same with options of its own, which count if this call creates the channel.
    channel& open(std::string_view name, channel_options const& options) {
        auto const opened = try_open(name, options);
        LIVETAPE_ASSERT(opened != nullptr);
        return *opened;
    }

    /// The channel of that name, created if there is none; null if the name is no channel name, is
    /// too long for a channel with presence, or the hub is full.
    [[nodiscard]] std::shared_ptr<channel> try_open(std::string_view name) {
        return open_or_create(name, [this] { return defaults_; });
    }

    [[nodiscard]] std::shared_ptr<channel> try_open(std::string_view name,
                                                    channel_options const& options) {
        return open_or_create(name, [&] { return settings_of(options); });
    }

    /// The channel of that name; null if there is none.
    [[nodiscard]] std::shared_ptr<channel> find(std::string_view name) const {
        return list_->find(name);
    }

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
        auto made = std::make_shared<slow_copy>(
            source.shared_from_this(), target.shared_from_this(), options, agenda_, options_.now);
        made->start();
        short_lock_guard const lock{lock_};
        std::erase_if(copies_, [](auto const& each) { return each->is_stopped(); });
        copies_.push_back(made);
        return made;
    }

    /// The channels in the order of their creation, which patterns read.
    [[nodiscard]] std::shared_ptr<channel_list> const& channels() const noexcept { return list_; }

    [[nodiscard]] std::size_t channel_count() const { return list_->end(); }

    [[nodiscard]] std::size_t channels_max() const noexcept { return options_.channels_max; }

    /// Does what is due at `now`: flushes channels on a timer, runs slow copies, ends the stay of
    /// pollers that did not come back, and drops what is over its age limit. However many threads
    /// call it, each thing is done once. A server and a shard call it through `due`; a host without
    /// one calls it when `next_advance` says.
    /// @return when to call next; `never` if nothing is pending, until a publish changes that
    time_point advance(time_point now) { return agenda_->advance(now); }

    /// When `advance` has something to do; `never` if nothing is pending. It can become earlier by
    /// any publish, of which an `agenda_driver` is told.
    [[nodiscard]] time_point next_advance() const { return agenda_->next_due(); }

    /// What `advance` works off, for a driver that wants to be told. It may outlive the hub.
    [[nodiscard]] std::shared_ptr<agenda> const& due() const noexcept { return agenda_; }

private:
    [[nodiscard]] std::shared_ptr<channel_settings const>
    settings_of(channel_options const& options) const {
        return std::make_shared<channel_settings const>(
            channel_settings{options, options_.now, agenda_});
    }

    template <class MakeSettings>
    std::shared_ptr<channel> open_or_create(std::string_view name, MakeSettings const& settings) {
        if (auto found = list_->find(name)) return found;
        short_lock_guard const lock{lock_};
        if (auto found = list_->find(name)) return found;
        return create(name, settings());
    }

    std::shared_ptr<channel> create(std::string_view name,
                                    std::shared_ptr<channel_settings const> settings) {
        if (!is_channel_name(name) || list_->end() >= options_.channels_max) return nullptr;
        std::shared_ptr<presence> members;
        // Who is on a companion channel is nobody's concern, or each would need another.
        if (settings->options.presence && !name.starts_with(presence_prefix)) {
            auto companion = open_companion(name, settings->options);
            if (!companion || list_->end() >= options_.channels_max) return nullptr;
            members = std::make_shared<presence>(settings->options, std::move(companion), agenda_);
        }
        auto identity = log_identity::make(name, next_epoch());
        auto created = std::make_shared<channel>(std::move(identity), std::move(settings));
        if (members) created->set_members(std::move(members));
        list_->add(created);
        return created;
    }

    /// The channel of a channel's joins and leaves, with room for a newest event of each member.
    std::shared_ptr<channel> open_companion(std::string_view name, channel_options const& options) {
        std::string const companion = std::string{presence_prefix}.append(name);
        if (auto found = list_->find(companion)) return found;
        channel_options own;
        own.key_bytes_max = options.key_bytes_max;
        own.keys_max = options.presence_members_max;
        return create(companion, settings_of(own));
    }

    /// 50 bits: ten characters of a cursor, and no two lives of a channel share one by chance.
    std::uint64_t next_epoch() noexcept {
        constexpr auto mask = (std::uint64_t{1} << 50) - 1;
        auto const epoch = mix_bits(options_.seed + ++epochs_) & mask;
        return epoch == 0 ? 1 : epoch;
    }

    hub_options options_;
    std::shared_ptr<livetape::agenda> agenda_;
    std::shared_ptr<channel_list> list_;
    std::shared_ptr<channel_settings const> defaults_;
    short_lock lock_; // held while a channel is made, so that a name has one
    std::vector<std::shared_ptr<slow_copy>> copies_;
    std::uint64_t epochs_ = 0;
};

} // namespace livetape
