#include "schedule/zone.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ZONE_BYTES ((size_t)256 << 10)
#define DAY        INT64_C(86400)
/* Further apart no local time and its instant are. */
#define REACH         (2 * DAY)
#define OFFSET_MOST   (26 * INT64_C(3600))
#define INSTANT_LEAST (-(INT64_C(1) << 40)) /* some 35,000 years: what lies beyond is not looked at */
#define INSTANT_MOST  (INT64_C(1) << 40)

void lp_zone_release(struct lp_zone *z)
{
    if (!z) return;
    free(z->list);
    *z = (struct lp_zone){0};
}

static bool add(struct lp_zone *z, int64_t from, int64_t offset)
{
    if (z->count && z->list[z->count - 1].offset == offset) return true;
    if (z->count && from <= z->list[z->count - 1].from) return true;
    if (z->count == z->room) {
        size_t room = z->room ? 2 * z->room : 64;
        void *list = realloc(z->list, room * sizeof *z->list);
        if (!list) return false;
        z->list = list;
        z->room = room;
    }
    z->list[z->count++] = (struct lp_zone_stretch){from, (int32_t)offset};
    return true;
}

/* The rule at the end of the file: "EST5EDT,M3.2.0,M11.1.0". */
struct change {
    char kind; /* M, J (no leap day counted), 0 (counted from 0) */
    int month, week, day;
    int64_t time;
};
struct rule {
    int64_t standard, summer;
    bool has_summer;
    struct change begin, end;
};

static bool take_name(const char **at)
{
    const char *start = *at;
    if (**at == '<') {
        while (**at && **at != '>') ++*at;
        return *(*at)++ == '>';
    }
    while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z')) ++*at;
    return *at - start >= 3;
}

static bool take_number(const char **at, int64_t most, int64_t *out)
{
    if (**at < '0' || **at > '9') return false;
    for (*out = 0; **at >= '0' && **at <= '9' && *out <= most; ++*at) *out = *out * 10 + (**at - '0');
    return *out <= most;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **at, int64_t *seconds)
{
    int64_t part, unit = 3600, sign = **at == '-' ? -1 : 1;
    if (**at == '-' || **at == '+') ++*at;
    if (!take_number(at, 167, &part)) return false;
    *seconds = part * unit;
    while (**at == ':' && unit > 1) {
        ++*at;
        unit /= 60;
        if (!take_number(at, 59, &part)) return false;
        *seconds += part * unit;
    }
    *seconds *= sign;
    return true;
}

static bool take_change(const char **at, struct change *c)
{
    int64_t a, b, d;
    if (*(*at)++ != ',') return false;
    *c = (struct change){.kind = '0', .time = 7200};
    if (**at == 'M') {
        ++*at;
        if (!take_number(at, 12, &a) || *(*at)++ != '.' || !take_number(at, 5, &b) || *(*at)++ != '.' || !take_number(at, 6, &d))
            return false;
        if (!a || !b) return false;
        *c = (struct change){'M', (int)a, (int)b, (int)d, 7200};
    } else {
        if (**at == 'J') c->kind = *(*at)++;
        if (!take_number(at, 365, &d)) return false;
        c->day = (int)d;
    }
    if (**at != '/') return true;
    ++*at;
    return take_time(at, &c->time);
}

static bool is_offset(int64_t seconds)
{
    return seconds >= -OFFSET_MOST && seconds <= OFFSET_MOST;
}

static bool read_rule(const char *text, struct rule *r)
{
    *r = (struct rule){0};
    if (!take_name(&text) || !take_time(&text, &r->standard)) return false;
    r->standard = -r->standard;
    if (!is_offset(r->standard)) return false;
    r->summer = r->standard + 3600;
    if (!*text) return true;
    r->has_summer = true;
    if (!take_name(&text)) return false;
    if (*text != ',') {
        if (!take_time(&text, &r->summer)) return false;
        r->summer = -r->summer;
    }
    return is_offset(r->summer) && take_change(&text, &r->begin) && take_change(&text, &r->end) && !*text;
}

