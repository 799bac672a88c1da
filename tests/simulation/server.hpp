#pragma once

#include "coverage.hpp"
#include "served_channel.hpp"
#include "verdict.hpp"
#include "virtual_clock.hpp"
#include "wire_text.hpp"

#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/merge_json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::simulation {

/// A dispatcher as an event loop runs it: only after it was woken, or asked for another turn.
class loop {
public:
    [[nodiscard]] bool is_woken() const { return is_woken_; }
    [[nodiscard]] bool is_running() const { return is_running_; }

    void run(std::size_t subscribers_max) {
        is_woken_ = false;
        is_running_ = true;
        if (wakes.run(subscribers_max, virtual_now)) is_woken_ = true;
        is_running_ = false;
        awaited_tick_ = wakes.next_tick();
    }

    /// The tick that the loop set its timer for: it asks when it has run, and at the tick itself.
    [[nodiscard]] time_point awaited_tick() const { return awaited_tick_; }
    void tick() {
        wakes.tick(virtual_now);
        awaited_tick_ = wakes.next_tick();
    }

    dispatcher wakes{[](void* self) noexcept { static_cast<loop*>(self)->is_woken_ = true; }, this};

private:
    bool is_woken_ = false;
    bool is_running_ = false;
    time_point awaited_tick_ = time_point::max();
};

/// One life of a server: a hub with the channels, each drawn anew, and two loops.
class server {
public:
    static constexpr std::size_t channel_count = 6;
    static constexpr std::array<std::string_view, channel_count> names{
        "a", "b.c", "long-name", "b.d", "e.b.d", "@presence/a"};
    static constexpr std::size_t channels_at_first = 3;
    static constexpr std::size_t keys = 8;
    static constexpr std::size_t companion = 5; ///< of the first channel, if that has presence

    server(std::uint64_t seed, random_source& random, coverage& seen)
        : source{{}, {channel_count, seed, read_virtual_now}}, endpoint{source, options()},
          covered_{seen}, has_presence_{random.one_in(2)} {
        for (std::size_t i = 0; i < channel_count; ++i)
            keys_max_[i] =
                i < channels_at_first && random.one_in(3) ? 1 + random.below(keys) : 1000;
        if (has_presence_) open(companion, random);
        for (std::size_t i = 0; i < channels_at_first; ++i) open(i, random);
        if (random.one_in(3)) begin_copy(random);
    }

    /// Opens one more channel, which may have been there before; does nothing if all are open.
    void open_another(random_source& random) {
        auto const closed = channel_count - order_.size();
        if (closed == 0) return;
        auto which = random.below(closed);
        for (std::size_t i = 0; i < channel_count; ++i)
            if (!is_open(i) && which-- == 0) return open(i, random);
    }

    /// Ends a channel, unless it is copied; who has read all that there was is then told. Its next
    /// life may begin at once.
    void close(std::size_t index, random_source& random) {
        auto& of = at(index);
        if (of.is_copied || of.copies || is_companion(index)) return;
        ++covered_.closed;
        auto const kept = of.source->shared_from_this();
        if (!source.close(of.history.name)) fail("a channel that is open cannot be closed");
        if (kept->try_publish("0").refusal != publish_refusal::no_channel)
            fail("something is published into a closed channel");
        of.interval = {};
        show(index, true);
        of.history.is_closed = true;
        if (of.members) {
            std::vector<presence_book::notice> told;
            for (auto const& each : of.members->members())
                told.push_back({each.who.id, presence_book::text_of_leave(each.who.id)});
            of.members->close();
            tell(std::move(told));
        }
        of.source = kept;
        over_.push_back(take_away(index));
        if (random.one_in(2)) open(index, random);
    }

    /// Somebody is on a channel with presence from now on.
    /// @return whether as a member
    bool enter(served_channel& which, person const& who) {
        std::vector<presence_book::notice> told;
        bool const is_member = which.members->join(who, told);
        ++covered_.joins;
        tell(std::move(told));
        return is_member;
    }
    void leave(served_channel& which, std::string const& id, bool is_member,
               time_point stays_until) {
        std::vector<presence_book::notice> told;
        which.members->leave(id, is_member, stays_until, told);
        tell(std::move(told));
    }

