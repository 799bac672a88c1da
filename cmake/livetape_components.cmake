# The optional components, for the build tree and for the installed package alike: a header-only
# component is nothing but a target that adds its dependency.
#
#   livetape_add_component(<tls|deflate> [OPTIONAL])
#
# Defines livetape::<component> if the dependency is found. Sets livetape_<component>_FOUND.

macro(livetape_add_component component)
    set(livetape_component_dependency_tls OpenSSL)
    set(livetape_component_libraries_tls OpenSSL::SSL OpenSSL::Crypto)
    set(livetape_component_dependency_deflate ZLIB)
    set(livetape_component_libraries_deflate ZLIB::ZLIB)

    set(livetape_${component}_FOUND FALSE)
    if(DEFINED livetape_component_dependency_${component})
        find_package(${livetape_component_dependency_${component}} QUIET)
        if(${livetape_component_dependency_${component}}_FOUND)
            set(livetape_${component}_FOUND TRUE)
            if(NOT TARGET livetape::${component})
                # Not an imported target in the build tree: those are invisible to a parent project.
                if(TARGET livetape)
                    add_library(livetape_${component} INTERFACE)
                    add_library(livetape::${component} ALIAS livetape_${component})
                    set(livetape_component_target livetape_${component})
                else()
                    add_library(livetape::${component} INTERFACE IMPORTED)
                    set(livetape_component_target livetape::${component})
                endif()
                target_link_libraries(${livetape_component_target} INTERFACE
                    livetape::livetape ${livetape_component_libraries_${component}})
            endif()
        elseif("${ARGN}" STREQUAL "OPTIONAL")
            message(STATUS "livetape::${component}: not built, "
                "${livetape_component_dependency_${component}} was not found")
        endif()
    endif()
endmacro()
