#pragma once

namespace livetape {

/// What connections refer to; it lives until the last of them is gone.
template <class Transports>
struct basic_server<Transports>::state : std::enable_shared_from_this<state> {
    using acceptor_type = asio::basic_socket_acceptor<asio::ip::tcp, executor_type>;

    struct mount {
        mount(std::string at, hub& source, live_options options)
            : prefix{std::move(at)}, endpoint{source, std::move(options)} {}
        std::string prefix;
        live_endpoint endpoint;
    };

    struct app {
        app(std::string at, hub& source, live_options options)
            : path{std::move(at)}, endpoint{source, std::move(options)} {
            if (path.ends_with('*')) {
                path.pop_back();
                is_prefix = true;
            }
        }
        std::string path;
        bool is_prefix = false;
        live_endpoint endpoint;
        message_handler on_message; // one of the two
        message_piece_handler on_piece;
    };

    /// A place among the connections, given back when the last object that serves it is gone.
    class slot {
    public:
        slot(std::shared_ptr<state> of, asio::ip::address const& from) : of_{std::move(of)} {
            ++of_->connection_count;
            if (of_->options.connections_per_address_max > 0) {
                from_ = &*of_->per_address.try_emplace(from, 0).first;
                ++from_->second;
            }
        }
        slot(slot&& other) noexcept
            : of_{std::move(other.of_)}, from_{std::exchange(other.from_, nullptr)} {}
        slot& operator=(slot&&) = delete;
        ~slot() {
            if (!of_) return;
            --of_->connection_count;
            if (from_ != nullptr && --from_->second == 0) of_->per_address.erase(from_->first);
        }
        [[nodiscard]] state& operator*() const noexcept { return *of_; }
        [[nodiscard]] state* operator->() const noexcept { return of_.get(); }

    private:
        std::shared_ptr<state> of_;
        std::pair<asio::ip::address const, std::size_t>* from_ = nullptr;
    };

    /// What a connection does when its session is over: with an error it is gone, without one the
    /// stream carries on, after a head with the session asked for, else with the next request.
    struct next_step {
        slot place;

        template <class Session, class Stream>
        void operator()(std::error_code ec, Session& session, Stream& stream) {
            if (ec || place->has_stopped) return;
            if constexpr (std::is_same_v<Session, request_session>) {
                auto head = session.take_head();
                state::route(std::move(stream), std::move(head), session.take_unread(),
                             std::move(place));
            } else {
                state::read_next(std::move(stream), session.take_unread(), std::move(place));
            }
        }
    };

    /// What happens once a layer is open, or has failed.
    struct opened {
        slot place;

        template <class Stream>
        void operator()(std::error_code ec, Stream& stream) {
            if (ec) return place->errors.count(error_of(ec));
            if (!place->has_stopped) read_request(std::move(stream), {}, std::move(place));
        }

        [[nodiscard]] static error error_of(std::error_code ec) noexcept {
            if (ec.category() == error_category()) return static_cast<error>(ec.value());
            return ec == asio::error::timed_out ? error::request_timeout
                                                : error::tls_handshake_failed;
        }
    };

    /// What is done with an accepted connection before its first request.
    using open_function = std::function<void(stream_type, slot)>;

    template <class Layer>
    static open_function opens_by(Layer layer) {
        return [layer = std::move(layer)](stream_type socket, slot place) {
            auto& s = *place;
            using stream = decltype(layer.wrap(std::move(socket)));
            opening<stream, opened>::start(layer.wrap(std::move(socket)), s.connections,
                                           opened{std::move(place)}, layer.open_timeout());
        };
    }

    struct listener {
        acceptor_type acceptor;
        open_function open; ///< empty if there is no layer
    };

    state(executor_type e, hub& h, server_options o)
        : executor{e}, source{h}, options{std::move(o)},
          own_shard{shard::of(asio::query(e, asio::execution::context))}, housekeeping{e} {}

    endpoint_type listen(endpoint_type const& at, listen_options const& how, open_function open,
                         std::error_code& ec) {
        acceptor_type acceptor{executor};
        acceptor.open(at.protocol(), ec);
        if (!ec) acceptor.set_option(asio::socket_base::reuse_address{true}, ec);
#ifdef SO_REUSEPORT
        using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
        if (!ec && how.reuse_port) acceptor.set_option(reuse_port{true}, ec);
#endif
        if (!ec) acceptor.bind(at, ec);
        // Otherwise Asio waits for the next connection, and blocks the shard, when one is gone
        // again.
        if (!ec) acceptor.set_option(asio::socket_base::enable_connection_aborted{true}, ec);
        if (!ec) acceptor.listen(how.backlog, ec);
        if (!ec) acceptor.non_blocking(true, ec);
        // Accepted sockets inherit it, which saves a call for each.
        if (!ec) acceptor.set_option(asio::ip::tcp::no_delay{true}, ec);
        if (ec) return {};
        auto const bound = acceptor.local_endpoint(ec);
        listeners.push_back({std::move(acceptor), std::move(open)});
        accept_on(listeners.back());
        if (!std::exchange(drives_hub, true)) own_shard.drive(source.due());
        return bound;
    }

