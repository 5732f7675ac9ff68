/* By node: all rows that wait at a station take their step in one go. A test gives each row a code, then the codes are dealt
 * to lists and outcomes without branches; where there are many ways, each row is sent by itself. SAFETY: as in walk.h; fields
 * as in fields.h.
 */
#ifndef FLAGCORE_COLUMNS_STEPS_H
#define FLAGCORE_COLUMNS_STEPS_H

#include "columns_tests.h"

#define FC_MOST_STATIONS 2048u
#define FC_KNOWN_ENTRIES (1u << 20) /* of all dictionaries together: 4 MB a runner */

typedef struct { /* what a row's values may point into */
    FcValue *items;
    uint8_t text[FC_ROOM_BYTES];
} FcRoom;

typedef struct { /* rows of a batch that wait at a station; one more is written than is counted */
    uint16_t rows[FC_BATCH + 8];
} FcList;

typedef struct { /* what a station does with each distinct value of its column's dictionary, the last one for null */
    uint8_t *codes;    /* of a test; NULL: not kept */
    uint32_t *targets; /* of others; NULL: not kept */
    uint32_t is_filled;
    uint32_t count;
} FcKnown;

struct FcRunner {
    const FcColumns *columns;
    FcFrame frame;
    FcRoom *rooms;
    uint32_t *touched; /* places fetched for this row */
    int64_t row;       /* the row, or the first of the batch */
    uint32_t touched_count;
    int by_node;
    uint32_t stations;
    uint32_t *targets; /* by leaf: FC_LEAF | outcome, or its station */
    uint32_t *split_leaves;
    uint32_t *counts; /* by station */
    uint8_t *dense;   /* by station: the first rows of the batch wait there, in order, and stand in no list */
    FcList *lists;
    FcKnown *known;
    uint32_t *outcomes;
    int8_t *soundness; /* by place, of texts of this batch: 0 not looked at, 1 UTF-8, -1 not */
    uint32_t batch;    /* rows of this batch */
};

/* ---- stations: the nodes, then the leaves that split ----------------------------------------------------------------------- */

static uint32_t fc_count_stations(const FcProgram *program) {
    const FcHeader *const header = fc_header(program);
    uint32_t count = header->node_count;
    for (uint32_t i = 0; i < header->leaf_count; i++) count += program->leaves[i].kind == FC_LEAF_SPLIT;
    return count;
}

/* Every step must be one that a row takes by the value of one field. */
static int fc_goes_by_node(const FcProgram *program) {
    return !program->detours && fc_count_stations(program) <= FC_MOST_STATIONS;
}

FC_INLINE const FcNode *fc_station_node(const FcRunner *runner, uint32_t station) {
    const FcProgram *const program = runner->columns->program;
    return station < fc_header(program)->node_count ? &program->nodes[station] : NULL;
}

FC_INLINE uint32_t fc_station_leaf(const FcRunner *runner, uint32_t station) {
    return runner->split_leaves[station - fc_header(runner->columns->program)->node_count];
}

FC_INLINE uint32_t fc_station_slot(const FcRunner *runner, uint32_t station) {
    const FcNode *const node = fc_station_node(runner, station);
    return node ? node->slot : runner->columns->program->leaves[fc_station_leaf(runner, station)].slot;
}

/* Nodes with three exits, whose steps are codes. */
FC_INLINE int fc_is_test(const FcNode *node) {
    return node && node->op != FC_OP_SWITCH && node->op != FC_OP_LOOKUP;
}

FC_INLINE uint32_t fc_target(const FcRunner *runner, uint32_t exit) {
    return exit & FC_LEAF ? runner->targets[exit & ~FC_LEAF] : exit;
}

/* Rows that come to a station one by one need its list. */
FC_INLINE void fc_open_list(FcRunner *runner, uint32_t station) {
    if (FC_LIKELY(!runner->dense[station])) return;
    runner->dense[station] = 0;
    for (uint32_t i = 0; i < runner->counts[station]; i++) runner->lists[station].rows[i] = (uint16_t)i;
}

