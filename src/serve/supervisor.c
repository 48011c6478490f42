#include "serve/supervisor.h"

#include "base/clock.h"
#include "base/number.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_BYTES 512

static void tell(const struct lp_supervisor *s, const char *message)
{
    if (s->fd >= 0) (void)!send(s->fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A path, or a name in the abstract namespace, which begins with '@'. */
static int reach(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = name ? strlen(name) : 0;
    if (len < 2 || len >= sizeof a.sun_path || (*name != '/' && *name != '@')) return -1;
    memcpy(a.sun_path, name, len);
    if (*name == '@') a.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (!connect(fd, (const struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))) return fd;
    close(fd);
    return -1;
}

void lp_supervisor_open(struct lp_supervisor *s)
{
    const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t us = 0, whose = getpid();
    *s = (struct lp_supervisor){.fd = reach(getenv("NOTIFY_SOCKET")), .next_us = INT64_MAX};
    if (pid && !lp_int64_parse(pid, strlen(pid), &whose)) whose = 0;
    if (s->fd >= 0 && period && whose == getpid() && lp_int64_parse(period, strlen(period), &us) && us > 0) {
        s->period_us = us / 2;
        s->next_us = lp_clock_monotonic_us();
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void lp_supervisor_ready(const struct lp_supervisor *s)
{
    tell(s, "READY=1");
}

void lp_supervisor_status(const struct lp_supervisor *s, const char *status)
{
    char message[MESSAGE_BYTES];
    snprintf(message, sizeof message, "STATUS=%s", status);
    tell(s, message);
}

void lp_supervisor_reloading(const struct lp_supervisor *s)
{
    char message[MESSAGE_BYTES];
    snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)lp_clock_monotonic_us());
    tell(s, message);
}

void lp_supervisor_stopping(const struct lp_supervisor *s)
{
    tell(s, "STOPPING=1");
}

void lp_supervisor_turn(struct lp_supervisor *s)
{
    int64_t now = lp_clock_monotonic_us();
    if (now < s->next_us) return;
    tell(s, "WATCHDOG=1");
    s->next_us = now + s->period_us;
}

void lp_supervisor_release(struct lp_supervisor *s)
{
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}
