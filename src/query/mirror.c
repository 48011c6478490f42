#include "query/mirror.h"

#include "base/cancel.h"
#include "base/file.h"
#include "lake/store_s3.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define PIECE_BYTES ((uint64_t)8 << 20)
#define AT_ONCE     8
#define OBJECTS     "objects"
#define VIEWS       "views"

struct wanted {
    const struct lp_listed *object;
    char name[40]; /* in the cache */
    int fd;        /* -1 when it is not being written */
    char part[80];
    uint64_t done; /* bytes that arrived */
};

struct piece {
    struct wanted *file;
    uint64_t from, len;
    struct lp_s3_request request; /* borrowed by the call */
    struct lp_aws_call *call;
};

struct fetch {
    struct lp_mirror *mirror;
    struct lp_s3_store *store;
    const char *cache;
    int objects; /* the folder */
    struct lp_listing listing;
    struct wanted *list;
    size_t count, cap;
    struct piece under_way[AT_ONCE]; /* in the order they were started */
    size_t first, running;
};

/* ---- objects and times ---- */

/* SQL may write within its lake, and so into what the links lead to. An object that was fetched says of itself that it was
 * changed in 1970; one that was written to says something else. When it was used is when it was last read. */
static const struct timespec as_fetched[2] = {{.tv_nsec = UTIME_NOW}, {0}};
static const struct timespec as_used[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};

static bool was_written(const struct stat *st)
{
    return st->st_mtim.tv_sec || st->st_mtim.tv_nsec;
}

/* ---- what is wanted ---- */

/* Address, ETag and size make the name: other bytes have another one. */
static enum lp_code name_object(const struct fetch *f, const struct lp_listed *o, char out[40], struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0};
    LP_TRY(lp_aws_put_endpoint(f->store->aws, "s3", &text, err));
    lp_buf_putc(&text, '\n');
    lp_s3_put_url(f->store, o->key, &text);
    lp_buf_printf(&text, "\n%s\n%llu", o->version, (unsigned long long)o->bytes);
    LP_TRY(lp_buf_code(&text, "an object's name", err));
    XXH128_hash_t hash = XXH3_128bits(text.data, text.len);
    snprintf(out, 40, "%016llx%016llx", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
    return LP_OK;
}

static enum lp_code want(struct fetch *f, const struct lp_listed *o, struct lp_err *err)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 64;
        struct wanted *list = reallocarray(f->list, cap, sizeof *list);
        if (!list) return lp_nomem(err);
        f->list = list;
        f->cap = cap;
    }
    struct wanted *w = &f->list[f->count++];
    *w = (struct wanted){.object = o, .fd = -1};
    return name_object(f, o, w->name, err);
}

static enum lp_code list_tables(struct fetch *f, const struct lp_tables *tables, struct lp_err *err)
{
    for (size_t i = 0; i < tables->count; i++) {
        LP_AUTO(lp_buf) prefix = {.max_bytes = LP_STORE_KEY_BYTES};
        lp_lake_table_put_prefix(&tables->list[i], &prefix);
        LP_TRY(lp_buf_code(&prefix, "a table's place", err));
        LP_TRY(lp_s3_list(&f->store->store, lp_buf_text(&prefix), "", &f->listing, err));
    }
    return LP_OK;
}

static enum lp_code choose(struct fetch *f, const struct lp_tables *tables, const struct lp_where *where,
                           struct lp_err *err)
{
    uint64_t bytes = 0;
    LP_TRY(list_tables(f, tables, err));
    for (size_t i = 0; i < f->listing.count; i++) {
        const struct lp_listed *o = &f->listing.list[i];
        bool twice = f->count && !strcmp(f->list[f->count - 1].object->key, o->key);
        bool owned = false;
        for (size_t t = 0; t < tables->count && !owned; t++)
            owned = lp_lake_table_owns(&tables->list[t], where, o->key);
        if (!owned || twice) continue;
        LP_TRY(want(f, o, err));
        bytes += o->bytes;
    }
    if (bytes <= LP_MIRROR_CACHE_BYTES) return LP_OK;
    return lp_fail(
        err, LP_LIMIT,
        "the tables asked for hold %llu MiB, more than the %llu MiB that are fetched for a question; ask for "
        "fewer partitions with --where NAME=VALUE, or install DuckDB's httpfs extension",
        (unsigned long long)(bytes >> 20), (unsigned long long)(LP_MIRROR_CACHE_BYTES >> 20));
}

