/* Blocks by column (kernel.h, "a block of rows"): the masks of all waiting rows are narrowed view by view; gates that share a seed are
 * one more view, of buckets; what is left names the first row that holds. SAFETY: as in walk.h.
 */
#ifndef FLAGCORE_COLUMNS_BLOCKS_H
#define FLAGCORE_COLUMNS_BLOCKS_H

#include "columns_classes.h"

/* ---- plans: made when a runner starts -------------------------------------------------------------------------------------------- */

/* A row of a block whose one test is a gate of the runner's seed. */
static int fc_is_gated(const FcRunner *runner, const FcNode *node) {
    const int is_one_test = node->on_true & FC_LEAF && node->on_true != FC_NONE && node->on_false == FC_NONE && node->on_unknown == FC_NONE;
    return is_one_test && fc_is_shared_gate(runner, node);
}

/* Keep thresholds ascending and distinct: each one moves the next. */
static void fc_add_threshold(FcPlan *plan, uint32_t threshold) {
    for (uint32_t i = 0; i < plan->threshold_count; i++) {
        const uint32_t known = plan->thresholds[i];
        if (known == threshold) return;
        if (known < threshold) continue;
        plan->thresholds[i] = threshold;
        threshold = known;
    }
    plan->thresholds[plan->threshold_count++] = threshold;
}

/* Local index i: as many thresholds are at or below the bucket; rows with those do not let it in. */
static void fc_plan_masks(const FcRunner *runner, const FcBlock *block, FcPlan *plan) {
    const FcProgram *const program = runner->columns->program;
    const uint32_t *const rows = fc_at(program->bytes, block->rows);
    for (uint32_t i = 0; i <= plan->threshold_count; i++) plan->masks[i] = ~UINT64_C(0);
    for (uint64_t left = plan->gated; left; left &= left - 1) {
        const uint32_t row = (uint32_t)__builtin_ctzll(left), threshold = program->nodes[rows[row]].pool;
        for (uint32_t i = 0; i < plan->threshold_count; i++)
            if (plan->thresholds[i] >= threshold) plan->masks[i + 1] &= ~(UINT64_C(1) << row);
    }
}

static void fc_plan_row(FcRunner *runner, FcPlan *plan, uint32_t row, uint32_t exit) {
    const FcProgram *const program = runner->columns->program;
    const uint64_t bit = UINT64_C(1) << row;
    plan->targets[row] = FC_NONE;
    if (exit == FC_NONE) return;
    plan->possible |= bit;
    if (exit & FC_LEAF) {
        plan->targets[row] = fc_target(runner, exit);
    } else if (fc_is_gated(runner, &program->nodes[exit])) {
        plan->targets[row] = fc_target(runner, program->nodes[exit].on_true);
        plan->gated |= bit;
        fc_add_threshold(plan, program->nodes[exit].pool);
    } else {
        plan->tested |= bit;
    }
}

static void fc_plan_block(FcRunner *runner, const FcNode *node, FcPlan *plan) {
    const FcBlock *const block = fc_at(runner->columns->program->bytes, node->pool);
    const uint32_t *const rows = fc_at(runner->columns->program->bytes, block->rows);
    plan->possible = plan->gated = plan->tested = 0;
    plan->threshold_count = 0;
    for (uint32_t row = 0; row < block->row_count; row++) fc_plan_row(runner, plan, row, rows[row]);
    plan->targets[FC_BLOCK_ROWS] = fc_target(runner, node->on_false);
    plan->is_settled = plan->tested == 0;
    for (uint64_t left = plan->possible & ~plan->tested; left; left &= left - 1)
        plan->is_settled &= (int)(plan->targets[__builtin_ctzll(left)] >> 31);
    fc_plan_masks(runner, block, plan);
}

static void fc_plan_blocks(FcRunner *runner) {
    const FcProgram *const program = runner->columns->program;
    const FcHeader *const header = fc_header(program);
    for (uint32_t i = 0; i < header->node_count; i++)
        if (program->nodes[i].op == FC_OP_BLOCK) fc_plan_block(runner, &program->nodes[i], &runner->plans[runner->plan_numbers[i]]);
}

