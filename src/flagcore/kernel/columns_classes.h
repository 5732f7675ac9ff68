/* Classes of views and buckets of subjects by column, where nodes share them: computed for a whole batch when most of its rows ask, else
 * for those rows, once for each. SAFETY: as in walk.h; fields as in fields.h.
 */
#ifndef FLAGCORE_COLUMNS_CLASSES_H
#define FLAGCORE_COLUMNS_CLASSES_H

#include "columns_known.h"
#include "columns_texts.h"

/* ---- one value ------------------------------------------------------------------------------------------------------------- */

static void fc_fill_known_classes(const FcProgram *program, uint32_t view, const FcField *field, FcKnown *known, FcRoom *room) {
    FcValue value;
    for (uint32_t i = 0; i < known->count; i++) {
        fc_read_distinct(field, i, &value, room);
        known->targets[i] = fc_classify(program, fc_view_at(program, view), &value);
    }
    fc_pad_known(known);
}

/* The class of an integer among ascending ones, without branches. */
FC_INLINE uint32_t fc_class_integer(const FcNumber *constants, uint32_t count, int64_t number) {
    const FcNumber *at = constants;
    for (uint32_t left = count; left > 1; left -= left / 2) at = (int64_t)at[left / 2].bits <= number ? at + left / 2 : at;
    const int64_t constant = (int64_t)at->bits;
    return 2 + 2 * (uint32_t)(at - constants) + (uint32_t)(number >= constant) + (uint32_t)(number > constant);
}

/* ---- a column of classes ------------------------------------------------------------------------------------------------------- */

typedef struct { /* what a loop over classes needs */
    const FcProgram *program;
    const FcView *view;
    FcSpot spot;
    uint32_t *out; /* by row */
} FcClassifying;

FC_INLINE void fc_classify_known(FcClassifying job, const FcKnown *known, uint32_t width, int shape) {
    const uint32_t last = known->count - 1;
    const uint64_t limit = shape & FC_INSIDE ? UINT64_MAX : fc_index_limit(job.spot.field, last);
    const uint32_t *const classes = known->targets;
    for (uint32_t i = 0; i < job.spot.count; i++) {
        const uint32_t row = fc_row(job.spot, i, shape);
        job.out[row] = classes[fc_index_at(job.spot, row, width, limit, last, shape)];
    }
}

static void fc_classify_indices(FcClassifying job, const FcKnown *known, int shape) {
    if (job.spot.field->width == 4 && shape == (FC_DENSE | FC_INSIDE))
        fc_classify_known(job, known, 4, FC_DENSE | FC_INSIDE);
    else
        fc_classify_known(job, known, job.spot.field->width, shape & ~FC_INSIDE);
}

FC_INLINE void fc_classify_integers(FcClassifying job, uint32_t width, int is_signed) {
    const FcNumber *const constants = fc_at(job.program->bytes, job.view->data);
    const uint32_t count = job.view->count;
    const int shape = fc_shape(job.spot);
    for (uint32_t i = 0; i < job.spot.count; i++) {
        const uint32_t row = fc_row(job.spot, i, shape);
        const int64_t at = job.spot.at + row;
        const int64_t number = is_signed ? fc_signed_at(job.spot.data, at, width) : (int64_t)fc_unsigned_at(job.spot.data, at, width);
        const uint32_t class = fc_class_integer(constants, count, number);
        job.out[row] = fc_has_row(job.spot, row, shape) ? class : FC_CLASS_MISSING;
    }
}

/* Integers of the usual widths; 0: other columns. */
static int fc_classify_numbers(FcClassifying job) {
    switch (job.spot.field->kind << 8 | job.spot.field->width) {
    case FC_FIELD_SIGNED << 8 | 8:
        fc_classify_integers(job, 8, 1);
        return 1;
    case FC_FIELD_SIGNED << 8 | 4:
        fc_classify_integers(job, 4, 1);
        return 1;
    case FC_FIELD_SIGNED << 8 | 2:
        fc_classify_integers(job, 2, 1);
        return 1;
    case FC_FIELD_UNSIGNED << 8 | 1:
        fc_classify_integers(job, 1, 0);
        return 1;
    default:
        return 0;
    }
}

FC_INLINE void fc_classify_spans(FcClassifying job, uint32_t width) {
    const int shape = fc_shape(job.spot);
    for (uint32_t i = 0; i < job.spot.count; i++) {
        const uint32_t row = fc_row(job.spot, i, shape);
        const FcSpan span = fc_sound_span(job.spot, row, width);
        FcValue value = fc_text_value(span);
        uint32_t class = FC_CLASS_MISSING;
        if (fc_has_row(job.spot, row, shape)) class = span.bytes ? fc_classify(job.program, job.view, &value) : FC_CLASS_WRONG;
        job.out[row] = class;
    }
}

