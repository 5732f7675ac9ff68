/* Any bytes through verify; what verify accepts through every walk. Built by tools/fuzz.sh for libFuzzer, and by
 * tests/unit/test_kernel_fuzz.py (with -DFC_STANDALONE) as a program that mutates files by itself with a fixed seed:
 *
 *     fuzz_program SEED ROUNDS FILE...
 *
 * Both run under ASan and UBSan; buffers have exactly the size of what they hold, so that any read beyond is seen.
 */
#include <string.h>

#include "require.h"
#include "walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);

static uint64_t state;
static uint64_t accepted, refused;

static uint64_t random64(void) { /* SplitMix64 */
    state += UINT64_C(0x9E3779B97F4A7C15);
    return fc_mix(state);
}

static uint32_t below(uint64_t limit) {
    return limit ? (uint32_t)(random64() % limit) : 0;
}

static void *exactly(const void *content, size_t size) {
    void *const copy = malloc(size ? size : 1);
    REQUIRE(copy);
    if (size) memcpy(copy, content, size);
    return copy;
}

/* ---- values ------------------------------------------------------------------------------------------------------------ */

static const char *const words[] = {
    "",
    "a",
    "DE",
    "AT",
    "abc",
    "xyz",
    "ABC",
    "pre-fix",
    "a text of more than eight bytes",
    "FOLDED and LONG",
    "key-7",
    "KEY-19",
    "yy",
    "a somewhat longer text",
    "another text that is longer than an entry",
    "u-1",
    "on",
    "off",
    "1.0.0",
    "1.0.0-alpha.1",
    "v2.3",
    "2.3.0-rc.1",
    "1.2.99999999999999999999",
    "1970-01-01T00:00:01Z",
    "2026-11-21T10:00:00.123456789+01:00",
    "2026-11-21",
    "10.1.2.3",
    "::1",
    "2001:db8::1:2",
    "::ffff:10.0.0.1",
    "1:2:3:4:5:6:7::",
    "\xC3\xA4\xC3\x9F",
    "abcdabcdabcd",
    "xxabc",
};

enum { WORDS = sizeof words / sizeof words[0], MOST_SLOTS = 64, MOST_MEMO = 4096, LIST = 4 };

typedef struct { /* one evaluation: everything it needs, owned */
    FcValue values[MOST_SLOTS];
    FcValue lists[MOST_SLOTS][LIST];
    void *owned[MOST_SLOTS * (LIST + 1)];
    uint32_t owned_count;
} Context;

static void set_text(Context *context, FcValue *value, const void *text, size_t length) {
    void *const copy = exactly(text, length);
    context->owned[context->owned_count++] = copy;
    value->u.bytes = copy;
    value->length = (uint32_t)length;
}

/* Some text: a word, or a piece of the program itself, where its constants stand. */
static void choose_text(Context *context, FcValue *value, const uint8_t *program, size_t size) {
    const char *const word = words[below(WORDS)];
    if (below(3)) {
        set_text(context, value, word, strlen(word));
        return;
    }
    const size_t at = below(size), length = below(1 + (size - at < 64 ? size - at : 64));
    set_text(context, value, program + at, length);
}

static void choose_scalar(Context *context, FcValue *value, const uint8_t *program, size_t size) {
    static const int64_t integers[] = {0, 1, -1, 5, 7, 1000000, INT64_MAX, INT64_MIN, INT64_C(1) << 53};
    static const double numbers[] = {0.0, -0.5, 2.5, 7.0, 1e300, -1e300, 9007199254740994.0};
    static const uint8_t types[] = {
        FC_MISSING, FC_NULL, FC_BOOLEAN, FC_INTEGER, FC_FLOAT, FC_TEXT, FC_TEXT, FC_TEXT, FC_TEXT, FC_TIME, FC_SUBJECT, FC_OTHER};
    memset(value, 0, sizeof *value);
    value->type = types[below(sizeof types)];
    if (value->type == FC_TEXT || value->type == FC_SUBJECT) choose_text(context, value, program, size);
    if (value->type == FC_BOOLEAN) value->u.integer = below(2);
    if (value->type == FC_INTEGER || value->type == FC_TIME) value->u.integer = integers[below(9)];
    if (value->type != FC_FLOAT) return;
    const uint32_t choice = below(9);
    value->u.number = choice < 7 ? numbers[choice] : choice == 7 ? __builtin_nan("") : __builtin_inf();
}