    /// Moves notices that are published into the history, in the order that they have there.
    void show_told() {
        while (!told_.empty()) {
            auto& to = at(companion);
            auto const seen = to.source->read(to.history.last(), {.events_max = 1});
            if (seen.empty()) return;
            auto const event = *seen.begin();
            auto const which = std::find_if(told_.begin(), told_.end(), [&](auto const& each) {
                return each.id == event.key && each.payload == event.payload;
            });
            if (which == told_.end()) return;
            to.history.publish(event_of(to.history.name, to.next_offset(), which->id,
                                        which->payload, payload_kind::json));
            told_.erase(which);
            to.used = to.touched = virtual_now;
            if (to.history.last() == to.source->last_offset()) look_at_retention(to);
            if (call_seen_ != nullptr) call_seen_(context_, to.history);
        }
    }

    /// Whether all that was to be told of who comes and goes is told, and nothing else, and the
    /// counts are right.
    void check_presence() {
        if (!has_presence_) return;
        auto const& to = at(companion);
        if (!told_.empty() || to.history.last() != to.source->last_offset())
            fail("notices of presence are " + std::to_string(told_.size()) + " too few, or " +
                 std::to_string(to.source->last_offset() - to.history.last()) + " too many" +
                 (told_.empty() ? "" : ", the first is " + told_.front().payload));
        if (!is_open(0)) return;
        auto const counts = at(0).source->members()->counts();
        auto const& book = *at(0).members;
        if (counts.members != book.members().size() || counts.connections != book.connections() ||
            counts.anonymous != book.anonymous())
            fail("there are " + std::to_string(counts.members) + " members with " +
                 std::to_string(counts.connections) + " connections and " +
                 std::to_string(counts.anonymous) + " anonymous ones, not " +
                 std::to_string(book.members().size()) + ", " + std::to_string(book.connections()) +
                 " and " + std::to_string(book.anonymous()));
    }

    /// Whether the server publishes into that channel who comes and goes.
    [[nodiscard]] bool is_companion(std::size_t index) const {
        return has_presence_ && index == companion;
    }

    [[nodiscard]] bool is_open(std::size_t index) const { return channels_[index] != nullptr; }
    /// The channels that are open, in the order of their creation.
    [[nodiscard]] std::vector<std::size_t> const& opened() const { return order_; }
    [[nodiscard]] std::size_t draw(random_source& random) const {
        return order_[random.below(order_.size())];
    }
    [[nodiscard]] served_channel& at(std::size_t index) { return *channels_[index]; }
    /// How many keys the channels of that name know, whichever life it is.
    [[nodiscard]] std::size_t keys_max(std::size_t index) const { return keys_max_[index]; }

    /// Clients may ask for any channel now.
    void touch() {
        for (auto const index : order_) at(index).touched = virtual_now;
    }
    /// Time is about to pass: channels with subscribers are not idle now. A loop that is yet to
    /// run may hold one that has none any more.
    void note_use() {
        if (loops[0].is_woken() || loops[1].is_woken()) touch();
        for (auto const index : order_)
            if (at(index).is_idling && at(index).source->subscriber_count() > 0)
                at(index).used = at(index).touched = virtual_now;
    }

    /// Called with a channel's history for each event that is there to be seen.
    using seen_function = void (*)(void* context, channel_history const& in);
    void on_event(seen_function call, void* context) {
        call_seen_ = call;
        context_ = context;
    }

    /// Publishes into the channel and its history; the offset is returned.
    /// @param id  names the publish, which is then made once; or empty
    std::uint64_t publish(std::size_t index, std::string_view key, std::string_view payload,
                          payload_kind kind, std::string_view id) {
        auto& to = at(index);
        auto const known = id.empty() ? 0 : to.memory.find(id, virtual_now);
        auto const expected = known != 0 ? known : to.next_offset();
        auto const done = to.source->try_publish(payload, {key, kind, id});
        if (done.offset != expected || done.is_duplicate != (known != 0))
            fail("a publish got the offset " + std::to_string(done.offset) + ", not " +
                 std::to_string(expected));
        if (known == 0) note(index, key, payload, kind, id);
        return expected;
    }

    /// Puts an event that was published into the history, at once or when its time comes.
    void note(std::size_t index, std::string_view key, std::string_view payload, payload_kind kind,
              std::string_view id) {
        auto& to = at(index);
        to.used = to.touched = virtual_now;
        if (!id.empty()) to.memory.add(id, to.next_offset(), virtual_now);
        to.collect(key, payload, kind);
        show(index, false);
    }

