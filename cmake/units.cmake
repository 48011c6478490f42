# UDUNITS reads its database from XML files at run time; we read it once, here, into a C table. The reader runs on the machine
# that builds, whatever machine the program is for.
set(generator ${CMAKE_SOURCE_DIR}/tools/units-db.c)
if(EXISTS ${generator})
    set(generated ${CMAKE_BINARY_DIR}/generated)
    file(MAKE_DIRECTORY ${generated})
    if(CMAKE_CROSSCOMPILING)
        set(units_db ${CMAKE_BINARY_DIR}/units-db)
        add_custom_command(OUTPUT ${units_db}
            COMMAND cc -O2 -D_GNU_SOURCE -o ${units_db} ${generator} -lexpat -lm
            DEPENDS ${generator} VERBATIM)
    else()
        set(units_db units-db)
        add_executable(units-db ${generator})
        target_compile_definitions(units-db PRIVATE _GNU_SOURCE)
        target_link_libraries(units-db PRIVATE lp_flags ${LP_expat_${kind}} m)
        target_include_directories(units-db SYSTEM PRIVATE ${LP_expat_INCLUDE})
    endif()
    add_custom_command(OUTPUT ${generated}/units_db.c
        COMMAND ${units_db} ${generated}/units_db.c
        DEPENDS ${units_db}
        COMMENT "Reading UDUNITS' database" VERBATIM)
    target_sources(lp PRIVATE ${generated}/units_db.c)
    target_include_directories(lp PUBLIC ${generated})
endif()
