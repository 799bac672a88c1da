# Finds standalone Asio (header-only) and defines the target asio::asio.
#
# Uses the target asio::asio if the including project has one; otherwise looks in Asio_ROOT or
# ASIO_ROOT (variables or environment; the folder with asio.hpp or the one above its include/),
# then where system headers are. Sets Asio_FOUND, Asio_VERSION and Asio_INCLUDE_DIR.

if(TARGET asio::asio)
    # The owner of the target vouches for it; the version is known when its folder can be read.
    get_target_property(Asio_INCLUDE_DIR asio::asio INTERFACE_INCLUDE_DIRECTORIES)
    if(Asio_INCLUDE_DIR)
        string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" Asio_INCLUDE_DIR "${Asio_INCLUDE_DIR}")
        list(GET Asio_INCLUDE_DIR 0 Asio_INCLUDE_DIR)
    endif()
else()
    find_path(Asio_INCLUDE_DIR asio/version.hpp
        HINTS "${Asio_ROOT}" "${ASIO_ROOT}" ENV Asio_ROOT ENV ASIO_ROOT
        PATH_SUFFIXES include asio/include)
    mark_as_advanced(Asio_INCLUDE_DIR)
endif()

unset(Asio_VERSION)
if(EXISTS "${Asio_INCLUDE_DIR}/asio/version.hpp")
    # ASIO_VERSION is major * 100000 + minor * 100 + patch.
    file(STRINGS "${Asio_INCLUDE_DIR}/asio/version.hpp" asio_version
         REGEX "^#define ASIO_VERSION [0-9]+" LIMIT_COUNT 1)
    string(REGEX REPLACE "^#define ASIO_VERSION ([0-9]+).*" "\\1" asio_version "${asio_version}")
    if(asio_version MATCHES "^[0-9]+$")
        math(EXPR asio_major "${asio_version} / 100000")
        math(EXPR asio_minor "${asio_version} / 100 % 1000")
        math(EXPR asio_patch "${asio_version} % 100")
        set(Asio_VERSION "${asio_major}.${asio_minor}.${asio_patch}")
    endif()
    unset(asio_version)
endif()

include(FindPackageHandleStandardArgs)
if(TARGET asio::asio AND NOT Asio_VERSION)
    set(Asio_FOUND TRUE)
else()
    find_package_handle_standard_args(Asio
        REQUIRED_VARS Asio_INCLUDE_DIR Asio_VERSION VERSION_VAR Asio_VERSION
        REASON_FAILURE_MESSAGE "install libasio-dev (Debian), set ASIO_ROOT, or define asio::asio")
endif()

if(Asio_FOUND AND NOT TARGET asio::asio)
    find_package(Threads REQUIRED)
    add_library(asio::asio INTERFACE IMPORTED)
    set_target_properties(asio::asio PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${Asio_INCLUDE_DIR}"
        INTERFACE_COMPILE_DEFINITIONS ASIO_STANDALONE
        INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
