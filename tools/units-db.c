/* units-db OUT.c [DATABASE.xml] — turns UDUNITS-2's unit database into C tables, at build time.
 * The program then builds only the units a pipeline names and reads no XML when it starts. */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_IDS      8000
#define MAX_UNITS    2000
#define MAX_PREFIXES 200

struct id {
    char *name;
    int unit;
    int symbol;
};
static struct id ids[MAX_IDS];
static int id_count;
static char *definitions[MAX_UNITS]; /* "" dimensionless, NULL base */
static int unit_count;
static struct {
    char *name;
    double value;
    int symbol;
} prefixes[MAX_PREFIXES];
static int prefix_count;

struct file {
    XML_Parser parser;
    const char *path;
    char text[4096];
    size_t text_len;
    int in_unit, in_prefix, in_definition, kind; /* kind: b base, d dimensionless, e expression */
    char *expression, *singular, *plural;
    int no_plural;
    double value;
    int first_id;
};

static void die(const char *what, const char *which)
{
    fprintf(stderr, "units-db: %s: %s\n", what, which);
    exit(1);
}

/* Every name and expression; they live as long as this program does. */
static char pool[1 << 20];
static size_t pool_len;

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > sizeof pool - pool_len) die("too much text", text);
    char *c = memcpy(pool + pool_len, text, size);
    pool_len += size;
    return c;
}

static void read_file(const char *path);

static void add_id(const char *name, int symbol)
{
    if (!*name || strchr(name, ' ')) return;
    if (id_count == MAX_IDS) die("too many names", name);
    ids[id_count++] = (struct id){copy(name), unit_count, symbol};
}

/* English, as UDUNITS forms it where a name gives no plural of its own. */
static void add_regular_plural(const char *name)
{
    char plural[300];
    size_t n = strlen(name);
    char last = n ? name[n - 1] : 0, before = n > 1 ? name[n - 2] : 0;
    if (n < 1 || n > 250) return;
    if (last == 'y' && !strchr("aeiou", before)) snprintf(plural, sizeof plural, "%.*sies", (int)n - 1, name);
    else if (strchr("sxz", last) || (last == 'h' && (before == 'c' || before == 's')))
        snprintf(plural, sizeof plural, "%ses", name);
    else snprintf(plural, sizeof plural, "%ss", name);
    add_id(plural, 0);
}

static void start(void *data, const char *element, const char **attributes)
{
    struct file *f = data;
    (void)attributes;
    f->text_len = 0;
    if (!strcmp(element, "unit")) {
        f->in_unit = 1;
        f->kind = 0;
        f->first_id = id_count;
    } else if (!strcmp(element, "prefix")) {
        f->in_prefix = 1;
    } else if (!strcmp(element, "name")) {
        f->singular = f->plural = NULL;
        f->no_plural = 0;
    } else if (!strcmp(element, "noplural")) {
        f->no_plural = 1;
    } else if (!strcmp(element, "base")) {
        f->kind = 'b';
    } else if (!strcmp(element, "dimensionless")) {
        f->kind = 'd';
    }
}

static const char *trimmed(struct file *f)
{
    char *at = f->text;
    f->text[f->text_len] = '\0';
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++;
    size_t n = strlen(at);
    while (n && strchr(" \n\t\r", at[n - 1])) at[--n] = '\0';
    return at;
}

static void end_name(struct file *f)
{
    if (!f->singular) return;
    add_id(f->singular, 0);
    if (f->plural) add_id(f->plural, 0);
    else if (!f->no_plural) add_regular_plural(f->singular);
}

static void end_unit(struct file *f)
{
    f->in_unit = 0;
    if (!f->kind) die("a unit without a definition", f->path);
    if (unit_count == MAX_UNITS) die("too many units", f->path);
    definitions[unit_count++] = f->kind == 'b' ? NULL : f->kind == 'd' ? copy("") : f->expression;
}

static void add_prefix(const char *name, double value, int symbol)
{
    if (prefix_count == MAX_PREFIXES) die("too many prefixes", name);
    prefixes[prefix_count].name = copy(name);
    prefixes[prefix_count].value = value;
    prefixes[prefix_count++].symbol = symbol;
}

static void import(struct file *f, const char *name)
{
    char path[4096];
    const char *slash = strrchr(f->path, '/');
    snprintf(path, sizeof path, "%.*s%s", *name == '/' ? 0 : slash ? (int)(slash + 1 - f->path) : 0, f->path, name);
    read_file(path);
}

