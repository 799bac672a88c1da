#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <functional>
#include <map>
#include <new>
#include <span>

#include <asio/ssl/error.hpp>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace livetape {

namespace detail {

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

using ssl_context_ptr = std::unique_ptr<SSL_CTX, freed_by<&SSL_CTX_free>>;
using x509_ptr = std::unique_ptr<X509, freed_by<&X509_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<&EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<&BIO_free>>;

/// The reason that OpenSSL gave first, and its queue emptied.
inline std::error_code take_tls_error() noexcept {
    auto const code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return std::make_error_code(std::errc::invalid_argument);
    return {static_cast<int>(code), asio::error::get_ssl_category()};
}

/// PEM text that is wiped from memory afterwards.
class pem_text {
public:
    /// @param text  used if no file is named
    pem_text(std::filesystem::path const& file, std::string const& text, std::error_code& ec) {
        if (file.empty()) {
            text_ = text;
            return;
        }
        errno = 0;
        std::ifstream in{file, std::ios::binary};
        // Not by an iterator, which throws if the file is a directory.
        constexpr std::size_t part_bytes = 16u << 10;
        while (in) {
            auto const size = text_.size();
            text_.resize(size + part_bytes);
            in.read(text_.data() + size, part_bytes);
            text_.resize(size + static_cast<std::size_t>(in.gcount()));
        }
        if (!in.is_open() || in.bad()) ec = {errno != 0 ? errno : EIO, std::system_category()};
    }
    pem_text(pem_text const&) = delete;
    pem_text& operator=(pem_text const&) = delete;
    ~pem_text() { OPENSSL_cleanse(text_.data(), text_.size()); }

    [[nodiscard]] bio_ptr read() const {
        bio_ptr bio{BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size()))};
        if (!bio) throw std::bad_alloc{};
        return bio;
    }

private:
    std::string text_;
};

/// OpenSSL would ask at the terminal for a passphrase.
inline int no_passphrase(char*, int, int, void*) noexcept { return -1; }

/// The certificates of a PEM text, in order; none, with the error, if one is malformed.
inline std::vector<x509_ptr> read_certificates(pem_text const& text, std::error_code& ec) {
    std::vector<x509_ptr> found;
    auto const bio = text.read();
    ERR_clear_error();
    while (x509_ptr one{PEM_read_bio_X509(bio.get(), nullptr, &no_passphrase, nullptr)})
        found.push_back(std::move(one));
    bool const is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!found.empty() && is_at_end) {
        ERR_clear_error();
        return found;
    }
    ec = take_tls_error();
    return {};
}

/// What connections are made with: a context for each certificate, and which name means which.
struct tls_certificate_set {
    std::vector<ssl_context_ptr> contexts;
    std::map<std::string, SSL_CTX*, std::less<>> by_name; ///< in lower case

    [[nodiscard]] SSL_CTX* find(std::string_view host) const {
        std::string name{host};
        std::transform(name.begin(), name.end(), name.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        auto found = by_name.find(name);
        // RFC 6125 §6.4.3: the wildcard is one whole label.
        if (found == by_name.end() && name.find('.') != std::string::npos)
            found = by_name.find(name.replace(0, name.find('.'), "*"));
        return found == by_name.end() ? nullptr : found->second;
    }

    void add_names(X509& certificate, SSL_CTX& context) {
        auto const free_names = [](GENERAL_NAMES* names) { GENERAL_NAMES_free(names); };
        std::unique_ptr<GENERAL_NAMES, decltype(free_names)> const names{
            static_cast<GENERAL_NAMES*>(
                X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)),
            free_names};
        for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
            auto const* const each = sk_GENERAL_NAME_value(names.get(), i);
            if (each->type != GEN_DNS) continue;
            std::string name(reinterpret_cast<char const*>(ASN1_STRING_get0_data(each->d.dNSName)),
                             static_cast<std::size_t>(ASN1_STRING_length(each->d.dNSName)));
            std::transform(name.begin(), name.end(), name.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            });
            by_name.try_emplace(std::move(name), &context);
        }
    }
};

/// Chooses the certificate by the name that the client asks for; without a match the first stays.
inline int choose_certificate(SSL* ssl, int*, void* set) {
    auto const* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    try {
        if (auto* const context = static_cast<tls_certificate_set const*>(set)->find(name))
            SSL_set_SSL_CTX(ssl, context);
    } catch (std::bad_alloc const&) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_OK;
}

