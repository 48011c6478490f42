/* Plain cron in EventBridge's words. */
#include "schedule/expression.h"

void lp_expression_put_field(uint64_t bits, unsigned least, unsigned most, unsigned shift, struct lp_buf *out)
{
    bool all = true, first = true;
    for (unsigned n = least; n <= most; n++) all &= bits >> n & 1;
    if (all) {
        lp_buf_putc(out, '*');
        return;
    }
    for (unsigned n = least; n <= most; n++) {
        if (!(bits >> n & 1)) continue;
        lp_buf_printf(out, "%s%u", first ? "" : ",", n + shift);
        first = false;
    }
}

bool lp_expression_put_aws(const struct lp_expression *e, const char *text, struct lp_buf *out)
{
    if (e->kind != LP_EXPRESSION_UNIX) {
        lp_buf_puts(out, text);
        return true;
    }
    bool every_day = e->month_days == UINT32_MAX - 1, all_week = e->weekdays == 0x7f;
    if (!every_day && !all_week) return false;
    lp_buf_puts(out, "cron(");
    lp_expression_put_field(e->minutes, 0, 59, 0, out);
    lp_buf_putc(out, ' ');
    lp_expression_put_field(e->hours, 0, 23, 0, out);
    lp_buf_putc(out, ' ');
    if (all_week) lp_expression_put_field(e->month_days, 1, 31, 0, out);
    else lp_buf_putc(out, '?');
    lp_buf_putc(out, ' ');
    lp_expression_put_field(e->months, 1, 12, 0, out);
    lp_buf_putc(out, ' ');
    if (all_week) lp_buf_putc(out, '?');
    else lp_expression_put_field(e->weekdays, 0, 6, 1, out);
    lp_buf_puts(out, " *)");
    return true;
}
