/* Any bytes as a compiled file: through fcs_size and fcs_open, and what they open through every form of evaluation. Built by
 * tools/fuzz.sh for libFuzzer, and by tests/bindings/test_c_binding.py (with -DFC_STANDALONE) as a program that cuts and changes files
 * by itself:
 *
 *     fuzz_snapshot FOLDER NAME...      of FOLDER/NAME.fcs every beginning, and every byte as each of a few others
 *
 * Each input is tried as a file, and as the body of a file with the right head: a digest stops nearly every change, and somebody who means
 * harm computes it. Memory has exactly the size that was asked for; ASan and UBSan see what goes beyond.
 */
#include "../native/require.h"
#include "cases.h"
#include "sha256.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 56, STATUSES = 128, MOST_SLOTS = 4096, MOST_FLAGS = 64 };

static uint64_t seen[STATUSES];  /* files by status */
static uint64_t partly, partly_refused[STATUSES]; /* files opened without some flags; those flags by status */

/* ---- evaluation ----------------------------------------------------------------------------------------------------------------- */

/* A value that depends on the attribute alone. */
static FcValue value_for(const FcsPath *path) {
    static const FcsAttribute inner[] = {{{"b", 1}, {.u = {.integer = 1}, .type = FC_INTEGER}}};
    static const FcValue items[] = {{.u = {.integer = 5}, .type = FC_INTEGER}, {.type = FC_LIST}, {.type = FC_NULL}};
    switch (fc_hash((const uint8_t *)path->flat, path->length, 7) % 9) {
    case 0:
        return fcs_missing();
    case 1:
        return fcs_from_boolean(1);
    case 2:
        return fcs_from_integer(42);
    case 3:
        return fcs_from_float(-0.5);
    case 4:
        return fcs_from_list(items, 3);
    case 5:
        return fcs_from_mapping(inner, 1);
    case 6:
        return fcs_from_bytes("\xED\xA0\x80", 3); /* not UTF-8 */
    default:
        return fcs_from_text("DE");
    }
}

static void fetch(void *host, const FcsPath *path, FcValue *out) {
    uint64_t sum = 0;
    for (uint32_t i = 0; path->lengths && i < path->count; i++) sum += path->lengths[i] + (i > 0);
    REQUIRE(host == NULL && (!path->lengths || sum == path->length));
    *out = value_for(path);
}

static void check_same(const FcsDetails *a, const FcsDetails *b) {
    REQUIRE(a->reason && b->reason && a->reason == b->reason && a->error_code == b->error_code);
    REQUIRE(a->variant.bytes == b->variant.bytes && a->rule.bytes == b->rule.bytes && a->rule_prefix == b->rule_prefix);
    REQUIRE(a->flag_key.bytes == b->flag_key.bytes && a->flag_metadata.bytes == b->flag_metadata.bytes);
}

static FcsDetails in_steps(const FcsFlags *flags, const FcProgram *flag, FcsContext *context) {
    FcsDetails details;
    uint32_t slot;
    while ((slot = fcs_resume(flag, context, &details)) != FC_NONE) {
        REQUIRE(slot > 0 && slot < fc_slots(fcs_linked(flags)));
        const FcsPath path = fcs_path(flags, slot);
        fcs_context_set(context, slot, value_for(&path));
    }
    return details;
}

/* Reads all texts, so that a sanitizer sees them. */
static void read_texts(const FcsDetails *details) {
    const FcsText texts[] = {details->flag_key, details->variant, details->rule, details->flag_metadata};
    for (size_t i = 0; i < 4; i++) free(own(texts[i].bytes, texts[i].length));
}

