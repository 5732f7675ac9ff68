/* Evaluation contexts: where attributes come from. */
#include "internal.h"
#include "utf8.h"

/* ---- memory --------------------------------------------------------------------------------------------------------------- */

static FcFrame lay_out_frame(FcsArena *arena, uint32_t slots, uint32_t memos, uint32_t outcomes) {
    FcFrame frame;
    frame.values = fcs_take(arena, slots, sizeof(FcValue));
    frame.have = fcs_take(arena, fcs_words(slots), sizeof(uint64_t));
    frame.memo = fcs_take(arena, memos, sizeof(uint64_t));
    frame.memo_have = fcs_take(arena, fcs_words(memos), sizeof(uint64_t));
    frame.outcomes = fcs_take(arena, outcomes, sizeof(uint64_t));
    return frame;
}

/* The size and the places, so that they cannot disagree. */
static FcsContext *lay_out(FcsArena *arena, const FcsFlags *flags) {
    FcsContext *const context = fcs_take(arena, 1, sizeof(FcsContext));
    const uint32_t memos = fc_memo_words(flags->linked);
    const FcFrame frame = lay_out_frame(arena, fc_slots(flags->linked), memos, fc_outcome_slots(flags->linked));
    const FcFrame local = lay_out_frame(arena, flags->most_slots, memos, 0);
    if (context) *context = (FcsContext){.flags = flags, .frame = frame, .local = local};
    return context;
}

size_t fcs_context_size(const FcsFlags *flags) {
    FcsArena arena = {NULL, 0};
    lay_out(&arena, flags);
    return (size_t)arena.used;
}

FcsContext *fcs_context_open(const FcsFlags *flags, void *memory, size_t size) {
    if (!memory || (uintptr_t)memory % 8 || size < fcs_context_size(flags)) return NULL;
    FcsArena arena = {memory, 0};
    FcsContext *const context = lay_out(&arena, flags);
    fcs_context_reset(context, 0);
    return context;
}

/* ---- values --------------------------------------------------------------------------------------------------------------- */

void fcs_put(FcFrame *frame, uint32_t slot, const FcValue *value) {
    FcValue *const out = &frame->values[slot];
    *out = *value;
    out->done = 0;
    if (out->type == FC_TEXT) {
        if (!out->u.bytes) out->u.bytes = (const uint8_t *)"";
        if (!fcs_is_utf8(out->u.bytes, out->length)) out->type = FC_SUBJECT;
    } else if (out->type > FC_OTHER) {
        out->type = FC_OTHER; /* a mapping, looked at as a value */
    }
    frame->have[slot >> 6] |= UINT64_C(1) << (slot & 63);
}

void fcs_context_reset(FcsContext *context, int64_t now) {
    const uint32_t words = fcs_words(fc_slots(context->flags->linked)), outcomes = fc_outcome_slots(context->flags->linked);
    const FcValue time = fcs_from_time(now);
    context->attributes = NULL;
    context->attribute_count = 0;
    context->fetch = NULL;
    context->is_begun = 0;
    for (uint32_t i = 0; i < words; i++) context->frame.have[i] = 0;
    for (uint32_t i = 0; i < outcomes; i++) context->frame.outcomes[i] = 0;
    fcs_put(&context->frame, FC_SLOT_NOW, &time);
}

void fcs_context_attributes(FcsContext *context, const FcsAttribute *attributes, size_t count) {
    context->attributes = attributes;
    context->attribute_count = count;
    context->fetch = NULL;
}

void fcs_context_callback(FcsContext *context, FcsFetch fetch, void *host) {
    context->attribute_count = 0;
    context->fetch = fetch;
    context->host = host;
}

void fcs_context_set(FcsContext *context, uint32_t slot, FcValue value) {
    fcs_put(&context->frame, slot, &value);
}

/* ---- look-up ---------------------------------------------------------------------------------------------------------------- */

FcsPath fcs_path(const FcsFlags *flags, uint32_t slot) {
    const uint8_t *program;
    const FcSlot *const name = fc_slot_name(flags->linked, slot, &program);
    const uint32_t *const lengths = name->part_count > 1 ? fc_at(program, name->parts) : NULL;
    return (FcsPath){(const char *)program + name->flat.offset, name->flat.length, lengths, name->part_count, slot};
}

/* The value of a name, or NULL. */
static const FcValue *find(const FcsAttribute *attributes, size_t count, const char *name, size_t length) {
    for (size_t i = 0; i < count; i++) {
        const FcsText own = attributes[i].name;
        if (own.length == length && fc_equal((const uint8_t *)own.bytes, (const uint8_t *)name, (uint32_t)length)) return &attributes[i].value;
    }
    return NULL;
}

/* Down through mappings, a name a level. */
static const FcValue *find_nested(const FcsAttribute *attributes, size_t count, const FcsPath *path) {
    const char *name = path->flat;
    for (uint32_t level = 0;; level++) {
        const FcValue *const value = find(attributes, count, name, path->lengths[level]);
        if (!value || level + 1 == path->count) return value;
        if (value->type != FCS_MAPPING) return NULL;
        attributes = (const FcsAttribute *)(const void *)value->u.bytes;
        count = value->length;
        name += path->lengths[level] + 1;
    }
}

int fcs_look_up(const FcsAttribute *attributes, size_t count, const FcsPath *path, FcValue *out) {
    const FcValue *found = find(attributes, count, path->flat, path->length);
    if (!found && path->count > 1) found = find_nested(attributes, count, path);
    *out = found ? *found : fcs_missing();
    return found != NULL;
}
