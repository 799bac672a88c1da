#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <zlib.h>

#include <livetape/compact_vector.hpp>
#include <livetape/config.hpp>
#include <livetape/error.hpp>
#include <livetape/owned_ptr.hpp>
#include <livetape/short_lock.hpp>
#include <livetape/wire/compression.hpp>
#include <livetape/wire/deflate_parameters.hpp>
#include <livetape/wire/extension.hpp>
#include <livetape/wire/message_codec.hpp>

namespace livetape::websocket {

/// How an endpoint compresses, as server or as client (RFC 7692 §7.1). The defaults keep nothing
/// between two messages: a connection then costs under 0.2 KiB, and all can share what is sent.
struct deflate_options {
    /// The server compresses each message alone. A server that takes the context over holds 262 KiB
    /// for each connection that it has compressed for, and shares nothing. A client that sets this
    /// asks for it, and fails the handshake if it does not get it.
    bool server_no_context_takeover = true;

    /// The client compresses each message alone. Otherwise a server holds up to 39 KiB for each
    /// connection that has sent it a compressed message, and a client 262 KiB.
    bool client_no_context_takeover = true;

    /// Base-2 logarithm of the window that the server compresses with: 9 to 15, where each step
    /// down halves the memory of taking the context over. A client may ask for 8 as well; a server
    /// declines that, since zlib cannot do it.
    std::uint8_t server_max_window_bits = 15;

    /// The same for the client's window. A server may ask for 8 as well; a client then sends all
    /// plain.
    std::uint8_t client_max_window_bits = 15;

    /// zlib's memory for finding repetitions, 1 to 9: 2^(9 + it) bytes. 8 is zlib's own default.
    int memory_level = 8;

    /// 1 (fast) to 9 (small). 6 is zlib's own default; an event is compressed once for all.
    int compression_level = 6;

    /// Messages below this go plain. Alone, JSON of 128 bytes shrinks by a sixth and of 256 by a
    /// third, and either way it is one packet.
    std::size_t threshold_bytes = 256;
};

namespace detail {

/// What an empty stored block, with which a flush ends, has after its header: a sender takes it
/// off each message, a receiver puts it back (RFC 7692 §7.2.1, §7.2.2).
inline constexpr std::string_view flush_tail{"\x00\x00\xff\xff", 4};

/// What makes two senders give the same bytes.
struct deflate_settings {
    std::uint8_t window_bits;
    int memory_level;
    int compression_level;
    std::size_t threshold_bytes;

    friend bool operator==(deflate_settings const&, deflate_settings const&) = default;
};

/// zlib counts in `unsigned`: the most that one call takes or gives.
[[nodiscard]] inline uInt stream_bytes(std::size_t size) noexcept {
    constexpr auto most = std::numeric_limits<uInt>::max();
    return size < most ? static_cast<uInt>(size) : most;
}

[[nodiscard]] inline Bytef* stream_pointer(char const* bytes) noexcept {
    // zlib only reads from `next_in`, which is a pointer to const in newer versions.
    return reinterpret_cast<Bytef*>(const_cast<char*>(bytes));
}

/// A raw DEFLATE compressor (RFC 1951). Not movable: zlib keeps a pointer to it.
class deflate_stream {
public:
    explicit deflate_stream(deflate_settings const& settings) noexcept
        : is_good_{deflateInit2(&stream_, settings.compression_level, Z_DEFLATED,
                                -int{settings.window_bits}, settings.memory_level,
                                Z_DEFAULT_STRATEGY) == Z_OK} {}
    deflate_stream(deflate_stream const&) = delete;
    deflate_stream& operator=(deflate_stream const&) = delete;
    ~deflate_stream() {
        if (is_good_) deflateEnd(&stream_);
    }

    [[nodiscard]] bool is_good() const noexcept { return is_good_; }

    /// Forgets the messages before.
    void reset() noexcept { deflateReset(&stream_); }

