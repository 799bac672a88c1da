#pragma once

#include <livetape/analytics/accumulator.hpp>
#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/detail/output.hpp>
#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/emission.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/window_result.hpp>
#include <livetape/analytics/window_spec.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>

namespace livetape::detail {

/// Whether an accumulator takes samples of so many numbers.
template <class Accumulator, class Indices, class... Before>
struct takes_numbers;

template <class Accumulator, std::size_t... Index, class... Before>
struct takes_numbers<Accumulator, std::index_sequence<Index...>, Before...> {
    template <std::size_t>
    using number = double;
    static constexpr bool value = accumulates<Accumulator, Before..., number<Index>...>;
};

/// One way of a pipeline from records to an output: a window per key, or one for all of them.
///
/// The watermark is that of the whole stream, not of one key: a key that has fallen silent has its
/// windows closed by the events of others. It follows the events alone.
template <class View, class Spec, class Window, class Output>
class branch {
public:
    branch(View view, Spec const& spec, Window window, group_options const& options, Output output,
           emission when)
        : view_{std::move(view)}, spec_{spec}, groups_{group{std::move(window)}, options},
          output_{std::move(output)}, when_{when} {}

    /// @param key_hash  `group_hash` of the event's key
    template <std::size_t Numbers>
    void take(record<Numbers> const& event, std::uint64_t key_hash, diagnostics& problems) {
        if constexpr (closes<Window>) sweep(event.time, problems);
        view_.pass(event, problems, [&](auto const& seen) { add(seen, key_hash, problems); });
    }

    /// Closes the windows that are over when an event of that time comes.
    void advance(event_time time, diagnostics& problems) {
        if constexpr (closes<Window>) sweep(time, problems);
    }

    /// Publishes what `emission::on_tick` has held back.
    void tick(diagnostics& problems) {
        if (when_ != emission::on_tick) return;
        groups_.for_each([&](std::string_view key, group& each) {
            if (std::exchange(each.has_changed, false)) send_provisional(key, each, problems);
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

    template <std::size_t Numbers>
    void add(record<Numbers> const& event, std::uint64_t key_hash, diagnostics& problems) {
        std::string_view const name = View::is_whole ? std::string_view{} : event.key;
        if constexpr (!View::keeps_keys) key_hash = groups_.hash_of(name);
        auto& own = groups_.at(name, key_hash, [&](std::string_view key, group& evicted) {
            problems.note(problem::key_evicted, key, event.time);
            finish(key, evicted, problems);
        });
        std::apply(
            [&](auto const... number) {
                using accumulator = typename Window::accumulator_type;
                using indices = std::make_index_sequence<Numbers>;
                if constexpr (View::is_whole &&
                              takes_numbers<accumulator, indices, std::string_view>::value)
                    add(event, own, problems, event.key, number...);
                else add(event, own, problems, number...);
            },
            event.numbers);
        if (when_ == emission::on_update) send_provisional(name, own, problems);
    }

    template <std::size_t Numbers, class... Input>
    void add(record<Numbers> const& event, group& into, diagnostics& problems,
             Input const&... input) {
        into.has_changed = true;
        std::string_view const name = View::is_whole ? std::string_view{} : event.key;
        auto const before = losses_of(into.window);
        if constexpr (closes<Window>) {
            for (auto closed = into.window.add(event.time, input...); closed;
                 closed = into.window.next())
                output_.send(name, *closed, problems);
        } else {
            into.window.add(event.time, input...);
        }
        auto const after = losses_of(into.window);
        if (after.late != before.late) [[unlikely]]
            problems.note(problem::late, event.key, event.time);
        if (after.early != before.early) [[unlikely]]
            problems.note(problem::crowded, event.key, event.time);
        // A number that is not finite has been noted already.
        if (after.left_out != before.left_out && are_finite(event.numbers)) [[unlikely]]
            problems.note(problem::not_finite, event.key, event.time);
    }

    template <std::size_t Numbers>
    static bool are_finite(std::array<double, Numbers> const& numbers) noexcept {
        for (double const number : numbers)
            if (!is_finite(number)) return false;
        return true;
    }

    /// What a window has lost so far, because it came late, had to go early or was no number for
    /// its operator, such as a negative volume.
    struct losses {
        std::uint64_t late;
        std::uint64_t early;
        std::uint64_t left_out;
    };
    static losses losses_of(Window const& window) noexcept {
        if constexpr (closes<Window>)
            return {window.counters().dropped, window.counters().forced,
                    window.counters().left_out};
        else return {window.late(), window.left_early(), window.left_out()};
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
                output_.send(key, *closed, problems);
        });
    }

    void finish(std::string_view key, group& each, diagnostics& problems) {
        if constexpr (closes<Window>)
            for (auto closed = each.window.finish(); closed; closed = each.window.next())
                output_.send(key, *closed, problems);
        else if (when_ == emission::on_tick && each.has_changed)
            send_provisional(key, each, problems);
    }

    void send_provisional(std::string_view key, group const& each, diagnostics& problems) {
        if constexpr (closes<Window>) {
            if (auto const open = each.window.provisional()) output_.send(key, *open, problems);
        } else {
            // A window that slides is over at every moment, so this is a result like any other.
            auto const end = each.window.time();
            output_.send(key,
                         window_result<typename Window::accumulator_type>{
                             end - each.window.length(), end, each.window.total()},
                         problems);
        }
    }

    View view_;
    Spec spec_;
    group_by<group> groups_;
    Output output_;
    emission when_;
    event_time latest_ = event_time::min();
    std::int64_t swept_ = 0;
};

} // namespace livetape::detail