FC_INLINE void fc_send(FcRunner *runner, uint16_t row, uint32_t target) {
    if (target & FC_LEAF)
        runner->outcomes[row] = target & ~FC_LEAF;
    else {
        fc_open_list(runner, target);
        runner->lists[target].rows[runner->counts[target]++] = row;
    }
}

/* ---- one value's step ----------------------------------------------------------------------------------------------------------- */

/* Memo words belong to one row: nothing is kept from the row before. */
FC_INLINE uint32_t fc_exit_of(FcRunner *runner, const FcNode *node, FcValue *value) {
    const FcProgram *const program = runner->columns->program;
    if (program->memo_count) fc_forget(program, &runner->frame);
    return fc_step(program, &runner->frame, node, value);
}

/* Exits that are equal need no telling apart. */
FC_INLINE uint8_t fc_code_of(FcRunner *runner, const FcNode *node, FcValue *value) {
    const uint32_t exit = fc_exit_of(runner, node, value);
    return exit == node->on_true ? FC_TRUE : exit == node->on_false ? FC_FALSE : FC_UNKNOWN;
}

FC_INLINE uint32_t fc_target_of(FcRunner *runner, uint32_t station, FcValue *value) {
    const FcProgram *const program = runner->columns->program;
    const FcNode *const node = fc_station_node(runner, station);
    if (node) return fc_target(runner, fc_exit_of(runner, node, value));
    if (program->memo_count) fc_forget(program, &runner->frame);
    return FC_LEAF | fc_split(program, &runner->frame, fc_station_leaf(runner, station), value).outcome;
}

/* ---- dealing -------------------------------------------------------------------------------------------------------------------- */

/* Append the rows whose code is among the bits of `wanted` to a station's list. */
static void fc_deal_list(FcRunner *runner, uint32_t target, const FcSpot *spot, const uint8_t *codes, uint32_t wanted) {
    fc_open_list(runner, target);
    uint16_t *const list = runner->lists[target].rows;
    uint32_t n = runner->counts[target];
    if (spot->rows)
        for (uint32_t i = 0; i < spot->count; i++) {
            list[n] = spot->rows[i];
            n += wanted >> codes[i] & 1;
        }
    else
        for (uint32_t i = 0; i < spot->count; i++) {
            list[n] = (uint16_t)i;
            n += wanted >> codes[i] & 1;
        }
    runner->counts[target] = n;
}

/* All rows of a station go one way. */
static void fc_deal_all(FcRunner *runner, uint32_t target, const FcSpot *spot) {
    if (target & FC_LEAF) {
        for (uint32_t i = 0; i < spot->count; i++) runner->outcomes[fc_row(spot, i, fc_shape(spot))] = target & ~FC_LEAF;
        return;
    }
    if (spot->rows == NULL && runner->counts[target] == 0) {
        runner->dense[target] = 1;
    } else {
        fc_open_list(runner, target);
        uint16_t *const list = runner->lists[target].rows + runner->counts[target];
        for (uint32_t i = 0; i < spot->count; i++) list[i] = (uint16_t)fc_row(spot, i, fc_shape(spot));
    }
    runner->counts[target] += spot->count;
}

static void fc_deal_outcomes(FcRunner *runner, const uint32_t outcomes[4], const FcSpot *spot, const uint8_t *codes) {
    if (spot->rows)
        for (uint32_t i = 0; i < spot->count; i++) runner->outcomes[spot->rows[i]] = outcomes[codes[i] & 3];
    else
        for (uint32_t i = 0; i < spot->count; i++) runner->outcomes[i] = outcomes[codes[i] & 3];
}

