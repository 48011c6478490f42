/* Every allocation of `check` and `run` fails once: the program says so and ends with a documented status, leaks
 * nothing, and leaves each file of the lake whole or not there. Linked with --wrap, so that all that is linked in —
 * libyaml, jansson, libcurl, UDUNITS — meets the failures too; each attempt runs in a child of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws/aws.h"
#include "lake/store.h"
#include "lp_main.h"
#include "stub_s3.h"
#include "base/secret.h"
#include "table/units.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
static int __lsan_do_recoverable_leak_check(void)
{
    return 0;
}
static void __lsan_disable(void)
{
}
static void __lsan_enable(void)
{
}
#endif

#define LEAKED            77
#define SECONDS_PER_CHILD 20

/* ---- the failing allocator ---- */

static long *left;     /* until the failure, shared with the parent, which reads how many there were */
static bool *happened; /* the failure came */

static bool fails(void)
{
    if (!left || *left < 0 || (*left)-- != 0) return false;
    *left = -1;
    *happened = true;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_reallocarray(void *at, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
int __real_vasprintf(char **out, const char *format, va_list args);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_reallocarray(void *at, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
int __wrap_vasprintf(char **out, const char *format, va_list args);
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *at, size_t size)
{
    return fails() ? NULL : __real_realloc(at, size);
}
void *__wrap_reallocarray(void *at, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(at, count, size);
}
char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}
char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

/* UDUNITS ends the process, or worse, when it has no memory; units.c calls it only when there is some in reserve. So it
 * is spared here, and what its parser leaks does not count. */
enum lp_code __real_lp_unit_new(const char *from, const char *to, struct lp_unit **out, const char **unknown,
                                struct lp_err *err);
enum lp_code __wrap_lp_unit_new(const char *from, const char *to, struct lp_unit **out, const char **unknown,
                                struct lp_err *err);
enum lp_code __wrap_lp_unit_new(const char *from, const char *to, struct lp_unit **out, const char **unknown,
                                struct lp_err *err)
{
    if (fails()) return lp_nomem(err);
    long before = *left;
    *left = -1;
    __lsan_disable();
    enum lp_code code = __real_lp_unit_new(from, to, out, unknown, err);
    __lsan_enable();
    *left = before;
    return code;
}

int __wrap_vasprintf(char **out, const char *format, va_list args)
{
    return fails() ? -1 : __real_vasprintf(out, format, args);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = __wrap_vasprintf(out, format, args);
    va_end(args);
    return n;
}

/* ---- the ground ---- */

static char folder[] = "/tmp/lambda-pipeline-allocations-XXXXXX";
static int server_port, mail_port, s3_port, runtime_port;
static pid_t server, mail_server, s3_server, runtime_server;

static void write_file(const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void make_folder(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char child[600];
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (unlink(child)) remove_tree(child);
    }
    if (d) closedir(d);
    rmdir(path);
}

#define REPLY "{\"main\": {\"temp\": 12.5}, \"dt\": 1349114400, \"name\": \"x\"}"

/* Answers any request, for as long as the test lasts. */
static void serve(int listener)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 55\r\n\r\n" REPLY;
    assert_int_equal(strlen(REPLY), 55);
    alarm(1200);
    for (;;) {
        char request[4096];
        int one = accept(listener, NULL, NULL);
        if (one < 0) continue;
        if (fork() == 0) {
            alarm(SECONDS_PER_CHILD);
            while (read(one, request, sizeof request) > 0)
                if (write(one, answer, sizeof answer - 1) < 0) break;
            _exit(0);
        }
        close(one);
        while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    }
}

/* Takes any mail. */
static void serve_mail(int listener)
{
    alarm(1200);
    for (;;) {
        char line[4096];
        int one = accept(listener, NULL, NULL);
        if (one < 0) continue;
        if (fork() == 0) {
            alarm(SECONDS_PER_CHILD);
            FILE *in = fdopen(one, "r");
            bool data = false;
            const char *answer = "220 mail.test\r\n";
            do {
                if (answer && write(one, answer, strlen(answer)) < 0) break;
                if (!in || !fgets(line, sizeof line, in)) break;
                if (data) data = strcmp(line, ".\r\n") != 0;
                else data = !strncmp(line, "DATA", 4);
                answer = !data ? "250 ok\r\n" : !strncmp(line, "DATA", 4) ? "354 go on\r\n" : NULL;
            } while (true);
            _exit(0);
        }
        close(one);
        while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    }
}

