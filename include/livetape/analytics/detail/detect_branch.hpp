#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/alert_rule.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/detail/output.hpp>
#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/detection.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/emission.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace livetape::detail {

/// One way of a pipeline from records to alerts and an output: a detector per key, or one for all
/// of them, that is asked about each event as it comes.
template <class View, std::size_t Numbers, class Detector, class Alerts, class Output>
class detect_branch {
public:
    using said_type = said_by<Detector, Numbers>;
    using result_type = detection<said_type>;

    detect_branch(View view, Detector detector, Alerts alerts, group_options const& options,
                  Output output, emission when)
        : view_{std::move(view)}, groups_{group{std::move(detector), {}, std::nullopt}, options},
          alerts_{std::move(alerts)}, output_{std::move(output)}, when_{when} {}

    /// @param key_hash  `group_hash` of the event's key
    template <class Record>
    void take(Record const& event, std::uint64_t key_hash, diagnostics& problems) {
        view_.pass(event, problems, [&](auto const& seen) { add(seen, key_hash, problems); });
    }

    /// Detectors know no time but that of events.
    void advance(event_time, diagnostics&) {}

    /// Publishes what `emission::on_tick` has held back.
    void tick(diagnostics& problems) {
        if (when_ != emission::on_tick) return;
        groups_.for_each(
            [&](std::string_view key, group& each) { send_held(key, each, problems); });
    }

    void finish(diagnostics& problems) { tick(problems); }

private:
    struct group {
        Detector detector;
        alert_state alert;
        std::optional<result_type> held; // for the next tick
    };

    void add(record<Numbers> const& event, std::uint64_t key_hash, diagnostics& problems) {
        std::string_view const name = View::is_whole ? std::string_view{} : event.key;
        if constexpr (!View::keeps_keys) key_hash = groups_.hash_of(name);
        latest_ = std::max(latest_, event.time);
        auto& own = groups_.at(name, key_hash, [&](std::string_view key, group& evicted) {
            problems.note(problem::key_evicted, key, event.time);
            send_held(key, evicted, problems);
            alerts_.resolve(evicted.alert, key, latest_);
        });
        auto const left_out = left_out_of(own.detector);
        auto said = judge(own.detector, sample<Numbers>{event.time, event.key, event.numbers});
        double value = undefined;
        if constexpr (Numbers > 0) value = event.numbers[0];
        // A number that is not finite has been noted already.
        if (left_out_of(own.detector) != left_out && is_finite(value)) [[unlikely]]
            problems.note(problem::not_finite, event.key, event.time);
        result_type const result{event.time, value, std::move(said)};
        alerts_.judge(own.alert, name, result, problems);
        if (!is_news(result.said)) return;
        if (when_ == emission::on_tick) own.held = result;
        else output_.send(name, result, problems);
    }

    void send_held(std::string_view key, group& each, diagnostics& problems) {
        if (!each.held) return;
        output_.send(key, *each.held, problems);
        each.held.reset();
    }

    View view_;
    group_by<group> groups_;
    Alerts alerts_;
    Output output_;
    emission when_;
    event_time latest_ = event_time::min();
};

} // namespace livetape::detail
