#pragma once

namespace livetape {

template <class T>
class intrusive_list;

/// What an object inherits to stand in one intrusive list of its kind at a time; it leaves the list
/// when it is destroyed.
/// Thread safety: shared objects unsafe.
template <class T>
class list_hook {
public:
    list_hook() = default;
    list_hook(list_hook const&) = delete;
    list_hook& operator=(list_hook const&) = delete;
    ~list_hook() { unlink(); }

    [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }

    void unlink() noexcept {
        if (next_ == nullptr) return;
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = nullptr;
    }

private:
    friend class intrusive_list<T>;

    list_hook* next_ = nullptr;
    list_hook* previous_ = nullptr;
};

/// A doubly linked list of objects that somebody else owns. All operations are O(1).
/// Thread safety: shared objects unsafe.
template <class T>
class intrusive_list {
public:
    intrusive_list() noexcept { clear_links(); }
    intrusive_list(intrusive_list const&) = delete;
    intrusive_list& operator=(intrusive_list const&) = delete;
    ~intrusive_list() {
        while (!empty()) head_.next_->unlink();
        head_.next_ = head_.previous_ = nullptr;
    }

    [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
    [[nodiscard]] T& front() const noexcept { return object(head_.next_); }

    /// The object after the first; null if there is none.
    [[nodiscard]] T* second() const noexcept {
        auto* const after = head_.next_->next_;
        return empty() || after == &head_ ? nullptr : &object(after);
    }

    /// Appends an object, leaving the list it was in.
    void push_back(T& object) noexcept {
        list_hook<T>& hook = object;
        hook.unlink();
        hook.previous_ = head_.previous_;
        hook.next_ = &head_;
        head_.previous_->next_ = &hook;
        head_.previous_ = &hook;
    }

    /// Takes the first object out; null if there is none.
    T* pop_front() noexcept {
        if (empty()) return nullptr;
        auto& first = front();
        static_cast<list_hook<T>&>(first).unlink();
        return &first;
    }

    /// Calls `f` with each object; `f` must not unlink any but the one it is given.
    template <class F>
    void for_each(F&& f) const {
        for (auto* hook = head_.next_; hook != &head_;) {
            auto* const next = hook->next_;
            f(object(hook));
            hook = next;
        }
    }

private:
    static T& object(list_hook<T>* hook) noexcept { return static_cast<T&>(*hook); }
    void clear_links() noexcept { head_.next_ = head_.previous_ = &head_; }

    mutable list_hook<T> head_;
};

} // namespace livetape