static void serve_s3(int listener)
{
    stub_s3_serve(listener, 1200);
}

/* Lambda's runtime API: one event, and after its answer the end. */
static void serve_runtime(int listener)
{
    static const char event[] =
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Invocation-Id: i\r\n"
        "Lambda-Runtime-Deadline-Ms: 99999999999999\r\nLambda-Runtime-Trace-Id: Root=1\r\nContent-Length: 32\r\n\r\n"
        "{\"slot\": \"2012-10-01T18:00:00Z\"}";
    static const char taken[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    static const char over[] = "HTTP/1.1 500 Over\r\nContent-Length: 0\r\n\r\n";
    alarm(1200);
    for (;;) {
        char request[1 << 16];
        int one = accept(listener, NULL, NULL), asked = 0;
        if (one < 0) continue;
        if (fork() == 0) {
            alarm(SECONDS_PER_CHILD);
            for (ssize_t n; (n = read(one, request, sizeof request)) > 0;) {
                const char *answer = *request == 'P' ? taken : asked++ ? over : event;
                if (write(one, answer, strlen(answer)) < 0) break;
            }
            _exit(0);
        }
        close(one);
        while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    }
}

static pid_t start_server(void (*serves)(int listener), int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    pid_t child = fork();
    if (child == 0) serves(listener);
    close(listener);
    return child;
}

static const char columns[] =
    "  each: { city: [A, B], n: [1] }\n"
    "  limit: { at_once: 2, rate: 1000/s, total: 500ms }\n"
    "  expect: { name: x }\n"
    "columns:\n"
    "  city: { value: \"{city}\", type: string, str_matches: \"[A-C]\", isin: [A, B, C] }\n"
    "  temperature: { from: main.temp, type: double, unit: celsius -> fahrenheit, in_range: [-90, 54.3] }\n"
    "  at: { from: dt, type: timestamp, parse: unix }\n"
    "quality: { unique: [[city, at]], max_bad: 100% }\n"
    "sink: { to: ./lake, partition: { dt: \"{slot:%Y-%m-%d}\" } }\n"
    "notify: ";
static const char to_stderr[] = "{ when: [failure], to: [stderr] }\n";

static int set_up(void **state)
{
    (void)state;
    char text[4096];
    left = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    happened = (bool *)(left + 1);
    *left = -1;
    if (!mkdtemp(folder) || chdir(folder)) return -1;
    setenv("LP_TEST_KEY", "a-secret-of-the-test", 1);
    make_folder("replies");
    write_file("replies/A, 1.http", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" REPLY);
    make_folder("half");
    for (size_t i = 0; i < 2; i++)
        write_file(
            i ? "half/B, 1.http" : "replies/B, 1.http",
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"main\": {\"temp\": 12}, \"dt\": 1, \"name\": \"x\"}");
    snprintf(text, sizeof text, "pipeline: weather\nsource:\n  get: https://api.example.com/w?q={city}\n%s%s", columns,
             to_stderr);
    write_file("weather.yaml", text);
    const char *rest = strstr(columns, "to: ./lake");
    snprintf(text, sizeof text,
             "pipeline: weather\nsource:\n  get: https://api.example.com/w?q={city}\n%.*sformat: parquet, %s%s",
             (int)(rest - columns), columns, rest, to_stderr);
    write_file("parquet.yaml", text);
    snprintf(text, sizeof text,
             "pipeline: weather\nschedule: { expression: \"cron(0 18 * * ? *)\", timezone: Europe/Berlin }\nsource:\n  history: true\n"
             "  get: https://api.example.com/w?q={city}\n%s%s",
             columns, to_stderr);
    write_file("past.yaml", text);
    server = start_server(serve, &server_port);
    mail_server = start_server(serve_mail, &mail_port);
    runtime_server = start_server(serve_runtime, &runtime_port);
    s3_server = start_server(serve_s3, &s3_port);
    snprintf(
        text, sizeof text,
        "pipeline: weather\nsource:\n  get: \"http://127.0.0.1:%d/w?q={city}\"\n  headers: { X-City: \"{city}\" }\n"
        "  auth: { query: appid, secret: \"env:LP_TEST_KEY\" }\n  retry: { attempts: 1 }\n%s%s",
        server_port, columns, to_stderr);
    write_file("live.yaml", text);
    snprintf(text, sizeof text,
             "pipeline: weather\nsource:\n  get: https://api.example.com/w?q={city}\n%s{ when: [success, failure, "
             "recovery], to: [\"http://127.0.0.1:%d/a-long-and-secret-path\", { mail: a@x.org, server: "
             "\"smtp://127.0.0.1:%d\", from: b@x.org }] }\n",
             columns, server_port, mail_port);
    write_file("tells.yaml", text);
    snprintf(text, sizeof text,
             "pipeline: weather\nsource:\n  get: \"http://127.0.0.1:%d/w?q={city}\"\n"
             "  auth: { query: appid, secret: \"ssm:/weather/key\" }\n%s%s",
             server_port, columns, to_stderr);
    write_file("secret.yaml", text);
    snprintf(
        text, sizeof text,
        "[default]\nregion = us-west-2\ncredential_process = /bin/echo '{\"Version\": 1, \"AccessKeyId\": \"AKIA\", "
        "\"SecretAccessKey\": \"of a process\", \"SessionToken\": \"its token\"}'\nservices = here\n[services here]\n"
        "ssm =\n  endpoint_url = http://127.0.0.1:%d\n",
        server_port);
    write_file("aws-config", text);
    const char *sink = strstr(columns, "to: ./lake");
    snprintf(text, sizeof text,
             "pipeline: weather\nsource:\n  get: https://api.example.com/w?q={city}\n%.*sto: s3://lake/a b, "
             "partition: { place: city } }\nnotify: %s",
             (int)(sink - columns), columns, to_stderr);
    write_file("bucket.yaml", text);
    write_file(
        "faults.yaml",
        "pipeline: we ather\nsorce: 1\nsource: { get: \"http://x/{town}\" }\ncolumns: { a: { type: dubble } }\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kill(server, SIGKILL);
    kill(mail_server, SIGKILL);
    kill(runtime_server, SIGKILL);
    waitpid(runtime_server, NULL, 0);
    kill(s3_server, SIGKILL);
    waitpid(s3_server, NULL, 0);
    waitpid(server, NULL, 0);
    waitpid(mail_server, NULL, 0);
    if (chdir("/")) return -1;
    remove_tree(folder);
    return 0;
}

static int count_words(const char *const *words)
{
    int n = 0;
    while (words[n]) n++;
    return n;
}

/* A store by itself, with what no run of two rows does: uploads put aside, parts, a listing. */
static char large[(17 << 20) + 1];

static enum lp_code write_objects(struct lp_store *s, struct lp_upload *u[2], struct lp_listing *l, struct lp_err *err)
{
    LP_TRY(s->ops->begin(s, "dt=1/small.csv", &u[0], err));
    LP_TRY(s->ops->begin(s, "dt=1/large.csv", &u[1], err));
    for (int i = 0; i < 3; i++) {
        LP_TRY(u[0]->ops->write(u[0], "1,2\n", 4, err));
        LP_TRY(u[0]->ops->park(u[0], err));
    }
    LP_TRY(u[1]->ops->write(u[1], large, sizeof large / 2, err));
    LP_TRY(u[1]->ops->park(u[1], err));
    LP_TRY(u[1]->ops->write(u[1], large, sizeof large - sizeof large / 2, err));
    LP_TRY(lp_upload_commit(&u[0], err));
    LP_TRY(lp_upload_commit(&u[1], err));
    LP_TRY(s->ops->list(s, "", "", l, err));
    return s->ops->remove(s, "dt=0/gone.csv", err);
}

static enum lp_code use_bucket(struct lp_aws *aws, struct lp_err *err)
{
    struct lp_store *s = NULL;
    struct lp_lock *lock = NULL;
    struct lp_upload *u[2] = {NULL, NULL};
    struct lp_listing l = {0};
    LP_TRY(lp_store_open("s3://lake/a b", NULL, aws, &s, err));
    enum lp_code code = s->ops->lock(s, "_runs/p/.slot.lock", &lock, err);
    if (!code) code = write_objects(s, u, &l, err);
    lp_listing_release(&l);
    lp_upload_abort(&u[0]);
    lp_upload_abort(&u[1]);
    lp_lock_release(&lock);
    lp_store_free(s);
    return code;
}

static int store_main(void)
{
    struct lp_aws *aws;
    struct lp_err err;
    enum lp_code code = lp_aws_new(NULL, &aws, &err);
    if (!code) {
        code = use_bucket(aws, &err);
        lp_aws_free(aws);
    }
    if (code) fprintf(stderr, "%s\n", err.text);
    lp_secret_forget();
    return code ? 1 : 0;
}

/* The bytes of a file, 0 after them; how many there are, or -1. */
static long read_bytes(const char *path, char *bytes, size_t size)
{
    FILE *in = fopen(path, "r");
    size_t n = in ? fread(bytes, 1, size - 1, in) : 0;
    if (in) fclose(in);
    bytes[n] = '\0';
    return in ? (long)n : -1;
}

static char *read_file(const char *path, char *text, size_t size)
{
    return read_bytes(path, text, size) < 0 ? NULL : text;
}

static const char *output_of_attempt(void)
{
    static char text[1 << 20];
    return read_file("output", text, sizeof text) ? text : "(no output)";
}

static const char *const *before; /* what is run before each attempt, with all its memory; NULL: nothing */

static void run_before(void)
{
    int status = 0;
    pid_t child = before ? fork() : -1;
    if (child == 0) {
        int fd = open("output", O_RDWR | O_CREAT | O_TRUNC, 0644);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        *left = -1;
        _exit(lp_main(count_words(before), (char **)(uintptr_t)before));
    }
    if (child < 0) return;
    waitpid(child, &status, 0);
    if (WEXITSTATUS(status) != 3) fail_msg("what is run before: status %d\n%s", status, output_of_attempt());
}

/* Runs the program in a child; its exit status. */
static int run_child(const char *const *words)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE}; /* by cmocka, which would go on in the child */
        for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) signal(caught[i], SIG_DFL);
        alarm(SECONDS_PER_CHILD);
        int fd = open("output", O_RDWR | O_CREAT | O_TRUNC, 0644);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        int code = *words ? lp_main(count_words(words), (char **)(uintptr_t)words) : store_main();
        *left = -1;
        fflush(NULL);
        _exit(__lsan_do_recoverable_leak_check() ? LEAKED : code);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool begins_with_shards; /* a lake with two shards, not an empty one */

static void copy_shards(void)
{
    int status = 0;
    pid_t child = begins_with_shards ? fork() : -1;
    if (child == 0) {
        execlp("cp", "cp", "-a", "shards", "lake", NULL);
        _exit(127);
    }
    if (child < 0) return;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

/* With the given number of allocations before the one that fails. */
static int attempt(const char *const *words, long allocations)
{
    remove_tree("lake");
    run_before();
    copy_shards();
    *left = allocations;
    *happened = false;
    return run_child(words);
}

#define DATA(ending) "lake/weather/dt=2012-10-01/20121001T180000Z" ending

/* What is to be found where after a run. */
struct expected {
    const char *path;
    char bytes[1 << 16];
    long len;
};

/* What is wrong with how an attempt ended; NULL: nothing. */
static const char *judge(int status, int good, const char *output, const struct expected *data)
{
    static char bytes[1 << 16];
    if (status == LEAKED) return "leaks";
    if (status != good && status != 1 && status != 3) return "ends with an undocumented status";
    bool whole = good == 1 && strstr(output, "}\n"); /* JSON to its end */
    /* The other is what libcurl says when it has no memory for an address. */
    bool word = strstr(output, "memory") || strstr(output, "Could not resolve host: 127.0.0.1");
    if (status == 1 && !whole && !word) return "fails without a word about memory";
    if (!data || status == 3) return NULL;
    long len = read_bytes(data->path, bytes, sizeof bytes);
    if (len >= 0 && (len != data->len || memcmp(bytes, data->bytes, (size_t)len) != 0)) return "leaves other rows";
    return len < 0 && status == good ? "leaves no rows" : NULL;
}

/* The data is what a run without a failure leaves at `path` (NULL: not looked at). */
static void every_allocation_fails_once(const char *const *words, int good, const char *path)
{
    static struct expected expected;
    long count = 0, silent = 0, wrong = 0;
    assert_int_equal(attempt(words, -1), good);
    expected.path = path;
    if (path) expected.len = read_bytes(path, expected.bytes, sizeof expected.bytes);
    assert_true(!path || expected.len > 0);
    for (int status = attempt(words, count); *happened; status = attempt(words, ++count)) {
        const char *fault = judge(status, good, output_of_attempt(), path ? &expected : NULL);
        if (fault && wrong++ < 10)
            print_error("allocation %ld: %s (status %d)\n%.2000s\n", count, fault, status, output_of_attempt());
        silent += status == good && !strstr(output_of_attempt(), "memory");
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(attempt(words, -1), good);
    print_message("%ld allocations failed in turn, %ld of them could be done without\n", count, silent);
    assert_true(count > 20 && silent < count);
}

static void each_allocation_of_check_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "check", "weather.yaml", NULL}, 0, NULL);
}

