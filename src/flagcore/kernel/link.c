/* Links a set of verified programs for hosts without a linker of their own: names to objects, attributes to evaluation
 * slots. Everything lives in the caller's memory:
 *
 *     FcLinked | FcProgram[programs] | links | slot names | slots | index of flags | of sets | of attributes | heights
 */
#include "arena.h"
#include "walk.h"

typedef struct { /* an attribute of the linked set */
    const uint8_t *program;
    const FcSlot *slot;
} FcSlotName;

typedef struct { /* open addressing, half full: 1 + number of an item, 0: empty */
    uint32_t *cells;
    uint32_t capacity;
} FcIndex;

struct FcLinked {
    FcProgram *programs;
    const FcObject *sets;
    FcSlotName *names; /* of evaluation slots; [FC_SLOT_NOW] is empty */
    uint32_t *heights; /* of programs, in prerequisites: 0 not yet, 1 being looked at, 2 + height */
    FcIndex flags, set_names, attributes;
    uint32_t program_count, slot_count, outcome_count, memo_words;
};

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t programs, sets, links, slots;
} FcCounts;

static FcIndex take_index(FcArena *arena, uint64_t items) {
    const uint64_t capacity = 2 * items + 1;
    return (FcIndex){fc_take(arena, capacity, sizeof(uint32_t)), (uint32_t)capacity};
}

static const FcHeader *header_at(const uint8_t *program) {
    return fc_at(program, 0);
}

static FcCounts count_parts(const FcObject *programs, uint32_t program_count, uint32_t set_count) {
    FcCounts counts = {program_count, set_count, 0, 0};
    for (uint32_t i = 0; i < program_count; i++) {
        counts.links += header_at(programs[i].bytes)->link_count;
        counts.slots += header_at(programs[i].bytes)->slot_count;
    }
    return counts;
}

typedef struct {
    FcLinked *linked;
    const void **links;
    uint32_t *slots;
} FcPlaces;

/* Both the size and the places come from here, so they cannot disagree. */
static FcPlaces lay_out(FcArena *arena, FcCounts counts) {
    FcLinked parts = {0};
    FcPlaces places;
    places.linked = fc_take(arena, 1, sizeof(FcLinked));
    parts.programs = fc_take(arena, counts.programs, sizeof(FcProgram));
    places.links = fc_take(arena, counts.links, sizeof(void *));
    parts.names = fc_take(arena, counts.slots + 1, sizeof(FcSlotName));
    places.slots = fc_take(arena, counts.slots, sizeof(uint32_t));
    parts.flags = take_index(arena, counts.programs);
    parts.set_names = take_index(arena, counts.sets);
    parts.attributes = take_index(arena, counts.slots);
    parts.heights = fc_take(arena, counts.programs, sizeof(uint32_t));
    if (places.linked) *places.linked = parts;
    return places;
}

/* Counts that 32-bit numbers hold, indices included. */
static int is_linkable(FcCounts counts) {
    const uint64_t most = UINT32_C(1) << 30;
    return counts.programs < most && counts.sets < most && counts.slots < most && counts.links < most;
}

static size_t size_for(FcCounts counts) {
    FcArena arena = {NULL, 0};
    if (!is_linkable(counts)) return SIZE_MAX;
    lay_out(&arena, counts);
    return arena.used > SIZE_MAX ? SIZE_MAX : (size_t)arena.used;
}

size_t fc_link_size(const FcObject *programs, uint32_t program_count, uint32_t set_count) {
    return size_for(count_parts(programs, program_count, set_count));
}

