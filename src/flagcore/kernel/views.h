/* Views: a value to a small integer class (kernel.h, "views"), and automata to masks of matched tests. SAFETY: fc_verify
 * has proved tables, classes, transitions and memo words.
 */
#ifndef FLAGCORE_VIEWS_H
#define FLAGCORE_VIEWS_H

#include "parse.h"
#include "sets.h"

enum { FC_CLASS_MISSING = 0, FC_CLASS_WRONG = 1 };

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

/* Eight bytes of a text from byte `from` <= length on, counted from its end for suffixes; the first is the highest of the word, and 0
 * stands for what is behind the text: where two such words differ, they order as the texts do. */
FC_INLINE uint64_t fc_affix_word(const uint8_t *bytes, uint32_t length, uint32_t from, int suffix, int fold) {
    const uint32_t left = length - from, lack = left < 8 ? 8 * (8 - left) : 0; /* bits */
    if (left == 0) return 0;
    if (length < 8) { /* read from both ends, so that nothing behind the text is touched */
        const uint64_t word = fc_short(bytes, length, fold).low;
        return suffix ? word << lack : __builtin_bswap64(word >> (8 * from));
    }
    if (suffix) return fc_load64(bytes + (left < 8 ? 0 : left - 8), fold) << lack;
    return __builtin_bswap64(fc_load64(bytes + (left < 8 ? length - 8 : from), fold) >> lack);
}

typedef struct { /* a pattern beside a text */
    uint32_t shared; /* bytes that are the same in both, from the beginning */
    int is_below;    /* the pattern comes first in byte order, or is the text or its beginning */
} FcBeside;

typedef struct { /* a text under way through the patterns of a view */
    const FcValue *value;
    int suffix, fold;
    uint32_t from;
    uint64_t word; /* of the text, from `from` on */
} FcAffixText;

FC_INLINE FcAffixText fc_affix_from(const FcValue *value, uint32_t from, int suffix, int fold) {
    return (FcAffixText){value, suffix, fold, from, fc_affix_word(value->u.bytes, value->length, from, suffix, fold)};
}

/* The bytes before text.from are known to be the same. */
FC_INLINE FcBeside fc_beside(FcAffixText text, const uint8_t *pattern, uint32_t length) {
    const uint32_t most = length < text.value->length ? length : text.value->length;
    uint64_t other = fc_affix_word(pattern, length, text.from, 0, 0);
    while (FC_UNLIKELY(text.word == other && most - text.from > 8)) {
        text = fc_affix_from(text.value, text.from + 8, text.suffix, text.fold);
        other = fc_affix_word(pattern, length, text.from, 0, 0);
    }
    if (FC_UNLIKELY(text.word == other)) return (FcBeside){most, length == most};
    const uint32_t shared = text.from + (uint32_t)__builtin_clzll(text.word ^ other) / 8;
    return (FcBeside){shared < most ? shared : most, other < text.word};
}

/* The longest pattern that begins the text. Every pattern between it and the text in byte order begins with it, so it is
 * the last pattern at or below the text, or one of that one's parents: those not longer than what the two share. What the text
 * shares with the patterns around those that are left it shares with all between, and that is not compared again. */
FC_INLINE uint32_t fc_class_affix(const FcView *view, const FcValue *value, const uint8_t *program, int suffix) {
    if (value->type != FC_TEXT) return FC_CLASS_WRONG;
    const FcAffix *const patterns = fc_at(program, view->data);
    const int fold = view->flags & FC_VIEW_FOLD;
    uint32_t low = 0, high = view->count, below = 0, above = 0;
    FcAffixText text = fc_affix_from(value, 0, suffix, fold);
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2, same = below < above ? below : above;
        if (same != text.from) text = fc_affix_from(value, same, suffix, fold);
        const FcBeside beside = fc_beside(text, program + patterns[middle].text.offset, patterns[middle].text.length);
        low = beside.is_below ? middle + 1 : low;
        high = beside.is_below ? high : middle;
        below = beside.is_below ? beside.shared : below;
        above = beside.is_below ? above : beside.shared;
    }
    uint32_t at = low ? low - 1 : FC_NONE;
    while (at != FC_NONE && patterns[at].text.length > below) at = patterns[at].parent;
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
