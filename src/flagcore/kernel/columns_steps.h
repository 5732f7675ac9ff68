/* By node: all rows that wait at a station take their step in one go. A test gives each row a code, then the codes are dealt
 * to lists and outcomes without branches; where there are many ways, each row is sent by itself. SAFETY: as in walk.h; fields
 * as in fields.h.
 */
#ifndef FLAGCORE_COLUMNS_STEPS_H
#define FLAGCORE_COLUMNS_STEPS_H

#include "columns_blocks.h"
#include "columns_lists.h"

/* ---- dealing -------------------------------------------------------------------------------------------------------------------- */

/* Append the rows whose code is among the bits of `wanted` to a station's list. */
static void fc_deal_list(FcRunner *runner, uint32_t target, FcSpot spot, const uint8_t *codes, uint32_t wanted) {
    fc_open_list(runner, target);
    uint16_t *const list = runner->lists[target].rows;
    uint32_t n = runner->counts[target];
    if (spot.rows)
        for (uint32_t i = 0; i < spot.count; i++) {
            list[n] = spot.rows[i];
            n += wanted >> codes[i] & 1;
        }
    else
        for (uint32_t i = 0; i < spot.count; i++) {
            list[n] = (uint16_t)i;
            n += wanted >> codes[i] & 1;
        }
    runner->counts[target] = n;
}

/* All rows of a station go one way. */
static void fc_deal_all(FcRunner *runner, uint32_t target, FcSpot spot) {
    if (target & FC_LEAF) {
        for (uint32_t i = 0; i < spot.count; i++) runner->outcomes[fc_row(spot, i, fc_shape(spot))] = target & ~FC_LEAF;
        return;
    }
    if (spot.rows == NULL && runner->counts[target] == 0) {
        runner->dense[target] = 1;
    } else {
        fc_open_list(runner, target);
        uint16_t *const list = runner->lists[target].rows + runner->counts[target];
        for (uint32_t i = 0; i < spot.count; i++) list[i] = (uint16_t)fc_row(spot, i, fc_shape(spot));
    }
    runner->counts[target] += spot.count;
}