    /// Appends a message, flushed to a whole byte and without the tail (RFC 7692 §7.2.1).
    void append_message(std::string_view message, std::string& out) {
        std::size_t at = out.size();
        // Room for a flush beside the data; zlib wants over 6 bytes or repeats the flush's marker.
        std::size_t room = deflateBound(&stream_, static_cast<uLong>(message.size())) + 16;
        do {
            out.resize(at + room);
            stream_.next_in = stream_pointer(message.data());
            stream_.avail_in = stream_bytes(message.size());
            stream_.next_out = stream_pointer(out.data() + at);
            stream_.avail_out = stream_bytes(room);
            auto const given = stream_.avail_in;
            auto const offered = stream_.avail_out;
            bool const is_last = given == message.size();
            deflate(&stream_, is_last ? Z_SYNC_FLUSH : Z_NO_FLUSH);
            message.remove_prefix(given - stream_.avail_in);
            at += offered - stream_.avail_out;
            room = 4096;
        } while (stream_.avail_out == 0 || !message.empty());
        LIVETAPE_ASSERT(std::string_view{out}.substr(0, at).ends_with(flush_tail));
        out.resize(at - flush_tail.size());
    }

private:
    z_stream stream_{};
    bool is_good_;
};

/// A raw DEFLATE decompressor, of which a new stream begins where one ends (RFC 7692 §7.2.3.5).
class inflate_stream {
public:
    explicit inflate_stream(int window_bits) noexcept
        : is_good_{inflateInit2(&stream_, -window_bits) == Z_OK} {}
    inflate_stream(inflate_stream const&) = delete;
    inflate_stream& operator=(inflate_stream const&) = delete;
    ~inflate_stream() {
        if (is_good_) inflateEnd(&stream_);
    }

    [[nodiscard]] bool is_good() const noexcept { return is_good_; }

    /// Takes from the front of `input` and writes to `out`, which has `room` bytes, what it can.
    error step(std::string_view& input, char*& out, std::size_t& room) noexcept {
        // A final block may refer back to before the last one: the window stays.
        if (std::exchange(has_ended_, false)) inflateResetKeep(&stream_);
        stream_.next_in = stream_pointer(input.data());
        stream_.avail_in = stream_bytes(input.size());
        stream_.next_out = stream_pointer(out);
        stream_.avail_out = stream_bytes(room);
        auto const given = stream_.avail_in;
        auto const offered = stream_.avail_out;
        auto const result = inflate(&stream_, Z_SYNC_FLUSH);
        input.remove_prefix(given - stream_.avail_in);
        auto const written = offered - stream_.avail_out;
        out += written;
        room -= written;
        if (result == Z_MEM_ERROR) return error::internal_error;
        has_ended_ = result == Z_STREAM_END;
        bool const is_good = has_ended_ || result == Z_OK || result == Z_BUF_ERROR;
        return is_good ? error::none : error::bad_compression;
    }

    /// After a block with BFINAL set, until more comes.
    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }

    /// Whether a block has just ended, on a whole byte.
    [[nodiscard]] bool is_between_blocks() const noexcept {
        constexpr int after_block = 128;
        constexpr int unused_bits = 63;
        return has_ended_ ||
               ((stream_.data_type & after_block) != 0 && (stream_.data_type & unused_bits) == 0);
    }

private:
    z_stream stream_{};
    bool has_ended_ = false;
    bool is_good_;
};

/// Compresses single messages with streams that it keeps: as many as threads have used at once.
class deflate_pool final : public shared_compressor {
public:
    explicit deflate_pool(deflate_settings const& settings) noexcept : settings_{settings} {}

    [[nodiscard]] deflate_settings const& settings() const noexcept { return settings_; }

    [[nodiscard]] bool deflate(std::string_view message, std::string& out) const override {
        if (message.size() < settings_.threshold_bytes || message.empty()) return false;
        auto stream = take();
        if (!stream->is_good()) return false;
        auto const begin = out.size();
        stream->append_message(message, out);
        stream->reset();
        give_back(std::move(stream));
        if (out.size() - begin < message.size()) return true;
        out.resize(begin);
        return false;
    }

    /// The one pool with these settings in the whole program.
    [[nodiscard]] static deflate_pool const& of(deflate_settings const& settings) {
        // Never destroyed: the logs of a hub may hold what a pool made until the program ends.
        static auto& lock = *new short_lock;
        static auto& pools = *new compact_vector<owned_ptr<deflate_pool>>;
        short_lock_guard const guard{lock};
        for (auto const& pool : pools)
            if (pool->settings() == settings) return *pool;
        return *pools.push_back(make_owned<deflate_pool>(settings));
    }

private:
    [[nodiscard]] owned_ptr<deflate_stream> take() const {
        {
            short_lock_guard const guard{lock_};
            if (!idle_.empty()) {
                auto stream = std::move(idle_.back());
                idle_.pop_back();
                return stream;
            }
        }
        return make_owned<deflate_stream>(settings_);
    }

