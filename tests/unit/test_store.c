/* The contract of lake/store.h, held against every store. S3 takes part where LP_TEST_S3 names a bucket (s3://…) that the
 * environment's keys may write to: tests/e2e/test_store_contract.py sees to that. */
#include "test.h"

#include "aws/aws.h"

#include "memory_store.c"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LITTLE ((size_t)400 * 1024) /* what an object may hold where writes are to fail; past the buffer of a file */

struct home {
    struct lp_store *(*open)(const char *folder);
    void (*limit)(struct lp_store *s, size_t bytes); /* 0: no limit again; NULL: writes do not fail early there */
};
struct fixture {
    void *folder;
    const struct home *home;
    struct lp_store *store;
};

static struct lp_err err;

static struct lp_store *open_directory(const char *folder)
{
    struct lp_store *s;
    assert_ok(lp_store_dir_new(path_in(folder, "lake"), &s, &err));
    return s;
}

static void limit_files(struct lp_store *s, size_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static struct lp_store *open_memory(const char *folder)
{
    return memory_store_new();
}

static struct lp_aws *session;

static struct lp_store *open_bucket(const char *folder)
{
    struct lp_store *s;
    LP_AUTO(lp_buf) root = {0};
    lp_buf_printf(&root, "%s/a prefix/%s/", getenv("LP_TEST_S3"), strrchr(folder, '/') + 1);
    assert_ok(lp_aws_new(&(struct lp_aws_options){0}, &session, &err));
    assert_ok(lp_store_open(lp_buf_text(&root), NULL, session, &s, &err));
    return s;
}

static const struct home directory = {open_directory, limit_files}, memory = {open_memory, memory_store_limit},
                         bucket = {open_bucket, NULL};

static int open_home(void **state, const struct home *home)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || folder_new(&f->folder)) return -1;
    f->home = home;
    f->store = home->open(f->folder);
    *state = f;
    return 0;
}

static int in_directory(void **state)
{
    return open_home(state, &directory);
}

static int in_memory(void **state)
{
    return open_home(state, &memory);
}

static int in_bucket(void **state)
{
    return open_home(state, &bucket);
}

static int close_home(void **state)
{
    struct fixture *f = *state;
    if (f->home->limit) f->home->limit(f->store, 0);
    lp_store_free(f->store);
    lp_aws_free(session);
    session = NULL;
    int result = folder_free(&f->folder);
    free(f);
    return result;
}

static struct lp_store *store_of(void **state)
{
    return ((struct fixture *)*state)->store;
}

static struct lp_upload *begin(struct lp_store *s, const char *key)
{
    struct lp_upload *u = NULL;
    assert_ok(s->ops->begin(s, key, &u, &err));
    assert_non_null(u);
    return u;
}

static void put(struct lp_store *s, const char *key, const char *text)
{
    assert_ok(lp_store_put(s, key, text, strlen(text), &err));
}

static void commit(struct lp_upload **u)
{
    assert_ok(lp_upload_commit(u, &err));
    assert_null(*u);
}

static void assert_holds(struct lp_store *s, const char *key, const char *bytes, size_t len)
{
    LP_AUTO(lp_buf) out = {0};
    assert_ok(s->ops->read(s, key, &out, &err));
    assert_int_equal(out.len, len);
    assert_memory_equal(lp_buf_text(&out), bytes, len);
}

static void assert_absent(struct lp_store *s, const char *key)
{
    LP_AUTO(lp_buf) out = {0};
    assert_code(s->ops->read(s, key, &out, &err), LP_NOTFOUND);
    assert_int_equal(out.len, 0);
}

static void what_was_put_is_read(void **state)
{
    struct lp_store *s = store_of(state);
    put(s, "weather/dt=2012-10-01/20121001T180000Z.csv", "city\nDallas\n");
    assert_holds(s, "weather/dt=2012-10-01/20121001T180000Z.csv", "city\nDallas\n", 12);
    assert_absent(s, "weather/dt=2012-10-01/20121001T190000Z.csv");
    assert_absent(s, "weather/dt=2012-10-02/20121001T180000Z.csv");
    assert_absent(s, "20121001T180000Z.csv");
}

