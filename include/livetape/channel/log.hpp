#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/retention.hpp>
#include <livetape/channel/segment.hpp>
#include <livetape/compact_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace livetape {

/// The append-only sequence of a channel's events: refcounted segments, oldest first, cut off at
/// the front as retention demands.
///
/// Offsets are dense; `next_offset()` is the one that the next event gets, `first_offset()` the
/// oldest that a cursor can still get. The two are equal when nothing is kept.
/// Thread safety: shared objects unsafe; the channel's lock guards it.
class log {
public:
    /// @param options  must outlive the log: a hub's quiet channels share theirs
    log(log_identity_ref identity, channel_options const& options)
        : identity_{std::move(identity)}, options_{&options} {}

    [[nodiscard]] std::uint64_t first_offset() const noexcept { return first_offset_; }
    [[nodiscard]] std::uint64_t next_offset() const noexcept { return next_offset_; }

    /// The oldest offset whose bytes are still here: retention cuts events exactly, memory goes by
    /// whole segments, so this is at or before `first_offset()`.
    [[nodiscard]] std::uint64_t held_offset() const noexcept {
        return segments_.empty() ? next_offset_ : segments_.front()->first_offset();
    }

    [[nodiscard]] log_identity const& identity() const noexcept { return *identity_; }
    [[nodiscard]] log_identity_ref const& shared_identity() const noexcept { return identity_; }

    /// Memory of events and index, without encodings.
    [[nodiscard]] std::size_t footprint_bytes() const noexcept { return footprint_bytes_; }

    /// The same with encodings. O(log segments).
    [[nodiscard]] std::size_t total_bytes() const noexcept {
        std::size_t bytes = 0;
        for (auto const& each : segments_) bytes += each->total_bytes();
        return bytes;
    }

    /// Appends one event and returns the offset that it gets. `dropped(segment&)` is called for
    /// each segment that leaves the log because of it. Amortised O(bytes).
    template <class Dropped>
    std::uint64_t append(event_view const& event, Dropped&& dropped) {
        auto const bytes = event.key.size() + event.payload.size();
        if (segments_.empty() || !segments_.back()->has_room(bytes)) add_segment(bytes);
        auto const offset = next_offset_++;
        segments_.back()->append(event, offset);
        trim(dropped);
        return offset;
    }

    /// Drops what is older than the age limit at `now`. O(log events) when nothing is due.
    template <class Dropped>
    void expire(time_point now, Dropped&& dropped) {
        if (options_->log_age_max.count() == 0) return;
        auto const oldest_kept = now - options_->log_age_max;
        while (first_offset_ < next_offset_) {
            auto& front = *find(first_offset_);
            auto index = static_cast<std::uint32_t>(first_offset_ - front.first_offset());
            while (index < front.count() && front.time_at(index) < oldest_kept) ++index;
            first_offset_ = front.first_offset() + index;
            if (index < front.count()) break;
        }
        drop_unreachable(dropped);
    }

    /// When the oldest event that a cursor can get was published. Precondition: there is one.
    [[nodiscard]] time_point first_time() const noexcept {
        auto const& holder = *find(first_offset_);
        return holder.time_at(static_cast<std::uint32_t>(first_offset_ - holder.first_offset()));
    }

    /// The segment that holds `offset`. Precondition: `held_offset() <= offset < next_offset()`.
    /// O(log segments).
    [[nodiscard]] segment_ref const& find(std::uint64_t offset) const noexcept {
        LIVETAPE_ASSERT(offset >= held_offset() && offset < next_offset_);
        auto const after = std::upper_bound(
            segments_.begin(), segments_.end(), offset,
            [](std::uint64_t value, segment_ref const& s) { return value < s->first_offset(); });
        return *(after - 1);
    }

private:
    // The first segment of a channel holds its first event and no more, so that many quiet channels
    // are cheap; the next one is small, and each one after it four times larger, up to an eighth of
    // the limit, so that dropping one is a fine cut.
    static constexpr std::size_t second_segment_bytes = 128;
    static constexpr std::size_t segment_bytes_max = 128u << 10;
    static constexpr std::size_t bytes_per_event = 48;

    void add_segment(std::size_t bytes_min) {
        bool const is_first = next_offset_ == 1;
        auto const bytes = is_first ? bytes_min : std::max(next_segment_bytes_, bytes_min);
        auto const events = is_first ? 1 : static_cast<std::uint32_t>(bytes / bytes_per_event + 1);
        segments_.push_back(segment::make(identity_, next_offset_, events, bytes));
        footprint_bytes_ += segments_.back()->footprint_bytes();
        if (is_first) return;
        auto const largest =
            std::clamp(options_->log_bytes_max / 8, second_segment_bytes, segment_bytes_max);
        next_segment_bytes_ = std::min(next_segment_bytes_ * 4, largest);
    }

    template <class Dropped>
    void trim(Dropped& dropped) {
        if (next_offset_ - first_offset_ > options_->log_events_max)
            first_offset_ = next_offset_ - std::max<std::uint64_t>(options_->log_events_max, 1);
        if (footprint_bytes_ > options_->log_bytes_max) {
            auto footprint = footprint_bytes_;
            for (std::size_t i = 0; i + 1 < segments_.size() && footprint > options_->log_bytes_max;
                 ++i) {
                footprint -= segments_[i]->footprint_bytes();
                first_offset_ = std::max(first_offset_, segments_[i]->end_offset());
            }
        }
        drop_unreachable(dropped);
    }

    template <class Dropped>
    void drop_unreachable(Dropped& dropped) {
        std::size_t count = 0;
        while (count < segments_.size() && segments_[count]->end_offset() <= first_offset_) {
            dropped(*segments_[count]);
            footprint_bytes_ -= segments_[count]->footprint_bytes();
            ++count;
        }
        segments_.erase_front(count);
    }

    log_identity_ref identity_;
    channel_options const* options_;
    compact_vector<segment_ref> segments_;
    std::uint64_t first_offset_ = 1;
    std::uint64_t next_offset_ = 1;
    std::size_t footprint_bytes_ = 0;
    std::size_t next_segment_bytes_ = second_segment_bytes;
};

} // namespace livetape
