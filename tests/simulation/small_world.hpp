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

/// An event as this small world sends it: its offset in eight digits.
struct offset_encoder {
    static constexpr std::size_t event_bytes = 8;

    static void encode(event_view const& event, std::string& out) {
        auto const digits = std::to_string(event.offset);
        out.append(event_bytes - digits.size(), '0').append(digits);
    }
    static std::size_t overhead(event_view const&) { return event_bytes; }
};

/// A subscriber of a channel with two keys, with the little that its connection does.
///
/// Each action says whether it did anything.
class small_reader {
public:
    /// @param last  the newest event of the channel
    small_reader(loop& on, std::shared_ptr<channel> const& source, std::uint64_t last)
        : cursors_{std::make_unique<subscriber>(on.wakes)}, first_{last + 1} {
        cursors_->on_ready([](void* self) noexcept { static_cast<small_reader*>(self)->flush(); },
                           this);
        opened_cursor opened;
        of_ = &cursors_->add(source, encoding_of<offset_encoder>, {}, {}, opened);
    }
    small_reader(small_reader const&) = delete;
    small_reader& operator=(small_reader const&) = delete;

    void note(std::string_view key, std::uint64_t offset) {
        if (key == "a") newest_a_ = offset;
        else if (!chosen_.keys) newest_b_ = offset;
    }

    /// Whether it was destroyed in its callback: nothing but a check may follow.
    [[nodiscard]] bool is_gone() const { return !cursors_; }

    bool doom() { return !std::exchange(is_doomed_, true); }

    bool change_mode() {
        if (is_writing_) return false;
        chosen_.mode =
            chosen_.mode == delivery_mode::every ? delivery_mode::latest : delivery_mode::every;
        return change();
    }

    bool change_rate() {
        if (is_writing_) return false;
        chosen_.interval = std::chrono::milliseconds{10} - chosen_.interval;
        return change();
    }

    bool change_keys() {
        if (is_writing_) return false;
        if (std::exchange(chosen_.keys, std::nullopt)) return change();
        chosen_.keys = std::vector<std::string>{"a"};
        newest_b_ = 0; // what is dropped of it does not come back
        return change();
    }

    /// Reads, and sends so many bytes of it.
    bool read(std::size_t written) {
        if (is_writing_ || !is_roused()) return false;
        gather();
        settle(written);
        return true;
    }

    /// Reads, and begins a write.
    bool park() {
        if (is_writing_ || !is_roused()) return false;
        gather();
        if (batch_.empty()) return true;
        is_writing_ = true;
        cursors_->set_writing(true);
        return true;
    }

    /// The write ends after its first event.
    bool end_write() {
        if (!std::exchange(is_writing_, false)) return false;
        cursors_->set_writing(false);
        settle(offset_encoder::event_bytes);
        return true;
    }

    /// At rest: empty if nothing is lost, late or comes twice.
    [[nodiscard]] std::string check(std::uint64_t last) const {
        if (!failure_.empty()) return failure_;
        if (of_->is_behind()) return "is not woken for what is due";
        if (of_->counters().sum() != last + 1 - first_) return "the counters do not add up";
        if (newest_a_ > 0 && !has(newest_a_)) return "the newest event of a is lost";
        if (newest_b_ > 0 && !has(newest_b_)) return "the newest event of b is lost";
        return {};
    }

private:
    [[nodiscard]] bool has(std::uint64_t offset) const {
        return std::find(received_.begin(), received_.end(), offset) != received_.end();
    }

    /// Whether a read can change anything.
    [[nodiscard]] bool is_roused() const { return cursors_->is_due() || cursors_->is_linked(); }

    bool change() {
        cursors_->change(*of_, chosen_);
        return true;
    }

    void flush() {
        if (!is_doomed_) {
            read(~std::size_t{0});
            return;
        }
        batch_.clear();
        cursors_.reset();
    }

    void gather() {
        subscriber::missed_events missed;
        while (!batch_.is_full()) {
            auto const came = cursors_->take(batch_, missed);
            if (came == subscriber::taken::gap) failure_ = "a gap where everything is kept";
            if (came != subscriber::taken::run) break;
        }
    }