/* Local seconds of a change, in the clock that holds before it. */
static int64_t change_in(const struct change *c, int64_t year)
{
    int64_t day;
    if (c->kind == 'M') {
        int64_t first = lp_days_from_civil(year, (unsigned)c->month, 1);
        int64_t next = first + lp_days_in_month(year, (unsigned)c->month);
        int64_t weekday = ((first + 4) % 7 + 7) % 7;
        day = first + (c->day - weekday + 7) % 7 + (c->week - 1) * INT64_C(7);
        while (day >= next) day -= 7;
    } else {
        day = lp_days_from_civil(year, 1, 1) + c->day;
        if (c->kind == 'J' && (c->day < 60 || lp_days_in_month(year, 2) == 28)) day--;
    }
    return day * DAY + c->time;
}

static bool follow_rule(struct lp_zone *z, const struct rule *r)
{
    int64_t last = z->count ? z->list[z->count - 1].from : INT64_MIN;
    int64_t from = last == INT64_MIN ? 1970 : lp_civil_of((last < 0 ? 0 : last) * 1000000).year;
    if (!r->has_summer && last == INT64_MIN) return z->list[0].offset = (int32_t)r->standard, true;
    if (!r->has_summer) return add(z, last + 1, r->standard);
    for (int64_t year = from; year <= LP_ZONE_LAST_YEAR; year++) {
        int64_t begin = change_in(&r->begin, year) - r->standard, end = change_in(&r->end, year) - r->summer;
        bool north = begin < end;
        if (!add(z, north ? begin : end, north ? r->summer : r->standard)) return false;
        if (!add(z, north ? end : begin, north ? r->standard : r->summer)) return false;
    }
    return true;
}

