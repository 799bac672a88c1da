#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/agenda.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/channel_list.hpp>
#include <livetape/channel/presence.hpp>
#include <livetape/channel_name.hpp>
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

/// A hub's channels by name: makes them, finds them, and drops those that nobody uses.
///
/// A channel is idle while nobody asks the hub for it by name, nothing is published into it, and
/// nobody holds it: no subscription, no member, no host. One that has been idle for its
/// `idle_time_max` is dropped; there are looks four times in that time, so it may take a quarter
/// more. If its name is used again, that is a new life, of another epoch.
/// Thread safety: every member function is safe from any thread.
class channel_registry : public std::enable_shared_from_this<channel_registry> {
public:
    explicit channel_registry(hub_options const& options) : options_{options} {}
    channel_registry(channel_registry const&) = delete;
    channel_registry& operator=(channel_registry const&) = delete;

    [[nodiscard]] hub_options const& options() const noexcept { return options_; }
    [[nodiscard]] std::shared_ptr<livetape::agenda> const& due() const noexcept { return agenda_; }
    [[nodiscard]] std::shared_ptr<channel_list> const& list() const noexcept { return list_; }

    [[nodiscard]] std::shared_ptr<channel_settings const>
    settings_of(channel_options const& options) const {
        return std::make_shared<channel_settings const>(
            channel_settings{options, options_.now, agenda_});
    }

    /// The channel of that name, created if there is none; null if that cannot be.
    /// @param is_kept  whether it is never dropped from now on
    std::shared_ptr<channel> open(std::string_view name,
                                  std::shared_ptr<channel_settings const> const& settings,
                                  bool is_kept) {
        return open_or_create(name, is_kept, [&] { return settings; });
    }

    std::shared_ptr<channel> open(std::string_view name, channel_options const& options,
                                  bool is_kept) {
        return open_or_create(name, is_kept, [&] { return settings_of(options); });
    }

    /// Ends a channel and forgets its name; false if there is none of that name.
    bool close(std::string_view name) {
        auto const ended = list_->find(name);
        if (!ended) return false;
        // Before anybody can come to its next life, which has the same companion.
        if (auto* const members = ended->members()) members->close();
        bool const is_referenced = !list_->look(*ended).may_be_dropped;
        if (!list_->drop_if(*ended, [] { return true; })) return false;
        ended->close();
        short_lock_guard const lock{lock_};
        if (is_referenced) closed_.push_back(ended);
        return true;
    }

private:
    // Channels looked at in one turn: well below a millisecond.
    static constexpr std::size_t channels_per_turn = 1000;

    /// A channel that may be dropped.
    struct candidate {
        std::weak_ptr<channel> source;
        std::uint64_t last_offset = 0; // at the last look
        time_point used{};             // until when it may have been in use
        bool was_held = false;         // at the last look
    };

    template <class MakeSettings>
    std::shared_ptr<channel> open_or_create(std::string_view name, bool is_kept,
                                            MakeSettings const& settings) {
        auto opened = list_->find(name);
        if (!opened) {
            short_lock_guard const lock{lock_};
            opened = list_->find(name);
            if (!opened) opened = create(name, settings());
        }
        if (opened && is_kept) list_->keep(*opened);
        return opened;
    }

    std::shared_ptr<channel> create(std::string_view name,
                                    std::shared_ptr<channel_settings const> settings) {
        if (!is_channel_name(name) || list_->count() >= options_.channels_max) return nullptr;
        std::shared_ptr<presence> members;
        // Who is on a companion channel is nobody's concern, or each would need another.
        if (settings->options.presence && !name.starts_with(presence_prefix)) {
            auto companion = open_companion(name, settings->options);
            if (!companion || list_->count() >= options_.channels_max) return nullptr;
            members = std::make_shared<presence>(settings->options, std::move(companion), agenda_);
        }
        auto created =
            std::make_shared<channel>(log_identity::make(name, next_epoch()), std::move(settings));
        if (members) created->set_members(std::move(members));
        list_->add(created);
        if (created->options().idle_time_max.count() > 0) watch(created);
        return created;
    }

