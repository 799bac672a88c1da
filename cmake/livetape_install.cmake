# Installs the headers and what finds them: a CMake package and a pkg-config file. Nothing in it
# depends on the machine's architecture.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/livetape")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/livetape" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.ipp")
install(TARGETS livetape EXPORT livetape_targets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT livetape_targets NAMESPACE livetape:: FILE livetape-targets.cmake
        DESTINATION "${package_dir}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/livetape-config.cmake.in"
    "${PROJECT_BINARY_DIR}/livetape-config.cmake" INSTALL_DESTINATION "${package_dir}"
    NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/livetape-config-version.cmake"
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
    "${PROJECT_BINARY_DIR}/livetape-config.cmake"
    "${PROJECT_BINARY_DIR}/livetape-config-version.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/livetape_components.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/FindAsio.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/FindSimdjson.cmake"
    DESTINATION "${package_dir}")

# The prefix is found from where the file lies, so that `cmake --install --prefix` may choose it.
file(RELATIVE_PATH pkgconfig_to_prefix "/${CMAKE_INSTALL_DATADIR}/pkgconfig" "/")
configure_file("${CMAKE_CURRENT_LIST_DIR}/livetape.pc.in" "${PROJECT_BINARY_DIR}/livetape.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/livetape.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/livetape")
