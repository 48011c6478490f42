#include "net/replay.h"

#include "base/file.h"
#include "base/secret.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define HEAD_BYTES   ((size_t)64 * 1024) /* room for what stands before the body */
#define LOOKED_AT    256                 /* entries of a folder, for the sake of an error's words */
#define SLOT_LETTERS 16                  /* 20121001T180000Z */

/* A comma joins values, so that within one of several it is written as %2C. */
static bool plain(unsigned char c, bool several)
{
    if (c == ',') return !several;
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr(" ,._-", c));
}

static void put_name(struct lp_buf *out, struct lp_slice value, bool several)
{
    for (const char *at = value.at, *end = value.at + value.len; at < end;) {
        const char *next = at;
        bool broken = lp_utf8_next(&next, end) == 0xFFFD && next - at == 1;
        bool dot = !out->len && *at == '.';
        if (((unsigned char)*at < 0x80 && plain((unsigned char)*at, several) && !dot) ||
            ((unsigned char)*at >= 0x80 && !broken))
            lp_buf_put(out, at, (size_t)(next - at));
        else
            for (const char *byte = at; byte < next; byte++) lp_buf_printf(out, "%%%02X", (unsigned char)*byte);
        at = next;
    }
}

static uint32_t hash_of(const char *text, size_t len) /* FNV-1a */
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h;
}

enum lp_code lp_replay_name(const struct lp_slice *values, size_t count, struct lp_buf *out, struct lp_err *err)
{
    LP_AUTO(lp_buf) name = {0};
    for (size_t i = 0; i < count; i++) {
        if (i) lp_buf_puts(&name, ", ");
        put_name(&name, values[i], count > 1);
    }
    if (!count) lp_buf_puts(&name, "reply");
    else if (!name.len) lp_buf_putc(&name, '%');
    LP_TRY(lp_buf_code(&name, "the name of a recorded reply", err));
    if (name.len > LP_REPLAY_NAME_BYTES) {
        uint32_t hash = hash_of(name.data, name.len);
        name.len = LP_REPLAY_NAME_BYTES - 9;
        while (name.len && ((unsigned char)name.data[name.len] & 0xC0) == 0x80) name.len--;
        lp_buf_printf(&name, "-%08x", hash);
    }
    lp_buf_put(out, name.data, name.len);
    lp_buf_puts(out, ".http");
    return lp_buf_code(out, "the name of a recorded reply", err);
}

enum lp_code lp_replay_write(const char *folder, const char *name, const struct lp_http_reply *reply,
                             struct lp_err *err)
{
    size_t room = reply->body.len + HEAD_BYTES;
    LP_AUTO(lp_buf) text = {.max_bytes = room}, masked = {.max_bytes = room * 3}, path = {0};
    lp_buf_printf(&text, "HTTP/1.1 %d\r\n", reply->status);
    lp_buf_put(&text, reply->headers.at, reply->headers.len);
    lp_buf_puts(&text, "\r\n");
    lp_buf_put(&text, reply->body.at, reply->body.len);
    lp_secret_mask(lp_buf_text(&text), text.len, &masked);
    lp_buf_printf(&path, "%s/%s", folder, name);
    LP_TRY(lp_buf_code(&text, "a reply to record", err));
    LP_TRY(lp_buf_code(&masked, "a reply to record", err));
    LP_TRY(lp_buf_code(&path, "the name of a recorded reply", err));
    struct lp_newfile file;
    LP_TRY(lp_newfile_begin(&file, lp_buf_text(&path), NULL, err));
    enum lp_code code = lp_newfile_write(&file, masked.data, masked.len, err);
    if (!code) return lp_newfile_commit(&file, err);
    lp_newfile_release(&file);
    return code;
}

/* Another slot that has a reply of this name, if one is found soon. */
static bool find_other_slot(const char *folder, const char *name, char slot[SLOT_LETTERS + 1])
{
    DIR *d = opendir(folder);
    struct dirent *e;
    bool found = false;
    for (int n = 0; d && n < LOOKED_AT && (e = readdir(d)); n++) {
        LP_AUTO(lp_buf) path = {0};
        if (strlen(e->d_name) != SLOT_LETTERS || e->d_name[8] != 'T' || e->d_name[15] != 'Z') continue;
        lp_buf_printf(&path, "%s/%s/%s", folder, e->d_name, name);
        if (path.failed || access(lp_buf_text(&path), R_OK) || (found && strcmp(e->d_name, slot) >= 0)) continue;
        memcpy(slot, e->d_name, SLOT_LETTERS + 1);
        found = true;
    }
    if (d) closedir(d);
    return found;
}