    void settle(std::size_t written) {
        constexpr auto event_bytes = offset_encoder::event_bytes;
        std::string bytes;
        for (std::size_t i = 0; i < batch_.count(); ++i) bytes += batch_.piece(i);
        bytes.resize(std::min(written, bytes.size()));
        batch_.settle(bytes.size());
        for (std::size_t at = 0; at < bytes.size(); at += event_bytes) {
            auto const offset = std::stoull(bytes.substr(at, event_bytes));
            if (has(offset)) failure_ = "an event comes twice";
            received_.push_back(offset);
        }
        if (cursors_->is_due()) cursors_->make_ready();
    }

    std::unique_ptr<subscriber> cursors_;
    subscription* of_ = nullptr;
    write_batch batch_;
    delivery_options chosen_;
    std::vector<std::uint64_t> received_;
    std::uint64_t first_, newest_a_ = 0, newest_b_ = 0;
    bool is_writing_ = false, is_doomed_ = false;
    std::string failure_;
};

/// A channel, a loop and two subscribers, small enough that all that can happen to them in a few
/// steps is tried: what hides from random runs is a wake-up lost in one rare order.
class small_world {
public:
    enum class verb : std::uint8_t {
        publish_a,
        publish_b,
        run,
        tick,
        read_all,
        read_one,
        read_nothing,
        park,
        end_write,
        change_mode,
        change_rate,
        change_keys,
        subscribe,
        doom, ///< destroys the subscriber in its next callback
    };
    struct action {
        verb what;
        std::size_t who = 0;
    };

    explicit small_world(std::size_t readers) : readers_(readers) {
        for (std::size_t i = 0; i < readers; ++i) subscribe(i);
    }
    ~small_world() { readers_.clear(); }
    small_world(small_world const&) = delete;
    small_world& operator=(small_world const&) = delete;

    /// Does it; false if that changes nothing.
    bool act(action const& wanted) {
        switch (wanted.what) {
        case verb::publish_a: return publish("a");
        case verb::publish_b: return publish("b");
        case verb::run: return run(1);
        case verb::tick: return tick();
        case verb::subscribe: return subscribe(wanted.who);
        default: break;
        }
        auto* const who = readers_[wanted.who].get();
        if (who == nullptr || who->is_gone()) return false;
        switch (wanted.what) {
        case verb::read_all: return who->read(~std::size_t{0});
        case verb::read_one: return who->read(offset_encoder::event_bytes);
        case verb::read_nothing: return who->read(0);
        case verb::park: return who->park();
        case verb::end_write: return who->end_write();
        case verb::change_mode: return who->change_mode();
        case verb::change_rate: return who->change_rate();
        case verb::change_keys: return who->change_keys();
        default: return who->doom();
        }
    }

    /// Lets everybody read, without asking anybody to: empty if nothing is lost or comes twice.
    [[nodiscard]] std::string come_to_rest() {
        for (auto const& each : readers_)
            if (!each->is_gone()) each->end_write();
        for (int turns = 0; turns < 100; ++turns)
            if (!run(10) && (loop_.awaited_tick() == time_point::max() || !tick())) break;
        for (auto const& each : readers_)
            if (!each->is_gone())
                if (auto failure = each->check(last_); !failure.empty()) return failure;
        return {};
    }

private:
    bool publish(std::string_view key) {
        last_ = source_->publish("x", {key});
        for (auto const& each : readers_) each->note(key, last_);
        return true;
    }

    bool subscribe(std::size_t who) {
        readers_[who].reset();
        readers_[who] = std::make_unique<small_reader>(loop_, source_, last_);
        return true;
    }

    bool run(std::size_t subscribers_max) {
        if (!loop_.is_woken()) return false;
        loop_.run(subscribers_max);
        return true;
    }

    bool tick() {
        virtual_now = std::max(virtual_now, std::min(loop_.awaited_tick(),
                                                     virtual_now + std::chrono::milliseconds{10}));
        if (loop_.awaited_tick() <= virtual_now) loop_.tick();
        return true;
    }

    hub all_{{}, {10, 1, read_virtual_now}};
    std::shared_ptr<channel> source_ = all_.try_open("c");
    loop loop_;
    std::vector<std::unique_ptr<small_reader>> readers_;
    std::uint64_t last_ = 0;
};

} // namespace livetape::simulation
