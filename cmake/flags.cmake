# How our own code is compiled and linked.
add_library(lp_flags INTERFACE)

target_compile_options(lp_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror)

if(LP_SANITIZE)
    set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(lp_flags INTERFACE ${sanitize})
    target_link_options(lp_flags INTERFACE ${sanitize})
elseif(LP_COVERAGE)
    target_compile_options(lp_flags INTERFACE --coverage -fprofile-update=atomic)
    target_link_options(lp_flags INTERFACE --coverage)
else()
    # What is not called is not in the program: pages that are not there need not be read to start it.
    target_compile_options(lp_flags INTERFACE
        -ffunction-sections -fdata-sections -fno-plt -fstack-protector-strong -D_FORTIFY_SOURCE=2)
    target_link_options(lp_flags INTERFACE -s -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro,-z,now)
endif()

# glibc looks names up by itself where /etc/nsswitch.conf asks for nothing but files and dns, as the image's does. What the
# linker says about getaddrinfo is meant for systems that ask for more.
if(LP_STATIC_LIBC)
    target_link_options(lp_flags INTERFACE -static-pie)
endif()
