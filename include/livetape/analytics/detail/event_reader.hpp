#pragma once

#include <livetape/analytics/detail/record.hpp>
#include <livetape/analytics/diagnostics.hpp>
#include <livetape/analytics/event_time.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/time_guard.hpp>
#include <livetape/channel/channel.hpp>
#include <livetape/config.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace livetape::detail {

/// Turns what a channel has, or what the host hands over, into records that can be believed. What
/// cannot be read is noted and goes no further.
template <class Fields>
class event_reader {
public:
    using input = typename Fields::input;
    static constexpr std::size_t number_count = Fields::number_count;
    using record_type = record<number_count>;

    /// @param source  null if the host calls `take` alone
    event_reader(channel* source, std::unique_ptr<Fields> fields, group_options const& groups,
                 time_guard_options const& guard)
        : source_{source}, fields_{std::move(fields)}, guard_{guard},
          key_bytes_max_{groups.key_bytes_max}, last_offset_{source == nullptr
                                                                 ? 0
                                                                 : source->first_offset() - 1} {}

    /// Reads at most so many events of the channel. @return how many there were
    /// Precondition: there is a channel.
    template <class Consume>
    std::size_t read(std::size_t events_max, diagnostics& problems, Consume&& consume) {
        LIVETAPE_ASSERT(source_ != nullptr);
        auto const events = source_->read(last_offset_, {.events_max = events_max});
        for (auto const& event : events) {
            if (event.offset > last_offset_ + 1) {
                problems.note(problem::missed, source_->name(), {},
                              event.offset - last_offset_ - 1);
            }
            last_offset_ = event.offset;
            if (auto const read = fields_->decode(event.payload))
                take(*read, to_event_time(event.time), problems, consume);
            else problems.note(problem::unparsable, {}, event.payload);
        }
        return events.size();
    }

    /// Reads one event. @param published  its time if no field is named for it
    template <class Consume>
    void take(input const& event, event_time published, diagnostics& problems, Consume&& consume) {
        if (auto const failure = fields_->read(event, published, record_)) {
            problems.note(failure->which, failure->field, fields_->example(event));
            return;
        }
        for (double const number : record_.numbers)
            if (!is_finite(number)) [[unlikely]]
                problems.note(problem::not_finite, record_.key, record_.time);
        if (record_.key.size() > key_bytes_max_) [[unlikely]] {
            problems.note(problem::key_too_long, record_.key, record_.time);
            record_.key = record_.key.substr(0, key_bytes_max_);
        }
        // Who publishes does not choose that time.
        if (!fields_->names_time()) consume(std::as_const(record_));
        else guard_.pass(record_, fields_->example(event), problems, consume);
    }

    template <class Consume>
    void advance(event_time time, diagnostics&, Consume&& consume) {
        guard_.advance(time, consume);
    }

    template <class Consume>
    void finish(diagnostics&, Consume&& consume) {
        guard_.finish(consume);
    }

    /// The offset of the last event read, or of the last that was gone before.
    [[nodiscard]] std::uint64_t last_offset() const noexcept { return last_offset_; }

private:
    channel* source_;
    std::unique_ptr<Fields> fields_; // a parser cannot be copied
    time_guard<number_count> guard_;
    std::size_t key_bytes_max_;
    record_type record_;
    std::uint64_t last_offset_;
};

} // namespace livetape::detail