    void set_interval(std::size_t index, std::chrono::nanoseconds interval) {
        if (at(index).is_copied || is_companion(index)) return;
        at(index).set_interval(interval);
        show(index, false);
    }

    /// What is due by now is done: collected events are there, and copies, and old events are gone,
    /// and so are channels that nobody uses.
    void advance() {
        source.advance(virtual_now);
        if (is_open(0) && at(0).members) {
            std::vector<presence_book::notice> told;
            at(0).members->expire(virtual_now, told);
            covered_.expiries += told.size();
            tell(std::move(told));
        }
        drop_idle();
        for (auto& each : channels_)
            if (each && each->copies && each->copies->due <= virtual_now) copy(*each);
        for (auto const index : order_) {
            show(index, true);
            at(index).just_copied = 0;
            look_at_retention(at(index));
        }
        for (auto const& each : over_) look_at_retention(*each);
    }

    /// Somebody goes on after an event: what is collected up to it is flushed.
    void show_collected(std::size_t index, std::uint64_t after) {
        auto& of = at(index);
        if (after <= of.history.last() || after >= of.next_offset()) return;
        ++covered_.asked_for;
        // A poll is yet to begin.
        of.source->flush_collected();
        of.due = virtual_now;
        show(index, true);
    }

    [[nodiscard]] time_point next_advance() const { return source.next_advance(); }

    /// Whether events are published that are not there yet.
    [[nodiscard]] bool is_waiting() const {
        return std::any_of(channels_.begin(), channels_.end(), [](auto const& each) {
            return each &&
                   (!each->collected.empty() || (each->copies && each->copies->due != never));
        });
    }

    /// What retention keeps is the channel's to say; that it keeps enough and not too much is
    /// checked here.
    void look_at_retention(served_channel& of) {
        auto const first = of.source->first_offset();
        auto const& limits = of.source->options();
        auto const last = of.history.last();
        auto const by_count = last > limits.log_events_max ? last - limits.log_events_max + 1 : 1;
        bool const is_exact = limits.log_bytes_max > (1u << 20) && limits.log_age_max.count() == 0;
        if (first < of.history.first_kept || first < by_count || first > last + 1 ||
            (is_exact && first != by_count))
            fail("retention keeps from " + std::to_string(first) + " on, of " +
                 std::to_string(last) + " events in " + of.history.name);
        of.history.first_kept = first;
    }

    hub source;
    live_endpoint endpoint;
    std::array<loop, 2> loops;
    std::string error; ///< what went wrong first; empty: nothing

private:
    void fail(std::string what) {
        if (error.empty()) error = std::move(what);
    }

    /// Moves what is there to be seen into the history.
    void show(std::size_t index, bool has_waited) {
        auto& of = at(index);
        if (auto wrong = of.check_collected(has_waited); !wrong.empty()) {
            fail(std::move(wrong) + " in " + of.history.name + ": " +
                 std::to_string(of.history.last()) + " and " + std::to_string(of.collected.size()) +
                 " collected, of " + std::to_string(of.source->last_offset()));
            return;
        }
        if (of.history.last() == of.source->last_offset()) return;
        while (of.history.last() < of.source->last_offset()) {
            if (of.interval.count() > 0) ++covered_.flushed;
            of.history.publish(std::move(of.collected.front()));
            of.collected.pop_front();
            if (of.history.last() == of.source->last_offset()) look_at_retention(of);
            for (auto& each : channels_)
                if (each && each->copies && each->copies->from == index) each->copies->note();
            if (call_seen_ != nullptr) call_seen_(context_, of.history);
        }
        of.due = of.collected.empty() ? never : next_aligned(virtual_now, of.interval);
    }

    void copy(served_channel& to) {
        auto& copies = *to.copies;
        auto const& from = at(copies.from).history;
        auto const first = to.next_offset();
        for (auto const offset : copies.copied(from)) {
            auto const& event = from.at(offset);
            to.collect(event.key, event.payload, event.kind);
            ++covered_.copied;
        }
        to.just_copied = to.next_offset() - first;
        copies.reached = from.last();
        copies.due = never;
    }

    static live_options options() {
        live_options options;
        options.sse_retry_jitter = {};
        options.hooks.connect = [](http::request_head const& head) {
            return client_identity{std::string{head.field("Who").value_or("")},
                                   std::string{head.field("Info").value_or("")}};
        };
        options.hooks.publish = [](std::string_view, std::string_view) { return true; };
        return options;
    }