static void choose_value(Context *context, uint32_t slot, const uint8_t *program, size_t size) {
    FcValue *const value = &context->values[slot];
    choose_scalar(context, value, program, size);
    if (below(6)) return;
    memset(value, 0, sizeof *value);
    value->type = FC_LIST;
    value->length = below(LIST + 1);
    value->u.items = context->lists[slot];
    for (uint32_t i = 0; i < value->length; i++) choose_scalar(context, &context->lists[slot][i], program, size);
}

static void choose_context(Context *context, uint32_t slots, const uint8_t *program, size_t size) {
    context->owned_count = 0;
    for (uint32_t i = 0; i < slots; i++) choose_value(context, i, program, size);
}

static void release(Context *context) {
    for (uint32_t i = 0; i < context->owned_count; i++) free(context->owned[i]);
}

/* ---- walks --------------------------------------------------------------------------------------------------------------- */

typedef struct { /* a frame of exactly the sizes that the program asks for */
    FcFrame frame;
    uint32_t slots;
} Frame;

static Frame new_frame(uint32_t slots, uint32_t memo, uint32_t outcomes) {
    const Frame frame = {
        {calloc(slots, sizeof(FcValue)), calloc((slots + 63) / 64, 8), calloc(memo, 8), calloc((memo + 63) / 64, 8), calloc(outcomes, 8)},
        slots,
    };
    memset(frame.frame.memo, 0xAB, (size_t)memo * 8);
    return frame;
}

static void free_frame(Frame *frame) {
    free(frame->frame.values);
    free(frame->frame.have);
    free(frame->frame.memo);
    free(frame->frame.memo_have);
    free(frame->frame.outcomes);
}

typedef struct {
    const Context *context;
    uint32_t slots;
    uint64_t seen[MOST_SLOTS / 64 + 1];
} Host;

static void fetch(void *host, uint32_t slot, FcValue *out) {
    Host *const self = host;
    REQUIRE(slot < self->slots);
    REQUIRE(!(self->seen[slot / 64] >> (slot % 64) & 1)); /* at most once an evaluation */
    self->seen[slot / 64] |= UINT64_C(1) << (slot % 64);
    *out = self->context->values[slot];
}

static void check(const FcHeader *header, FcResult result) {
    REQUIRE(result.leaf < header->leaf_count);
    REQUIRE(result.outcome < header->outcome_count);
    REQUIRE(result.variant == FC_NONE || result.variant < header->variant_count);
}

static void same(FcResult a, FcResult b) {
    REQUIRE(a.leaf == b.leaf && a.outcome == b.outcome && a.variant == b.variant);
}

static FcResult walk_local(const FcProgram *program, const FcHeader *header, const Context *context, int wide) {
    Frame frame = new_frame(header->slot_count, header->memo_count, 1);
    Host host = {context, header->slot_count, {0}};
    const FcResult result = wide ? fc_walk(program, &frame.frame, fetch, &host) : fc_walk_local(program, &frame.frame, fetch, &host);
    check(header, result);
    free_frame(&frame);
    return result;
}

static FcResult walk_small(const FcProgram *program, const FcHeader *header, const Context *context) {
    Frame frame = new_frame(header->slot_count, header->memo_count, 1);
    Host host = {context, header->slot_count, {0}};
    const FcResult result = fc_walk_small_inline(program, &frame.frame, fetch, &host);
    check(header, result);
    free_frame(&frame);
    return result;
}

static FcResult walk_filled(const FcProgram *program, const FcHeader *header, const Context *context) {
    Frame frame = new_frame(header->slot_count, header->memo_count, 1);
    for (uint32_t i = 0; i < header->slot_count; i++) frame.frame.values[i] = context->values[i];
    const FcResult result = fc_walk_filled(program, &frame.frame);
    check(header, result);
    free_frame(&frame);
    return result;
}

