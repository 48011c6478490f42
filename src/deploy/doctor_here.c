/* What a pipeline needs of this machine. */
#include "aws/secret_place.h"
#include "deploy/examination.h"
#include "query/duckdb_program.h"
#include "lake/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder that is there, of a path that may not be yet. */
static void cut_to_what_is_there(char *path)
{
    struct stat s;
    while (stat(path, &s) && errno == ENOENT) {
        char *slash = strrchr(path, '/');
        if (!slash) {
            memcpy(path, ".", 2);
            return;
        }
        if (slash == path) slash++;
        *slash = '\0';
        if (slash == path + 1) return;
    }
}

/* shown: the folder, or the file that will be in it. */
static enum lp_code check_folder(struct lp_examination *x, const char *name, const char *folder, const char *shown,
                                 struct lp_err *err)
{
    char path[4096];
    struct stat s;
    if (!strncmp(folder, "file://", 7)) folder += 7;
    snprintf(path, sizeof path, "%s", *folder ? folder : ".");
    cut_to_what_is_there(path);
    const char *why = stat(path, &s)              ? strerror(errno)
                      : !S_ISDIR(s.st_mode)       ? "it is not a folder"
                      : access(path, W_OK | X_OK) ? strerror(errno)
                                                  : NULL;
    if (!why) return lp_finding_add(x, LP_VERDICT_FINE, name, lp_examination_text(x, "%s can be written", shown), err);
    return lp_finding_add(
        x, LP_VERDICT_MISSING, name,
        lp_examination_text(x,
                            "%s cannot be written: %s (%s); name another folder, or give this user the "
                            "right to write there",
                            shown, why, path),
        err);
}

static enum lp_code check_secret(struct lp_examination *x, const char *place, struct lp_err *err)
{
    struct lp_buf value = {0};
    struct lp_err local = {0};
    if (!place || (strncmp(place, "env:", 4) && strncmp(place, "file:", 5))) return LP_OK;
    enum lp_code code = lp_secret_load(NULL, place, x->p->folder, &value, &local);
    lp_secret_wipe(&value);
    if (code == LP_NOMEM || code == LP_LIMIT) return lp_fail(err, code, "%s", local.text);
    if (!code) return lp_finding_add(x, LP_VERDICT_FINE, place, "the secret is there", err);
    return lp_finding_add(x, LP_VERDICT_MISSING, place, lp_examination_text(x, "%s", local.text), err);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* As net/transfer.c looks for them. */
static enum lp_code check_certificates(struct lp_examination *x, struct lp_err *err)
{
    static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/cert.pem", "/etc/ssl/certs"};
    const char *named = variable("CURL_CA_BUNDLE"), *found = NULL;
    if (!named) named = variable("SSL_CERT_FILE");
    if (!named) named = variable("SSL_CERT_DIR");
    if (named) found = access(named, R_OK) ? NULL : named;
    for (size_t i = 0; !named && !found && i < LP_COUNT(usual); i++)
        if (!access(usual[i], R_OK)) found = usual[i];
    if (found) return lp_finding_add(x, LP_VERDICT_FINE, "certificates", found, err);
    return lp_finding_add(
        x, LP_VERDICT_MISSING, "certificates",
        named ? lp_examination_text(x, "there are no certificates to check servers against: %s cannot be read", named)
              : "there are no certificates to check servers against; install ca-certificates, or name a bundle "
                "with SSL_CERT_FILE",
        err);
}

/* Runs do without it. */
static enum lp_code check_duckdb(struct lp_examination *x, struct lp_err *err)
{
    LP_AUTO(lp_buf) program = {0};
    struct lp_err local = {0};
    enum lp_code code = lp_duckdb_find(&program, &local);
    if (code == LP_NOMEM || code == LP_CANCELLED) return lp_fail(err, code, "%s", local.text);
    if (!code) return lp_finding_add(x, LP_VERDICT_FINE, "duckdb", "the shell that query asks is there", err);
    return lp_finding_add(x, LP_VERDICT_UNKNOWN, "duckdb",
                          lp_examination_text(x, "only query needs it: %s", local.text), err);
}

enum lp_code lp_examine_here(struct lp_examination *x, struct lp_err *err)
{
    const struct lp_pipeline *p = x->p;
    const char *temporary = variable("TMPDIR");
    LP_TRY(check_secret(x, p->source.auth.secret, err));
    for (size_t i = 0; i < p->notify.to.count; i++) LP_TRY(check_secret(x, p->notify.to.list[i].secret, err));
    LP_TRY(check_certificates(x, err));
    LP_TRY(check_duckdb(x, err));
    if (!temporary) temporary = "/tmp";
    /* Uploads that wait lie in a file. */
    if (lp_store_is_s3(p->sink.root)) return check_folder(x, "TMPDIR", temporary, temporary, err);
    return check_folder(x, "sink.to", p->sink.root, p->sink.to, err);
}
