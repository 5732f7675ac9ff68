/* Exact numbers, text tables and value sets. SAFETY: fc_verify and fc_verify_set have proved every offset, and that a
 * probe of a table meets an empty entry.
 */
#ifndef FLAGCORE_SETS_H
#define FLAGCORE_SETS_H

#include "bytes.h"

enum { FC_FALSE = 0, FC_TRUE = 1, FC_UNKNOWN = 2 }; /* truth of a test */

#define FC_UNORDERED 2 /* beside -1, 0, 1 */

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* Exact for every int64 against every double. */
FC_INLINE int fc_compare_mixed(int64_t a, double b) {
    const int64_t exact = INT64_C(1) << 53;
    if (FC_LIKELY(a >= -exact && a <= exact)) {
        const double x = (double)a;
        return x < b ? -1 : x > b ? 1 : x == b ? 0 : FC_UNORDERED;
    }
    if (b >= 9223372036854775808.0) return -1;
    if (b < -9223372036854775808.0) return 1;
    if (b != b) return FC_UNORDERED;
    const int64_t cut = (int64_t)b; /* toward zero; beyond 2^53 a double has no fraction, below it decides nothing */
    return a < cut ? -1 : a > cut;
}

FC_INLINE int fc_compare_doubles(double a, double b) {
    return a < b ? -1 : a > b ? 1 : a == b ? 0 : FC_UNORDERED;
}

FC_INLINE int fc_reverse(int order) {
    return order == FC_UNORDERED ? order : -order;
}

