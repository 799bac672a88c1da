# How livetape's own tests, examples and benchmarks are built. Nothing here reaches a program that
# merely uses the library.

add_library(livetape_own INTERFACE)
target_link_libraries(livetape_own INTERFACE livetape::livetape)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(livetape_own INTERFACE
        -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<BOOL:${LIVETAPE_WERROR}>:-Werror>)
    # doctest and Google Benchmark number their cases by __COUNTER__, which newer clangs call an extension.
    include(CheckCXXCompilerFlag)
    check_cxx_compiler_flag(-Werror=c2y-extensions LIVETAPE_HAS_C2Y_EXTENSIONS)
    if(LIVETAPE_HAS_C2Y_EXTENSIONS)
        target_compile_options(livetape_own INTERFACE -Wno-c2y-extensions)
    endif()
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

# What a program needs beyond the library, each with the headers that show it.
set(livetape_needs CLI11::CLI11 livetape::tls livetape::deflate)
set(livetape_header_of_CLI11::CLI11 "CLI/")
set(livetape_header_of_livetape::tls "livetape/(net|client)/tls")
set(livetape_header_of_livetape::deflate "livetape/wire/deflate\\.hpp")

# Sets `result` to the targets among those that the sources need: by their own include lines and by
# those of the headers that they include in quotes, found beside them or in the current folder.
function(livetape_find_needs result)
    set(needed)
    set(unread ${ARGN})
    set(read)
    while(unread)
        list(POP_FRONT unread source)
        list(APPEND read "${source}")
        cmake_path(GET source PARENT_PATH folder)
        file(STRINGS "${source}" includes REGEX "^#include ")
        foreach(include IN LISTS includes)
            foreach(need IN LISTS livetape_needs)
                if(include MATCHES "<${livetape_header_of_${need}}")
                    list(APPEND needed ${need})
                endif()
            endforeach()
            if(NOT include MATCHES "\"(.+)\"")
                continue()
            endif()
            foreach(beside IN ITEMS "${folder}" "${CMAKE_CURRENT_SOURCE_DIR}")
                cmake_path(ABSOLUTE_PATH CMAKE_MATCH_1 BASE_DIRECTORY "${beside}" NORMALIZE
                           OUTPUT_VARIABLE header)
                if(EXISTS "${header}" AND NOT header IN_LIST read)
                    list(APPEND unread "${header}")
                endif()
            endforeach()
        endforeach()
    endwhile()
    # A header that starts to need something makes the build configure itself again.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${read})
    list(REMOVE_DUPLICATES needed)
    set(${result} "${needed}" PARENT_SCOPE)
endfunction()

# Adds the programs of a folder: each .cpp file is one, named like the file; a folder that holds a
# main.cpp or a file of its own name is one program of all its files. Targets are called like the
# program with `prefix` in front. A program whose dependency is missing is left out, with a message.
function(livetape_add_programs prefix)
    file(GLOB sources CONFIGURE_DEPENDS *.cpp */*.cpp)
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
        livetape_find_needs(needs ${sources_of_${program}})
        set(missing)
        foreach(need IN LISTS needs)
            if(NOT TARGET ${need})
                list(APPEND missing ${need})
            endif()
        endforeach()
        if(missing)
            message(STATUS "${program}: not built, there is no ${missing}")
            continue()
        endif()
        add_executable(${prefix}${program} ${sources_of_${program}})
        target_link_libraries(${prefix}${program} PRIVATE livetape_own ${needs})
        set_target_properties(${prefix}${program} PROPERTIES
            OUTPUT_NAME ${program}
            RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
    endforeach()
endfunction()
