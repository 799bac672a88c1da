#pragma once

#include <algorithm>
#include <cstddef>

namespace livetape::detail {

/// How many events a poll asks for. An answer is all or nothing, so over a link that is cut before
/// a large one is through, no poll would ever get further: each failure halves what the next one
/// asks for, and each success doubles it.
/// Thread safety: distinct objects safe; shared objects unsafe.
class poll_limit {
public:
    /// @param events_max  what the caller wants at most; 0 for what the server gives
    explicit poll_limit(std::size_t events_max = 0) noexcept : events_max_{events_max} {}

    /// What to ask for; 0 for nothing, because the server's own limit will do.
    [[nodiscard]] std::size_t parameter() const noexcept {
        return current_ >= most() ? events_max_ : current_;
    }

    void succeeded() noexcept { current_ = std::min(current_ * 2, most()); }
    void failed() noexcept { current_ = std::max<std::size_t>(current_ / 2, 1); }

private:
    // What servers give at most unless they were told otherwise.
    static constexpr std::size_t server_events_max = 1000;

    [[nodiscard]] std::size_t most() const noexcept {
        return events_max_ == 0 ? server_events_max : events_max_;
    }

    std::size_t events_max_;
    std::size_t current_ = most();
};

} // namespace livetape::detail
