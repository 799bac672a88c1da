#pragma once

/// TLS for servers, on OpenSSL 3: the component `livetape::tls`. The umbrella header leaves it out.

#include <livetape/net/tls_context.hpp>
#include <livetape/net/tls_stream.hpp>
