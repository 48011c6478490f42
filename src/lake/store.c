#include "lake/store.h"

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
