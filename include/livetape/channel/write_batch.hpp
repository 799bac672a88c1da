#pragma once

#include <livetape/channel/segment.hpp>
#include <livetape/config.hpp>
#include <livetape/intrusive_ref.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace livetape {

class subscription;

/// The end of an event whose beginning is already on the wire; it must go before anything else.
struct cut_event {
    /// A rest of at most so many bytes is a copy, so that a client that stalls keeps a piece of one
    /// event and no segment of the log; copying more would cost a turn of others.
    static constexpr std::size_t copied_bytes_max = 64u << 10;

    segment_ref pin; ///< keeps `rest` alive
    std::string_view rest;
};

/// One gather write: what is to be sent now, in order, and whom each piece belongs to.
///
/// The batch holds references to the segments it points into, so its bytes stay as they are until
/// `settle` or `clear`. It is bounded in pieces and bytes; the bytes bound is what one session may
/// send per turn, so that nobody waits behind a session that has megabytes to catch up.
/// Thread safety: shared objects unsafe.
class write_batch {
public:
    static constexpr std::size_t pieces_max = 16; ///< what one call of the system takes at once
    static constexpr std::size_t bytes_max = 64u << 10;

    write_batch() = default;
    inline ~write_batch();
    write_batch(write_batch const&) = delete;
    write_batch& operator=(write_batch const&) = delete;

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] std::string_view piece(std::size_t index) const noexcept {
        return pieces_[index].bytes;
    }

    [[nodiscard]] bool is_full() const noexcept {
        return count_ == pieces_max || bytes_ >= bytes_max;
    }
    [[nodiscard]] std::size_t bytes_left() const noexcept {
        return bytes_ < bytes_max ? bytes_max - bytes_ : 0;
    }

    /// Events in the runs of the batch. O(pieces).
    [[nodiscard]] std::uint32_t event_count() const noexcept {
        std::uint32_t events = 0;
        for (std::size_t i = 0; i < count_; ++i) events += pieces_[i].end - pieces_[i].begin;
        return events;
    }

    /// Adds bytes that the session owns and keeps until the batch is settled.
    void add(std::string_view bytes) noexcept {
        LIVETAPE_ASSERT(count_ < pieces_max);
        if (bytes.empty()) return;
        pieces_[count_++].bytes = bytes;
        bytes_ += bytes.size();
    }

    /// Adds the events `begin` to `end` of a segment, which `to` has been advanced over.
    inline void add_run(subscription& to, segment_ref const& holder, encoded_area const& area,
                        std::uint32_t begin, std::uint32_t end) noexcept;

    /// Whether it has events of that subscription. O(pieces).
    [[nodiscard]] bool holds(subscription const& which) const noexcept {
        for (std::size_t i = 0; i < count_; ++i)
            if (pieces_[i].to.get() == &which) return true;
        return false;
    }

    /// Ends the batch after `written` of its bytes went out, and empties it: subscriptions are set
    /// back to their first event of which no byte was sent. Of the pieces that the session added
    /// itself, it must look after the rest on its own.
    /// @return the rest of an event that was cut; null pin if the cut was between events
    inline cut_event settle(std::size_t written);

    void clear() noexcept {
        for (std::size_t i = 0; i < count_; ++i) pieces_[i] = {};
        count_ = 0;
        bytes_ = 0;
    }

private:
    struct entry {
        std::string_view bytes;
        intrusive_ref<subscription> to;
        segment_ref pin;
        encoded_area const* area = nullptr;
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
    };

    [[nodiscard]] bool is_first_of_its_subscription(std::size_t index) const noexcept {
        for (std::size_t i = 0; i < index; ++i)
            if (pieces_[i].to.get() == pieces_[index].to.get()) return false;
        return true;
    }

    std::array<entry, pieces_max> pieces_{};
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
};

} // namespace livetape

// The batch and the subscription know each other; the bodies need both.
#include <livetape/channel/impl/write_batch.ipp>
