/* What may be written where an address is expected. */
#include "notify/notify.h"

#include "source/url.h"

#include <stdio.h>
#include <stdlib.h>

#define MAILBOX_BYTES 254 /* RFC 5321 4.5.3.1 */

const char *lp_mailbox_objection(const char *mailbox)
{
    const char *at = strrchr(mailbox, '@');
    size_t len = strlen(mailbox);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)mailbox[i] & 0x80) return "has letters that mail servers need not know";
    if (!at || at == mailbox || !at[1]) return "is no mail address";
    if (len > MAILBOX_BYTES || at - mailbox > 64) return "is too long for a mail address";
    /* What would end it on the wire or in a header. */
    for (size_t i = 0; i < len; i++)
        if (mailbox[i] <= ' ' || mailbox[i] == 0x7F || strchr("<>()[],;:\\\"", mailbox[i])) return "is no mail address";
    if (strchr(mailbox, '@') != at || at[1] == '.' || at[1] == '-' || strstr(at, "..") ||
        at[1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")])
        return "is no mail address";
    return NULL;
}

struct lp_slice lp_sender_mailbox(const char *from, struct lp_slice *name)
{
    const char *open = strrchr(from, '<');
    size_t len = strlen(from);
    *name = (struct lp_slice){from, 0};
    if (!open || !len || from[len - 1] != '>') return (struct lp_slice){from, len};
    const char *end = open;
    while (end > from && end[-1] == ' ') end--;
    if (end > from + 1 && *from == '"' && end[-1] == '"') *name = (struct lp_slice){from + 1, (size_t)(end - from) - 2};
    else *name = (struct lp_slice){from, (size_t)(end - from)};
    return (struct lp_slice){open + 1, (size_t)(from + len - 1 - (open + 1))};
}

const char *lp_sender_objection(const char *from)
{
    struct lp_slice name, mailbox = lp_sender_mailbox(from, &name);
    char text[MAILBOX_BYTES + 2];
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.at[i] < 0x20 || name.at[i] == 0x7F || strchr("<>\"\\", name.at[i]))
            return "has a name that cannot stand in a mail";
    if (name.len > 200 || mailbox.len >= sizeof text) return "is too long for a mail address";
    memcpy(text, mailbox.at, mailbox.len);
    text[mailbox.len] = '\0';
    return lp_mailbox_objection(text);
}

static bool good_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits && digits <= 5 && !text[digits] && atoi(text) > 0 && atoi(text) < 65536;
}

const char *lp_server_objection(const char *server, const char **remedy)
{
    const char *after = strstr(server, "://");
    *remedy = "write it like smtps://mail.example.com or smtp://mail.example.com:587";
    if (!after || (strncmp(server, "smtp://", 7) && strncmp(server, "smtps://", 8)))
        return "the server is not smtp(s)://";
    after += 3;
    if (strchr(after, '@')) {
        *remedy = "write user: NAME and secret: \"env:NAME\" beside it";
        return "the server's address holds a user or a secret in plain text";
    }
    size_t slash = strcspn(after, "/");
    if (after[slash] && after[slash + 1]) return "the server's address ends with its port";
    struct lp_slice host = lp_url_host(server);
    if (!host.len || host.len > 253) return "the server's address has no host";
    for (size_t i = 0; i < host.len; i++)
        if (host.at[i] <= ' ' || host.at[i] >= 0x7F || strchr("?#%\\\"<>", host.at[i]))
            return "the server's address has no host";
    char port[16] = "";
    const char *colon = host.at + host.len + (host.at[host.len] == ']');
    if (*colon == ':') snprintf(port, sizeof port, "%.*s", (int)(after + slash - colon - 1), colon + 1);
    if (*colon == ':' && !good_port(port)) return "the server's port is not a number from 1 to 65,535";
    return NULL;
}

const char *lp_topic_objection(const char *arn)
{
    const char *part = arn;
    size_t lens[6] = {0};
    const char *parts[6] = {0};
    for (size_t i = 0; i < LP_COUNT(parts); i++) {
        if (!part) return "is not the ARN of a topic";
        parts[i] = part;
        lens[i] = i < 5 ? strcspn(part, ":") : strlen(part);
        part = part[lens[i]] ? part + lens[i] + 1 : NULL;
    }
    if (lens[2] != 3 || strncmp(parts[2], "sns", 3)) return "is not the ARN of a topic of SNS";
    size_t account = strspn(parts[4], "0123456789");
    size_t fifo = lens[5] > 5 && !strcmp(parts[5] + lens[5] - 5, ".fifo") ? 5 : 0;
    if (strncmp(arn, "arn:aws", 7) || !lens[3] || lens[3] > 32 ||
        strspn(parts[3], "abcdefghijklmnopqrstuvwxyz0123456789-") < lens[3] || account != 12 || lens[4] != 12 ||
        !lens[5] || lens[5] > 256 ||
        strspn(parts[5], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") < lens[5] - fifo)
        return "is not the ARN of a topic";
    return NULL;
}