static int64_t big_endian(const unsigned char *at, size_t bytes)
{
    uint64_t value = bytes == 4 && (at[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | at[i];
    return (int64_t)value;
}

struct counts {
    size_t utc, standard, leap, times, types, letters;
};

static size_t body_bytes(const struct counts *c, size_t time_bytes)
{
    return c->times * (time_bytes + 1) + c->types * 6 + c->letters + c->leap * (time_bytes + 4) + c->standard + c->utc;
}

static bool read_counts(const struct lp_buf *file, size_t at, struct counts *c)
{
    if (at > file->len || file->len - at < 44) return false;
    const unsigned char *d = (const unsigned char *)file->data + at;
    if (memcmp(d, "TZif", 4) != 0) return false;
    size_t *const fields[] = {&c->utc, &c->standard, &c->leap, &c->times, &c->types, &c->letters};
    for (size_t i = 0; i < LP_COUNT(fields); i++) {
        int64_t n = big_endian(d + 20 + 4 * i, 4);
        if (n < 0 || n > 65536) return false;
        *fields[i] = (size_t)n;
    }
    return c->types > 0;
}

/* False: the file is damaged, or memory is out (then *code says so). */
static bool read_file(struct lp_zone *z, const struct lp_buf *file, enum lp_code *code)
{
    struct counts c;
    struct rule rule;
    size_t at = 0, width = 4;
    if (!read_counts(file, 0, &c)) return false;
    if (file->data[4] >= '2') {
        at = 44 + body_bytes(&c, 4);
        width = 8;
        if (!read_counts(file, at, &c)) return false;
    }
    const unsigned char *times = (const unsigned char *)file->data + at + 44;
    if (file->len - at - 44 < body_bytes(&c, width)) return false;
    const unsigned char *indices = times + c.times * width, *types = indices + c.times;
    if (!is_offset(big_endian(types, 4))) return false;
    *code = LP_NOMEM;
    if (!add(z, INT64_MIN, big_endian(types, 4))) return false;
    for (size_t i = 0; i < c.times; i++) {
        int64_t offset = indices[i] < c.types ? big_endian(types + (size_t)6 * indices[i], 4) : INT32_MAX;
        int64_t from = big_endian(times + i * width, width);
        if (!is_offset(offset)) return *code = LP_CONFIG, false;
        if (from >= INSTANT_LEAST && from <= INSTANT_MOST && !add(z, from, offset)) return false;
    }
    *code = LP_CONFIG;
    char *footer = file->data + at + 44 + body_bytes(&c, width), *end;
    if (width == 4 || *footer != '\n' || !(end = strchr(footer + 1, '\n'))) return width == 4;
    if (end == footer + 1) return true;
    *end = '\0';
    if (!read_rule(footer + 1, &rule)) return false;
    *code = LP_NOMEM;
    return follow_rule(z, &rule);
}

enum lp_code lp_zone_read(struct lp_zone *z, struct lp_buf *file, const char *path, struct lp_err *err)
{
    enum lp_code code = LP_CONFIG;
    *z = (struct lp_zone){0};
    if (read_file(z, file, &code)) return LP_OK;
    lp_zone_release(z);
    if (code == LP_NOMEM) return lp_nomem(err);
    return lp_fail(err, LP_CONFIG, "%s is no time zone that can be read; install the package tzdata anew", path);
}

static bool is_name(const char *name)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t len = strlen(name);
    return len && len <= LP_ZONE_NAME_BYTES && strspn(name, good) == len && name[0] != '/' && name[len - 1] != '/';
}

enum lp_code lp_zone_open(struct lp_zone *z, const char *name, struct lp_err *err)
{
    static const char folder[] = "/usr/share/zoneinfo";
    char path[sizeof folder + LP_ZONE_NAME_BYTES + 1];
    LP_AUTO(lp_buf) file = {.max_bytes = ZONE_BYTES};
    *z = (struct lp_zone){0};
    if (!strcmp(name, "UTC")) return LP_OK;
    if (!is_name(name))
        return lp_fail(err, LP_CONFIG, "\"%.60s\" is no time zone; write it like America/New_York", name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    enum lp_code code = lp_file_read(path, &file, err);
    if (code == LP_NOMEM) return code;
    if (code) {
        bool installed = access("/usr/share/zoneinfo/Etc/UTC", R_OK) == 0;
        return lp_fail(err, LP_CONFIG,
                       installed ? "this machine knows no time zone \"%.60s\"; write it like America/New_York, or bring its package tzdata up to date"
                                 : "time zone \"%.60s\": this machine has no time zones; install its package tzdata",
                       name);
    }
    return lp_zone_read(z, &file, path, err);
}

/* The stretch that an instant lies in. */
static size_t stretch_at(const struct lp_zone *z, int64_t utc)
{
    size_t low = 0, high = z->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (z->list[middle].from <= utc) low = middle;
        else high = middle;
    }
    return low;
}

int64_t lp_zone_offset(const struct lp_zone *z, int64_t utc)
{
    return z->count ? z->list[stretch_at(z, utc)].offset : 0;
}

bool lp_zone_resolve(const struct lp_zone *z, int64_t local, int64_t *utc, int64_t *resumes)
{
    *utc = local;
    if (!z->count) return true;
    for (size_t i = stretch_at(z, local - REACH); i < z->count; i++) {
        int64_t end = i + 1 < z->count ? z->list[i + 1].from : INT64_MAX;
        *utc = local - z->list[i].offset;
        if (*utc < z->list[i].from) {
            *resumes = z->list[i].from + z->list[i].offset;
            return false;
        }
        if (*utc < end) return true;
    }
    return false;
}

int64_t lp_zone_local_after(const struct lp_zone *z, int64_t utc)
{
    if (!z->count) return utc + 1;
    size_t i = stretch_at(z, utc);
    int64_t local = utc + z->list[i].offset + 1;
    if (!i) return local;
    int64_t turned_back = z->list[i].from + z->list[i - 1].offset; /* the earlier clock stood there when it was set */
    return local < turned_back ? turned_back : local;
}
