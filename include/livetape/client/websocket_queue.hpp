#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <livetape/config.hpp>

namespace livetape::detail {

/// Frames that wait to be written. There are three lanes: control frames overtake messages, at the
/// border of a frame, and the close frame comes last. What is in flight stays where it is until it
/// has been written. Thread safety: distinct objects safe; shared objects unsafe.
class websocket_queue {
public:
    /// What one write carries at most, unless a single frame is longer.
    static constexpr std::size_t batch_bytes_max = std::size_t{64} << 10;
    /// Pieces of one write; Asio passes 16 to the system at once.
    static constexpr std::size_t batch_pieces_max = 16;

    /// The lane of control frames: append whole frames.
    [[nodiscard]] std::string& control() noexcept { return control_; }

    /// The lane of the close frame, which goes when nothing else waits.
    [[nodiscard]] std::string& last() noexcept { return last_; }

    /// Where the next frame of a message goes: append it whole, then call `frame_added`. Small
    /// frames share a piece.
    [[nodiscard]] std::string& message_piece() {
        if (pieces_.empty() || pieces_.back().bytes.size() >= piece_bytes) pieces_.emplace_back();
        return pieces_.back().bytes;
    }

    /// Notes that a frame of that many bytes was added, and whether a message ended with it.
    void frame_added(std::size_t bytes, bool ends_message) {
        waiting_bytes_ += bytes;
        if (ends_message) pieces_.back().last_message = ++message_count_;
    }

    /// How many messages were added.
    [[nodiscard]] std::uint64_t message_count() const noexcept { return message_count_; }

    /// How many messages have been written, in order.
    [[nodiscard]] std::uint64_t written_count() const noexcept { return written_count_; }

    /// Bytes of messages that wait, without those in flight.
    [[nodiscard]] std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }

    [[nodiscard]] bool is_in_flight() const noexcept { return !in_flight_.empty(); }
    [[nodiscard]] bool is_empty() const noexcept {
        return control_.empty() && pieces_.empty() && last_.empty() && in_flight_.empty();
    }

    /// Takes the next batch in flight; nothing if there is nothing to write.
    /// Precondition: nothing is in flight. The bytes live until `written`.
    [[nodiscard]] std::vector<std::string_view> begin_batch() {
        LIVETAPE_ASSERT(!is_in_flight());
        std::size_t bytes = control_.size();
        if (!control_.empty()) in_flight_.push_back({std::exchange(control_, {}), 0});
        while (!pieces_.empty() && in_flight_.size() < batch_pieces_max) {
            bytes += pieces_.front().bytes.size();
            if (!in_flight_.empty() && bytes > batch_bytes_max) break;
            waiting_bytes_ -= pieces_.front().bytes.size();
            in_flight_.push_back(std::move(pieces_.front()));
            pieces_.pop_front();
        }
        if (pieces_.empty() && !last_.empty()) in_flight_.push_back({std::exchange(last_, {}), 0});
        return {in_flight_.begin(), in_flight_.end()};
    }

    /// Notes that the batch has been written.
    void written() {
        for (auto const& each : in_flight_)
            if (each.last_message != 0) written_count_ = each.last_message;
        in_flight_.clear();
    }

    /// Forgets the messages that wait; what is in flight goes on.
    void drop_messages() {
        pieces_.clear();
        waiting_bytes_ = 0;
    }

private:
    struct piece {
        std::string bytes;
        std::uint64_t last_message = 0; // the number of the last message that ends here; 0: none

        operator std::string_view() const noexcept { return bytes; }
    };

    static constexpr std::size_t piece_bytes = std::size_t{16} << 10;

    std::string control_;
    std::string last_;
    std::deque<piece> pieces_;
    std::vector<piece> in_flight_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t message_count_ = 0;
    std::uint64_t written_count_ = 0;
};

} // namespace livetape::detail
