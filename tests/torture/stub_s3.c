#include "stub_s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* What is said to a request: the status, then the body. */
static const char *answer_to(const char *method, const char *target, const char **body)
{
    *body = "";
    /* libcurl drops a query that it has no memory for; at S3 the signature does not fit any more then. */
    if (!strchr(target, '?') && (!strcmp(method, "POST") || target[strlen(target) - 1] == '/')) {
        *body = XML "<Error><Code>SignatureDoesNotMatch</Code><Message>No query, for want of memory.</Message></Error>";
        return "403 Forbidden";
    }
    if (strstr(target, "?uploads=&")) {
        *body = XML "<ListMultipartUploadsResult><Upload><Key>x</Key><UploadId>1</UploadId></Upload>"
                    "</ListMultipartUploadsResult>";
        return "200 OK";
    }
    if (strstr(target, "list-type=2")) {
        *body = XML "<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>\"1\"</ETag></Contents>"
                    "</ListBucketResult>";
        return "200 OK";
    }
    if (!strcmp(method, "POST") && strstr(target, "uploads="))
        *body = XML "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>";
    else if (!strcmp(method, "POST"))
        *body = XML "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>";
    else if (!strcmp(method, "GET")) *body = XML "<Error><Code>NoSuchKey</Code><Message>None.</Message></Error>";
    return !strcmp(method, "GET") ? "404 Not Found" : !strcmp(method, "DELETE") ? "204 No Content" : "200 OK";
}

/* One request after the other, until the other side is gone. */
static void serve_one(int connection)
{
    char line[8192], method[16], target[4096], skipped[65536];
    FILE *in = fdopen(connection, "r");
    while (in && fgets(line, sizeof line, in) && sscanf(line, "%15s %4095s", method, target) == 2) {
        size_t len = 0;
        const char *body;
        while (fgets(line, sizeof line, in) && strcmp(line, "\r\n") != 0)
            if (!strncasecmp(line, "content-length:", 15)) len = strtoul(line + 15, NULL, 10);
        while (len) {
            size_t n = fread(skipped, 1, len < sizeof skipped ? len : sizeof skipped, in);
            if (!n) return;
            len -= n;
        }
        const char *status = answer_to(method, target, &body);
        int n = snprintf(line, sizeof line, "HTTP/1.1 %s\r\nETag: \"1\"\r\nContent-Length: %zu\r\n\r\n%s", status,
                         strlen(body), body);
        if (write(connection, line, (size_t)n) != n) return;
    }
}

void stub_s3_serve(int listener, unsigned seconds)
{
    alarm(seconds);
    for (;;) {
        int one = accept(listener, NULL, NULL);
        if (one < 0) continue;
        if (fork() == 0) {
            alarm(seconds);
            serve_one(one);
            _exit(0);
        }
        close(one);
        while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    }
}