/* ---- masks --------------------------------------------------------------------------------------------------------------------------- */

typedef struct { /* rows of a batch inside a block */
    const FcPlan *plan;
    const uint16_t *rows; /* NULL: the first `count` of the batch */
    uint32_t count;
    uint64_t masks[FC_BATCH]; /* of each: rows of the block that may hold */
    uint16_t kept[FC_BATCH];  /* what `rows` is once some were sent on */
} FcCrowd;

FC_INLINE uint32_t fc_crowd_row(const uint16_t *rows, uint32_t i) {
    return rows ? rows[i] : i;
}

FC_INLINE void fc_narrow_bytes(
    const uint8_t *map, const uint64_t *table, const uint32_t *classes, const uint16_t *rows, uint32_t count, uint64_t *masks) {
    for (uint32_t i = 0; i < count; i++) masks[i] &= table[map[classes[fc_crowd_row(rows, i)]]];
}

FC_INLINE void fc_narrow_cuts(
    const uint32_t *cuts, uint32_t cut_count, const uint64_t *table, const uint32_t *numbers, const uint16_t *rows, uint32_t count, uint64_t *masks) {
    for (uint32_t i = 0; i < count; i++) masks[i] &= table[fc_count_cuts(cuts, cut_count, numbers[fc_crowd_row(rows, i)])];
}

/* Few thresholds are counted one by one, without branches. */
FC_INLINE void fc_narrow_few(
    const uint32_t *cuts, uint32_t cut_count, const uint64_t *table, const uint32_t *numbers, const uint16_t *rows, uint32_t count, uint64_t *masks) {
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t number = numbers[fc_crowd_row(rows, i)];
        uint32_t below = 0;
        for (uint32_t cut = 0; cut < cut_count; cut++) below += cuts[cut] <= number;
        masks[i] &= table[below];
    }
}

static void fc_narrow(FcRunner *runner, FcCrowd *crowd, const FcColumn *column) {
    const FcProgram *const program = runner->columns->program;
    const uint32_t *const classes = fc_classes_of(runner, column->view, (FcRows){crowd->rows, crowd->count});
    const uint64_t *const table = fc_at(program->bytes, column->masks);
    const void *const map = fc_at(program->bytes, column->map);
    if (column->kind != FC_COLUMN_BYTES)
        fc_narrow_cuts(map, column->n - 1, table, classes, crowd->rows, crowd->count, crowd->masks);
    else if (crowd->rows)
        fc_narrow_bytes(map, table, classes, crowd->rows, crowd->count, crowd->masks);
    else
        fc_narrow_bytes(map, table, classes, NULL, crowd->count, crowd->masks);
}

static void fc_narrow_gated(FcRunner *runner, FcCrowd *crowd) {
    const FcPlan *const plan = crowd->plan;
    const uint32_t *const buckets = fc_buckets_of(runner, (FcRows){crowd->rows, crowd->count});
    if (plan->threshold_count <= FC_FEW_THRESHOLDS)
        fc_narrow_few(plan->thresholds, plan->threshold_count, plan->masks, buckets, crowd->rows, crowd->count, crowd->masks);
    else
        fc_narrow_cuts(plan->thresholds, plan->threshold_count, plan->masks, buckets, crowd->rows, crowd->count, crowd->masks);
}

/* Where most rows cannot be held any more, send them on before a dear column is computed. */
static void fc_thin_out(FcRunner *runner, FcCrowd *crowd) {
    const uint32_t target = crowd->plan->targets[FC_BLOCK_ROWS];
    uint32_t alive = 0, kept = 0;
    for (uint32_t i = 0; i < crowd->count; i++) alive += crowd->masks[i] != 0;
    if (2 * alive > crowd->count) return;
    for (uint32_t i = 0; i < crowd->count; i++) {
        const uint16_t row = (uint16_t)fc_crowd_row(crowd->rows, i);
        const uint64_t mask = crowd->masks[i];
        if (mask == 0) fc_send(runner, row, target);
        crowd->kept[kept] = row;
        crowd->masks[kept] = mask;
        kept += mask != 0;
    }
    crowd->rows = crowd->kept;
    crowd->count = kept;
}

/* ---- leaving -------------------------------------------------------------------------------------------------------------------------- */

