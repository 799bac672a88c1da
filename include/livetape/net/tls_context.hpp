#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <livetape/config.hpp>
#include <livetape/net/tls_stream.hpp>

namespace livetape {

/// A certificate and what belongs to it, in PEM, from files or from memory.
struct tls_certificate {
    /// The server's certificate, then those between it and the root.
    std::filesystem::path chain_file{};

    /// Its private key, without a passphrase.
    std::filesystem::path key_file{};

    /// The same as text, in place of files.
    std::string chain{};
    std::string key{};
};

/// Whether clients show certificates of their own.
enum class client_certificates {
    none,     ///< they are not asked
    optional, ///< those who have none are served too; a wrong one ends the handshake
    required, ///< those who have none are refused
};

/// How a server speaks TLS.
struct tls_options {
    /// At least one. A client that names a host (SNI, RFC 6066 §3) gets the first whose names
    /// (the DNS names in it, or `*` for one label) fit, exact names first; all others get the
    /// first.
    std::vector<tls_certificate> certificates{};

    client_certificates clients = client_certificates::none;

    /// Who signs the clients' certificates: PEM, a file or text.
    std::filesystem::path client_authorities_file{};
    std::string client_authorities{};

    /// From the accepted connection to the end of the handshake, which costs a few round trips.
    std::chrono::milliseconds handshake_timeout{10'000};
};

/// What a server needs to speak TLS 1.2 and 1.3 (RFC 5246, RFC 8446): `server.listen(at, tls)`.
///
/// Ciphers are those with forward secrecy and authenticated encryption; there is no renegotiation,
/// no compression, no early data. The protocol is http/1.1 (ALPN, RFC 7301), and a client that
/// offers only others is refused. Sessions resume by tickets, so the server keeps none; the keys of
/// the tickets last until the next `reload`.
///
/// Copies share one state. Thread safety: shared objects safe.
class tls_context {
public:
    /// Reads the certificates.
    /// @throws std::system_error  that names what cannot be used, and why
    explicit tls_context(tls_options options);

    /// @param ec  if set, the context must not be used
    tls_context(tls_options options, std::error_code& ec);

    /// Reads the certificates again: connections that are accepted from now on get the new ones.
    /// If that fails, the old ones stay in force. Blocks while it reads.
    /// @throws std::system_error  as the constructor does
    void reload();
    void reload(std::error_code& ec);

    /// A stream over a socket that was accepted.
    template <class Socket>
    [[nodiscard]] tls_stream<Socket> wrap(Socket socket) const {
        return {std::move(socket), current()};
    }

    [[nodiscard]] std::chrono::milliseconds open_timeout() const noexcept {
        return state_->options.handshake_timeout;
    }

private:
    struct state {
        tls_options options;
        std::mutex mutex;
        std::shared_ptr<SSL_CTX> current;
    };

    /// Why something failed, and the sentence that names it.
    struct fault {
        std::error_code code;
        std::string what;
    };

    [[nodiscard]] std::shared_ptr<SSL_CTX> current() const {
        std::scoped_lock const lock{state_->mutex};
        return state_->current;
    }

    fault load();

    std::shared_ptr<state> state_;
};

} // namespace livetape

#include <livetape/net/impl/tls_context.ipp>
