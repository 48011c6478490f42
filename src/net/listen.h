/* listen.h — a socket that listens at an address of this machine.
 * Model:   an address in numbers, or localhost; port 0 is any that is free.
 * Owns:    the socket is the caller's.
 * Units:   –
 * Errors:  LP_USAGE (the address is none), LP_IO (the port cannot be had; the sentence names --port).
 * Threads: no shared state.
 */
#ifndef LP_NET_LISTEN_H
#define LP_NET_LISTEN_H

#include "base/error.h"

#include <stdint.h>

#define LP_LISTEN_URL_BYTES 160

/* Does not block, is closed by exec; *url is where it is: http://127.0.0.1:8080 */
enum lp_code lp_listen(const char *host, uint16_t port, int *fd, char url[LP_LISTEN_URL_BYTES], struct lp_err *err) LP_CHECKED;
/* Can nobody but this machine reach that address? */
bool lp_listen_is_loopback(const char *host);

#endif
