#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/agenda.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/channel/channel_list.hpp>
#include <livetape/channel/signal.hpp>
#include <livetape/channel_pattern.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/owned_ptr.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape {

/// How a host follows what is published.
struct channel_watch_options {
    /// Events of one call at most, and of one turn: so that a callback that is slower than its
    /// publishers leaves the thread to the others in between.
    std::size_t events_max = 1000;

    /// Whether channels that exist already begin with the oldest event that they keep, instead of
    /// with what comes. Those that are created later always begin with their first event.
    bool from_oldest = false;
};

/// A host's own cursor over the channels of a pattern: hears of each, and of what is published.
///
/// The callback runs inside `hub::advance`: on one of the threads that drive the hub (a server's
/// io_context, or whoever calls `advance`), soon after the first of a burst of publishes, with all
/// that has come by then. Never two calls at a time, and no lock of the library is held, so that it
/// may publish, open channels, and stop the watch. It does not keep a channel from being dropped.
/// Thread safety: every member function is safe from any thread.
class channel_watch : public std::enable_shared_from_this<channel_watch> {
public:
    channel_watch(channel_watch const&) = delete;
    channel_watch& operator=(channel_watch const&) = delete;
    virtual ~channel_watch() { let_go(); }

    /// Begins; `hub::on_channel` and `hub::on_publish` call it once. O(channels).
    void start() {
        std::lock_guard const lock{mutex_};
        auto const end = list_->add_listener(listed_);
        if (wants_events_) {
            std::vector<listed_channel> there;
            for (std::size_t next = 0; next < end;) next = list_->read(next, end, end, there);
            for (auto const& each : there)
                follow(each.source, options_.from_oldest ? 0 : each.source->last_offset());
            next_ = end;
        } else if (end > 0) {
            listed_.raise();
        }
    }

    /// Ends it. After this returns no call begins, and none is under way on another thread: the
    /// caller must hold nothing that the callback waits for.
    void stop() {
        list_->remove_listener(listed_);
        std::lock_guard const lock{mutex_};
        is_stopped_ = true;
    }

    [[nodiscard]] bool is_stopped() const {
        std::lock_guard const lock{mutex_};
        return is_stopped_;
    }

protected:
    channel_watch(std::string_view pattern, std::shared_ptr<channel_list> list,
                  std::shared_ptr<agenda> due, time_source now)
        : channel_watch{pattern, std::move(list), std::move(due), now, {}, false} {}

    channel_watch(std::string_view pattern, std::shared_ptr<channel_list> list,
                  std::shared_ptr<agenda> due, time_source now,
                  channel_watch_options const& options, bool wants_events = true)
        : pattern_{pattern}, list_{std::move(list)}, agenda_{std::move(due)}, now_{now},
          options_{options}, wants_events_{wants_events}, queue_{&channel_watch::wake, this},
          listed_{queue_, signal_source::channel_list} {}

private:
    // Channels matched in one turn: about a millisecond.
    static constexpr std::size_t channels_per_turn = 1000;

    /// A channel that is followed: the signal that its publishes raise, and the last event seen.
    struct followed : signal {
        followed(signal_queue& queue, std::shared_ptr<channel> const& of, std::uint64_t seen)
            : signal{queue}, source{of}, reached{seen} {}

        std::weak_ptr<channel> source;
        std::uint64_t reached;
        bool is_ready = false;
    };

    virtual void call(std::shared_ptr<channel> const& which, event_range const& events) = 0;

    /// Called inside a publish, or a channel's creation, at most once until `run` has looked.
    static void wake(void* self) noexcept { static_cast<channel_watch*>(self)->ask_for_turn(); }

    void ask_for_turn() {
        agenda_->add(now_(), weak_from_this(),
                     [](void* watch, time_point) { static_cast<channel_watch*>(watch)->run(); });
    }

    [[nodiscard]] bool matches(std::string_view name) const noexcept {
        return has_wildcard(pattern_) ? matches_channel_pattern(pattern_, name) : pattern_ == name;
    }

    void follow(std::shared_ptr<channel> const& which, std::uint64_t reached) {
        if (!matches(which->name())) return;
        auto& added = *followed_.push_back(make_owned<followed>(queue_, which, reached));
        which->add_listener(added);
        if (which->last_offset() > reached) added.raise();
    }