/* A value against a constant: bits of an int64 or, with is_double, of a double. FC_UNORDERED: not a number. */
FC_INLINE int fc_compare_number(const FcValue *value, uint64_t bits, int is_double) {
    if (value->type == FC_INTEGER) {
        const int64_t a = value->u.integer, b = (int64_t)bits;
        return is_double ? fc_compare_mixed(a, fc_as_double(bits)) : a < b ? -1 : a > b;
    }
    if (value->type != FC_FLOAT) return FC_UNORDERED;
    if (is_double) return fc_compare_doubles(value->u.number, fc_as_double(bits));
    return fc_reverse(fc_compare_mixed((int64_t)bits, value->u.number));
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

FC_INLINE const FcEntry *fc_entries(const FcTable *table) {
    return fc_at(table, sizeof *table);
}

FC_INLINE uint64_t fc_entry_word(const FcEntry *entry, int half) {
    return fc_read64(fc_at(entry, 8 * (size_t)half));
}

/* An entry's value where it is an exit (FC_OP_LOOKUP); never FC_NONE. */
FC_INLINE uint32_t fc_table_exit(uint32_t meta) {
    return (meta & FC_LEAF) | (meta >> 8 & 0x7FFFFF);
}

FC_INLINE uint64_t fc_text_hash(FcValue *value) {
    if (!(value->done & FC_DONE_HASH)) {
        value->hash = fc_xxh64(value->u.bytes, value->length, 0);
        value->done |= FC_DONE_HASH;
    }
    return value->hash;
}

/* Look-ups return an entry's meta, 0: no such text. Keys of up to 12 bytes are compared as the two words of an entry, but for
 * the value; length + 1 is among them, so an empty entry equals no probe. */
#define FC_ENTRY_KEY UINT64_C(0xFFFFFFFF000000FF)

FC_INLINE int fc_is_entry(const FcEntry *entry, uint64_t first, uint64_t second) {
    return (fc_entry_word(entry, 0) & FC_ENTRY_KEY) == first && fc_entry_word(entry, 1) == second;
}

FC_INLINE uint32_t fc_find_short(const FcTable *table, FcShort key, uint32_t length, uint32_t at) {
    const FcEntry *const entries = fc_entries(table);
    const uint64_t first = (1 + length) | key.low << 32, second = key.low >> 32 | (uint64_t)key.high << 32;
    for (;;) {
        if (fc_is_entry(&entries[at], first, second) || entries[at].meta == 0) return entries[at].meta;
        if (++at == table->capacity) at = 0;
    }
}

FC_INLINE uint32_t fc_find_long(const FcTable *table, const FcValue *value, uint64_t hash, uint32_t at, int fold) {
    const FcEntry *const entries = fc_entries(table);
    const uint32_t bits = (uint32_t)(hash >> 24);
    for (; entries[at].meta; at = at + 1 == table->capacity ? 0 : at + 1) {
        const FcEntry *const entry = &entries[at];
        if ((uint8_t)entry->meta != 255 || entry->key[1] != value->length || entry->key[2] != bits) continue;
        const uint8_t *const key = fc_at(table, entry->key[0]);
        if (fold ? fc_equal_folded(value->u.bytes, key, value->length) : fc_equal(value->u.bytes, key, value->length)) return entry->meta;
    }
    return 0;
}

FC_INLINE uint32_t fc_find_linear(const FcTable *table, FcShort key, uint32_t length) {
    const FcEntry *const entries = fc_entries(table);
    const uint64_t first = (1 + length) | key.low << 32, second = key.low >> 32 | (uint64_t)key.high << 32;
    for (uint32_t i = 0; i < table->capacity; i++)
        if (fc_is_entry(&entries[i], first, second)) return entries[i].meta;
    return 0;
}

FC_INLINE uint32_t fc_home(const FcTable *table, uint64_t hash) {
    return (uint32_t)((hash >> 32) * table->capacity >> 32);
}

/* The meta of a text's entry, or 0. XXH64 of a long text is computed at most once an evaluation, of a folded one each time. */
FC_INLINE uint32_t fc_find_any(const FcTable *table, FcValue *value, int fold) {
    const uint32_t length = value->length;
    if (length < table->min_length || length > table->max_length) return 0;
    if (length > 12) {
        const uint64_t hash = fold ? fc_xxh64_folded(value->u.bytes, length, 0) : fc_text_hash(value);
        return fc_find_long(table, value, hash, fc_home(table, hash), fold);
    }
    const FcShort key = fc_short(value->u.bytes, length, fold);
    if (table->flags & FC_TABLE_LINEAR) return fc_find_linear(table, key, length);
    return fc_find_short(table, key, length, fc_home(table, fc_hash_short(key, length)));
}

FC_OUTLINE uint32_t fc_find_folded(const FcTable *table, FcValue *value) {
    return fc_find_any(table, value, 1);
}

FC_INLINE uint32_t fc_find_text(const FcTable *table, FcValue *value) {
    if (FC_UNLIKELY(table->flags & FC_TABLE_FOLD)) return fc_find_folded(table, value);
    return fc_find_any(table, value, 0);
}

/* ---- value sets ---------------------------------------------------------------------------------------------------- */

FC_INLINE int fc_has_text(const FcSet *set, FcValue *value) {
    if (!(set->kinds & FC_KIND_TEXT)) return FC_UNKNOWN;
    if (set->table && fc_find_any(fc_at(set, set->table), value, 0)) return FC_TRUE;
    return set->folded && fc_find_folded(fc_at(set, set->folded), value) != 0;
}

/* Binary search in the sorted constants of one kind. */
FC_INLINE int fc_search_number(const uint8_t *constants, uint32_t count, const FcValue *value, int is_double) {
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = fc_compare_number(value, fc_read64(constants + (size_t)middle * 8), is_double);
        if (order == 0) return FC_TRUE;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return FC_FALSE;
}

FC_OUTLINE int fc_has_number(const FcSet *set, const FcValue *value) {
    if (!(set->kinds & FC_KIND_NUMBER) || (value->type == FC_FLOAT && value->u.number != value->u.number)) return FC_UNKNOWN;
    if (fc_search_number(fc_at(set, set->integers), set->integer_count, value, 0)) return FC_TRUE;
    return value->type == FC_FLOAT && fc_search_number(fc_at(set, set->doubles), set->double_count, value, 1);
}

/* Is the value a member? Unknown: it is of a kind that does not occur. */
FC_INLINE int fc_has(const FcSet *set, FcValue *value) {
    switch (value->type) {
    case FC_TEXT:
        return fc_has_text(set, value);
    case FC_INTEGER:
    case FC_FLOAT:
        return fc_has_number(set, value);
    case FC_BOOLEAN:
        return set->kinds & FC_KIND_BOOLEAN ? (int)(set->booleans >> (value->u.integer != 0) & 1) : FC_UNKNOWN;
    default:
        return FC_UNKNOWN;
    }
}

/* Is some element of a list a member? Elements of other kinds are never equal to one. */
FC_OUTLINE int fc_contains(const FcSet *set, const FcValue *list) {
    if (list->type != FC_LIST) return FC_UNKNOWN;
    for (uint32_t i = 0; i < list->length; i++) {
        FcValue element = list->u.items[i];
        if (fc_has(set, &element) == FC_TRUE) return FC_TRUE;
    }
    return FC_FALSE;
}

#endif