static void bytes_of_every_kind_and_none_are_kept(void **state)
{
    struct lp_store *s = store_of(state);
    char bytes[1024];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)i;
    assert_ok(lp_store_put(s, "all", bytes, sizeof bytes, &err));
    assert_holds(s, "all", bytes, sizeof bytes);
    struct lp_upload *u = begin(s, "empty");
    commit(&u);
    assert_holds(s, "empty", "", 0);
}

static void nothing_is_seen_before_commit(void **state)
{
    struct lp_store *s = store_of(state);
    put(s, "old", "before");
    struct lp_upload *fresh = begin(s, "a/new"), *over = begin(s, "old");
    assert_absent(s, "a/new");
    assert_ok(fresh->ops->write(fresh, "text", 4, &err));
    assert_ok(over->ops->write(over, "after", 5, &err));
    assert_ok(fresh->ops->park(fresh, &err));
    assert_ok(over->ops->park(over, &err));
    assert_absent(s, "a/new");
    assert_holds(s, "old", "before", 6);
    commit(&fresh);
    assert_holds(s, "a/new", "text", 4);
    assert_holds(s, "old", "before", 6);
    commit(&over);
    assert_holds(s, "old", "after", 5);
}

static void what_is_aborted_leaves_all_as_it_was(void **state)
{
    struct lp_store *s = store_of(state);
    put(s, "old", "before");
    struct lp_upload *fresh = begin(s, "new"), *over = begin(s, "old"), *none = NULL;
    assert_ok(fresh->ops->write(fresh, "text", 4, &err));
    assert_ok(over->ops->write(over, "after", 5, &err));
    lp_upload_abort(&fresh);
    lp_upload_abort(&over);
    lp_upload_abort(&none);
    assert_null(fresh);
    assert_null(over);
    assert_absent(s, "new");
    assert_holds(s, "old", "before", 6);
    put(s, "new", "again");
    assert_holds(s, "new", "again", 5);
}

static void commit_replaces_the_whole_object(void **state)
{
    struct lp_store *s = store_of(state);
    put(s, "key", "a long text that was there before");
    put(s, "key", "short");
    assert_holds(s, "key", "short", 5);
    put(s, "key", "");
    assert_holds(s, "key", "", 0);
    put(s, "key", "long again, and longer than all");
    assert_holds(s, "key", "long again, and longer than all", 31);
}

static void an_object_is_the_sum_of_its_writes(void **state)
{
    struct lp_store *s = store_of(state);
    size_t total = 0, cap = (size_t)2 << 20;
    char *all = malloc(cap);
    assert_non_null(all);
    uint64_t random = 3;
    struct lp_upload *u = begin(s, "big");
    while (total < cap - 70000) {
        size_t n = next_random(&random) % 70000;
        for (size_t i = 0; i < n; i++) all[total + i] = (char)('a' + (total + i) % 26);
        assert_ok(u->ops->write(u, all + total, n, &err));
        if (n % 5 == 0) assert_ok(u->ops->park(u, &err));
        total += n;
    }
    commit(&u);
    assert_holds(s, "big", all, total);
    free(all);
}

static void many_uploads_are_written_in_turn(void **state)
{
    struct lp_store *s = store_of(state);
    struct lp_upload *uploads[60];
    char key[32], text[64];
    for (size_t i = 0; i < LP_COUNT(uploads); i++) {
        snprintf(key, sizeof key, "part=%zu/x", i);
        uploads[i] = begin(s, key);
    }
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < LP_COUNT(uploads); i++) {
            int len = snprintf(text, sizeof text, "%d of %zu\n", round, i);
            assert_ok(uploads[i]->ops->write(uploads[i], text, (size_t)len, &err));
            if (i % 2) assert_ok(uploads[i]->ops->park(uploads[i], &err));
        }
    for (size_t i = 0; i < LP_COUNT(uploads); i++) {
        commit(&uploads[i]);
        snprintf(key, sizeof key, "part=%zu/x", i);
        int len = snprintf(text, sizeof text, "0 of %zu\n1 of %zu\n2 of %zu\n", i, i, i);
        assert_holds(s, key, text, (size_t)len);
    }
}

