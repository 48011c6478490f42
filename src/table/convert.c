#include "table/convert.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/secret.h"

#include <math.h>

#define LARGEST_CASE_BYTES 2000
#define EXACT_DOUBLE       9007199254740992.0          /* 2^53: above it a double is no longer every whole number */
#define FIRST_US           INT64_C(-62135596800000000) /* 0001-01-01 */
#define LAST_US            INT64_C(253402300799999999) /* 9999-12-31 */

static bool whole(double d, int64_t *out)
{
    if (!(fabs(d) < EXACT_DOUBLE) || d != trunc(d)) return false;
    *out = (int64_t)d;
    return true;
}

static int64_t floor_days(int64_t us)
{
    return us / LP_DAY_US - (us % LP_DAY_US < 0);
}

/* An instant becomes the column's kind of time. */
static bool set_instant(const struct lp_column *c, int64_t us, struct lp_value *out)
{
    if (us < FIRST_US || us > LAST_US) return false;
    out->i64 = c->type == LP_TYPE_DATE ? floor_days(us) : us;
    return true;
}

static bool set_unix_whole(const struct lp_column *c, int64_t number, struct lp_value *out)
{
    int64_t us;
    int64_t factor = c->time_form == LP_TIME_UNIX_MS ? 1000 : 1000000;
    return !__builtin_mul_overflow(number, factor, &us) && set_instant(c, us, out);
}

static bool set_unix_real(const struct lp_column *c, double number, struct lp_value *out)
{
    double us = nearbyint(number * (c->time_form == LP_TIME_UNIX_MS ? 1e3 : 1e6));
    return fabs(us) < 1e18 && set_instant(c, (int64_t)us, out);
}

static bool unix_form(const struct lp_column *c)
{
    return c->time_form == LP_TIME_UNIX || c->time_form == LP_TIME_UNIX_MS;
}

static bool parse_instant_text(const struct lp_column *c, struct lp_slice text, struct lp_value *out)
{
    int64_t number, us;
    double real;
    char copy[128];
    if (unix_form(c)) {
        if (lp_int64_parse(text.at, text.len, &number)) return set_unix_whole(c, number, out);
        return lp_double_parse(text.at, text.len, &real) && set_unix_real(c, real, out);
    }
    if (c->time_form == LP_TIME_STRPTIME) {
        if (text.len >= sizeof copy || memchr(text.at, '\0', text.len)) return false;
        memcpy(copy, text.at, text.len);
        copy[text.len] = '\0';
        return lp_time_parse_format(copy, c->parse, &us) && set_instant(c, us, out);
    }
    if (c->type == LP_TYPE_DATE && lp_date_parse_iso(text.at, text.len, &out->i64)) return true;
    return lp_time_parse_iso(text.at, text.len, &us) && set_instant(c, us, out);
}

bool lp_value_parse(const struct lp_column *c, struct lp_slice text, struct lp_value *out)
{
    switch (c->type) {
    case LP_TYPE_STRING: out->text = text; return !memchr(text.at, '\0', text.len);
    case LP_TYPE_BIGINT: return lp_int64_parse(text.at, text.len, &out->i64);
    case LP_TYPE_DOUBLE: return lp_double_parse(text.at, text.len, &out->f64);
    case LP_TYPE_BOOLEAN:
        out->boolean = lp_slice_is(text, "true") || lp_slice_is(text, "1");
        return out->boolean || lp_slice_is(text, "false") || lp_slice_is(text, "0");
    case LP_TYPE_TIMESTAMP:
    case LP_TYPE_DATE: return parse_instant_text(c, text, out);
    case LP_TYPE_COUNT: break;
    }
    return false;
}

/* Numbers, booleans, lists and objects in a string column keep their JSON text. */
static bool json_as_text(struct lp_batch *b, const json_t *value, struct lp_value *out)
{
    LP_AUTO(lp_buf) text = {0};
    lp_json_put_value(&text, value);
    out->text = (struct lp_slice){lp_arena_strndup(&b->arena, lp_buf_text(&text), text.len), text.len};
    return out->text.at && !text.failed;
}

static bool parse_json(struct lp_batch *b, const struct lp_column *c, const json_t *value, struct lp_value *out)
{
    if (json_is_string(value))
        return lp_value_parse(c, (struct lp_slice){json_string_value(value), json_string_length(value)}, out);
    if (c->type == LP_TYPE_STRING) return json_as_text(b, value, out);
    if (c->type == LP_TYPE_BOOLEAN && json_is_boolean(value)) {
        out->boolean = json_is_true(value);
        return true;
    }
    if (!json_is_number(value)) return false;
    bool integer = json_is_integer(value);
    switch (c->type) {
    case LP_TYPE_DOUBLE: out->f64 = json_number_value(value); return true;
    case LP_TYPE_BIGINT:
        out->i64 = integer ? json_integer_value(value) : 0;
        return integer || whole(json_real_value(value), &out->i64);
    case LP_TYPE_BOOLEAN:
        out->boolean = integer && json_integer_value(value) == 1;
        return out->boolean || (integer && json_integer_value(value) == 0);
    case LP_TYPE_TIMESTAMP:
    case LP_TYPE_DATE:
        if (!unix_form(c)) return false;
        return integer ? set_unix_whole(c, json_integer_value(value), out)
                       : set_unix_real(c, json_real_value(value), out);
    default: return false;
    }
}

