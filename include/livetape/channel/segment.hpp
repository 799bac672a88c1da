#pragma once

#include <livetape/algorithm.hpp>
#include <livetape/channel/encoding.hpp>
#include <livetape/channel/event.hpp>
#include <livetape/channel/log_identity.hpp>
#include <livetape/config.hpp>
#include <livetape/intrusive_ref.hpp>
#include <livetape/short_lock.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace livetape {

/// What the events of a segment are to a cursor that has to go back into them.
enum class segment_role : std::uint8_t {
    log,      ///< consecutive events of the log
    filtered, ///< the wanted ones among consecutive events of the log
    newest,   ///< the newest event of each key: a snapshot, or what a conflating reader gets
};

/// The bytes of consecutive events in one encoding: contiguous, append-only, never moved.
class encoded_area {
public:
    /// An area and the memory behind it, in one piece; `destroy` ends it.
    /// Precondition: `bytes_max` is below 4 GiB.
    [[nodiscard]] static encoded_area* make(encoding const& format, std::uint32_t first_index,
                                            std::uint32_t events_max, std::size_t bytes_max,
                                            encoded_area* next) {
        LIVETAPE_ASSERT(bytes_max <= 0xffff'ffff);
        auto* const memory =
            ::operator new(sizeof(encoded_area) + events_max * sizeof(std::uint32_t) + bytes_max);
        return new (memory) encoded_area{format, first_index, events_max, bytes_max, next};
    }

    static void destroy(encoded_area* area) noexcept {
        area->~encoded_area();
        ::operator delete(area);
    }

    encoded_area(encoded_area const&) = delete;
    encoded_area& operator=(encoded_area const&) = delete;

    [[nodiscard]] encoding const& format() const noexcept { return *format_; }
    [[nodiscard]] encoded_area* next() const noexcept { return next_; }
    [[nodiscard]] std::uint32_t first_index() const noexcept { return first_index_; }

    /// One past the index of the last event that is encoded here.
    [[nodiscard]] std::uint32_t end_index() const noexcept {
        return first_index_ + count_.load(std::memory_order_acquire);
    }

    /// Where the bytes of the event at `index` begin; `index` may be one past the last.
    [[nodiscard]] std::size_t begin_of(std::uint32_t index) const noexcept {
        return index == first_index_ ? 0 : ends()[index - first_index_ - 1];
    }

    [[nodiscard]] std::string_view bytes(std::size_t begin, std::size_t end) const noexcept {
        return {text() + begin, end - begin};
    }

    /// One past the last event that ends within `bytes_max` from the beginning of `index`, at
    /// least one event. The events up to `end_index` must be encoded here: a segment may need
    /// several areas, so that is `end_index()` at most. O(log events).
    [[nodiscard]] std::uint32_t fit(std::uint32_t index, std::uint32_t end_index,
                                    std::size_t bytes_max) const noexcept {
        LIVETAPE_ASSERT(end_index <= this->end_index());
        auto const limit = begin_of(index) + bytes_max;
        if (begin_of(end_index) <= limit) return end_index;
        auto const* const first = ends() + (index - first_index_);
        auto const* const last = ends() + (end_index - first_index_);
        auto const fitting =
            static_cast<std::uint32_t>(std::upper_bound(first, last, limit) - first);
        return index + std::max(fitting, std::uint32_t{1});
    }

    /// The event that holds the byte at `position`. O(log events).
    [[nodiscard]] std::uint32_t index_at(std::size_t position,
                                         std::uint32_t end_index) const noexcept {
        auto const* const first = ends();
        auto const* const last = first + (end_index - first_index_);
        return first_index_ +
               static_cast<std::uint32_t>(std::upper_bound(first, last, position) - first);
    }

    /// Appends one event's bytes; false if they do not fit. One writer at a time.
    bool append(std::string_view encoded) noexcept {
        auto const count = count_.load(std::memory_order_relaxed);
        std::size_t const begin = count == 0 ? 0 : ends()[count - 1];
        if (count == events_max_ || bytes_max_ - begin < encoded.size()) return false;
        std::memcpy(text() + begin, encoded.data(), encoded.size());
        ends()[count] = static_cast<std::uint32_t>(begin + encoded.size());
        count_.store(count + 1, std::memory_order_release);
        return true;
    }

    [[nodiscard]] std::size_t footprint_bytes() const noexcept {
        return sizeof(*this) + std::size_t{bytes_max_} + events_max_ * sizeof(std::uint32_t);
    }

private:
    encoded_area(encoding const& format, std::uint32_t first_index, std::uint32_t events_max,
                 std::size_t bytes_max, encoded_area* next) noexcept
        : format_{&format}, next_{next}, bytes_max_{static_cast<std::uint32_t>(bytes_max)},
          first_index_{first_index}, events_max_{events_max} {}
    ~encoded_area() = default;

    // Behind the area: where each event ends, then the bytes.
    [[nodiscard]] std::uint32_t const* ends() const noexcept {
        return reinterpret_cast<std::uint32_t const*>(this + 1);
    }
    [[nodiscard]] std::uint32_t* ends() noexcept {
        return reinterpret_cast<std::uint32_t*>(this + 1);
    }
    [[nodiscard]] char const* text() const noexcept {
        return reinterpret_cast<char const*>(ends() + events_max_);
    }
    [[nodiscard]] char* text() noexcept { return reinterpret_cast<char*>(ends() + events_max_); }

    encoding const* format_;
    encoded_area* next_;
    std::uint32_t bytes_max_;
    std::uint32_t first_index_;
    std::uint32_t events_max_;
    std::atomic<std::uint32_t> count_{0};
};

/// A fixed-capacity piece of a log: events that never move or change once they are committed, and
/// beside them one or more areas per encoding that somebody reads.
///
/// Thread safety: one thread appends (under the channel's lock); any thread reads what is
/// committed, without a lock. Encoding takes a lock of its own, shared only by the first readers.
class segment {
public:
    /// A segment without events and the memory that it can fill, in one piece.
    /// Precondition: fewer than 2³⁰ events, and less than 4 GiB.
    [[nodiscard]] static intrusive_ref<segment>
    make(log_identity_ref identity, std::uint64_t first_offset, std::uint32_t events_max,
         std::size_t bytes_max, segment_role role = segment_role::log) {
        LIVETAPE_ASSERT(events_max <= events_limit && bytes_max <= 0xffff'ffff);
        auto* const memory =
            ::operator new(sizeof(segment) + events_max * sizeof(record) + bytes_max);
        return intrusive_ref<segment>{
            new (memory) segment{std::move(identity), first_offset, events_max, bytes_max, role}};
    }

    segment(segment const&) = delete;
    segment& operator=(segment const&) = delete;

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        this->~segment();
        ::operator delete(this);
    }

