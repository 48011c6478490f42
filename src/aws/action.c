/* Which permission a call needed, in IAM's words. */
#include "aws/call.h"

#include <stdio.h>
#include <string.h>

static bool has(const char *query, const char *word)
{
    return query && strstr(query, word);
}

/* S3's permissions are not called as its operations are. */
static const char *s3_action(const struct lp_aws_request *q)
{
    const char *method = q->method ? q->method : "POST";
    bool of_key = q->path && q->path[0] == '/' && q->path[1];
    if (!strcmp(method, "DELETE")) return has(q->query, "uploadId=") ? "AbortMultipartUpload" : "DeleteObject";
    if (!strcmp(method, "PUT") || (!strcmp(method, "POST") && !has(q->query, "delete"))) return "PutObject";
    if (!strcmp(method, "POST")) return "DeleteObject";
    if (has(q->query, "uploads")) return "ListBucketMultipartUploads";
    if (has(q->query, "uploadId=")) return "ListMultipartUploadParts";
    return of_key ? "GetObject" : "ListBucket";
}

bool lp_aws_action(const struct lp_aws_request *q, char *out, size_t out_bytes)
{
    static const char field[] = "Action=";
    const char *name = NULL;
    size_t len = 0;
    if (!strcmp(q->service, "s3")) {
        name = s3_action(q);
        len = strlen(name);
    } else if (q->target && strchr(q->target, '.')) {
        name = strrchr(q->target, '.') + 1;
        len = strlen(name);
    } else if (q->body && q->body_len > sizeof field && !memcmp(q->body, field, sizeof field - 1)) {
        name = (const char *)q->body + sizeof field - 1;
        while (sizeof field - 1 + len < q->body_len && name[len] != '&') len++;
    }
    return len && (size_t)snprintf(out, out_bytes, "%s:%.*s", q->service, (int)len, name) < out_bytes;
}
