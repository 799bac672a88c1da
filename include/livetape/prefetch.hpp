#pragma once

#include <cstddef>
#include <cstdint>

namespace livetape::detail {

/// Asks the processor for the cache lines of an object that will be written soon; a hint only, and
/// a null pointer is harmless. Inlined always, because g++ 12 takes a function that only prefetches
/// for one without effect and drops the call.
#if defined(__GNUC__) || defined(__clang__)
[[gnu::always_inline]]
#endif
inline void
prefetch([[maybe_unused]] void const* at, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    constexpr std::size_t cache_line_bytes = 64;
    // As a number: adding to a null pointer would be undefined.
    auto const first = reinterpret_cast<std::uintptr_t>(at);
    for (std::size_t i = 0; i < bytes; i += cache_line_bytes)
        __builtin_prefetch(reinterpret_cast<void const*>(first + i), 1);
#endif
}

} // namespace livetape::detail
