/* Tests of presence, booleans, numbers and times by column: the truth of one node for all rows that wait at it, in a loop made for the
 * test and for how the column lies in memory. SAFETY: as in fields.h.
 *
 * A code is FC_FALSE, FC_TRUE or FC_UNKNOWN. The loops are inlined with constants (width, whether there are nulls), so that
 * each use is a loop of its own. Tried and lost: one loop that asks for the width at each row (half as fast); an order of -1, 0 or 1
 * that is looked up among the node's truths (twice the time of a range).
 */
#ifndef FLAGCORE_COLUMNS_NUMBERS_H
#define FLAGCORE_COLUMNS_NUMBERS_H

#include "columns_spots.h"

/* ---- presence ----------------------------------------------------------------------------------------------------------- */

static void fc_codes_has(FcSpot spot, uint8_t *codes) {
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) codes[i] = (uint8_t)fc_has_row(spot, fc_row(spot, i, shape), shape);
}

/* One truth for all rows but null ones. */
static void fc_codes_not_null(FcSpot spot, uint8_t *codes, int truth) {
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) codes[i] = (uint8_t)(fc_has_row(spot, fc_row(spot, i, shape), shape) ? truth : FC_UNKNOWN);
}

/* ---- booleans ------------------------------------------------------------------------------------------------------------ */

FC_INLINE void fc_codes_bits(FcSpot spot, uint8_t *codes, int shape) {
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const int truth = fc_bit(spot.data, spot.at + row);
        codes[i] = (uint8_t)(fc_has_row(spot, row, shape) ? truth : FC_UNKNOWN);
    }
}

static void fc_codes_booleans(FcSpot spot, uint8_t *codes) {
    const uint8_t *const bytes = spot.data + spot.at;
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        codes[i] = (uint8_t)(fc_has_row(spot, row, shape) ? bytes[row] != 0 : FC_UNKNOWN);
    }
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------- */

FC_INLINE void fc_codes_number(FcSpot spot, const FcNode *node, uint8_t *codes, int kind, uint32_t width, int is_double, int shape) {
    const FcField *const field = spot.field;
    const uint32_t truths = node->flags & 7u;
    const uint64_t constant = node->immediate;
    FcValue value = {.type = kind == FC_FIELD_FLOAT ? FC_FLOAT : FC_INTEGER};
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        if (kind == FC_FIELD_FLOAT)
            value.u.number = fc_float_at(field->data, spot.at + row, width);
        else
            value.u.integer = fc_signed_at(field->data, spot.at + row, width);
        const int order = fc_compare_number(&value, constant, is_double);
        const int truth = order == FC_UNORDERED ? FC_UNKNOWN : (int)(truths >> (order + 1) & 1);
        codes[i] = (uint8_t)(fc_has_row(spot, row, shape) ? truth : FC_UNKNOWN);
    }
}

/* Integers that stand in one range, or outside of it: every comparison with an integer is one. */
typedef struct {
    uint64_t start; /* of the range, as are all integers here: two's complement */
    uint64_t size;
    uint32_t outside; /* 1: those outside */
} FcInterval;

/* Turn a comparison into a range; 0: its constant is a double, or no integer is beyond it. */
static int fc_interval_of(const FcNode *node, FcInterval *out) {
    const uint64_t lowest = (uint64_t)INT64_MIN, constant = node->immediate;
    const uint32_t truths = node->flags & 7u;
    if (node->flags & FC_NODE_DOUBLE) return 0;
    switch (truths) {
    case FC_NODE_EQ:
    case FC_NODE_LT | FC_NODE_GT:
        *out = (FcInterval){constant, 1, truths != FC_NODE_EQ};
        return 1;
    case FC_NODE_LT:
    case FC_NODE_EQ | FC_NODE_GT:
        *out = (FcInterval){lowest, constant - lowest, truths != FC_NODE_LT};
        return 1;
    case FC_NODE_LT | FC_NODE_EQ:
    case FC_NODE_GT:
        *out = (FcInterval){lowest, constant - lowest + 1, truths == FC_NODE_GT};
        return constant != (uint64_t)INT64_MAX;
    default:
        return 0;
    }
}

FC_INLINE void fc_codes_range(FcSpot spot, FcInterval range, uint8_t *codes, uint32_t width, int is_signed, int shape) {
    const void *const data = spot.data;
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const int64_t at = spot.at + row;
        const uint64_t number = is_signed ? (uint64_t)fc_signed_at(data, at, width) : fc_unsigned_at(data, at, width);
        const uint32_t truth = (uint32_t)(number - range.start < range.size) ^ range.outside;
        codes[i] = (uint8_t)(fc_has_row(spot, row, shape) ? truth : FC_UNKNOWN);
    }
}

