# Every tests/unit/test_*.c is one cmocka program and one CTest test. What goes through the binary is pytest's.
if(NOT LP_UNIT_TESTS)
    return()
endif()

find_path(CMOCKA_INCLUDE cmocka.h)
find_library(CMOCKA_LIBRARY cmocka)
if(NOT CMOCKA_INCLUDE OR NOT CMOCKA_LIBRARY)
    message(STATUS "no cmocka, so no unit tests; scripts/deps --test installs it")
    return()
endif()

file(GLOB unit_tests CONFIGURE_DEPENDS tests/unit/test_*.c)
foreach(source ${unit_tests})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
    target_include_directories(${name} PRIVATE tests/unit)
    target_include_directories(${name} SYSTEM PRIVATE ${CMOCKA_INCLUDE})
    target_compile_options(${name} PRIVATE -Wno-unused-parameter)
    target_link_libraries(${name} PRIVATE lp ${CMOCKA_LIBRARY})
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES TIMEOUT 120 ENVIRONMENT
        LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/leaks-of-others:print_suppressions=0)
endforeach()

# Allocations of these fail on demand.
foreach(test test_catalog_glue test_parquet)
    foreach(function malloc calloc realloc)
        target_link_options(${test} PRIVATE -Wl,--wrap=${function})
    endforeach()
endforeach()
target_link_options(test_parquet PRIVATE -Wl,--wrap=reallocarray)

# Files for readers that others wrote: tests/e2e/test_parquet.py.
add_executable(parquet_file tests/unit/parquet_file.c)
set_target_properties(parquet_file PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
target_link_libraries(parquet_file PRIVATE lp)

# The whole program with an allocator that fails on demand: all that is linked in meets the failures.
add_library(lp_main OBJECT src/main.c)
target_compile_definitions(lp_main PRIVATE main=lp_main)
target_compile_options(lp_main PRIVATE -include ${CMAKE_SOURCE_DIR}/tests/torture/lp_main.h)
target_link_libraries(lp_main PRIVATE lp)
add_executable(test_allocations tests/torture/test_allocations.c tests/torture/stub_s3.c $<TARGET_OBJECTS:lp_main>)
set_target_properties(test_allocations PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
target_include_directories(test_allocations SYSTEM PRIVATE ${CMOCKA_INCLUDE})
target_link_libraries(test_allocations PRIVATE lp ${CMOCKA_LIBRARY})
foreach(function malloc calloc realloc reallocarray strdup strndup vasprintf asprintf lp_unit_new)
    target_link_options(test_allocations PRIVATE -Wl,--wrap=${function})
endforeach()
foreach(part 1 2 3 4)
    add_test(NAME test_allocations_${part} COMMAND test_allocations ${part}/4 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(test_allocations_${part} PROPERTIES TIMEOUT 1200 COST 1000 ENVIRONMENT
        LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/leaks-of-others:print_suppressions=0)
endforeach()

# Programs that the tests in Python drive, for what the command line does not show.
foreach(probe aws_probe web_probe)
    add_executable(${probe} tests/probe/${probe}.c)
    set_target_properties(${probe} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
    target_link_libraries(${probe} PRIVATE lp)
endforeach()
