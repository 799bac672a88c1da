#pragma once

#include <livetape/analytics/detail/description.hpp>
#include <livetape/analytics/detail/event_reader.hpp>
#include <livetape/analytics/detail/join_reader.hpp>
#include <livetape/analytics/detail/json_fields.hpp>
#include <livetape/analytics/detail/struct_fields.hpp>
#include <livetape/analytics/group_by.hpp>
#include <livetape/analytics/time_guard.hpp>
#include <livetape/channel/channel.hpp>

#include <cstddef>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

// The first words of a pipeline, which say what events are made of.
namespace livetape::detail {

/// The fields of JSON payloads, as far as they have been named.
template <std::size_t Numbers>
class json_stage : public branch_start<json_stage<Numbers>> {
public:
    using reader_type = event_reader<json_fields<Numbers>>;

    json_stage(channel* source, std::unique_ptr<json_fields<Numbers>> fields,
               group_options const& groups, time_guard_options const& guard)
        : source_{source}, fields_{std::move(fields)}, groups_{groups}, guard_{guard} {}

    /// The field with the event's own time, in units of so many seconds; without it, the time of
    /// publishing is taken, on the clock of the hub.
    [[nodiscard]] json_stage time(std::string_view name, double seconds_per_unit = 1,
                                  time_guard_options const& guard = {}) && {
        fields_->time = name;
        fields_->seconds_per_unit = seconds_per_unit;
        guard_ = guard;
        return std::move(*this);
    }

    /// The next number of each sample.
    [[nodiscard]] json_stage<Numbers + 1> number(std::string_view name) && {
        auto more = std::make_unique<json_fields<Numbers + 1>>();
        for (std::size_t i = 0; i < Numbers; ++i) more->numbers[i] = std::move(fields_->numbers[i]);
        more->numbers[Numbers] = name;
        more->key = std::move(fields_->key);
        more->time = std::move(fields_->time);
        more->seconds_per_unit = fields_->seconds_per_unit;
        return {source_, std::move(more), groups_, guard_};
    }

    /// The field by which events are grouped.
    [[nodiscard]] json_stage key(std::string_view name, group_options const& options = {}) && {
        fields_->key = name;
        groups_ = options;
        return std::move(*this);
    }

    [[nodiscard]] description<reader_type> describe() && {
        return {reader_type{source_, std::move(fields_), groups_, guard_}, groups_, {}};
    }

private:
    channel* source_;
    std::unique_ptr<json_fields<Numbers>> fields_;
    group_options groups_;
    time_guard_options guard_;
};

/// The parts of structs, as far as they have been named.
template <class Struct, class Time, class Key, class... Number>
class struct_stage : public branch_start<struct_stage<Struct, Time, Key, Number...>> {
public:
    using fields_type = struct_fields<Struct, Time, Key, Number...>;
    using reader_type = event_reader<fields_type>;

    struct_stage(channel* source, fields_type fields, group_options const& groups = {},
                 time_guard_options const& guard = {})
        : source_{source}, fields_{std::move(fields)}, groups_{groups}, guard_{guard} {}

    /// The event's own time: a duration or a `time_point`, as a member or what a function gives.
    template <class Projection>
    [[nodiscard]] struct_stage<Struct, Projection, Key, Number...>
    time(Projection which, time_guard_options const& guard = {}) && {
        return {source_, {which, fields_.key, fields_.numbers}, groups_, guard};
    }

    /// The next number of each sample.
    template <class Projection>
    [[nodiscard]] struct_stage<Struct, Time, Key, Number..., Projection>
    number(Projection which) && {
        return {source_,
                {fields_.time, fields_.key, std::tuple_cat(fields_.numbers, std::tuple{which})},
                groups_,
                guard_};
    }

    /// That by which events are grouped; must be text that lives as long as the event.
    template <class Projection>
    [[nodiscard]] struct_stage<Struct, Time, Projection, Number...>
    key(Projection which, group_options const& options = {}) && {
        return {source_, {fields_.time, which, fields_.numbers}, options, guard_};
    }

    [[nodiscard]] description<reader_type> describe() && {
        return {reader_type{source_, std::make_unique<fields_type>(std::move(fields_)), groups_,
                            guard_},
                groups_,
                {}};
    }

private:
    channel* source_;
    fields_type fields_;
    group_options groups_;
    time_guard_options guard_;
};

/// Two streams whose events are joined.
template <class Operation, class Left, class Right>
class joined_stage : public branch_start<joined_stage<Operation, Left, Right>> {
public:
    using reader_type =
        join_reader<typename Left::reader_type, typename Right::reader_type, Operation>;

    joined_stage(Left left, Right right, join_options const& options)
        : left_{std::move(left)}, right_{std::move(right)}, options_{options} {
        static_assert(Left::reader_type::number_count > 0 && Right::reader_type::number_count > 0,
                      "each side of a join needs a number");
    }

    [[nodiscard]] description<reader_type> describe() && {
        auto left = std::move(left_).describe();
        auto right = std::move(right_).describe();
        auto const groups = left.groups;
        return {reader_type{std::move(left.reader), std::move(right.reader),
                            latest_join<Operation>{options_.age_max}, groups},
                groups,
                {}};
    }

private:
    Left left_;
    Right right_;
    join_options options_;
};

/// A source whose payloads are not understood yet.
struct source_stage {
    channel* source;

    /// The payloads are JSON objects.
    [[nodiscard]] json_stage<0> json() const {
        return {source, std::make_unique<json_fields<0>>(), {}, {}};
    }

    /// The payloads are the bytes of such structs, published by this program.
    template <class Struct>
    [[nodiscard]] struct_stage<Struct, unnamed, unnamed> structs() const {
        static_assert(std::is_trivially_copyable_v<Struct>,
                      "only structs without pointers and destructors can be published as bytes");
        return {source, {}};
    }
};

} // namespace livetape::detail