/* One key between two bars. */
static const char odd_keys[] =
    "a b/c d.csv| leading|trailing |dt=2012-10-01/x|a+b/c++|a%2Fb|a%20b|100%|%|Zürich/日本/🌧|a&b?c#d;e|'quoted'|\"quoted\"|a\\b|*|[x]|"
    "~|$HOME|{a}|a:b|..a|a..|...|.hidden|a/.b/c|-|--x|a\tb|a\nb|UPPER|upper|x|e\xCC\x81|\xC3\xA9|col=__HIVE_DEFAULT_PARTITION__/x|"
    "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p";

static void odd_keys_are_keys_and_none_is_another(void **state)
{
    struct lp_store *s = store_of(state);
    char copy[sizeof odd_keys];
    const char *keys[64];
    size_t count = 0;
    memcpy(copy, odd_keys, sizeof odd_keys);
    for (char *rest = copy; rest && count < LP_COUNT(keys);) keys[count++] = strsep(&rest, "|");
    assert_int_equal(count, 36);
    if (((struct fixture *)*state)->home == &bucket) /* the server that the tests use does not find names of two lines */
        for (size_t i = 0; i < count; i++)
            if (strchr(keys[i], '\n')) keys[i] = "one line";
    for (size_t i = 0; i < count; i++) {
        assert_absent(s, keys[i]);
        put(s, keys[i], keys[i]);
    }
    for (size_t i = 0; i < count; i++) assert_holds(s, keys[i], keys[i], strlen(keys[i]));
    for (size_t i = 0; i < count; i++) {
        assert_ok(s->ops->remove(s, keys[i], &err));
        assert_absent(s, keys[i]);
    }
}

static void a_key_may_have_a_thousand_and_twenty_four_bytes(void **state)
{
    struct lp_store *s = store_of(state);
    char key[1025], other[1025];
    memset(key, 'k', sizeof key);
    for (size_t i = 200; i < 1024; i += 200) key[i] = '/';
    key[1024] = '\0';
    memcpy(other, key, sizeof key);
    other[1023] = 'o';
    put(s, key, "one");
    assert_holds(s, key, "one", 3);
    assert_absent(s, other);
    put(s, other, "other");
    assert_holds(s, key, "one", 3);
    assert_holds(s, other, "other", 5);
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const bad[] = {"",      ".",   "..",   "../out", "a/..", "a/../../out",
                                      "a/./b", "./a", "/abs", "a//b",   "a/"};
    struct lp_store *s = store_of(state);
    char key[1026];
    memset(key, 'k', sizeof key);
    for (size_t i = 200; i < 1024; i += 200) key[i] = '/';
    key[1025] = '\0';
    for (size_t i = 0; i <= LP_COUNT(bad); i++) {
        const char *name = i < LP_COUNT(bad) ? bad[i] : key;
        LP_AUTO(lp_buf) out = {0};
        struct lp_upload *u = NULL;
        struct lp_lock *l = NULL;
        if (s->ops->lock(s, name, &l, &err) != LP_BUG) fail_msg("\"%s\" is locked", name);
        if (s->ops->begin(s, name, &u, &err) != LP_BUG) fail_msg("\"%s\" is begun", name);
        if (s->ops->read(s, name, &out, &err) != LP_BUG) fail_msg("\"%s\" is read", name);
        if (s->ops->remove(s, name, &err) != LP_BUG) fail_msg("\"%s\" is removed", name);
    }
}

static void a_name_within_a_key_has_at_most_240_bytes(void **state)
{
    struct lp_store *s = store_of(state);
    struct lp_upload *u = NULL;
    char key[260] = "a/";
    memset(key + 2, 'k', 240);
    put(s, key, "fits");
    assert_holds(s, key, "fits", 4);
    key[242] = 'k';
    assert_code(s->ops->begin(s, key, &u, &err), LP_LIMIT);
    assert_null(u);
}

