#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/value_text.hpp>
#include <livetape/analytics/window_result.hpp>
#include <livetape/analytics/window_spec.hpp>
#include <livetape/channel/channel.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace livetape {

/// When a branch of a pipeline publishes.
enum class emission : std::uint8_t {
    at_close,  ///< each window once, when it has closed, and its corrections
    on_update, ///< besides, the open window of a key after each of its events
    on_tick,   ///< besides, the open windows that changed since, whenever the host says `tick`
};

namespace detail {

/// One way of a pipeline from records to an output channel: an operator per key.
///
/// The watermark is that of the whole stream, not of one key: a key that has fallen silent has its
/// windows closed by the events of others. It follows the events alone.
template <std::size_t Numbers, class Spec, class Window>
class branch {
public:
    branch(Spec const& spec, Window window, group_options const& options, channel& output,
           emission when)
        : spec_{spec}, groups_{group{std::move(window)}, options}, output_{&output}, when_{when} {}

    void take(record<Numbers> const& event, diagnostics& problems) {
        if constexpr (closes<Window>) sweep(event.time, problems);
        auto& own = groups_.at(event.key, [&](std::string_view key, auto& evicted) {
            problems.note(problem::key_evicted, {}, key);
            finish(key, evicted, problems);
        });
        std::apply([&](auto const... number) { add(event, own, problems, number...); },
                   event.numbers);
    }

    /// Closes the windows that are over when an event of that time comes.
    void advance(event_time time, diagnostics& problems) {
        if constexpr (closes<Window>) sweep(time, problems);
    }

    /// Publishes what `emission::on_tick` has held back.
    void tick(diagnostics& problems) {
        if (when_ != emission::on_tick) return;
        groups_.for_each([&](std::string_view key, group& each) {
            if (std::exchange(each.has_changed, false)) publish_provisional(key, each, problems);
        });
    }

    /// Closes all windows at the end of the stream.
    void finish(diagnostics& problems) {
        groups_.for_each([&](std::string_view key, group& each) { finish(key, each, problems); });
    }

private:
    struct group {
        Window window;
        bool has_changed = false; // since the last tick
    };

    template <class... Number>
    void add(record<Numbers> const& event, group& into, diagnostics& problems, Number... number) {
        into.has_changed = true;
        if constexpr (closes<Window>) {
            auto const dropped = into.window.counters().dropped;
            for (auto closed = into.window.add(event.time, number...); closed;
                 closed = into.window.next())
                publish(event.key, *closed, problems);
            if (into.window.counters().dropped != dropped) [[unlikely]]
                problems.note(problem::late, {}, event.key);
        } else {
            auto const late = into.window.late();
            into.window.add(event.time, number...);
            if (into.window.late() != late) [[unlikely]]
                problems.note(problem::late, {}, event.key);
        }
        if (when_ == emission::on_update) publish_provisional(event.key, into, problems);
    }

    /// Closes the windows of all keys once the stream has passed the end of one.
    void sweep(event_time time, diagnostics& problems) {
        if (!is_event_time(time) || time <= latest_) return;
        latest_ = time;
        auto const watermark = time - spec_.watermark_delay();
        auto const reached = floor_divide(watermark.count(), spec_.step().count());
        if (reached == swept_) return;
        swept_ = reached;
        groups_.for_each([&](std::string_view key, group& each) {
            for (auto closed = each.window.advance(watermark); closed; closed = each.window.next())
                publish(key, *closed, problems);
        });
    }

    void finish(std::string_view key, group& each, diagnostics& problems) {
        if constexpr (closes<Window>)
            for (auto closed = each.window.finish(); closed; closed = each.window.next())
                publish(key, *closed, problems);
        else if (when_ == emission::on_tick && each.has_changed)
            publish_provisional(key, each, problems);
    }

    void publish_provisional(std::string_view key, group const& each, diagnostics& problems) {
        if constexpr (closes<Window>) {
            if (auto const open = each.window.provisional()) publish(key, *open, problems);
        } else {
            begin_text(key, each.window.time() - each.window.length(), each.window.time());
            append_field(text_, "value", each.window.value());
            send(key, problems);
        }
    }

    template <class Result>
    void publish(std::string_view key, Result const& result, diagnostics& problems) {
        begin_text(key, result.begin, result.end);
        append_field(text_, "value", result.value());
        if (result.late > 0) append_field(text_, "late", result.late);
        if (result.is_provisional) text_ += ",\"provisional\":true";
        if (result.is_correction) text_ += ",\"correction\":true";
        send(key, problems);
    }

    void begin_text(std::string_view key, event_time begin, event_time end) {
        text_ = "{";
        if (!key.empty()) {
            text_ += "\"key\":";
            append_json_string(text_, key);
            text_ += ',';
        }
        text_ += "\"begin\":";
        append_time(text_, begin);
        text_ += ",\"end\":";
        append_time(text_, end);
    }

    void send(std::string_view key, diagnostics& problems) {
        text_ += '}';
        if (output_->publish(text_, {.key = key}) == 0) problems.note(problem::refused, {}, text_);
    }

    Spec spec_;
    group_by<group> groups_;
    channel* output_;
    emission when_;
    event_time latest_ = event_time::min();
    std::int64_t swept_ = 0;
    std::string text_;
};

} // namespace detail

} // namespace livetape