    [[nodiscard]] log_identity_ref const& identity() const noexcept { return identity_; }
    [[nodiscard]] segment_role role() const noexcept { return static_cast<segment_role>(role_); }

    /// The first event's offset; of a filtered segment the offset from which the log was read.
    [[nodiscard]] std::uint64_t first_offset() const noexcept { return first_offset_; }
    [[nodiscard]] std::uint32_t count() const noexcept {
        return count_.load(std::memory_order_acquire);
    }

    /// One past the last committed offset of a segment of a log.
    [[nodiscard]] std::uint64_t end_offset() const noexcept { return first_offset_ + count(); }

    [[nodiscard]] bool has_room(std::size_t bytes) const noexcept {
        return count_.load(std::memory_order_relaxed) < events_max_ && bytes_max_ - used_ >= bytes;
    }

    /// Copies an event in and commits it. Precondition: `has_room(key.size() + payload.size())`.
    void append(event_view const& event) noexcept { append(event, event.offset); }

    /// The same under another offset than the event names.
    void append(event_view const& event, std::uint64_t offset) noexcept {
        LIVETAPE_ASSERT(has_room(event.key.size() + event.payload.size()));
        auto const index = count_.load(std::memory_order_relaxed);
        char* const to = text() + used_;
        copy(to, event.key);
        copy(to + event.key.size(), event.payload);
        // In its place: a record that is assigned is put together elsewhere, and its copy waits for
        // what was just written there.
        new (records() + index)
            record{offset,      event.time,
                   used_,       static_cast<std::uint32_t>(event.payload.size()),
                   event.count, static_cast<std::uint16_t>(event.key.size()),
                   event.kind};
        used_ += static_cast<std::uint32_t>(event.key.size() + event.payload.size());
        count_.store(index + 1, std::memory_order_release);
    }

    /// The committed event at `index`, counted from 0 within this segment. O(1).
    [[nodiscard]] event_view at(std::uint32_t index) const noexcept {
        LIVETAPE_ASSERT(index < count());
        auto const& r = records()[index];
        std::string_view const all{text() + r.position, std::size_t{r.key_bytes} + r.payload_bytes};
        return {identity_->name(),
                identity_->epoch(),
                r.offset,
                all.substr(0, r.key_bytes),
                all.substr(r.key_bytes),
                r.kind,
                r.time,
                std::max(r.count, 1u)};
    }

    [[nodiscard]] std::uint64_t offset_at(std::uint32_t index) const noexcept {
        return records()[index].offset;
    }
    /// How many events of a subscription's range the event stands for; 0 if it precedes every range
    /// that it can be read in.
    [[nodiscard]] std::uint32_t count_at(std::uint32_t index) const noexcept {
        return records()[index].count;
    }
    [[nodiscard]] time_point time_at(std::uint32_t index) const noexcept {
        return records()[index].time;
    }