static void a_read_is_bounded_by_its_buffer(void **state)
{
    struct lp_store *s = store_of(state);
    LP_AUTO(lp_buf) small = {.max_bytes = 9}, fitting = {.max_bytes = 10};
    put(s, "ten", "0123456789");
    assert_code(s->ops->read(s, "ten", &small, &err), LP_LIMIT);
    assert_ok(s->ops->read(s, "ten", &fitting, &err));
    assert_string_equal(lp_buf_text(&fitting), "0123456789");
}

static void what_is_removed_is_gone_and_absence_is_fine(void **state)
{
    struct lp_store *s = store_of(state);
    put(s, "a/b", "1");
    put(s, "a/c", "2");
    assert_ok(s->ops->remove(s, "a/b", &err));
    assert_absent(s, "a/b");
    assert_holds(s, "a/c", "2", 1);
    assert_ok(s->ops->remove(s, "a/b", &err));
    assert_ok(s->ops->remove(s, "never/was/there", &err));
    assert_ok(s->ops->remove(s, "a/c/below", &err));
    assert_holds(s, "a/c", "2", 1);
    put(s, "a/b", "3");
    assert_holds(s, "a/b", "3", 1);
}

/* Writes twice what fits; returns what the last write said. */
static enum lp_code overfill(struct fixture *f, struct lp_upload *u, struct lp_err *error)
{
    enum lp_code code = LP_OK;
    char block[4096] = {0};
    f->home->limit(f->store, LITTLE);
    for (size_t i = 0; i < 2 * LITTLE; i += sizeof block) code = u->ops->write(u, block, sizeof block, error);
    return code;
}

static struct lp_upload *begin_limited(struct fixture *f, const char *key)
{
    f->home->limit(f->store, LITTLE);
    return begin(f->store, key);
}

static void a_write_that_failed_is_told_by_commit(void **state)
{
    struct fixture *f = *state;
    put(f->store, "key", "before");
    struct lp_upload *u = begin_limited(f, "key");
    (void)!overfill(f, u, NULL);
    f->home->limit(f->store, 0);
    err = (struct lp_err){0};
    enum lp_code code = lp_upload_commit(&u, &err);
    assert_true(code == LP_IO || code == LP_LIMIT);
    assert_int_equal(err.code, code);
    assert_true(*err.text);
    assert_null(u);
    assert_holds(f->store, "key", "before", 6);
}

static void a_write_that_failed_sticks(void **state)
{
    struct fixture *f = *state;
    struct lp_err later = {0};
    struct lp_upload *u = begin_limited(f, "key");
    err = (struct lp_err){0};
    (void)!overfill(f, u, &err);
    assert_true(err.code == LP_IO || err.code == LP_LIMIT);
    f->home->limit(f->store, 0);
    assert_int_equal(u->ops->park(u, &later), err.code);
    assert_string_equal(later.text, err.text);
    assert_int_equal(lp_upload_commit(&u, &later), err.code);
    assert_absent(f->store, "key");
    put(f->store, "key", "after");
    assert_holds(f->store, "key", "after", 5);
}

static void an_upload_that_failed_can_be_aborted(void **state)
{
    struct fixture *f = *state;
    struct lp_upload *u = begin_limited(f, "key");
    err = (struct lp_err){0};
    (void)!overfill(f, u, &err);
    assert_int_not_equal(err.code, LP_OK);
    lp_upload_abort(&u);
    assert_absent(f->store, "key");
}

static void put_of_what_does_not_fit_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char *bytes = calloc(2, LITTLE);
    assert_non_null(bytes);
    f->home->limit(f->store, LITTLE);
    err = (struct lp_err){0};
    assert_int_not_equal(lp_store_put(f->store, "key", bytes, 2 * LITTLE, &err), LP_OK);
    assert_true(*err.text);
    f->home->limit(f->store, 0);
    assert_absent(f->store, "key");
    free(bytes);
}

