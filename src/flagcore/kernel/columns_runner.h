/* The state of a batch that is taken by node: stations, the rows that wait at them, and what is remembered. SAFETY: as in walk.h;
 * fields as in fields.h.
 */
#ifndef FLAGCORE_COLUMNS_RUNNER_H
#define FLAGCORE_COLUMNS_RUNNER_H

#include "columns_spots.h"

#define FC_MOST_STATIONS 2048u
#define FC_KNOWN_ENTRIES (1u << 20) /* of all dictionaries together: 4 MB a runner */

typedef struct { /* what a row's values may point into */
    FcValue *items;
    uint8_t text[FC_ROOM_BYTES];
} FcRoom;

typedef struct { /* rows of a batch that wait at a station; one more is written than is counted */
    uint16_t rows[FC_BATCH + 8];
} FcList;

typedef struct { /* what a dictionary's distinct values lead to, then null's entry, repeated up to a power of two */
    uint8_t *codes;    /* of a test; NULL: not kept */
    uint32_t *targets; /* of others; NULL: not kept */
    uint32_t is_filled;
    uint32_t count; /* distinct values and one; 0: not kept */
    uint32_t room;  /* entries: the power of two */
} FcKnown;

#define FC_MOST_VIEWS     256u /* whose classes are kept for a batch: 4 kB each */
#define FC_FEW_THRESHOLDS 8u

#define FC_UNSET          0xFFFFFFFEu /* neither a class, nor a bucket, nor FC_NONE */

enum { FC_KNOWS_NONE = 0, FC_KNOWS_SOME = 1, FC_KNOWS_ALL = 2 };

typedef struct { /* what a batch remembers in place of a walk's memo word: classes of a view, or buckets of a seed */
    uint32_t *numbers; /* by row; FC_UNSET: not computed yet. Of FC_KNOWS_NONE anything */
    uint32_t state;    /* FC_KNOWS_* */
} FcBatchMemo;

typedef struct { /* what a view makes of a batch */
    FcBatchMemo memo;
    FcKnown known;       /* targets: classes of distinct values, where blocks may ask */
    uint32_t is_integral; /* a view of numbers whose constants are integers, one at least */
} FcClasses;

typedef struct { /* what the rows of a block lead to; bit r: row r */
    uint64_t possible; /* rows that can hold at all */
    uint64_t gated;    /* those whose one test is a gate of the runner's seed */
    uint64_t tested;   /* those with other tests */
    uint32_t targets[FC_BLOCK_ROWS + 1]; /* of rows that are not tested; then of no row */
    uint32_t threshold_count;
    uint32_t thresholds[FC_BLOCK_ROWS]; /* of the gates, ascending */
    int is_settled;                     /* no row is tested, and each leads to an outcome */
    uint64_t masks[FC_BLOCK_ROWS + 1];  /* by the number of thresholds at or below a bucket */
} FcPlan;

struct FcRunner {
    const FcColumns *columns;
    FcFrame frame;
    FcRoom *rooms;
    uint32_t *touched; /* places fetched for this row */
    int64_t row;       /* whose cells are fetched */
    int64_t first;     /* row of the batch */
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
    int8_t *soundness; /* by place, of this batch's texts or indices: 0 not looked at, 1 all are sound, -1 not */
    uint32_t batch;    /* rows of this batch */
    FcClasses *classes; /* by view; NULL: there are too many */
    const FcNode *gate;  /* whose slot and seed `buckets` are of; NULL: no other node needs them */
    FcBatchMemo buckets; /* FC_NONE: not bucketable */
    uint64_t *present;   /* what frame.have is before a walk: places of guides that no node asks for itself */
    uint32_t *guides;    /* views whose classes are known before a walk by row */
    uint32_t guide_count;
    FcPlan *plans;          /* of forked programs */
    uint32_t *plan_numbers; /* of blocks, by node */
};

/* ---- stations: the nodes, then the leaves that split ----------------------------------------------------------------------- */

static uint32_t fc_count_stations(const FcProgram *program) {
    const FcHeader *const header = fc_header(program);
    uint32_t count = header->node_count;
    for (uint32_t i = 0; i < header->leaf_count; i++) count += program->leaves[i].kind == FC_LEAF_SPLIT;
    return count;
}

/* A row must stand at one station at a time, and needs no other program. */
static int fc_goes_by_node(const FcProgram *program) {
    const uint32_t count = fc_header(program)->node_count;
    if (program->detours & FC_DETOUR_REQUIRES || fc_count_stations(program) > FC_MOST_STATIONS) return 0;
    if (!(program->detours & FC_DETOUR_FORKS)) return 1;
    if (fc_header(program)->view_count > FC_MOST_VIEWS) return 0;
    for (uint32_t i = 0; i < count; i++)
        if (program->nodes[i].op == FC_OP_FORK || program->nodes[i].op == FC_OP_MULTI) return 0;
    return 1;
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

/* Where an exit leads. A walk that ends without a leaf takes the last one. */
FC_INLINE uint32_t fc_target(const FcRunner *runner, uint32_t exit) {
    if (exit == FC_NONE) exit = FC_LEAF | (fc_header(runner->columns->program)->leaf_count - 1);
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

/* ---- one row's values ------------------------------------------------------------------------------------------------------------- */

/* FcFetch of a runner: the cell of runner->row. */
static void fc_fetch_cell(void *host, uint32_t place, FcValue *out) {
    FcRunner *const runner = host;
    FcRoom *const room = &runner->rooms[place];
    runner->touched[runner->touched_count++] = place;
    fc_read_cell(&runner->columns->fields[place], runner->row, out, room->items, room->text);
}

/* Forget a row: what was fetched, and what prerequisites gave. */
static void fc_forget_row(FcRunner *runner) {
    const FcColumns *const columns = runner->columns;
    for (uint32_t i = 0; i < runner->touched_count; i++) runner->frame.have[runner->touched[i] >> 6] = runner->present[runner->touched[i] >> 6];
    for (uint32_t i = 0; i < columns->outcome_slot_count; i++) runner->frame.outcomes[columns->outcome_slots[i]] = 0;
    runner->touched_count = 0;
}

/* ---- what is known of a batch ------------------------------------------------------------------------------------------------------ */

/* Where a runner notes whether a place's texts or indices are sound, once a batch. */
FC_INLINE int fc_is_noted(int8_t *note, int is_sound) {
    *note = is_sound ? 1 : -1;
    return is_sound;
}

static int fc_is_sound(FcRunner *runner, uint32_t place, const FcField *field) {
    int8_t *const note = &runner->soundness[place];
    if (*note == 0) return fc_is_noted(note, fc_is_sound_batch(field, field->offset + runner->first, runner->batch));
    return *note > 0;
}

/* Texts that the loops take: views are looked at one by one, others have been for this batch. */
static int fc_are_texts(FcRunner *runner, uint32_t place, const FcField *field) {
    if (field->flags & FC_FIELD_BINARY) return 0;
    return field->kind == FC_FIELD_VIEW || (field->kind == FC_FIELD_TEXT && fc_is_sound(runner, place, field));
}

/* Rows of this batch as elements of a place's field; NULL: its first ones. */
static FcSpot fc_spot_at(const FcRunner *runner, uint32_t place, const uint16_t *rows, uint32_t count) {
    const FcField *const field = &runner->columns->fields[place];
    return (FcSpot){
        .field = field,
        .rows = rows,
        .data = field->data,
        .bytes = field->bytes,
        .validity = field->validity,
        .count = count,
        .at = field->offset + runner->first,
        .bit = field->validity_offset + runner->first,
    };
}

#endif