    void give_back(owned_ptr<deflate_stream> stream) const {
        short_lock_guard const guard{lock_};
        idle_.push_back(std::move(stream));
    }

    deflate_settings settings_;
    mutable short_lock lock_;
    mutable compact_vector<owned_ptr<deflate_stream>> idle_;
};

/// One connection's permessage-deflate. Streams are made when the first message needs them, and
/// kept only where the context is taken over.
class deflate_codec final : public message_codec {
public:
    struct sides {
        std::uint8_t own_window_bits = window_bits_max;
        std::uint8_t peer_window_bits = window_bits_max;
        bool is_own_context_kept = false;
        bool is_peer_context_kept = false;
    };

    /// @param pool  with the settings of this connection; null: the codec only inflates
    deflate_codec(sides const& agreed, deflate_pool const* pool)
        : pool_{pool}, shared_{pool}, agreed_{agreed} {
        // A peer must not cause another form of every event by the window that it asks for.
        if (pool == nullptr || pool->settings().window_bits == window_bits_max) return;
        auto narrowest = pool->settings();
        narrowest.window_bits = window_bits_deflatable_min;
        if (agreed.is_own_context_kept) shared_ = &deflate_pool::of(narrowest);
    }

    [[nodiscard]] inflated inflate(std::string_view& input, bool ends_message,
                                   std::span<char> out) override;

    [[nodiscard]] bool deflate(std::string_view message, std::string& out) override {
        if (pool_ == nullptr) return false;
        if (!agreed_.is_own_context_kept) return pool_->deflate(message, out);
        auto const& settings = pool_->settings();
        if (message.empty() || message.size() < settings.threshold_bytes) return false;
        if (!deflater_) deflater_ = make_owned<deflate_stream>(settings);
        if (!deflater_->is_good()) return false;
        deflater_->append_message(message, out);
        return true;
    }

    [[nodiscard]] shared_compressor const* shared() const noexcept override { return shared_; }

private:
    inflated finish_message(std::size_t bytes) {
        bool const is_whole = inflater_->is_between_blocks() &&
                              (tail_bytes_given_ == 0 || tail_bytes_given_ == flush_tail.size());
        tail_bytes_given_ = 0;
        has_begun_ = false;
        if (!agreed_.is_peer_context_kept) inflater_.reset();
        return {bytes, false, is_whole ? error::none : error::bad_compression};
    }

    deflate_pool const* pool_;
    deflate_pool const* shared_;
    owned_ptr<deflate_stream> deflater_;
    owned_ptr<inflate_stream> inflater_;
    sides agreed_;
    std::uint8_t tail_bytes_given_ = 0; ///< of the tail of the message that is being inflated
    bool has_begun_ = false;            ///< a byte of the message has come
    bool is_out_pending_ = false;       ///< zlib may have more output for the input that it took
};

inline message_codec::inflated deflate_codec::inflate(std::string_view& input, bool ends_message,
                                                      std::span<char> out) {
    // zlib gives nothing at all for an empty message that follows a flush, and some senders send
    // just that.
    if (input.empty() && !has_begun_) return {};
    has_begun_ = true;
    if (!inflater_) {
        // A window of 8 bits is inflated with one of 9.
        inflater_ = make_owned<inflate_stream>(deflatable(agreed_.peer_window_bits));
        if (!inflater_->is_good()) return {0, false, error::internal_error};
    }
    auto* rest = out.data();
    auto room = out.size();
    auto const written = [&] { return out.size() - room; };
    while (!input.empty() || is_out_pending_) {
        if (room == 0) return {written(), true};
        auto const size = input.size();
        auto const room_before = room;
        if (auto const e = inflater_->step(input, rest, room); e != error::none)
            return {written(), false, e};
        is_out_pending_ = room == 0 && !inflater_->has_ended();
        // What it held back may still come, or end a block, without another byte of the input.
        bool const is_stuck = !input.empty() && input.size() == size && room == room_before &&
                              !inflater_->has_ended();
        if (is_stuck) return {written(), false, error::bad_compression};
    }
    if (!ends_message) return {written()};
    for (;;) {
        // After a final block that ends the message there is nothing for the tail to complete.
        if (inflater_->has_ended()) return finish_message(written());
        if (room == 0) return {written(), true};
        auto tail = flush_tail.substr(tail_bytes_given_);
        auto const e = inflater_->step(tail, rest, room);
        tail_bytes_given_ = static_cast<std::uint8_t>(flush_tail.size() - tail.size());
        if (e != error::none) return {written(), false, e};
        if (tail.empty() && room > 0) return finish_message(written());
    }
}

} // namespace detail

