#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <livetape/net/connection.hpp>
#include <livetape/transport/history_session.hpp>
#include <livetape/transport/poll_session.hpp>
#include <livetape/transport/presence_answer.hpp>
#include <livetape/transport/publish_session.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/transport/sse_session.hpp>
#include <livetape/transport/websocket_session.hpp>

namespace livetape {

/// The ways in which a server serves; the first whose `matches` says yes takes a request. A host
/// adds its own: `transports<ndjson_transport, websocket_transport, sse_transport>`.
template <transport... T>
struct transports {
    /// Starts the session of the transport that takes the request; false, and nothing is moved
    /// from, if none does.
    template <class Stream, class Done>
    static bool start(Stream& stream, live_endpoint& endpoint, http::request_head const& head,
                      std::string_view path, std::string& received, connection_list* listed,
                      Done& done) {
        auto& own = shard::of(detail::context_of(stream));
        session_context const context{endpoint, own.wakes(), clock::now(), own.random()};
        auto const start_one = [&]<class One>(std::type_identity<One>) {
            if (!One::matches(head, path)) return false;
            using driver = connection<Stream, typename One::session, Done>;
            driver::start(std::move(stream), listed, std::move(received), std::move(done), context,
                          head, path);
            return true;
        };
        return (start_one(std::type_identity<T>{}) || ...);
    }
};

/// What a server offers unless it is told otherwise.
using default_transports = transports<websocket_transport, sse_transport, poll_transport,
                                      history_transport, presence_transport, publish_transport>;

} // namespace livetape
