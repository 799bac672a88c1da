#pragma once

#include <livetape/channel/event.hpp>
#include <livetape/compact_vector.hpp>
#include <livetape/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace livetape {

/// Events that were published and are not in the log yet: what a channel on a timer collects
/// between two flushes.
/// Thread safety: shared objects unsafe; the channel's lock guards it.
class publish_collector {
public:
    void add(std::string_view key, std::string_view payload, payload_kind kind, time_point now) {
        bytes_ += key;
        bytes_ += payload;
        records_.push_back({now, key.size(), payload.size(), kind});
    }

    /// Calls `append(event_view)` with each event in order, without an offset, and keeps none.
    template <class Append>
    void drain(Append&& append) {
        std::string_view rest{bytes_};
        for (auto const& each : records_) {
            auto const key = rest.substr(0, each.key_bytes);
            auto const payload = rest.substr(each.key_bytes, each.payload_bytes);
            rest.remove_prefix(each.key_bytes + each.payload_bytes);
            event_view event;
            event.key = key;
            event.payload = payload;
            event.kind = each.kind;
            event.time = each.time;
            append(event);
        }
        bytes_.clear();
        records_.erase_front(records_.size()); // keeps the memory for the next ones
    }

    [[nodiscard]] bool empty() const noexcept { return records_.empty(); }
    [[nodiscard]] std::uint64_t count() const noexcept { return records_.size(); }

    /// Memory of the events and what describes them.
    [[nodiscard]] std::size_t footprint_bytes() const noexcept {
        return bytes_.size() + records_.size() * sizeof(record);
    }

private:
    struct record {
        time_point time;
        std::size_t key_bytes;
        std::size_t payload_bytes;
        payload_kind kind;
    };

    std::string bytes_; // key and payload of each event, one after the other
    compact_vector<record> records_;
};

} // namespace livetape
