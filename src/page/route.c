#include "page/route.h"

#include "base/clock.h"
#include "base/text.h"
#include "net/listen.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOT_BYTES 16 /* 20261122T180000Z */

/* A slot as file names have it: 20261122T180000Z, or with -1of4 behind it. */
static bool is_slot(const char *text)
{
    char slot[SLOT_BYTES + 1] = "", again[LP_TIME_TEXT_BYTES];
    int64_t us;
    unsigned shard = 0, shards = 0;
    if (strlen(text) < SLOT_BYTES || strlen(text) >= LP_PAGE_SLOT_BYTES) return false;
    memcpy(slot, text, SLOT_BYTES);
    if (!lp_time_parse_slot(slot, &us)) return false;
    lp_time_format_slot(us, again);
    if (strcmp(slot, again) != 0) return false;
    if (!text[SLOT_BYTES]) return true;
    char form[LP_PAGE_SLOT_BYTES];
    if (sscanf(text + SLOT_BYTES, "-%5uof%5u", &shard, &shards) != 2) return false;
    snprintf(form, sizeof form, "-%uof%u", shard, shards);
    return !strcmp(form, text + SLOT_BYTES) && shard >= 1 && shard <= shards;
}

static bool take_slot(const char *text, struct lp_route *out)
{
    if (!is_slot(text)) return false;
    snprintf(out->slot, sizeof out->slot, "%s", text);
    return true;
}

/* What stands behind /pipelines/NAME. */
static enum lp_route_kind below_pipeline(char *rest, struct lp_route *out)
{
    static const char runs[] = "runs/", quarantine[] = "quarantine/", json[] = ".json";
    if (!*rest) return LP_ROUTE_PIPELINE;
    if (!strncmp(rest, quarantine, strlen(quarantine)))
        return take_slot(rest + strlen(quarantine), out) ? LP_ROUTE_QUARANTINE : LP_ROUTE_NONE;
    if (strncmp(rest, runs, strlen(runs)) != 0) return LP_ROUTE_NONE;
    rest += strlen(runs);
    size_t len = strlen(rest);
    bool raw = len > strlen(json) && !strcmp(rest + len - strlen(json), json);
    if (raw) rest[len - strlen(json)] = '\0';
    return !take_slot(rest, out) ? LP_ROUTE_NONE : raw ? LP_ROUTE_RECORD : LP_ROUTE_RUN;
}

void lp_route_of(const char *path, struct lp_route *out)
{
    static const struct {
        const char *path;
        enum lp_route_kind kind;
    } plain[] = {{"/", LP_ROUTE_FRONT},         {"/icon.svg", LP_ROUTE_ICON}, {"/healthz", LP_ROUTE_HEALTH},
                 {"/readyz", LP_ROUTE_READY}, {"/metrics", LP_ROUTE_METRICS}};
    static const char pipelines[] = "/pipelines/";
    char text[LP_ROUTE_NAME_BYTES + LP_PAGE_SLOT_BYTES + 32];
    *out = (struct lp_route){LP_ROUTE_NONE, "", ""};
    for (size_t i = 0; i < LP_COUNT(plain); i++)
        if (!strcmp(path, plain[i].path)) out->kind = plain[i].kind;
    if (!strcmp(path, lp_page_style_path())) out->kind = LP_ROUTE_STYLE;
    if (out->kind || strncmp(path, pipelines, strlen(pipelines)) != 0 || strlen(path) >= sizeof text) return;
    snprintf(text, sizeof text, "%s", path + strlen(pipelines));
    char *slash = strchr(text, '/'), *rest = slash ? slash + 1 : text + strlen(text);
    if (slash) *slash = '\0';
    if (!*text || strlen(text) >= sizeof out->name) return;
    memcpy(out->name, text, strlen(text) + 1);
    out->kind = slash && !*rest ? LP_ROUTE_NONE : below_pipeline(rest, out);
}

bool lp_route_host_is_ours(const char *host, const char *given)
{
    const char *const names[] = {"localhost", "127.0.0.1", "::1", given};
    char name[100];
    if (!host || !lp_listen_is_loopback(given)) return true;
    bool six = *host == '[';
    const char *end = six ? strchr(host, ']') : host + strcspn(host, ":");
    if (!end) return false;
    const char *port = end + six, *begin = host + six;
    if ((*port && *port != ':') || (*port && port[1 + strspn(port + 1, "0123456789")])) return false;
    if ((size_t)snprintf(name, sizeof name, "%.*s", (int)(end - begin), begin) >= sizeof name) return false;
    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (lp_text_equal_ignoring_case(name, names[i])) return true;
    return false;
}
