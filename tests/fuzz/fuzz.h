/* fuzz.h — what all fuzz targets share: one function that is fed any bytes, and may not crash, leak or read past them.
 * With clang's libFuzzer (preset fuzz) it is fed what finds new ways through the code; replay.c feeds it what was kept
 * under tests/fuzz/corpus, in every run of the tests.
 */
#ifndef LP_TESTS_FUZZ_FUZZ_H
#define LP_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Must hold, whatever came in. */
#define LP_HOLDS(condition)                                                               \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

#endif
