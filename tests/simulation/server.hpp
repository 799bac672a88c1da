#pragma once

#include "subscription_queue.hpp"
#include "verdict.hpp"
#include "virtual_clock.hpp"
#include "wire_text.hpp"

#include <livetape/channel/dispatcher.hpp>
#include <livetape/channel/hub.hpp>
#include <livetape/transport/endpoint.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

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

/// A channel beside the history that its subscribers must see.
struct served_channel {
    std::shared_ptr<channel> source;
    channel_history history;
    bool has_large_payloads = false;
    std::uint64_t keyless_in_ten = 0; ///< events of ten that have no key

    /// Whether retention never passes anybody.
    [[nodiscard]] bool keeps_all() const {
        auto const& limits = source->options();
        return limits.log_events_max > 1000 && limits.log_bytes_max > 4096 &&
               limits.log_age_max.count() == 0;
    }
};

/// One life of a server: a hub with the channels, each drawn anew, and two loops.
class server {
public:
    static constexpr std::size_t channel_count = 3;
    static constexpr std::array<std::string_view, channel_count> names{"a", "b.c", "long-name"};
    static constexpr std::size_t keys = 8;

    server(std::uint64_t seed, random_source& random)
        : source{{}, {channel_count, seed, read_virtual_now}}, endpoint{source, options()} {
        for (std::size_t i = 0; i < channel_count; ++i) open(names[i], random);
    }

    [[nodiscard]] served_channel& at(std::size_t index) { return *channels_[index]; }

    /// Publishes into the channel and its history; the offset is returned.
    std::uint64_t publish(std::size_t index, std::string_view key, std::string_view payload,
                          payload_kind kind, verdict& judge) {
        auto& to = at(index);
        auto const offset = to.source->publish(payload, {key, kind});
        note(index, key, payload, kind);
        judge.check(offset == to.history.last(), [] { return "publish returned a wrong offset"; });
        return offset;
    }

    /// Puts an event that was published into the history.
    void note(std::size_t index, std::string_view key, std::string_view payload,
              payload_kind kind) {
        auto& to = at(index);
        auto head = "{\"channel\":\"" + std::string{names[index]} +
                    "\",\"offset\":" + std::to_string(to.history.last() + 1);
        if (!key.empty()) head.append(",\"key\":\"").append(key) += '"';
        std::string rest, binary_rest;
        if (kind == payload_kind::binary) binary_rest.append("}\n").append(payload);
        if (kind == payload_kind::json) rest.append(",\"data\":").append(payload);
        else if (kind == payload_kind::text) rest.append(",\"data\":\"").append(payload) += '"';
        // Binary payloads are three zeros, again and again.
        else rest.append(",\"data64\":\"").append(payload.size() / 3 * 4, 'A') += '"';
        to.history.publish(
            {std::string{key}, std::move(head), rest += '}', std::move(binary_rest)});
        look_at_retention(index);
    }

    void expire() {
        source.advance(virtual_now);
        for (std::size_t i = 0; i < channel_count; ++i) look_at_retention(i);
    }

    /// What retention keeps is the channel's to say; that it keeps enough and not too much is
    /// checked here.
    void look_at_retention(std::size_t index) {
        auto& of = at(index);
        auto const first = of.source->first_offset();
        auto const& limits = of.source->options();
        auto const last = of.history.last();
        auto const by_count = last > limits.log_events_max ? last - limits.log_events_max + 1 : 1;
        bool const is_exact = limits.log_bytes_max > (1u << 20) && limits.log_age_max.count() == 0;
        if (first < of.history.first_kept || first < by_count || first > last + 1 ||
            (is_exact && first != by_count))
            retention_error = "retention keeps from " + std::to_string(first) + " on, of " +
                              std::to_string(last) + " events in " + of.history.name;
        of.history.first_kept = first;
    }

    hub source;
    live_endpoint endpoint;
    std::array<loop, 2> loops;
    std::string retention_error;

private:
    static live_options options() {
        live_options options;
        options.sse_retry_jitter = {};
        options.hooks.publish = [](std::string_view, std::string_view) { return true; };
        return options;
    }

    void open(std::string_view name, random_source& random) {
        constexpr std::array<std::uint64_t, 4> counts{1, 3, 20, 100'000};
        channel_options options;
        options.log_events_max = counts[random.below(counts.size())];
        options.keys_max = random.one_in(3) ? 1 + random.below(keys) : 1000;
        if (random.one_in(4)) options.log_age_max = std::chrono::milliseconds{200};
        if (random.one_in(4)) options.on_overrun = overrun_policy::close;
        if (random.one_in(3)) options.log_bytes_max = 4096;
        auto const source_of = source.try_open(name, options);
        channel_history history{name, source_of->epoch(), options};
        constexpr std::array<std::uint64_t, 4> keyless{0, 0, 3, 10};
        channels_[opened_++] = std::make_unique<served_channel>(
            served_channel{source_of, std::move(history), options.log_bytes_max > 4096,
                           keyless[random.below(keyless.size())]});
    }

    std::array<std::unique_ptr<served_channel>, channel_count> channels_;
    std::size_t opened_ = 0;
};

} // namespace livetape::simulation
