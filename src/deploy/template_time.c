/* How long a schedule leaves between two runs, as far as an alarm needs to know. */
#include "deploy/template_parts.h"
#include <stdlib.h>

#define DAY_HOURS  24
#define MOST_HOURS (7 * DAY_HOURS - 1) /* what an alarm looks back over, less the hour that is added */

static int gap_of_rate(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);
    while (*end == ' ') end++;
    if (n < 1 || n > 10000) return 0;
    long hours = !strncmp(end, "minute", 6) ? (n + 59) / 60
                 : !strncmp(end, "hour", 4) ? n
                 : !strncmp(end, "day", 3)  ? n * DAY_HOURS
                                            : 0;
    return hours > MOST_HOURS ? 0 : (int)hours;
}

static int weekday_of(const char **at)
{
    static const char *const names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
    if (**at >= '1' && **at <= '7') return *(*at)++ - '1';
    for (int i = 0; i < 7; i++)
        if (!strncasecmp(*at, names[i], 3)) {
            *at += 3;
            return i;
        }
    return -1;
}

/* "MON-FRI", "1,4": the longest step from one day to the next, in days; 0 for what is written in another way. */
static int gap_of_weekdays(const char *text)
{
    bool on[7] = {false};
    for (const char *at = text;; at++) {
        int from = weekday_of(&at), to = from;
        if (*at == '-') at++, to = weekday_of(&at);
        if (from < 0 || to < 0 || (*at && *at != ',')) return 0;
        for (int d = from;; d = (d + 1) % 7) {
            on[d] = true;
            if (d == to) break;
        }
        if (!*at) break;
    }
    int longest = 0, since = 0;
    for (int d = 0; d < 14; d++) {
        since++;
        if (!on[d % 7]) continue;
        if (d >= 7 && since > longest) longest = since;
        since = 0;
    }
    return longest ? longest : 7;
}

static bool is_every(const char *field)
{
    return !strcmp(field, "*") || !strcmp(field, "?");
}

/* minutes hours day-of-month month day-of-week year */
static int gap_of_cron(const char *text)
{
    char fields[6][64];
    size_t n = 0;
    for (; n < 6; n++) {
        text += strspn(text, " ");
        size_t len = strcspn(text, " )");
        if (!len || len >= sizeof fields[n]) return 0;
        memcpy(fields[n], text, len);
        fields[n][len] = '\0';
        text += len;
    }
    if (!is_every(fields[2]) || !is_every(fields[3]) || !is_every(fields[5])) return 0;
    int days = is_every(fields[4]) ? 1 : gap_of_weekdays(fields[4]);
    if (days == 1 && !strcmp(fields[1], "*")) return 1;
    int hours = days * DAY_HOURS;
    return hours > MOST_HOURS ? 0 : hours;
}

int lp_schedule_gap_hours(const char *expression)
{
    if (!strncmp(expression, "rate(", 5)) return gap_of_rate(expression + 5);
    if (!strncmp(expression, "cron(", 5)) return gap_of_cron(expression + 5);
    return 0;
}