static void end(void *data, const char *element)
{
    struct file *f = data;
    const char *text = trimmed(f);
    if (!strcmp(element, "import")) import(f, text);
    else if (!strcmp(element, "def")) f->expression = copy(text), f->kind = 'e';
    else if (!strcmp(element, "value")) f->value = strtod(text, NULL);
    else if (!strcmp(element, "prefix")) f->in_prefix = 0;
    else if (!strcmp(element, "unit")) end_unit(f);
    else if (f->in_prefix && !strcmp(element, "name")) add_prefix(text, f->value, 0);
    else if (f->in_prefix && !strcmp(element, "symbol")) add_prefix(text, f->value, 1);
    else if (!strcmp(element, "singular")) f->singular = copy(text);
    else if (!strcmp(element, "plural")) f->plural = copy(text);
    else if (f->in_unit && !strcmp(element, "name")) end_name(f);
    else if (f->in_unit && !strcmp(element, "symbol")) add_id(text, 1);
    f->text_len = 0;
}

static void characters(void *data, const char *text, int len)
{
    struct file *f = data;
    if (f->text_len + (size_t)len >= sizeof f->text) len = (int)(sizeof f->text - 1 - f->text_len);
    memcpy(f->text + f->text_len, text, (size_t)len);
    f->text_len += (size_t)len;
}

static void read_file(const char *path)
{
    struct file f = {.path = path};
    char block[8192];
    size_t n;
    FILE *in = fopen(path, "r");
    if (!in) die("cannot be read", path);
    f.parser = XML_ParserCreate(NULL);
    if (!f.parser) die("out of memory", path);
    XML_SetUserData(f.parser, &f);
    XML_SetElementHandler(f.parser, start, end);
    XML_SetCharacterDataHandler(f.parser, characters);
    while ((n = fread(block, 1, sizeof block, in)) > 0)
        if (!XML_Parse(f.parser, block, (int)n, 0)) die(XML_ErrorString(XML_GetErrorCode(f.parser)), path);
    if (!XML_Parse(f.parser, "", 0, 1)) die(XML_ErrorString(XML_GetErrorCode(f.parser)), path);
    XML_ParserFree(f.parser);
    fclose(in);
}

/* By name; of two units with one name the first in the database counts. */
static int by_name(const void *a, const void *b)
{
    const struct id *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->unit - y->unit;
}

static void put_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7E)
            fprintf(out, "\\%03o", (unsigned char)*text);
        else putc(*text, out);
    }
    putc('"', out);
}

static void write_tables(FILE *out)
{
    fputs(
        "/* Made by tools/units-db.c from UDUNITS-2's database. */\n#include \"table/units_db.h\"\n\nconst struct lp_units_id lp_units_ids[] = {\n",
        out);
    int written = 0;
    for (int i = 0; i < id_count; i++) {
        if (i && !strcmp(ids[i].name, ids[i - 1].name)) continue;
        fputs("    {", out);
        put_string(out, ids[i].name);
        fprintf(out, ", %d, %s},\n", ids[i].unit, ids[i].symbol ? "true" : "false");
        written++;
    }
    fprintf(out, "};\nconst size_t lp_units_id_count = %d;\n\nconst char *const lp_units_definitions[] = {\n", written);
    for (int i = 0; i < unit_count; i++) {
        fputs("    ", out);
        if (definitions[i]) put_string(out, definitions[i]);
        else fputs("NULL", out);
        fputs(",\n", out);
    }
    fprintf(out, "};\nconst size_t lp_units_unit_count = %d;\n\nconst struct lp_units_prefix lp_units_prefixes[] = {\n",
            unit_count);
    for (int i = 0; i < prefix_count; i++) {
        fputs("    {", out);
        put_string(out, prefixes[i].name);
        fprintf(out, ", %.17g, %s},\n", prefixes[i].value, prefixes[i].symbol ? "true" : "false");
    }
    fprintf(out, "};\nconst size_t lp_units_prefix_count = %d;\n", prefix_count);
}

int main(int argc, char **argv)
{
    if (argc < 2) die("usage", "units-db OUT.c [DATABASE.xml]");
    read_file(argc > 2 ? argv[2] : "/usr/share/xml/udunits/udunits2.xml");
    qsort(ids, (size_t)id_count, sizeof *ids, by_name);
    FILE *out = fopen(argv[1], "w");
    if (!out) die("cannot be written", argv[1]);
    write_tables(out);
    if (fclose(out)) die("cannot be written", argv[1]);
    return 0;
}