static FcResult walk_resuming(const FcProgram *program, const FcHeader *header, const Context *context) {
    Frame frame = new_frame(header->slot_count, header->memo_count, 1);
    uint32_t at = program->entry, slot;
    FcResult result;
    while ((slot = fc_walk_resume(program, &at, &frame.frame, &result)) != FC_NONE) {
        REQUIRE(slot < header->slot_count && !(frame.frame.have[slot / 64] >> (slot % 64) & 1));
        frame.frame.values[slot] = context->values[slot];
        frame.frame.have[slot / 64] |= UINT64_C(1) << (slot % 64);
    }
    check(header, result);
    free_frame(&frame);
    return result;
}

/* Links lead nowhere, to a set of these values, or, for prerequisites, to the program itself: a cycle that a linker would
 * refuse and a walk survives. */
static void choose_links(const FcProgram *self, const FcHeader *header, const void **links, const FcSet *set) {
    const FcLink *const records = (const FcLink *)(const void *)(self->bytes + header->link_offset);
    for (uint32_t i = 0; i < header->link_count; i++) {
        links[i] = NULL;
        if (below(2)) links[i] = records[i].kind == FC_LINK_SET ? (const void *)set : (const void *)self;
    }
}

static void walk_once(const uint8_t *bytes, const FcHeader *header) {
    static const FcSet empty = {FC_SET_MAGIC, 1, 1, sizeof(FcSet), FC_KIND_BOOLEAN, 0, 0, 0, 0, 0, 0, 3, 0};
    uint32_t *const slots = malloc(4 * (size_t)header->slot_count + 1);
    const void **const links = malloc(8 * (size_t)header->link_count + 1);
    static Context context;
    FcProgram program;
    REQUIRE(slots && links);
    for (uint32_t i = 0; i < header->slot_count; i++) slots[i] = i;
    fc_program_init(&program, bytes, slots, links);
    choose_links(&program, header, links, &empty);
    program.outcome_slot = 0;
    choose_context(&context, header->slot_count, bytes, header->size);
    const FcResult wide = walk_local(&program, header, &context, 1), local = walk_local(&program, header, &context, 0);
    same(local, walk_filled(&program, header, &context));
    same(local, walk_resuming(&program, header, &context));
    if (!(program.detours & FC_DETOUR_REQUIRES)) same(local, wide);
    if (!program.detours) same(local, walk_small(&program, header, &context));
    release(&context);
    free(slots);
    free(links);
}

/* ---- linking ----------------------------------------------------------------------------------------------------------- */

static void link_alone(const uint8_t *bytes, const FcHeader *header, const Context *context) {
    const FcObject object = {bytes, NULL, 0, header->size};
    const size_t size = fc_link_size(&object, 1, 0);
    void *const memory = malloc(size);
    FcLinked *linked;
    const uint32_t status = fc_link(&object, 1, NULL, 0, memory, size, &linked);
    REQUIRE(status == FC_OK || status == FC_CYCLE);
    if (status == FC_OK) {
        Frame frame = new_frame(fc_slots(linked), fc_memo_words(linked), fc_outcome_slots(linked));
        Host host = {context, fc_slots(linked), {0}};
        FcResult result;
        fc_walk_all(linked, &frame.frame, fetch, &host, &result);
        check(header, result);
        REQUIRE(fc_find(linked, bytes + header->key.offset, header->key.length) == fc_program_at(linked, 0));
        free_frame(&frame);
    }
    free(memory);
}

static void walk_program(const uint8_t *bytes) {
    const FcHeader *const header = (const FcHeader *)(const void *)bytes;
    if (header->slot_count >= MOST_SLOTS || header->memo_count > MOST_MEMO) return;
    for (int i = 0; i < 6; i++) walk_once(bytes, header);
    static Context context;
    choose_context(&context, header->slot_count + 1, bytes, header->size);
    link_alone(bytes, header, &context);
    release(&context);
}

/* ---- one input ------------------------------------------------------------------------------------------------------------- */