FC_INLINE int fc_codes_range_of(FcSpot spot, FcInterval range, uint8_t *codes, uint32_t width, int is_signed) {
    if (fc_shape(spot) == FC_DENSE)
        fc_codes_range(spot, range, codes, width, is_signed, FC_DENSE);
    else
        fc_codes_range(spot, range, codes, width, is_signed, fc_shape(spot));
    return 1;
}

/* Integers of all widths but unsigned ones of 8 bytes, which are no numbers beyond 2^63 - 1. */
static int fc_codes_integers(FcSpot spot, FcInterval range, uint8_t *codes) {
    switch (spot.field->kind << 8 | spot.field->width) {
    case FC_FIELD_SIGNED << 8 | 8:
        return fc_codes_range_of(spot, range, codes, 8, 1);
    case FC_FIELD_SIGNED << 8 | 4:
        return fc_codes_range_of(spot, range, codes, 4, 1);
    case FC_FIELD_SIGNED << 8 | 2:
        return fc_codes_range_of(spot, range, codes, 2, 1);
    case FC_FIELD_SIGNED << 8 | 1:
        return fc_codes_range_of(spot, range, codes, 1, 1);
    case FC_FIELD_UNSIGNED << 8 | 4:
        return fc_codes_range_of(spot, range, codes, 4, 0);
    case FC_FIELD_UNSIGNED << 8 | 2:
        return fc_codes_range_of(spot, range, codes, 2, 0);
    case FC_FIELD_UNSIGNED << 8 | 1:
        return fc_codes_range_of(spot, range, codes, 1, 0);
    default:
        return 0;
    }
}

FC_INLINE int fc_codes_number_of(FcSpot spot, const FcNode *node, uint8_t *codes, int kind, uint32_t width) {
    const int shape = fc_shape(spot);
    if (node->flags & FC_NODE_DOUBLE)
        fc_codes_number(spot, node, codes, kind, width, 1, shape);
    else
        fc_codes_number(spot, node, codes, kind, width, 0, shape);
    return 1;
}

static int fc_codes_numbers(FcSpot spot, const FcNode *node, uint8_t *codes) {
    FcInterval range;
    if (fc_interval_of(node, &range) && fc_codes_integers(spot, range, codes)) return 1;
    switch (spot.field->kind << 8 | spot.field->width) {
    case FC_FIELD_SIGNED << 8 | 8:
        return fc_codes_number_of(spot, node, codes, FC_FIELD_SIGNED, 8);
    case FC_FIELD_SIGNED << 8 | 4:
        return fc_codes_number_of(spot, node, codes, FC_FIELD_SIGNED, 4);
    case FC_FIELD_FLOAT << 8 | 8:
        return fc_codes_number_of(spot, node, codes, FC_FIELD_FLOAT, 8);
    case FC_FIELD_FLOAT << 8 | 4:
        return fc_codes_number_of(spot, node, codes, FC_FIELD_FLOAT, 4);
    default:
        return 0;
    }
}

/* ---- times ---------------------------------------------------------------------------------------------------------------- */

/* A range of microseconds in a column's smaller units, which are cut downwards; 0: an end is beyond them. */
static int fc_interval_in_units(FcInterval *range, int64_t units) {
    int64_t start, end;
    if (__builtin_mul_overflow((int64_t)(range->start + range->size), units, &end)) return 0;
    if (range->start == (uint64_t)INT64_MIN)
        start = INT64_MIN;
    else if (__builtin_mul_overflow((int64_t)range->start, units, &start))
        return 0;
    range->start = (uint64_t)start;
    range->size = (uint64_t)end - (uint64_t)start;
    return 1;
}

/* Moments in units of `factor` microseconds; what does not fit is unknown. */
static void fc_codes_moments(FcSpot spot, FcInterval range, uint8_t *codes) {
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        int64_t micros;
        const int is_beyond = __builtin_mul_overflow(fc_signed_at(spot.data, spot.at + row, 8), spot.field->factor, &micros);
        const uint32_t truth = (uint32_t)((uint64_t)micros - range.start < range.size) ^ range.outside;
        codes[i] = (uint8_t)(!is_beyond && fc_has_row(spot, row, shape) ? truth : FC_UNKNOWN);
    }
}

static int fc_codes_times(FcSpot spot, const FcNode *node, uint8_t *codes) {
    const int64_t factor = spot.field->factor;
    FcInterval range;
    if (spot.field->kind != FC_FIELD_TIME || !fc_interval_of(node, &range)) return 0;
    if (factor == 1 || (factor < 0 && fc_interval_in_units(&range, -factor))) return fc_codes_range_of(spot, range, codes, 8, 1);
    if (factor < 0) return 0;
    fc_codes_moments(spot, range, codes);
    return 1;
}

#endif
