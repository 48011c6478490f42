/* Files that appear whole or not at all, reading, and locks that go with their process. */
#include "test.h"

#include "base/file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct lp_err err;

static void assert_file(const char *path, const char *text)
{
    LP_AUTO(lp_buf) out = {0};
    assert_ok(lp_file_read(path, &out, &err));
    assert_string_equal(lp_buf_text(&out), text);
}

static void begin(struct lp_newfile *f, const char *path, const char *text)
{
    assert_ok(lp_newfile_begin(f, path, NULL, &err));
    assert_ok(lp_newfile_write(f, text, strlen(text), &err));
}

static void a_file_appears_with_its_folders_when_it_is_committed(void **state)
{
    struct lp_newfile f;
    const char *path = path_in(*state, "a/b/c.csv"), *folder = path_in(*state, "a/b");
    begin(&f, path, "text");
    assert_false(exists(path));
    assert_int_equal(count_names(folder), 1); /* the part, under another name */
    assert_int_equal(f.bytes, 4);
    assert_ok(lp_newfile_commit(&f, &err));
    assert_file(path, "text");
    assert_int_equal(count_names(folder), 1);
}

static void until_then_the_file_that_was_there_stays(void **state)
{
    struct lp_newfile f;
    const char *path = path_in(*state, "x");
    write_text(path, "before", 6);
    begin(&f, path, "after");
    assert_file(path, "before");
    lp_newfile_release(&f);
    assert_file(path, "before");
    assert_int_equal(count_names(*state), 1);
    lp_newfile_release(&f);
    begin(&f, path, "after");
    assert_ok(lp_newfile_commit(&f, &err));
    assert_file(path, "after");
    lp_newfile_release(&f);
    assert_file(path, "after");
}

static void a_part_may_lie_elsewhere_and_what_was_there_is_written_over(void **state)
{
    struct lp_newfile f;
    const char *path = path_in(*state, "x"), *part = path_in(*state, "part");
    write_text(part, "a long beginning of a file that never came", 42);
    assert_ok(lp_newfile_begin(&f, path, part, &err));
    assert_ok(lp_newfile_write(&f, "short", 5, &err));
    assert_ok(lp_newfile_commit(&f, &err));
    assert_file(path, "short");
    assert_int_equal(count_names(*state), 1);
}

static void a_part_that_is_a_link_is_not_followed(void **state)
{
    struct lp_newfile f;
    const char *victim = path_in(*state, "victim"), *part = path_in(*state, "part");
    write_text(victim, "mine", 4);
    assert_int_equal(symlink(victim, part), 0);
    assert_code(lp_newfile_begin(&f, path_in(*state, "x"), part, &err), LP_IO);
    assert_file(victim, "mine");
}

static void a_parked_file_holds_no_descriptor_and_goes_on(void **state)
{
    struct lp_newfile f;
    const char *path = path_in(*state, "x");
    begin(&f, path, "one,");
    assert_ok(lp_newfile_park(&f, &err));
    assert_int_equal(f.fd, -1);
    assert_null(f.pending.data);
    assert_ok(lp_newfile_park(&f, &err));
    assert_ok(lp_newfile_write(&f, "two,", 4, &err));
    assert_ok(lp_newfile_park(&f, &err));
    assert_ok(lp_newfile_write(&f, "three", 5, &err));
    assert_ok(lp_newfile_commit(&f, &err));
    assert_file(path, "one,two,three");
    begin(&f, path, "parked to the end");
    assert_ok(lp_newfile_park(&f, &err));
    assert_ok(lp_newfile_commit(&f, &err));
    assert_file(path, "parked to the end");
}

static void places_where_no_file_can_be_are_told(void **state)
{
    struct lp_newfile f;
    write_text(path_in(*state, "plain"), "x", 1);
    assert_code(lp_newfile_begin(&f, path_in(*state, "plain/below"), NULL, &err), LP_IO);
    assert_non_null(strstr(err.text, "plain"));
    lp_newfile_release(&f);
    assert_int_equal(mkdir(path_in(*state, "folder"), 0777), 0);
    begin(&f, path_in(*state, "folder"), "text");
    assert_code(lp_newfile_commit(&f, &err), LP_IO);
    assert_int_equal(count_names(*state), 2);
}

