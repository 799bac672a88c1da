#pragma once

#include <livetape/intrusive_list.hpp>
#include <livetape/transport/dismissal.hpp>

#include <string_view>

namespace livetape {

/// A connection as the one who stops a server sees it.
class live_connection : public list_hook<live_connection> {
public:
    virtual ~live_connection() = default;

    /// Lets the session say good-bye and closes once that is written.
    virtual void shut_down() = 0;

    /// Lets the session end if it is of that identity.
    virtual void dismiss(std::string_view /*identity*/, dismissal const& /*why*/) {}

    /// Closes at once. Its completion is never called.
    virtual void cancel() noexcept = 0;
};

/// All connections of a server on one shard.
using connection_list = intrusive_list<live_connection>;

} // namespace livetape
