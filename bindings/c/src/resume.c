/* Evaluation in steps, for hosts that cannot be called back. The kernel's resumable walk is of one program and by program slot; here it
 * gets its prerequisites, and its values from the context. */
#include "evaluate.h"
#include "walk.h"

static void begin(FcsContext *context, const FcProgram *flag) {
    context->levels[0] = (FcsLevel){flag, flag->entry};
    context->depth = 0;
    context->is_begun = 1;
    context->is_walking = 0;
}

/* Go down to a prerequisite whose outcome is not known, or behind those of the last level. */
static int descend(FcsContext *context) {
    FcsLevel *const level = &context->levels[context->depth];
    const FcProgram *const required = fc_next_required(level->program, &context->frame, &level->at, context->depth);
    if (!required) return 0;
    context->levels[++context->depth] = (FcsLevel){required, required->entry};
    return 1;
}

static void clear_local(FcsContext *context, const FcProgram *program) {
    const FcHeader *const header = fc_header(program);
    for (uint32_t i = 0; i < fcs_words(header->slot_count); i++) context->local.have[i] = 0;
    fc_forget(program, &context->local);
}

static int is_known(const FcsContext *context, uint32_t slot) {
    return (int)(context->frame.have[slot >> 6] >> (slot & 63) & 1);
}

/* Walk the last level as far as values are known. Returns the number of one that is not, or FC_NONE. */
static uint32_t walk(FcsContext *context, FcResult *result) {
    FcsLevel *const level = &context->levels[context->depth];
    for (;;) {
        const uint32_t wanted = fc_walk_resume(level->program, &level->at, &context->local, result);
        if (wanted == FC_NONE) return FC_NONE;
        const uint32_t slot = level->program->slots[wanted];
        if (!is_known(context, slot)) return slot;
        context->local.values[wanted] = context->frame.values[slot];
        context->local.have[wanted >> 6] |= fc_have_bit(wanted);
    }
}

/* Keep a prerequisite's outcome and go back to the flag that asked. */
static void ascend(FcsContext *context, FcResult result) {
    const FcProgram *const program = context->levels[context->depth--].program;
    context->frame.outcomes[program->outcome_slot] = fc_outcome_of(program, result);
    context->is_walking = 0;
}

uint32_t fcs_resume(const FcProgram *flag, FcsContext *context, FcsDetails *out) {
    FcResult result;
    if (!context->is_begun || context->levels[0].program != flag) begin(context, flag);
    for (;;) {
        if (!context->is_walking) {
            while (descend(context)) continue;
            clear_local(context, context->levels[context->depth].program);
            context->is_walking = 1;
        }
        const uint32_t wanted = walk(context, &result);
        if (wanted != FC_NONE) return wanted;
        if (context->depth == 0) break;
        ascend(context, result);
    }
    context->is_begun = 0;
    *out = fcs_details_of(flag, result);
    return FC_NONE;
}
