/* Runs one program over rows in columns (columns.h). A runner lives in the caller's memory:
 *
 *     FcRunner | values | have | memo | memo_have | outcomes | soundness | rooms | items | touched  by row
 *              | targets of leaves | counts | lists | distinct values' steps                        by node
 *              | buckets | classes | plans of blocks, or guides                                      both
 */
#include "arena.h"
#include "columns_guided.h"
#include "columns_steps.h"

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

static uint64_t words(uint64_t bits) {
    return (bits + 63) / 64;
}

static void lay_out_frame(FcArena *arena, const FcColumns *columns, FcRunner *runner) {
    const uint64_t places = columns->field_count;
    runner->frame.values = fc_take(arena, places, sizeof(FcValue));
    runner->frame.have = fc_take(arena, words(places), 8);
    runner->present = fc_take(arena, words(places), 8);
    runner->frame.memo = fc_take(arena, columns->memo_words, 8);
    runner->frame.memo_have = fc_take(arena, words(columns->memo_words), 8);
    runner->frame.outcomes = fc_take(arena, columns->outcome_room, 8);
    runner->touched = fc_take(arena, places, sizeof(uint32_t));
    runner->soundness = fc_take(arena, places, 1);
    runner->rooms = fc_take(arena, places, sizeof(FcRoom));
    for (uint64_t i = 0; i < places; i++) {
        FcValue *const items = fc_take(arena, columns->fields[i].longest, sizeof(FcValue));
        if (runner->rooms) runner->rooms[i].items = items;
    }
}

static const FcNode *station_node(const FcProgram *program, uint32_t station) {
    return station < fc_header(program)->node_count ? &program->nodes[station] : NULL;
}

/* The leaf of a station behind the nodes: the how-manieth that splits. */
static uint32_t split_leaf(const FcProgram *program, uint32_t station) {
    uint32_t left = station - fc_header(program)->node_count, leaf = 0;
    for (;; leaf++)
        if (program->leaves[leaf].kind == FC_LEAF_SPLIT && left-- == 0) return leaf;
}

/* A station is a node, or a leaf that splits: where rows wait in a list. */
static void lay_out_stations(FcArena *arena, const FcColumns *columns, FcRunner *runner) {
    const FcHeader *const header = fc_header(columns->program);
    runner->stations = fc_count_stations(columns->program);
    runner->targets = fc_take(arena, header->leaf_count, sizeof(uint32_t));
    runner->split_leaves = fc_take(arena, runner->stations - header->node_count, sizeof(uint32_t));
    runner->counts = fc_take(arena, runner->stations, sizeof(uint32_t));
    runner->dense = fc_take(arena, runner->stations, 1);
    runner->lists = fc_take(arena, runner->stations, sizeof(FcList));
    runner->known = fc_take(arena, runner->stations, sizeof(FcKnown));
}

/* Room for what a dictionary's distinct values lead to, one of codes or else targets, if it is not larger than the rows that it serves. */
static FcKnown lay_out_known(FcArena *arena, const FcColumns *columns, const FcField *dictionary, int has_codes, uint64_t *left) {
    const uint64_t count = dictionary ? (uint64_t)dictionary->child->length + 1 : 0;
    FcKnown known = {0};
    if (count == 0 || count > *left || count > (uint64_t)columns->rows) return known;
    *left -= count;
    known.count = (uint32_t)count;
    known.room = fc_power_above(known.count);
    known.codes = has_codes ? fc_take(arena, known.room, 1) : NULL;
    known.targets = has_codes ? NULL : fc_take(arena, known.room, sizeof(uint32_t));
    return known;
}

static void lay_out_known_stations(FcArena *arena, const FcColumns *columns, FcRunner *runner, uint64_t *left) {
    const FcProgram *const program = columns->program;
    for (uint32_t i = 0; i < runner->stations; i++) {
        const FcNode *const node = station_node(program, i);
        const uint32_t slot = node ? node->slot : program->leaves[split_leaf(program, i)].slot;
        FcKnown known = {0};
        if (!(node && (node->op == FC_OP_BLOCK || node->flags & FC_NODE_ROW)))
            known = lay_out_known(arena, columns, fc_dictionary_of(node, &columns->fields[slot]), fc_is_test(node), left);
        if (runner->known) runner->known[i] = known;
    }
}

/* What a batch remembers: buckets, and classes by view. Blocks have those of distinct values, too; a SWITCH or a CLASS has its own. */
static void lay_out_memos(FcArena *arena, const FcColumns *columns, FcRunner *runner, uint64_t *left) {
    const FcProgram *const program = columns->program;
    const uint32_t views = fc_header(program)->view_count;
    runner->buckets.numbers = fc_take(arena, FC_BATCH, sizeof(uint32_t));
    if (views > FC_MOST_VIEWS) return;
    runner->classes = fc_take(arena, views, sizeof(FcClasses));
    for (uint32_t i = 0; i < views; i++) {
        FcClasses classes = {.memo = {.numbers = fc_take(arena, FC_BATCH, sizeof(uint32_t))}};
        const FcField *const field = &columns->fields[fc_view_at(program, i)->slot];
        if (program->detours) classes.known = lay_out_known(arena, columns, fc_dictionary_of(NULL, field), 0, left);
        if (runner->classes) runner->classes[i] = classes;
    }
}

