#pragma once

/// Version and the assertion hook: the only macros of the library. Set them once for the whole
/// program (for instance on the compiler's command line), never per file.

#define LIVETAPE_VERSION_MAJOR 0
#define LIVETAPE_VERSION_MINOR 1
#define LIVETAPE_VERSION_PATCH 0

/// Checks a precondition that the calling program must keep; never used on what a peer sent.
/// Defaults to the standard `assert`; define it to route failures to the host's own handler.
#ifndef LIVETAPE_ASSERT
#include <cassert>
#define LIVETAPE_ASSERT(condition) assert(condition)
#endif
