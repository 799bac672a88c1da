#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/execution_context.hpp>
#include <asio/ssl/error.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <livetape/error.hpp>
#include <livetape/wire/response.hpp>

namespace livetape::detail {

/// Buffers that the TLS connections of one io_context share, so that an idle one needs none.
class tls_scratch : public asio::execution_context::service {
public:
    using key_type = tls_scratch;
    inline static asio::execution_context::id id;

    /// The largest record there is (RFC 8446 §5.1).
    static constexpr std::size_t record_bytes = 16u << 10;

    explicit tls_scratch(asio::execution_context& owner) : service{owner} {}

    std::array<char, record_bytes> plain; ///< where small pieces become one record
    std::string sealed;                   ///< records on their way to the socket

private:
    void shutdown() noexcept override {}
};

/// One end of a TLS connection over a non-blocking transport that a derived class provides: what
/// OpenSSL wants to send is collected and sent with one call, and of received records nothing is
/// kept but what is incomplete. So an idle connection holds OpenSSL's state and no buffer.
///
/// What the transport does not take at once is held back here, at most the records of one write:
/// plaintext that was made into a record must be sent as it is.
/// Thread safety: shared objects unsafe; the io_context's thread owns it.
class tls_engine {
public:
    tls_engine(SSL_CTX& context, tls_scratch& scratch)
        : scratch_{scratch}, ssl_{SSL_new(&context)} {
        BIO* const bio = ssl_ ? BIO_new(bio_method()) : nullptr;
        if (bio == nullptr) throw std::bad_alloc{};
        BIO_set_data(bio, this);
        SSL_set_bio(ssl_.get(), bio, bio);
        SSL_set_accept_state(ssl_.get());
    }
    tls_engine(tls_engine const&) = delete;
    tls_engine& operator=(tls_engine const&) = delete;
    virtual ~tls_engine() = default;

    /// Goes on with the handshake; `would_block` if it has to wait for the peer.
    void open(std::error_code& ec) {
        ERR_clear_error();
        if (auto const result = SSL_do_handshake(ssl_.get()); result != 1) ec = failure(result);
        if (is_http(ec)) {
            ec = error::tls_required;
            unsent_ = http::refusal(error::tls_required, {}, false);
        }
        std::error_code of_flush;
        if (flush(of_flush) || (ec && ec != asio::error::would_block)) return;
        ec = of_flush ? of_flush : asio::error::would_block;
    }

    /// Reads what has come, without waiting; several records if there is room.
    std::size_t read(std::span<char> into, std::error_code& ec) {
        ec = std::exchange(failure_, {});
        std::size_t total = 0;
        while (!ec && total < into.size()) {
            ERR_clear_error();
            std::size_t size = 0;
            if (SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &size) == 1)
                total += size;
            else ec = failure(0);
        }
        has_read_all_ = ec == asio::error::would_block;
        if (total > 0 && has_read_all_) ec = {};
        if (total > 0 && ec) failure_ = std::exchange(ec, {});
        // The answer to a key update may be due (RFC 8446 §4.6.3).
        std::error_code told_by_next_write;
        flush(told_by_next_write);
        return total;
    }

    /// Whether `read` has something to do before more arrives.
    [[nodiscard]] bool has_input() const noexcept {
        return failure_ || (!has_read_all_ && SSL_has_pending(ssl_.get()) == 1);
    }

    /// Takes bytes to be sent, as many as make a few records. They count as written even though
    /// some may be held back.
    std::size_t write(std::span<asio::const_buffer const> pieces, std::error_code& ec) {
        ec = {};
        std::size_t total = 0;
        for (std::size_t i = 0; i < rounds_per_write && !pieces.empty(); ++i) {
            if (!flush(ec)) {
                if (!ec && total == 0) ec = asio::error::would_block;
                break;
            }
            total += write_round(pieces, total, ec);
            if (ec || total == asio::buffer_size(pieces)) break;
        }
        return total;
    }

    /// Whether bytes wait for the transport to take them.
    [[nodiscard]] bool holds_back() const noexcept { return !unsent_.empty(); }

    /// Sends what is held back; false if some of it still is.
    bool flush(std::error_code& ec) {
        ec = {};
        if (unsent_.empty()) return true;
        sent_ += transmit(std::string_view{unsent_}.substr(sent_), ec);
        if (ec == asio::error::would_block || ec == asio::error::try_again) ec = {};
        if (sent_ < unsent_.size()) return false;
        std::string{}.swap(unsent_);
        sent_ = 0;
        return true;
    }

    /// Says that nothing more will be sent (RFC 8446 §6.1), if the handshake is over.
    void close_output() {
        auto const state = SSL_get_shutdown(ssl_.get());
        if (SSL_is_init_finished(ssl_.get()) != 1 || (state & SSL_SENT_SHUTDOWN) != 0) return;
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        std::error_code peer_is_gone;
        flush(peer_is_gone);
    }

    [[nodiscard]] SSL* native_handle() const noexcept { return ssl_.get(); }

protected:
    virtual std::size_t receive(std::span<char> into, std::error_code& ec) = 0;
    virtual std::size_t transmit(std::string_view bytes, std::error_code& ec) = 0;

private:
    // Two records a call of the system: a socket that is full leaves no more than that behind.
    static constexpr std::size_t records_per_round = 2;
    static constexpr std::size_t rounds_per_write = 2;
    // Alerts and answers of a peer that does not read.
    static constexpr std::size_t unsent_bytes_max = 64u << 10;

