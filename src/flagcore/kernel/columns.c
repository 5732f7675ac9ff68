/* Runs one program over rows in columns (columns.h). A runner lives in the caller's memory:
 *
 *     FcRunner | values | have | memo | memo_have | outcomes | rooms | texts | items | touched      by row
 *              | targets of leaves | counts | lists | distinct values' steps                        by node
 */
#include "columns_steps.h"

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

typedef struct { /* hands out the caller's memory; with at == NULL it only counts */
    uint8_t *at;
    uint64_t used;
} FcArena;

static void *take(FcArena *arena, uint64_t count, uint64_t item) {
    void *const place = arena->at ? arena->at + arena->used : NULL;
    arena->used += (count * item + 7) & ~UINT64_C(7);
    return place;
}

static uint64_t words(uint64_t bits) {
    return (bits + 63) / 64;
}

static void lay_out_frame(FcArena *arena, const FcColumns *columns, FcRunner *runner) {
    const uint64_t places = columns->field_count;
    runner->frame.values = take(arena, places, sizeof(FcValue));
    runner->frame.have = take(arena, words(places), 8);
    runner->frame.memo = take(arena, columns->memo_words, 8);
    runner->frame.memo_have = take(arena, words(columns->memo_words), 8);
    runner->frame.outcomes = take(arena, columns->outcome_room, 8);
    runner->touched = take(arena, places, sizeof(uint32_t));
    runner->rooms = take(arena, places, sizeof(FcRoom));
    for (uint64_t i = 0; i < places; i++) {
        FcValue *const items = take(arena, columns->fields[i].longest, sizeof(FcValue));
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
    runner->targets = take(arena, header->leaf_count, sizeof(uint32_t));
    runner->split_leaves = take(arena, runner->stations - header->node_count, sizeof(uint32_t));
    runner->counts = take(arena, runner->stations, sizeof(uint32_t));
    runner->dense = take(arena, runner->stations, 1);
    runner->lists = take(arena, runner->stations, sizeof(FcList));
    runner->known = take(arena, runner->stations, sizeof(FcKnown));
    runner->soundness = take(arena, columns->field_count, 1);
}

/* Targets or codes of distinct values, where a dictionary is not larger than the rows that it serves. */
static void lay_out_known(FcArena *arena, const FcColumns *columns, FcRunner *runner) {
    uint64_t left = FC_KNOWN_ENTRIES;
    for (uint32_t i = 0; i < runner->stations; i++) {
        const FcNode *const node = station_node(columns->program, i);
        const uint32_t slot = node ? node->slot : columns->program->leaves[split_leaf(columns->program, i)].slot;
        const FcField *const field = &columns->fields[slot];
        const uint64_t count = field->kind == FC_FIELD_DICTIONARY ? (uint64_t)field->child->length + 1 : 0;
        FcKnown known = {NULL, NULL, 0, 0};
        if (count && count <= left && count <= (uint64_t)columns->rows) {
            void *const place = take(arena, count, fc_is_test(node) ? 1 : sizeof(uint32_t));
            known = fc_is_test(node) ? (FcKnown){place, NULL, 0, (uint32_t)count} : (FcKnown){NULL, place, 0, (uint32_t)count};
            left -= count;
        }
        if (runner->known) runner->known[i] = known;
    }
}

static FcRunner *lay_out(FcArena *arena, const FcColumns *columns) {
    FcRunner *const place = take(arena, 1, sizeof(FcRunner));
    FcRunner runner = {.columns = columns};
    lay_out_frame(arena, columns, &runner);
    runner.by_node = fc_goes_by_node(columns->program);
    if (runner.by_node) {
        lay_out_stations(arena, columns, &runner);
        lay_out_known(arena, columns, &runner);
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
    clear(runner->frame.have, words(columns->field_count));
    clear(runner->frame.memo_have, words(columns->memo_words));
    clear(runner->frame.outcomes, columns->outcome_room);
    if (runner->by_node) aim(runner);
    return runner;
}

/* ---- by row ------------------------------------------------------------------------------------------------------------- */

static void fetch_cell(void *host, uint32_t place, FcValue *out) {
    FcRunner *const runner = host;
    FcRoom *const room = &runner->rooms[place];
    runner->touched[runner->touched_count++] = place;
    fc_read_cell(&runner->columns->fields[place], runner->row, out, room->items, room->text);
}

/* Forget a row: what was fetched, and what prerequisites gave. */
static void forget_row(FcRunner *runner) {
    const FcColumns *const columns = runner->columns;
    for (uint32_t i = 0; i < runner->touched_count; i++) runner->frame.have[runner->touched[i] >> 6] = 0;
    for (uint32_t i = 0; i < columns->outcome_slot_count; i++) runner->frame.outcomes[columns->outcome_slots[i]] = 0;
    runner->touched_count = 0;
}

static void run_by_row(FcRunner *runner, int64_t first, uint32_t count, uint32_t *outcomes) {
    const FcProgram *const program = runner->columns->program;
    for (uint32_t i = 0; i < count; i++) {
        runner->row = first + i;
        if (program->detours & FC_DETOUR_REQUIRES)
            outcomes[i] = fc_walk(program, &runner->frame, fetch_cell, runner).outcome;
        else
            outcomes[i] = fc_walk_local(program, &runner->frame, fetch_cell, runner).outcome;
        forget_row(runner);
    }
}

/* ---- by node ------------------------------------------------------------------------------------------------------------ */

static void run_by_node(FcRunner *runner, int64_t first, uint32_t count, uint32_t *outcomes) {
    runner->row = first;
    runner->batch = count;
    runner->outcomes = outcomes;
    for (uint32_t i = 0; i < runner->columns->field_count; i++) runner->soundness[i] = 0;
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
    if (runner->by_node)
        run_by_node(runner, first, count, outcomes);
    else
        run_by_row(runner, first, count, outcomes);
}

void fc_read_row(const FcField *field, int64_t row, FcValue *out, FcValue *items, uint8_t *text) {
    fc_read_cell(field, row, out, items, text);
}
