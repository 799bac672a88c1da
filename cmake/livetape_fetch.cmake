# LIVETAPE_FETCH_DEPENDENCIES: the only thing in this build that downloads. Brings what a program
# needs when the system has no packages of it; the versions are those the tests ran with.
include(FetchContent)

FetchContent_Declare(asio
    GIT_REPOSITORY https://github.com/chriskohlhoff/asio.git
    GIT_TAG asio-1-22-1
    GIT_SHALLOW ON)
FetchContent_Declare(simdjson
    GIT_REPOSITORY https://github.com/simdjson/simdjson.git
    GIT_TAG v3.0.1
    GIT_SHALLOW ON)

set(SIMDJSON_DEVELOPER_MODE OFF)
FetchContent_MakeAvailable(asio simdjson)

# Asio has no CMake project of its own; FindAsio takes the target from here.
if(NOT TARGET asio::asio)
    add_library(asio::asio INTERFACE IMPORTED GLOBAL)
    target_include_directories(asio::asio INTERFACE "${asio_SOURCE_DIR}/asio/include")
    target_compile_definitions(asio::asio INTERFACE ASIO_STANDALONE)
endif()
if(NOT TARGET simdjson::simdjson)
    add_library(simdjson::simdjson ALIAS simdjson)
endif()

if(LIVETAPE_BUILD_TESTS)
    FetchContent_Declare(doctest
        GIT_REPOSITORY https://github.com/doctest/doctest.git
        GIT_TAG v2.4.9
        GIT_SHALLOW ON)
    FetchContent_MakeAvailable(doctest)
    if(NOT TARGET doctest::doctest)
        add_library(doctest::doctest INTERFACE IMPORTED GLOBAL)
        target_include_directories(doctest::doctest INTERFACE "${doctest_SOURCE_DIR}")
    endif()
endif()
