#include "lake/store.h"

#include <string.h>

enum lp_code lp_store_check_key(const char *key, struct lp_err *err)
{
    size_t len;
    if (!*key || strlen(key) > LP_STORE_KEY_BYTES) return lp_fail(err, LP_BUG, "\"%.100s\" is not a key", key);
    for (const char *at = key;; at += len + 1) {
        len = strcspn(at, "/");
        bool part = *at == '.' && len > 5 && !memcmp(at + len - 5, ".part", 5);
        if (len > LP_STORE_NAME_BYTES)
            return lp_fail(err, LP_LIMIT, "the name %.40s… is longer than %d bytes; partition by something shorter", at,
                           LP_STORE_NAME_BYTES);
        if (!len || part || (len == 1 && *at == '.') || (len == 2 && !memcmp(at, "..", 2)))
            return lp_fail(err, LP_BUG, "\"%.100s\" is not a key", key);
        if (!at[len]) return LP_OK;
    }
}

enum lp_code lp_upload_commit(struct lp_upload **u, struct lp_err *err)
{
    struct lp_upload *upload = *u;
    *u = NULL;
    return upload->ops->commit(upload, err);
}

void lp_upload_abort(struct lp_upload **u)
{
    struct lp_upload *upload = *u;
    *u = NULL;
    if (upload) upload->ops->abort(upload);
}

enum lp_code lp_store_put(struct lp_store *s, const char *key, const void *bytes, size_t len, struct lp_err *err)
{
    struct lp_upload *u;
    LP_TRY(s->ops->begin(s, key, &u, err));
    enum lp_code code = u->ops->write(u, bytes, len, err);
    if (!code) return lp_upload_commit(&u, err);
    lp_upload_abort(&u);
    return code;
}

enum lp_code lp_store_open(const char *to, struct lp_store **out, struct lp_err *err)
{
    return lp_store_dir_new(to, out, err);
}

void lp_store_free(struct lp_store *s)
{
    if (s) s->ops->free(s);
}
