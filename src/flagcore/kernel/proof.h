/* What the provers share (verify.c, prove_views.c, prove_tables.c). Private to the kernel.
 *
 * A prover looks at one part of an object and returns FC_OK or what is wrong. Offsets and sizes are compared as 64-bit
 * numbers, so nothing overflows. What is proved may be shared by many places of a hostile object; so each prover first
 * charges what it is about to read against one account, which keeps the whole linear.
 */
#ifndef FLAGCORE_PROOF_H
#define FLAGCORE_PROOF_H

#include "bytes.h"

#if defined(__GNUC__)
#define FC_PRIVATE __attribute__((visibility("hidden")))
#else
#define FC_PRIVATE
#endif

typedef struct { /* an object under proof */
    const uint8_t *bytes;
    uint64_t size;
    uint64_t *account; /* bytes that may still be read */
} FcProof;

FC_INLINE uint64_t fc_opening_account(uint64_t size) {
    return 64 * size + (UINT64_C(1) << 20);
}

FC_INLINE int fc_charge(const FcProof *proof, uint64_t bytes) {
    if (bytes > *proof->account) return 0;
    *proof->account -= bytes;
    return 1;
}

/* Do `count` items of `item` bytes stand inside the object at this offset? */
FC_INLINE int fc_fits(const FcProof *proof, uint64_t offset, uint64_t count, uint64_t item, uint64_t alignment) {
    if (offset % alignment != 0 || offset > proof->size) return 0;
    return count <= (proof->size - offset) / item;
}

FC_INLINE int fc_fits_text(const FcProof *proof, FcText text) {
    return fc_fits(proof, text.offset, text.length, 1, 1);
}

/* No A-Z: the form of constants that ignore ASCII case. */
FC_INLINE int fc_is_lower(const uint8_t *p, uint32_t length) {
    for (uint32_t i = 0; i < length; i++)
        if ((uint8_t)(p[i] - 'A') < 26) return 0;
    return 1;
}

FC_INLINE int fc_is_finite(double number) {
    return number - number == 0;
}

/* A finite double that equals no int64. */
FC_INLINE int fc_is_proper_double(double number) {
    if (!fc_is_finite(number)) return 0;
    if (number < -9223372036854775808.0 || number >= 9223372036854775808.0) return 1;
    return (double)(int64_t)number != number;
}

/* Is a table's value what its owner can use? */
typedef int FcIsValue(uint32_t value, const void *owner);

/* prove_tables.c */
FC_PRIVATE uint32_t fc_prove_table(const FcProof *proof, uint64_t offset, uint32_t fold, FcIsValue *is_value, const void *owner);
FC_PRIVATE uint32_t fc_prove_set(const FcProof *proof);
FC_PRIVATE uint32_t fc_prove_inline_set(const FcProof *proof, uint64_t offset);
FC_PRIVATE uint32_t fc_prove_automaton(const FcProof *proof, uint64_t offset);
/* prove_views.c */
FC_PRIVATE uint32_t fc_prove_view(const FcProof *proof, const FcView *view);
FC_PRIVATE uint32_t fc_prove_version(const FcProof *proof, uint64_t offset);
FC_PRIVATE uint32_t fc_prove_address(const FcAddress *address);
FC_PRIVATE uint32_t fc_prove_set_reference(const FcProof *proof, uint32_t link);

#endif
