#pragma once

#include <livetape/analytics/detail/numbers.hpp>
#include <livetape/analytics/event_time.hpp>

#include <cstdint>
#include <limits>

namespace livetape {

/// What happened to a price in a span of time. NaN where there was none.
struct ohlc_bar {
    double open = detail::undefined;  ///< the earliest
    double high = detail::undefined;  ///< the greatest
    double low = detail::undefined;   ///< the least
    double close = detail::undefined; ///< the latest
    std::uint64_t count = 0;
};

/// The same with what was traded.
struct ohlcv_bar : ohlc_bar {
    double volume = 0;
    double vwap = detail::undefined; ///< volume-weighted average price; NaN if nothing was traded
};

/// Open, high, low and close of a price by event time: of prices at one time, the first to come can
/// be the open and the last the close. Exact. NaN and infinities are left out. 56 bytes; mergeable,
/// so that bars of a second make bars of a minute, in any order but for equal times.
class ohlc {
public:
    constexpr void add(event_time time, double price) noexcept {
        if (!detail::is_finite(price)) [[unlikely]] {
            ++left_out_;
            return;
        }
        if (time < open_time_) {
            open_time_ = time;
            bar_.open = price;
        }
        if (time >= close_time_) {
            close_time_ = time;
            bar_.close = price;
        }
        if (bar_.count++ == 0) [[unlikely]]
            bar_.high = bar_.low = price;
        bar_.high = price > bar_.high ? price : bar_.high;
        bar_.low = price < bar_.low ? price : bar_.low;
    }

    constexpr void merge(ohlc const& later) noexcept {
        left_out_ += later.left_out_;
        if (later.bar_.count == 0) return;
        if (later.open_time_ < open_time_) {
            open_time_ = later.open_time_;
            bar_.open = later.bar_.open;
        }
        if (later.close_time_ >= close_time_) {
            close_time_ = later.close_time_;
            bar_.close = later.bar_.close;
        }
        if (bar_.count == 0 || later.bar_.high > bar_.high) bar_.high = later.bar_.high;
        if (bar_.count == 0 || later.bar_.low < bar_.low) bar_.low = later.bar_.low;
        bar_.count += later.bar_.count;
    }

    [[nodiscard]] constexpr ohlc_bar const& value() const noexcept { return bar_; }
    [[nodiscard]] constexpr std::uint64_t count() const noexcept { return bar_.count; }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    event_time open_time_ = event_time::max();
    event_time close_time_ = event_time::min();
    ohlc_bar bar_;
    std::uint64_t left_out_ = 0;
};

/// The volume-weighted average price, Σ p_i v_i / Σ v_i, of compensated sums: relative error of
/// some ε = 2^-53 for prices of one sign. Samples with a price or volume that is not finite, or
/// with a negative volume, are left out. NaN as long as the volume is 0. 40 bytes; mergeable.
class vwap {
public:
    constexpr void add(double price, double volume) noexcept {
        double const traded = price * volume;
        if (!(detail::is_finite(traded) && detail::is_finite(price) && volume >= 0)) [[unlikely]] {
            ++left_out_;
            return;
        }
        traded_.add(traded);
        volume_.add(volume);
    }

    constexpr void merge(vwap const& later) noexcept {
        traded_.add(later.traded_);
        volume_.add(later.volume_);
        left_out_ += later.left_out_;
    }

    [[nodiscard]] constexpr double value() const noexcept {
        return volume() > 0 ? traded_.value() / volume() : detail::undefined;
    }
    [[nodiscard]] constexpr double volume() const noexcept { return volume_.value(); }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return left_out_; }

private:
    detail::compensated_sum traded_; // price times volume
    detail::compensated_sum volume_;
    std::uint64_t left_out_ = 0;
};

/// `ohlc` and `vwap` of the same trades: the bar that market data pages draw. A trade that `vwap`
/// would leave out is left out of both. 104 bytes; mergeable.
class ohlcv {
public:
    constexpr void add(event_time time, double price, double volume) noexcept {
        auto const before = vwap_.left_out();
        vwap_.add(price, volume);
        if (vwap_.left_out() == before) ohlc_.add(time, price);
    }

    constexpr void merge(ohlcv const& later) noexcept {
        ohlc_.merge(later.ohlc_);
        vwap_.merge(later.vwap_);
    }

    [[nodiscard]] constexpr ohlcv_bar value() const noexcept {
        return {ohlc_.value(), vwap_.volume(), vwap_.value()};
    }
    [[nodiscard]] constexpr std::uint64_t count() const noexcept { return ohlc_.count(); }
    [[nodiscard]] constexpr std::uint64_t left_out() const noexcept { return vwap_.left_out(); }

private:
    ohlc ohlc_;
    vwap vwap_;
};

} // namespace livetape