/* A program that asks for membership in the linked set: the walk over a set that verify accepted. */
static void probe_set(const uint8_t *set) {
    struct {
        FcHeader header;
        FcNode nodes[2];
        FcLeaf leaves[1];
        FcSlot slots[1];
        FcLink links[1];
        uint8_t pool[8];
    } all = {{0}, {{0}}, {{0}}, {{0}}, {{0}}, "k"};
    const uint32_t leaf = (uint32_t)((uint8_t *)all.leaves - (uint8_t *)&all), pool = (uint32_t)(all.pool - (uint8_t *)&all);
    all.header = (FcHeader){.magic = FC_PROGRAM_MAGIC,
        .format = FC_FORMAT,
        .min_reader = 1,
        .size = sizeof all,
        .hash_id = 1,
        .node_count = 2,
        .step_bound = 2,
        .leaf_offset = leaf,
        .leaf_count = 1,
        .outcome_count = 1,
        .slot_offset = leaf + 32,
        .slot_count = 1,
        .view_offset = pool,
        .variant_offset = pool,
        .rule_offset = pool,
        .link_offset = leaf + 48,
        .link_count = 1,
        .key = {pool, 1},
        .metadata = {pool, 1}};
    all.nodes[0] = (FcNode){FC_OP_IN, FC_NODE_LINK, 0, 1, 1, 1, 0, 0, 0};
    all.nodes[1] = (FcNode){FC_OP_CONTAINS, FC_NODE_LINK, 0, FC_LEAF, FC_LEAF, FC_LEAF, 0, 0, 0};
    all.leaves[0] = (FcLeaf){.kind = FC_LEAF_CALLER, .rule = FC_NONE, .memo = FC_NO_MEMO};
    all.slots[0] = (FcSlot){{pool, 1}, 0, 1, FC_SLOT_ATTRIBUTE};
    all.links[0] = (FcLink){FC_LINK_SET, {pool, 1}, 0};
    REQUIRE(fc_verify((const uint8_t *)&all, sizeof all) == FC_OK);
    const uint32_t slot = 0;
    const void *link = set;
    FcProgram program;
    fc_program_init(&program, (const uint8_t *)&all, &slot, &link);
    static Context context;
    for (int i = 0; i < 12; i++) {
        choose_context(&context, 1, set, ((const FcSet *)(const void *)set)->size);
        walk_filled(&program, &all.header, &context);
        release(&context);
    }
}

static uint64_t digest(const uint8_t *data, size_t size) {
    return fc_hash(data, size, 42);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *const bytes = exactly(data, size);
    state = digest(data, size); /* the same input, the same walks */
    const uint32_t status = fc_verify(bytes, size), set_status = fc_verify_set(bytes, size);
    REQUIRE(fc_status_text(status) && fc_status_text(set_status));
    if (status == FC_OK) walk_program(bytes);
    if (set_status == FC_OK) probe_set(bytes);
    if (status == FC_OK || set_status == FC_OK)
        accepted++;
    else
        refused++;
    free(bytes);
    return 0;
}

/* ---- mutations that know the layout ---------------------------------------------------------------------------------------- */

static uint32_t interesting(const uint8_t *data, size_t size, uint32_t old) {
    static const uint32_t numbers[] = {0, 1, 2, 3, 4, 8, 12, 13, 16, 17, 18, 19, 63, 64, 255, 256, 65535, 65536, 1000000, 1000001, 0x7FFFFFFF,
        FC_LEAF, FC_LEAF | 1, 0xFFFFFFFE, FC_NONE};
    uint32_t other;
    switch (below(6)) {
    case 0:
        return numbers[below(sizeof numbers / sizeof numbers[0])];
    case 1:
        return old + 1;
    case 2:
        return old - 1;
    case 3:
        return old ^ UINT32_C(1) << below(32);
    case 4:
        return (uint32_t)size - below(64);
    default:
        memcpy(&other, data + 4 * (size_t)below(size / 4), 4);
        return other;
    }
}