static void lay_out_plans(FcArena *arena, const FcProgram *program, FcRunner *runner) {
    uint32_t blocks = 0;
    runner->plan_numbers = fc_take(arena, fc_header(program)->node_count, sizeof(uint32_t));
    for (uint32_t i = 0; i < fc_header(program)->node_count; i++) {
        if (runner->plan_numbers) runner->plan_numbers[i] = blocks;
        blocks += program->nodes[i].op == FC_OP_BLOCK;
    }
    runner->plans = fc_take(arena, blocks, sizeof(FcPlan));
}

static FcRunner *lay_out(FcArena *arena, const FcColumns *columns) {
    FcRunner *const place = fc_take(arena, 1, sizeof(FcRunner));
    FcRunner runner = {.columns = columns};
    uint64_t left = FC_KNOWN_ENTRIES;
    lay_out_frame(arena, columns, &runner);
    runner.by_node = fc_goes_by_node(columns->program);
    if (runner.by_node) {
        lay_out_stations(arena, columns, &runner);
        lay_out_known_stations(arena, columns, &runner, &left);
        lay_out_memos(arena, columns, &runner, &left);
        if (columns->program->detours) lay_out_plans(arena, columns->program, &runner);
    } else if (fc_may_be_guided(columns->program)) {
        lay_out_memos(arena, columns, &runner, &left);
        runner.guides = fc_take(arena, fc_header(columns->program)->view_count, sizeof(uint32_t));
    }
    if (place) *place = runner;
    return place;
}

size_t fc_runner_size(const FcColumns *columns) {
    FcArena arena = {NULL, 0};
    lay_out(&arena, columns);
    return arena.used > SIZE_MAX ? SIZE_MAX : (size_t)arena.used;
}

static void clear(uint64_t *at, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) at[i] = 0;
}

/* Where an exit to a leaf leads: to its outcome, or to the list of those to be split. */
static void aim(FcRunner *runner) {
    const FcProgram *const program = runner->columns->program;
    const FcHeader *const header = fc_header(program);
    uint32_t station = header->node_count;
    for (uint32_t i = 0; i < header->leaf_count; i++) {
        const FcLeaf *const leaf = &program->leaves[i];
        if (leaf->kind == FC_LEAF_SPLIT) runner->split_leaves[station - header->node_count] = i;
        runner->targets[i] = leaf->kind == FC_LEAF_SPLIT ? station++ : FC_LEAF | leaf->outcome;
    }
    for (uint32_t i = 0; i < runner->stations; i++) runner->counts[i] = runner->dense[i] = 0;
}

FcRunner *fc_runner_start(const FcColumns *columns, void *memory, size_t size) {
    FcArena arena = {memory, 0};
    if (!memory || (uintptr_t)memory % 8 || size < fc_runner_size(columns)) return NULL;
    FcRunner *const runner = lay_out(&arena, columns);
    clear(runner->present, words(columns->field_count));
    clear(runner->frame.memo_have, words(columns->memo_words));
    clear(runner->frame.outcomes, columns->outcome_room);
    if (runner->by_node) {
        aim(runner);
        fc_prepare_memos(runner);
        if (columns->program->detours) fc_plan_blocks(runner);
    } else if (runner->guides) {
        fc_prepare_memos(runner);
        fc_find_guides(runner);
    }
    for (uint64_t i = 0; i < words(columns->field_count); i++) runner->frame.have[i] = runner->present[i];
    return runner;
}

/* ---- a batch ------------------------------------------------------------------------------------------------------------ */

static void start_batch(FcRunner *runner, int64_t first, uint32_t count) {
    runner->first = first;
    runner->batch = count;
    for (uint32_t i = 0; i < runner->columns->field_count; i++) runner->soundness[i] = 0;
    fc_forget_memos(runner);
}

/* ---- by row ------------------------------------------------------------------------------------------------------------- */

static void run_by_row(FcRunner *runner, int64_t first, uint32_t count, uint32_t *outcomes) {
    const FcProgram *const program = runner->columns->program;
    for (uint32_t i = 0; i < count; i++) {
        runner->row = first + i;
        if (program->detours & FC_DETOUR_REQUIRES)
            outcomes[i] = fc_walk(program, &runner->frame, fc_fetch_cell, runner).outcome;
        else
            outcomes[i] = fc_walk_local(program, &runner->frame, fc_fetch_cell, runner).outcome;
        fc_forget_row(runner);
    }
}

/* ---- by node ------------------------------------------------------------------------------------------------------------ */

static void run_by_node(FcRunner *runner, int64_t first, uint32_t count, uint32_t *outcomes) {
    start_batch(runner, first, count);
    runner->outcomes = outcomes;
    const uint32_t entry = fc_target(runner, runner->columns->program->entry);
    if (entry & FC_LEAF) {
        for (uint32_t i = 0; i < count; i++) outcomes[i] = entry & ~FC_LEAF;
        return;
    }
    runner->dense[entry] = 1;
    runner->counts[entry] = count;
    for (uint32_t station = entry; station < runner->stations; station++)
        if (runner->counts[station]) fc_step_rows(runner, station);
}

void fc_run_rows(FcRunner *runner, int64_t first, uint32_t count, uint32_t *outcomes) {
    if (runner->by_node) {
        run_by_node(runner, first, count, outcomes);
    } else if (runner->guide_count) {
        start_batch(runner, first, count);
        fc_run_guided(runner, outcomes);
    } else {
        run_by_row(runner, first, count, outcomes);
    }
}

void fc_read_row(const FcField *field, int64_t row, FcValue *out, FcValue *items, uint8_t *text) {
    fc_read_cell(field, row, out, items, text);
}
