/* Tests by column: the truth of one node for all rows that wait at it, in a loop made for the test and for how the column
 * lies in memory. What has no such loop is read and tested row by row, as the walk does it. SAFETY: as in fields.h.
 *
 * A code is FC_FALSE, FC_TRUE or FC_UNKNOWN. The loops are inlined with constants (width, whether there are nulls), so that
 * each use is a loop of its own. Tried and lost: one loop that asks for the width at each row (half as fast).
 */
#ifndef FLAGCORE_COLUMNS_TESTS_H
#define FLAGCORE_COLUMNS_TESTS_H

#include "fields.h"
#include "walk.h"

typedef struct { /* rows of a batch, as elements and bits of a field */
    const FcField *field;
    const uint16_t *rows; /* count of them; NULL: the first `count` rows of the batch, in order */
    uint32_t count;
    int64_t at;  /* element of the batch's row 0 */
    int64_t bit; /* likewise in validity */
} FcSpot;

enum { FC_NULLS = 1, FC_DENSE = 2 }; /* what a loop is made for, beside test and column */

FC_INLINE int fc_shape(const FcSpot *spot) {
    return (spot->field->validity ? FC_NULLS : 0) | (spot->rows ? 0 : FC_DENSE);
}

FC_INLINE uint32_t fc_row(const FcSpot *spot, uint32_t i, int shape) {
    return shape & FC_DENSE ? i : spot->rows[i];
}

FC_INLINE int fc_has_row(const FcSpot *spot, uint32_t row, int shape) {
    return !(shape & FC_NULLS) || fc_bit(spot->field->validity, spot->bit + row);
}

/* ---- presence ----------------------------------------------------------------------------------------------------------- */

static void fc_codes_has(const FcSpot *spot, uint8_t *codes) {
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot->count; i++) codes[i] = (uint8_t)fc_has_row(spot, fc_row(spot, i, shape), shape);
}

/* ---- booleans ------------------------------------------------------------------------------------------------------------ */

