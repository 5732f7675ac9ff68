/* The public walks and helpers of kernel.h, instantiated from walk.h. verify.c proves, link.c links. */
#include "walk.h"

void fc_program_init(FcProgram *out, const uint8_t *bytes, const uint32_t *slots, const void *const *links) {
    const FcHeader *const header = fc_at(bytes, 0);
    const FcNode *const nodes = fc_at(bytes, sizeof *header);
    const int has_requires = header->node_count > 0 && nodes[0].op == FC_OP_REQUIRES ? FC_DETOUR_REQUIRES : 0;
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
        .detours = (uint8_t)(has_requires | (header->flags & FC_PROGRAM_FORKED ? FC_DETOUR_FORKS : 0)),
        .is_plain = header->outcome_count == header->leaf_count,
    };
}

/* ---- walks ---------------------------------------------------------------------------------------------------------- */

/* A local evaluation cannot ask other programs: its prerequisites count as not met. */
static uint32_t behind_requires(const FcProgram *program, uint32_t at) {
    while (!(at & FC_LEAF) && program->nodes[at].op == FC_OP_REQUIRES) at = program->nodes[at].on_false;
    return at;
}

FcResult fc_walk(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host) {
    return fc_walk_wide_inline(program, frame, fetch, host);
}

static FcResult run_forks(const FcProgram *program, FcFrame *frame, uint32_t at, FcSource source) {
    FcForks state;
    fc_forget(program, frame);
    return fc_finish(program, frame, fc_decide_any((FcForkWalk){program, frame, source, &state}, at), source);
}

FcResult fc_walk_local(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host) {
    const FcSource source = {frame->have, fetch, host, FC_FORM_LOCAL};
    uint32_t at = program->entry;
    if (FC_UNLIKELY(program->detours)) {
        at = behind_requires(program, at);
        if (program->detours & FC_DETOUR_FORKS) return run_forks(program, frame, at, source);
    }
    return fc_run(program, frame, at, source);
}

FcResult fc_walk_filled(const FcProgram *program, FcFrame *frame) {
    const FcSource source = {NULL, NULL, NULL, FC_FORM_FILLED};
    uint32_t at = program->entry;
    if (FC_UNLIKELY(program->detours)) {
        at = behind_requires(program, at);
        if (program->detours & FC_DETOUR_FORKS) return run_forks(program, frame, at, source);
    }
    return fc_run(program, frame, at, source);
}

/* The slot that an exit is about to look at, or FC_NONE. */
static uint32_t slot_at(const FcProgram *program, uint32_t at) {
    if (!(at & FC_LEAF)) return program->nodes[at].slot;
    const FcLeaf *const leaf = &program->leaves[at & ~FC_LEAF];
    return leaf->kind == FC_LEAF_SPLIT ? leaf->slot : FC_NONE;
}

static int is_missing(const FcFrame *frame, uint32_t slot) {
    return slot != FC_NONE && !(frame->have[slot >> 6] & fc_have_bit(slot));
}

/* From an exit to a leaf, or to the exit whose slot is missing. */
static uint32_t resume_straight(const FcProgram *program, uint32_t at, FcFrame *frame) {
    for (;;) {
        at = behind_requires(program, at);
        if (at & FC_LEAF || is_missing(frame, program->nodes[at].slot)) return at;
        at = fc_step(program, frame, &program->nodes[at], &frame->values[program->nodes[at].slot]);
    }
}

/* The whole of a forked program as far as it goes; with a slot wanted there is no leaf. */
static uint32_t resume_forks(const FcProgram *program, uint32_t at, FcFrame *frame, uint32_t *wanted) {
    FcForks state;
    const FcSource source = {frame->have, NULL, NULL, FC_FORM_RESUMED};
    const uint32_t leaf = fc_decide_any((FcForkWalk){program, frame, source, &state}, behind_requires(program, at));
    *wanted = state.wanted == FC_NONE ? slot_at(program, leaf) : state.wanted;
    return leaf;
}

uint32_t fc_walk_resume(const FcProgram *program, uint32_t *at, FcFrame *frame, FcResult *result) {
    uint32_t slot, exit;
    if (FC_UNLIKELY(program->detours & FC_DETOUR_FORKS)) {
        exit = resume_forks(program, *at, frame, &slot);
    } else {
        *at = exit = resume_straight(program, *at, frame);
        slot = slot_at(program, exit);
    }
    if (is_missing(frame, slot)) return slot;
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
