/* test.h — what every unit test needs: cmocka behind the headers it wants, calls that must succeed, a folder of its own.
 * Owns:    folder_new makes a folder below TMPDIR; folder_free removes it with all that lies in it.
 * Errors:  a test that cannot go on fails with the sentence of the error.
 */
#ifndef LP_TESTS_UNIT_TEST_H
#define LP_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"

/* The call must return LP_OK; `err` is in scope. */
#define assert_ok(call)                                                                                    \
    do {                                                                                                   \
        enum lp_code assert_ok_code_ = (call);                                                             \
        if (assert_ok_code_) fail_msg("%s: %s: %s", #call, lp_code_info(assert_ok_code_)->name, err.text); \
    } while (0)

/* The call must return this code, and so must the error it left. */
#define assert_code(call, wanted)                                                          \
    do {                                                                                   \
        err = (struct lp_err){0};                                                          \
        enum lp_code assert_code_got_ = (call);                                            \
        if (assert_code_got_ != (wanted))                                                  \
            fail_msg("%s: %s: %s", #call, lp_code_info(assert_code_got_)->name, err.text); \
        assert_int_equal(err.code, wanted);                                                \
    } while (0)

/* A random number that is the same in every run (SplitMix64). */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline int folder_remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s, (void)type, (void)f;
    return remove(path);
}

static inline int folder_new(void **state)
{
    const char *below = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/lp-unit-XXXXXX", below && *below ? below : "/tmp") < 0) return -1;
    *state = path;
    return mkdtemp(path) ? 0 : -1;
}

static inline int folder_free(void **state)
{
    int removed = nftw(*state, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return removed;
}

/* folder/name in one of four arrays that are used in turn. */
static inline const char *path_in(const char *folder, const char *name)
{
    static char paths[4][4096];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline bool exists(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0;
}

static inline void write_text(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* How many names the folder holds, those that begin with a dot too. */
static inline size_t count_names(const char *folder)
{
    char command[4200];
    size_t count = 0;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%zu", &count), 1);
    pclose(f);
    return count;
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, folder_new, folder_free)

#endif