    void tell(std::vector<presence_book::notice> notices) {
        for (auto& each : notices) told_.push_back(std::move(each));
        show_told();
    }

    std::unique_ptr<served_channel> take_away(std::size_t index) {
        order_.erase(std::find(order_.begin(), order_.end(), index));
        return std::move(channels_[index]);
    }

    void drop_idle() {
        for (auto index = channel_count; index > 0; --index) {
            auto const& each = channels_[index - 1];
            if (!each || !each->is_idling) continue;
            bool const is_gone = each->idling.expired();
            if (is_gone ? !each->may_be_dropped() : each->must_be_dropped())
                fail("channel " + each->history.name +
                     (is_gone ? " is dropped too early" : " is not dropped"));
            if (!is_gone) continue;
            ++covered_.dropped;
            take_away(index - 1);
        }
    }

    void open(std::size_t index, random_source& random) {
        auto const name = names[index];
        constexpr std::array<std::uint64_t, 4> counts{1, 3, 20, 100'000};
        channel_options options;
        options.log_events_max = counts[random.below(counts.size())];
        options.keys_max = keys_max_[index];
        if (random.one_in(4)) options.log_age_max = std::chrono::milliseconds{200};
        if (random.one_in(4)) options.on_overrun = overrun_policy::close;
        if (random.one_in(3)) options.log_bytes_max = 4096;
        if (random.one_in(5)) options.merge = &merge_json_fields;
        if (random.one_in(5)) options.publish_interval = std::chrono::milliseconds{30};
        if (random.one_in(2)) options.collected_bytes_max = 1000;
        options.publish_window_events = random.below(4);
        if (random.one_in(2)) options.publish_window_age = std::chrono::milliseconds{50};
        if (index != 0 && random.one_in(4)) options.idle_time_max = std::chrono::seconds{1};
        if (is_companion(index)) {
            options = {};
            if (random.one_in(4)) options.on_overrun = overrun_policy::close;
        }
        if (index == 0 && has_presence_) {
            options.presence = true;
            if (random.one_in(3)) options.presence_members_max = 1;
        }
        auto const source_of = source.try_open(name, options);
        channel_history history{name, source_of->epoch(), options};
        constexpr std::array<std::uint64_t, 4> keyless{0, 0, 3, 10};
        channels_[index] = std::make_unique<served_channel>(
            served_channel{source_of, std::move(history), publish_memory{options},
                           keyless[random.below(keyless.size())]});
        auto& opened = at(index);
        opened.interval = options.publish_interval;
        order_.push_back(index);
        if (options.presence) opened.members.emplace(options);
        if (options.idle_time_max.count() == 0) return;
        opened.is_idling = true;
        opened.idling = source_of;
        opened.idle_time_max = options.idle_time_max;
        opened.used = opened.touched = virtual_now;
        opened.source = {std::shared_ptr<void>{}, source_of.get()};
    }

    /// The last channel follows the first one. Which of them is first at one instant is open, so
    /// the first one is then on no timer and forgets nothing by itself.
    void begin_copy(random_source& random) {
        constexpr std::size_t from = 0;
        auto& to = at(channels_at_first - 1);
        auto const& options_of = at(from).source->options();
        bool const merges = at(from).history.merges || to.history.merges;
        // How many large events an index of keys keeps is not specified.
        bool const fits = options_of.log_bytes_max <= to.source->options().log_bytes_max;
        if (merges || !fits || to.is_idling || options_of.log_age_max.count() > 0) return;
        at(from).set_interval(std::chrono::nanoseconds{0});
        at(from).is_copied = true;
        slow_copy_options options{std::chrono::milliseconds{random.one_in(2) ? 10 : 30}};
        if (random.one_in(2)) options.mode = delivery_mode::every;
        to.copies.emplace(copying{from, options});
        source.copy(*at(from).source, *to.source, options);
    }

    std::array<std::unique_ptr<served_channel>, channel_count> channels_;
    std::array<std::size_t, channel_count> keys_max_{};
    std::vector<std::size_t> order_; // of the channels that are open, as they were created
    std::vector<std::unique_ptr<served_channel>> over_; // closed, and perhaps not read yet
    coverage& covered_;
    bool has_presence_;
    std::vector<presence_book::notice> told_; // what the companion must have, and is not seen yet
    seen_function call_seen_ = nullptr;
    void* context_ = nullptr;
};

} // namespace livetape::simulation