static void fc_deal_outcomes(FcRunner *runner, const uint32_t outcomes[4], FcSpot spot, const uint8_t *codes) {
    if (spot.rows)
        for (uint32_t i = 0; i < spot.count; i++) runner->outcomes[spot.rows[i]] = outcomes[codes[i] & 3];
    else
        for (uint32_t i = 0; i < spot.count; i++) runner->outcomes[i] = outcomes[codes[i] & 3];
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
static void fc_deal(FcRunner *runner, const FcNode *node, FcSpot spot, const uint8_t *codes) {
    const uint32_t targets[3] = {fc_target(runner, node->on_false), fc_target(runner, node->on_true), fc_target(runner, node->on_unknown)};
    const uint32_t outcomes[4] = {targets[0] & ~FC_LEAF, targets[1] & ~FC_LEAF, targets[2] & ~FC_LEAF, 0};
    const uint32_t leaves = targets[0] >> 31 | targets[1] >> 31 << 1 | targets[2] >> 31 << 2;
    uint32_t seen = fc_codes_seen(codes, spot.count);
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

/* ---- tests -------------------------------------------------------------------------------------------------------------------------- */

/* Does the test ask only whether there is a value, of this column? Numbers are subjects as their decimal texts, so are bytes. */
static int fc_asks_presence(const FcNode *node, const FcField *field) {
    if (node->op == FC_OP_HAS) return field->kind >= FC_FIELD_BITS && field->kind != FC_FIELD_DICTIONARY;
    if (node->op != FC_OP_BUCKETABLE) return 0;
    return field->kind == FC_FIELD_SIGNED || field->kind == FC_FIELD_UNSIGNED || field->kind == FC_FIELD_UUID;
}

/* A loop made for this test and column of no texts, if there is one. */
static int fc_codes_plain(const FcNode *node, FcSpot spot, uint8_t *codes) {
    const FcField *const field = spot.field;
    if (fc_asks_presence(node, field))
        fc_codes_has(spot, codes);
    else if (node->op == FC_OP_BOOLEAN && field->kind == FC_FIELD_BITS)
        fc_codes_bits(spot, codes, fc_shape(spot));
    else if (node->op == FC_OP_BOOLEAN && field->kind == FC_FIELD_BOOLEANS)
        fc_codes_booleans(spot, codes);
    else
        return node->op == FC_OP_NUMBER ? fc_codes_numbers(spot, node, codes) : node->op == FC_OP_TIME ? fc_codes_times(spot, node, codes) : 0;
    return 1;
}

/* What the batch remembers, and lists; 0: it is neither. */
static int fc_codes_shared(FcRunner *runner, const FcNode *node, const FcKnown *known, FcSpot spot, uint8_t *codes) {
    if (fc_is_shared_gate(runner, node))
        fc_codes_shared_gate(runner, node, spot, codes);
    else if (node->op == FC_OP_CLASS && runner->classes)
        fc_codes_classes(runner, node, spot, codes);
    else if (node->op == FC_OP_CONTAINS && fc_is_list(spot.field))
        fc_codes_contains(runner, node, known, spot, codes);
    else
        return 0;
    return 1;
}

static int fc_codes_fast(FcRunner *runner, const FcNode *node, const FcKnown *known, FcSpot spot, uint8_t *codes) {
    const FcField *const field = spot.field;
    if (fc_codes_shared(runner, node, known, spot, codes) || fc_codes_plain(node, spot, codes)) return 1;
    if (!fc_are_texts(runner, node->slot, field)) return 0;
    if (field->kind == FC_FIELD_VIEW) return fc_codes_texts(spot, runner->columns->program, node, codes, NULL);
    const uint8_t *const end = field->bytes + fc_unsigned_at(field->data, field->offset + runner->first + runner->batch, field->width);
    return fc_codes_texts(spot, runner->columns->program, node, codes, end);
}

static void fc_codes_each(FcRunner *runner, const FcNode *node, FcSpot spot, uint8_t *codes) {
    FcRoom *const room = &runner->rooms[node->slot];
    const int shape = fc_shape(spot);
    FcValue value;
    for (uint32_t i = 0; i < spot.count; i++) {
        fc_read_cell(spot.field, runner->first + fc_row(spot, i, shape), &value, room->items, room->text);
        codes[i] = fc_code_of(runner, node, &value);
    }
}

static void fc_codes_same(FcRunner *runner, const FcNode *node, FcSpot spot, uint8_t *codes) {
    FcValue value;
    uint8_t text[FC_ROOM_BYTES];
    fc_read_scalar((FcCell){spot.field, 0}, &value, text);
    const uint8_t code = fc_code_of(runner, node, &value);
    for (uint32_t i = 0; i < spot.count; i++) codes[i] = code;
}

/* The next batch's elements are asked for while this one is worked on: a batch of a column is a page or two, where the machine's own
 * foresight ends. */
FC_INLINE void fc_fetch_ahead(FcSpot spot, uint32_t width) {
    const uint8_t *const next = spot.data + (spot.at + FC_BATCH) * width;
    for (uint32_t i = 0; i < spot.count * width; i += 64) __builtin_prefetch(next + i, 0, 2);
}

static void fc_step_test(FcRunner *runner, const FcNode *node, const FcKnown *known, FcSpot spot) {
    uint8_t codes[FC_BATCH];
    if (!spot.rows && spot.field->width) fc_fetch_ahead(spot, spot.field->width);
    if (known->codes && spot.field->kind == FC_FIELD_DICTIONARY)
        fc_codes_known(runner, node->slot, spot, known, codes);
    else if (spot.field->kind <= FC_FIELD_VALUE)
        fc_codes_same(runner, node, spot, codes);
    else if (!fc_codes_fast(runner, node, known, spot, codes))
        fc_codes_each(runner, node, spot, codes);
    fc_deal(runner, node, spot, codes);
}

/* ---- splits --------------------------------------------------------------------------------------------------------------------------- */

FC_INLINE void fc_split_texts(FcRunner *runner, const FcLeaf *leaf, FcSpot spot, uint32_t width) {
    const FcContestant *const contestants = fc_at(runner->columns->program->bytes, leaf->variant);
    uint32_t *const outcomes = runner->outcomes;
    const uint32_t first = leaf->outcome, count = leaf->count, flags = leaf->flags;
    const uint64_t seed = leaf->seed;
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcSpan span = fc_sound_span(spot, row, width);
        uint32_t winner = count; /* not bucketable */
        if (FC_LIKELY(span.length && fc_has_row(spot, row, shape)))
            winner = fc_race_of(fc_xxh64(span.bytes, span.length, seed), contestants, count, flags);
        outcomes[row] = first + winner;
    }
}

/* The same between `on` and `off`: one compare decides. */
FC_INLINE void fc_split_on_off(FcRunner *runner, const FcLeaf *leaf, FcSpot spot, uint32_t width, int shape) {
    const FcContestant *const ends = fc_at(runner->columns->program->bytes, leaf->variant);
    const FcContestant off_on[2] = {ends[0], ends[1]};
    uint32_t *const outcomes = runner->outcomes;
    const uint32_t first = leaf->outcome, flags = leaf->flags;
    const uint64_t seed = leaf->seed;
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcSpan span = fc_sound_span(spot, row, width);
        uint32_t winner = 2;
        if (FC_LIKELY(span.length && fc_has_row(spot, row, shape)))
            winner = fc_race_on_off(fc_stream(fc_xxh64(span.bytes, span.length, seed), flags), off_on);
        outcomes[row] = first + winner;
    }
}

