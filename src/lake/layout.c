#include "lake/layout.h"

#include "base/clock.h"

/* As Hive writes partition values, so that every reader finds them again. */
void lp_layout_put_value(struct lp_buf *out, const char *bytes, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool dots = c == '.' && len <= 2;
        if (c < 0x20 || c == 0x7F || dots || strchr("\"#%'*/:=?\\{[]^|<>&", c)) {
            char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
            lp_buf_put(out, escape, sizeof escape);
        } else {
            lp_buf_putc(out, (char)c);
        }
    }
}

static void put_column_value(const struct lp_partition *p, const struct lp_batch *b, size_t row, struct lp_buf *out)
{
    const struct lp_cells *cells = &b->cells[p->column];
    char text[256];
    if (!p->format) {
        lp_batch_put_cell_text(b, (size_t)p->column, row, out);
        return;
    }
    int64_t us = cells->of.i64[row] * (b->columns->list[p->column].type == LP_TYPE_DATE ? LP_DAY_US : 1);
    lp_buf_put(out, text, lp_time_format(us, p->format, text, sizeof text));
}

void lp_layout_put_partition(const struct lp_layout *l, const struct lp_bindings *b, const struct lp_batch *batch,
                             size_t row, struct lp_buf *out)
{
    for (size_t i = 0; i < l->sink->partitions.count; i++) {
        const struct lp_partition *p = &l->sink->partitions.list[i];
        LP_AUTO(lp_buf) value = {0};
        lp_buf_puts(out, p->name);
        lp_buf_putc(out, '=');
        bool null = p->column >= 0 && batch->cells[p->column].null[row];
        if (p->column < 0) lp_template_put(&p->value, b, NULL, NULL, &value);
        else if (!null) put_column_value(p, batch, row, &value);
        if (!value.len) lp_buf_puts(out, "__HIVE_DEFAULT_PARTITION__");
        else lp_layout_put_value(out, value.data, value.len);
        lp_buf_putc(out, '/');
        if (value.failed) out->failed = value.failed;
    }
}

static void put_slot(const struct lp_layout *l, const char *ending, struct lp_buf *out)
{
    char slot[LP_TIME_TEXT_BYTES];
    lp_time_format_slot(l->slot_us, slot);
    lp_buf_puts(out, slot);
    if (l->shards > 1)
        lp_buf_printf(out, "-%lluof%llu", (unsigned long long)l->shard + 1, (unsigned long long)l->shards);
    lp_buf_puts(out, ending);
}

void lp_layout_put_data_key(const struct lp_layout *l, const char *partition, struct lp_buf *out)
{
    if (l->sink->file_name) {
        lp_buf_puts(out, l->sink->file_name);
        return;
    }
    lp_buf_printf(out, "%s/%s", l->sink->catalog.table, partition);
    put_slot(l, lp_format_info((enum lp_format)l->sink->format)->ending, out);
}

void lp_layout_put_quarantine_key(const struct lp_layout *l, const char *partition, struct lp_buf *out)
{
    lp_buf_printf(out, "_quarantine/%s/%s", l->sink->catalog.table, partition);
    put_slot(l, ".jsonl", out);
}

void lp_layout_put_record_key(const struct lp_layout *l, struct lp_buf *out)
{
    lp_buf_printf(out, "_runs/%s/", l->pipeline);
    put_slot(l, ".json", out);
}

void lp_layout_put_lock_key(const struct lp_layout *l, struct lp_buf *out)
{
    lp_buf_printf(out, "_runs/%s/.", l->pipeline);
    put_slot(l, ".lock", out);
}

void lp_layout_put_intent_key(const struct lp_layout *l, struct lp_buf *out)
{
    lp_buf_printf(out, "_runs/%s/.", l->pipeline);
    put_slot(l, ".keys", out);
}

void lp_layout_put_catalog_key(const struct lp_layout *l, struct lp_buf *out)
{
    lp_buf_printf(out, "_catalog/%s/%s.json", l->sink->catalog.database, l->sink->catalog.table);
}