static void a_lock_is_held_by_one_until_it_is_given_back(void **state)
{
    struct lp_store *s = store_of(state);
    struct lp_lock *first = NULL, *second = NULL, *other = NULL;
    assert_ok(s->ops->lock(s, "_runs/p/.slot.lock", &first, &err));
    assert_code(s->ops->lock(s, "_runs/p/.slot.lock", &second, &err), LP_LOCKED);
    assert_null(second);
    assert_ok(s->ops->lock(s, "_runs/p/.other.lock", &other, &err));
    assert_code(s->ops->lock(s, "_runs/p/.slot.lock", &second, &err), LP_LOCKED);
    lp_lock_release(&first);
    assert_null(first);
    lp_lock_release(&first);
    assert_ok(s->ops->lock(s, "_runs/p/.slot.lock", &second, &err));
    assert_code(s->ops->lock(s, "_runs/p/.other.lock", &first, &err), LP_LOCKED);
    lp_lock_release(&second);
    lp_lock_release(&other);
}

static void who_holds_a_lock_can_renew_it(void **state)
{
    struct lp_store *s = store_of(state);
    struct lp_lock *held = NULL, *other = NULL;
    assert_ok(s->ops->lock(s, "_runs/p/.slot.lock", &held, &err));
    for (int i = 0; i < 3; i++) assert_ok(held->ops->renew(held, &err));
    assert_code(s->ops->lock(s, "_runs/p/.slot.lock", &other, &err), LP_LOCKED);
    lp_lock_release(&held);
}

static void assert_lists(struct lp_store *s, const char *prefix, const char *after, const char *expected)
{
    LP_AUTO(lp_buf) text = {0};
    LP_AUTO(lp_listing) keys = {0};
    assert_ok(s->ops->list(s, prefix, after, &keys, &err));
    for (size_t i = 0; i < keys.count; i++)
        lp_buf_printf(&text, "%s %llu\n", keys.list[i].key, (unsigned long long)keys.list[i].bytes);
    assert_string_equal(lp_buf_text(&text), expected);
}

static void a_listing_has_the_keys_below_a_folder_in_the_order_of_their_bytes(void **state)
{
    struct lp_store *s = store_of(state);
    struct lp_upload *u = begin(s, "t/dt=3/unseen.csv");
    assert_lists(s, "", "", "");
    put(s, "t/dt=2/b.csv", "22");
    put(s, "t/dt=1/a b+c.csv", "1");
    put(s, "t/dt=1-x/ü.csv", "333");
    put(s, "_runs/p/.slot.keys", "hidden");
    put(s, "_runs/p/20121001T180000Z.json", "{}");
    put(s, "other/z", "");
    assert_lists(s, "t/", "", "t/dt=1-x/ü.csv 3\nt/dt=1/a b+c.csv 1\nt/dt=2/b.csv 2\n");
    assert_lists(s, "t/", "t/dt=1/a b+c.csv", "t/dt=2/b.csv 2\n");
    assert_lists(s, "t/dt=1/", "", "t/dt=1/a b+c.csv 1\n");
    assert_lists(s, "_runs/", "", "_runs/p/20121001T180000Z.json 2\n");
    assert_lists(s, "nothing/", "", "");
    assert_lists(s, "", "other", "other/z 0\nt/dt=1-x/ü.csv 3\nt/dt=1/a b+c.csv 1\nt/dt=2/b.csv 2\n");
    lp_upload_abort(&u);
}

static void an_address_ends_in_its_key(void **state)
{
    struct lp_store *s = store_of(state);
    LP_AUTO(lp_buf) url = {0};
    s->ops->put_url(s, "a b/c=1", &url);
    assert_true(url.len > 7);
    assert_string_equal(lp_buf_text(&url) + url.len - 8, "/a b/c=1");
    assert_true(*s->ops->scheme);
}