/// Chooses http/1.1 among the protocols that the client offers, each with its length before it;
/// without it the handshake ends with the alert no_application_protocol (RFC 7301 §3.2).
inline int choose_protocol(SSL*, unsigned char const** chosen, unsigned char* chosen_size,
                           unsigned char const* offered, unsigned offered_size, void*) {
    constexpr std::string_view wanted = "http/1.1";
    for (std::span<unsigned char const> rest{offered, offered_size}; !rest.empty();) {
        std::size_t const size = rest[0];
        if (rest.size() <= size) break;
        auto const name = rest.subspan(1, size);
        if (std::equal(name.begin(), name.end(), wanted.begin(), wanted.end())) {
            *chosen = name.data();
            *chosen_size = static_cast<unsigned char>(size);
            return SSL_TLSEXT_ERR_OK;
        }
        rest = rest.subspan(1 + size);
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// A context with everything but certificates.
inline ssl_context_ptr make_tls_server_context() {
    ssl_context_ptr made{SSL_CTX_new(TLS_server_method())};
    if (!made) throw std::bad_alloc{};
    auto* const context = made.get();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    // For TLS 1.2; all ciphers of TLS 1.3 are of this kind.
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
    // Idle connections hold no buffer, and a read takes whole records with one call.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    // Tickets hold the sessions, so that nothing has to be remembered or shared.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    constexpr std::array<unsigned char, 8> id{'l', 'i', 'v', 'e', 't', 'a', 'p', 'e'};
    SSL_CTX_set_session_id_context(context, id.data(), id.size());
    SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr);
    return made;
}

} // namespace detail

inline tls_context::tls_context(tls_options options) : state_{std::make_shared<state>()} {
    state_->options = std::move(options);
    reload();
}

inline tls_context::tls_context(tls_options options, std::error_code& ec)
    : state_{std::make_shared<state>()} {
    state_->options = std::move(options);
    reload(ec);
}

inline void tls_context::reload() {
    if (auto const why = load(); why.code) throw std::system_error{why.code, why.what};
}

inline void tls_context::reload(std::error_code& ec) { ec = load().code; }

inline tls_context::fault tls_context::load() {
    auto const& options = state_->options;
    LIVETAPE_ASSERT(!options.certificates.empty());
    auto const named = [](std::string_view what, std::filesystem::path const& file) {
        auto text = "cannot use the " + std::string{what};
        return file.empty() ? text : text + " file " + file.string();
    };
    auto const set = std::make_shared<detail::tls_certificate_set>();
    std::error_code ec;

    std::vector<detail::x509_ptr> authorities;
    bool const asks_clients = options.clients != client_certificates::none;
    if (asks_clients) {
        auto const what = named("client authorities", options.client_authorities_file);
        detail::pem_text const text{options.client_authorities_file, options.client_authorities,
                                    ec};
        if (!ec) authorities = detail::read_certificates(text, ec);
        if (ec) return {ec, what};
    }

    for (auto const& each : options.certificates) {
        auto made = detail::make_tls_server_context();
        auto* const context = made.get();

        detail::pem_text const chain_text{each.chain_file, each.chain, ec};
        auto const chain =
            ec ? std::vector<detail::x509_ptr>{} : detail::read_certificates(chain_text, ec);
        for (std::size_t i = 0; i < chain.size() && !ec; ++i) {
            bool const is_taken = i == 0 ? SSL_CTX_use_certificate(context, chain[i].get()) == 1
                                         : SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
            if (!is_taken) ec = detail::take_tls_error();
        }
        if (ec) return {ec, named("certificate", each.chain_file)};

        detail::pem_text const key_text{each.key_file, each.key, ec};
        if (!ec) {
            ERR_clear_error();
            auto const bio = key_text.read();
            detail::key_ptr const key{
                PEM_read_bio_PrivateKey(bio.get(), nullptr, &detail::no_passphrase, nullptr)};
            // Setting it fails if it does not belong to the certificate.
            if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1)
                ec = detail::take_tls_error();
        }
        if (ec) return {ec, named("private key", each.key_file)};

        if (asks_clients) {
            bool const is_required = options.clients == client_certificates::required;
            SSL_CTX_set_verify(
                context, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                nullptr);
            for (auto const& authority : authorities) {
                X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
                SSL_CTX_add_client_CA(context, authority.get());
            }
        }
        set->add_names(*chain.front(), *context);
        set->contexts.push_back(std::move(made));
    }

    auto* const first = set->contexts.front().get();
    SSL_CTX_set_tlsext_servername_callback(first, &detail::choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(first, set.get());
    std::scoped_lock const lock{state_->mutex};
    state_->current = std::shared_ptr<SSL_CTX>{set, first};
    return {};
}

} // namespace livetape
