#pragma once

#include <livetape/net/server.hpp>
#include <livetape/net/tls.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>

/// The options `--cert` and `--key` of a server's command line.
class tls_arguments {
public:
    explicit tls_arguments(CLI::App& app) {
        auto* const cert =
            app.add_option("--cert", certificate_.chain_file, "Certificate chain in PEM; with TLS");
        auto* const key = app.add_option("--key", certificate_.key_file, "Its private key in PEM");
        cert->needs(key);
        key->needs(cert);
    }

    [[nodiscard]] bool are_given() const { return !certificate_.chain_file.empty(); }

    /// Listens on all addresses, with TLS if it was asked for.
    /// @throws std::system_error  if the port or a file cannot be used
    livetape::server::endpoint_type listen(livetape::server& server, std::uint16_t port) const {
        livetape::server::endpoint_type const at{asio::ip::tcp::v4(), port};
        if (!are_given()) return server.listen(at);
        return server.listen(at, livetape::tls_context{{.certificates = {certificate_}}});
    }

private:
    livetape::tls_certificate certificate_;
};
