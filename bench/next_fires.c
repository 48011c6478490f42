/* next_fires walk SECONDS EACH ZONE EXPRESSION…: the next instants of each expression from 2026 on, EACH of them, by the
 *   program's own arithmetic, again and again until SECONDS have passed.
 * next_fires never ZONE EXPRESSION: looks for an instant that never comes, from 2026 on.
 * Reading expressions and zone is not counted. Prints the sum of the instants of one walk, how many there were in all (of
 * never: looks), and the seconds they took. */
#include "schedule/expression.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST     64
#define FROM_US  (INT64_C(1767225600) * 1000000)
#define LOOKS    2000

static void end(const char *what)
{
    fprintf(stderr, "next_fires: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct lp_expression read_one(const char *text)
{
    struct lp_expression e;
    struct lp_err err;
    size_t column, width;
    if (lp_expression_parse(&e, text, &column, &width, &err)) end(err.text);
    return e;
}

static int64_t walk(const struct lp_expression *list, int count, int each, const struct lp_zone *zone)
{
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        int64_t at = FROM_US;
        for (int n = 0; n < each; n++) {
            if (!lp_expression_next(&list[i], zone, at, &at)) end("an expression that ends");
            sum += at / 1000000;
        }
    }
    return sum;
}

int main(int argc, char **argv)
{
    struct lp_expression list[MOST];
    struct lp_zone zone = {0};
    struct lp_err err;
    bool never = argc == 4 && !strcmp(argv[1], "never");
    int first = never ? 3 : 5, count = argc - first;
    if (!never && (argc < 6 || strcmp(argv[1], "walk") != 0 || count > MOST))
        end("usage: next_fires walk SECONDS EACH ZONE EXPRESSION…, or never ZONE EXPRESSION");
    if (lp_zone_open(&zone, argv[first - 1], &err)) end(err.text);
    for (int i = 0; i < count; i++) list[i] = read_one(argv[first + i]);

    double seconds = never ? 0 : strtod(argv[2], NULL), passed, begin = now();
    int each = never ? 0 : atoi(argv[3]);
    int64_t sum = 0, done = 0, at;
    do {
        if (never)
            for (int i = 0; i < LOOKS; i++)
                if (lp_expression_next(&list[0], &zone, FROM_US + i, &at)) end("it has an instant");
        if (!never) sum = walk(list, count, each, &zone);
        done += never ? LOOKS : (int64_t)count * each;
        passed = now() - begin;
    } while (passed < seconds);
    printf("%lld %lld %.9f\n", (long long)sum, (long long)done, passed);
    lp_zone_release(&zone);
    return 0;
}
