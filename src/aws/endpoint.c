#include "aws/endpoint.h"

#include <ctype.h>
#include <stdio.h>

#define URL_BYTES ((size_t)4096)

/* Services whose name is not all there is to know; others go by the rule. */
struct service {
    const char *name;
    const char *suffix; /* of AWS_ENDPOINT_URL_…; in lower case the key of a services section; NULL: the name */
    const char *host;   /* NULL: the name; not over dual-stack */
    const char *fips;   /* NULL: NAME-fips */
};
static const struct service services[] = {
    {.name = "s3"},
    {.name = "events", .suffix = "EVENTBRIDGE"},
    {.name = "secretsmanager", .suffix = "SECRETS_MANAGER"},
    {.name = "logs", .suffix = "CLOUDWATCH_LOGS"},
    {.name = "ecr", .host = "api.ecr", .fips = "ecr-fips"},
    {.name = "portal.sso", .suffix = "SSO"},
    {.name = "oidc", .suffix = "SSO_OIDC"},
    {.name = "iam"},
};

/* Which suffix a region's hosts have: the first prefix that fits. */
static const struct partition {
    const char *prefix, *suffix, *dual_suffix, *global_region, *iam_host;
} partitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-north-1", "iam.cn-north-1.amazonaws.com.cn"},
    {"us-gov-", "amazonaws.com", "api.aws", "us-gov-west-1", "iam.us-gov.amazonaws.com"},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1", "iam.us-iso-east-1.c2s.ic.gov"},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1", "iam.us-isob-east-1.sc2s.sgov.gov"},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1", "iam.us-isof-south-1.csp.hci.ic.gov"},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1", "iam.eu-isoe-west-1.cloud.adc-e.uk"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1", "iam.eusc-de-east-1.amazonaws.eu"},
    {"", "amazonaws.com", "api.aws", "us-east-1", "iam.amazonaws.com"},
};

static const struct service *service_of(const char *name)
{
    for (size_t i = 0; i < LP_COUNT(services); i++)
        if (!strcmp(services[i].name, name)) return &services[i];
    return NULL;
}

static const struct partition *partition_of(const char *region)
{
    const struct partition *p = partitions;
    while (strncmp(region, p->prefix, strlen(p->prefix)) != 0) p++;
    return p;
}

bool lp_aws_service_global(const char *service)
{
    return !strcmp(service, "iam");
}

/* ---- a URL that somebody configured ---- */

/* "AWS_ENDPOINT_URL_SECRETS_MANAGER", and the same word in lower case for the profile's services section. */
static void name_setting(const char *service, char variable[80], char key[80])
{
    static const char begin[] = "AWS_ENDPOINT_URL_";
    const struct service *known = service_of(service);
    int len = snprintf(variable, 80, "%s%s", begin, known && known->suffix ? known->suffix : service);
    if (len >= 80) len = 79;
    for (int i = 0; i < len; i++) variable[i] = (char)(variable[i] == '-' ? '_' : toupper((unsigned char)variable[i]));
    size_t n = sizeof begin - 1;
    for (key[0] = '\0'; variable[n]; n++) {
        key[n - (sizeof begin - 1)] = (char)tolower((unsigned char)variable[n]);
        key[n + 1 - (sizeof begin - 1)] = '\0';
    }
}

static enum lp_code find_configured(const struct lp_aws_settings *s, const char *service, const char **url,
                                    const char **where, struct lp_err *err)
{
    char variable[80], key[80];
    name_setting(service, variable, key);
    *where = "--endpoint-url";
    if ((*url = s->endpoint_flag) || s->ignore_endpoints) return LP_OK;
    *where = "AWS_ENDPOINT_URL_… of the service";
    if ((*url = lp_aws_variable(variable))) return LP_OK;
    *where = "AWS_ENDPOINT_URL";
    if ((*url = lp_aws_variable(*where))) return LP_OK;
    *where = "endpoint_url in the profile's services section";
    const char *services_name = lp_profiles_get(&s->files, s->profile, "services");
    if (services_name) {
        const struct lp_profile_section *section = lp_profiles_section(&s->files, LP_PROFILE_SERVICES, services_name);
        if (!section)
            return lp_fail(err, LP_CONFIG, "the profile \"%s\" names services = %s, and %s has no [services %s]",
                           s->profile, services_name, s->files.config_path, services_name);
        if ((*url = lp_profile_below(section, key, "endpoint_url"))) return LP_OK;
    }
    *where = "endpoint_url in the profile";
    *url = lp_profiles_get(&s->files, s->profile, "endpoint_url");
    return LP_OK;
}

