#pragma once

#include <livetape/channel/subscriber.hpp>

namespace livetape {

inline write_batch::~write_batch() = default;

inline void write_batch::add_run(subscription& to, segment_ref const& holder,
                                 encoded_area const& area, std::uint32_t begin,
                                 std::uint32_t end) noexcept {
    LIVETAPE_ASSERT(count_ < pieces_max);
    auto& piece = pieces_[count_++];
    piece.bytes = area.bytes(area.begin_of(begin), area.begin_of(end));
    piece.to = intrusive_ref<subscription>{&to};
    piece.pin = holder;
    piece.area = &area;
    piece.begin = begin;
    piece.end = end;
    bytes_ += piece.bytes.size();
}

inline cut_event write_batch::settle(std::size_t written) {
    LIVETAPE_ASSERT(written <= bytes_);
    cut_event cut;
    auto unsent = bytes_ - written;
    // Backwards, so that a subscription with several runs ends at its earliest unsent event.
    for (auto i = count_; i > 0 && unsent > 0; --i) {
        auto const& piece = pieces_[i - 1];
        auto const unsent_here = std::min(unsent, piece.bytes.size());
        unsent -= unsent_here;
        if (piece.area == nullptr) continue;

        auto const position = piece.area->begin_of(piece.begin) + piece.bytes.size() - unsent_here;
        auto index = piece.area->index_at(position, piece.end);
        if (piece.area->begin_of(index) < position) {
            cut.pin = piece.pin;
            cut.rest = piece.area->bytes(position, piece.area->begin_of(index + 1));
            ++index;
        }
        if (unsent_here == piece.bytes.size() && is_first_of_its_subscription(i - 1))
            piece.to->refund();
        piece.to->rewind(piece.pin, index, piece.end);
    }
    if (cut.pin && cut.rest.size() <= cut_event::copied_bytes_max) {
        segment_ref const copy = segment::make(cut.pin->identity(), 0, 1, cut.rest.size());
        copy->append({{}, 0, 0, {}, cut.rest, payload_kind::binary, {}});
        cut = {copy, copy->at(0).payload};
    }
    clear();
    return cut;
}

} // namespace livetape
