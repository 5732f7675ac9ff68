/* The public walks and helpers of kernel.h, instantiated from walk.h. verify.c proves, link.c links. */
#include "walk.h"

void fc_program_init(FcProgram *out, const uint8_t *bytes, const uint32_t *slots, const void *const *links) {
    const FcHeader *const header = fc_at(bytes, 0);
    const FcNode *const nodes = fc_at(bytes, sizeof *header);
    *out = (FcProgram){
        .bytes = bytes,
        .nodes = nodes,
        .leaves = fc_at(bytes, header->leaf_offset),
        .views = fc_at(bytes, header->view_offset),
        .slots = slots,
        .links = links,
        .entry = header->entry,
        .memo_count = header->memo_count,
        .outcome_slot = FC_NONE,
        .value_type = header->value_type,
        .has_requires = header->node_count > 0 && nodes[0].op == FC_OP_REQUIRES,
        .is_plain = header->outcome_count == header->leaf_count,
    };
}

/* ---- walks ---------------------------------------------------------------------------------------------------------- */

/* A local evaluation cannot ask other programs: its prerequisites count as not met. */
static FcProgram without_requires(const FcProgram *program) {
    FcProgram rest = *program;
    while (!(rest.entry & FC_LEAF) && rest.nodes[rest.entry].op == FC_OP_REQUIRES) rest.entry = rest.nodes[rest.entry].on_false;
    return rest;
}

FcResult fc_walk(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host) {
    return fc_walk_wide_inline(program, frame, fetch, host);
}

FcResult fc_walk_local(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host) {
    if (FC_LIKELY(!program->has_requires)) return fc_walk_local_inline(program, frame, fetch, host);
    const FcProgram rest = without_requires(program);
    return fc_walk_local_inline(&rest, frame, fetch, host);
}

FcResult fc_walk_filled(const FcProgram *program, FcFrame *frame) {
    if (FC_LIKELY(!program->has_requires)) return fc_walk_filled_inline(program, frame);
    const FcProgram rest = without_requires(program);
    return fc_walk_filled_inline(&rest, frame);
}

/* The slot that an exit is about to look at, or FC_NONE. */
static uint32_t slot_at(const FcProgram *program, uint32_t at) {
    if (!(at & FC_LEAF)) return program->nodes[at].slot;
    const FcLeaf *const leaf = &program->leaves[at & ~FC_LEAF];
    return leaf->kind == FC_LEAF_SPLIT ? leaf->slot : FC_NONE;
}

uint32_t fc_walk_resume(const FcProgram *program, uint32_t *at, FcFrame *frame, FcResult *result) {
    uint32_t exit = *at;
    for (;;) {
        while (!(exit & FC_LEAF) && program->nodes[exit].op == FC_OP_REQUIRES) exit = program->nodes[exit].on_false;
        const uint32_t slot = slot_at(program, exit);
        *at = exit;
        if (slot != FC_NONE && !(frame->have[slot >> 6] & fc_have_bit(slot))) return slot;
        if (exit & FC_LEAF) break;
        exit = fc_step(program, frame, &program->nodes[exit], &frame->values[slot]);
    }
    *result = fc_finish(program, frame, exit, (FcSource){NULL, NULL, NULL, FC_FORM_FILLED});
    return FC_NONE;
}

/* ---- bucketing -------------------------------------------------------------------------------------------------------- */

uint64_t fc_hash(const uint8_t *bytes, size_t length, uint64_t seed) {
    return fc_xxh64(bytes, length, seed);
}

uint64_t fc_mix(uint64_t x) {
    return fc_mix64(x);
}

uint64_t fc_expo(uint64_t r) {
    return fc_expo_of(r);
}

uint32_t fc_bucket(uint64_t h) {
    return fc_bucket_of(h);
}

uint32_t fc_race(uint64_t h, const FcContestant *contestants, uint32_t count, uint32_t flags) {
    return fc_race_of(h, contestants, count, flags);
}

const uint8_t *fc_subject(const FcValue *value, uint8_t scratch[32], uint32_t *length) {
    return fc_subject_of(value, scratch, length);
}