static void evaluate_all(const FcsFlags *flags) {
    const FcLinked *const linked = fcs_linked(flags);
    const size_t size = fcs_context_size(flags);
    void *const memory = malloc(size), *const other = malloc(size);
    FcsContext *const context = fcs_context_open(flags, memory, size), *const stepped = fcs_context_open(flags, other, size);
    REQUIRE(context && stepped && !fcs_context_open(flags, memory, size - 1));
    fcs_context_callback(context, fetch, NULL);
    for (uint32_t i = 0; i < fc_program_count(linked) && i < MOST_FLAGS; i++) {
        const FcProgram *const flag = fc_program_at(linked, i);
        const FcsText key = fcs_flag_key(flag);
        REQUIRE(fcs_find(flags, key.bytes, key.length) == flag);
        const FcsDetails one = fcs_evaluate(flag, context), two = in_steps(flags, flag, stepped);
        check_same(&one, &two);
        read_texts(&one);
    }
    free(memory);
    free(other);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------------------- */

static void note_refused(const FcsFlags *flags) {
    partly += fcs_refused(flags) > 0;
    for (uint32_t i = 0; i < fcs_refused(flags); i++) {
        FcsText key;
        const uint32_t status = fcs_refused_at(flags, i, &key);
        REQUIRE(status > FC_OK && status < STATUSES && fcs_status_text(status));
        partly_refused[status]++;
        free(own(key.bytes, key.length));
    }
}

static uint32_t open_and_evaluate(const uint8_t *file, size_t length, size_t size) {
    FcsFlags *flags;
    void *const memory = malloc(size);
    REQUIRE(memory);
    const uint32_t short_of_room = fcs_open(file, length, memory, size - 8, &flags);
    REQUIRE(short_of_room || fcs_refused(flags) > 0); /* refused flags need less than was counted */
    const uint32_t status = fcs_open(file, length, memory, size, &flags);
    REQUIRE((status == FC_OK) == (flags != NULL));
    if (status == FC_OK) {
        note_refused(flags);
        if (fc_slots(fcs_linked(flags)) <= MOST_SLOTS) evaluate_all(flags);
    }
    free(memory);
    return status;
}

static void try_file(const uint8_t *content, size_t length) {
    uint8_t *const file = own(content, length);
    size_t size;
    uint32_t status = fcs_size(file, length, &size);
    REQUIRE(size <= 64 * length + 4096);
    if (status == FC_OK) status = open_and_evaluate(file, length, size);
    REQUIRE(status < STATUSES && fcs_status_text(status));
    seen[status]++;
    free(file);
}

/* The same bytes as the body of a file. */
static void try_body(const uint8_t *body, size_t length) {
    const uint32_t formats[2] = {1, 1};
    const uint64_t size = length;
    uint8_t *const file = malloc(HEAD + length);
    REQUIRE(file);
    memcpy(file, "FLAGCORE", 8);
    memcpy(file + 8, formats, 8);
    memcpy(file + 16, &size, 8);
    fcs_sha256(body, length, file + 24);
    if (length) memcpy(file + HEAD, body, length);
    try_file(file, HEAD + length);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_file(data, size);
    try_body(data, size);
    if (size >= HEAD) try_body(data + HEAD, size - HEAD); /* a mutated file, sealed again */
    return 0;
}

/* ---- without libFuzzer -------------------------------------------------------------------------------------------------------------- */

#ifdef FC_STANDALONE
static void cut(const uint8_t *file, size_t length) {
    for (size_t most = 0; most < length; most++) {
        try_file(file, most);
        if (most >= HEAD) try_body(file + HEAD, most - HEAD);
    }
}

static void change(uint8_t *file, size_t length) {
    for (size_t at = 0; at < length; at++) {
        const uint8_t old = file[at], others[] = {0xFF, (uint8_t)(old + 1), (uint8_t)(old ^ 0x84)};
        for (size_t i = 0; i < sizeof others; i++) {
            file[at] = others[i];
            try_file(file, length);
            if (at >= HEAD) try_body(file + HEAD, length - HEAD);
        }
        file[at] = old;
    }
}

static void print_counts(const char *what, const uint64_t counts[STATUSES]) {
    for (uint32_t i = 0; i < STATUSES; i++)
        if (counts[i]) printf("%s %u %llu %s\n", what, i, (unsigned long long)counts[i], fcs_status_text(i));
}

int main(int count, char **arguments) {
    for (int i = 2; i < count; i++) {
        size_t length;
        uint8_t *const file = read_file(arguments[1], arguments[i], ".fcs", &length);
        try_file(file, length);
        REQUIRE(seen[FC_OK] == (uint64_t)(i - 1) && !partly); /* the seeds themselves are sound */
        free(file);
    }
    for (int i = 2; i < count; i++) {
        size_t length;
        uint8_t *const file = read_file(arguments[1], arguments[i], ".fcs", &length);
        cut(file, length);
        change(file, length);
        free(file);
    }
    print_counts("file", seen);
    print_counts("flag", partly_refused);
    return 0;
}
#endif
