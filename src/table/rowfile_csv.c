/* CSV as a format of rows: nothing is held back. */
#include "table/csv.h"
#include "table/rowfile.h"

#include <stdlib.h>

#define TEXT_BYTES ((size_t)1 << 20) /* of rows as text before they are handed on */

static enum lp_code hand_on(struct lp_rowfile *r, struct lp_err *err)
{
    const struct lp_buf *text = r->setting.scratch;
    LP_TRY(lp_buf_code(text, "a batch of rows", err));
    return text->len ? r->target.write(r->target.room, text->data, text->len, err) : LP_OK;
}

static enum lp_code write_rows(struct lp_rowfile *r, const struct lp_batch *b, const bool *keep, struct lp_err *err)
{
    struct lp_buf *text = r->setting.scratch;
    for (size_t row = 0; row < b->row_count;) {
        lp_buf_clear(text);
        while (row < b->row_count && text->len < TEXT_BYTES) lp_csv_put_row(b, row++, keep, text);
        LP_TRY(hand_on(r, err));
    }
    return LP_OK;
}

static enum lp_code nothing_held(struct lp_rowfile *r, struct lp_err *err)
{
    (void)r;
    (void)err;
    return LP_OK;
}

static void free_rows(struct lp_rowfile *r)
{
    free(r);
}

static enum lp_code open_rows(const struct lp_rowfile_setting *s, const struct lp_rowfile_target *t,
                              struct lp_rowfile **out, struct lp_err *err)
{
    static const struct lp_rowfile_ops ops = {write_rows, nothing_held, nothing_held, free_rows};
    struct lp_rowfile *r = malloc(sizeof *r);
    if (!r) return lp_nomem(err);
    *r = (struct lp_rowfile){.ops = &ops, .setting = *s, .target = *t};
    lp_buf_clear(s->scratch);
    lp_csv_put_header(s->columns, s->scratch);
    enum lp_code code = hand_on(r, err);
    if (code) free(r);
    else *out = r;
    return code;
}

const struct lp_format_info lp_format_csv = {"csv", ".csv", NULL, open_rows};
