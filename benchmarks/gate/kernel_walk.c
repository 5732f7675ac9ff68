/* Walks prepared workloads by the kernel alone, under callgrind: kernel_walk FOLDER WORKLOAD...
 *
 * FOLDER/WORKLOAD holds program (bytes), sets and contexts (see prepare.py). Every value is fetched before the walk: what is counted,
 * inside fc_walk_filled, is the walk. getppid and getpgid mark where counting starts and ends. Files are our own: they are trusted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

enum { CALLS = 1000, SETS = 64, ELEMENTS = 64 };

typedef struct { /* a file, read from its start */
    uint8_t *bytes;
    size_t size, at;
} Input;

typedef struct { /* a text inside a file */
    const uint8_t *bytes;
    uint32_t length;
} Span;

typedef struct { /* value sets by name */
    uint32_t count;
    Span names[SETS];
    uint8_t *sets[SETS];
} Sets;

static void *aligned(size_t size) {
    void *memory = calloc(size / 8 + 1, 8);
    if (!memory) abort();
    return memory;
}

static Input read_file(const char *folder, const char *workload, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%s", folder, workload, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    Input input = {NULL, (size_t)ftell(file), 0};
    rewind(file);
    input.bytes = aligned(input.size);
    if (fread(input.bytes, 1, input.size, file) != input.size) abort();
    fclose(file);
    return input;
}

static uint32_t take_u32(Input *input) {
    uint32_t number;
    memcpy(&number, input->bytes + input->at, 4);
    input->at += 4;
    return number;
}

static Span take_span(Input *input) {
    Span span = {NULL, take_u32(input)};
    span.bytes = input->bytes + input->at;
    input->at += span.length;
    return span;
}

static int is_text(const uint8_t *program, FcText text, Span span) {
    return text.length == span.length && memcmp(program + text.offset, span.bytes, span.length) == 0;
}

static Sets read_sets(Input *input) {
    Sets sets = {0};
    while (input->at < input->size && sets.count < SETS) {
        sets.names[sets.count] = take_span(input);
        const Span content = take_span(input);
        sets.sets[sets.count] = aligned(content.length);
        memcpy(sets.sets[sets.count++], content.bytes, content.length);
    }
    return sets;
}

static const void **link_sets(const uint8_t *program, const Sets *sets) {
    const FcHeader *header = (const FcHeader *)program;
    const FcLink *links = (const FcLink *)(program + header->link_offset);
    const void **found = aligned((header->link_count + 1) * sizeof(void *));
    for (uint32_t i = 0; i < header->link_count; i++)
        for (uint32_t s = 0; s < sets->count; s++)
            if (links[i].kind == FC_LINK_SET && is_text(program, links[i].name, sets->names[s])) found[i] = sets->sets[s];
    return found;
}

static FcValue take_value(Input *input, FcValue *elements);

/* A list of texts and numbers; its elements stand in `elements` until the next context is taken. */
static void take_list(Input *input, FcValue *value, FcValue *elements) {
    value->length = take_u32(input);
    value->u.items = elements;
    if (value->length > ELEMENTS) abort();
    for (uint32_t i = 0; i < value->length; i++) elements[i] = take_value(input, NULL);
}

static FcValue take_value(Input *input, FcValue *elements) {
    FcValue value = {0};
    value.type = (uint8_t)take_u32(input);
    if (value.type == FC_LIST) {
        take_list(input, &value, elements);
    } else if (value.type == FC_TEXT) {
        const Span text = take_span(input);
        value.u.bytes = text.bytes;
        value.length = text.length;
    } else {
        memcpy(&value.u.integer, input->bytes + input->at, 8);
        input->at += 8;
    }
    return value;
}

/* A context has one list at most. */
static void take_context(Input *input, const uint8_t *program, FcValue *values) {
    static FcValue elements[ELEMENTS];
    const FcHeader *header = (const FcHeader *)program;
    const FcSlot *slots = (const FcSlot *)(program + header->slot_offset);
    memset(values, 0, header->slot_count * sizeof(FcValue));
    for (uint32_t left = take_u32(input); left; left--) {
        const Span name = take_span(input);
        const FcValue value = take_value(input, elements);
        for (uint32_t s = 0; s < header->slot_count; s++)
            if (is_text(program, slots[s].flat, name)) values[s] = value;
    }
}

static uint32_t walk_calls(const FcProgram *program, FcFrame *frame, Input *contexts) {
    uint32_t sum = 0;
    for (int i = 0; i < CALLS; i++) {
        if (contexts->at >= contexts->size) contexts->at = 0;
        take_context(contexts, program->bytes, frame->values);
        sum += fc_walk_filled(program, frame).leaf;
    }
    return sum;
}

static uint32_t count_workload(const char *folder, const char *workload) {
    Input program = read_file(folder, workload, "program"), contexts = read_file(folder, workload, "contexts");
    Input sets_file = read_file(folder, workload, "sets");
    const Sets sets = read_sets(&sets_file);
    const uint32_t status = fc_verify(program.bytes, program.size);
    if (status) {
        fprintf(stderr, "%s: %s\n", workload, fc_status_text(status));
        exit(1);
    }
    const uint32_t slot_count = ((const FcHeader *)program.bytes)->slot_count;
    uint32_t *slots = aligned((slot_count + 1) * sizeof *slots);
    for (uint32_t i = 0; i < slot_count; i++) slots[i] = i;
    FcProgram record;
    fc_program_init(&record, program.bytes, slots, link_sets(program.bytes, &sets));
    FcFrame frame = {aligned((slot_count + 1) * sizeof(FcValue)), aligned(slot_count / 8 + 8), aligned(8 * (size_t)record.memo_count),
        aligned(record.memo_count / 8 + 8), aligned(8)};
    memset(frame.have, 0xFF, slot_count / 8 + 1);
    getppid();
    const uint32_t sum = walk_calls(&record, &frame, &contexts);
    getpgid(0);
    return sum;
}

int main(int count, char **words) {
    uint32_t sum = 0;
    for (int i = 2; i < count; i++) sum += count_workload(words[1], words[i]);
    printf("%u\n", sum); /* the answers are used */
    return 0;
}
