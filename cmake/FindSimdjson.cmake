# Finds simdjson and defines the target simdjson::simdjson.
#
# In this order: the target, if the including project has one; simdjson's own CMake package;
# pkg-config; header and library in the usual places. Sets Simdjson_FOUND and Simdjson_VERSION.

if(NOT TARGET simdjson::simdjson)
    find_package(simdjson CONFIG QUIET)
endif()

include(FindPackageHandleStandardArgs)
if(TARGET simdjson::simdjson)
    set(Simdjson_VERSION "${simdjson_VERSION}")
    if(Simdjson_VERSION AND Simdjson_FIND_VERSION AND
       Simdjson_VERSION VERSION_LESS Simdjson_FIND_VERSION)
        set(Simdjson_FOUND FALSE)
        set(Simdjson_NOT_FOUND_MESSAGE
            "simdjson ${Simdjson_VERSION} is older than ${Simdjson_FIND_VERSION}")
    else()
        set(Simdjson_FOUND TRUE)
    endif()
else()
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
        pkg_check_modules(PC_SIMDJSON QUIET simdjson)
    endif()
    find_path(Simdjson_INCLUDE_DIR simdjson.h HINTS ${PC_SIMDJSON_INCLUDE_DIRS})
    find_library(Simdjson_LIBRARY simdjson HINTS ${PC_SIMDJSON_LIBRARY_DIRS})
    mark_as_advanced(Simdjson_INCLUDE_DIR Simdjson_LIBRARY)
    # Of the header that was found; pkg-config may know of another.
    unset(Simdjson_VERSION)
    if(EXISTS "${Simdjson_INCLUDE_DIR}/simdjson.h")
        file(STRINGS "${Simdjson_INCLUDE_DIR}/simdjson.h" simdjson_version
             REGEX "^#define SIMDJSON_VERSION " LIMIT_COUNT 1)
        if(simdjson_version MATCHES "([0-9]+\\.[0-9]+\\.[0-9]+)")
            set(Simdjson_VERSION "${CMAKE_MATCH_1}")
        endif()
        unset(simdjson_version)
    endif()
    find_package_handle_standard_args(Simdjson
        REQUIRED_VARS Simdjson_LIBRARY Simdjson_INCLUDE_DIR VERSION_VAR Simdjson_VERSION
        REASON_FAILURE_MESSAGE "install libsimdjson-dev (Debian) or set simdjson_ROOT")
    if(Simdjson_FOUND)
        find_package(Threads REQUIRED)
        add_library(simdjson::simdjson UNKNOWN IMPORTED)
        set_target_properties(simdjson::simdjson PROPERTIES
            IMPORTED_LOCATION "${Simdjson_LIBRARY}"
            INTERFACE_INCLUDE_DIRECTORIES "${Simdjson_INCLUDE_DIR}"
            INTERFACE_COMPILE_OPTIONS "${PC_SIMDJSON_CFLAGS_OTHER}"
            INTERFACE_LINK_LIBRARIES Threads::Threads)
    endif()
endif()

if(Simdjson_FIND_REQUIRED AND NOT Simdjson_FOUND)
    message(FATAL_ERROR "livetape needs simdjson: ${Simdjson_NOT_FOUND_MESSAGE}")
endif()
