#pragma once

#include <utility>

namespace livetape {

/// Sole ownership of one object, or of none: what a `std::unique_ptr` is, for the layers whose
/// headers must be cheap. `benchmarks/include_cost` prints what <memory> costs a file that includes
/// it, and what each type that a `std::unique_ptr` points to.
///
/// `T` may be incomplete where an owner is only named.
/// Thread safety: distinct objects safe; shared objects unsafe.
template <class T>
class owned_ptr {
public:
    owned_ptr() = default;
    explicit owned_ptr(T* object) noexcept : object_{object} {}
    owned_ptr(owned_ptr&& other) noexcept : object_{std::exchange(other.object_, nullptr)} {}
    owned_ptr& operator=(owned_ptr&& other) noexcept {
        destroy(std::exchange(object_, std::exchange(other.object_, nullptr)));
        return *this;
    }
    ~owned_ptr() { destroy(object_); }

    void reset() noexcept { destroy(std::exchange(object_, nullptr)); }

    [[nodiscard]] T* get() const noexcept { return object_; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    friend bool operator==(owned_ptr const& owner, T const* object) noexcept {
        return owner.object_ == object;
    }

private:
    static void destroy(T* object) noexcept {
        static_assert(sizeof(T) > 0, "its destructor must be known here");
        delete object;
    }

    T* object_ = nullptr;
};

/// Makes an object and its owner.
template <class T, class... Arguments>
[[nodiscard]] owned_ptr<T> make_owned(Arguments&&... arguments) {
    return owned_ptr<T>{new T(std::forward<Arguments>(arguments)...)};
}

} // namespace livetape
