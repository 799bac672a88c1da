#pragma once

#include <livetape/transport/client_identity.hpp>
#include <livetape/wire/query.hpp>
#include <livetape/wire/request_head.hpp>

#include <optional>

/// A connect hook for examples: lets in who names itself, `?name=…`, and believes it. A service of
/// its own would look at a cookie or a token instead.
inline std::optional<livetape::client_identity>
name_in_query(livetape::http::request_head const& head) {
    auto const query = livetape::http::query::parse(head.query());
    auto const name = query ? query->get("name") : std::nullopt;
    if (!name || name->empty() || name->size() > 32) return std::nullopt;
    return livetape::client_identity{*name};
}
