#pragma once

/// \file
/// Everything of livetape that needs no optional dependency. Applications include it; a program
/// that cares for compile time includes the headers that it uses.

#include <livetape/channel/hub.hpp>
#include <livetape/error.hpp>
#include <livetape/net/serve.hpp>
#include <livetape/net/server.hpp>
#include <livetape/transport/endpoint.hpp>
#include <livetape/transport/publish_checked.hpp>
