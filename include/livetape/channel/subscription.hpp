#pragma once

#include <livetape/channel/channel.hpp>
#include <livetape/channel/encoding.hpp>
#include <livetape/channel/segment.hpp>
#include <livetape/intrusive_list.hpp>
#include <livetape/intrusive_ref.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace livetape {

class dispatcher;
class subscriber;
class subscription;
class write_batch;

/// A channel as one thread sees it: the subscriptions of that thread's sessions, the signal that
/// publishing raises, and the segment that was read last, so that most reads need no lock.
class channel_feed : public signal {
public:
    channel_feed(std::shared_ptr<channel> source, signal_queue& queue)
        : signal{queue}, source_{std::move(source)} {
        source_->add_listener(*this);
    }
    ~channel_feed() { source_->remove_listener(*this); }

    [[nodiscard]] channel& source() const noexcept { return *source_; }

    /// The segment that holds `offset`; null if retention has passed it. O(1) for a reader near the
    /// others, else one lock.
    [[nodiscard]] segment_ref const& locate(std::uint64_t offset, std::uint64_t& first_kept) {
        if (!recent_ || offset < recent_->first_offset() || offset >= recent_->end_offset())
            recent_ = source_->find(offset, first_kept);
        return recent_;
    }

    intrusive_list<subscription> subscriptions;

private:
    std::shared_ptr<channel> source_;
    segment_ref recent_;
};

/// A cursor: one subscriber's place in one channel, read in one encoding.
///
/// Owned by its subscriber; a write in flight may hold it a little longer, and then it is detached:
/// it belongs to no feed and what is written back to it is ignored.
/// Thread safety: shared objects unsafe; the subscriber's thread owns it.
class subscription : public list_hook<subscription> {
public:
    subscription(channel_feed& feed, subscriber& owner, encoding const& format,
                 opened_cursor const& opened)
        : feed_{&feed}, owner_{&owner}, format_{&format}, next_offset_{opened.next_offset},
          first_live_offset_{opened.next_offset}, snapshot_{opened.snapshot},
          snapshot_index_{opened.snapshot_index} {
        feed.subscriptions.push_back(*this);
    }

    [[nodiscard]] channel& source() const noexcept { return feed_->source(); }

    /// The place after which everything is still to be handed out; mostly the last event that was.
    /// Within a snapshot it lies before the snapshot's next event, so that a client which comes
    /// back with it misses nothing, but may see superseded events that the snapshot left out.
    [[nodiscard]] position reached() const noexcept {
        auto const next = snapshot_ ? snapshot_->offset_at(snapshot_index_) : next_offset_;
        return {source().epoch(), next - 1};
    }

    [[nodiscard]] bool is_behind() const noexcept {
        return snapshot_ || next_offset_ <= source().last_offset();
    }

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) delete this;
    }

private:
    friend class subscriber;
    friend class dispatcher;
    friend class write_batch;

    /// Gives back the events of `unsent` from `index` on. Does nothing on a detached subscription.
    inline void rewind(segment_ref const& unsent, std::uint32_t index);

    channel_feed* feed_;
    subscriber* owner_;
    encoding const* format_;
    std::uint64_t next_offset_;
    std::uint64_t first_live_offset_; // everything before it came from the snapshot
    segment_ref snapshot_;
    std::uint32_t snapshot_index_;
    std::uint32_t references_ = 0;
    bool is_due_ = false;
    subscription* next_due_ = nullptr;
};

} // namespace livetape
