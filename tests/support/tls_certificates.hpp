#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace livetape::test {

/// A certificate, perhaps with those above it, and its key; both as PEM.
struct pem_pair {
    std::string chain;
    std::string key;
};

/// Makes certificates that are good for a day, while a test runs: nothing secret is in the tree.
class certificate_authority {
public:
    explicit certificate_authority(std::string const& name)
        : key_{make_key()}, certificate_{make(name, "", *key_, nullptr)} {}

    /// @param alternative_names  as OpenSSL writes them: "DNS:a.test,DNS:*.b.test"
    [[nodiscard]] pem_pair issue(std::string const& name,
                                 std::string const& alternative_names = "") const {
        auto const key = make_key();
        auto const made = make(name, alternative_names, *key, certificate_.get());
        return {pem_of([&](BIO* to) { PEM_write_bio_X509(to, made.get()); }), pem_of([&](BIO* to) {
                    PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
                })};
    }

    [[nodiscard]] std::string pem() const {
        return pem_of([&](BIO* to) { PEM_write_bio_X509(to, certificate_.get()); });
    }

    /// A key that only a passphrase opens.
    [[nodiscard]] static std::string encrypted_key() {
        auto const key = make_key();
        std::string passphrase{"secret"};
        return pem_of([&](BIO* to) {
            PEM_write_bio_PrivateKey(to, key.get(), EVP_aes_128_cbc(),
                                     reinterpret_cast<unsigned char*>(passphrase.data()),
                                     static_cast<int>(passphrase.size()), nullptr, nullptr);
        });
    }

private:
    template <class T>
    using owned = std::unique_ptr<T, void (*)(T*)>;

    static owned<EVP_PKEY> make_key() { return {EVP_EC_gen("P-256"), &EVP_PKEY_free}; }

    template <class Write>
    static std::string pem_of(Write write) {
        owned<BIO> const to{BIO_new(BIO_s_mem()), [](BIO* bio) { BIO_free(bio); }};
        write(to.get());
        char* bytes = nullptr;
        auto const size = BIO_get_mem_data(to.get(), &bytes);
        return {bytes, static_cast<std::size_t>(size)};
    }

    static void add_extension(X509& to, X509* issuer, int kind, std::string const& value) {
        X509V3_CTX context{};
        X509V3_set_ctx(&context, issuer != nullptr ? issuer : &to, &to, nullptr, nullptr, 0);
        auto* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
        if (extension == nullptr) throw std::runtime_error{"bad extension " + value};
        X509_add_ext(&to, extension, -1);
        X509_EXTENSION_free(extension);
    }

    /// @param issuer  none if it signs itself
    owned<X509> make(std::string const& name, std::string const& alternative_names, EVP_PKEY& key,
                     X509* issuer) const {
        owned<X509> made{X509_new(), &X509_free};
        X509_set_version(made.get(), 2);
        ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial_);
        X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
        X509_gmtime_adj(X509_getm_notAfter(made.get()), 24 * 3600);
        X509_set_pubkey(made.get(), &key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<unsigned char const*>(name.c_str()), -1, -1, 0);
        X509_set_issuer_name(made.get(),
                             X509_get_subject_name(issuer != nullptr ? issuer : made.get()));
        if (issuer == nullptr)
            add_extension(*made, issuer, NID_basic_constraints, "critical,CA:TRUE");
        if (!alternative_names.empty())
            add_extension(*made, issuer, NID_subject_alt_name, alternative_names);
        if (X509_sign(made.get(), issuer != nullptr ? key_.get() : &key, EVP_sha256()) == 0)
            throw std::runtime_error{"cannot sign"};
        return made;
    }

    mutable long serial_ = 0;
    owned<EVP_PKEY> key_;
    owned<X509> certificate_;
};

} // namespace livetape::test
