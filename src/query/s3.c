#include "query/s3.h"

#include "query/child.h"
#include "query/script.h"
#include "lake/store_s3.h"

#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

#define LOAD_MS 30000

static enum lp_code ignore(void *who, const char *bytes, size_t len, struct lp_err *err)
{
    (void)who, (void)bytes, (void)len, (void)err;
    return LP_OK;
}

static bool can_load(const char *duckdb, const char *extension, struct lp_buf *load)
{
    const char *arguments[] = {"-no-init", "-batch", "-bail", "-f", "%1", NULL};
    struct lp_err ignored;
    lp_buf_clear(load);
    lp_buf_puts(load, "LOAD ");
    lp_sql_put_text(extension, load);
    lp_buf_puts(load, ";\n");
    struct lp_child c = {
        .program = duckdb, .arguments = arguments, .texts = {NULL, lp_buf_text(load)}, .take = ignore, .silent = true,
        .limit_ms = LOAD_MS};
    return !load->failed && access(extension, R_OK) == 0 && lp_child_run(&c, &ignored) == LP_OK;
}

static bool can_load_users(const char *duckdb, struct lp_buf *load)
{
    const char *home = getenv("HOME");
    LP_AUTO(lp_buf) pattern = {0};
    glob_t found = {0};
    bool loads = false;
    if (!home || *home != '/') return false;
    lp_buf_printf(&pattern, "%s/.duckdb/extensions/v*/*/httpfs.duckdb_extension", home);
    if (pattern.failed || glob(lp_buf_text(&pattern), GLOB_NOSORT, NULL, &found)) return false;
    for (size_t i = 0; i < found.gl_pathc && !loads; i++) loads = can_load(duckdb, found.gl_pathv[i], load);
    globfree(&found);
    return loads;
}

enum lp_code lp_httpfs_find(const char *duckdb, struct lp_buf *load, struct lp_err *err)
{
    LP_AUTO(lp_buf) beside = {0};
    const char *slash = strrchr(duckdb, '/');
    lp_buf_printf(&beside, "%.*s/httpfs.duckdb_extension", (int)(slash ? slash - duckdb : 0), duckdb);
    LP_TRY(lp_buf_code(&beside, "the place of DuckDB's httpfs extension", err));
    if (can_load(duckdb, lp_buf_text(&beside), load) || can_load_users(duckdb, load)) return LP_OK;
    lp_buf_clear(load);
    return lp_fail(err, LP_NOTFOUND, "DuckDB's httpfs extension is not there");
}

/* The bucket's own region, which need not be the session's. */
static enum lp_code find_region(struct lp_s3_store *s, struct lp_buf *out, struct lp_err *err)
{
    struct lp_s3_request q;
    struct lp_aws_reply reply;
    struct lp_slice region = {0};
    const char *session;
    lp_s3_request_init(&q, s, "HEAD", NULL);
    enum lp_code code = lp_s3_call(s, &q, &reply, err);
    if (code == LP_OK && lp_aws_reply_header(&reply, "x-amz-bucket-region", &region))
        lp_buf_put(out, region.at, region.len);
    lp_aws_reply_release(&reply);
    lp_s3_request_release(&q);
    /* Whoever may read objects need not be allowed to ask for the bucket. */
    if (code == LP_CANCELLED || code == LP_NOMEM) return code;
    if (out->len) return LP_OK;
    if (s->options.region) {
        lp_buf_puts(out, s->options.region);
        return LP_OK;
    }
    LP_TRY(lp_aws_region(s->aws, &session, err));
    lp_buf_puts(out, session);
    return LP_OK;
}

static void put_setting(const char *name, const char *value, struct lp_buf *out)
{
    lp_buf_printf(out, ", %s ", name);
    lp_sql_put_text(value, out);
}

/* https://s3.us-west-2.amazonaws.com; any other place keeps its buckets in the path, as does a name with dots. */
static void put_endpoint(const char *endpoint, const char *bucket, struct lp_buf *out)
{
    bool tls = !strncmp(endpoint, "https://", 8);
    const char *host = strstr(endpoint, "://") ? strstr(endpoint, "://") + 3 : endpoint;
    bool path = !strstr(host, ".amazonaws.com") || strchr(bucket, '.');
    LP_AUTO(lp_buf) bare = {0};
    lp_buf_puts(&bare, host);
    while (bare.len && bare.data[bare.len - 1] == '/') bare.data[--bare.len] = '\0';
    put_setting("ENDPOINT", lp_buf_text(&bare), out);
    put_setting("URL_STYLE", path ? "path" : "vhost", out);
    lp_buf_printf(out, ", USE_SSL %s", tls ? "true" : "false");
}

static void put_keys(const struct lp_aws_keys *k, struct lp_buf *out)
{
    put_setting("KEY_ID", k->access_key, out);
    put_setting("SECRET", k->secret_key, out);
    if (k->session_token) put_setting("SESSION_TOKEN", k->session_token, out);
}

enum lp_code lp_httpfs_put_secret(struct lp_store *s3, struct lp_buf *out, struct lp_err *err)
{
    struct lp_s3_store *s = (struct lp_s3_store *)s3;
    LP_AUTO(lp_buf) region = {0}, endpoint = {0}, scope = {0};
    LP_AUTO(lp_aws_keys) keys = {0};
    LP_TRY(find_region(s, &region, err));
    lp_buf_printf(&scope, "s3://%s/%s", s->bucket, s->prefix);
    LP_TRY(lp_aws_put_endpoint(s->aws, "s3", &endpoint, err));
    LP_TRY(lp_aws_keys_get(s->aws, &keys, err));
    /* The shell would tell of its success among the answers. */
    lp_buf_puts(out, ".once /dev/null\nCREATE SECRET lake (TYPE s3");
    put_keys(&keys, out);
    put_setting("REGION", lp_buf_text(&region), out);
    put_endpoint(lp_buf_text(&endpoint), s->bucket, out);
    put_setting("SCOPE", lp_buf_text(&scope), out);
    lp_buf_puts(out, ");\n");
    return lp_buf_code(out, "the keys for DuckDB", err);
}