/* A field of any width becomes another number; often one of the header or of the records near the beginning. */
static void change_field(uint8_t *data, size_t size) {
    const size_t reach = below(3) ? size : size < 512 ? size : 512;
    if (below(3)) {
        const size_t at = 4 * (size_t)below(reach / 4);
        uint32_t old;
        memcpy(&old, data + at, 4);
        const uint32_t changed = interesting(data, size, old);
        memcpy(data + at, &changed, 4);
    } else {
        data[below(reach)] = below(2) ? (uint8_t)random64() : (uint8_t)(1u << below(8));
    }
}

/* A record of 16 or 32 bytes becomes a copy of another one, or they change places. */
static void copy_record(uint8_t *data, size_t size) {
    const size_t item = below(2) ? 32 : 16, count = size / item;
    if (count < 2) return;
    uint8_t kept[32];
    uint8_t *const a = data + item * below(count), *const b = data + item * below(count);
    memcpy(kept, a, item);
    memmove(a, b, item);
    if (below(2)) memcpy(b, kept, item);
}

/* A number of the program, 0 where there is none. */
static uint32_t word_at(const uint8_t *data, size_t size, uint64_t offset) {
    uint32_t word = 0;
    if (offset % 4 == 0 && offset + 4 <= size) memcpy(&word, data + offset, 4);
    return word;
}

enum { MOST_NODES = 256, MOST_STEPS = 20000 };

typedef struct { /* what a walk from each node may take, as far as it is known */
    const uint8_t *data;
    size_t size;
    uint32_t steps[MOST_NODES], forks[MOST_NODES];
    uint32_t own, count;
} Bounds;

/* One more exit of the node under way: one after the other, or one of several. */
static void add_exit(Bounds *bounds, uint32_t exit, int one_of) {
    if (exit & FC_LEAF || exit <= bounds->own || exit >= bounds->count) return;
    uint32_t *const steps = &bounds->steps[bounds->own], *const forks = &bounds->forks[bounds->own];
    if (!one_of)
        *steps += bounds->steps[exit];
    else if (*steps < bounds->steps[exit])
        *steps = bounds->steps[exit];
    if (*forks < bounds->forks[exit]) *forks = bounds->forks[exit];
    if (*steps > MOST_STEPS) *steps = MOST_STEPS;
}

static void add_list(Bounds *bounds, uint32_t offset, uint32_t count, uint32_t stride) {
    for (uint64_t i = 0; i < count && i < 256; i++) add_exit(bounds, word_at(bounds->data, bounds->size, offset + i * stride), 0);
}

static void bound_node(Bounds *bounds, const FcNode *node) {
    const uint8_t *const data = bounds->data;
    const size_t size = bounds->size;
    if (node->op == FC_OP_FORK) {
        add_list(bounds, node->pool + 8, word_at(data, size, node->pool), 8);
    } else if (node->op == FC_OP_MULTI) {
        add_list(bounds, word_at(data, size, node->pool + 8u) + 4, word_at(data, size, node->pool + 4u), 8);
        add_exit(bounds, node->on_false, 0);
    } else if (node->op == FC_OP_BLOCK) {
        add_list(bounds, word_at(data, size, node->pool + 12u), word_at(data, size, node->pool + 4u), 4);
        add_exit(bounds, node->on_false, 0);
        bounds->steps[bounds->own] += word_at(data, size, node->pool) & 0xFF;
    } else {
        const int is_table = node->op == FC_OP_SWITCH || node->op == FC_OP_LOOKUP;
        for (uint32_t i = bounds->own + 1; is_table && i < bounds->count; i++) add_exit(bounds, i, 1);
        add_exit(bounds, node->on_true, 1);
        add_exit(bounds, node->on_false, 1);
        add_exit(bounds, node->on_unknown, 1);
    }
    bounds->steps[bounds->own]++;
    bounds->forks[bounds->own] += node->op == FC_OP_FORK || node->op == FC_OP_MULTI;
}

