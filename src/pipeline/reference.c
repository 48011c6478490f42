/* The pipeline file described: a reference page for people, a JSON Schema for editors, both from the field tables. */
#include "base/json.h"
#include "pipeline/definition.h"

static const struct lp_fields *const sections[] = {&lp_source_fields, &lp_column_fields,   &lp_quality_fields,
                                                   &lp_sink_fields,   &lp_schedule_fields, &lp_notify_fields,
                                                   &lp_function_size_fields};

static const char intro[] =
    "# The pipeline file\n\n"
    "<!-- Made by `lambda-pipeline help pipeline-file`; change the field tables in src/, not this page. -->\n\n"
    "One YAML file describes a pipeline. Its sections stand in the order the data flows: `source`, `columns`, `quality`,\n"
    "`sink`, and beside them `schedule`, `notify` and `function`. Two keys name it: `pipeline` (required: letters, digits,\n"
    "`_`, `-`) and `description`.\n\n"
    "- `{name}` is a variable of the run: a key of `source.each`, `slot` (the scheduled instant), `run_id` or `pipeline`.\n"
    "  A time takes a strftime format: `{slot:%Y-%m-%d}`. `{{` and `}}` are braces.\n"
    "- `${NAME}` and `${NAME:-default}` are the environment, read once when the file is read. Secrets never stand in the\n"
    "  file and never come this way: only through `secret:` as `env:NAME`, `file:PATH`, `ssm:NAME` or\n"
    "  `secretsmanager:NAME`. Where there is no NAME, but a NAME_FROM, `env:NAME` is the place that NAME_FROM names\n"
    "  (`ssm:/weather/key`).\n"
    "- Durations are `500ms`, `30s`, `2m`, `1h`, `1d`; sizes `512kB`, `16MB`, `1MiB`; shares `20%`.\n"
    "- Anchors, aliases, tags, merge keys and tabs are refused; a file is at most 1 MiB.\n\n";

static const char rule[] =
    "## How a value becomes a cell\n\n"
    "One rule for all columns, so that a number in the file is the number in the reply:\n\n"
    "| type | takes | NULL | makes the row bad |\n|---|---|---|---|\n"
    "| `string` | text; a number, `true` or `false`, a list or an object becomes JSON text, a number in its shortest form | absent, null | a NUL character |\n"
    "| `bigint` | a whole number within 64 bits, also as `5.0`, `5e0` or text `\"5\"`; integers stay exact | absent, null | 5.5, "
    "text that is no number, out of range |\n"
    "| `double` | a number, also as text `\"12.5\"`, spaces around it allowed | absent, null | text that is no number, 1e400, "
    "`\"\"` |\n"
    "| `boolean` | `true`, `false`, the same as text, 0 and 1 | absent, null | anything else |\n"
    "| `timestamp` | what `parse` says; kept to the microsecond, in UTC | absent, null | another form, years outside 1–9999 |\n"
    "| `date` | `2026-11-22`, or what `parse` says (the UTC day of the instant) | absent, null | another form |\n\n"
    "Absent is NULL, never 0 and never an empty text. A NULL in a column that is not `nullable` makes the row bad. A bad row\n"
    "goes to `_quarantine/` with every failure case and the piece of the reply it came from; good rows go on.\n\n"
    "Unit conversions are UDUNITS-2's; where its factor is a ratio of small whole numbers it is computed as such, so that\n"
    "`celsius -> fahrenheit` is exactly `x * 9 / 5 + 32`.\n\n";

void lp_pipeline_put_reference(struct lp_buf *out)
{
    lp_buf_puts(out, intro);
    for (size_t i = 0; i < LP_COUNT(sections); i++) {
        lp_fields_put_markdown(sections[i], out);
        if (sections[i] == &lp_notify_fields) {
            lp_fields_put_markdown(&lp_notify_mail_fields, out);
            lp_fields_put_markdown(&lp_notify_webhook_fields, out);
        }
        if (sections[i] != &lp_column_fields) continue;
        lp_fields_put_markdown(&lp_check_fields, out);
        lp_buf_puts(out, rule);
    }
    while (out->len > 1 && out->data[out->len - 1] == '\n' && out->data[out->len - 2] == '\n')
        out->data[--out->len] = '\0';
}

void lp_pipeline_put_schema(struct lp_buf *out)
{
    lp_buf_puts(
        out,
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"lambda-pipeline\",\"$defs\":{\"secret\":"
        "{\"type\":\"string\",\"pattern\":\"^(env|file|ssm|secretsmanager):.+$\"}},\"type\":\"object\","
        "\"additionalProperties\":false,\"required\":[\"pipeline\",\"source\",\"columns\",\"sink\"],\"properties\":{"
        "\"pipeline\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][A-Za-z0-9_-]*$\",\"description\":\"The pipeline's "
        "name.\"},\"description\":{\"type\":\"string\",\"description\":\"What it collects.\"},\"columns\":{\"type\":"
        "\"object\",\"minProperties\":1,\"description\":\"The columns of the table.\",\"additionalProperties\":");
    lp_fields_put_schema(&lp_column_fields, &lp_check_fields, out);
    lp_buf_putc(out, '}');
    for (size_t i = 0; i < LP_COUNT(sections); i++) {
        if (sections[i] == &lp_column_fields) continue;
        lp_buf_printf(out, ",\"%s\":", sections[i]->path);
        lp_fields_put_schema(sections[i], NULL, out);
    }
    lp_buf_puts(out, "}}\n");
}