/* The model is the step that wrote what is there, -1 for nothing. */
static void any_history_leaves_what_was_committed_last(void **state)
{
    struct lp_store *s = store_of(state);
    int kept[4] = {-1, -1, -1, -1}, written[4];
    char key[8], text[24];
    struct lp_upload *open[4] = {0};
    uint64_t random = 11;
    for (int step = 0; step < 400; step++) {
        size_t k = next_random(&random) % 4;
        snprintf(key, sizeof key, "k/%zu", k);
        int len = snprintf(text, sizeof text, "step %d", step);
        unsigned act = next_random(&random) % 4;
        if (act == 0 && open[k]) {
            commit(&open[k]);
            kept[k] = written[k];
        } else if (act == 0) {
            open[k] = begin(s, key);
            written[k] = step;
            assert_ok(open[k]->ops->write(open[k], text, (size_t)len, &err));
        } else if (act == 1) {
            lp_upload_abort(&open[k]);
        } else if (act == 2) {
            assert_ok(s->ops->remove(s, key, &err));
            kept[k] = -1;
        } else if (!open[k]) {
            put(s, key, text);
            kept[k] = step;
        }
        len = snprintf(text, sizeof text, "step %d", kept[k]);
        if (kept[k] < 0) assert_absent(s, key);
        else assert_holds(s, key, text, (size_t)len);
    }
    for (size_t k = 0; k < 4; k++) lp_upload_abort(&open[k]);
}

/* ---- what only a bucket does ---- */

#define LARGE ((size_t)26 << 20) /* a first piece of 16 MiB, which is two parts, and two more parts */

static void fill(char *bytes, size_t len)
{
    uint64_t random = 5;
    for (size_t i = 0; i + 8 <= len; i += 8) {
        uint64_t word = next_random(&random);
        memcpy(bytes + i, &word, 8);
    }
}

static void write_in_pieces(struct lp_upload *u, const char *bytes, size_t len, bool parks)
{
    uint64_t random = 3;
    for (size_t at = 0; at < len;) {
        size_t n = next_random(&random) % 700000 + 1;
        if (n > len - at) n = len - at;
        assert_ok(u->ops->write(u, bytes + at, n, &err));
        at += n;
        if (parks && next_random(&random) % 8 == 0) assert_ok(u->ops->park(u, &err));
    }
}

static void an_object_of_many_parts_is_the_sum_of_its_writes(void **state)
{
    struct lp_store *s = store_of(state);
    char *bytes = malloc(LARGE);
    assert_non_null(bytes);
    fill(bytes, LARGE);
    for (int parks = 0; parks < 2; parks++) {
        struct lp_upload *u = begin(s, "large.csv"), *other = begin(s, "small.csv");
        assert_ok(other->ops->write(other, "a,b\n", 4, &err));
        assert_ok(other->ops->park(other, &err));
        write_in_pieces(u, bytes, LARGE, parks);
        assert_ok(other->ops->write(other, "1,2\n", 4, &err));
        if (!parks) assert_absent(s, "large.csv");
        commit(&u);
        commit(&other);
        assert_holds(s, "large.csv", bytes, LARGE);
        assert_holds(s, "small.csv", "a,b\n1,2\n", 8);
    }
    free(bytes);
}

static void an_aborted_object_of_many_parts_leaves_nothing(void **state)
{
    struct lp_store *s = store_of(state);
    char *bytes = calloc(1, LARGE);
    assert_non_null(bytes);
    struct lp_upload *u = begin(s, "aborted.csv");
    write_in_pieces(u, bytes, LARGE, true);
    lp_upload_abort(&u);
    assert_absent(s, "aborted.csv");
    free(bytes);
}

static void end_in_the_middle_of_an_upload(const char *folder)
{
    struct lp_lock *lock;
    struct lp_upload *u;
    char *bytes = calloc(1, LARGE);
    struct lp_store *s = open_bucket(folder);
    if (s->ops->lock(s, "_runs/p/.slot.lock", &lock, NULL)) _exit(1);
    if (s->ops->begin(s, "killed.csv", &u, NULL)) _exit(2);
    _exit(bytes && !u->ops->write(u, bytes, LARGE, NULL) ? 0 : 3);
}

static void what_a_killed_holder_of_the_lock_left_is_taken_over(void **state)
{
    struct fixture *f = *state;
    struct lp_lock *lock = NULL;
    int status;
    pid_t child = fork();
    if (!child) end_in_the_middle_of_an_upload(f->folder);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(f->store->ops->lock(f->store, "_runs/p/.slot.lock", &lock, &err));
    assert_false(lock->orderly);
    put(f->store, "killed.csv", "whole");
    assert_holds(f->store, "killed.csv", "whole", 5);
    lp_lock_release(&lock);
    assert_ok(f->store->ops->lock(f->store, "_runs/p/.slot.lock", &lock, &err));
    assert_true(lock->orderly);
    lp_lock_release(&lock);
}

