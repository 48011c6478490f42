#include "serve/page.h"

enum lp_code lp_page_put_pipeline(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err)
{
    (void)out;
    return lp_fail(err, LP_NOTFOUND, "%s", q->board->list[q->index].name);
}
enum lp_code lp_page_put_run(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err)
{
    return lp_page_put_pipeline(q, out, err);
}
enum lp_code lp_page_put_record(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err)
{
    return lp_page_put_pipeline(q, out, err);
}
enum lp_code lp_page_put_quarantine(const struct lp_page_request *q, struct lp_buf *out, struct lp_err *err)
{
    return lp_page_put_pipeline(q, out, err);
}
