/* stub_s3.h — an S3 that takes anything and keeps nothing: buckets are empty, uploads succeed. Nobody's signature is looked at;
 * for tests about the caller's memory alone. */
#ifndef LP_TEST_STUB_S3_H
#define LP_TEST_STUB_S3_H

/* Answers all connections of the listening socket, one process each, for at most `seconds`; does not return. */
void stub_s3_serve(int listener, unsigned seconds);

#endif