static void each_allocation_of_a_check_that_finds_faults_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "check", "faults.yaml", NULL}, 2, NULL);
}

static void each_allocation_of_a_replayed_run_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "run", "weather.yaml", "--replay", "replies",
                                                      "--slot", "2012-10-01T18:00:00Z", NULL},
                                0, DATA(".csv"));
    static char text[4096];
    assert_string_equal(read_file(DATA(".csv"), text, sizeof text),
                        "city,temperature,at\nB,53.6,1970-01-01T00:00:01Z\n");
}

/* One row of two is bad. */
static void merge_shards(const char *file, int good)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(run_child((const char *const[]){"lambda-pipeline", "run", file, "--replay", "replies", "--slot",
                                                         "2012-10-01T18:00:00Z", "--shard", i ? "2/2" : "1/2", "--to",
                                                         "shards", NULL}),
                         0);
    begins_with_shards = true;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "merge", file, "--shards", "2", "--slot",
                                                      "2012-10-01T18:00:00Z", "--to", "lake", NULL},
                                good, NULL);
    begins_with_shards = false;
    remove_tree("shards");
}

static void each_allocation_of_a_merge_may_fail(void **state)
{
    (void)state;
    merge_shards("weather.yaml", 0);
}

static void each_allocation_of_a_merge_that_refuses_may_fail(void **state)
{
    static char text[4096], changed[4200];
    (void)state;
    assert_non_null(read_file("weather.yaml", text, sizeof text));
    char *share = strstr(text, "100%");
    assert_non_null(share);
    *share = '\0';
    snprintf(changed, sizeof changed, "%s10%%%s", text, share + 4);
    write_file("refused.yaml", changed);
    merge_shards("refused.yaml", 4);
}