static void a_full_disk_is_told_by_commit_and_leaves_nothing(void **state)
{
    struct lp_newfile f;
    struct rlimit limit, small;
    const char *path = path_in(*state, "x");
    char *block = calloc(1, 1 << 20);
    assert_non_null(block);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){1 << 19, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_ok(lp_newfile_begin(&f, path, NULL, &err));
    enum lp_code first = lp_newfile_write(&f, block, 1 << 20, NULL), second = lp_newfile_commit(&f, &err);
    setrlimit(RLIMIT_FSIZE, &limit);
    free(block);
    assert_int_equal(first, LP_IO);
    assert_int_equal(second, LP_IO);
    assert_non_null(strstr(err.text, "File too large"));
    assert_int_equal(count_names(*state), 0);
}

static void reading_says_what_is_in_the_way(void **state)
{
    LP_AUTO(lp_buf) out = {.max_bytes = 5};
    const char *path = path_in(*state, "x");
    assert_code(lp_file_read(path, &out, &err), LP_NOTFOUND);
    assert_non_null(strstr(err.text, "No such file"));
    write_text(path, "12345", 5);
    assert_code(lp_file_read(path_in(*state, "x/y"), &out, &err), LP_NOTFOUND);
    assert_code(lp_file_read(*state, &out, &err), LP_IO);
    assert_ok(lp_file_read(path, &out, &err));
    lp_buf_clear(&out);
    write_text(path, "123456", 6);
    assert_code(lp_file_read(path, &out, &err), LP_LIMIT);
    assert_int_equal(mkfifo(path_in(*state, "pipe"), 0600), 0);
    lp_buf_clear(&out);
    assert_ok(lp_file_read(path_in(*state, "pipe"), &out, &err));
    assert_int_equal(out.len, 0);
}

static void folders_are_made_once_and_files_removed_once(void **state)
{
    const char *path = path_in(*state, "a/b/c");
    assert_ok(lp_file_make_folders(path, &err));
    assert_ok(lp_file_make_folders(path, &err));
    assert_true(exists(path_in(*state, "a/b")));
    assert_false(exists(path));
    write_text(path, "x", 1);
    assert_ok(lp_file_remove(path, &err));
    assert_false(exists(path));
    assert_ok(lp_file_remove(path, &err));
    assert_code(lp_file_remove(path_in(*state, "a"), &err), LP_IO);
}

static void a_lock_is_refused_while_another_holds_it(void **state)
{
    struct lp_filelock first, second;
    const char *path = path_in(*state, "runs/.slot.lock");
    assert_ok(lp_filelock_take(&first, path, &err));
    assert_code(lp_filelock_take(&second, path, &err), LP_LOCKED);
    assert_non_null(strstr(err.text, ".slot.lock"));
    lp_filelock_release(&second);
    assert_code(lp_filelock_take(&second, path, &err), LP_LOCKED);
    lp_filelock_release(&first);
    assert_false(exists(path));
    assert_ok(lp_filelock_take(&second, path, &err));
    lp_filelock_release(&second);
    lp_filelock_release(&second);
}

static void a_lock_goes_with_its_process(void **state)
{
    struct lp_filelock lock;
    const char *path = path_in(*state, ".lock");
    int ready[2], status;
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (!child) {
        if (lp_filelock_take(&lock, path, &err) || write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_code(lp_filelock_take(&lock, path, &err), LP_LOCKED);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(exists(path));
    assert_ok(lp_filelock_take(&lock, path, &err));
    lp_filelock_release(&lock);
    assert_false(exists(path));
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        with_folder(a_file_appears_with_its_folders_when_it_is_committed),
        with_folder(until_then_the_file_that_was_there_stays),
        with_folder(a_part_may_lie_elsewhere_and_what_was_there_is_written_over),
        with_folder(a_part_that_is_a_link_is_not_followed),
        with_folder(a_parked_file_holds_no_descriptor_and_goes_on),
        with_folder(places_where_no_file_can_be_are_told),
        with_folder(a_full_disk_is_told_by_commit_and_leaves_nothing),
        with_folder(reading_says_what_is_in_the_way),
        with_folder(folders_are_made_once_and_files_removed_once),
        with_folder(a_lock_is_refused_while_another_holds_it),
        with_folder(a_lock_goes_with_its_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
