#pragma once

#include <livetape/config.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace livetape {

/// A vector of few elements in two words, the first of which needs no memory of its own.
///
/// Elements move when it grows. It holds fewer than 2³² of them.
/// Thread safety: distinct objects safe; shared objects unsafe.
template <class T>
class compact_vector {
public:
    compact_vector() noexcept {}
    compact_vector(compact_vector const& other) {
        reserve(other.size());
        for (auto const& each : other) push_back(each);
    }
    compact_vector(compact_vector&& other) noexcept { take(other); }
    compact_vector& operator=(compact_vector other) noexcept {
        clear();
        take(other);
        return *this;
    }
    ~compact_vector() { clear(); }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] T* begin() noexcept { return capacity_ == 1 ? &one_ : many_; }
    [[nodiscard]] T* end() noexcept { return begin() + size_; }
    [[nodiscard]] T const* begin() const noexcept { return capacity_ == 1 ? &one_ : many_; }
    [[nodiscard]] T const* end() const noexcept { return begin() + size_; }

    [[nodiscard]] T& operator[](std::size_t index) noexcept { return begin()[index]; }
    [[nodiscard]] T const& operator[](std::size_t index) const noexcept { return begin()[index]; }

    /// Precondition of these: it is not empty.
    [[nodiscard]] T& front() noexcept { return *begin(); }
    [[nodiscard]] T const& front() const noexcept { return *begin(); }
    [[nodiscard]] T& back() noexcept { return end()[-1]; }
    [[nodiscard]] T const& back() const noexcept { return end()[-1]; }

    /// O(1) amortised.
    T& push_back(T element) {
        if (size_ == capacity_) grow(capacity_ == 1 ? 4 : capacity_ * 2);
        return *new (end_of(size_++)) T{std::move(element)};
    }

    /// Makes room for `count` elements in all, and for no more if it had none.
    void reserve(std::size_t count) {
        if (count > capacity_) grow(static_cast<std::uint32_t>(count));
    }

    /// Puts an element before the one at `index`, or at the end. O(size).
    void insert(std::size_t index, T element) {
        push_back(std::move(element));
        auto* const all = begin();
        T last = std::move(back());
        for (auto i = size() - 1; i > index; --i) all[i] = std::move(all[i - 1]);
        all[index] = std::move(last);
    }

    void pop_back() noexcept {
        LIVETAPE_ASSERT(size_ > 0);
        --size_;
        end()->~T();
    }

    /// Takes out the first `count` elements. O(size).
    void erase_front(std::size_t count) noexcept {
        if (count == 0) return;
        auto* const all = begin();
        for (std::size_t i = count; i < size_; ++i) all[i - count] = std::move(all[i]);
        while (count-- > 0) pop_back();
    }

    /// Takes out the element at `index`; those behind it keep their order. O(size).
    void erase(std::size_t index) noexcept {
        auto* const all = begin();
        for (auto i = index + 1; i < size_; ++i) all[i - 1] = std::move(all[i]);
        pop_back();
    }

    /// Takes out the first element that equals `value`, if there is one; the last one takes its
    /// place. O(size).
    template <class U>
    void erase_unordered(U const& value) noexcept {
        for (auto& each : *this) {
            if (!(each == value)) continue;
            if (&each != &back()) each = std::move(back());
            return pop_back();
        }
    }

    /// Takes out the elements for which `matches(element)` holds; the others keep their order.
    /// O(size).
    template <class Matches>
    void erase_if(Matches const& matches) {
        auto* const all = begin();
        std::uint32_t kept = 0;
        for (std::uint32_t i = 0; i < size_; ++i) {
            if (matches(all[i])) continue;
            if (kept != i) all[kept] = std::move(all[i]);
            ++kept;
        }
        while (size_ > kept) pop_back();
    }

    /// Takes out all elements and gives back their memory.
    void clear() noexcept {
        while (size_ > 0) pop_back();
        if (capacity_ > 1) ::operator delete(many_);
        capacity_ = 1;
    }

private:
    [[nodiscard]] void* end_of(std::size_t size) noexcept {
        return capacity_ == 1 ? static_cast<void*>(&one_) : many_ + size;
    }

    /// Takes what another one has. Precondition: this one is empty, and has no memory.
    void take(compact_vector& other) noexcept {
        if (other.capacity_ == 1) {
            if (other.empty()) return;
            push_back(std::move(other.front()));
            return other.clear();
        }
        many_ = other.many_;
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, 1);
    }

    void grow(std::uint32_t wider) {
        auto* const moved = static_cast<T*>(::operator new(wider * sizeof(T)));
        auto* const all = begin();
        for (std::uint32_t i = 0; i < size_; ++i) {
            new (moved + i) T{std::move(all[i])};
            all[i].~T();
        }
        if (capacity_ > 1) ::operator delete(many_);
        many_ = moved;
        capacity_ = wider;
    }

    static_assert(alignof(T) <= alignof(void*));

    union {
        T one_; // if the capacity is 1
        T* many_;
    };
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 1;
};

} // namespace livetape