FC_INLINE void fc_codes_bits(const FcSpot *spot, uint8_t *codes, int shape) {
    for (uint32_t i = 0; i < spot->count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const int truth = fc_bit(spot->field->data, spot->at + row);
        codes[i] = (uint8_t)(fc_has_row(spot, row, shape) ? truth : FC_UNKNOWN);
    }
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------- */

FC_INLINE void fc_codes_number(const FcSpot *spot, const FcNode *node, uint8_t *codes, int kind, uint32_t width, int is_double, int shape) {
    const FcField *const field = spot->field;
    const uint32_t truths = node->flags & 7u;
    const uint64_t constant = node->immediate;
    FcValue value = {.type = kind == FC_FIELD_FLOAT ? FC_FLOAT : FC_INTEGER};
    for (uint32_t i = 0; i < spot->count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        if (kind == FC_FIELD_FLOAT)
            value.u.number = fc_float_at(field->data, spot->at + row, width);
        else
            value.u.integer = fc_signed_at(field->data, spot->at + row, width);
        const int order = fc_compare_number(&value, constant, is_double);
        const int truth = order == FC_UNORDERED ? FC_UNKNOWN : (int)(truths >> (order + 1) & 1);
        codes[i] = (uint8_t)(fc_has_row(spot, row, shape) ? truth : FC_UNKNOWN);
    }
}

FC_INLINE void fc_codes_number_of(const FcSpot *spot, const FcNode *node, uint8_t *codes, int kind, uint32_t width) {
    const int shape = fc_shape(spot);
    if (node->flags & FC_NODE_DOUBLE)
        fc_codes_number(spot, node, codes, kind, width, 1, shape);
    else if (shape == FC_DENSE)
        fc_codes_number(spot, node, codes, kind, width, 0, FC_DENSE);
    else
        fc_codes_number(spot, node, codes, kind, width, 0, shape);
}

static int fc_codes_numbers(const FcSpot *spot, const FcNode *node, uint8_t *codes) {
    switch (spot->field->kind << 8 | spot->field->width) {
    case FC_FIELD_SIGNED << 8 | 8:
        fc_codes_number_of(spot, node, codes, FC_FIELD_SIGNED, 8);
        return 1;
    case FC_FIELD_SIGNED << 8 | 4:
        fc_codes_number_of(spot, node, codes, FC_FIELD_SIGNED, 4);
        return 1;
    case FC_FIELD_FLOAT << 8 | 8:
        fc_codes_number_of(spot, node, codes, FC_FIELD_FLOAT, 8);
        return 1;
    case FC_FIELD_FLOAT << 8 | 4:
        fc_codes_number_of(spot, node, codes, FC_FIELD_FLOAT, 4);
        return 1;
    default:
        return 0;
    }
}

/* ---- texts: of TEXT fields whose batch is UTF-8, and of VIEW fields ---------------------------------------------------------------------------- */

FC_INLINE FcSpan fc_span_at(const FcSpot *spot, uint32_t row, uint32_t width) {
    const uint8_t *const offsets = spot->field->data;
    const int64_t at = spot->at + row;
    const uint64_t start = fc_unsigned_at(offsets, at, width);
    return (FcSpan){spot->field->bytes + start, fc_unsigned_at(offsets, at + 1, width) - start};
}

#define FC_VIEW_WIDTH 16u /* in place of a width of offsets: views, each of which is looked at */

/* The text of a row; no bytes: it is none. */
FC_INLINE FcSpan fc_sound_span(const FcSpot *spot, uint32_t row, uint32_t width) {
    if (width != FC_VIEW_WIDTH) return fc_span_at(spot, row, width);
    const FcSpan span = fc_view_span(spot->field, spot->at + row);
    return span.bytes && fc_is_utf8(span.bytes, (uint32_t)span.length) ? span : (FcSpan){NULL, 0};
}

/* Equality with a text of up to 8 bytes: the word is loaded where it reads inside the batch's bytes, else put together. */
FC_INLINE void fc_codes_short(const FcSpot *spot, const FcNode *node, uint8_t *codes, uint32_t width, const uint8_t *end, int shape) {
    const uint64_t wanted = node->immediate, length = node->length;
    const uint64_t mask = length == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * length) - 1;
    for (uint32_t i = 0; i < spot->count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcSpan span = fc_span_at(spot, row, width);
        uint64_t word;
        if (FC_LIKELY(end - span.bytes >= 8))
            word = fc_read64(span.bytes) & mask;
        else
            word = span.length == length ? fc_short(span.bytes, (uint32_t)length, 0).low : 0;
        const int truth = (span.length == length) & (word == wanted);
        codes[i] = (uint8_t)(fc_has_row(spot, row, shape) ? truth : FC_UNKNOWN);
    }
}

FC_INLINE FcValue fc_text_value(FcSpan span) {
    return (FcValue){.u.bytes = span.bytes, .length = (uint32_t)span.length, .type = FC_TEXT};
}

typedef int (*FcTruth)(const FcProgram *program, const FcNode *node, FcValue *value);

FC_INLINE void fc_codes_text(const FcSpot *spot, const FcProgram *program, const FcNode *node, uint8_t *codes, uint32_t width, FcTruth truth_of) {
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot->count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcSpan span = fc_sound_span(spot, row, width);
        FcValue value = fc_text_value(span);
        codes[i] = (uint8_t)(span.bytes && fc_has_row(spot, row, shape) ? truth_of(program, node, &value) : FC_UNKNOWN);
    }
}

FC_INLINE int fc_truth_text(const FcProgram *program, const FcNode *node, FcValue *value) {
    return fc_match_text(program, node, value);
}

FC_INLINE int fc_truth_affix(const FcProgram *program, const FcNode *node, FcValue *value) {
    return fc_match_affix(program, node, value);
}

FC_INLINE int fc_truth_version(const FcProgram *program, const FcNode *node, FcValue *value) {
    return fc_match_version(program, node, value);
}

