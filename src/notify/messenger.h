/* messenger.h — who carries a message to an address: one contract, a file of code per home.
 * Model:   a messenger is made for one address and sends as often as it is asked. Sending is whole within limit_ms: it
 *          gives up rather than last longer. What may be tried again without harm is tried again within that time.
 * Owns:    the address, notice and message are borrowed; a messenger's secrets are its own, wiped by free.
 * Units:   milliseconds.
 * Errors:  a constructor: LP_CONFIG (a secret that is not there, an address that was kept elsewhere and is none),
 *          LP_NOMEM. send: LP_BUSY (no answer in time, or "later"), LP_AUTH (it does not let us), LP_REMOTE (it refuses;
 *          of several recipients at least one, the others are told), LP_CONFIG, LP_CANCELLED, LP_IO, LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_NOTIFY_MESSENGER_H
#define LP_NOTIFY_MESSENGER_H

#include "aws/aws.h"
#include "notify/message.h"

struct lp_messenger;

struct lp_messenger_ops {
    const char *name; /* "webhook" */
    enum lp_code (*send)(struct lp_messenger *m, const struct lp_notice *n, const struct lp_message *message,
                         int64_t limit_ms, struct lp_err *err);
    void (*free)(struct lp_messenger *m);
};
struct lp_messenger {
    const struct lp_messenger_ops *ops;
};

/* What messengers need of their surroundings. */
struct lp_messenger_means {
    const char *folder; /* of the pipeline file: secrets in files are meant from there */
    struct lp_aws *aws; /* may be NULL: then no address at AWS can be told */
    /* Standard error belongs to the command: it is handed what there is to say, and prints it or not. */
    void (*say)(void *who, const struct lp_notice *n, const struct lp_message *message);
    void *who;
};

enum lp_code lp_messenger_new(const struct lp_address *a, const struct lp_messenger_means *means,
                              struct lp_messenger **out, struct lp_err *err) LP_CHECKED;
void lp_messenger_free(struct lp_messenger *m); /* may be NULL */

/* The homes. */
enum lp_code lp_messenger_stderr_new(const struct lp_address *a, const struct lp_messenger_means *means,
                                     struct lp_messenger **out, struct lp_err *err) LP_CHECKED;
enum lp_code lp_messenger_webhook_new(const struct lp_address *a, const struct lp_messenger_means *means,
                                      struct lp_messenger **out, struct lp_err *err) LP_CHECKED;
enum lp_code lp_messenger_smtp_new(const struct lp_address *a, const struct lp_messenger_means *means,
                                   struct lp_messenger **out, struct lp_err *err) LP_CHECKED;
enum lp_code lp_messenger_sns_new(const struct lp_address *a, const struct lp_messenger_means *means,
                                  struct lp_messenger **out, struct lp_err *err) LP_CHECKED;

#endif