FC_INLINE void fc_split_of(FcRunner *runner, const FcLeaf *leaf, FcSpot spot, uint32_t width) {
    if (!(leaf->flags & FC_SPLIT_ON_OFF))
        fc_split_texts(runner, leaf, spot, width);
    else if (fc_shape(spot) == FC_DENSE)
        fc_split_on_off(runner, leaf, spot, width, FC_DENSE);
    else
        fc_split_on_off(runner, leaf, spot, width, fc_shape(spot));
}

/* All that wait at a leaf that splits, where the subject is a text; 0: it is not. */
static int fc_step_split(FcRunner *runner, uint32_t station, FcSpot spot) {
    const FcLeaf *const leaf = &runner->columns->program->leaves[fc_station_leaf(runner, station)];
    const FcField *const field = spot.field;
    if (!fc_are_texts(runner, leaf->slot, field)) return 0;
    if (field->kind == FC_FIELD_VIEW)
        fc_split_of(runner, leaf, spot, FC_VIEW_WIDTH);
    else if (field->width == 4)
        fc_split_of(runner, leaf, spot, 4);
    else
        fc_split_of(runner, leaf, spot, 8);
    return 1;
}

/* ---- a station -------------------------------------------------------------------------------------------------------------------------- */

static void fc_send_each(FcRunner *runner, uint32_t station, FcSpot spot, FcRoom *room) {
    const int shape = fc_shape(spot);
    FcValue value;
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        fc_read_cell(spot.field, runner->first + row, &value, room->items, room->text);
        fc_send(runner, (uint16_t)row, fc_target_of(runner, station, &value));
    }
}

static void fc_step_rows(FcRunner *runner, uint32_t station) {
    const FcNode *const node = fc_station_node(runner, station);
    if (node && node->op == FC_OP_BLOCK) {
        fc_step_block(runner, station);
        return;
    }
    const uint32_t slot = fc_station_slot(runner, station);
    FcKnown *const known = &runner->known[station];
    const FcSpot spot = fc_spot_at(runner, slot, runner->dense[station] ? NULL : runner->lists[station].rows, runner->counts[station]);
    runner->counts[station] = runner->dense[station] = 0;
    if (known->count && !known->is_filled) fc_fill_known(runner, station, spot.field, &runner->rooms[slot]);
    if (fc_is_test(node))
        fc_step_test(runner, node, known, spot);
    else if (known->targets)
        fc_send_known(runner, spot, known);
    else if (node && node->op == FC_OP_SWITCH && runner->classes)
        fc_send_classes(runner, node, spot);
    else if (node || !fc_step_split(runner, station, spot))
        fc_send_each(runner, station, spot, &runner->rooms[slot]);
}

#endif
