# How livetape's own tests, examples and benchmarks are built. Nothing here reaches a program that
# merely uses the library.

add_library(livetape_own INTERFACE)
target_link_libraries(livetape_own INTERFACE livetape::livetape)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(livetape_own INTERFACE
        -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<BOOL:${LIVETAPE_WERROR}>:-Werror>)
    if(LIVETAPE_SANITIZE)
        target_compile_options(livetape_own INTERFACE
            -fsanitize=${LIVETAPE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(livetape_own INTERFACE -fsanitize=${LIVETAPE_SANITIZE})
    endif()
    if(LIVETAPE_SANITIZE MATCHES "thread")
        # g++ does not see through Asio's fences; its queues are guarded by mutexes as well.
        target_compile_definitions(livetape_own INTERFACE ASIO_DISABLE_FENCED_BLOCK)
    endif()
endif()

# Links the optional components that this machine has to a program that may use them all.
function(livetape_link_components target scope)
    foreach(component IN ITEMS tls deflate)
        target_link_libraries(${target} ${scope}
            $<TARGET_NAME_IF_EXISTS:livetape::${component}>)
    endforeach()
endfunction()

# Drops the files whose dependency this machine does not have from the list named `list_name`.
function(livetape_drop_unavailable list_name)
    foreach(component IN ITEMS tls deflate)
        if(NOT TARGET livetape::${component})
            list(FILTER ${list_name} EXCLUDE REGEX "/[a-z_]*${component}[a-z_]*\\.[a-z]+$")
        endif()
    endforeach()
    set(${list_name} "${${list_name}}" PARENT_SCOPE)
endfunction()

# Programs with a command line of their own read it with CLI11.
find_package(CLI11 QUIET)

# Adds the programs of a folder: each .cpp file is one, named like the file; a folder that holds a
# main.cpp or a file of its own name is one program of all its files. Targets are called like the
# program with `prefix` in front. What needs CLI11 is left out where there is none.
function(livetape_add_programs prefix)
    file(GLOB sources CONFIGURE_DEPENDS *.cpp */*.cpp)
    livetape_drop_unavailable(sources)
    set(programs)
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM program)
        cmake_path(GET source PARENT_PATH folder)
        cmake_path(GET folder FILENAME folder_name)
        if(NOT folder STREQUAL CMAKE_CURRENT_SOURCE_DIR AND
           (EXISTS "${folder}/main.cpp" OR EXISTS "${folder}/${folder_name}.cpp"))
            set(program "${folder_name}")
        endif()
        list(APPEND programs ${program})
        list(APPEND sources_of_${program} "${source}")
    endforeach()
    list(REMOVE_DUPLICATES programs)
    foreach(program IN LISTS programs)
        set(has_command_line FALSE)
        foreach(source IN LISTS sources_of_${program})
            file(STRINGS "${source}" command_line REGEX "^#include <CLI/" LIMIT_COUNT 1)
            if(command_line)
                set(has_command_line TRUE)
            endif()
        endforeach()
        if(has_command_line AND NOT TARGET CLI11::CLI11)
            message(STATUS "${program}: not built, CLI11 was not found")
            continue()
        endif()
        add_executable(${prefix}${program} ${sources_of_${program}})
        target_link_libraries(${prefix}${program} PRIVATE
            livetape_own $<TARGET_NAME_IF_EXISTS:CLI11::CLI11>)
        if(program MATCHES "tls|deflate")
            livetape_link_components(${prefix}${program} PRIVATE)
        endif()
        set_target_properties(${prefix}${program} PROPERTIES
            OUTPUT_NAME ${program}
            RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
    endforeach()
endfunction()