FC_INLINE int fc_truth_in(const FcProgram *program, const FcNode *node, FcValue *value) {
    const FcSet *const set = fc_node_set(program, node);
    return set ? fc_has_text(set, value) : FC_FALSE;
}

FC_INLINE void fc_codes_gate(const FcSpot *spot, const FcNode *node, uint8_t *codes, uint32_t width, int shape) {
    const uint64_t seed = node->immediate;
    const uint32_t threshold = node->pool;
    for (uint32_t i = 0; i < spot->count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcSpan span = fc_sound_span(spot, row, width);
        codes[i] = FC_UNKNOWN;
        if (FC_LIKELY(span.length && fc_has_row(spot, row, shape))) codes[i] = fc_bucket_of(fc_xxh64(span.bytes, span.length, seed)) < threshold;
    }
}

FC_INLINE int fc_codes_texts_of(
    const FcSpot *spot, const FcProgram *program, const FcNode *node, uint8_t *codes, uint32_t width, const uint8_t *end) {
    const int shape = fc_shape(spot);
    switch (node->op) {
    case FC_OP_TEXT:
        if (node->length > 8 || node->flags & FC_NODE_FOLD || width == FC_VIEW_WIDTH)
            fc_codes_text(spot, program, node, codes, width, fc_truth_text);
        else if (shape == FC_DENSE)
            fc_codes_short(spot, node, codes, width, end, FC_DENSE);
        else
            fc_codes_short(spot, node, codes, width, end, shape);
        return 1;
    case FC_OP_IN:
        fc_codes_text(spot, program, node, codes, width, fc_truth_in);
        return 1;
    case FC_OP_PREFIX:
    case FC_OP_SUFFIX:
        fc_codes_text(spot, program, node, codes, width, fc_truth_affix);
        return 1;
    case FC_OP_VERSION:
        fc_codes_text(spot, program, node, codes, width, fc_truth_version);
        return 1;
    case FC_OP_GATE:
        if (shape == FC_DENSE)
            fc_codes_gate(spot, node, codes, width, FC_DENSE);
        else
            fc_codes_gate(spot, node, codes, width, shape);
        return 1;
    default:
        return 0;
    }
}

/* `end` of the bytes of the batch, of a TEXT. */
static int fc_codes_texts(const FcSpot *spot, const FcProgram *program, const FcNode *node, uint8_t *codes, const uint8_t *end) {
    if (spot->field->kind == FC_FIELD_VIEW) return fc_codes_texts_of(spot, program, node, codes, FC_VIEW_WIDTH, end);
    if (spot->field->width == 4) return fc_codes_texts_of(spot, program, node, codes, 4, end);
    return fc_codes_texts_of(spot, program, node, codes, 8, end);
}

/* ---- is a batch of texts UTF-8? ---------------------------------------------------------------------------------------------- */

static int fc_are_ascii(const uint8_t *p, uint64_t length) {
    uint64_t seen = 0, i = 0;
    for (; length - i >= 8; i += 8) seen |= fc_read64(p + i);
    for (; i < length; i++) seen |= p[i];
    return !(seen & UINT64_C(0x8080808080808080));
}

/* Every text of the batch by itself: joined they may be UTF-8 though they were cut within a character. */
FC_OUTLINE int fc_are_utf8(const FcField *field, int64_t at, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const FcSpan span = fc_text_span(field, at + i);
        if (span.length > UINT32_MAX || !fc_is_utf8(span.bytes, (uint32_t)span.length)) return 0;
    }
    return 1;
}

static int fc_is_sound_batch(const FcField *field, int64_t at, uint32_t count) {
    const uint64_t start = fc_unsigned_at(field->data, at, field->width), end = fc_unsigned_at(field->data, at + count, field->width);
    if (end - start <= UINT32_MAX && fc_are_ascii(field->bytes + start, end - start)) return 1;
    return fc_are_utf8(field, at, count);
}

#endif
