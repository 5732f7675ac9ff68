/* What the provers share (verify.c, prove_*.c). Private to the kernel.
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

/* Numbers that strictly ascend and stay at or below a limit. */
FC_INLINE int fc_ascend(const uint32_t *numbers, uint64_t count, uint32_t limit) {
    for (uint64_t i = 1; i < count; i++)
        if (numbers[i - 1] >= numbers[i]) return 0;
    return count == 0 || numbers[count - 1] <= limit;
}

/* ---- parts of a program, proved to stand inside it ------------------------------------------------------------------- */

FC_INLINE const FcHeader *fc_header_of(const FcProof *proof) {
    return fc_at(proof->bytes, 0);
}

FC_INLINE const FcNode *fc_nodes_of(const FcProof *proof) {
    return fc_at(proof->bytes, sizeof(FcHeader));
}

/* The view that a node names, if it is one of the node's own attribute, else NULL. */
FC_INLINE const FcView *fc_view_of(const FcProof *proof, const FcNode *node) {
    const FcHeader *const header = fc_header_of(proof);
    const FcView *const views = fc_at(proof->bytes, header->view_offset);
    const int sound = node->length < header->view_count && views[node->length].slot == node->slot;
    return sound ? &views[node->length] : NULL;
}

/* A leaf, a node behind this one, or in forked programs FC_NONE: the one comparison that proves every walk to end. */
FC_INLINE int fc_is_exit(const FcHeader *header, uint32_t exit, uint32_t own) {
    if (exit == FC_NONE) return header->flags & FC_PROGRAM_FORKED;
    return exit & FC_LEAF ? (exit & ~FC_LEAF) < header->leaf_count : exit > own && exit < header->node_count;
}

/* Does an exit stay among the nodes of a block's rows? */
FC_INLINE int fc_is_of_row(const FcProof *proof, uint32_t exit) {
    return exit & FC_LEAF || fc_nodes_of(proof)[exit].flags & FC_NODE_ROW;
}

/* ---- the provers ------------------------------------------------------------------------------------------------------- */

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
/* prove_forks.c */
FC_PRIVATE uint32_t fc_prove_fork(const FcProof *proof, const FcNode *node, uint32_t own);
FC_PRIVATE uint32_t fc_prove_block(const FcProof *proof, const FcNode *node, uint32_t own);
FC_PRIVATE uint32_t fc_prove_multi(const FcProof *proof, const FcNode *node, uint32_t own);
/* verify.c */
FC_PRIVATE const uint32_t *fc_switch_exits(const FcProof *proof, const FcNode *node, uint64_t *count);
/* prove_steps.c */
FC_PRIVATE uint32_t fc_prove_steps(const FcProof *proof);

#endif
