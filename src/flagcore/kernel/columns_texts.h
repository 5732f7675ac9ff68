/* Tests of texts by column: of TEXT fields whose batch is UTF-8, and of VIEW fields. SAFETY: as in fields.h; columns_numbers.h says
 * what codes and loops are.
 */
#ifndef FLAGCORE_COLUMNS_TEXTS_H
#define FLAGCORE_COLUMNS_TEXTS_H

#include "columns_spots.h"

FC_INLINE FcSpan fc_span_at(FcSpot spot, uint32_t row, uint32_t width) {
    const uint8_t *const offsets = spot.data;
    const int64_t at = spot.at + row;
    const uint64_t start = fc_unsigned_at(offsets, at, width);
    return (FcSpan){spot.bytes + start, fc_unsigned_at(offsets, at + 1, width) - start};
}

#define FC_VIEW_WIDTH 16u /* in place of a width of offsets: views, each of which is looked at */

/* The text of a row; no bytes: it is none. */
FC_INLINE FcSpan fc_sound_span(FcSpot spot, uint32_t row, uint32_t width) {
    if (width != FC_VIEW_WIDTH) return fc_span_at(spot, row, width);
    const FcSpan span = fc_view_span(spot.field, spot.at + row);
    return span.bytes && fc_is_utf8(span.bytes, (uint32_t)span.length) ? span : (FcSpan){NULL, 0};
}

/* Equality with a text of up to 8 bytes: the word is loaded where it reads inside the batch's bytes, else put together. */
FC_INLINE void fc_codes_short(FcSpot spot, const FcNode *node, uint8_t *codes, uint32_t width, const uint8_t *end, int shape) {
    const uint64_t wanted = node->immediate, length = node->length;
    const uint64_t mask = length == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * length) - 1;
    for (uint32_t i = 0; i < spot.count; i++) {
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

FC_INLINE void fc_codes_text(FcSpot spot, const FcProgram *program, const FcNode *node, uint8_t *codes, uint32_t width, FcTruth truth_of) {
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) {
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

FC_INLINE int fc_truth_time(const FcProgram *program, const FcNode *node, FcValue *value) {
    (void)program;
    return fc_match_time(node, value);
}

FC_INLINE int fc_truth_address(const FcProgram *program, const FcNode *node, FcValue *value) {
    return fc_match_address(program, node, value);
}

FC_INLINE int fc_truth_pattern(const FcProgram *program, const FcNode *node, FcValue *value) {
    const FcAutomaton *const automaton = fc_at(program->bytes, fc_view_at(program, node->length)->data);
    return (fc_run_automaton(automaton, value->u.bytes, value->length) & node->immediate) != 0;
}

/* Texts are bucketable unless they are empty. */
FC_INLINE void fc_codes_bucketable(FcSpot spot, uint8_t *codes, uint32_t width, int shape) {
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        codes[i] = (uint8_t)(fc_sound_span(spot, row, width).length != 0 && fc_has_row(spot, row, shape));
    }
}

FC_INLINE void fc_codes_gate(FcSpot spot, const FcNode *node, uint8_t *codes, uint32_t width, int shape) {
    const uint64_t seed = node->immediate;
    const uint32_t threshold = node->pool;
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcSpan span = fc_sound_span(spot, row, width);
        codes[i] = FC_UNKNOWN;
        if (FC_LIKELY(span.length && fc_has_row(spot, row, shape))) codes[i] = fc_bucket_of(fc_xxh64(span.bytes, span.length, seed)) < threshold;
    }
}

FC_INLINE int fc_codes_texts_of(FcSpot spot, const FcProgram *program, const FcNode *node, uint8_t *codes, uint32_t width, const uint8_t *end) {
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
    case FC_OP_TIME:
        fc_codes_text(spot, program, node, codes, width, fc_truth_time);
        return 1;
    case FC_OP_ADDRESS:
        fc_codes_text(spot, program, node, codes, width, fc_truth_address);
        return 1;
    case FC_OP_MATCH:
        fc_codes_text(spot, program, node, codes, width, fc_truth_pattern);
        return 1;
    case FC_OP_BUCKETABLE:
        if (shape == FC_DENSE)
            fc_codes_bucketable(spot, codes, width, FC_DENSE);
        else
            fc_codes_bucketable(spot, codes, width, shape);
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
static int fc_codes_texts(FcSpot spot, const FcProgram *program, const FcNode *node, uint8_t *codes, const uint8_t *end) {
    if (spot.field->kind == FC_FIELD_VIEW) return fc_codes_texts_of(spot, program, node, codes, FC_VIEW_WIDTH, end);
    if (spot.field->width == 4) return fc_codes_texts_of(spot, program, node, codes, 4, end);
    return fc_codes_texts_of(spot, program, node, codes, 8, end);
}

#endif