/// permessage-deflate (RFC 7692) by zlib: `options.compression =
/// std::make_shared<livetape::websocket::permessage_deflate>()` switches it on.
///
/// Memory of a connection, in KiB, on top of this object's 0.1: nothing by default; 39 once it has
/// received a compressed message from a peer that takes its context over, and while it is receiving
/// one from any other (7 + the window of 2^bits bytes); 262 once it has sent one with its own
/// context taken over (6 + 2^(bits + 2) + 2^(memory_level + 9) bytes). Each thread that compresses
/// without context adds one of the latter to the program.
/// Thread safety: shared objects safe.
class permessage_deflate final : public compression {
public:
    explicit permessage_deflate(deflate_options const& options = {}) : options_{options} {
        LIVETAPE_ASSERT(options.server_max_window_bits >= 8 &&
                        options.server_max_window_bits <= 15);
        LIVETAPE_ASSERT(options.client_max_window_bits >= 8 &&
                        options.client_max_window_bits <= 15);
        LIVETAPE_ASSERT(options.memory_level >= 1 && options.memory_level <= 9);
        LIVETAPE_ASSERT(options.compression_level >= 1 && options.compression_level <= 9);
    }

    [[nodiscard]] deflate_options const& options() const noexcept { return options_; }

    [[nodiscard]] answer accept(std::span<extension const> offers) const override {
        for (auto const& offer : offers) {
            if (offer.name != deflate_extension_name) continue;
            auto const parameters = parse_deflate_parameters(offer, false);
            if (!parameters) continue;
            if (auto const agreed = answer_deflate_offer(*parameters, preferences()))
                return {make_codec(*agreed, true), format_deflate_extension(*agreed)};
        }
        return {};
    }

    [[nodiscard]] std::string offer() const override {
        return format_deflate_extension(make_deflate_offer(preferences()));
    }

    [[nodiscard]] verdict confirm(std::span<extension const> accepted) const override {
        if (accepted.empty()) return {};
        verdict refused{error::bad_extension, nullptr};
        if (accepted.size() > 1 || accepted.front().name != deflate_extension_name) return refused;
        auto const parameters = parse_deflate_parameters(accepted.front(), true);
        if (!parameters || !keeps_deflate_offer(*parameters, make_deflate_offer(preferences())))
            return refused;
        return {error::none, make_codec(*parameters, false)};
    }

private:
    [[nodiscard]] deflate_preferences preferences() const noexcept {
        return {options_.server_no_context_takeover, options_.client_no_context_takeover,
                options_.server_max_window_bits, options_.client_max_window_bits};
    }

    [[nodiscard]] std::unique_ptr<message_codec> make_codec(deflate_parameters const& agreed,
                                                            bool is_server) const;

    deflate_options options_;
};

inline std::unique_ptr<message_codec>
permessage_deflate::make_codec(deflate_parameters const& agreed, bool is_server) const {
    auto const server_bits = agreed.server_max_window_bits.value_or(window_bits_max);
    // §7.1.2.2: a client may always use less than it is allowed, but a server cannot count on it.
    auto const client_bits = agreed.client_max_window_bits.value_or(window_bits_max);
    bool const is_server_context_kept = !agreed.server_no_context_takeover;
    // A client that would rather not take its context over need not, whatever the answer says.
    bool const is_client_context_kept =
        !agreed.client_no_context_takeover && (is_server || !options_.client_no_context_takeover);
    detail::deflate_codec::sides sides;
    if (is_server)
        sides = {server_bits, client_bits, is_server_context_kept, is_client_context_kept};
    else {
        auto const wanted_bits = deflatable(options_.client_max_window_bits);
        sides = {client_bits < wanted_bits ? client_bits : wanted_bits, server_bits,
                 is_client_context_kept, is_server_context_kept};
    }

    detail::deflate_settings const settings{sides.own_window_bits, options_.memory_level,
                                            options_.compression_level, options_.threshold_bytes};
    // §7.1.2: a window of 8 bits must not be exceeded, and zlib would.
    auto const* const pool = sides.own_window_bits < window_bits_deflatable_min
                                 ? nullptr
                                 : &detail::deflate_pool::of(settings);
    return std::unique_ptr<message_codec>{new detail::deflate_codec{sides, pool}};
}

} // namespace livetape::websocket