    void accept_on(listener& on) {
        on.acceptor.async_wait(asio::socket_base::wait_read,
                               [s = this->shared_from_this(), &on](std::error_code ec) {
                                   if (ec || s->has_stopped) return;
                                   s->accept_waiting(on);
                               });
    }

    /// Takes the connections that wait, a bounded number of them so that sessions get their turn.
    void accept_waiting(listener& on) {
        for (int i = 0; i < accepts_per_turn; ++i) {
            std::error_code ec;
            endpoint_type from;
            stream_type stream{executor};
            if (options.connections_per_address_max > 0) on.acceptor.accept(stream, from, ec);
            else on.acceptor.accept(stream, ec);
            if (ec == asio::error::would_block || ec == asio::error::try_again) break;
            if (ec && ec != asio::error::connection_aborted) return accept_later(on);
            if (!ec) admit(std::move(stream), from.address(), on);
            if (!detail::has_waiting_connection(on.acceptor.native_handle())) break;
        }
        accept_on(on);
    }

    /// Out of descriptors or memory: waiting connections stay in the backlog until there are some.
    void accept_later(listener& on) {
        errors.count(error::too_many_connections);
        auto const timer = std::make_shared<loop_timer>(executor, std::chrono::milliseconds{100});
        timer->async_wait([s = this->shared_from_this(), timer, &on](std::error_code) {
            if (!s->has_stopped) s->accept_on(on);
        });
    }

    void admit(stream_type stream, asio::ip::address const& from, listener const& by) {
        auto const address_max = options.connections_per_address_max;
        auto const known = address_max > 0 ? per_address_count(from) : 0;
        slot place{this->shared_from_this(), from};
        if (connection_count <= options.connections_max &&
            (address_max == 0 || known < address_max))
            return by.open ? by.open(std::move(stream), std::move(place))
                           : read_request(std::move(stream), {}, std::move(place));
        errors.count(error::too_many_connections);
        if (by.open) return; // a handshake is what the limit should spare us
        respond(std::move(stream), {}, std::move(place),
                http::refusal(error::too_many_connections, {}, false, "Retry-After: 5\r\n"), false);
    }

    [[nodiscard]] std::size_t per_address_count(asio::ip::address const& from) const {
        auto const found = per_address.find(from);
        return found == per_address.end() ? 0 : found->second;
    }

    template <class Stream>
    static void read_request(Stream stream, std::string received, slot place) {
        auto& s = *place;
        using driver = connection<Stream, request_session, next_step>;
        driver::start(std::move(stream), &s.connections, std::move(received),
                      next_step{std::move(place)}, s.errors, s.own_shard.wakes(), clock::now(),
                      s.options.request);
    }

    /// A connection is served one request per turn, whether the next one has come already or comes
    /// while this one is answered: the others are not kept waiting, and the calls of one do not
    /// nest in those of the one before.
    template <class Stream>
    static void read_next(Stream stream, std::string received, slot place) {
        auto const where = place->executor;
        asio::post(where, [stream = std::move(stream), received = std::move(received),
                           place = std::move(place)]() mutable {
            if (!place->has_stopped)
                read_request(std::move(stream), std::move(received), std::move(place));
        });
    }

    template <class Stream>
    static void respond(Stream stream, std::string received, slot place, std::string response,
                        bool keep_alive) {
        auto& s = *place;
        using driver = connection<Stream, response_session, next_step>;
        driver::start(std::move(stream), &s.connections, std::move(received),
                      next_step{std::move(place)}, s.own_shard.wakes(), std::move(response),
                      keep_alive, s.options.write_timeout);
    }

    template <class Stream>
    static void route(Stream stream, http::request_head head, std::string received, slot place) {
        auto& s = *place;
        auto const path = head.path();
        next_step next{std::move(place)};
        auto const start_app = [&](app& one) {
            using driver = connection<Stream, message_session, next_step>;
            session_context const context{one.endpoint, s.own_shard.wakes(), clock::now(),
                                          s.own_shard.random()};
            auto const start = [&](auto const& handler) {
                driver::start(std::move(stream), &s.connections, std::move(received),
                              std::move(next), context, head, handler);
            };
            if (one.on_message) start(one.on_message);
            else start(one.on_piece);
        };
        if (auto* const own = s.app_at(path)) return start_app(*own);
        for (auto& each : s.mounts) {
            if (!path.starts_with(each.prefix)) continue;
            auto const below = path.substr(each.prefix.size());
            if (Transports::start(stream, each.endpoint, head, below, received, &s.connections,
                                  next))
                return;
        }
        if (auto* const any = s.app_above(path)) return start_app(*any);
        bool const keep_alive = http::keep_alive(head) && !has_body(head);
        respond(std::move(stream), std::move(received), std::move(next.place),
                s.page(head, keep_alive), keep_alive);
    }