/* Bit c: code c occurs. Often all rows fail a test, or nearly. */
static uint32_t fc_codes_seen(const uint8_t *codes, uint32_t count) {
    uint8_t set = 0, below = 0;
    for (uint32_t i = 0; i < count; i++) {
        set |= codes[i];
        below |= (uint8_t)(codes[i] - 1);
    }
    return (uint32_t)(below >> 7) | (set & 3u) << 1;
}

/* Bit c: code c has the target of `code`, too. */
FC_INLINE uint32_t fc_same_target(const uint32_t targets[3], uint32_t code) {
    uint32_t same = 0;
    for (uint32_t other = 0; other < 3; other++) same |= (uint32_t)(targets[other] == targets[code]) << other;
    return same;
}

/* Rows on their way to another station get any outcome here; it is overwritten when they arrive. */
static void fc_deal(FcRunner *runner, const FcNode *node, const FcSpot *spot, const uint8_t *codes) {
    const uint32_t targets[3] = {fc_target(runner, node->on_false), fc_target(runner, node->on_true), fc_target(runner, node->on_unknown)};
    const uint32_t outcomes[4] = {targets[0] & ~FC_LEAF, targets[1] & ~FC_LEAF, targets[2] & ~FC_LEAF, 0};
    const uint32_t leaves = targets[0] >> 31 | targets[1] >> 31 << 1 | targets[2] >> 31 << 2;
    uint32_t seen = fc_codes_seen(codes, spot->count);
    const uint32_t first = (uint32_t)__builtin_ctz(seen);
    if ((seen & ~fc_same_target(targets, first)) == 0) {
        fc_deal_all(runner, targets[first], spot);
        return;
    }
    if (seen & leaves) fc_deal_outcomes(runner, outcomes, spot, codes);
    for (seen &= ~leaves; seen; seen &= ~fc_same_target(targets, (uint32_t)__builtin_ctz(seen))) {
        const uint32_t code = (uint32_t)__builtin_ctz(seen);
        fc_deal_list(runner, targets[code], spot, codes, fc_same_target(targets, code));
    }
}

/* ---- dictionaries: one step a distinct value ------------------------------------------------------------------------------------ */

static FcCell fc_distinct(const FcField *field, uint32_t index) {
    return index < (uint64_t)field->child->length && !fc_is_null(field->child, index) ? (FcCell){field->child, index} : (FcCell){NULL, 0};
}

static void fc_fill_known(FcRunner *runner, uint32_t station, const FcField *field, FcRoom *room) {
    FcKnown *const known = &runner->known[station];
    const FcNode *const node = fc_station_node(runner, station);
    FcValue value;
    for (uint32_t i = 0; i < known->count; i++) {
        const FcCell cell = fc_distinct(field, i);
        if (cell.field && fc_is_list(cell.field))
            fc_read_list(cell, &value, room->items);
        else
            fc_read_scalar(cell, &value, room->text);
        if (known->codes)
            known->codes[i] = fc_code_of(runner, node, &value);
        else
            known->targets[i] = fc_target_of(runner, station, &value);
    }
    known->is_filled = 1;
}

/* Indices from here on name no distinct value; negative ones are large. */
FC_INLINE uint32_t fc_index_limit(const FcField *field, uint32_t last) {
    const uint64_t highest = UINT64_C(1) << (8 * field->width - 1);
    return field->flags & FC_FIELD_SIGN && highest < last ? (uint32_t)highest : last;
}

/* The index of a row's distinct value; the last one: null. */
FC_INLINE uint32_t fc_index_at(const FcSpot *spot, uint32_t row, uint32_t width, uint32_t limit, uint32_t last, int shape) {
    const uint64_t index = fc_unsigned_at(spot->field->data, spot->at + row, width);
    return index < limit && fc_has_row(spot, row, shape) ? (uint32_t)index : last;
}