static void end_with_work_left(const char *folder)
{
    struct lp_lock *lock;
    struct lp_store *s = open_bucket(folder);
    if (s->ops->lock(s, "_runs/p/.slot.lock", &lock, NULL) || !lock->orderly) _exit(1);
    lock->unfinished = true;
    lp_lock_release(&lock);
    _exit(0);
}

static void a_holder_that_leaves_work_is_told_of_to_the_next(void **state)
{
    struct fixture *f = *state;
    struct lp_lock *lock = NULL;
    int status;
    pid_t child = fork();
    if (!child) end_with_work_left(f->folder);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(f->store->ops->lock(f->store, "_runs/p/.slot.lock", &lock, &err));
    assert_false(lock->orderly);
    lp_lock_release(&lock);
}

static void who_holds_the_lock_is_named(void **state)
{
    struct lp_store *s = store_of(state);
    struct lp_lock *lock = NULL, *other = NULL;
    char process[40];
    assert_ok(s->ops->lock(s, "_runs/p/.slot.lock", &lock, &err));
    assert_code(s->ops->lock(s, "_runs/p/.slot.lock", &other, &err), LP_LOCKED);
    snprintf(process, sizeof process, "process %ld on ", (long)getpid());
    assert_non_null(strstr(err.text, process));
    lp_lock_release(&lock);
}

#define HERE(test)                                                \
    {#test " (directory)", test, in_directory, close_home, NULL}, \
    {                                                             \
#test " (memory)", test, in_memory, close_home, NULL      \
    }
#define IN_S3(test)                                       \
    {                                                     \
#test " (S3)", test, in_bucket, close_home, NULL  \
    }

/* What every home keeps, and what those keep where a write can fail before commit. */
#define EVERYWHERE(of)                                                             \
    of(what_was_put_is_read), of(bytes_of_every_kind_and_none_are_kept),           \
        of(nothing_is_seen_before_commit), of(what_is_aborted_leaves_all_as_it_was), \
        of(commit_replaces_the_whole_object), of(an_object_is_the_sum_of_its_writes), \
        of(many_uploads_are_written_in_turn), of(odd_keys_are_keys_and_none_is_another), \
        of(what_is_no_key_is_refused), of(a_name_within_a_key_has_at_most_240_bytes), of(a_read_is_bounded_by_its_buffer), \
        of(what_is_removed_is_gone_and_absence_is_fine), of(a_lock_is_held_by_one_until_it_is_given_back), \
        of(who_holds_a_lock_can_renew_it), \
        of(a_listing_has_the_keys_below_a_folder_in_the_order_of_their_bytes), of(an_address_ends_in_its_key), \
        of(any_history_leaves_what_was_committed_last)

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest here[] = {
        EVERYWHERE(HERE),
        HERE(a_key_may_have_a_thousand_and_twenty_four_bytes), /* in S3 the prefix counts as well */
        HERE(a_write_that_failed_is_told_by_commit),
        HERE(a_write_that_failed_sticks),
        HERE(an_upload_that_failed_can_be_aborted),
        HERE(put_of_what_does_not_fit_leaves_nothing),
    };
    const struct CMUnitTest in_s3[] = {
        EVERYWHERE(IN_S3),
        IN_S3(an_object_of_many_parts_is_the_sum_of_its_writes),
        IN_S3(an_aborted_object_of_many_parts_leaves_nothing),
        IN_S3(what_a_killed_holder_of_the_lock_left_is_taken_over),
        IN_S3(a_holder_that_leaves_work_is_told_of_to_the_next),
        IN_S3(who_holds_the_lock_is_named),
    };
    if (getenv("LP_TEST_S3")) return cmocka_run_group_tests(in_s3, NULL, NULL);
    return cmocka_run_group_tests(here, NULL, NULL);
}
