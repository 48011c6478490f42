/* examination.h — what the files of one examination share: what is known so far, and how an answer is judged.
 * Model:   each try ends in a trial: fine, missing, or not to be told and why. A refusal that names another action than the
 *          one that was tried says nothing of that one.
 * Owns:    texts lie in the diagnosis's arena.
 * Units:   milliseconds.
 * Errors:  as doctor.h; a refusal is no error.
 * Threads: one thread.
 */
#ifndef LP_DEPLOY_EXAMINATION_H
#define LP_DEPLOY_EXAMINATION_H

#include "deploy/doctor.h"

#define LP_DOCTOR_CALL_MS INT64_C(10000)

#define LP_ALL_RESOURCES ((size_t)-1)

struct lp_trial {
    bool tried;
    enum lp_verdict verdict;
    const char *text;                      /* why it could not be told */
    bool refused[LP_PERMISSION_RESOURCES]; /* which of the resources */
    bool forbidden;                        /* by a statement that denies it */
};

struct lp_examination {
    const struct lp_pipeline *p;
    struct lp_aws *aws;
    struct lp_diagnosis *d;
    struct lp_trial *trials; /* one for each of d->needs */
    const char *silence;     /* why the service that was asked last did not answer; NULL: it did */
    bool starved;
};

/* The trial of an action; NULL when the pipeline does not need it. of: as in permissions.h, NULL for any. */
struct lp_trial *lp_trial_of(const struct lp_examination *x, const char *action, const char *of);
/* A text in the arena; "" when memory is out, which the examination tells at its end. */
const char *lp_examination_text(struct lp_examination *x, const char *format, ...) LP_PRINTF(2, 3);
enum lp_code lp_finding_add(struct lp_examination *x, enum lp_verdict verdict, const char *name, const char *text,
                            struct lp_err *err) LP_CHECKED;

/* The worst that was found of any resource stays. t may be NULL. */
void lp_trial_set_fine(struct lp_trial *t);
void lp_trial_set_unknown(struct lp_trial *t, const char *why);
void lp_trial_set_refused(struct lp_trial *t, size_t resource); /* its index, or LP_ALL_RESOURCES */
/* No statement that allows it helps. */
void lp_trial_set_forbidden(struct lp_trial *t);
/* What an answer says of the action, for one of its resources. What is wrong with all calls goes into d->problem, what with
 * all of the service into silence. Only what ends the examination comes back as a code. */
enum lp_code lp_trial_judge(struct lp_examination *x, struct lp_trial *t, const char *action, size_t resource,
                            enum lp_code code, const struct lp_aws_reply *reply, struct lp_err *err) LP_CHECKED;

/* After the tries of a service: tells that it did not answer, when it did not. */
enum lp_code lp_examination_note_silence(struct lp_examination *x, const char *service, struct lp_err *err) LP_CHECKED;

enum lp_code lp_examine_here(struct lp_examination *x, struct lp_err *err) LP_CHECKED;     /* doctor_here.c */
enum lp_code lp_examine_s3(struct lp_examination *x, struct lp_err *err) LP_CHECKED;       /* doctor_s3.c */
enum lp_code lp_examine_services(struct lp_examination *x, struct lp_err *err) LP_CHECKED; /* doctor_services.c */
/* Asks IAM of what has not been tried. */
enum lp_code lp_examine_by_simulation(struct lp_examination *x, struct lp_err *err) LP_CHECKED;

#endif
