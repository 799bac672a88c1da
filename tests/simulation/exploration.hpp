#pragma once

#include "server.hpp"

#include <livetape/channel/subscriber.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace livetape::simulation {

/// A channel with two keys, a loop and a subscriber, small enough that all that can happen to them
/// in a few steps is tried: what hides from random runs is a wake-up lost in one rare order.
class small_world {
public:
    enum class action : std::uint8_t {
        publish_a,
        publish_b,
        run,
        read_all,
        read_one,
        read_nothing,
        park,
        end_write,
        tick,
        change_mode,
        change_rate,
        change_keys,
        subscribe,
        destroy_in_callback,
    };
    static constexpr std::size_t actions = 14;

    small_world() { subscribe(); }
    ~small_world() { who_.reset(); }
    small_world(small_world const&) = delete;
    small_world& operator=(small_world const&) = delete;

    void act(action what) {
        bool const is_change = what >= action::change_mode && what <= action::change_keys;
        if (is_change && (!who_ || is_writing_)) return;
        switch (what) {
        case action::publish_a: return publish("a");
        case action::publish_b: return publish("b");
        case action::run: return loop_.is_woken() ? loop_.run(1) : void();
        case action::read_all: return read(all_of_it);
        case action::read_one: return read(event_bytes);
        case action::read_nothing: return read(0);
        case action::park: return park();
        case action::end_write: return end_write();
        case action::tick: return tick();
        case action::change_mode:
            chosen_.mode =
                chosen_.mode == delivery_mode::every ? delivery_mode::latest : delivery_mode::every;
            return change();
        case action::change_rate:
            chosen_.interval = std::chrono::milliseconds{10} - chosen_.interval;
            return change();
        case action::change_keys:
            if (std::exchange(chosen_.keys, std::nullopt)) return change();
            chosen_.keys = std::vector<std::string>{"a"};
            newest_b_ = 0; // what is dropped of it does not come back
            return change();
        case action::subscribe: return subscribe();
        case action::destroy_in_callback: is_doomed_ = true; return;
        }
    }

    /// Lets everybody read, without asking anybody to: empty if nothing is lost or comes twice.
    std::string come_to_rest() {
        end_write();
        for (int turns = 0; turns < 100; ++turns) {
            if (loop_.is_woken()) loop_.run(10);
            else if (loop_.awaited_tick() != time_point::max()) tick();
            else break;
        }
        if (!failure_.empty()) return failure_;
        if (!who_) return {};
        if (of_->is_behind()) return "is not woken for what is due";
        if (of_->counters().sum() != last_ + 1 - first_) return "the counters do not add up";
        if (newest_a_ > 0 && !has(newest_a_)) return "the newest event of a is lost";
        if (newest_b_ > 0 && !has(newest_b_)) return "the newest event of b is lost";
        return {};
    }

private:
    static constexpr std::size_t all_of_it = ~std::size_t{0};
    static constexpr std::size_t event_bytes = 8;

    struct offset_encoder {
        static void encode(event_view const& event, std::string& out) {
            auto const digits = std::to_string(event.offset);
            out.append(event_bytes - digits.size(), '0').append(digits);
        }
        static std::size_t overhead(event_view const&) { return event_bytes; }
    };

    [[nodiscard]] bool has(std::uint64_t offset) const {
        return std::find(received_.begin(), received_.end(), offset) != received_.end();
    }

    void publish(std::string const& key) {
        last_ = source_->publish("x", {key});
        if (key == "a") newest_a_ = last_;
        else if (!chosen_.keys) newest_b_ = last_;
    }

    void subscribe() {
        batch_.clear();
        is_writing_ = is_doomed_ = false;
        who_ = std::make_unique<subscriber>(loop_.wakes);
        who_->on_ready([](void* self) noexcept { static_cast<small_world*>(self)->flush(); }, this);
        opened_cursor opened;
        chosen_ = {};
        of_ = &who_->add(source_, encoding_of<offset_encoder>, {}, chosen_, opened);
        received_.clear();
        first_ = last_ + 1;
        newest_a_ = newest_b_ = 0;
    }

    void change() { who_->change(*of_, chosen_); }

    void flush() {
        if (!is_doomed_) return read(all_of_it);
        batch_.clear();
        who_.reset();
    }

    void gather() {
        subscriber::missed_events missed;
        while (!batch_.is_full()) {
            auto const came = who_->take(batch_, missed);
            if (came == subscriber::taken::gap) failure_ = "a gap where everything is kept";
            if (came != subscriber::taken::run) break;
        }
    }

    void settle(std::size_t written) {
        std::string bytes;
        for (std::size_t i = 0; i < batch_.count(); ++i) bytes += batch_.piece(i);
        bytes.resize(std::min(written, bytes.size()));
        batch_.settle(bytes.size());
        for (std::size_t at = 0; at < bytes.size(); at += event_bytes) {
            auto const offset = std::stoull(bytes.substr(at, event_bytes));
            if (has(offset)) failure_ = "an event comes twice";
            received_.push_back(offset);
        }
        if (who_->is_due()) who_->make_ready();
    }

    void read(std::size_t written) {
        if (!who_ || is_writing_) return;
        gather();
        settle(written);
    }

    void park() {
        if (!who_ || is_writing_) return;
        gather();
        if (batch_.empty()) return;
        is_writing_ = true;
        who_->set_writing(true);
    }

    void end_write() {
        if (!who_ || !std::exchange(is_writing_, false)) return;
        who_->set_writing(false);
        settle(event_bytes);
    }

    void tick() {
        virtual_now = std::max(virtual_now, std::min(loop_.awaited_tick(),
                                                     virtual_now + std::chrono::milliseconds{10}));
        if (loop_.awaited_tick() <= virtual_now) loop_.tick();
    }

    hub all_{{}, {10, 1, read_virtual_now}};
    std::shared_ptr<channel> source_ = all_.try_open("c");
    loop loop_;
    std::unique_ptr<subscriber> who_;
    subscription* of_ = nullptr;
    write_batch batch_;
    delivery_options chosen_;
    std::vector<std::uint64_t> received_;
    std::uint64_t first_ = 1, last_ = 0, newest_a_ = 0, newest_b_ = 0;
    bool is_writing_ = false, is_doomed_ = false;
    std::string failure_;
};

/// Tries every sequence of so many actions; their number is returned, or what went wrong.
struct exploration {
    std::uint64_t sequences = 0;
    std::string failure;
};

inline exploration explore(std::size_t length) {
    exploration result;
    std::vector<std::size_t> steps(length);
    for (;;) {
        virtual_now = time_point{std::chrono::hours{1}};
        small_world world;
        for (auto const step : steps) world.act(static_cast<small_world::action>(step));
        ++result.sequences;
        result.failure = world.come_to_rest();
        if (!result.failure.empty()) {
            result.failure += ", after actions";
            for (auto const step : steps) result.failure += ' ' + std::to_string(step);
            return result;
        }
        auto next = steps.rbegin();
        while (next != steps.rend() && ++*next == small_world::actions) *next++ = 0;
        if (next == steps.rend()) return result;
    }
}

} // namespace livetape::simulation
