/* What a driver of the fuzzer stops at. */
#ifndef FLAGCORE_REQUIRE_H
#define FLAGCORE_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                                                                                           \
    do {                                                                                                                                             \
        if (!(condition)) {                                                                                                                          \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                                                                  \
            abort();                                                                                                                                 \
        }                                                                                                                                            \
    } while (0)

#endif