    /// The area that holds the event at `index` in that encoding; encodes all that is committed and
    /// not yet encoded first. The area lives as long as the segment. O(1) when nothing is to
    /// encode.
    [[nodiscard]] encoded_area const& encoded(encoding const& format, std::uint32_t index) {
        LIVETAPE_ASSERT(index < count());
        if (auto const* newest = newest_area(format);
            newest == nullptr || newest->end_index() < count())
            encode(format);
        auto const* area = newest_area(format);
        while (index < area->first_index() || &area->format() != &format) area = area->next();
        return *area;
    }

    /// Bytes of events and index; encodings in use come on top.
    [[nodiscard]] std::size_t footprint_bytes() const noexcept {
        return sizeof(*this) + std::size_t{bytes_max_} + events_max_ * sizeof(record);
    }

    /// The same with the encodings.
    [[nodiscard]] std::size_t total_bytes() const noexcept {
        auto bytes = footprint_bytes();
        for (auto const* area = areas_.load(std::memory_order_acquire); area != nullptr;
             area = area->next())
            bytes += area->footprint_bytes();
        return bytes;
    }

private:
    struct record {
        std::uint64_t offset;
        time_point time;
        std::uint32_t position;
        std::uint32_t payload_bytes;
        std::uint32_t count;
        std::uint16_t key_bytes;
        payload_kind kind;
    };

    static constexpr std::uint32_t events_limit = (1u << 30) - 1;

    segment(log_identity_ref identity, std::uint64_t first_offset, std::uint32_t events_max,
            std::size_t bytes_max, segment_role role) noexcept
        : identity_{std::move(identity)}, first_offset_{first_offset},
          bytes_max_{static_cast<std::uint32_t>(bytes_max)},
          events_max_{events_max & events_limit}, role_{static_cast<std::uint32_t>(role) & 3} {
        identity_->add_living_bytes(footprint_bytes());
    }

    ~segment() {
        identity_->remove_living_bytes(total_bytes());
        for (auto* area = areas_.load(std::memory_order_relaxed); area != nullptr;)
            encoded_area::destroy(std::exchange(area, area->next()));
    }

    // Behind the segment: the records, then the bytes.
    [[nodiscard]] record const* records() const noexcept {
        return reinterpret_cast<record const*>(this + 1);
    }
    [[nodiscard]] record* records() noexcept { return reinterpret_cast<record*>(this + 1); }
    [[nodiscard]] char const* text() const noexcept {
        return reinterpret_cast<char const*>(records() + events_max_);
    }
    [[nodiscard]] char* text() noexcept { return reinterpret_cast<char*>(records() + events_max_); }

    static void copy(char* to, std::string_view from) noexcept {
        if (!from.empty()) std::memcpy(to, from.data(), from.size());
    }

    [[nodiscard]] encoded_area* newest_area(encoding const& format) const noexcept {
        auto* area = areas_.load(std::memory_order_acquire);
        while (area != nullptr && &area->format() != &format) area = area->next();
        return area;
    }

    void encode(encoding const& format) {
        short_lock_guard const lock{encode_lock_};
        auto* area = newest_area(format);
        std::string scratch;
        auto const end = count();
        for (auto index = area == nullptr ? 0 : area->end_index(); index < end; ++index) {
            auto const event = at(index);
            scratch.clear();
            format.encode(event, scratch);
            if (area == nullptr || !area->append(scratch)) {
                area = add_area(format, index, event, scratch.size());
                area->append(scratch);
            }
        }
    }

    /// Sized so that what the segment can still take fits into one contiguous area; a single event
    /// takes what it needs, because channels with one event are many.
    encoded_area* add_area(encoding const& format, std::uint32_t index, event_view const& event,
                           std::size_t bytes_min) {
        auto const events_left = events_max_ - index;
        std::size_t const estimate = events_left == 1 ? bytes_min
                                                      : (bytes_max_ - records()[index].position) +
                                                            events_left * format.overhead(event);
        auto* const area =
            encoded_area::make(format, index, events_left, std::max(estimate, bytes_min),
                               areas_.load(std::memory_order_relaxed));
        identity_->add_living_bytes(area->footprint_bytes());
        areas_.store(area, std::memory_order_release);
        return area;
    }

    std::atomic<std::uint32_t> references_{0};
    std::atomic<std::uint32_t> count_{0};
    log_identity_ref identity_;
    std::uint64_t first_offset_;
    std::uint32_t bytes_max_;
    std::uint32_t used_ = 0;
    std::atomic<encoded_area*> areas_{nullptr};
    std::uint32_t events_max_ : 30;
    std::uint32_t role_ : 2;
    short_lock encode_lock_;
};

/// Shared ownership of a segment; whoever holds it may read the segment's bytes.
/// Thread safety: distinct objects safe, also when they share a segment.
using segment_ref = intrusive_ref<segment>;

} // namespace livetape
