#pragma once

#include <livetape/error.hpp>

#include <string>

namespace livetape {

/// What was refused, with a sentence that says what would be right; `none` if nothing was.
struct refusal_reason {
    error what = error::none;
    std::string detail{};

    [[nodiscard]] explicit operator bool() const noexcept { return what != error::none; }
};

} // namespace livetape
