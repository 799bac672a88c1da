#pragma once

#include <utility>

namespace livetape {

/// Shared ownership in one word of an object that counts its own references.
///
/// `T` has `retain()` and `release()`; `release` deletes the object with the last reference.
/// Thread safety: that of `T`'s counting.
template <class T>
class intrusive_ref {
public:
    intrusive_ref() = default;
    explicit intrusive_ref(T* object) noexcept : object_{object} {
        if (object_ != nullptr) object_->retain();
    }
    intrusive_ref(intrusive_ref const& other) noexcept : intrusive_ref{other.object_} {}
    intrusive_ref(intrusive_ref&& other) noexcept
        : object_{std::exchange(other.object_, nullptr)} {}
    intrusive_ref& operator=(intrusive_ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~intrusive_ref() {
        if (object_ != nullptr) object_->release();
    }

    void reset() noexcept { *this = intrusive_ref{}; }

    [[nodiscard]] T* get() const noexcept { return object_; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    T* object_ = nullptr;
};

} // namespace livetape
