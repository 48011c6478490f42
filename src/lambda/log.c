#include "lambda/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES ((size_t)200 << 10) /* CloudWatch takes 256 KiB of one event */

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

void lp_log_init(struct lp_log *log, void (*write)(void *who, const char *line, size_t len), void *who)
{
    const char *format = getenv("AWS_LAMBDA_LOG_FORMAT"), *level = getenv("AWS_LAMBDA_LOG_LEVEL");
    *log = (struct lp_log){.write = write, .who = who, .least = LP_LOG_INFO};
    log->json = format && lp_text_equal_ignoring_case(format, "JSON");
    for (size_t i = 0; level && i < LP_COUNT(level_names); i++)
        if (lp_text_equal_ignoring_case(level, level_names[i])) log->least = (enum lp_log_level)i;
}

void lp_log_set_request(struct lp_log *log, const char *id)
{
    snprintf(log->request_id, sizeof log->request_id, "%s", id);
}

bool lp_log_wants(const struct lp_log *log, enum lp_log_level level)
{
    return log->write && level >= log->least;
}

/* Time with milliseconds, always of one width. */
static void put_now(struct lp_buf *out)
{
    int64_t us = lp_clock_now_us();
    struct lp_civil c = lp_civil_of(us);
    lp_buf_printf(out, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ", (long long)c.year, c.month, c.day, c.hour, c.minute,
                  c.second, c.microsecond / 1000);
}

static void put_json(const struct lp_log *log, enum lp_log_level level, const char *members, const char *message,
                     struct lp_buf *out)
{
    LP_AUTO(lp_buf) now = {0};
    struct lp_json_writer w = {.out = out};
    put_now(&now);
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "timestamp", lp_buf_text(&now));
    lp_json_text(&w, "level", level_names[level]);
    lp_json_text(&w, "message", message);
    if (*log->request_id) lp_json_text(&w, "requestId", log->request_id);
    if (members && *members) lp_buf_printf(out, ",%s", members);
    lp_json_close(&w, '}');
}

static void put_plain(const struct lp_log *log, enum lp_log_level level, const char *message, struct lp_buf *out)
{
    put_now(out);
    lp_buf_printf(out, " %s ", level_names[level]);
    if (*log->request_id) {
        lp_buf_puts(out, "RequestId: ");
        lp_text_put_visible(out, log->request_id, strlen(log->request_id));
        lp_buf_putc(out, ' ');
    }
    lp_text_put_visible(out, message, strlen(message));
}

void lp_log_raw(struct lp_log *log, const struct lp_buf *line)
{
    static const char starved[] = "ERROR: out of memory for a line of the log\n";
    LP_AUTO(lp_buf) masked = {.max_bytes = 2 * LINE_BYTES};
    if (!log->write) return;
    lp_secret_mask(lp_buf_text(line), line->len, &masked);
    lp_buf_putc(&masked, '\n');
    if (line->failed || masked.failed) log->write(log->who, starved, sizeof starved - 1);
    else log->write(log->who, masked.data, masked.len);
}

void lp_log_put(struct lp_log *log, enum lp_log_level level, const char *members, const char *message)
{
    LP_AUTO(lp_buf) line = {.max_bytes = LINE_BYTES};
    if (!lp_log_wants(log, level)) return;
    if (log->json) put_json(log, level, members, message, &line);
    else put_plain(log, level, message, &line);
    lp_log_raw(log, &line);
}

void lp_log_say(struct lp_log *log, enum lp_log_level level, const char *format, ...)
{
    char message[2048];
    va_list args;
    if (!lp_log_wants(log, level)) return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    lp_log_put(log, level, NULL, message);
}