    void run() {
        std::lock_guard const lock{mutex_};
        if (is_stopped_) return;
        take_signals();
        if (!are_channels_read_) read_channels();
        auto left = options_.events_max;
        for (auto turns = ready_.size(); turns > 0 && left > 0 && !is_stopped_; --turns) {
            auto& next = *ready_.front();
            ready_.erase_front(1);
            next.is_ready = false;
            left -= hand_out(next, left);
        }
        if (!is_stopped_ && (!ready_.empty() || !are_channels_read_)) ask_for_turn();
    }

    void take_signals() {
        auto const waiting = ready_.size();
        for (auto* raised = queue_.take_all(); raised != nullptr;) {
            auto& taken = *std::exchange(raised, raised->next());
            taken.lower();
            if (&taken == &listed_) are_channels_read_ = false;
            else make_ready(static_cast<followed&>(taken));
        }
        std::reverse(ready_.begin() + waiting, ready_.end()); // the queue gives the last one first
    }

    void make_ready(followed& behind) {
        if (!std::exchange(behind.is_ready, true)) ready_.push_back(&behind);
    }

    void read_channels() {
        std::vector<listed_channel> created;
        next_ =
            list_->read(next_, std::numeric_limits<std::size_t>::max(), channels_per_turn, created);
        are_channels_read_ = created.size() < channels_per_turn;
        if (wants_events_) forget_dropped();
        for (auto const& [place, each] : created) {
            if (is_stopped_) return;
            if (wants_events_) follow(each, 0);
            else if (matches(each->name())) call(each, {});
        }
    }

    /// @return the number of events handed out
    std::size_t hand_out(followed& from, std::size_t events_max) {
        auto const source = from.source.lock();
        if (!source) return 0;
        auto const events = source->read(from.reached, {.events_max = events_max});
        if (events.empty()) return 0;
        from.reached = (*events.begin()).offset + events.size() - 1;
        if (source->last_offset() > from.reached) make_ready(from);
        call(source, events);
        return events.size();
    }

    /// Lets go of channels that are no more; whenever their number could have doubled.
    void forget_dropped() {
        if (followed_.size() < 2 * living_ + 100) return;
        followed_.erase_if([](auto const& each) {
            return each->source.expired() && !each->is_raised() && !each->is_ready;
        });
        living_ = followed_.size();
    }

    void let_go() noexcept {
        list_->remove_listener(listed_);
        for (auto const& each : followed_)
            if (auto const source = each->source.lock()) source->remove_listener(*each);
    }

    std::string pattern_;
    std::shared_ptr<channel_list> list_;
    std::shared_ptr<agenda> agenda_;
    time_source now_;
    channel_watch_options options_;
    bool wants_events_;
    signal_queue queue_;
    signal listed_;
    // Held while the callback runs, which may stop the watch and ask whether it is.
    mutable std::recursive_mutex mutex_;
    compact_vector<owned_ptr<followed>> followed_;
    compact_vector<followed*>
        ready_;              // those with events that wait, in the order of their publishes
    std::size_t next_ = 0;   // the first place of the list that has not been looked at
    std::size_t living_ = 0; // channels followed when the dropped ones were forgotten last
    bool are_channels_read_ = true;
    bool is_stopped_ = false;
};

namespace detail {

/// A watch that calls `call(channel)` for each channel.
template <class Call>
class watch_of_channels final : public channel_watch {
public:
    watch_of_channels(Call call, std::string_view pattern, std::shared_ptr<channel_list> list,
                      std::shared_ptr<agenda> due, time_source now)
        : channel_watch{pattern, std::move(list), std::move(due), now}, call_{std::move(call)} {}

private:
    void call(std::shared_ptr<channel> const& which, event_range const&) override { call_(which); }

    Call call_;
};

/// A watch that calls `call(channel, events)` for what is published.
template <class Call>
class watch_of_events final : public channel_watch {
public:
    watch_of_events(Call call, std::string_view pattern, std::shared_ptr<channel_list> list,
                    std::shared_ptr<agenda> due, time_source now,
                    channel_watch_options const& options)
        : channel_watch{pattern, std::move(list), std::move(due), now, options}, call_{std::move(
                                                                                     call)} {}

private:
    void call(std::shared_ptr<channel> const& which, event_range const& events) override {
        call_(*which, events);
    }

    Call call_;
};

} // namespace detail

} // namespace livetape
