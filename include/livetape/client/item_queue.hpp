#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <livetape/client/pending_operation.hpp>

namespace livetape::detail {

/// What a client has received and the caller has not taken yet, and the callers who wait for it.
/// Its producer looks at `size` and stops reading when there is enough; it is told when an item
/// was taken.
/// Thread safety: `take` from any thread, all else on the executor.
template <class Item>
class item_queue : public std::enable_shared_from_this<item_queue<Item>> {
public:
    explicit item_queue(asio::any_io_executor executor) : executor_{std::move(executor)} {}

    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }

    /// Appends an item, unless the queue is finished.
    void push(Item&& item) {
        if (is_finished_) return;
        items_.push_back(std::move(item));
        serve();
    }

    /// Whoever waits, or asks later, gets the items that are left and then this error. The first
    /// call counts.
    void finish(std::error_code ec) {
        if (std::exchange(is_finished_, true)) return;
        failure_ = ec;
        serve();
    }

    /// Drops what was not taken.
    void clear() { items_.clear(); }

    /// Takes the next item, or waits for one. Cancelling takes nothing out.
    ///
    /// @param asked  called on the executor once the caller waits or has got an item: a reason to
    ///               read on
    /// @param token  for `void(std::error_code, Item)`; completes on its own executor, never
    ///               inside this call
    template <class Asked, class CompletionToken>
    auto take(Asked asked, CompletionToken&& token) {
        return asio::async_initiate<CompletionToken, void(std::error_code, Item)>(
            [](auto handler, std::shared_ptr<item_queue> self, Asked then) {
                auto const caller = std::make_shared<waiting>(std::move(handler), self->executor_);
                // The signal may come from any thread, so the executor does what it asks.
                caller->on_cancel(
                    [weak_self = std::weak_ptr{self}, weak_caller = std::weak_ptr{caller}] {
                        auto const queue = weak_self.lock();
                        if (queue)
                            asio::post(queue->executor_,
                                       [queue, weak_caller] { queue->abort(weak_caller.lock()); });
                    });
                asio::post(self->executor_, [self, caller, then = std::move(then)]() mutable {
                    if (*caller) self->waiting_.push_back(caller);
                    self->serve();
                    then();
                });
            },
            token, this->shared_from_this(), std::move(asked));
    }

private:
    using waiting = pending_operation<std::error_code, Item>;

    void serve() {
        while (!waiting_.empty() && (!items_.empty() || is_finished_)) {
            auto const first = std::move(waiting_.front());
            waiting_.pop_front();
            if (items_.empty()) {
                first->complete(failure_, Item{});
                continue;
            }
            auto item = std::move(items_.front());
            items_.pop_front();
            first->complete({}, std::move(item));
        }
    }

    void abort(std::shared_ptr<waiting> const& caller) {
        if (!caller || !*caller) return;
        std::erase(waiting_, caller);
        caller->complete(asio::error::operation_aborted, Item{});
    }

    asio::any_io_executor executor_;
    std::deque<Item> items_;
    std::deque<std::shared_ptr<waiting>> waiting_;
    std::error_code failure_;
    bool is_finished_ = false;
};

} // namespace livetape::detail
