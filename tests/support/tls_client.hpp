#pragma once

#include <support/blocking_client.hpp>
#include <support/tls_certificates.hpp>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace livetape::test {

/// What a client offers in the handshake. It checks no certificate unless it has an authority.
struct tls_offer {
    int version_min = TLS1_2_VERSION;
    int version_max = TLS1_3_VERSION;
    std::string protocols{};   ///< for ALPN, each with its length before it
    std::string server_name{}; ///< for SNI
    pem_pair certificate{};
    std::string authority{};
    SSL_SESSION* session = nullptr; ///< to resume
    int receive_buffer_bytes = 0;
};

/// A `blocking_client` over TLS.
class tls_client : public blocking_client {
public:
    /// @throws std::runtime_error  with OpenSSL's reason if the handshake fails
    explicit tls_client(std::uint16_t port, tls_offer const& offer = {})
        : blocking_client{port, offer.receive_buffer_bytes} {
        // OpenSSL writes to sockets without MSG_NOSIGNAL.
        std::signal(SIGPIPE, SIG_IGN);
        context_.reset(SSL_CTX_new(TLS_client_method()));
        SSL_CTX_set_security_level(context_.get(), 0);
        SSL_CTX_set_min_proto_version(context_.get(), offer.version_min);
        SSL_CTX_set_max_proto_version(context_.get(), offer.version_max);
        use(offer);
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_fd(ssl_.get(), descriptor());
        SSL_set_msg_callback(ssl_.get(), &tls_client::count_record);
        SSL_set_msg_callback_arg(ssl_.get(), this);
        if (offer.session != nullptr) SSL_set_session(ssl_.get(), offer.session);
        if (!offer.server_name.empty())
            SSL_set_tlsext_host_name(ssl_.get(), offer.server_name.c_str());
        ERR_clear_error();
        if (SSL_connect(ssl_.get()) != 1) throw std::runtime_error{take_reason()};
    }

    [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
    [[nodiscard]] bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
    [[nodiscard]] SSL_SESSION* session() const { return SSL_get_session(ssl_.get()); }

    [[nodiscard]] std::string protocol() const {
        unsigned char const* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(ssl_.get(), &name, &size);
        return {reinterpret_cast<char const*>(name), size};
    }

    /// The common name of the server's certificate.
    [[nodiscard]] std::string server_certificate() const {
        char name[100] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl_.get())),
                                  NID_commonName, name, sizeof name);
        return name;
    }

    /// After the end: whether the server said that it is the end.
    [[nodiscard]] bool has_close_notify() const {
        return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
    }

    /// After the end: what OpenSSL says of it.
    [[nodiscard]] std::string const& reason() const { return reason_; }

    /// Plaintext records received, and the largest of them in bytes.
    [[nodiscard]] std::size_t record_count() const { return record_count_; }
    [[nodiscard]] std::size_t record_bytes_max() const { return record_bytes_max_; }

    void shut_down() override { SSL_shutdown(ssl_.get()); }

protected:
    std::ptrdiff_t transmit(std::string_view bytes) override {
        return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    }

    std::ptrdiff_t receive_some(char* into, std::size_t size) override {
        ERR_clear_error();
        auto const received = SSL_read(ssl_.get(), into, static_cast<int>(size));
        if (received <= 0) reason_ = take_reason();
        return received;
    }

private:
    struct deleter {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
        void operator()(SSL* ssl) const { SSL_free(ssl); }
        void operator()(BIO* bio) const { BIO_free(bio); }
        void operator()(X509* certificate) const { X509_free(certificate); }
        void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    };
    template <class T>
    using owned = std::unique_ptr<T, deleter>;

    static owned<BIO> reader(std::string const& text) {
        return owned<BIO>{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
    }
    static owned<X509> certificate_of(std::string const& pem) {
        return owned<X509>{PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr)};
    }

    void use(tls_offer const& offer) {
        auto* const context = context_.get();
        if (!offer.protocols.empty())
            SSL_CTX_set_alpn_protos(context,
                                    reinterpret_cast<unsigned char const*>(offer.protocols.data()),
                                    static_cast<unsigned>(offer.protocols.size()));
        if (!offer.certificate.chain.empty()) {
            SSL_CTX_use_certificate(context, certificate_of(offer.certificate.chain).get());
            owned<EVP_PKEY> const key{PEM_read_bio_PrivateKey(reader(offer.certificate.key).get(),
                                                              nullptr, nullptr, nullptr)};
            SSL_CTX_use_PrivateKey(context, key.get());
        }
        if (offer.authority.empty()) return;
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate_of(offer.authority).get());
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    }

    static std::string take_reason() {
        auto const* const reason = ERR_reason_error_string(ERR_peek_last_error());
        return reason == nullptr ? "" : reason;
    }

    static void count_record(int is_written, int, int kind, void const* bytes, std::size_t, SSL*,
                             void* self) {
        if (is_written != 0 || kind != SSL3_RT_HEADER) return;
        auto const* const header = static_cast<unsigned char const*>(bytes);
        auto& client = *static_cast<tls_client*>(self);
        ++client.record_count_;
        client.record_bytes_max_ =
            std::max(client.record_bytes_max_, std::size_t{header[3]} * 256 + header[4]);
    }

    owned<SSL_CTX> context_;
    owned<SSL> ssl_;
    std::string reason_;
    std::size_t record_count_ = 0;
    std::size_t record_bytes_max_ = 0;
};

} // namespace livetape::test