static enum lp_code nothing_recorded(const char *folder, const char *slot, const char *name, struct lp_err *err)
{
    char other[SLOT_LETTERS + 1];
    if (slot && find_other_slot(folder, name, other))
        return lp_fail(err, LP_NOTFOUND, "no recorded reply: %s has %s of other slots, like %s, but not of %s", folder, name, other, slot);
    return lp_fail(err, LP_NOTFOUND, "no recorded reply: %s has no %s", folder, name);
}

static enum lp_code read_either(const char *folder, const char *slot, const char *name, struct lp_buf *storage,
                                struct lp_err *err)
{
    LP_AUTO(lp_buf) path = {0};
    enum lp_code code = LP_NOTFOUND;
    if (slot) {
        lp_buf_printf(&path, "%s/%s/%s", folder, slot, name);
        LP_TRY(lp_buf_code(&path, "the name of a recorded reply", err));
        code = lp_file_read(lp_buf_text(&path), storage, err);
    }
    if (code == LP_NOTFOUND) {
        lp_buf_clear(&path);
        lp_buf_clear(storage);
        lp_buf_printf(&path, "%s/%s", folder, name);
        LP_TRY(lp_buf_code(&path, "the name of a recorded reply", err));
        code = lp_file_read(lp_buf_text(&path), storage, err);
    }
    return code == LP_NOTFOUND ? nothing_recorded(folder, slot, name, err) : code;
}

/* The end of the header that begins at `at`; NULL when it has none. */
static const char *header_end(const char *at, const char *end)
{
    for (const char *line = at; line < end;) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        if (!lf) return NULL;
        if (lf == line || (lf == line + 1 && *line == '\r')) return lf + 1;
        line = lf + 1;
    }
    return NULL;
}

static bool read_status(const char *at, const char *end, int *status)
{
    if (end - at < 12 || memcmp(at, "HTTP/", 5)) return false;
    const char *space = memchr(at, ' ', (size_t)(end - at < 16 ? end - at : 16));
    if (!space || end - space < 4) return false;
    *status = 0;
    for (int i = 1; i <= 3; i++) {
        if (space[i] < '0' || space[i] > '9') return false;
        *status = *status * 10 + (space[i] - '0');
    }
    return *status >= 100 && *status < 600;
}

enum lp_code lp_replay_read(const char *folder, const char *slot, const char *name, size_t max_body_bytes,
                            struct lp_buf *storage, struct lp_http_reply *reply, struct lp_err *err)
{
    void *user = reply->user;
    lp_buf_clear(storage);
    storage->max_bytes = max_body_bytes + HEAD_BYTES;
    enum lp_code code = read_either(folder, slot, name, storage, err);
    if (code && code != LP_LIMIT) return code;
    const char *at = lp_buf_text(storage), *end = at + storage->len, *body = NULL;
    *reply = (struct lp_http_reply){.user = user, .outcome = LP_HTTP_ANSWERED};
    /* After a redirect or 100 Continue curl prints the next answer right behind. */
    for (int status; read_status(at, end, &status) && (body = header_end(at, end));) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        reply->status = status;
        reply->headers = (struct lp_slice){line_end + 1, (size_t)(body - line_end - 1)};
        if (status != 100 && !(status >= 300 && status < 400)) break;
        at = body;
    }
    if (!body)
        return lp_fail(err, LP_DATA, "%s is not a reply as `curl -i` prints it: no status line and header", name);
    reply->body = (struct lp_slice){body, (size_t)(end - body)};
    lp_http_header(reply, "content-type", &reply->content_type);
    lp_http_header(reply, "retry-after", &reply->retry_after);
    lp_http_header(reply, "date", &reply->date);
    if (code == LP_LIMIT || reply->body.len > max_body_bytes) {
        reply->outcome = LP_HTTP_TOO_LARGE;
        snprintf(reply->error, sizeof reply->error, "the reply is larger than %zu bytes (limit.body)", max_body_bytes);
    }
    return LP_OK;
}
