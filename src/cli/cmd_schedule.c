#include "base/clock.h"
#include "cli/calendar.h"
#include "cli/load.h"
#include "schedule/expression.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What is asked: an expression, the clock it is read in, and its name for people. */
struct asked {
    struct lp_expression expression;
    struct lp_zone zone;
    const char *text, *zone_name;
};

/* Whoever writes "0 18 * * *" or "@daily" means no file. */
static bool is_expression(const char *word)
{
    size_t len = strlen(word);
    bool named = (len > 5 && !strcmp(word + len - 5, ".yaml")) || (len > 4 && !strcmp(word + len - 4, ".yml"));
    return (!*word || *word == '@' || strpbrk(word, " (*?")) && !named && access(word, F_OK) != 0;
}

static int tell_refused(struct lp_cli *c, const char *text, size_t column, size_t width, const struct lp_err *err)
{
    fprintf(stderr, "%s\n%*s%s", text, (int)column, "", c->err.red);
    for (size_t i = 0; i < width; i++) fputc('^', stderr);
    fprintf(stderr, "%s %s\n", c->err.plain, err->text);
    return lp_code_info(LP_USAGE)->exit_status;
}

static int read_asked(struct lp_cli *c, struct lp_pipeline *p, struct asked *a)
{
    struct lp_err err;
    size_t column, width;
    a->text = c->words[0];
    a->zone_name = "UTC";
    if (!is_expression(a->text)) {
        int status = lp_cli_load(c, p);
        if (status) return status;
        a->text = p->schedule.expression;
        a->zone_name = p->schedule.timezone;
        if (!a->text) {
            fprintf(stderr, "%s has no schedule; add   schedule: { expression: \"cron(0 18 * * ? *)\" }\n", c->words[0]);
            return lp_code_info(LP_USAGE)->exit_status;
        }
    }
    if (c->timezone) a->zone_name = c->timezone;
    if (lp_expression_parse(&a->expression, a->text, &column, &width, &err)) return tell_refused(c, a->text, column, width, &err);
    return lp_zone_open(&a->zone, a->zone_name, &err) ? lp_cli_fail(c, &err) : 0;
}

static int64_t local_us(const struct asked *a, int64_t us)
{
    return us + lp_zone_offset(&a->zone, us / 1000000 - (us % 1000000 < 0)) * INT64_C(1000000);
}

/* 2026-11-23T18:00:00-05:00 */
static void put_local_iso(const struct asked *a, int64_t us, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES];
    int64_t offset = (local_us(a, us) - us) / 60000000, size = llabs(offset);
    lp_time_format(local_us(a, us), "%Y-%m-%dT%H:%M:%S", text, sizeof text);
    lp_buf_printf(out, "%s%c%02d:%02d", text, offset < 0 ? '-' : '+', (int)(size / 60), (int)(size % 60));
}

static void put_json(const struct lp_cli *c, const struct asked *a, struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    int64_t at = c->after_us;
    lp_buf_putc(out, '[');
    for (int64_t i = 0; i < c->next && lp_expression_next(&a->expression, &a->zone, at, &at); i++) {
        lp_time_format_iso(at, slot);
        lp_buf_printf(out, "%s{\"slot\": \"%s\", \"local\": \"", i ? ",\n " : "", slot);
        put_local_iso(a, at, out);
        lp_buf_puts(out, "\"}");
    }
    lp_buf_puts(out, "]\n");
}

static void put_clock_change(const struct lp_cli *c, int64_t by_s, struct lp_buf *out)
{
    char much[LP_TIME_TEXT_BYTES];
    lp_duration_format(llabs(by_s) * 1000, much);
    lp_buf_printf(out, "  %sclocks were set %s %s%s", c->out.grey, by_s > 0 ? "forward" : "back", much, c->out.plain);
}

static void put_words(const struct lp_cli *c, const struct asked *a, struct lp_buf *out)
{
    lp_buf_puts(out, c->out.bold);
    lp_expression_put_words(&a->expression, a->zone_name, out);
    lp_buf_printf(out, "%s\n", c->out.plain);
}

static void put_calendar(const struct lp_cli *c, const struct asked *a, struct lp_buf *out)
{
    put_words(c, a, out);
    lp_calendar_put(&c->out, &a->expression, &a->zone, c->after_us, out);
}

static void put_list(const struct lp_cli *c, const struct asked *a, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES];
    int64_t at = c->after_us, now = lp_clock_now_us(), offset = 0;
    bool utc = !a->zone.count;
    put_words(c, a, out);
    int64_t shown = 0;
    for (; shown < c->next && lp_expression_next(&a->expression, &a->zone, at, &at); shown++) {
        lp_time_format(local_us(a, at), "%a %Y-%m-%d %H:%M", text, sizeof text);
        lp_buf_printf(out, "  %s", text);
        if (!utc) {
            lp_time_format(at, "%Y-%m-%d %H:%MZ", text, sizeof text);
            lp_buf_printf(out, "  %s", text);
        } else {
            lp_buf_putc(out, 'Z');
        }
        lp_buf_printf(out, "  %s", c->out.grey);
        lp_style_put_distance(now, at, out);
        lp_buf_puts(out, c->out.plain);
        int64_t next_offset = local_us(a, at) - at;
        if (shown && next_offset != offset) put_clock_change(c, (next_offset - offset) / 1000000, out);
        offset = next_offset;
        lp_buf_putc(out, '\n');
    }
    if (shown < c->next) lp_buf_printf(out, "  %s%s%s\n", c->out.grey, shown ? "never again after that" : "it never fires after that time", c->out.plain);
}

int lp_cmd_schedule(struct lp_cli *c)
{
    struct lp_pipeline p = {0};
    struct asked a = {0};
    LP_AUTO(lp_buf) out = {0};
    int status = read_asked(c, &p, &a);
    if (!status) {
        if (c->json) put_json(c, &a, &out);
        else if (c->calendar) put_calendar(c, &a, &out);
        else put_list(c, &a, &out);
        if (a.expression.odd) fprintf(stderr, "%s%s%s %s\n", c->err.yellow, c->err.warn, c->err.plain, a.expression.odd);
        status = lp_cli_print(c, &out, 0);
    }
    lp_zone_release(&a.zone);
    lp_pipeline_release(&p);
    return status;
}
