#include "base/clock.h"
#include "base/json.h"
#include "cli/cli.h"
#include "serve/serve.h"

#include <stdio.h>
#include <unistd.h>

#define STOP_MS 60000

static const char *const levels[] = {"info", "info", "warn", "error"};

static void put_json(const struct lp_serve_line *line, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    char time[LP_TIME_TEXT_BYTES];
    lp_json_open(&w, NULL, '{');
    lp_time_format_iso(lp_clock_now_us(), time);
    lp_json_text(&w, "time", time);
    lp_json_text(&w, "level", levels[line->level]);
    if (line->pipeline) lp_json_text(&w, "pipeline", line->pipeline);
    lp_time_format_iso(line->slot_us, time);
    if (line->slot_us != INT64_MIN) lp_json_text(&w, "slot", time);
    lp_json_text(&w, "message", line->text);
    lp_json_close(&w, '}');
    lp_buf_putc(out, '\n');
}

static void put_text(const struct lp_style *s, const struct lp_serve_line *line, struct lp_buf *out)
{
    char time[LP_TIME_TEXT_BYTES];
    const char *colour = line->level == LP_SERVE_ERROR ? s->red : line->level == LP_SERVE_WARN ? s->yellow : "";
    const char *mark = line->level == LP_SERVE_ERROR ? s->bad : line->level == LP_SERVE_WARN ? s->warn : line->level == LP_SERVE_GOOD ? s->ok : "";
    int64_t now = lp_clock_now_us();
    lp_time_format_iso(now - now % 1000000, time);
    lp_buf_printf(out, "%s%s%s  ", s->grey, time, s->plain);
    if (*mark) lp_buf_printf(out, "%s%s%s ", *colour ? colour : s->green, mark, s->plain);
    if (line->pipeline) lp_buf_puts(out, line->pipeline);
    if (line->slot_us != INT64_MIN) {
        lp_time_format_iso(line->slot_us, time);
        lp_buf_printf(out, ", slot %s", time);
    }
    lp_buf_printf(out, "%s%s\n", line->pipeline ? ": " : "", line->text);
}

static void say(void *who, const struct lp_serve_line *line)
{
    struct lp_cli *c = who;
    LP_AUTO(lp_buf) text = {0};
    if (c->quiet && line->level < LP_SERVE_WARN) return;
    if (c->json) put_json(line, &text);
    else put_text(&c->err, line, &text);
    (void)!write(STDERR_FILENO, lp_buf_text(&text), text.len);
}

/* Runs mostly wait for others, so some more than there are processors. */
static size_t usual_at_once(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 4 : n > 16 ? 64 : (size_t)n * 4;
}

int lp_cmd_serve(struct lp_cli *c)
{
    struct lp_err err;
    const struct lp_serve_options o = {.paths = c->words,
                                       .path_count = c->word_count,
                                       .to = c->to,
                                       .replay = c->replay,
                                       .aws = c->aws,
                                       .host = c->host ? c->host : "127.0.0.1",
                                       .port = (uint16_t)(c->port_given ? c->port : 8080),
                                       .page = true,
                                       .at_once = c->at_once ? (size_t)c->at_once : usual_at_once(),
                                       .stop_ms = STOP_MS,
                                       .say = say,
                                       .who = c};
    return lp_serve(&o, &err) ? lp_cli_fail(c, &err) : 0;
}
