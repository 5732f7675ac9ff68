/* Views: a value to a small integer class (kernel.h, "views"), and automata to masks of matched tests. SAFETY: fc_verify
 * has proved tables, classes, transitions and memo words.
 */
#ifndef FLAGCORE_VIEWS_H
#define FLAGCORE_VIEWS_H

#include "parse.h"
#include "sets.h"

enum { FC_CLASS_MISSING = 0, FC_CLASS_WRONG = 1, FC_CLASS_FIRST = 2 };

/* ---- ordered views: gap, point, gap, ... --------------------------------------------------------------------------- */

FC_INLINE uint32_t fc_class_number(const FcNumber *constants, uint32_t count, const FcValue *value) {
    if (value->type != FC_INTEGER && !(value->type == FC_FLOAT && value->u.number == value->u.number)) return FC_CLASS_WRONG;
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = fc_compare_number(value, constants[middle].bits, (int)constants[middle].is_double);
        if (order == 0) return 3 + 2 * middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 2 + 2 * low;
}

FC_INLINE uint32_t fc_class_version(const FcVersion *constants, uint32_t count, FcValue *value, const uint8_t *program) {
    if (!fc_version_value(value)) return FC_CLASS_WRONG;
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = fc_compare_version(value, &constants[middle], program);
        if (order == 0) return 3 + 2 * middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 2 + 2 * low;
}

FC_INLINE uint32_t fc_class_time(const int64_t *constants, uint32_t count, FcValue *value) {
    int64_t micros;
    if (!fc_time_value(value, &micros)) return FC_CLASS_WRONG;
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (micros == constants[middle]) return 3 + 2 * middle;
        if (micros < constants[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return 2 + 2 * low;
}

/* How many of the ascending addresses are at or below this one? */
FC_INLINE uint32_t fc_count_addresses(const FcAddress *cuts, uint32_t count, const FcAddress *address) {
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (fc_order_addresses(&cuts[middle], address) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

FC_INLINE uint32_t fc_class_address(const FcAddress *cuts, uint32_t count, const FcValue *value) {
    FcAddress address;
    if (value->type != FC_TEXT || !fc_parse_address(value->u.bytes, value->length, &address)) return FC_CLASS_WRONG;
    return 2 + fc_count_addresses(cuts, count, &address);
}

/* ---- prefixes and suffixes ------------------------------------------------------------------------------------------- */

/* Byte i of a text, counted from its end for suffixes. */
FC_INLINE uint8_t fc_text_byte(const FcValue *value, uint32_t i, int suffix, int fold) {
    return fc_load8(value->u.bytes + (suffix ? value->length - 1 - i : i), fold);
}

/* How many bytes a pattern and the text share at their beginning. */
FC_INLINE uint32_t fc_shared(const FcValue *value, const uint8_t *pattern, uint32_t length, int suffix, int fold) {
    const uint32_t most = length < value->length ? length : value->length;
    uint32_t n = 0;
    while (n < most && fc_text_byte(value, n, suffix, fold) == pattern[n]) n++;
    return n;
}

/* The longest pattern that begins the text. Every pattern between it and the text in byte order begins with it, so it is
 * the last pattern at or below the text, or one of that one's parents: those not longer than what the two share. */
FC_INLINE uint32_t fc_class_affix(const FcView *view, const FcValue *value, const uint8_t *program, int suffix) {
    if (value->type != FC_TEXT) return FC_CLASS_WRONG;
    const FcAffix *const patterns = fc_at(program, view->data);
    const int fold = view->flags & FC_VIEW_FOLD;
    uint32_t low = 0, high = view->count, shared = 0;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2, length = patterns[middle].text.length;
        const uint8_t *const pattern = program + patterns[middle].text.offset;
        const uint32_t n = fc_shared(value, pattern, length, suffix, fold);
        if (n == length || (n < value->length && pattern[n] < fc_text_byte(value, n, suffix, fold))) {
            low = middle + 1;
            shared = n;
        } else {
            high = middle;
        }
    }
    uint32_t at = low ? low - 1 : FC_NONE;
    while (at != FC_NONE && patterns[at].text.length > shared) at = patterns[at].parent;
    return at == FC_NONE ? 2 : 3 + at;
}

/* ---- others --------------------------------------------------------------------------------------------------------- */

FC_INLINE uint32_t fc_class_text(const FcTable *table, FcValue *value) {
    if (value->type != FC_TEXT) return FC_CLASS_WRONG;
    const uint32_t meta = fc_find_text(table, value);
    return meta ? meta >> 8 : 2;
}

/* A linked set that is absent holds nothing, and nothing is of a wrong kind for it. */
FC_INLINE uint32_t fc_class_set(const FcSet *set, FcValue *value) {
    const int truth = set ? fc_has(set, value) : FC_FALSE;
    return truth == FC_UNKNOWN ? FC_CLASS_WRONG : truth == FC_TRUE ? 3 : 2;
}

FC_INLINE const FcSet *fc_view_set(const FcProgram *program, const FcView *view) {
    return view->link == FC_NONE ? fc_at(program->bytes, view->data) : program->links[view->link];
}

FC_OUTLINE uint32_t fc_classify_rest(const FcProgram *program, const FcView *view, FcValue *value) {
    const uint8_t *const bytes = program->bytes;
    const void *const data = fc_at(bytes, view->data);
    switch (view->kind) {
    case FC_VIEW_BOOLEAN:
        return value->type == FC_BOOLEAN ? 2 + (value->u.integer != 0) : FC_CLASS_WRONG;
    case FC_VIEW_NUMBER:
        return fc_class_number(data, view->count, value);
    case FC_VIEW_VERSION:
        return fc_class_version(data, view->count, value, bytes);
    case FC_VIEW_TIME:
        return fc_class_time(data, view->count, value);
    case FC_VIEW_ADDRESS:
        return fc_class_address(data, view->count, value);
    case FC_VIEW_PREFIX:
        return fc_class_affix(view, value, bytes, 0);
    case FC_VIEW_SUFFIX:
        return fc_class_affix(view, value, bytes, 1);
    case FC_VIEW_SET:
        return fc_class_set(fc_view_set(program, view), value);
    default: /* FC_VIEW_PRESENCE */
        return 2;
    }
}

/* The class of a value, below view->classes. Not for automata. */
FC_INLINE uint32_t fc_classify(const FcProgram *program, const FcView *view, FcValue *value) {
    if (value->type <= FC_NULL) return FC_CLASS_MISSING;
    if (FC_LIKELY(view->kind == FC_VIEW_TEXT)) return fc_class_text(fc_at(program->bytes, view->data), value);
    return fc_classify_rest(program, view, value);
}

/* Which tests of the automaton hold for a text. */
FC_OUTLINE uint64_t fc_run_automaton(const FcAutomaton *automaton, const uint8_t *p, uint32_t length) {
    const uint8_t *const classes = fc_at(automaton, sizeof *automaton);
    const uint16_t *const transitions = fc_at(automaton, automaton->transitions);
    const uint64_t *const masks = fc_at(automaton, automaton->masks);
    const size_t width = automaton->class_count;
    const uint64_t all = automaton->all;
    size_t state = automaton->start;
    uint64_t mask = masks[state];
    for (uint32_t i = 0; i < length && state && mask != all; i++) {
        state = transitions[state * width + classes[p[i]]];
        mask |= masks[state];
    }
    return mask | masks[transitions[state * width + width - 1]];
}

#endif