static void each_allocation_of_a_run_to_parquet_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "run", "parquet.yaml", "--replay", "replies",
                                                      "--slot", "2012-10-01T18:00:00Z", NULL},
                                0, DATA(".parquet"));
}

static void retry_of(const char *file, const char *data)
{
    const char *const run[] = {"lambda-pipeline", "run", file, "--replay", "half", "--slot", "2012-10-01T18:00:00Z", NULL};
    const char *const retry[] = {"lambda-pipeline", "retry", file, "--replay", "replies", "--slot", "2012-10-01T18:00:00Z", NULL};
    before = run;
    every_allocation_fails_once(retry, 0, data);
    before = NULL;
}

static int nothing_before(void **state)
{
    (void)state;
    before = NULL; /* should it have failed */
    begins_with_shards = false;
    return 0;
}

static void each_allocation_of_a_retry_may_fail(void **state)
{
    (void)state;
    retry_of("weather.yaml", DATA(".csv"));
    retry_of("parquet.yaml", DATA(".parquet"));
}

static void each_allocation_of_a_run_over_the_network_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once(
        (const char *const[]){"lambda-pipeline", "run", "live.yaml", "--slot", "2012-10-01T18:00:00Z", "--json", NULL},
        4, NULL);
}

static void each_allocation_of_a_run_that_tells_people_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "run", "tells.yaml", "--replay", "replies",
                                                      "--slot", "2012-10-01T18:00:00Z", NULL},
                                0, DATA(".csv"));
}