FC_INLINE void fc_gather_codes(const FcSpot *spot, const FcKnown *known, uint8_t *codes, uint32_t width, int shape) {
    const uint32_t last = known->count - 1, limit = fc_index_limit(spot->field, last), count = spot->count;
    const uint8_t *const steps = known->codes;
    for (uint32_t i = 0; i < count; i++) codes[i] = steps[fc_index_at(spot, fc_row(spot, i, shape), width, limit, last, shape)];
}

FC_INLINE void fc_gather_codes_of(const FcSpot *spot, const FcKnown *known, uint8_t *codes, uint32_t width) {
    if (fc_shape(spot) == FC_DENSE)
        fc_gather_codes(spot, known, codes, width, FC_DENSE);
    else
        fc_gather_codes(spot, known, codes, width, fc_shape(spot));
}

static void fc_codes_known(const FcSpot *spot, const FcKnown *known, uint8_t *codes) {
    switch (spot->field->width) {
    case 1:
        fc_gather_codes_of(spot, known, codes, 1);
        return;
    case 2:
        fc_gather_codes_of(spot, known, codes, 2);
        return;
    case 4:
        fc_gather_codes_of(spot, known, codes, 4);
        return;
    default:
        fc_gather_codes_of(spot, known, codes, 8);
    }
}

static void fc_send_known(FcRunner *runner, const FcSpot *spot, const FcKnown *known) {
    const uint32_t last = known->count - 1, limit = fc_index_limit(spot->field, last), width = spot->field->width;
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot->count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        fc_send(runner, (uint16_t)row, known->targets[fc_index_at(spot, row, width, limit, last, shape)]);
    }
}

/* ---- tests -------------------------------------------------------------------------------------------------------------------------- */

static int fc_is_sound(FcRunner *runner, uint32_t place, const FcField *field) {
    int8_t *const known = &runner->soundness[place];
    if (*known == 0) *known = fc_is_sound_batch(field, field->offset + runner->row, runner->batch) ? 1 : -1;
    return *known > 0;
}

/* Texts that the loops take: views are looked at one by one, others have been for this batch. */
static int fc_are_texts(FcRunner *runner, uint32_t place, const FcField *field) {
    if (field->flags & FC_FIELD_BINARY) return 0;
    return field->kind == FC_FIELD_VIEW || (field->kind == FC_FIELD_TEXT && fc_is_sound(runner, place, field));
}

/* A loop made for this test and column, if there is one. */
static int fc_codes_fast(FcRunner *runner, const FcNode *node, const FcSpot *spot, uint8_t *codes) {
    const FcField *const field = spot->field;
    if (node->op == FC_OP_HAS && field->kind >= FC_FIELD_BITS && field->kind != FC_FIELD_DICTIONARY) {
        fc_codes_has(spot, codes);
        return 1;
    }
    if (node->op == FC_OP_BOOLEAN && field->kind == FC_FIELD_BITS) {
        fc_codes_bits(spot, codes, fc_shape(spot));
        return 1;
    }
    if (node->op == FC_OP_NUMBER) return fc_codes_numbers(spot, node, codes);
    if (!fc_are_texts(runner, node->slot, field)) return 0;
    if (field->kind == FC_FIELD_VIEW) return fc_codes_texts(spot, runner->columns->program, node, codes, NULL);
    const uint8_t *const end = field->bytes + fc_unsigned_at(field->data, field->offset + runner->row + runner->batch, field->width);
    return fc_codes_texts(spot, runner->columns->program, node, codes, end);
}

static void fc_codes_each(FcRunner *runner, const FcNode *node, const FcSpot *spot, uint8_t *codes) {
    FcRoom *const room = &runner->rooms[node->slot];
    const int shape = fc_shape(spot);
    FcValue value;
    for (uint32_t i = 0; i < spot->count; i++) {
        fc_read_cell(spot->field, runner->row + fc_row(spot, i, shape), &value, room->items, room->text);
        codes[i] = fc_code_of(runner, node, &value);
    }
}

