#pragma once

#include <memory>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <livetape/config.hpp>

namespace livetape::detail {

/// The completion handler of one asynchronous operation, whatever its type: completes it once, on
/// its own executor, never inside whoever completes it. So what performs operations needs no
/// template parameter for each handler.
/// Thread safety: distinct objects safe; shared objects unsafe.
template <class... Results>
class pending_operation {
public:
    pending_operation() = default;

    /// @param fallback  where a handler without an executor of its own is called
    template <class Handler>
    pending_operation(Handler handler, asio::any_io_executor const& fallback)
        : body_{std::make_unique<typed<Handler>>(std::move(handler), fallback)} {}

    /// Whether there is an operation that is not complete.
    [[nodiscard]] explicit operator bool() const noexcept { return body_ != nullptr; }

    /// Calls `cancel()` when the handler's cancellation signal is emitted, until completion.
    template <class Cancel>
    void on_cancel(Cancel cancel) {
        LIVETAPE_ASSERT(body_ != nullptr);
        auto slot = body_->slot();
        if (slot.is_connected())
            slot.assign([cancel](asio::cancellation_type type) {
                if (type != asio::cancellation_type::none) cancel();
            });
    }

    /// Posts the completion. Precondition: there is an operation.
    void complete(Results... results) {
        LIVETAPE_ASSERT(body_ != nullptr);
        auto const body = std::move(body_);
        body->complete(std::move(results)...);
    }

private:
    struct base {
        base() = default;
        base(base const&) = delete;
        base& operator=(base const&) = delete;
        virtual ~base() = default;
        virtual asio::cancellation_slot slot() noexcept = 0;
        virtual void complete(Results... results) = 0;
    };

    template <class Handler>
    struct typed final : base {
        typed(Handler h, asio::any_io_executor const& fallback)
            : handler{std::move(h)}, work{asio::get_associated_executor(handler, fallback)} {}

        asio::cancellation_slot slot() noexcept override {
            return asio::get_associated_cancellation_slot(handler);
        }

        void complete(Results... results) override {
            if (slot().is_connected()) slot().clear();
            asio::post(work.get_executor(),
                       [h = std::move(handler),
                        all = std::tuple<Results...>{std::move(results)...}]() mutable {
                           std::apply(std::move(h), std::move(all));
                       });
        }

        Handler handler;
        asio::executor_work_guard<asio::associated_executor_t<Handler, asio::any_io_executor>> work;
    };

    std::unique_ptr<base> body_;
};

} // namespace livetape::detail
