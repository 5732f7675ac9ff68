/* Evaluates the calls of a workload over and over, in one form; or opens its flags:
 *
 *     bench FOLDER NAME FORM ROUNDS        prints nanoseconds an evaluation, the least of ROUNDS
 *     bench FOLDER NAME open ROUNDS        prints flags, bytes of the file, bytes of memory, microseconds
 *
 *     pairs    another subject each time: reset, attributes as pairs, get_boolean_value
 *     numbers  the same with attributes set by number
 *     reused   one subject, whose attributes are known
 *     kernel   fc_walk_local with a frame on the stack, values by number: what is below flagcore.h
 *
 * Each answer is compared with the workload's. Run by bench/run.py, which counts the instructions of `evaluate`.
 */
#include <time.h>

#include "cases.h"

enum { MOST_CALLS = 1000, MOST_NUMBERS = 64 };

typedef struct { /* one call, with its attributes by number beside those by name */
    Case asked;
    const FcProgram *flag;
    FcValue numbers[MOST_NUMBERS];
    uint32_t slots[MOST_NUMBERS];
    uint32_t count;
} Call;

typedef int (*Form)(const FcsFlags *flags, FcsContext *context, const Call *call);

/* ---- forms --------------------------------------------------------------------------------------------------------------- */

static int by_pairs(const FcsFlags *flags, FcsContext *context, const Call *call) {
    fcs_context_reset(context, call->asked.at);
    fcs_context_attributes(context, call->asked.attributes, call->asked.attribute_count);
    return fcs_get_boolean_value(flags, call->asked.flag_key.bytes, 0, context);
}

static int by_numbers(const FcsFlags *flags, FcsContext *context, const Call *call) {
    fcs_context_reset(context, call->asked.at);
    for (uint32_t i = 0; i < call->count; i++) fcs_context_set(context, call->slots[i], call->numbers[i]);
    return fcs_get_boolean_value(flags, call->asked.flag_key.bytes, 0, context);
}

static int reused(const FcsFlags *flags, FcsContext *context, const Call *call) {
    return fcs_get_boolean_value(flags, call->asked.flag_key.bytes, 0, context);
}

static void copy_number(void *host, uint32_t slot, FcValue *out) {
    const Call *const call = host;
    *out = call->numbers[call->flag->slots[slot] - 1];
}

static int by_kernel(const FcsFlags *flags, FcsContext *context, const Call *call) {
    (void)flags, (void)context;
    FcValue values[MOST_NUMBERS];
    uint64_t have = 0, memo[8], memo_have = 0;
    FcFrame frame = {values, &have, memo, &memo_have, NULL};
    const FcProgram *const flag = call->flag;
    const FcResult result = fc_walk_local(flag, &frame, copy_number, (void *)(uintptr_t)call);
    const FcHeader *const header = (const FcHeader *)(const void *)flag->bytes;
    const FcVariant *const variants = (const FcVariant *)(const void *)(flag->bytes + header->variant_offset);
    return result.variant != FC_NONE && variants[result.variant].scalar != 0;
}

static __attribute__((noinline)) int evaluate(Form form, const FcsFlags *flags, FcsContext *context, const Call *call) {
    return form(flags, context, call);
}

static Form form_of(const char *name) {
    static const struct {
        const char *name;
        Form form;
    } forms[] = {{"pairs", by_pairs}, {"numbers", by_numbers}, {"reused", reused}, {"kernel", by_kernel}};
    for (size_t i = 0; i < 4; i++)
        if (!strcmp(forms[i].name, name)) return forms[i].form;
    fprintf(stderr, "no form %s\n", name);
    exit(2);
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------- */

static void number_attributes(const FcsFlags *flags, Call *call) {
    call->flag = fcs_find(flags, call->asked.flag_key.bytes, call->asked.flag_key.length);
    call->count = fc_slots(fcs_linked(flags)) - 1;
    if (!call->flag || call->count > MOST_NUMBERS || call->flag->memo_count > 8) abort();
    for (uint32_t i = 0; i < call->count; i++) {
        const FcsPath path = fcs_path(flags, i + 1);
        call->slots[i] = i + 1;
        fcs_look_up(call->asked.attributes, call->asked.attribute_count, &path, &call->numbers[i]);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double run_once(Form form, const FcsFlags *flags, FcsContext *context, const Call *calls, uint32_t count) {
    const double from = seconds();
    for (uint32_t i = 0; i < count; i++)
        if (evaluate(form, flags, context, &calls[i]) != calls[i].asked.expected.boolean) abort();
    return (seconds() - from) / count;
}

/* ---- evaluating, opening ----------------------------------------------------------------------------------------------------- */

static void time_calls(const FcsFlags *flags, Table table, Form form, long rounds) {
    static Call calls[MOST_CALLS];
    FcsContext *const context = open_context(flags);
    const uint32_t count = next_count(&table);
    double least = 1e9;
    if (count > MOST_CALLS) abort();
    for (uint32_t i = 0; i < count; i++) {
        calls[i].asked = next_case(&table);
        number_attributes(flags, &calls[i]);
    }
    fcs_context_reset(context, calls[0].asked.at);
    fcs_context_attributes(context, calls[0].asked.attributes, calls[0].asked.attribute_count);
    for (; rounds > 0; rounds--) {
        const double one = run_once(form, flags, context, calls, count);
        if (one < least) least = one;
    }
    printf("%.1f\n", 1e9 * least);
}

static void time_opening(const uint8_t *file, size_t length, long rounds) {
    size_t size;
    FcsFlags *flags = NULL;
    if (fcs_size(file, length, &size)) abort();
    void *const memory = room(size);
    double least = 1e9;
    for (; rounds > 0; rounds--) {
        const double from = seconds();
        if (fcs_size(file, length, &size) || fcs_open(file, length, memory, size, &flags)) abort();
        const double one = seconds() - from;
        if (one < least) least = one;
    }
    printf("%u %zu %zu %.0f\n", fc_program_count(fcs_linked(flags)), length, size, 1e6 * least);
}

int main(int argc, char **argv) {
    size_t size, length;
    if (argc != 5) return 2;
    const uint8_t *const cases = read_file(argv[1], argv[2], ".cases", &size), *const file = read_file(argv[1], argv[2], ".fcs", &length);
    const long rounds = strtol(argv[4], NULL, 10);
    if (!strcmp(argv[3], "open"))
        time_opening(file, length, rounds);
    else
        time_calls(open_flags(file, length), (Table){cases, cases + size}, form_of(argv[3]), rounds);
    return 0;
}
