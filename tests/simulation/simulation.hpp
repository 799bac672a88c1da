#pragma once

#include "client.hpp"
#include "request.hpp"
#include "server.hpp"
#include "verdict.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace livetape::simulation {

/// A few clients, a server and a clock in one thread: one random operation after the other, each
/// with its checks.
///
/// A step draws from a generator of its own, so a run is determined by its seed and by which steps
/// are made.
class simulation {
public:
    static constexpr std::size_t client_count = 4;

    simulation(std::uint64_t seed, coverage& seen) : seed_{seed}, covered_{seen} {
        virtual_now = time_point{std::chrono::hours{1}};
        random_source random{seed_, 0};
        during_encode = &simulation::publish_during_encode;
        during_encode_world = this;
        world_ = {nullptr,
                  &random,
                  &judge_,
                  &simulation::publish_during_callback,
                  &simulation::notice_matches,
                  this};
        for (std::size_t i = 0; i < client_count; ++i)
            clients_.push_back(std::make_unique<client>(world_, covered_, i % 2));
        restart();
    }
    ~simulation() { clients_.clear(); }
    simulation(simulation const&) = delete;
    simulation& operator=(simulation const&) = delete;

    [[nodiscard]] verdict const& judge() const { return judge_; }

    /// Makes the step of that number.
    /// @param is_told  print what is done
    void step(std::uint64_t number, bool is_told = false) {
        is_told_ = is_told;
        if (is_told_) tell("step " + std::to_string(number));
        random_source random{seed_, number + 1};
        world_.random = &random;
        // All may have been closed, or dropped because they were idle.
        if (server_->opened().empty()) server_->open_another(random);
        auto& who = *clients_[random.below(clients_.size())];
        auto const choice = random.below(1000);
        if (choice < 300) publish_burst();
        else if (choice < 520) run(random.below(2));
        else if (choice < 700) let_through(who);
        else if (choice < 860) act(who);
        else if (choice < 970) advance(std::chrono::milliseconds{random.below(20)});
        else if (choice < 980) request();
        else if (choice < 990) quiet();
        else if (choice < 992) server_->advance();
        else if (choice < 993) change_timer();
        else if (choice < 995) server_->open_another(random);
        else if (choice < 996) close_channel();
        else if (choice < 999) advance(std::chrono::milliseconds{random.below(40'000)});
        else restart();
        server_->check_presence();
        if (!server_->error.empty()) judge_.fail(server_->error);
    }

    /// Lets everything through and everybody read; then nothing may be left.
    void quiet() {
        ++covered_.quiet_checks;
        // Bounded, so that a session which never comes to rest is a failure and no hang.
        for (int turns = 0; judge_.is_right(); ++turns) {
            judge_.check(turns < 100'000, [] { return "the sessions do not come to rest"; });
            bool is_quiet = true;
            for (std::size_t i = 0; i < server_->loops.size(); ++i) {
                if (!server_->loops[i].is_woken()) continue;
                run(i, 100);
                is_quiet = false;
            }
            for (auto& each : clients_) {
                if (!each->is_writing()) continue;
                each->let_through(unlimited);
                is_quiet = false;
            }
            if (!is_quiet) continue;
            // Time goes on as long as somebody waits for a tick.
            auto const next = std::min(next_tick(), server_->is_waiting() ? server_->next_advance()
                                                                          : time_point::max());
            if (next == time_point::max()) break;
            advance(std::max(next, virtual_now) - virtual_now);
        }
        if (is_told_) tell("at rest");
        for (auto const& each : clients_) each->check_quiet();
        for (auto const& at : server_->loops)
            judge_.check(at.wakes.is_idle(),
                         [] { return "a loop sleeps, its dispatcher is not idle"; });
    }

private:
    static constexpr std::size_t unlimited = ~std::size_t{0};

    void tell(std::string const& what) const {
        if (is_told_) std::printf("%s\n", what.c_str());
    }

    [[nodiscard]] random_source& random() { return *world_.random; }

    /// The server is gone and another begins, with the same names and other epochs.
    void restart() {
        ++covered_.lives;
        for (auto& each : clients_)
            if (each->is_connected()) each->cut();
        server_ = std::make_unique<server>(mix_bits(seed_ + lives_++), random(), covered_);
        world_.on = server_.get();
        server_->on_event(
            [](void* self, channel_history const& in) {
                for (auto& each : static_cast<simulation*>(self)->clients_) each->note(in);
            },
            this);
    }

    void run(std::size_t loop_index, std::size_t subscribers_max) {
        for (auto& each : clients_)
            if (each->loop_index() == loop_index) each->begin_run();
        server_->loops[loop_index].run(subscribers_max);
        for (auto& each : clients_)
            if (each->loop_index() == loop_index) each->notice_matches();
    }

    void run(std::size_t loop_index) {
        auto& at = server_->loops[loop_index];
        if (!at.is_woken()) return;
        if (is_told_) tell("  loop " + std::to_string(loop_index) + " runs");
        run(loop_index, 1 + random().below(4));
    }

    void publish_burst() {
        for (auto more = 1 + random().below(random().one_in(12) ? 20 : 3); more > 0; --more)
            publish();
    }

    void publish(bool is_nested = false) {
        if (server_->opened().empty()) return;
        auto const index = server_->draw(random());
        // Who comes and goes meanwhile is not noticed yet.
        if (is_nested && server_->is_companion(index)) return;
        auto& to = server_->at(index);
        auto const key = draw_key(to);
        auto const drawn = draw_payload(to);
        auto const id =
            random().one_in(8) ? "h" + std::to_string(random().below(3)) : std::string{};
        auto const offset = server_->publish(index, key, drawn.payload, drawn.kind, id);
        if (is_told_)
            tell("  event " + std::to_string(offset) + " of " + to.history.name + ", key " + key +
                 ", " + std::to_string(drawn.payload.size()) + " bytes");
    }

    struct drawn_payload {
        std::string payload;
        payload_kind kind = payload_kind::json;
    };

    [[nodiscard]] drawn_payload draw_payload(served_channel const& to) {
        if (to.history.merges) return {draw_fields(to.next_offset())};
        auto const kind = static_cast<payload_kind>(random().below(3));
        auto size = random().below(20);
        bool const has_room = to.source->options().log_bytes_max > 4096;
        if (has_room && random().one_in(100))
            size = random().below(random().one_in(10) ? 70'000 : 1'000);
        if (kind == payload_kind::json) return {json_of(size)};
        if (kind == payload_kind::text) return {std::string(size, 't'), kind};
        return {bytes_of(size), kind};
    }

    [[nodiscard]] std::string draw_fields(std::uint64_t offset) {
        std::string object;
        for (auto const field : merged_fields)
            if (random().one_in(3))
                object.append(object.empty() ? "\"" : ",\"").append(field) +=
                    "\":" + std::to_string(offset);
        return '{' + object + '}';
    }

    [[nodiscard]] std::string draw_key(served_channel const& to) {
        if (random().below(10) < to.keyless_in_ten) return {};
        return "k" + std::to_string(random().below(server::keys));
    }

    /// Some have several lines, which an event stream cuts.
    [[nodiscard]] std::string json_of(std::size_t size) {
        if (random().one_in(10)) return "[1,\n2]";
        return '"' + std::string(size, 'j') + '"';
    }

    [[nodiscard]] std::string bytes_of(std::size_t size) {
        std::string bytes(size, '\0');
        for (auto& each : bytes) each = static_cast<char>(random().below(256));
        return bytes;
    }

    static void publish_during_encode(void* self) {
        auto& me = *static_cast<simulation*>(self);
        if (me.is_encoding_ || !me.random().one_in(300)) return;
        me.is_encoding_ = true;
        me.publish(true);
        me.is_encoding_ = false;
    }

    static void publish_during_callback(void* self) {
        auto& me = *static_cast<simulation*>(self);
        if (me.random().one_in(50)) me.publish(true);
    }

    static void notice_matches(void* self, std::size_t loop_index) {
        for (auto& each : static_cast<simulation*>(self)->clients_)
            if (each->loop_index() == loop_index) each->notice_matches();
    }

    void let_through(client& who) {
        if (!who.is_writing()) return;
        if (is_told_) tell("  room for the " + who.describe());
        who.let_through(random().one_in(2) ? unlimited : random().below(2000));
    }

    void act(client& who) {
        server_->touch();
        if (!who.is_connected()) return connect(who);
        auto const choice = random().below(20);
        if (is_told_)
            tell("  what " + who.describe_subscriptions() + "\n    does is " +
                 std::to_string(choice));
        if (choice == 0) return who.cut();
        if (choice == 1 && random().one_in(4)) return who.hang_up();
        if (!who.takes_commands()) return;
        // Now and then it names one that is not there.
        auto const channel =
            random().one_in(10) ? random().below(server::channel_count) : server_->draw(random());
        if (choice < 6)
            return who.subscribe(channel, random().one_in(2), draw_cursor(), random().one_in(20),
                                 draw_delivery());
        if (choice < 8) return who.unsubscribe(channel);
        if (choice < 13) return who.change(channel, draw_change());
        if (choice < 15)
            return who.give_credit(channel, 1 + static_cast<std::uint32_t>(random().below(3)));
        if (choice < 16) return who.ask_for_stats(channel);
        if (choice < 17 && random().one_in(2)) return subscribe_to_pattern(who);
        if (choice < 17) return who.ask_for_history(channel, draw_question(channel));
        if (!who.is_plain()) publish_by(who, channel);
    }

    void subscribe_to_pattern(client& who) {
        std::string const pattern{patterns[random().below(patterns.size())]};
        if (random().one_in(3)) return who.unsubscribe(pattern);
        who.subscribe(pattern, random().one_in(2), draw_cursor(), draw_delivery());
    }

    [[nodiscard]] publish_request draw_publish(std::size_t channel) {
        if (!server_->is_open(channel)) return {channel, {}, "0", {}, {}};
        auto const& to = server_->at(channel);
        publish_request wanted{channel, draw_key(to), {}, {}, {}};
        if (to.history.merges) wanted.payload = draw_fields(to.next_offset());
        else if (random().one_in(3)) wanted.kind = payload_kind::binary;
        if (wanted.kind == payload_kind::binary) wanted.payload = bytes_of(random().below(20));
        else if (!to.history.merges) wanted.payload = json_of(random().below(10));
        if (random().one_in(2)) wanted.message_id = "m" + std::to_string(random().below(2));
        return wanted;
    }

    void publish_by(client& who, std::size_t channel) {
        auto const wanted = draw_publish(channel);
        if (who.publish(wanted))
            server_->note(channel, wanted.key, wanted.payload, wanted.kind,
                          id_of_publish(who.who().id, wanted.message_id));
        who.pump();
    }

    /// Somebody makes a request that is answered at once.
    void request() {
        server_->touch();
        auto const channel = server_->draw(random());
        if (is_told_) tell("  a request about " + server_->at(channel).history.name);
        if (server_->at(channel).members && random().one_in(4))
            return requests_.ask_for_presence(channel);
        if (random().one_in(2) || channel == server::companion)
            return requests_.ask_for_history(channel, draw_question(channel), random().one_in(2));
        auto wanted = draw_publish(channel);
        if (wanted.kind == payload_kind::binary && random().one_in(2))
            wanted = {channel, wanted.key, std::string(wanted.payload.size(), 't'),
                      payload_kind::text, wanted.message_id};
        requests_.publish(wanted);
    }

    /// The last one stays open.
    void close_channel() {
        if (server_->opened().size() == 1) return;
        auto const index = server_->draw(random());
        if (is_told_) tell("  closes " + server_->at(index).history.name);
        server_->close(index, random());
    }

    void change_timer() {
        constexpr std::array<std::uint64_t, 3> intervals{0, 10, 30};
        server_->set_interval(server_->draw(random()),
                              std::chrono::milliseconds{intervals[random().below(3)]});
    }

    [[nodiscard]] history_question draw_question(std::size_t channel) {
        auto const last = server_->is_open(channel) ? server_->at(channel).history.last() : 0;
        history_question asked;
        if (random().one_in(2)) asked.from = random().below(last + 2);
        if (random().one_in(3)) asked.to = random().below(last + 3);
        if (random().one_in(2)) asked.limit = 1 + random().below(5);
        asked.is_reversed = random().one_in(3);
        return asked;
    }

    [[nodiscard]] client::request::from draw_cursor() {
        using from = client::request::from;
        constexpr std::array<from, 6> cursors{from::nothing, from::now,  from::oldest,
                                              from::seen,    from::seen, from::seen};
        return cursors[random().below(cursors.size())];
    }

    [[nodiscard]] delivery_change draw_delivery() {
        constexpr std::array<std::uint64_t, 5> intervals{0, 0, 10, 25, 40};
        delivery_change wanted;
        if (random().one_in(2))
            wanted.mode = random().one_in(3) ? delivery_mode::every : delivery_mode::latest;
        if (random().one_in(2)) {
            wanted.interval =
                std::chrono::milliseconds{intervals[random().below(intervals.size())]};
            wanted.is_rate = wanted.interval->count() > 0 && random().one_in(2);
        }
        if (random().one_in(4)) wanted.credit = static_cast<std::uint32_t>(random().below(4));
        if (random().one_in(3)) wanted.keys = draw_keys();
        return wanted;
    }

    [[nodiscard]] delivery_change draw_change() {
        delivery_change wanted;
        if (random().one_in(3)) {
            auto const add = draw_keys();
            for (auto const& key : draw_keys())
                if (std::find(add.begin(), add.end(), key) == add.end())
                    wanted.remove_keys.push_back(key);
            wanted.add_keys = add;
            return wanted;
        }
        wanted = draw_delivery();
        if (random().one_in(8)) wanted.credit = std::optional<std::uint32_t>{};
        if (random().one_in(8)) wanted.keys = std::optional<std::vector<std::string>>{};
        return wanted;
    }

    [[nodiscard]] std::vector<std::string> draw_keys() {
        std::vector<std::string> keys;
        while (random().below(4) > 0) add_key(keys, random().below(server::keys + 1));
        return keys;
    }

    static void add_key(std::vector<std::string>& keys, std::uint64_t index) {
        auto key = index == server::keys ? std::string{} : "k" + std::to_string(index);
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
    }

    void connect(client& who) {
        client::request asked;
        asked.transport = static_cast<transport_kind>(random().below(5));
        for (auto const i : server_->opened())
            if (random().one_in(2)) asked.channels.push_back(i);
        if (asked.channels.empty()) asked.channels.push_back(server_->draw(random()));
        if (asked.transport != transport_kind::plain && random().one_in(5)) {
            asked.patterns.emplace_back(patterns[random().below(patterns.size())]);
            if (random().one_in(2)) asked.channels.clear();
        }
        asked.has_snapshot = random().one_in(2);
        asked.cursor = draw_cursor();
        asked.is_async = random().one_in(2);
        if (asked.transport == transport_kind::long_poll)
            asked.wait_seconds = 1 + random().below(10);
        if (random().one_in(4)) asked.limit = 1 + random().below(5);
        asked.who = draw_person();
        asked.delivery = draw_delivery();
        // A query has no word for credit.
        if (asked.transport != transport_kind::plain) asked.delivery.credit.reset();
        who.connect(asked);
        if (is_told_) tell("  connected the " + who.describe_subscriptions());
    }

    [[nodiscard]] person draw_person() {
        constexpr std::array<std::string_view, 3> ids{"", "ann", "bob"};
        person who{std::string{ids[random().below(ids.size())]}, {}};
        if (random().one_in(2)) who.info = random().one_in(2) ? "1" : "{\"n\":2}";
        return who;
    }

    [[nodiscard]] time_point next_tick() const {
        return std::min(server_->loops[0].awaited_tick(), server_->loops[1].awaited_tick());
    }

    void tick(std::size_t loop_index) {
        auto& at = server_->loops[loop_index];
        for (auto& each : clients_)
            if (each->loop_index() == loop_index) each->tick();
        at.tick();
    }

    /// Lets time pass, and calls those whose deadline comes.
    void advance(time_point::duration by) {
        auto const until = virtual_now + by;
        for (int calls = 0; judge_.is_right(); ++calls) {
            judge_.check(calls < 10'000, [] { return "a deadline leads to itself"; });
            auto const next = std::min_element(
                clients_.begin(), clients_.end(),
                [](auto const& a, auto const& b) { return a->wakes_at() < b->wakes_at(); });
            auto const at = std::min({(*next)->wakes_at(), next_tick(), server_->next_advance()});
            if (at > until) break;
            server_->note_use();
            virtual_now = std::max(virtual_now, at);
            if (server_->next_advance() <= virtual_now) server_->advance();
            if (!server_->error.empty()) judge_.fail(server_->error);
            for (std::size_t i = 0; i < server_->loops.size(); ++i)
                if (server_->loops[i].awaited_tick() <= virtual_now) tick(i);
            if ((*next)->wakes_at() <= virtual_now) (*next)->pump();
        }
        server_->note_use();
        virtual_now = until;
        server_->note_use();
        if (is_told_) tell("  it is " + std::to_string(virtual_now.time_since_epoch().count()));
    }

    std::uint64_t seed_;
    std::uint64_t lives_ = 0;
    bool is_told_ = false;
    bool is_encoding_ = false; ///< a publish is under way inside an encoder
    coverage& covered_;
    verdict judge_;
    surroundings world_;
    request_client requests_{world_, covered_};
    std::unique_ptr<server> server_;
    std::vector<std::unique_ptr<client>> clients_;
};

} // namespace livetape::simulation
