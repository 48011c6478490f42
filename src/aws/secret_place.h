/* secret_place.h — a secret of the pipeline file: where it is kept, and its value read from there.
 * Model:   the file names a place, never the value: env:NAME, file:PATH, ssm:NAME, secretsmanager:NAME.
 * Owns:    the place lies in the arena of the definition. The value goes into the caller's buffer, which wipes it with
 *          lp_secret_wipe; it is masked everywhere from the moment it is known.
 * Units:   a value is one line of UTF-8 text of at most 4,096 bytes.
 * Errors:  faults with place; lp_secret_load: LP_CONFIG (not there, empty, not one line), what aws.h says, LP_NOMEM.
 * Threads: as base/secret.h.
 */
#ifndef LP_AWS_SECRET_PLACE_H
#define LP_AWS_SECRET_PLACE_H

#include "aws/aws.h"
#include "config/field.h"

#define LP_SECRET_VALUE_BYTES 4096

/* The place; NULL after a fault. It is taken as it stands: ${…} here would bring the value itself into the file. But where
 * the environment has no NAME and a NAME_FROM, env:NAME is the place that NAME_FROM says: so a file that reads a variable
 * at home reads Parameter Store in a function, and the value is in no setting of the function. */
const char *lp_secret_place_read(struct lp_reading *r, const struct lp_node *n);
/* The same for a text that is in hand already; *n is where a fault is told. */
const char *lp_secret_place_of(struct lp_reading *r, const struct lp_node *n, const char *text);

/* Reads the value and has it masked. Relative files are meant from `folder`; `aws` may be NULL where the place is not
 * at AWS. */
enum lp_code lp_secret_load(struct lp_aws *aws, const char *place, const char *folder, struct lp_buf *out,
                            struct lp_err *err) LP_CHECKED;
void lp_secret_wipe(struct lp_buf *value);

#endif