static void fc_classify_texts(FcClassifying job) {
    if (job.spot.field->kind == FC_FIELD_VIEW)
        fc_classify_spans(job, FC_VIEW_WIDTH);
    else if (job.spot.field->width == 4)
        fc_classify_spans(job, 4);
    else
        fc_classify_spans(job, 8);
}

static void fc_classify_each(FcClassifying job, int64_t first, FcRoom *room) {
    const int shape = fc_shape(job.spot);
    FcValue value;
    for (uint32_t i = 0; i < job.spot.count; i++) {
        const uint32_t row = fc_row(job.spot, i, shape);
        fc_read_cell(job.spot.field, first + row, &value, room->items, room->text);
        job.out[row] = fc_classify(job.program, job.view, &value);
    }
}

static void fc_classify_rows(FcRunner *runner, uint32_t index, const uint16_t *rows, uint32_t count) {
    const FcProgram *const program = runner->columns->program;
    const FcView *const view = fc_view_at(program, index);
    FcClasses *const classes = &runner->classes[index];
    FcRoom *const room = &runner->rooms[view->slot];
    const FcClassifying job = {program, view, fc_spot_at(runner, view->slot, rows, count), classes->memo.numbers};
    const FcField *const field = job.spot.field;
    if (classes->known.count) {
        if (!classes->known.is_filled) fc_fill_known_classes(program, index, field, &classes->known, room);
        const int is_inside = fc_are_inside(runner, view->slot, field, classes->known.room);
        fc_classify_indices(job, &classes->known, fc_shape(job.spot) | (is_inside ? FC_INSIDE : 0));
    } else if (classes->is_integral && fc_classify_numbers(job)) {
        return;
    } else if (view->kind != FC_VIEW_PRESENCE && fc_are_texts(runner, view->slot, field)) {
        fc_classify_texts(job);
    } else {
        fc_classify_each(job, runner->first, room);
    }
}

/* ---- what a batch remembers -------------------------------------------------------------------------------------------------- */

typedef struct { /* NULL: the first ones of the batch */
    const uint16_t *rows;
    uint32_t count;
} FcRows;

/* Those of the rows whose numbers are to be computed now; all of the batch, if most of it is asked for. */
static FcRows fc_rows_to_compute(const FcRunner *runner, FcBatchMemo *memo, FcRows asked, uint16_t list[FC_BATCH + 1]) {
    uint32_t n = 0;
    if (memo->state == FC_KNOWS_ALL) return (FcRows){NULL, 0};
    if (2 * asked.count >= runner->batch) {
        memo->state = FC_KNOWS_ALL;
        return (FcRows){NULL, runner->batch};
    }
    for (uint32_t i = 0; memo->state == FC_KNOWS_NONE && i < runner->batch; i++) memo->numbers[i] = FC_UNSET;
    memo->state = FC_KNOWS_SOME;
    for (uint32_t i = 0; i < asked.count; i++) {
        list[n] = asked.rows ? asked.rows[i] : (uint16_t)i;
        n += memo->numbers[list[n]] == FC_UNSET;
    }
    return (FcRows){list, n};
}

/* Classes by row of the batch: at least those of the given rows are there. */
static const uint32_t *fc_classes_of(FcRunner *runner, uint32_t view, FcRows asked) {
    FcBatchMemo *const memo = &runner->classes[view].memo;
    uint16_t list[FC_BATCH + 1];
    const FcRows rows = fc_rows_to_compute(runner, memo, asked, list);
    if (rows.count) fc_classify_rows(runner, view, rows.rows, rows.count);
    return memo->numbers;
}

/* ---- a column of buckets --------------------------------------------------------------------------------------------------------- */

FC_INLINE void fc_bucket_spans(FcSpot spot, uint64_t seed, uint32_t *out, uint32_t width, int shape) {
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcSpan span = fc_sound_span(spot, row, width);
        out[row] = FC_NONE;
        if (FC_LIKELY(span.length && fc_has_row(spot, row, shape))) out[row] = fc_bucket_of(fc_xxh64(span.bytes, span.length, seed));
    }
}

static void fc_bucket_texts(FcSpot spot, uint64_t seed, uint32_t *out) {
    const int shape = fc_shape(spot);
    if (spot.field->kind == FC_FIELD_VIEW)
        fc_bucket_spans(spot, seed, out, FC_VIEW_WIDTH, shape);
    else if (spot.field->width == 4 && shape == FC_DENSE)
        fc_bucket_spans(spot, seed, out, 4, FC_DENSE);
    else if (spot.field->width == 4)
        fc_bucket_spans(spot, seed, out, 4, shape);
    else
        fc_bucket_spans(spot, seed, out, 8, shape);
}

