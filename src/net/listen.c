#include "net/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static enum lp_code read_address(const char *host, uint16_t port, union address *a, socklen_t *len, struct lp_err *err)
{
    *a = (union address){0};
    if (!strcmp(host, "localhost")) host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons(port);
        *len = sizeof a->v4;
        return LP_OK;
    }
    if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons(port);
        *len = sizeof a->v6;
        return LP_OK;
    }
    return lp_fail(err, LP_USAGE, "--host %.60s is no address; write it like 127.0.0.1, or 0.0.0.0 for all", host);
}

enum lp_code lp_listen(const char *host, uint16_t port, int *fd, char url[LP_LISTEN_URL_BYTES], struct lp_err *err)
{
    union address a;
    socklen_t len;
    const int yes = 1;
    LP_TRY(read_address(host, port, &a, &len, err));
    *fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0) return lp_fail_errno(err, "cannot open a socket");
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(*fd, &a.any, len) || listen(*fd, SOMAXCONN) || getsockname(*fd, &a.any, &len)) {
        enum lp_code code = lp_fail_errno(err, "cannot listen at %s, port %u; name another one with --port", host, port);
        close(*fd);
        return code;
    }
    bool six = a.any.sa_family == AF_INET6;
    snprintf(url, LP_LISTEN_URL_BYTES, "http://%s%s%s:%u", six ? "[" : "", host, six ? "]" : "",
             ntohs(six ? a.v6.sin6_port : a.v4.sin_port));
    return LP_OK;
}

bool lp_listen_is_loopback(const char *host)
{
    union address a;
    socklen_t len;
    if (read_address(host, 0, &a, &len, NULL)) return false;
    if (a.any.sa_family == AF_INET) return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
}
