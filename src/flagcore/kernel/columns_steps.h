/* By node: all rows that wait at a node take their step in one loop. SAFETY: as in walk.h; fields as in fields.h. */
#ifndef FLAGCORE_COLUMNS_STEPS_H
#define FLAGCORE_COLUMNS_STEPS_H

#include "fields.h"
#include "walk.h"

#define FC_MOST_STATIONS 512u
#define FC_KNOWN_ENTRIES (1u << 20) /* of all dictionaries together: 4 MB a runner */

typedef struct { /* what a row's values may point into */
    FcValue *items;
    uint8_t text[FC_ROOM_BYTES];
} FcRoom;

typedef struct { /* rows of a batch that wait at a station */
    uint16_t rows[FC_BATCH + 8];
} FcList;

typedef struct { /* targets by distinct value of a station's dictionary, the last one of null; NULL: not kept */
    uint32_t *steps;
    uint32_t is_filled;
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
    uint32_t *counts;  /* by station */
    FcList *lists;
    FcKnown *known;
    uint32_t *outcomes;
};

/* ---- stations ------------------------------------------------------------------------------------------------------------ */

static uint32_t fc_count_stations(const FcProgram *program) {
    const FcHeader *const header = fc_header(program);
    uint32_t count = header->node_count;
    for (uint32_t i = 0; i < header->leaf_count; i++) count += program->leaves[i].kind == FC_LEAF_SPLIT;
    return count;
}

/* Every step must be one that a row takes by the value of one field. */
static int fc_goes_by_node(const FcProgram *program) {
    const uint32_t count = fc_header(program)->node_count;
    if (program->detours || fc_count_stations(program) > FC_MOST_STATIONS) return 0;
    for (uint32_t i = 0; i < count; i++)
        if (program->nodes[i].op > FC_OP_SWITCH) return 0;
    return 1;
}

FC_INLINE uint32_t fc_target(const FcRunner *runner, uint32_t exit) {
    return exit & FC_LEAF ? runner->targets[exit & ~FC_LEAF] : exit;
}

FC_INLINE void fc_send(FcRunner *runner, uint16_t row, uint32_t target) {
    if (target & FC_LEAF)
        runner->outcomes[row] = target & ~FC_LEAF;
    else
        runner->lists[target].rows[runner->counts[target]++] = row;
}

static uint32_t fc_station_slot(const FcProgram *program, uint32_t station, const uint32_t *split_leaves) {
    const uint32_t nodes = fc_header(program)->node_count;
    return station < nodes ? program->nodes[station].slot : program->leaves[split_leaves[station - nodes]].slot;
}

/* ---- one value's step --------------------------------------------------------------------------------------------------------- */

/* What a memo word keeps belongs to one row: nothing is kept from the row before. */
FC_INLINE uint32_t fc_target_of(FcRunner *runner, uint32_t station, FcValue *value) {
    const FcProgram *const program = runner->columns->program;
    const uint32_t nodes = fc_header(program)->node_count;
    if (program->memo_count) fc_forget(program, &runner->frame);
    if (station < nodes) return fc_target(runner, fc_step(program, &runner->frame, &program->nodes[station], value));
    return FC_LEAF | fc_split(program, &runner->frame, runner->split_leaves[station - nodes], value).outcome;
}

FC_INLINE void fc_step_each(FcRunner *runner, uint32_t station, const FcField *field, FcRoom *room, uint32_t count) {
    const uint16_t *const rows = runner->lists[station].rows;
    FcValue value;
    for (uint32_t i = 0; i < count; i++) {
        fc_read_cell(field, runner->row + rows[i], &value, room->items, room->text);
        fc_send(runner, rows[i], fc_target_of(runner, station, &value));
    }
}

/* ---- dictionaries: one step a distinct value -------------------------------------------------------------------------------- */

static uint32_t fc_known_entries(const FcColumns *columns, uint32_t station, uint32_t left) {
    (void)columns, (void)station, (void)left;
    return 0;
}

/* ---- a station ------------------------------------------------------------------------------------------------------------------- */

static void fc_step_rows(FcRunner *runner, uint32_t station) {
    const uint32_t slot = fc_station_slot(runner->columns->program, station, runner->split_leaves);
    const FcField *const field = &runner->columns->fields[slot];
    const uint32_t count = runner->counts[station];
    runner->counts[station] = 0;
    fc_step_each(runner, station, field, &runner->rooms[slot], count);
}

#endif