static void each_allocation_of_doctor_may_fail(void **state)
{
    (void)state;
    unsetenv("AWS_ACCESS_KEY_ID");
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "doctor", "live.yaml", NULL}, 0, NULL);
    every_allocation_fails_once(
        (const char *const[]){"lambda-pipeline", "doctor", "live.yaml", "--to", "s3://lake/a", "--json", NULL}, 1,
        NULL);
}

/* The whole way of a signed call: profile, process, signature, an answer that is none. */
static void each_allocation_of_a_run_whose_secret_lies_at_aws_may_fail(void **state)
{
    (void)state;
    setenv("AWS_CONFIG_FILE", "aws-config", 1);
    setenv("AWS_MAX_ATTEMPTS", "1", 1);
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "run", "secret.yaml", "--slot",
                                                      "2012-10-01T18:00:00Z", "--json", NULL},
                                1, NULL);
    unsetenv("AWS_CONFIG_FILE");
    unsetenv("AWS_MAX_ATTEMPTS");
}

static void use_stub_s3(void)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", s3_port);
    setenv("AWS_ENDPOINT_URL", url, 1);
    setenv("AWS_REGION", "us-west-2", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHETESTS", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "the secret key of the test", 1);
    setenv("AWS_MAX_ATTEMPTS", "1", 1);
}

