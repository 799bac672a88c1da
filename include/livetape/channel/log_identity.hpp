#pragma once

#include <livetape/intrusive_ref.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

namespace livetape {

/// What is constant for all events of one log, its channel's name and its epoch: part of every
/// `event_view`. Every segment shares it, so that a segment may outlive its channel.
/// Thread safety: every member function is safe from any thread.
class log_identity {
public:
    /// An identity and its name, in one piece of memory. The name is copied.
    [[nodiscard]] static intrusive_ref<log_identity const> make(std::string_view name,
                                                                std::uint64_t epoch) {
        auto* const memory = ::operator new(sizeof(log_identity) + name.size());
        return intrusive_ref<log_identity const>{new (memory) log_identity{name, epoch}};
    }

    log_identity(log_identity const&) = delete;
    log_identity& operator=(log_identity const&) = delete;

    [[nodiscard]] std::string_view name() const noexcept {
        return {reinterpret_cast<char const*>(this + 1), name_bytes_};
    }
    [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

    /// Memory of all segments that carry this identity, in the log or kept by a reader, with their
    /// encodings.
    [[nodiscard]] std::size_t living_bytes() const noexcept {
        return living_bytes_.load(std::memory_order_relaxed);
    }
    void add_living_bytes(std::size_t bytes) const noexcept {
        living_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    }
    void remove_living_bytes(std::size_t bytes) const noexcept {
        living_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    }

    void retain() const noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() const noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        this->~log_identity();
        ::operator delete(const_cast<log_identity*>(this));
    }

private:
    log_identity(std::string_view name, std::uint64_t epoch) noexcept
        : epoch_{epoch}, name_bytes_{static_cast<std::uint32_t>(name.size())} {
        if (!name.empty()) std::memcpy(reinterpret_cast<char*>(this + 1), name.data(), name.size());
    }
    ~log_identity() = default;

    std::uint64_t epoch_;
    mutable std::atomic<std::size_t> living_bytes_{0};
    mutable std::atomic<std::uint32_t> references_{0};
    std::uint32_t name_bytes_;
};

using log_identity_ref = intrusive_ref<log_identity const>;

} // namespace livetape