static enum lp_code put_configured(struct lp_aws_place *p, const char *url, const char *where, struct lp_err *err)
{
    size_t scheme = !strncmp(url, "https://", 8) ? 8 : !strncmp(url, "http://", 7) ? 7 : 0;
    size_t host = scheme ? strcspn(url + scheme, "/?#") : 0;
    if (!host || memchr(url + scheme, '@', host) || strpbrk(url, "?# \t\r\n"))
        return lp_fail(err, LP_CONFIG,
                       "%s: \"%s\" is no address of a service; write https://HOST[:PORT][/PATH], without user or query",
                       where, url);
    const char *port = scheme == 8 ? ":443" : ":80";
    size_t shown = host, len = strlen(url), n = strlen(port);
    if (host > n && !memcmp(url + scheme + host - n, port, n)) shown -= n; /* Host goes without it */
    while (len > scheme + host && url[len - 1] == '/') len--;
    lp_buf_put(&p->url, url, scheme + shown);
    lp_buf_put(&p->url, url + scheme + host, len - scheme - host);
    p->configured = true;
    return LP_OK;
}

/* ---- AWS's own ---- */

/* Lower-case labels of a host's name: others, and those with dots, which no wildcard certificate covers, go into the
 * path. */
static bool bucket_fits_host(const char *bucket)
{
    size_t n = strlen(bucket);
    if (n < 3 || n > 63 || bucket[0] == '-' || bucket[n - 1] == '-') return false;
    return strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static void put_s3(const struct lp_aws_settings *s, struct lp_aws_place *p, const char *bucket)
{
    bool in_host = bucket && bucket_fits_host(bucket);
    lp_buf_printf(&p->url, "https://%s%ss3%s%s.%s.%s", in_host ? bucket : "", in_host ? "." : "",
                  s->fips ? "-fips" : "", s->dual_stack ? ".dualstack" : "", p->region,
                  partition_of(p->region)->suffix);
    if (bucket && !in_host) {
        lp_buf_putc(&p->url, '/');
        lp_percent_encode(&p->url, bucket, strlen(bucket), "");
    }
}

/* In AWS's regions for the government these have one name for both; over dual-stack only the last of them. */
static bool fips_is_plain(const char *service, const char *region, bool dual_stack)
{
    static const char *const names[] = {"sns", "sts", "ssm", "logs", "portal.sso", "oidc", "events"};
    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (!strcmp(service, names[i]))
            return !strncmp(region, "us-gov-", 7) && (!dual_stack || !strcmp(service, "events"));
    return false;
}

static void put_by_rule(const struct lp_aws_settings *s, struct lp_aws_place *p, const char *service)
{
    const struct service *known = service_of(service);
    const struct partition *partition = partition_of(p->region);
    char fips[80];
    snprintf(fips, sizeof fips, "%s-fips", service);
    const char *host = known && known->host && !s->dual_stack ? known->host : service;
    if (s->fips && !fips_is_plain(service, p->region, s->dual_stack)) host = known && known->fips ? known->fips : fips;
    /* Secrets Manager answers both kinds of address under its one name, but for the newest partition. */
    bool one_name = !strcmp(service, "secretsmanager") && strcmp(partition->prefix, "eusc-") != 0;
    lp_buf_printf(&p->url, "https://%s.%s.%s", host, p->region,
                  s->dual_stack && !one_name ? partition->dual_suffix : partition->suffix);
}

static void put_iam(const struct lp_aws_settings *s, struct lp_aws_place *p)
{
    const struct partition *partition = partition_of(p->region);
    bool government = !strcmp(partition->prefix, "us-gov-");
    const char *fips = s->fips && !*partition->prefix ? "-fips" : "";
    snprintf(p->region, sizeof p->region, "%s", partition->global_region);
    if (s->dual_stack)
        lp_buf_printf(&p->url, "https://iam%s.%s.%s", fips, government ? "us-gov" : "global", partition->dual_suffix);
    else if (*fips) lp_buf_printf(&p->url, "https://iam%s.%s", fips, partition->suffix);
    else lp_buf_printf(&p->url, "https://%s", partition->iam_host);
}

enum lp_code lp_aws_place_find(const struct lp_aws_settings *s, const char *service, const char *region,
                               const char *bucket, struct lp_aws_place *p, struct lp_err *err)
{
    const char *where, *url;
    *p = (struct lp_aws_place){.url.max_bytes = URL_BYTES};
    LP_TRY(find_configured(s, service, &url, &where, err));
    if (!lp_aws_region_valid(region))
        return lp_fail(err, LP_CONFIG, "\"%s\" is no region of AWS; write one like us-west-2", region);
    snprintf(p->region, sizeof p->region, "%s", region);
    if (url) {
        LP_TRY(put_configured(p, url, where, err));
        if (bucket) {
            lp_buf_putc(&p->url, '/');
            lp_percent_encode(&p->url, bucket, strlen(bucket), "");
        }
        if (lp_aws_service_global(service))
            snprintf(p->region, sizeof p->region, "%s", partition_of(region)->global_region);
    } else if (!strcmp(service, "s3")) {
        put_s3(s, p, bucket);
    } else if (lp_aws_service_global(service)) {
        put_iam(s, p);
    } else {
        put_by_rule(s, p, service);
    }
    LP_TRY(lp_buf_code(&p->url, "a service's address", err));
    p->host = strstr(p->url.data, "://") + 3;
    p->host_len = strcspn(p->host, "/");
    p->path = p->host + p->host_len;
    return LP_OK;
}

void lp_aws_place_release(struct lp_aws_place *p)
{
    lp_buf_release(&p->url);
}