    [[nodiscard]] app* app_at(std::string_view path) noexcept {
        for (auto& each : apps)
            if (!each.is_prefix && path == each.path) return &each;
        return nullptr;
    }

    /// The WebSocket path with the longest prefix of this one, unless a page or a file is nearer.
    [[nodiscard]] app* app_above(std::string_view path) {
        app* best = nullptr;
        for (auto& each : apps)
            if (each.is_prefix && path.starts_with(each.path) &&
                (best == nullptr || each.path.size() > best->path.size()))
                best = &each;
        if (best == nullptr || pages.find(path) != pages.end()) return nullptr;
        auto const* const directory = directory_of(path);
        bool const is_nearer = directory != nullptr && directory->first.size() >= best->path.size();
        return is_nearer ? nullptr : best;
    }

    /// The response of a page or a file, or the refusal if there is none.
    std::string page(http::request_head const& head, bool keep_alive) {
        auto const method = head.method();
        auto const path = head.path();
        std::string fields;
        if (keep_alive) http::append_connection(fields, keep_alive, head.minor_version());
        auto const handler = pages.find(path);
        auto const* const directory = directory_of(path);
        if (handler == pages.end() && directory == nullptr)
            return refuse(error::not_found, method, keep_alive, fields);
        if (method != "GET" && method != "HEAD")
            return refuse(error::method_not_allowed, method, keep_alive,
                          fields.append("Allow: GET, HEAD\r\n"));
        if (handler != pages.end())
            return detail::to_response(handler->second(head), method, keep_alive);
        auto const reply = directory->second.find(path.substr(directory->first.size()), head);
        return reply ? detail::to_response(*reply, method, keep_alive)
                     : refuse(error::not_found, method, keep_alive, fields);
    }

    /// The directory with the longest prefix of the path.
    [[nodiscard]] std::pair<std::string, static_files> const*
    directory_of(std::string_view path) const {
        std::pair<std::string, static_files> const* best = nullptr;
        for (auto const& each : directories)
            if (is_below(path, each.first) &&
                (best == nullptr || each.first.size() > best->first.size()))
                best = &each;
        return best;
    }

    /// Whether a path is the prefix or goes on with another segment: "/docs" is not above "/docs2".
    [[nodiscard]] static bool is_below(std::string_view path, std::string_view prefix) noexcept {
        return path.starts_with(prefix) && (path.size() == prefix.size() || prefix.ends_with('/') ||
                                            path[prefix.size()] == '/');
    }

    std::string refuse(error why, std::string_view method, bool keep_alive,
                       std::string_view fields = {}) {
        errors.count(why);
        return detail::to_refusal(why, method, keep_alive, fields);
    }

    void stop() {
        if (has_stopped) return;
        has_stopped = true;
        for (auto& each : listeners) each.acceptor.close();
        connections.for_each([](live_connection& each) { each.shut_down(); });
        housekeeping.cancel();
        release_hub();
        if (connections.empty()) return;
        drain_ends = std::chrono::steady_clock::now() + options.drain_timeout;
        drain();
    }

    /// Waits for the last connection, looking often; cuts those left when the time is over.
    void drain() {
        if (connections.empty()) return;
        if (std::chrono::steady_clock::now() >= drain_ends) return close_all();
        housekeeping.expires_after(std::chrono::milliseconds{20});
        housekeeping.async_wait([s = this->shared_from_this()](std::error_code ec) {
            if (!ec) s->drain();
        });
    }

    void release_hub() {
        if (std::exchange(drives_hub, false)) own_shard.release(*source.due());
    }

    void close_all() noexcept {
        has_stopped = true;
        release_hub();
        std::error_code ignored;
        for (auto& each : listeners) each.acceptor.close(ignored);
        housekeeping.cancel();
        while (auto* const each = connections.pop_front()) each->cancel();
    }

    static constexpr int accepts_per_turn = 64;

    executor_type executor;
    hub& source;
    server_options options;
    shard& own_shard;
    error_counters errors;
    // Deques, because connections keep references to their elements.
    std::deque<mount> mounts;
    std::deque<app> apps;
    std::vector<std::pair<std::string, static_files>> directories;
    std::map<std::string, request_handler, std::less<>> pages;
    std::deque<listener> listeners;
    loop_timer housekeeping;
    std::map<asio::ip::address, std::size_t> per_address;
    std::size_t connection_count = 0;
    std::chrono::steady_clock::time_point drain_ends{};
    bool has_stopped = false;
    bool drives_hub = false;
    connection_list connections;
};

} // namespace livetape
