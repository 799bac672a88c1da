#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <livetape/channel/subscriber.hpp>
#include <livetape/channel/write_batch.hpp>
#include <livetape/time.hpp>

namespace livetape {

/// What a session has to write, in the order in which it must go: the rest of an event that the
/// last write cut, then replies, then runs of the logs.
///
/// Replies have a lane of their own, so that a pong or a close never waits behind data. While a
/// write is in flight its bytes stay where they are and new replies collect beside them.
/// Thread safety: shared objects unsafe.
class outbox {
public:
    /// Where replies are appended.
    [[nodiscard]] std::string& lane() noexcept { return lane_; }

    /// Bytes of replies that are not yet written.
    [[nodiscard]] std::size_t reply_bytes() const noexcept {
        return lane_.size() + sending_.size() - sent_;
    }

    [[nodiscard]] bool is_empty() const noexcept { return reply_bytes() == 0 && cut_.rest.empty(); }

    /// Since when the peer has taken nothing of what is due; nothing is due unless `has_unsent`.
    [[nodiscard]] time_point unsent_since() const noexcept { return unsent_since_; }
    [[nodiscard]] bool has_unsent() const noexcept { return has_unsent_; }

    /// Starts a batch with what must go before any run.
    void gather_replies(write_batch& batch) {
        if (sending_.empty() && lane_.empty()) {
            // Most writes carry events alone.
        } else if (sending_.empty()) {
            sending_.swap(lane_);
        } else if (!lane_.empty()) {
            // The rest of a reply that was cut must not let runs overtake the replies after it. It
            // moves only when that is less than was sent, so that moving never adds up.
            if (sent_ > sending_.size() / 2) sending_.erase(0, std::exchange(sent_, 0));
            sending_ += lane_;
            lane_.clear();
        }
        batch.add(cut_.rest);
        batch.add(std::string_view{sending_}.substr(sent_));
    }

    /// Fills a batch with replies and with the runs that are due. `on_gap(missed)` is called when a
    /// cursor has fallen behind retention; what it appends to the lane goes before the events that
    /// follow. It returns false to take nothing more.
    /// @param pieces_spared  how many pieces the session adds afterwards
    template <class OnGap>
    void gather(write_batch& batch, subscriber& cursors, OnGap&& on_gap,
                std::size_t pieces_spared = 0) {
        gather_replies(batch);
        subscriber::missed_events missed;
        while (!batch.is_full() && batch.count() + pieces_spared < write_batch::pieces_max) {
            auto const taken = cursors.take(batch, missed);
            if (taken == subscriber::taken::nothing) return;
            if (taken == subscriber::taken::run) continue;
            bool const goes_on = on_gap(missed);
            gather_replies(batch);
            if (!goes_on) return;
        }
    }

    /// Notes the instant from which an unfinished write counts as stalled. What was unsent may be
    /// due no more, because its subscription ended; then nothing is.
    void begin_write(write_batch const& batch, time_point now) noexcept {
        if (!has_unsent_) unsent_since_ = now;
        has_unsent_ = !batch.empty();
    }

    /// Ends a batch of which `written` bytes went out. `trailer` is the text that the session added
    /// last, if it did: if only of it something is left, that goes out first next time.
    void settle(write_batch& batch, std::size_t written, time_point now,
                std::string_view trailer = {}) {
        auto const unsent = batch.bytes() - written;
        has_unsent_ = unsent > 0;
        if (written > 0) unsent_since_ = now;

        auto cut = batch.settle(written);
        auto const of_cut = std::min(written, cut_.rest.size());
        cut_.rest.remove_prefix(of_cut);
        if (cut_.rest.empty()) cut_.pin.reset();
        sent_ += std::min(written - of_cut, sending_.size() - sent_);
        // An idle connection must not keep the memory of its last reply.
        if (sent_ > 0 && sent_ == sending_.size()) {
            std::string{}.swap(sending_);
            sent_ = 0;
        }
        if (cut.pin) cut_ = std::move(cut);
        if (unsent > 0 && unsent <= trailer.size())
            sending_ = trailer.substr(trailer.size() - unsent);
    }

private:
    cut_event cut_;
    std::string lane_;
    std::string sending_;
    std::size_t sent_ = 0;
    time_point unsent_since_{};
    bool has_unsent_ = false;
};

} // namespace livetape