size_t fc_link_size_of(uint32_t program_count, uint32_t set_count, uint64_t link_count, uint64_t slot_count) {
    return size_for((FcCounts){program_count, set_count, link_count, slot_count});
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static uint32_t home_of(const FcIndex *index, uint64_t hash) {
    return (uint32_t)((hash >> 32) * index->capacity >> 32);
}

static uint32_t next_cell(const FcIndex *index, uint32_t at) {
    return at + 1 == index->capacity ? 0 : at + 1;
}

static int same_text(const uint8_t *a, uint64_t a_length, const uint8_t *b, uint64_t b_length) {
    return a_length == b_length && fc_equal(a, b, (uint32_t)a_length);
}

static int has_key(const FcProgram *program, const uint8_t *key, size_t length) {
    const FcHeader *const header = fc_header(program);
    return same_text(program->bytes + header->key.offset, header->key.length, key, length);
}

/* The cell of a flag: filled with it, or the empty one where it belongs. */
static uint32_t *flag_cell(const FcLinked *linked, const uint8_t *key, size_t length) {
    uint32_t at = home_of(&linked->flags, fc_xxh64(key, length, 0));
    for (;; at = next_cell(&linked->flags, at)) {
        uint32_t *const cell = &linked->flags.cells[at];
        if (*cell == 0 || has_key(&linked->programs[*cell - 1], key, length)) return cell;
    }
}

static uint32_t *set_cell(const FcLinked *linked, const uint8_t *name, size_t length) {
    uint32_t at = home_of(&linked->set_names, fc_xxh64(name, length, 0));
    for (;; at = next_cell(&linked->set_names, at)) {
        uint32_t *const cell = &linked->set_names.cells[at];
        if (*cell == 0) return cell;
        const FcObject *const set = &linked->sets[*cell - 1];
        if (same_text(set->name, set->name_length, name, length)) return cell;
    }
}

/* One attribute: the same flat key, parted into the same names. */
static int same_slot(FcSlotName a, FcSlotName b) {
    if (a.slot->part_count != b.slot->part_count) return 0;
    const FcText left = a.slot->flat, right = b.slot->flat;
    if (!same_text(a.program + left.offset, left.length, b.program + right.offset, right.length)) return 0;
    if (a.slot->part_count == 1) return 1;
    return fc_equal(a.program + a.slot->parts, b.program + b.slot->parts, a.slot->part_count * 4u);
}

static uint32_t *attribute_cell(const FcLinked *linked, FcSlotName name) {
    const uint64_t hash = fc_xxh64(name.program + name.slot->flat.offset, name.slot->flat.length, name.slot->part_count);
    uint32_t at = home_of(&linked->attributes, hash);
    for (;; at = next_cell(&linked->attributes, at)) {
        uint32_t *const cell = &linked->attributes.cells[at];
        if (*cell == 0 || same_slot(linked->names[*cell], name)) return cell;
    }
}

/* ---- linking ------------------------------------------------------------------------------------------------------------ */

static void clear(FcIndex index) {
    for (uint32_t i = 0; i < index.capacity; i++) index.cells[i] = 0;
}

static uint32_t index_flags(FcLinked *linked) {
    for (uint32_t i = 0; i < linked->program_count; i++) {
        const FcProgram *const program = &linked->programs[i];
        const FcText key = fc_header(program)->key;
        uint32_t *const cell = flag_cell(linked, program->bytes + key.offset, key.length);
        if (*cell) return FC_NAME_TWICE;
        *cell = i + 1;
    }
    return FC_OK;
}

static uint32_t index_sets(FcLinked *linked, uint32_t set_count) {
    for (uint32_t i = 0; i < set_count; i++) {
        uint32_t *const cell = set_cell(linked, linked->sets[i].name, linked->sets[i].name_length);
        if (*cell) return FC_NAME_TWICE;
        *cell = i + 1;
    }
    return FC_OK;
}

/* The evaluation slot of a program's attribute, a new one if need be. */
static uint32_t evaluation_slot(FcLinked *linked, FcSlotName name) {
    if (name.slot->kind == FC_SLOT_TIME) return FC_SLOT_NOW;
    uint32_t *const cell = attribute_cell(linked, name);
    if (*cell == 0) {
        *cell = linked->slot_count++;
        linked->names[*cell] = name;
    }
    return *cell;
}

static void link_slots(FcLinked *linked, const FcProgram *program, uint32_t *slots) {
    const FcHeader *const header = fc_header(program);
    const FcSlot *const records = fc_at(program->bytes, header->slot_offset);
    for (uint32_t i = 0; i < header->slot_count; i++) slots[i] = evaluation_slot(linked, (FcSlotName){program->bytes, &records[i]});
}

/* What a link names, or NULL. A flag that others require gets a place for its outcome. */
static const void *target_of(FcLinked *linked, const uint8_t *program, const FcLink *link) {
    const uint8_t *const name = program + link->name.offset;
    if (link->kind == FC_LINK_SET) {
        const uint32_t number = *set_cell(linked, name, link->name.length);
        return number ? linked->sets[number - 1].bytes : NULL;
    }
    const uint32_t number = *flag_cell(linked, name, link->name.length);
    if (number == 0) return NULL;
    FcProgram *const required = &linked->programs[number - 1];
    if (required->outcome_slot == FC_NONE) required->outcome_slot = linked->outcome_count++;
    return required;
}

static void link_targets(FcLinked *linked, const FcProgram *program, const void **links) {
    const FcHeader *const header = fc_header(program);
    const FcLink *const records = fc_at(program->bytes, header->link_offset);
    for (uint32_t i = 0; i < header->link_count; i++) links[i] = target_of(linked, program->bytes, &records[i]);
}

static void place_programs(FcLinked *linked, const FcObject *objects, FcPlaces places) {
    for (uint32_t i = 0; i < linked->program_count; i++) {
        const FcHeader *const header = header_at(objects[i].bytes);
        fc_program_init(&linked->programs[i], objects[i].bytes, places.slots, places.links);
        places.slots += header->slot_count;
        places.links += header->link_count;
        if (header->memo_count > linked->memo_words) linked->memo_words = header->memo_count;
    }
}

static void link_programs(FcLinked *linked, FcPlaces places) {
    for (uint32_t i = 0; i < linked->program_count; i++) {
        const FcHeader *const header = fc_header(&linked->programs[i]);
        link_slots(linked, &linked->programs[i], places.slots);
        link_targets(linked, &linked->programs[i], places.links);
        places.slots += header->slot_count;
        places.links += header->link_count;
    }
}

/* ---- chains of prerequisites ----------------------------------------------------------------------------------------------- */

enum { UNSEEN = 0, OPEN = 1, DONE = 2 };

typedef struct { /* a program whose prerequisites are being looked at */
    uint32_t program, link, height;
} FcVisit;

/* The next program that it links to, or FC_NONE. */
static uint32_t next_required(const FcLinked *linked, FcVisit *visit) {
    const FcProgram *const program = &linked->programs[visit->program];
    const FcHeader *const header = fc_header(program);
    const FcLink *const records = fc_at(program->bytes, header->link_offset);
    while (visit->link < header->link_count) {
        const uint32_t link = visit->link++;
        if (records[link].kind == FC_LINK_PROGRAM && program->links[link])
            return (uint32_t)((const FcProgram *)program->links[link] - linked->programs);
    }
    return FC_NONE;
}

static void raise_height(FcVisit *visit, uint32_t below) {
    if (below + 1 > visit->height) visit->height = below + 1;
}

/* Depth first from one program, without recursion. */
static uint32_t measure(FcLinked *linked, uint32_t root) {
    FcVisit stack[FC_MAX_DEPTH + 1] = {{root, 0, 0}};
    uint32_t depth = 1;
    linked->heights[root] = OPEN;
    while (depth) {
        FcVisit *const top = &stack[depth - 1];
        const uint32_t required = next_required(linked, top);
        if (required == FC_NONE) {
            if (top->height > FC_MAX_DEPTH) return FC_TOO_DEEP;
            linked->heights[top->program] = DONE + top->height;
            if (--depth) raise_height(top - 1, top->height);
        } else if (linked->heights[required] == OPEN) {
            return FC_CYCLE;
        } else if (linked->heights[required] >= DONE) {
            raise_height(top, linked->heights[required] - DONE);
        } else if (depth > FC_MAX_DEPTH) {
            return FC_TOO_DEEP;
        } else {
            linked->heights[required] = OPEN;
            stack[depth++] = (FcVisit){required, 0, 0};
        }
    }
    return FC_OK;
}

static uint32_t measure_all(FcLinked *linked) {
    uint32_t status = FC_OK;
    for (uint32_t i = 0; i < linked->program_count; i++) linked->heights[i] = UNSEEN;
    for (uint32_t i = 0; i < linked->program_count && !status; i++)
        if (linked->heights[i] == UNSEEN) status = measure(linked, i);
    return status;
}

/* ---- the public functions ---------------------------------------------------------------------------------------------------- */

uint32_t fc_link(
    const FcObject *programs, uint32_t program_count, const FcObject *sets, uint32_t set_count, void *memory, size_t size, FcLinked **out) {
    const FcCounts counts = count_parts(programs, program_count, set_count);
    FcArena arena = {memory, 0};
    if (!memory || (uintptr_t)memory % 8 || !is_linkable(counts)) return FC_NO_SPACE;
    if (size < fc_link_size(programs, program_count, set_count)) return FC_NO_SPACE;
    const FcPlaces places = lay_out(&arena, counts);
    FcLinked *const linked = places.linked;
    linked->sets = sets;
    linked->program_count = program_count;
    linked->slot_count = 1;
    linked->names[FC_SLOT_NOW] = (FcSlotName){NULL, NULL};
    clear(linked->flags);
    clear(linked->set_names);
    clear(linked->attributes);
    place_programs(linked, programs, places);
    uint32_t status = index_flags(linked);
    if (!status) status = index_sets(linked, set_count);
    if (status) return status;
    link_programs(linked, places);
    *out = linked;
    return measure_all(linked);
}

const FcProgram *fc_find(const FcLinked *linked, const uint8_t *key, size_t length) {
    const uint32_t number = *flag_cell(linked, key, length);
    return number ? &linked->programs[number - 1] : NULL;
}

uint32_t fc_slots(const FcLinked *linked) {
    return linked->slot_count;
}

uint32_t fc_outcome_slots(const FcLinked *linked) {
    return linked->outcome_count;
}

uint32_t fc_memo_words(const FcLinked *linked) {
    return linked->memo_words;
}

const FcSlot *fc_slot_name(const FcLinked *linked, uint32_t slot, const uint8_t **program) {
    *program = linked->names[slot].program;
    return linked->names[slot].slot;
}

uint32_t fc_program_count(const FcLinked *linked) {
    return linked->program_count;
}

const FcProgram *fc_program_at(const FcLinked *linked, uint32_t index) {
    return &linked->programs[index];
}

/* A flag's outcome is kept for those that require it, whichever is walked first. */
void fc_walk_all(const FcLinked *linked, FcFrame *frame, FcFetch fetch, void *host, FcResult *results) {
    for (uint32_t i = 0; i < linked->program_count; i++) {
        const FcProgram *const program = &linked->programs[i];
        results[i] = fc_walk(program, frame, fetch, host);
        if (program->outcome_slot != FC_NONE) frame->outcomes[program->outcome_slot] = fc_outcome_of(program, results[i]);
    }
}
