#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/channel/channel_name.hpp>
#include <livetape/random_seed.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
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
        : defaults_{defaults}, options_{options} {}

    /// The channel of that name, created with the default options if there is none. The reference
    /// is valid as long as the hub.
    /// Precondition: `is_channel_name(name)`, and the hub has fewer than `channels_max` channels;
    /// the non-asserting twin is `try_open`.
    channel& open(std::string_view name) { return open(name, defaults_); }

    /// The same with options of its own, which count if this call creates the channel.
    channel& open(std::string_view name, channel_options const& options) {
        auto const opened = try_open(name, options);
        LIVETAPE_ASSERT(opened != nullptr);
        return *opened;
    }

    /// The channel of that name, created if there is none; null if the name is no channel name or
    /// the hub is full.
    [[nodiscard]] std::shared_ptr<channel> try_open(std::string_view name) {
        return try_open(name, defaults_);
    }

    [[nodiscard]] std::shared_ptr<channel> try_open(std::string_view name,
                                                    channel_options const& options) {
        if (auto found = find(name)) return found;
        std::unique_lock const lock{mutex_};
        if (auto const again = channels_.find(name); again != channels_.end()) return again->second;
        if (!is_channel_name(name) || channels_.size() >= options_.channels_max) return nullptr;
        auto identity =
            std::make_shared<log_identity const>(log_identity{std::string{name}, next_epoch()});
        auto created = std::make_shared<channel>(std::move(identity), options, options_.now);
        channels_.emplace(created->name(), created);
        if (options.log_age_max.count() > 0) aging_.push_back(created);
        return created;
    }

    /// The channel of that name; null if there is none.
    [[nodiscard]] std::shared_ptr<channel> find(std::string_view name) const {
        std::shared_lock const lock{mutex_};
        auto const found = channels_.find(name);
        return found == channels_.end() ? nullptr : found->second;
    }

    /// Publishes into a channel that is created if need be; see `channel::publish`.
    /// @return 0 also if the channel cannot be opened
    std::uint64_t publish(std::string_view name, std::string_view payload,
                          publish_options options = {}) {
        auto const to = try_open(name);
        return to ? to->publish(payload, options) : 0;
    }

    [[nodiscard]] std::size_t channel_count() const {
        std::shared_lock const lock{mutex_};
        return channels_.size();
    }

    [[nodiscard]] std::size_t channels_max() const noexcept { return options_.channels_max; }

    /// Drops events over their channel's age limit. The server calls it once a second; a host
    /// without one calls it when it likes. O(channels with an age limit).
    void expire(time_point now) {
        std::shared_lock const lock{mutex_};
        for (auto const& each : aging_) each->expire(now);
    }

private:
    /// 50 bits: ten characters of a cursor, and no two lives of a channel share one by chance.
    std::uint64_t next_epoch() noexcept {
        constexpr auto mask = (std::uint64_t{1} << 50) - 1;
        auto const epoch = mix_bits(options_.seed + ++epochs_) & mask;
        return epoch == 0 ? 1 : epoch;
    }

    channel_options defaults_;
    hub_options options_;
    mutable std::shared_mutex mutex_;
    // Keyed by views of the channels' own names.
    std::unordered_map<std::string_view, std::shared_ptr<channel>> channels_;
    std::vector<std::shared_ptr<channel>> aging_; // those with an age limit
    std::uint64_t epochs_ = 0;
};

} // namespace livetape
