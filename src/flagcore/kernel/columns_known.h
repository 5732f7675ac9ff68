/* Dictionaries by column: a step is decided once for each distinct value, then every row's is a look-up by its index. SAFETY: as in
 * fields.h; indices are looked at, all of a batch at once where that suffices.
 */
#ifndef FLAGCORE_COLUMNS_KNOWN_H
#define FLAGCORE_COLUMNS_KNOWN_H

#include "columns_runner.h"

/* ---- filling --------------------------------------------------------------------------------------------------------------------- */

/* The least power of two that is not below a number, 2^31 at most. */
FC_INLINE uint32_t fc_power_above(uint32_t number) {
    uint32_t power = 1;
    while (power < number && power < FC_LEAF) power *= 2;
    return power;
}

static FcCell fc_distinct(const FcField *field, uint32_t index) {
    return index < (uint64_t)field->child->length && !fc_is_null(field->child, index) ? (FcCell){field->child, index} : (FcCell){NULL, 0};
}

/* Distinct value `index` of a dictionary, or null behind the last one. */
static void fc_read_distinct(const FcField *field, uint32_t index, FcValue *out, FcRoom *room) {
    const FcCell cell = fc_distinct(field, index);
    if (cell.field && fc_is_list(cell.field))
        fc_read_list(cell, out, room->items);
    else
        fc_read_scalar(cell, out, room->text);
}

/* What is beyond the distinct values is as null is. */
static void fc_pad_known(FcKnown *known) {
    for (uint32_t i = known->count; known->codes && i < known->room; i++) known->codes[i] = known->codes[i - 1];
    for (uint32_t i = known->count; known->targets && i < known->room; i++) known->targets[i] = known->targets[i - 1];
    known->is_filled = 1;
}

/* The dictionary whose values decide a station's step: the column itself, or for `contains` its lists' elements. NULL: there is none. */
static const FcField *fc_dictionary_of(const FcNode *node, const FcField *field) {
    if (field->kind == FC_FIELD_DICTIONARY) return field;
    const int is_searched = node && node->op == FC_OP_CONTAINS && fc_is_list(field);
    return is_searched && field->child->kind == FC_FIELD_DICTIONARY ? field->child : NULL;
}

/* `field` is the station's. */
static void fc_fill_known(FcRunner *runner, uint32_t station, const FcField *field, FcRoom *room) {
    FcKnown *const known = &runner->known[station];
    const FcNode *const node = fc_station_node(runner, station);
    const FcField *const dictionary = fc_dictionary_of(node, field);
    const FcSet *const set = dictionary == field ? NULL : fc_node_set(runner->columns->program, node);
    FcValue value;
    for (uint32_t i = 0; i < known->count; i++) {
        fc_read_distinct(dictionary, i, &value, room);
        if (dictionary != field)
            known->codes[i] = set && fc_has(set, &value) == FC_TRUE;
        else if (known->codes)
            known->codes[i] = fc_code_of(runner, node, &value);
        else
            known->targets[i] = fc_target_of(runner, station, &value);
    }
    fc_pad_known(known);
}

/* ---- indices ----------------------------------------------------------------------------------------------------------------------- */

/* Indices from here on name no distinct value; negative ones are large. */
FC_INLINE uint64_t fc_index_limit(const FcField *field, uint64_t last) {
    const uint64_t highest = UINT64_C(1) << (8 * field->width - 1);
    return field->flags & FC_FIELD_SIGN && highest < last ? highest : last;
}

FC_INLINE uint64_t fc_all_bits(const FcField *field, int64_t at, uint32_t count, uint32_t width) {
    const uint8_t *const p = (const uint8_t *)field->data + at * width;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < count; i++) seen |= fc_unsigned_at(p, i, width);
    return seen;
}

/* Does every index of the batch stand below a power of two, those of nulls included? */
static int fc_are_below(const FcField *field, int64_t at, uint32_t count, uint64_t power) {
    switch (field->width) {
    case 1:
        return fc_all_bits(field, at, count, 1) < power;
    case 2:
        return fc_all_bits(field, at, count, 2) < power;
    case 4:
        return fc_all_bits(field, at, count, 4) < power;
    default:
        return fc_all_bits(field, at, count, 8) < power;
    }
}

/* Can every index of this batch be used as it is, in tables of `room` entries? */
static int fc_are_inside(FcRunner *runner, uint32_t place, const FcField *field, uint32_t room) {
    int8_t *const note = &runner->soundness[place];
    if (*note == 0) return fc_is_noted(note, fc_are_below(field, field->offset + runner->first, runner->batch, fc_index_limit(field, room)));
    return *note > 0;
}

/* The index of a row's distinct value; the last one: null. */
FC_INLINE uint32_t fc_index_at(FcSpot spot, uint32_t row, uint32_t width, uint64_t limit, uint32_t last, int shape) {
    const uint64_t index = fc_unsigned_at(spot.data, spot.at + row, width);
    return index < limit && fc_has_row(spot, row, shape) ? (uint32_t)index : last;
}

/* ---- look-ups ----------------------------------------------------------------------------------------------------------------------- */

/* What a loop over indices is made for, beside FC_NULLS and FC_DENSE: none has to be compared with the limit. */
enum { FC_INSIDE = 4 };

FC_INLINE void fc_gather_codes(FcSpot spot, const FcKnown *known, uint8_t *codes, uint32_t width, int shape) {
    const uint32_t last = known->count - 1;
    const uint64_t limit = shape & FC_INSIDE ? UINT64_MAX : fc_index_limit(spot.field, last);
    const uint8_t *const steps = known->codes;
    for (uint32_t i = 0; i < spot.count; i++) codes[i] = steps[fc_index_at(spot, fc_row(spot, i, shape), width, limit, last, shape)];
}

FC_INLINE void fc_gather_codes_of(FcSpot spot, const FcKnown *known, uint8_t *codes, uint32_t width, int shape) {
    if (shape == (FC_DENSE | FC_INSIDE))
        fc_gather_codes(spot, known, codes, width, FC_DENSE | FC_INSIDE);
    else if (shape == FC_INSIDE)
        fc_gather_codes(spot, known, codes, width, FC_INSIDE);
    else
        fc_gather_codes(spot, known, codes, width, shape & ~FC_INSIDE);
}

/* The codes of the rows that wait, by their indices. `place` is the field's. */
static void fc_codes_known(FcRunner *runner, uint32_t place, FcSpot spot, const FcKnown *known, uint8_t *codes) {
    const int shape = fc_shape(spot) | (fc_are_inside(runner, place, spot.field, known->room) ? FC_INSIDE : 0);
    switch (spot.field->width) {
    case 1:
        fc_gather_codes_of(spot, known, codes, 1, shape);
        return;
    case 2:
        fc_gather_codes_of(spot, known, codes, 2, shape);
        return;
    case 4:
        fc_gather_codes_of(spot, known, codes, 4, shape);
        return;
    default:
        fc_gather_codes_of(spot, known, codes, 8, shape);
    }
}

static void fc_send_known(FcRunner *runner, FcSpot spot, const FcKnown *known) {
    const uint32_t last = known->count - 1, width = spot.field->width;
    const uint64_t limit = fc_index_limit(spot.field, last);
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        fc_send(runner, (uint16_t)row, known->targets[fc_index_at(spot, row, width, limit, last, shape)]);
    }
}

#endif
