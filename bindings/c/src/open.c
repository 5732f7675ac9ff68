/* From the bytes of a compiled file to linked flags. */
#include "internal.h"
#include "snapshot.h"

#include "bytes.h"

typedef struct {
    FcsFlags *flags;
    FcObject *sets;
    uint32_t set_count;
} Places;

/* ---- size ---------------------------------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t content, links, slots;
} Needs;

/* Copies of names and contents. */
static void add_copies(FcsMap map, Needs *needs) {
    FcsArena arena = {NULL, needs->content};
    FcsEntry entry;
    while (fcs_next_entry(&map, &entry)) {
        fcs_take(&arena, 1, entry.name_length);
        fcs_take(&arena, 1, entry.size);
    }
    needs->content = arena.used;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Links and slots, as the programs say; not more than they have room for. */
static void add_links(FcsMap programs, Needs *needs) {
    FcsEntry entry;
    while (fcs_next_entry(&programs, &entry)) {
        FcHeader header;
        if (entry.size < sizeof header) continue;
        __builtin_memcpy(&header, entry.content, sizeof header);
        needs->links += smaller(header.link_count, entry.size / sizeof(FcLink));
        needs->slots += smaller(header.slot_count, entry.size / sizeof(FcSlot));
    }
}

static Places lay_out(FcsArena *arena, const FcsSnapshot *snapshot) {
    Places places;
    places.flags = fcs_take(arena, 1, sizeof(FcsFlags));
    FcObject *const objects = fcs_take(arena, snapshot->programs.count, sizeof(FcObject));
    places.sets = fcs_take(arena, snapshot->sets.count, sizeof(FcObject));
    places.set_count = 0;
    if (places.flags) *places.flags = (FcsFlags){.objects = objects, .epoch = snapshot->epoch, .revision = snapshot->revision};
    return places;
}

uint32_t fcs_size(const void *bytes, size_t length, size_t *size) {
    FcsSnapshot snapshot;
    FcsArena arena = {NULL, 0};
    Needs needs = {0, 0, 0};
    *size = 0;
    const uint32_t status = fcs_read_snapshot(bytes, length, &snapshot);
    if (status) return status;
    lay_out(&arena, &snapshot);
    add_copies(snapshot.programs, &needs);
    add_copies(snapshot.sets, &needs);
    add_links(snapshot.programs, &needs);
    const size_t links = fc_link_size_of(snapshot.programs.count, snapshot.sets.count, needs.links, needs.slots);
    const uint64_t whole = arena.used + needs.content + links;
    if (links == SIZE_MAX || whole > SIZE_MAX) return FC_NO_SPACE;
    *size = (size_t)whole;
    return FC_OK;
}

/* ---- copies -------------------------------------------------------------------------------------------------------------- */

typedef struct {
    FcsArena arena;
    uint64_t size;
} Memory;

static const uint8_t *copy(Memory *memory, const uint8_t *bytes, uint32_t length) {
    uint8_t *const place = fcs_take(&memory->arena, 1, length);
    if (memory->arena.used > memory->size) return NULL;
    __builtin_memcpy(place, bytes, length);
    return place;
}

/* An object of our own of an entry; bytes NULL: there is no room. */
static FcObject copy_entry(Memory *memory, const FcsEntry *entry) {
    const uint8_t *const name = copy(memory, entry->name, entry->name_length);
    const uint8_t *const content = name ? copy(memory, entry->content, entry->size) : NULL;
    return (FcObject){content, name, entry->name_length, entry->size};
}

/* ---- programs and sets that are sound ------------------------------------------------------------------------------------- */

static uint32_t check_program(const FcObject *object) {
    const uint32_t status = fc_verify(object->bytes, object->size);
    if (status) return status;
    const FcHeader *const header = fc_at(object->bytes, 0);
    const int is_its = header->key.length == object->name_length && fc_equal(object->bytes + header->key.offset, object->name, object->name_length);
    return is_its ? FC_OK : FCS_WRONG_KEY;
}

static uint32_t take_programs(Memory *memory, FcsMap programs, FcsFlags *flags) {
    uint32_t refused = 0;
    flags->count = programs.count;
    FcsEntry entry;
    while (fcs_next_entry(&programs, &entry)) {
        FcObject object = copy_entry(memory, &entry);
        if (!object.bytes) return FC_NO_SPACE;
        const uint32_t status = check_program(&object);
        if (status == FC_OK) {
            flags->objects[flags->served++] = object;
            continue;
        }
        object.bytes = NULL;
        object.size = status;
        flags->objects[flags->count - ++refused] = object;
    }
    return flags->served + refused == flags->count ? FC_OK : FCS_MALFORMED; /* the bytes changed meanwhile */
}

/* A set that is not sound counts as missing: who names it is refused. */
static uint32_t take_sets(Memory *memory, FcsMap sets, Places *places) {
    FcsEntry entry;
    while (fcs_next_entry(&sets, &entry)) {
        const FcObject object = copy_entry(memory, &entry);
        if (!object.bytes) return FC_NO_SPACE;
        if (fc_verify_set(object.bytes, object.size) == FC_OK) places->sets[places->set_count++] = object;
    }
    return FC_OK;
}

/* ---- links ----------------------------------------------------------------------------------------------------------------- */

static int lacks_a_set(const FcProgram *program) {
    const FcHeader *const header = fc_at(program->bytes, 0);
    const FcLink *const links = fc_at(program->bytes, header->link_offset);
    for (uint32_t i = 0; i < header->link_count; i++)
        if (links[i].kind == FC_LINK_SET && !program->links[i]) return 1;
    return 0;
}

/* Refuse the programs that lack a set, from the last on, so that those before keep their places; returns how many. */
static uint32_t refuse_lacking(FcsFlags *flags) {
    const uint32_t before = flags->served;
    for (uint32_t i = before; i-- > 0;) {
        if (!lacks_a_set(fc_program_at(flags->linked, i))) continue;
        FcObject refused = flags->objects[i];
        refused.bytes = NULL;
        refused.size = FCS_NO_SET;
        flags->objects[i] = flags->objects[--flags->served];
        flags->objects[flags->served] = refused;
    }
    return before - flags->served;
}

static uint32_t link_places(Memory *memory, Places *places) {
    FcsFlags *const flags = places->flags;
    void *const rest = memory->arena.at + memory->arena.used;
    const size_t room = (size_t)(memory->size - memory->arena.used);
    uint32_t status;
    do {
        status = fc_link(flags->objects, flags->served, places->sets, places->set_count, rest, room, &flags->linked);
    } while (status == FC_OK && refuse_lacking(flags));
    return status;
}

static void find_most_slots(FcsFlags *flags) {
    for (uint32_t i = 0; i < flags->served; i++) {
        const FcHeader *const header = fc_at(flags->objects[i].bytes, 0);
        if (header->slot_count > flags->most_slots) flags->most_slots = header->slot_count;
    }
}

uint32_t fcs_open(const void *bytes, size_t length, void *memory, size_t size, FcsFlags **out) {
    FcsSnapshot snapshot;
    *out = NULL;
    uint32_t status = fcs_read_snapshot(bytes, length, &snapshot);
    if (!status) status = fcs_check_digest(bytes, length);
    if (status) return status;
    if (!memory || (uintptr_t)memory % 8) return FC_BAD_ALIGNMENT;
    FcsArena counted = {NULL, 0};
    lay_out(&counted, &snapshot);
    if (counted.used > size) return FC_NO_SPACE;
    Memory own = {{memory, 0}, size};
    Places places = lay_out(&own.arena, &snapshot);
    status = take_programs(&own, snapshot.programs, places.flags);
    if (!status) status = take_sets(&own, snapshot.sets, &places);
    if (!status) status = link_places(&own, &places);
    if (status) return status;
    find_most_slots(places.flags);
    *out = places.flags;
    return FC_OK;
}

/* ---- what is open ---------------------------------------------------------------------------------------------------------- */

uint64_t fcs_epoch(const FcsFlags *flags) {
    return flags->epoch;
}

uint64_t fcs_revision(const FcsFlags *flags) {
    return flags->revision;
}

uint32_t fcs_refused(const FcsFlags *flags) {
    return flags->count - flags->served;
}

uint32_t fcs_refused_at(const FcsFlags *flags, uint32_t index, FcsText *flag_key) {
    const FcObject *const object = &flags->objects[flags->served + index];
    *flag_key = (FcsText){(const char *)object->name, object->name_length};
    return object->size;
}

const FcLinked *fcs_linked(const FcsFlags *flags) {
    return flags->linked;
}

const char *fcs_status_text(uint32_t status) {
    switch (status) {
    case FCS_NO_SNAPSHOT:
        return "these bytes are no compiled flags";
    case FCS_NEWER:
        return "the flags were compiled for a later release";
    case FCS_CUT:
        return "the file is cut or padded";
    case FCS_CORRUPT:
        return "the file is corrupt: its bytes are not those that were written";
    case FCS_MALFORMED:
        return "the body is no snapshot";
    case FCS_WRONG_KEY:
        return "the program is another flag's";
    case FCS_NO_SET:
        return "a value set is missing or not sound";
    default:
        return fc_status_text(status);
    }
}