static enum lp_code mask_text(struct lp_batch *b, struct lp_slice *text, struct lp_err *err)
{
    if (!lp_secret_found(text->at, text->len)) return LP_OK;
    LP_AUTO(lp_buf) masked = {0};
    lp_secret_mask(text->at, text->len, &masked);
    LP_TRY(lp_buf_code(&masked, "a text", err));
    *text = (struct lp_slice){lp_arena_strndup(&b->arena, lp_buf_text(&masked), masked.len), masked.len};
    return text->at ? LP_OK : lp_arena_code(&b->arena, err);
}

static enum lp_code store(struct lp_batch *b, size_t column, size_t row, struct lp_value *v, struct lp_err *err)
{
    struct lp_cells *cells = &b->cells[column];
    cells->null[row] = false;
    switch (b->columns->list[column].type) {
    case LP_TYPE_STRING:
        LP_TRY(mask_text(b, &v->text, err));
        cells->of.text[row] = v->text;
        break;
    case LP_TYPE_DOUBLE: cells->of.f64[row] = v->f64; break;
    case LP_TYPE_BOOLEAN: cells->of.boolean[row] = v->boolean; break;
    default: cells->of.i64[row] = v->i64; break;
    }
    return LP_OK;
}

static enum lp_code fail_conversion(struct lp_batch *b, size_t column, size_t row, struct lp_buf *value,
                                    struct lp_err *err)
{
    const struct lp_column *c = &b->columns->list[column];
    char check[64];
    snprintf(check, sizeof check, "coerce_dtype('%s')", lp_type_dtype(c->type));
    if (value->len > LARGEST_CASE_BYTES) { /* a long value is shown by its beginning */
        LP_AUTO(lp_buf) cut = {0};
        lp_json_put_text(&cut, value->data, LARGEST_CASE_BYTES);
        return lp_batch_fail(b, row, c->name, check, lp_buf_text(&cut), err);
    }
    return lp_batch_fail(b, row, c->name, check, lp_buf_text(value), err);
}

static enum lp_code use_default(struct lp_batch *b, size_t column, size_t row, struct lp_err *err)
{
    const struct lp_column *c = &b->columns->list[column];
    struct lp_value value;
    b->cells[column].null[row] = true;
    if (!c->fallback || !lp_value_parse(c, lp_slice_of(c->fallback), &value)) return LP_OK;
    return store(b, column, row, &value, err);
}

/* The unit is converted and the value kept; false when the result is no number any more. */
static bool convert_unit(const struct lp_column *c, struct lp_value *v)
{
    if (c->type != LP_TYPE_DOUBLE) return true;
    if (c->conversion) v->f64 = lp_unit_convert(c->conversion, v->f64);
    return isfinite(v->f64);
}

enum lp_code lp_convert_json(struct lp_batch *b, size_t column, size_t row, const json_t *value, struct lp_err *err)
{
    const struct lp_column *c = &b->columns->list[column];
    struct lp_value parsed = {0};
    if (!value || json_is_null(value)) return use_default(b, column, row, err);
    if (parse_json(b, c, value, &parsed) && convert_unit(c, &parsed)) return store(b, column, row, &parsed, err);
    LP_AUTO(lp_buf) text = {0};
    lp_json_put_value(&text, value);
    LP_TRY(lp_buf_code(&text, "a value", err));
    b->cells[column].null[row] = true;
    return fail_conversion(b, column, row, &text, err);
}

enum lp_code lp_convert_text(struct lp_batch *b, size_t column, size_t row, struct lp_slice text, struct lp_err *err)
{
    const struct lp_column *c = &b->columns->list[column];
    struct lp_value parsed = {0};
    if (!text.len && c->type != LP_TYPE_STRING) return use_default(b, column, row, err);
    if (lp_value_parse(c, text, &parsed) && convert_unit(c, &parsed)) return store(b, column, row, &parsed, err);
    LP_AUTO(lp_buf) shown = {0};
    lp_json_put_text(&shown, text.at, text.len);
    LP_TRY(lp_buf_code(&shown, "a value", err));
    b->cells[column].null[row] = true;
    return fail_conversion(b, column, row, &shown, err);
}
