#pragma once

#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace livetape {

/// What runs when it is told to: every pipeline, and a host's own that does the same.
template <class Pipeline>
concept runnable = std::move_constructible<Pipeline> &&
    requires(Pipeline each, event_time time, std::size_t events_max) {
    { each.run(events_max) } -> std::convertible_to<std::size_t>;
    each.advance(time);
    each.tick();
    each.finish();
    { each.problems() } -> std::convertible_to<diagnostics const&>;
};

/// A pipeline of any type, so that a program can hold several: `std::vector<any_pipeline>`.
///
/// One allocation; a call costs an indirection more, once per `run`, not per event. Moving leaves
/// it empty, and an empty one may only be assigned to or destroyed. Thread safety: distinct objects
/// safe; shared objects unsafe.
class any_pipeline {
public:
    template <class Pipeline>
    requires(!std::same_as<Pipeline, any_pipeline> && runnable<Pipeline>)
        // Meant to convert: a description is put where any pipeline goes.
        any_pipeline(Pipeline held) // NOLINT(google-explicit-constructor)
        : held_{std::make_unique<holder<Pipeline>>(std::move(held))} {}

    /// See `pipeline`, as for the others.
    std::size_t run(std::size_t events_max = 1000) { return held_->run(events_max); }
    void advance(event_time time) { held_->advance(time); }
    void tick() { held_->tick(); }
    void finish() { held_->finish(); }
    [[nodiscard]] diagnostics const& problems() const { return held_->problems(); }

private:
    struct base {
        base() = default;
        base(base const&) = delete;
        base& operator=(base const&) = delete;
        virtual ~base() = default;
        virtual std::size_t run(std::size_t events_max) = 0;
        virtual void advance(event_time time) = 0;
        virtual void tick() = 0;
        virtual void finish() = 0;
        [[nodiscard]] virtual diagnostics const& problems() const = 0;
    };

    template <class Pipeline>
    struct holder final : base {
        explicit holder(Pipeline held) : pipeline{std::move(held)} {}
        std::size_t run(std::size_t events_max) override { return pipeline.run(events_max); }
        void advance(event_time time) override { pipeline.advance(time); }
        void tick() override { pipeline.tick(); }
        void finish() override { pipeline.finish(); }
        [[nodiscard]] diagnostics const& problems() const override { return pipeline.problems(); }

        Pipeline pipeline;
    };

    std::unique_ptr<base> held_;
};

/// The pipelines of a program, which runs them by one call from its timer:
///
///     pipelines all;
///     auto const bars = all.add(from(ticks)…);
///     all.run_at(now);            // from a timer
///     all.stop(bars);             // closes its windows and lets go of it
///
/// They run in the order in which they were added, so that one may read what another publishes.
/// Thread safety: distinct objects safe; shared objects unsafe.
class pipelines {
public:
    /// Names a pipeline; never used again.
    enum class id : std::uint64_t {};

    id add(any_pipeline each) {
        members_.push_back({id{++last_id_}, std::move(each)});
        return members_.back().name;
    }

    /// Runs all of them until there is nothing more to read, but at most so many events, a turn
    /// each, so that none starves the others. @return the number of events read
    std::size_t run(std::size_t events_max = 100'000) {
        std::size_t read = 0;
        for (bool is_done = false; !is_done && read < events_max;) {
            is_done = true;
            for (auto& each : members_) {
                auto const some = each.pipeline.run(std::min(events_max - read, turn_events));
                read += some;
                if (some > 0) is_done = false;
                if (read >= events_max) break;
            }
        }
        return read;
    }

    /// Runs all of them, lets event time pass to `now`, and publishes what was held back for a
    /// tick: what a host with a clock and a timer calls.
    std::size_t run_at(event_time now, std::size_t events_max = 100'000) {
        auto const read = run(events_max);
        advance(now);
        tick();
        return read;
    }

    void advance(event_time time) {
        for (auto& each : members_) each.pipeline.advance(time);
    }
    void tick() {
        for (auto& each : members_) each.pipeline.tick();
    }

    /// Reads what there is and closes all windows, at the end of the stream.
    void finish() {
        for (auto& each : members_) {
            // What those before it published at their end is read, too.
            while (each.pipeline.run() > 0) {
            }
            each.pipeline.finish();
        }
    }

    /// Closes the windows of one and lets go of it. @return whether it was there
    bool stop(id which) {
        for (auto at = members_.begin(); at != members_.end(); ++at) {
            if (at->name != which) continue;
            at->pipeline.finish();
            members_.erase(at);
            return true;
        }
        return false;
    }

    /// The same with all, as at the end of the program.
    void stop() {
        finish();
        members_.clear();
    }

    [[nodiscard]] any_pipeline* find(id which) noexcept {
        for (auto& each : members_)
            if (each.name == which) return &each.pipeline;
        return nullptr;
    }
    [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }

    /// How often a problem occurred in all that are running.
    [[nodiscard]] std::uint64_t count(problem which) const {
        std::uint64_t sum = 0;
        for (auto const& each : members_) sum += each.pipeline.problems().count(which);
        return sum;
    }

private:
    static constexpr std::size_t turn_events = 1000;

    struct member {
        id name;
        any_pipeline pipeline;
    };

    std::vector<member> members_;
    std::uint64_t last_id_ = 0;
};

} // namespace livetape
