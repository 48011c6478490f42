#include "cli/progress.h"

#include "base/clock.h"
#include "base/number.h"

#include <stdio.h>

#define BAR_CELLS 30
#define REDRAW_US 100000

void lp_progress_init(struct lp_progress *p, const struct lp_cli *c, const char *noun)
{
    *p = (struct lp_progress){.style = &c->err, .noun = noun, .started_us = lp_clock_monotonic_us()};
    p->bar = c->err.terminal && !c->quiet && !c->verbose;
    p->lines = c->verbose;
}

void lp_progress_clear(struct lp_progress *p)
{
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
}

static void put_cells(const struct lp_progress *p, double share, int cells, struct lp_buf *out)
{
    int full = (int)(share * cells + 0.5);
    lp_buf_puts(out, p->style->accent);
    for (int i = 0; i < full; i++) lp_buf_puts(out, p->style->bar);
    lp_buf_puts(out, p->style->plain);
    lp_buf_puts(out, p->style->grey);
    for (int i = full; i < cells; i++) lp_buf_puts(out, p->style->bar_rest);
    lp_buf_puts(out, p->style->plain);
}

static void put_figures(const struct lp_progress *p, const struct lp_fetch_stats *s, int64_t now_us, struct lp_buf *out)
{
    char number[LP_NUMBER_TEXT_BYTES], time[LP_TIME_TEXT_BYTES];
    uint64_t done = s->ok + s->failed;
    double seconds = (double)(now_us - p->started_us) / 1e6;
    lp_count_format(done, number);
    lp_buf_printf(out, " %s", number);
    if (s->expected) {
        lp_count_format(s->expected, number);
        lp_buf_printf(out, "/%s", number);
    }
    lp_buf_printf(out, " %s", p->noun);
    if (seconds > 0.5 && done) lp_buf_printf(out, "  %.0f/s", (double)done / seconds);
    if (s->retried)
        lp_buf_printf(out, "  %llu %s", (unsigned long long)s->retried, s->retried == 1 ? "retry" : "retries");
    if (s->failed)
        lp_buf_printf(out, "  %s%llu failed%s", p->style->red, (unsigned long long)s->failed, p->style->plain);
    if (seconds > 1 && done && s->expected > done) {
        lp_duration_format((int64_t)(seconds * 1000 * (double)(s->expected - done) / (double)done), time);
        lp_buf_printf(out, "  %s left", time);
    }
}

static size_t columns_without_colour(const char *text)
{
    size_t columns = 0;
    while (*text) {
        size_t plain = strcspn(text, "\033");
        columns += lp_text_columns(text, plain);
        text += plain;
        if (*text) text += strcspn(text, "m") + 1;
    }
    return columns;
}

static void tick(void *who, const struct lp_fetch_stats *s)
{
    struct lp_progress *p = who;
    int64_t now = lp_clock_monotonic_us();
    bool over = s->expected && s->ok + s->failed == s->expected;
    if (!p->bar || (now - p->drawn_us < REDRAW_US && !over)) return;
    /* A run that ends at once needs no bar. */
    if (now - p->started_us < REDRAW_US && !over) return;
    LP_AUTO(lp_buf) line = {0}, figures = {0};
    p->drawn_us = now;
    lp_buf_puts(&line, "\r\033[K");
    put_figures(p, s, now, &figures);
    /* The last cell stays empty, so that no terminal goes on to the next line. */
    size_t room = p->style->columns - 1, used = columns_without_colour(lp_buf_text(&figures));
    if (s->expected && used + 5 <= room)
        put_cells(p, (double)(s->ok + s->failed) / (double)s->expected,
                  room - used < BAR_CELLS ? (int)(room - used) : BAR_CELLS, &line);
    if (used <= room) lp_buf_put(&line, lp_buf_text(&figures), figures.len);
    else lp_buf_printf(&line, "%llu of %llu", (unsigned long long)(s->ok + s->failed), (unsigned long long)s->expected);
    fwrite(lp_buf_text(&line), 1, line.len, stderr);
    p->shown = true;
}

static void say(void *who, const char *line)
{
    struct lp_progress *p = who;
    if (!p->lines) return;
    fprintf(stderr, "%8.3f s  %s\n", (double)(lp_clock_monotonic_us() - p->started_us) / 1e6, line);
}

struct lp_fetch_watch lp_progress_watch(struct lp_progress *p)
{
    return (struct lp_fetch_watch){.who = p, .tick = p->bar ? tick : NULL, .say = p->lines ? say : NULL};
}

void lp_progress_put_noun(const struct lp_each *each, struct lp_buf *out)
{
    const char *name = each->list_count == 1 && !each->file_name_count ? each->lists[0].name : "item";
    size_t len = strlen(name);
    bool y = len > 1 && name[len - 1] == 'y' && !strchr("aeiou", name[len - 2]), s = name[len - 1] == 's';
    lp_buf_printf(out, "%.*s%s", (int)(y ? len - 1 : len), name, s ? "" : y ? "ies" : "s");
}
