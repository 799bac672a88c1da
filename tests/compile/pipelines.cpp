// What a pipeline refuses to compile, and what it says then. Without MISTAKES the file compiles;
// with it, each line marked `says` must give that message: see check.cmake.

#include <livetape/analytics/covariance.hpp>
#include <livetape/analytics/mean.hpp>
#include <livetape/analytics/pipeline.hpp>
#include <livetape/analytics/robust_z_score.hpp>
#include <livetape/channel/hub.hpp>

#include <chrono>
#include <string>
#include <string_view>

using namespace livetape;
using namespace std::chrono_literals;

#ifdef MISTAKES
#define IF_RIGHT(right, wrong) wrong
#else
#define IF_RIGHT(right, wrong) right
#endif

namespace {

struct trade {
    double price;
    char symbol[8];

    [[nodiscard]] std::string_view name() const { return symbol; }
};

struct named_trade {
    double price;
    std::string symbol;

    [[nodiscard]] std::string copy_name() const { return symbol; }
};

struct no_accumulator {
    void add(double) {}
};

struct two_numbers {
    double add(double, double) { return 0; }
};

struct speaker {
    std::string add(double) { return {}; }
};

[[maybe_unused]] void append_said(json_object& to, std::string const& said) {
    to.text("said", said);
}

auto numbers(channel& ticks) { return from(ticks).json().number("x").key("k"); }
auto pairs(channel& ticks) { return from(ticks).json().number("x").number("y").key("k"); }

[[maybe_unused]] void describe(channel& ticks, channel& output, alert_board& board) {
    // says: this operator cannot take the numbers that the pipeline reads
    (void)IF_RIGHT(pairs, numbers)(ticks).window(tumbling{1s}).apply<covariance>().to(output);

    // says: this is no accumulator
    (void)numbers(ticks).window(tumbling{1s}).apply<IF_RIGHT(mean, no_accumulator)>().to(output);

    // says: this is no window
    (void)numbers(ticks).window(IF_RIGHT(sliding{1s}, 1s)).apply<mean>().to(output);

    // says: this is no window
    (void)numbers(ticks)
        .window(IF_RIGHT((sessions{1s, {.allowed_lateness = 5s}}), session_options{}))
        .apply<mean>()
        .to(output);

    // says: the output is neither a channel nor a function that takes these results
    (void)numbers(ticks).window(tumbling{1s}).apply<mean>().to(IF_RIGHT([](auto const&) {}, 7));

    // says: this detector cannot take the numbers that the pipeline reads
    (void)IF_RIGHT(pairs, numbers)(ticks).detect(two_numbers{}).to(output);

    // says: what this detector says is no score, change or alarm that could alert
    (void)numbers(ticks).detect(speaker{}) IF_RIGHT(.to(output), .to(board, {.name = "x"}));

    // says: a detector has one rule for alerts
    (void)numbers(ticks)
        .detect(robust_z_score{})
        .alert(board, {.name = "x"}) IF_RIGHT(.to(output), .to(board, {.name = "y"}));

    // says: only events with one number can be passed on as they are
    (void)IF_RIGHT(numbers, pairs)(ticks).to(output);

    // says: each side of a join needs a number
    (void)join<difference>(numbers(ticks), from(ticks).json() IF_RIGHT(.number("x"), )).to(output);

    // says: only structs without pointers and destructors can be published as bytes
    (void)from(ticks).structs<IF_RIGHT(trade, named_trade)>();
}

[[maybe_unused]] void hand_over(channel& output) {
    auto run = from<trade>().number(&trade::price).key(&trade::name).to(output);
    // says: the pipeline reads other events than this one
    run.take(IF_RIGHT(trade{}, 7));

    // says: a key must outlive the call that gives it
    auto named = from<named_trade>()
                     .number(&named_trade::price)
                     .key(&named_trade::IF_RIGHT(symbol, copy_name))
                     .to(output);
    named.take(named_trade{});
}

} // namespace
