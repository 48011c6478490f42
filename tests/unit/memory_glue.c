/* Included by the programs that use it: every program here is one file. */
#include "memory_glue.h"

#include <stdlib.h>

static struct memory_glue_table *glue_find(struct memory_glue *g, const char *name)
{
    for (size_t i = 0; i < g->table_count; i++)
        if (!strcmp(g->tables[i].name, name)) return &g->tables[i];
    return NULL;
}

static enum lp_code glue_error(char code[LP_GLUE_CODE_BYTES], const char *name, struct lp_err *err)
{
    snprintf(code, LP_GLUE_CODE_BYTES, "%s", name);
    return lp_fail(err,
                   strstr(name, "NotFound") ? LP_NOTFOUND
                   : strstr(name, "Denied") ? LP_AUTH
                                            : LP_REMOTE,
                   "%s: as told (request 1)", name);
}

static char *glue_text(const json_t *value)
{
    LP_AUTO(lp_buf) out = {0};
    lp_json_put_value(&out, value);
    return strdup(lp_buf_text(&out));
}

static const char *glue_member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

void memory_glue_put(struct memory_glue *g, const char *name, const char *text)
{
    struct memory_glue_table *t = glue_find(g, name);
    if (!t) t = &g->tables[g->table_count++];
    if (!t->name) t->name = strdup(name);
    free(t->text);
    t->text = strdup(text);
    t->version++;
    t->writes++;
}

/* Members of TableInput in Glue's own model. */
static bool glue_input_is_good(const json_t *input)
{
    static const char known[] =
        "|Name|Description|Owner|LastAccessTime|LastAnalyzedTime|Retention|StorageDescriptor|PartitionKeys|"
        "ViewOriginalText|ViewExpandedText|TableType|Parameters|TargetTable|";
    const char *key;
    json_t *member;
    char word[64];
    json_object_foreach ((json_t *)(uintptr_t)input, key, member) {
        snprintf(word, sizeof word, "|%s|", key);
        if (!strstr(known, word)) return false;
    }
    return glue_member(input, "Name");
}

static enum lp_code glue_get(struct memory_glue *g, const json_t *body, struct lp_buf *answer, char *code,
                             struct lp_err *err)
{
    const struct memory_glue_table *t = g->database ? glue_find(g, glue_member(body, "Name")) : NULL;
    if (!t) return glue_error(code, "EntityNotFoundException", err);
    lp_buf_printf(answer,
                  "{\"Table\":{\"DatabaseName\":\"%s\",\"CreateTime\":1349114400.5,\"CatalogId\":\"123456789012\","
                  "\"IsRegisteredWithLakeFormation\":false,\"VersionId\":\"%u\",\"Retention\":0,%s}",
                  g->database, t->version, t->text + 1);
    return LP_OK;
}

static enum lp_code glue_create(struct memory_glue *g, const json_t *body, char *code, struct lp_err *err)
{
    const json_t *input = json_object_get(body, "TableInput");
    if (!g->database) return glue_error(code, "EntityNotFoundException", err);
    if (!glue_input_is_good(input)) return glue_error(code, "InvalidInputException", err);
    if (glue_find(g, glue_member(input, "Name"))) return glue_error(code, "AlreadyExistsException", err);
    char *text = glue_text(input);
    memory_glue_put(g, glue_member(input, "Name"), text);
    free(text);
    return LP_OK;
}

static enum lp_code glue_update(struct memory_glue *g, const json_t *body, char *code, struct lp_err *err)
{
    const json_t *input = json_object_get(body, "TableInput");
    struct memory_glue_table *t = glue_find(g, glue_member(input, "Name"));
    char version[16];
    if (!t) return glue_error(code, "EntityNotFoundException", err);
    if (!glue_input_is_good(input)) return glue_error(code, "InvalidInputException", err);
    snprintf(version, sizeof version, "%u", t->version);
    if (strcmp(version, glue_member(body, "VersionId")))
        return glue_error(code, "ConcurrentModificationException", err);
    char *text = glue_text(input);
    memory_glue_put(g, t->name, text);
    free(text);
    lp_buf_clear(&g->update);
    lp_json_put_value(&g->update, body);
    return LP_OK;
}

static enum lp_code glue_partitions(struct memory_glue *g, const json_t *body, struct lp_buf *answer, char *code,
                                    struct lp_err *err)
{
    const json_t *list = json_object_get(body, "PartitionInputList");
    bool more = false;
    if (!glue_find(g, glue_member(body, "TableName"))) return glue_error(code, "EntityNotFoundException", err);
    if (json_array_size(list) > 100) return glue_error(code, "ValidationException", err);
    lp_buf_puts(answer, "{\"Errors\":[");
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *input = glue_text(json_array_get(list, i)),
             *values = glue_text(json_object_get(json_array_get(list, i), "Values"));
        bool there = false, refused = g->partition_fault && strstr(values, g->partition_fault);
        for (size_t k = 0; k < g->partition_count; k++)
            there |= !strncmp(g->partitions[k] + 10, values, strlen(values));
        if (there || refused)
            lp_buf_printf(
                answer,
                "%s{\"PartitionValues\":%s,\"ErrorDetail\":{\"ErrorCode\":\"%s\",\"ErrorMessage\":\"as told\"}}",
                more ? "," : "", values, there ? "AlreadyExistsException" : "InternalServiceException");
        more |= there || refused;
        if (there || refused) free(input);
        else g->partitions[g->partition_count++] = input;
        free(values);
    }
    lp_buf_puts(answer, "]}");
    return LP_OK;
}