/* A row of the block whose test masks do not decide: from its first node to a leaf or to FC_NONE. */
static uint32_t fc_walk_row(FcRunner *runner, uint32_t at) {
    const FcProgram *const program = runner->columns->program;
    const FcSource source = {runner->frame.have, fc_fetch_cell, runner, FC_FORM_LOCAL};
    while (!(at & FC_LEAF)) {
        const FcNode *const node = &program->nodes[at];
        at = fc_step(program, &runner->frame, node, fc_value_of(program, &runner->frame, node->slot, source));
    }
    return at;
}

static uint32_t fc_first_that_holds(FcRunner *runner, const FcPlan *plan, const uint32_t *rows, uint64_t mask) {
    uint32_t target = plan->targets[FC_BLOCK_ROWS];
    for (; mask; mask &= mask - 1) {
        const uint32_t row = (uint32_t)__builtin_ctzll(mask);
        if (!(plan->tested >> row & 1)) return plan->targets[row];
        const uint32_t exit = fc_walk_row(runner, rows[row]);
        if (exit == FC_NONE) continue;
        target = fc_target(runner, exit);
        break;
    }
    return target;
}

static void fc_leave_one_by_one(FcRunner *runner, const FcCrowd *crowd, const uint32_t *rows) {
    const FcProgram *const program = runner->columns->program;
    for (uint32_t i = 0; i < crowd->count; i++) {
        const uint32_t row = fc_crowd_row(crowd->rows, i);
        runner->row = runner->first + row;
        if (program->memo_count) fc_forget(program, &runner->frame);
        fc_send(runner, (uint16_t)row, fc_first_that_holds(runner, crowd->plan, rows, crowd->masks[i]));
        fc_forget_row(runner);
    }
}

/* Every row of the block that is left is an answer: rows of the batch go to it, or all the same way on. What is written for those that
 * go on is overwritten when they arrive. */
static void fc_leave_settled(FcRunner *runner, const FcCrowd *crowd) {
    const uint32_t *const targets = crowd->plan->targets;
    uint32_t *const outcomes = runner->outcomes;
    for (uint32_t i = 0; i < crowd->count; i++) {
        const uint64_t mask = crowd->masks[i];
        outcomes[fc_crowd_row(crowd->rows, i)] = targets[mask ? (uint32_t)__builtin_ctzll(mask) : FC_BLOCK_ROWS] & ~FC_LEAF;
    }
    const uint32_t next = targets[FC_BLOCK_ROWS];
    if (next & FC_LEAF) return;
    fc_open_list(runner, next);
    uint16_t *const list = runner->lists[next].rows;
    uint32_t n = runner->counts[next];
    for (uint32_t i = 0; i < crowd->count; i++) {
        list[n] = (uint16_t)fc_crowd_row(crowd->rows, i);
        n += !crowd->masks[i];
    }
    runner->counts[next] = n;
}

static void fc_step_block(FcRunner *runner, uint32_t station) {
    const FcProgram *const program = runner->columns->program;
    const FcBlock *const block = fc_at(program->bytes, program->nodes[station].pool);
    const FcColumn *const columns = fc_at(program->bytes, block->columns);
    FcCrowd crowd;
    crowd.plan = &runner->plans[runner->plan_numbers[station]];
    crowd.rows = runner->dense[station] ? NULL : runner->lists[station].rows;
    crowd.count = runner->counts[station];
    runner->counts[station] = runner->dense[station] = 0;
    for (uint32_t i = 0; i < crowd.count; i++) crowd.masks[i] = crowd.plan->possible;
    for (uint32_t i = 0; i < block->column_count && crowd.count; i++) {
        if (i && runner->classes[columns[i].view].memo.state != FC_KNOWS_ALL) fc_thin_out(runner, &crowd);
        fc_narrow(runner, &crowd, &columns[i]);
    }
    if (crowd.plan->gated && crowd.count) fc_narrow_gated(runner, &crowd);
    if (crowd.plan->is_settled)
        fc_leave_settled(runner, &crowd);
    else
        fc_leave_one_by_one(runner, &crowd, fc_at(program->bytes, block->rows));
}

#endif
