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
    const uint32_t slots = fc_slots(flags->linked), memos = fc_memo_words(flags->linked), outcomes = fc_outcome_slots(flags->linked);
    FcsContext *const context = fcs_take(arena, 1, sizeof(FcsContext));
    const FcFrame frame = lay_out_frame(arena, slots, memos, outcomes), local = lay_out_frame(arena, flags->most_slots, memos, 0);
    uint32_t *const hints = fcs_take(arena, slots, sizeof(uint32_t));
    if (!context) return NULL;
    *context = (FcsContext){flags, .frame = frame, .local = local, .hints = hints, .have_words = fcs_words(slots), .outcome_count = outcomes};
    for (uint32_t i = 0; i < slots; i++) hints[i] = 0;
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

/* A value as the kernel wants it: nothing computed yet, texts UTF-8. */
static inline void convert(const FcValue *given, FcValue *out) {
    *out = *given;
    out->done = 0;
    if (out->type == FC_TEXT) {
        if (!out->u.bytes) out->u.bytes = (const uint8_t *)"";
        if (!fcs_is_utf8(out->u.bytes, out->length)) out->type = FC_SUBJECT;
    } else if (out->type > FC_OTHER) {
        out->type = FC_OTHER; /* a mapping, looked at as a value */
    }
}

void fcs_context_set(FcsContext *context, uint32_t slot, FcValue value) {
    convert(&value, &context->frame.values[slot]);
    context->frame.have[slot >> 6] |= UINT64_C(1) << (slot & 63);
}

void fcs_context_reset(FcsContext *context, int64_t now) {
    context->attributes = NULL;
    context->attribute_count = 0;
    context->fetch = NULL;
    context->is_begun = 0;
    for (uint32_t i = 0; i < context->have_words; i++) context->frame.have[i] = 0;
    for (uint32_t i = 0; i < context->outcome_count; i++) context->frame.outcomes[i] = 0;
    fcs_context_set(context, FC_SLOT_NOW, fcs_from_time(now));
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

/* ---- look-up ---------------------------------------------------------------------------------------------------------------- */

static inline FcsPath path_of(const FcsFlags *flags, uint32_t slot) {
    const uint8_t *program;
    const FcSlot *const name = fc_slot_name(flags->linked, slot, &program);
    const uint32_t *const lengths = name->part_count > 1 ? fc_at(program, name->parts) : NULL;
    return (FcsPath){(const char *)program + name->flat.offset, name->flat.length, lengths, name->part_count, slot};
}

FcsPath fcs_path(const FcsFlags *flags, uint32_t slot) {
    return path_of(flags, slot);
}

static int is_named(const FcsAttribute *attribute, const char *name, size_t length) {
    return attribute->name.length == length && fc_equal((const uint8_t *)attribute->name.bytes, (const uint8_t *)name, (uint32_t)length);
}

/* The index of a name, or count. */
static size_t find(const FcsAttribute *attributes, size_t count, const char *name, size_t length) {
    size_t i = 0;
    while (i < count && !is_named(&attributes[i], name, length)) i++;
    return i;
}

/* Down through mappings, a name a level; NULL: there is no value. */
static const FcValue *find_nested(const FcsAttribute *attributes, size_t count, const FcsPath *path) {
    const char *name = path->flat;
    for (uint32_t level = 0;; level++) {
        const size_t at = find(attributes, count, name, path->lengths[level]);
        if (at == count) return NULL;
        const FcValue *const value = &attributes[at].value;
        if (level + 1 == path->count) return value;
        if (value->type != FCS_MAPPING) return NULL;
        attributes = (const FcsAttribute *)(const void *)value->u.bytes;
        count = value->length;
        name += path->lengths[level] + 1;
    }
}

/* The value of a path whose flat key may stand at *hint, where it is left when it is found; NULL: there is none. */
static const FcValue *find_path(const FcsAttribute *attributes, size_t count, const FcsPath *path, uint32_t *hint) {
    if (*hint < count && is_named(&attributes[*hint], path->flat, path->length)) return &attributes[*hint].value;
    const size_t at = find(attributes, count, path->flat, path->length);
    if (at == count) return path->count > 1 ? find_nested(attributes, count, path) : NULL;
    *hint = (uint32_t)at;
    return &attributes[at].value;
}

int fcs_look_up(const FcsAttribute *attributes, size_t count, const FcsPath *path, FcValue *out) {
    uint32_t hint = 0;
    const FcValue *const found = find_path(attributes, count, path, &hint);
    *out = found ? *found : fcs_missing();
    return found != NULL;
}

/* ---- fetching ---------------------------------------------------------------------------------------------------------------- */

static void call_back(const FcsContext *context, const FcsPath *path, FcValue *out) {
    FcValue given = fcs_missing();
    context->fetch(context->host, path, &given);
    convert(&given, out);
}

void fcs_fetch(void *host, uint32_t slot, FcValue *out) {
    FcsContext *const context = host;
    const FcsPath path = path_of(context->flags, slot);
    if (context->fetch) {
        call_back(context, &path, out);
        return;
    }
    const FcValue *const found = find_path(context->attributes, context->attribute_count, &path, &context->hints[slot]);
    if (found)
        convert(found, out);
    else
        *out = fcs_missing();
}