/* Index of a partition with these values; partition_count when there is none. */
static size_t glue_find_partition(const struct memory_glue *g, const json_t *values)
{
    char *text = glue_text(values);
    size_t i = 0;
    while (i < g->partition_count && strncmp(g->partitions[i] + 10, text, strlen(text))) i++;
    free(text);
    return i;
}

static void glue_get_partitions(struct memory_glue *g, const json_t *body, struct lp_buf *answer)
{
    const json_t *list = json_object_get(body, "PartitionsToGet");
    bool more = false;
    lp_buf_puts(answer, "{\"Partitions\":[");
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t at = glue_find_partition(g, json_object_get(json_array_get(list, i), "Values"));
        if (at == g->partition_count) continue;
        lp_buf_printf(answer, "%s%s", more ? "," : "", g->partitions[at]);
        more = true;
    }
    lp_buf_puts(answer, "],\"UnprocessedKeys\":[]}");
}

static void glue_update_partitions(struct memory_glue *g, const json_t *body, struct lp_buf *answer)
{
    const json_t *list = json_object_get(body, "Entries");
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t at = glue_find_partition(g, json_object_get(json_array_get(list, i), "PartitionValueList"));
        free(g->partitions[at]);
        g->partitions[at] = glue_text(json_object_get(json_array_get(list, i), "PartitionInput"));
        g->partition_updates++;
    }
    lp_buf_puts(answer, g->partition_fault
                            ? "{\"Errors\":[{\"PartitionValueList\":[\"x\"],\"ErrorDetail\":{\"ErrorCode\":"
                              "\"InternalServiceException\",\"ErrorMessage\":\"as told\"}}]}"
                            : "{}");
}

static enum lp_code glue_call(void *who, const char *operation, const struct lp_buf *body, struct lp_buf *answer,
                              char code[LP_GLUE_CODE_BYTES], struct lp_err *err)
{
    struct memory_glue *g = who;
    LP_AUTO(lp_arena) arena = {0};
    json_t *root;
    lp_buf_printf(&g->calls, "%s ", operation);
    if (lp_json_parse(&arena, lp_buf_text(body), body->len, &root, err))
        return glue_error(code, "SerializationException", err);
    if (g->faults && !strcmp(operation, g->fault_operation)) {
        g->faults--;
        return glue_error(code, g->fault_code, err);
    }
    if (!strcmp(operation, "GetTable")) return glue_get(g, root, answer, code, err);
    if (!strcmp(operation, "CreateTable")) return glue_create(g, root, code, err);
    if (!strcmp(operation, "UpdateTable")) return glue_update(g, root, code, err);
    if (!strcmp(operation, "BatchCreatePartition")) return glue_partitions(g, root, answer, code, err);
    if (!strcmp(operation, "BatchGetPartition")) return glue_get_partitions(g, root, answer), LP_OK;
    if (!strcmp(operation, "BatchUpdatePartition")) return glue_update_partitions(g, root, answer), LP_OK;
    if (strcmp(operation, "CreateDatabase")) return glue_error(code, "UnknownOperationException", err);
    if (g->database) return glue_error(code, "AlreadyExistsException", err);
    g->database = strdup(glue_member(json_object_get(root, "DatabaseInput"), "Name"));
    return LP_OK;
}

struct lp_glue memory_glue_caller(struct memory_glue *g)
{
    return (struct lp_glue){glue_call, g};
}

const char *memory_glue_text(const struct memory_glue *g, const char *table)
{
    const struct memory_glue_table *t = glue_find((struct memory_glue *)(uintptr_t)g, table);
    return t ? t->text : NULL;
}

size_t memory_glue_writes(const struct memory_glue *g, const char *table)
{
    const struct memory_glue_table *t = glue_find((struct memory_glue *)(uintptr_t)g, table);
    return t ? t->writes : 0;
}

void memory_glue_release(struct memory_glue *g)
{
    for (size_t i = 0; i < g->table_count; i++) free(g->tables[i].name), free(g->tables[i].text);
    for (size_t i = 0; i < g->partition_count; i++) free(g->partitions[i]);
    free(g->database);
    lp_buf_release(&g->calls);
    lp_buf_release(&g->update);
    *g = (struct memory_glue){0};
}