/* Make the bound table that of the nodes as they are now: else nearly every other graph would be refused for its bounds. */
static void repair_bounds(uint8_t *data, size_t size) {
    static Bounds bounds;
    FcHeader header;
    if (size < sizeof header) return;
    memcpy(&header, data, sizeof header);
    const uint64_t end = header.bound_offset + 4 * (uint64_t)header.node_count;
    if (!header.bound_offset || header.node_count > MOST_NODES || end > size || sizeof header + 32 * (size_t)header.node_count > size) return;
    bounds = (Bounds){.data = data, .size = size, .count = header.node_count};
    for (uint32_t i = header.node_count; i-- > 0;) {
        FcNode node;
        memcpy(&node, data + sizeof header + 32 * (size_t)i, sizeof node);
        bounds.own = i;
        bound_node(&bounds, &node);
        const uint32_t word = bounds.steps[i] << 8 | (bounds.forks[i] & 255);
        memcpy(data + header.bound_offset + 4 * (size_t)i, &word, 4);
    }
    if (header.entry < header.node_count) memcpy(data + offsetof(FcHeader, step_bound), &bounds.steps[header.entry], 4);
}

static size_t resize(uint8_t *data, size_t size, size_t most) {
    const size_t changed = below(2) ? size - (size > 8 ? 8 : 0) : size + 8;
    if (changed > most || changed < 8) return size;
    if (changed > size) memset(data + size, 0, changed - size);
    const uint32_t whole = (uint32_t)changed;
    if (changed >= 12) memcpy(data + 8, &whole, 4); /* size stands at byte 8 of programs and of sets */
    return changed;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed) {
    state = digest(data, size) ^ seed;
    if (size < 16) return size;
    for (uint32_t i = 1 + below(3); i > 0; i--) {
        const uint32_t choice = below(16);
        if (choice == 0)
            size = resize(data, size, most);
        else if (choice < 3)
            copy_record(data, size);
        else
            change_field(data, size);
    }
    if (below(4)) repair_bounds(data, size);
    return size;
}

/* ---- without libFuzzer --------------------------------------------------------------------------------------------------------- */

#ifdef FC_STANDALONE
static size_t read_file(const char *path, uint8_t **out) {
    FILE *const file = fopen(path, "rb");
    REQUIRE(file && fseek(file, 0, SEEK_END) == 0);
    const size_t size = (size_t)ftell(file);
    rewind(file);
    *out = malloc(size + 1);
    REQUIRE(*out && fread(*out, 1, size, file) == size);
    fclose(file);
    return size;
}

/* Every byte becomes each of a few others. */
static void try_every_byte(const uint8_t *data, size_t size) {
    uint8_t *const copy = exactly(data, size);
    for (size_t at = 0; at < size; at++) {
        const uint8_t others[] = {0, 1, 0xFF, (uint8_t)(data[at] + 1), (uint8_t)(data[at] - 1), (uint8_t)(data[at] ^ 0x80)};
        for (size_t i = 0; i < sizeof others; i++) {
            copy[at] = others[i];
            LLVMFuzzerTestOneInput(copy, size);
        }
        copy[at] = data[at];
    }
    free(copy);
}

static void try_mutations(const uint8_t *data, size_t size, unsigned int seed, uint64_t rounds) {
    const size_t most = size + 64;
    uint8_t *const copy = malloc(most);
    REQUIRE(copy);
    for (uint64_t i = 0; i < rounds; i++) {
        memcpy(copy, data, size);
        const size_t changed = LLVMFuzzerCustomMutator(copy, size, most, seed + (unsigned int)i);
        LLVMFuzzerTestOneInput(copy, changed);
    }
    free(copy);
}

int main(int count, char **arguments) {
    REQUIRE(count > 3);
    const unsigned int seed = (unsigned int)strtoul(arguments[1], NULL, 10);
    const uint64_t rounds = strtoull(arguments[2], NULL, 10);
    for (int i = 3; i < count; i++) {
        uint8_t *data;
        const size_t size = read_file(arguments[i], &data);
        LLVMFuzzerTestOneInput(data, size);
        REQUIRE(accepted); /* the seeds themselves are sound */
        try_every_byte(data, size);
        try_mutations(data, size, seed, rounds);
        printf("%s accepted %llu refused %llu\n", arguments[i], (unsigned long long)accepted, (unsigned long long)refused);
        accepted = refused = 0;
        free(data);
    }
    return 0;
}
#endif
