# What the program tells about itself — man page, completions — is asked of it at install time, so it is never stale.
include(GNUInstallDirs)

install(TARGETS lambda-pipeline RUNTIME)
install(PROGRAMS build/deps/duckdb/duckdb DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/lambda-pipeline OPTIONAL)
install(FILES build/deps/duckdb/httpfs.duckdb_extension DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/lambda-pipeline OPTIONAL)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DATADIR}/lambda-pipeline PATTERN .gitattributes EXCLUDE)

# lp_install_help(TOPIC FOLDER FILE)
function(lp_install_help topic folder file)
    install(CODE "
        execute_process(COMMAND \"$<TARGET_FILE:lambda-pipeline>\" help ${topic}
            OUTPUT_FILE \"${CMAKE_BINARY_DIR}/help/${file}\" ERROR_QUIET RESULT_VARIABLE status)
        if(status EQUAL 0)
            file(INSTALL \"${CMAKE_BINARY_DIR}/help/${file}\"
                DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATAROOTDIR}/${folder}\")
        else()
            message(WARNING \"'lambda-pipeline help ${topic}' failed (\${status}): ${file} is not installed\")
        endif()")
endfunction()

file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/help)
lp_install_help(man man/man1 lambda-pipeline.1)
lp_install_help(bash bash-completion/completions lambda-pipeline)
lp_install_help(zsh zsh/site-functions _lambda-pipeline)
lp_install_help(fish fish/vendor_completions.d lambda-pipeline.fish)

# The licences of what is linked into the program and lies beside it.
install(CODE "
    file(REMOVE \"${CMAKE_BINARY_DIR}/help/copyright\")
    execute_process(COMMAND python3 \"${CMAKE_SOURCE_DIR}/scripts/licences.py\" --build \"${CMAKE_BINARY_DIR}\" --deps \"${LP_DEPS}\"
        --version ${PROJECT_VERSION} --out \"${CMAKE_BINARY_DIR}/help/copyright\" ERROR_VARIABLE said RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(WARNING \"not all licences could be written, so what is installed is not to be passed on: \${said}\")
    endif()
    if(EXISTS \"${CMAKE_BINARY_DIR}/help/copyright\")
        file(INSTALL \"${CMAKE_BINARY_DIR}/help/copyright\"
            DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\")
    endif()")

# The units name the program where it is installed, which is known only then. Nothing is enabled.
install(CODE "
    set(folder \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
    foreach(name lambda-pipeline.service lambda-pipeline@.service)
        file(READ \"${CMAKE_SOURCE_DIR}/deploy/systemd/\${name}.in\" unit)
        string(REPLACE \"@BINDIR@\" \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\" unit \"\${unit}\")
        file(WRITE \"\$ENV{DESTDIR}\${folder}/\${name}\" \"\${unit}\")
    endforeach()
    file(INSTALL \"${CMAKE_SOURCE_DIR}/deploy/systemd/lambda-pipeline@.timer\" DESTINATION \"\${folder}\")")

# `make deb`: Debian's package of what is installed. What it needs is asked of the program (dpkg-shlibdeps).
set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT "lambda-pipeline <lambda-pipeline@example.com>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, tzdata")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${CMAKE_SOURCE_DIR}/deploy/debian/postinst;${CMAKE_SOURCE_DIR}/deploy/debian/prerm"
    "${CMAKE_SOURCE_DIR}/deploy/debian/postrm")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