    /// Seals a few records of what comes after the first `skipped` bytes, and sends them.
    std::size_t write_round(std::span<asio::const_buffer const> pieces, std::size_t skipped,
                            std::error_code& ec) {
        scratch_.sealed.clear();
        sealed_ = &scratch_.sealed;
        std::size_t taken = 0;
        for (std::size_t i = 0; i < records_per_round && !ec; ++i) {
            auto const record = next_record(pieces, skipped + taken);
            if (record.empty()) break;
            ERR_clear_error();
            std::size_t written = 0;
            if (SSL_write_ex(ssl_.get(), record.data(), record.size(), &written) == 1)
                taken += written;
            else ec = failure(0);
        }
        sealed_ = nullptr;
        if (ec) return taken;
        auto const sent = transmit(scratch_.sealed, ec);
        if (ec == asio::error::would_block || ec == asio::error::try_again) ec = {};
        if (!ec && sent < scratch_.sealed.size()) unsent_.append(scratch_.sealed, sent);
        return taken;
    }

    /// As much of the pieces as a record holds: in place if one piece has it all, else copied.
    [[nodiscard]] std::string_view next_record(std::span<asio::const_buffer const> pieces,
                                               std::size_t skipped) {
        while (!pieces.empty() && skipped >= pieces.front().size()) {
            skipped -= pieces.front().size();
            pieces = pieces.subspan(1);
        }
        if (pieces.empty()) return {};
        auto const rest_of_first = view(pieces.front()).substr(skipped, tls_scratch::record_bytes);
        if (pieces.size() == 1 || rest_of_first.size() == tls_scratch::record_bytes)
            return rest_of_first;
        std::size_t size = rest_of_first.copy(scratch_.plain.data(), rest_of_first.size());
        for (auto const& piece : pieces.subspan(1))
            size += view(piece).copy(scratch_.plain.data() + size, scratch_.plain.size() - size);
        return {scratch_.plain.data(), size};
    }

    [[nodiscard]] static std::string_view view(asio::const_buffer const& piece) noexcept {
        return {static_cast<char const*>(piece.data()), piece.size()};
    }

    /// Why the last call of OpenSSL did not succeed.
    [[nodiscard]] std::error_code failure(int result) noexcept {
        switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return asio::error::would_block;
        case SSL_ERROR_ZERO_RETURN: return asio::error::eof;
        case SSL_ERROR_SSL: break;
        default: return transport_failure_ ? transport_failure_ : truncated();
        }
        auto const code = ERR_peek_last_error();
        ERR_clear_error();
        // An end without close_notify may be somebody else's doing (RFC 8446 §6.1).
        if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return truncated();
        return {static_cast<int>(code), asio::error::get_ssl_category()};
    }

    [[nodiscard]] static std::error_code truncated() noexcept {
        return asio::ssl::error::stream_truncated;
    }

    /// Whether the peer speaks HTTP where it should speak TLS.
    [[nodiscard]] static bool is_http(std::error_code ec) noexcept {
        return ec.category() == asio::error::get_ssl_category() &&
               ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == SSL_R_HTTP_REQUEST;
    }

    /// The transport as OpenSSL sees it.
    static BIO_METHOD* bio_method() {
        static std::unique_ptr<BIO_METHOD, void (*)(BIO_METHOD*)> const method{
            [] {
                auto* const made =
                    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "livetape");
                if (made == nullptr) throw std::bad_alloc{};
                BIO_meth_set_read(made, &tls_engine::bio_read);
                BIO_meth_set_write(made, &tls_engine::bio_write);
                BIO_meth_set_ctrl(made, &tls_engine::bio_control);
                BIO_meth_set_create(made, [](BIO* bio) {
                    BIO_set_init(bio, 1);
                    return 1;
                });
                return made;
            }(),
            &BIO_meth_free};
        return method.get();
    }

    static int bio_read(BIO* bio, char* into, int size) {
        auto& self = *static_cast<tls_engine*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        std::error_code ec;
        auto const received = self.receive({into, static_cast<std::size_t>(size)}, ec);
        if (!ec) return static_cast<int>(received);
        self.has_ended_ = ec == asio::error::eof;
        if (self.has_ended_) return 0;
        if (ec == asio::error::would_block || ec == asio::error::try_again) BIO_set_retry_read(bio);
        else self.transport_failure_ = ec;
        return -1;
    }

    static int bio_write(BIO* bio, char const* bytes, int size) {
        auto& self = *static_cast<tls_engine*>(BIO_get_data(bio));
        auto& to = self.sealed_ != nullptr ? *self.sealed_ : self.unsent_;
        BIO_clear_retry_flags(bio);
        if (to.size() > unsent_bytes_max) return -1;
        try {
            to.append(bytes, static_cast<std::size_t>(size));
        } catch (std::bad_alloc const&) {
            return -1;
        }
        return size;
    }

    static long bio_control(BIO* bio, int command, long, void*) {
        if (command == BIO_CTRL_EOF)
            return static_cast<tls_engine*>(BIO_get_data(bio))->has_ended_ ? 1 : 0;
        return command == BIO_CTRL_FLUSH ? 1 : 0;
    }

    struct free_ssl {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };

    tls_scratch& scratch_;
    std::unique_ptr<SSL, free_ssl> ssl_;
    std::string unsent_;
    std::size_t sent_ = 0;
    std::string* sealed_ = nullptr; ///< where records go while a write makes them
    std::error_code transport_failure_;
    std::error_code failure_; ///< found after bytes that had to be given out first
    bool has_read_all_ = false;
    bool has_ended_ = false;
};

} // namespace livetape::detail