static void each_allocation_of_a_run_to_a_bucket_may_fail(void **state)
{
    (void)state;
    use_stub_s3();
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "run", "bucket.yaml", "--replay", "replies",
                                                      "--slot", "2012-10-01T18:00:00Z", NULL},
                                0, NULL);
}

static void each_allocation_of_a_bucket_as_a_store_may_fail(void **state)
{
    (void)state;
    use_stub_s3();
    every_allocation_fails_once((const char *const[]){NULL}, 0, NULL);
}

static void each_allocation_of_a_call_of_the_function_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "invoke", "weather.yaml", "--replay", "replies",
                                                      "--event", "{\"slot\": \"2012-10-01T18:00:00Z\"}", NULL},
                                0, DATA(".csv"));
}

/* The loop ends with 1 when the runtime API says so. */
static void each_allocation_of_the_runtime_loop_may_fail(void **state)
{
    (void)state;
    char api[40];
    snprintf(api, sizeof api, "127.0.0.1:%d", runtime_port);
    setenv("AWS_LAMBDA_RUNTIME_API", api, 1);
    setenv("AWS_LAMBDA_LOG_FORMAT", "JSON", 1);
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "lambda", "live", NULL}, 1, NULL);
    unsetenv("AWS_LAMBDA_RUNTIME_API");
}

/* Of the process that starts the runs and of the run, whose allocations count on. */
static void each_allocation_of_a_backfill_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "backfill", "past.yaml", "--replay", "replies", "--from",
                                                      "2012-10-01", "--to", "2012-10-01", NULL},
                                0, "lake/weather/dt=2012-10-01/20121001T160000Z.csv");
}

static void each_allocation_of_what_tells_the_schedule_may_fail(void **state)
{
    (void)state;
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "schedule", "past.yaml", "--calendar", NULL}, 0, NULL);
    every_allocation_fails_once((const char *const[]){"lambda-pipeline", "plan", "past.yaml", "--aws", NULL}, 0, NULL);
}

/* I/N: every N-th test from the I-th on, so that several processors share them. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_check_may_fail),
        cmocka_unit_test(each_allocation_of_a_check_that_finds_faults_may_fail),
        cmocka_unit_test(each_allocation_of_a_replayed_run_may_fail),
        cmocka_unit_test_teardown(each_allocation_of_a_merge_may_fail, nothing_before),
        cmocka_unit_test_teardown(each_allocation_of_a_merge_that_refuses_may_fail, nothing_before),
        cmocka_unit_test(each_allocation_of_a_run_to_parquet_may_fail),
        cmocka_unit_test_teardown(each_allocation_of_a_retry_may_fail, nothing_before),
        cmocka_unit_test(each_allocation_of_a_run_over_the_network_may_fail),
        cmocka_unit_test(each_allocation_of_a_run_that_tells_people_may_fail),
        cmocka_unit_test(each_allocation_of_a_backfill_may_fail),
        cmocka_unit_test(each_allocation_of_what_tells_the_schedule_may_fail),
        cmocka_unit_test(each_allocation_of_doctor_may_fail),
        cmocka_unit_test(each_allocation_of_a_run_whose_secret_lies_at_aws_may_fail),
        cmocka_unit_test(each_allocation_of_a_call_of_the_function_may_fail),
        cmocka_unit_test(each_allocation_of_the_runtime_loop_may_fail),
        cmocka_unit_test(each_allocation_of_a_run_to_a_bucket_may_fail),
        cmocka_unit_test(each_allocation_of_a_bucket_as_a_store_may_fail),
    };
    struct CMUnitTest chosen[LP_COUNT(tests)];
    size_t first = 1, step = 1, count = 0;
    if (argc > 1 && (sscanf(argv[1], "%zu/%zu", &first, &step) != 2 || !first || !step)) return 2;
    for (size_t i = first - 1; i < LP_COUNT(tests); i += step) chosen[count++] = tests[i];
    return _cmocka_run_group_tests("allocations", chosen, count, set_up, tear_down);
}