static void fc_codes_same(FcRunner *runner, const FcNode *node, const FcSpot *spot, uint8_t *codes) {
    FcValue value;
    fc_read_scalar((FcCell){spot->field, 0}, &value, NULL);
    const uint8_t code = fc_code_of(runner, node, &value);
    for (uint32_t i = 0; i < spot->count; i++) codes[i] = code;
}

static void fc_step_test(FcRunner *runner, const FcNode *node, const FcKnown *known, const FcSpot *spot) {
    uint8_t codes[FC_BATCH];
    if (known->codes)
        fc_codes_known(spot, known, codes);
    else if (spot->field->kind <= FC_FIELD_VALUE)
        fc_codes_same(runner, node, spot, codes);
    else if (!fc_codes_fast(runner, node, spot, codes))
        fc_codes_each(runner, node, spot, codes);
    fc_deal(runner, node, spot, codes);
}

/* ---- splits --------------------------------------------------------------------------------------------------------------------------- */

FC_INLINE void fc_split_texts(FcRunner *runner, const FcLeaf *leaf, const FcSpot *spot, uint32_t width) {
    const int shape = fc_shape(spot);
    const FcContestant *const contestants = fc_at(runner->columns->program->bytes, leaf->variant);
    for (uint32_t i = 0; i < spot->count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcSpan span = fc_sound_span(spot, row, width);
        uint32_t winner = leaf->count; /* not bucketable */
        if (FC_LIKELY(span.length && fc_has_row(spot, row, shape)))
            winner = fc_race_of(fc_xxh64(span.bytes, span.length, leaf->seed), contestants, leaf->count, leaf->flags);
        runner->outcomes[row] = leaf->outcome + winner;
    }
}

/* All that wait at a leaf that splits, where the subject is a text; 0: it is not. */
static int fc_step_split(FcRunner *runner, uint32_t station, const FcSpot *spot) {
    const FcLeaf *const leaf = &runner->columns->program->leaves[fc_station_leaf(runner, station)];
    const FcField *const field = spot->field;
    if (!fc_are_texts(runner, leaf->slot, field)) return 0;
    if (field->kind == FC_FIELD_VIEW)
        fc_split_texts(runner, leaf, spot, FC_VIEW_WIDTH);
    else if (field->width == 4)
        fc_split_texts(runner, leaf, spot, 4);
    else
        fc_split_texts(runner, leaf, spot, 8);
    return 1;
}

/* ---- a station -------------------------------------------------------------------------------------------------------------------------- */

static void fc_send_each(FcRunner *runner, uint32_t station, const FcSpot *spot, FcRoom *room) {
    const int shape = fc_shape(spot);
    FcValue value;
    for (uint32_t i = 0; i < spot->count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        fc_read_cell(spot->field, runner->row + row, &value, room->items, room->text);
        fc_send(runner, (uint16_t)row, fc_target_of(runner, station, &value));
    }
}

static void fc_step_rows(FcRunner *runner, uint32_t station) {
    const uint32_t slot = fc_station_slot(runner, station);
    const FcField *const field = &runner->columns->fields[slot];
    const FcNode *const node = fc_station_node(runner, station);
    FcKnown *const known = &runner->known[station];
    const uint16_t *const rows = runner->dense[station] ? NULL : runner->lists[station].rows;
    const FcSpot spot = {field, rows, runner->counts[station], field->offset + runner->row, field->validity_offset + runner->row};
    runner->counts[station] = runner->dense[station] = 0;
    if (known->count && !known->is_filled) fc_fill_known(runner, station, field, &runner->rooms[slot]);
    if (fc_is_test(node))
        fc_step_test(runner, node, known, &spot);
    else if (known->targets)
        fc_send_known(runner, &spot, known);
    else if (node || !fc_step_split(runner, station, &spot))
        fc_send_each(runner, station, &spot, &runner->rooms[slot]);
}

#endif