static void fc_bucket_each(FcSpot spot, int64_t first, uint64_t seed, uint32_t *out, FcRoom *room) {
    const int shape = fc_shape(spot);
    FcValue value;
    uint64_t position;
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        fc_read_cell(spot.field, first + row, &value, room->items, room->text);
        out[row] = fc_position(&value, seed, &position) ? fc_bucket_of(position) : FC_NONE;
    }
}

static void fc_bucket_rows(FcRunner *runner, const uint16_t *rows, uint32_t count) {
    const FcNode *const gate = runner->gate;
    const FcSpot spot = fc_spot_at(runner, gate->slot, rows, count);
    if (fc_are_texts(runner, gate->slot, spot.field))
        fc_bucket_texts(spot, gate->immediate, runner->buckets.numbers);
    else
        fc_bucket_each(spot, runner->first, gate->immediate, runner->buckets.numbers, &runner->rooms[gate->slot]);
}

/* Does the gate ask for the runner's buckets? */
FC_INLINE int fc_is_shared_gate(const FcRunner *runner, const FcNode *node) {
    const FcNode *const gate = runner->gate;
    return gate && node->op == FC_OP_GATE && node->slot == gate->slot && node->immediate == gate->immediate;
}

/* Buckets by row for all gates of one seed, at least those of the given rows; FC_NONE: not bucketable. */
static const uint32_t *fc_buckets_of(FcRunner *runner, FcRows asked) {
    uint16_t list[FC_BATCH + 1];
    const FcRows rows = fc_rows_to_compute(runner, &runner->buckets, asked, list);
    if (rows.count) fc_bucket_rows(runner, rows.rows, rows.count);
    return runner->buckets.numbers;
}

/* ---- tests of what is remembered -------------------------------------------------------------------------------------------------- */

static void fc_codes_shared_gate(FcRunner *runner, const FcNode *node, FcSpot spot, uint8_t *codes) {
    const uint32_t *const buckets = fc_buckets_of(runner, (FcRows){spot.rows, spot.count});
    const uint32_t threshold = node->pool;
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t bucket = buckets[fc_row(spot, i, shape)];
        codes[i] = (uint8_t)(bucket == FC_NONE ? FC_UNKNOWN : bucket < threshold);
    }
}

static void fc_codes_classes(FcRunner *runner, const FcNode *node, FcSpot spot, uint8_t *codes) {
    const uint32_t *const classes = fc_classes_of(runner, node->length, (FcRows){spot.rows, spot.count});
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) codes[i] = (uint8_t)fc_match_class(runner->columns->program, node, classes[fc_row(spot, i, shape)]);
}

static void fc_send_classes(FcRunner *runner, const FcNode *node, FcSpot spot) {
    const uint32_t *const classes = fc_classes_of(runner, node->length, (FcRows){spot.rows, spot.count});
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        fc_send(runner, (uint16_t)row, fc_target(runner, fc_step_switch(runner->columns->program, node, classes[row])));
    }
}

/* ---- when a runner starts ------------------------------------------------------------------------------------------------------------ */

/* A gate whose buckets others need, too: of a block's row, where most flags have one seed for all, or with a memo word. */
static const FcNode *fc_gate_to_share(const FcProgram *program) {
    const FcNode *found = NULL;
    for (uint32_t i = 0; i < fc_header(program)->node_count; i++) {
        const FcNode *const node = &program->nodes[i];
        if (node->op != FC_OP_GATE) continue;
        if (node->flags & FC_NODE_ROW) return node;
        if (!found && (node->length & 0xFFFF) != FC_NO_MEMO) found = node;
    }
    return found;
}

static int fc_is_integral(const FcProgram *program, const FcView *view) {
    const FcNumber *const constants = fc_at(program->bytes, view->data);
    if (view->kind != FC_VIEW_NUMBER || view->count == 0) return 0;
    for (uint32_t i = 0; i < view->count; i++)
        if (constants[i].is_double) return 0;
    return 1;
}

static void fc_prepare_memos(FcRunner *runner) {
    const FcProgram *const program = runner->columns->program;
    runner->gate = fc_gate_to_share(program);
    for (uint32_t i = 0; runner->classes && i < fc_header(program)->view_count; i++)
        runner->classes[i].is_integral = (uint32_t)fc_is_integral(program, fc_view_at(program, i));
}

static void fc_forget_memos(FcRunner *runner) {
    runner->buckets.state = FC_KNOWS_NONE;
    for (uint32_t i = 0; runner->classes && i < fc_header(runner->columns->program)->view_count; i++) runner->classes[i].memo.state = FC_KNOWS_NONE;
}

#endif