/* ---- fetching ---- */

static enum lp_code begin_file(struct fetch *f, struct wanted *w, struct lp_err *err)
{
    snprintf(w->part, sizeof w->part, ".%s.%ld.part", w->name, (long)getpid());
    w->fd = openat(f->objects, w->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return w->fd < 0 ? lp_fail_errno(err, "%s/" OBJECTS ": cannot be written", f->cache) : LP_OK;
}

static enum lp_code end_file(struct fetch *f, struct wanted *w, struct lp_err *err)
{
    bool good = fdatasync(w->fd) == 0 && futimens(w->fd, as_fetched) == 0;
    good = close(w->fd) == 0 && good;
    w->fd = -1;
    if (!good || renameat(f->objects, w->part, f->objects, w->name))
        return lp_fail_errno(err, "%s/" OBJECTS ": cannot be written", f->cache);
    f->mirror->fetched++;
    f->mirror->fetched_bytes += w->object->bytes;
    return LP_OK;
}

static enum lp_code start_piece(struct fetch *f, struct wanted *w, uint64_t from, struct lp_err *err)
{
    struct piece *p = &f->under_way[(f->first + f->running) % AT_ONCE];
    uint64_t left = w->object->bytes - from;
    struct lp_s3_request *q = &p->request;
    *p = (struct piece){.file = w, .from = from, .len = left < PIECE_BYTES ? left : PIECE_BYTES};
    lp_s3_request_init(q, f->store, "GET", w->object->key);
    if (w->object->bytes > PIECE_BYTES)
        lp_s3_add_header(q, "range: bytes=%llu-%llu", (unsigned long long)from,
                         (unsigned long long)(from + p->len - 1));
    if (*w->object->version) lp_s3_add_header(q, "if-match: %s", w->object->version);
    enum lp_code code = lp_s3_start(f->store, q, &p->call, err);
    if (code) lp_s3_request_release(q);
    else f->running++;
    return code;
}

static enum lp_code write_piece(struct fetch *f, const struct piece *p, const struct lp_aws_reply *reply,
                                struct lp_err *err)
{
    struct wanted *w = p->file;
    const char *bytes = lp_buf_text(&reply->body);
    uint64_t at = p->from;
    size_t len = reply->body.len;
    if (len != p->len)
        return lp_fail(err, LP_REMOTE, "s3://%s/%s%s: %zu bytes came where %llu were asked for", f->store->bucket,
                       f->store->prefix, w->object->key, len, (unsigned long long)p->len);
    while (len) {
        ssize_t n = pwrite(w->fd, bytes, len, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return lp_fail_errno(err, "%s/" OBJECTS ": cannot be written", f->cache);
        bytes += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    w->done += p->len;
    return w->done == w->object->bytes ? end_file(f, w, err) : LP_OK;
}

/* Waits for the oldest piece. */
static enum lp_code finish_piece(struct fetch *f, struct lp_err *err)
{
    struct piece *p = &f->under_way[f->first];
    struct lp_aws_reply reply = {0};
    enum lp_code code = lp_aws_finish(f->store->aws, &p->call, &reply, err);
    code = lp_s3_explain(f->store, &reply, code, err);
    lp_s3_request_release(&p->request);
    f->first = (f->first + 1) % AT_ONCE;
    f->running--;
    if (code && reply.status == 412)
        code = lp_fail(err, LP_BUSY, "s3://%s/%s%s was replaced meanwhile; ask again", f->store->bucket,
                       f->store->prefix, p->file->object->key);
    if (!code) code = write_piece(f, p, &reply, err);
    lp_aws_reply_release(&reply);
    return code;
}

static enum lp_code fetch_file(struct fetch *f, struct wanted *w, struct lp_err *err)
{
    LP_TRY(begin_file(f, w, err));
    if (!w->object->bytes) return end_file(f, w, err);
    for (uint64_t from = 0; from < w->object->bytes; from += PIECE_BYTES) {
        LP_TRY(lp_cancel_check(err));
        if (f->running == AT_ONCE) LP_TRY(finish_piece(f, err));
        LP_TRY(start_piece(f, w, from, err));
    }
    return LP_OK;
}

/* Used now: what was not used for longest goes first. Without an ETag nobody knows whether it still is the same. */
static bool is_kept(const struct fetch *f, const struct wanted *w)
{
    struct stat st;
    return *w->object->version && fstatat(f->objects, w->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !was_written(&st) &&
           (uint64_t)st.st_size == w->object->bytes && utimensat(f->objects, w->name, as_used, 0) == 0;
}

static enum lp_code fetch_missing(struct fetch *f, struct lp_err *err)
{
    for (size_t i = 0; i < f->count; i++)
        if (!is_kept(f, &f->list[i])) LP_TRY(fetch_file(f, &f->list[i], err));
    while (f->running) LP_TRY(finish_piece(f, err));
    return LP_OK;
}

/* ---- the folder of links ---- */

static enum lp_code link_file(struct fetch *f, const struct wanted *w, struct lp_err *err)
{
    LP_AUTO(lp_buf) path = {.max_bytes = 8192};
    lp_buf_printf(&path, "%s/%s", f->mirror->folder, w->object->key);
    LP_TRY(lp_buf_code(&path, "an object's name", err));
    LP_TRY(lp_file_make_folders(lp_buf_text(&path), err));
    if (linkat(f->objects, w->name, AT_FDCWD, lp_buf_text(&path), 0) == 0) return LP_OK;
    if (errno != ENOENT) return lp_fail_errno(err, "%s: cannot be linked", lp_buf_text(&path));
    return lp_fail(err, LP_BUSY, "%s/" OBJECTS ": another question made room there meanwhile; ask again", f->cache);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* Folders of processes that are gone. */
static void sweep_views(const char *cache)
{
    char *views = NULL, *one;
    if (asprintf(&views, "%s/" VIEWS, cache) < 0) return;
    DIR *open = opendir(views);
    for (const struct dirent *e; open && (e = readdir(open));) {
        long pid = strtol(e->d_name, NULL, 10);
        if (pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH) continue;
        if (asprintf(&one, "%s/%s", views, e->d_name) < 0) break;
        nftw(one, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(one);
    }
    if (open) closedir(open);
    free(views);
}

static enum lp_code make_view(struct fetch *f, struct lp_err *err)
{
    LP_AUTO(lp_buf) inside = {0};
    sweep_views(f->cache);
    lp_buf_printf(&inside, "%s/" VIEWS "/.", f->cache);
    LP_TRY(lp_buf_code(&inside, "the cache", err));
    LP_TRY(lp_file_make_folders(lp_buf_text(&inside), err));
    if (asprintf(&f->mirror->folder, "%s/" VIEWS "/%ld-XXXXXX", f->cache, (long)getpid()) < 0) {
        f->mirror->folder = NULL;
        return lp_nomem(err);
    }
    if (!mkdtemp(f->mirror->folder)) {
        enum lp_code code = lp_fail_errno(err, "%s: cannot make the folder", f->mirror->folder);
        free(f->mirror->folder);
        f->mirror->folder = NULL;
        return code;
    }
    for (size_t i = 0; i < f->count; i++) LP_TRY(link_file(f, &f->list[i], err));
    f->mirror->files = f->count;
    return LP_OK;
}

/* ---- the bound ---- */

struct kept {
    char name[64];
    struct timespec used;
    uint64_t bytes;
};

static int by_use(const void *left, const void *right)
{
    const struct kept *a = left, *b = right;
    if (a->used.tv_sec != b->used.tv_sec) return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
    return (a->used.tv_nsec > b->used.tv_nsec) - (a->used.tv_nsec < b->used.tv_nsec);
}

/* Objects that were used last stay; parts of a killed process go after a day. */
static void make_room(int objects)
{
    int copy = dup(objects);
    DIR *open = copy < 0 ? NULL : fdopendir(copy);
    struct kept *list = NULL;
    size_t count = 0, cap = 0;
    uint64_t bytes = 0;
    time_t now = time(NULL);
    if (!open && copy >= 0) close(copy);
    if (open) rewinddir(open);
    for (const struct dirent *e; open && (e = readdir(open));) {
        struct stat st;
        if (fstatat(objects, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) continue;
        if (*e->d_name == '.' && now - st.st_ctime > 86400) unlinkat(objects, e->d_name, 0);
        if (*e->d_name == '.' || strlen(e->d_name) >= sizeof list->name) continue;
        if (count == cap) {
            struct kept *more = reallocarray(list, cap ? cap * 2 : 256, sizeof *list);
            if (!more) break;
            list = more;
            cap = cap ? cap * 2 : 256;
        }
        struct kept *k = &list[count++];
        *k = (struct kept){.used = st.st_atim, .bytes = (uint64_t)st.st_size};
        memcpy(k->name, e->d_name, strlen(e->d_name) + 1);
        bytes += k->bytes;
    }
    if (count) qsort(list, count, sizeof *list, by_use);
    for (size_t i = 0; i < count && bytes > LP_MIRROR_CACHE_BYTES; i++) {
        if (unlinkat(objects, list[i].name, 0) == 0) bytes -= list[i].bytes;
    }
    free(list);
    if (open) closedir(open);
}

/* ---- all of it ---- */

static enum lp_code open_cache(struct fetch *f, struct lp_err *err)
{
    LP_AUTO(lp_buf) path = {0};
    lp_buf_printf(&path, "%s/" OBJECTS "/.", f->cache);
    LP_TRY(lp_buf_code(&path, "the cache", err));
    LP_TRY(lp_file_make_folders(lp_buf_text(&path), err));
    chmod(f->cache, 0700); /* what a lake holds is its reader's business */
    f->objects = open(lp_buf_text(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->objects < 0 ? lp_fail_errno(err, "%s: cannot be read", lp_buf_text(&path)) : LP_OK;
}

static void fetch_release(struct fetch *f)
{
    for (; f->running; f->running--) {
        lp_aws_cancel(f->store->aws, &f->under_way[f->first].call);
        lp_s3_request_release(&f->under_way[f->first].request);
        f->first = (f->first + 1) % AT_ONCE;
    }
    for (size_t i = 0; i < f->count; i++) {
        if (f->list[i].fd < 0) continue;
        close(f->list[i].fd);
        unlinkat(f->objects, f->list[i].part, 0);
    }
    if (f->objects >= 0) close(f->objects);
    lp_listing_release(&f->listing);
    free(f->list);
}

enum lp_code lp_mirror_make(struct lp_mirror *m, struct lp_store *s3, const struct lp_tables *tables,
                            const struct lp_where *where, const char *cache, struct lp_err *err)
{
    struct fetch f = {.mirror = m, .store = (struct lp_s3_store *)s3, .cache = cache, .objects = -1};
    *m = (struct lp_mirror){0};
    enum lp_code code = open_cache(&f, err);
    if (!code) code = choose(&f, tables, where, err);
    if (!code) code = fetch_missing(&f, err);
    if (!code) code = make_view(&f, err);
    if (!code) make_room(f.objects);
    fetch_release(&f);
    return code;
}

static int find_written(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path, (void)ftw;
    return type == FTW_F && was_written(st);
}

bool lp_mirror_was_written(const struct lp_mirror *m)
{
    return m->folder && nftw(m->folder, find_written, 16, FTW_PHYS) == 1;
}

void lp_mirror_release(struct lp_mirror *m)
{
    if (m->folder) nftw(m->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(m->folder);
    *m = (struct lp_mirror){0};
}