    /// The channel of a channel's joins and leaves, with room for a newest event of each member.
    std::shared_ptr<channel> open_companion(std::string_view name, channel_options const& options) {
        std::string const companion = std::string{presence_prefix}.append(name);
        if (auto found = list_->find(companion)) return found;
        channel_options own;
        own.key_bytes_max = options.key_bytes_max;
        own.keys_max = options.presence_members_max;
        own.idle_time_max = options.idle_time_max;
        return create(companion, settings_of(own));
    }

    /// 50 bits: ten characters of a cursor, and no two lives of a channel share one by chance.
    std::uint64_t next_epoch() noexcept {
        constexpr auto mask = (std::uint64_t{1} << 50) - 1;
        auto const epoch = mix_bits(options_.seed + ++epochs_) & mask;
        return epoch == 0 ? 1 : epoch;
    }

    void watch(std::shared_ptr<channel> const& created) {
        auto const interval = look_interval_of(*created);
        bool const is_sooner = candidates_.empty() || interval < look_interval_;
        candidates_.push_back({created, 0, options_.now(), false});
        shortest_ = std::min(shortest_, interval);
        if (!is_sooner) return;
        look_interval_ = interval;
        expect_look(next_aligned(options_.now(), look_interval_));
    }

    [[nodiscard]] static clock::duration look_interval_of(channel const& of) noexcept {
        return std::max<clock::duration>(of.options().idle_time_max / 4,
                                         std::chrono::milliseconds{1});
    }

    /// An earlier look that is expected already finds that it is not its time.
    void expect_look(time_point due) {
        look_due_ = due;
        agenda_->add(due, weak_from_this(), [](void* self, time_point now) {
            static_cast<channel_registry*>(self)->look(now);
        });
    }

    void look(time_point now) {
        short_lock_guard const lock{lock_};
        if (now < look_due_) return;
        for (auto left = channels_per_turn; left > 0 && next_look_ < candidates_.size(); --left) {
            if (is_settled(candidates_[next_look_], now)) {
                std::swap(candidates_[next_look_], candidates_.back());
                candidates_.pop_back();
            } else {
                ++next_look_;
            }
        }
        if (next_look_ < candidates_.size()) return expect_look(now);
        next_look_ = 0;
        look_due_ = never;
        look_interval_ = std::exchange(shortest_, clock::duration::max());
        if (!candidates_.empty()) expect_look(next_aligned(now, look_interval_));
    }

    /// Drops a candidate that has been idle for long enough; true if it is none any more.
    bool is_settled(candidate& which, time_point now) {
        auto const source = which.source.lock();
        if (!source) return true;
        auto const seen = list_->look(*source);
        if (!seen.may_be_dropped) return true;
        auto const last = source->last_offset();
        bool const was_published = std::exchange(which.last_offset, last) != last;
        // Ours and the list's; whoever else has one keeps it.
        auto const is_held = [&] { return source.use_count() > 2; };
        // Whoever held it at the last look may have let go of it only just now.
        bool const is_in_use = is_held() || has_members(*source);
        bool const was_in_use = std::exchange(which.was_held, is_in_use);
        if (was_published || seen.was_asked_for || is_in_use || was_in_use) which.used = now;
        if (now - which.used >= source->options().idle_time_max &&
            list_->drop_if(*source, [&] { return !is_held(); }))
            return true;
        shortest_ = std::min(shortest_, look_interval_of(*source));
        return false;
    }

    [[nodiscard]] static bool has_members(channel const& of) {
        if (of.members() == nullptr) return false;
        auto const counts = of.members()->counts();
        return counts.members + counts.connections > 0;
    }

    hub_options options_;
    std::shared_ptr<livetape::agenda> agenda_ = std::make_shared<livetape::agenda>();
    std::shared_ptr<channel_list> list_ = std::make_shared<channel_list>();
    short_lock lock_; // held while a channel is made, so that a name has one, and for what follows
    std::vector<candidate> candidates_;
    std::vector<std::shared_ptr<channel>> closed_; // to which the host has references
    std::size_t next_look_ = 0; // the first candidate that this round has not looked at
    clock::duration look_interval_{0};
    clock::duration shortest_ = clock::duration::max(); // interval that this round has found
    time_point look_due_ = never;
    std::uint64_t epochs_ = 0;
};

} // namespace livetape
