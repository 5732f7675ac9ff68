/* Runs tables of conformance cases through flagcore.h: every case by pairs, by a callback, by values set beforehand and in steps, value and
 * details each time; in several threads at once, each with a context of its own over the same flags.
 *
 *     conformance THREADS FOLDER NAME...        prints "NAME cases" each; what differs goes to stderr, exit 1
 */
#include <pthread.h>
#include <stdatomic.h>

#include "cases.h"

enum { MOST_THREADS = 8 };

static _Thread_local const Case *current;
static _Thread_local const char *form;
static atomic_uint differences;

static void differ(const char *what, FcsText found, FcsText wanted) {
    differences++;
    fprintf(stderr, "%s, %s: %s is %.*s, not %.*s\n", current->id.bytes, form, what, (int)found.length, found.bytes ? found.bytes : "",
        (int)wanted.length, wanted.bytes ? wanted.bytes : "");
}

static int is_same(FcsText a, FcsText b) {
    return !a.bytes == !b.bytes && a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static void check_text(const char *what, FcsText found, FcsText wanted) {
    if (!is_same(found, wanted)) differ(what, found, wanted);
}

static void check_value(const char *what, FcsValue found, FcsValue wanted) {
    int same;
    if (current->type == FC_VALUE_BOOLEAN)
        same = found.boolean == wanted.boolean;
    else if (current->type == FC_VALUE_INTEGER)
        same = found.integer == wanted.integer;
    else if (current->type == FC_VALUE_FLOAT)
        same = memcmp(&found.number, &wanted.number, sizeof found.number) == 0;
    else
        same = is_same(found.text, wanted.text);
    if (!same) differ(what, fcs_text("another"), fcs_text("as expected"));
}

/* ---- getters of any type ---------------------------------------------------------------------------------------------------- */

static FcsDetails get_details(const FcsFlags *flags, FcsContext *context) {
    const char *const key = current->flag_key.bytes;
    const FcsValue value = current->default_value;
    switch (current->type) {
    case FC_VALUE_BOOLEAN:
        return fcs_get_boolean_details(flags, key, value.boolean, context);
    case FC_VALUE_STRING:
        return fcs_get_string_details(flags, key, value.text, context);
    case FC_VALUE_INTEGER:
        return fcs_get_integer_details(flags, key, value.integer, context);
    case FC_VALUE_FLOAT:
        return fcs_get_float_details(flags, key, value.number, context);
    default:
        return fcs_get_object_details(flags, key, value.text, context);
    }
}

static FcsValue get_value(const FcsFlags *flags, FcsContext *context) {
    const char *const key = current->flag_key.bytes;
    const FcsValue value = current->default_value;
    switch (current->type) {
    case FC_VALUE_BOOLEAN:
        return (FcsValue){.boolean = fcs_get_boolean_value(flags, key, value.boolean, context)};
    case FC_VALUE_STRING:
        return (FcsValue){.text = fcs_get_string_value(flags, key, value.text, context)};
    case FC_VALUE_INTEGER:
        return (FcsValue){.integer = fcs_get_integer_value(flags, key, value.integer, context)};
    case FC_VALUE_FLOAT:
        return (FcsValue){.number = fcs_get_float_value(flags, key, value.number, context)};
    default:
        return (FcsValue){.text = fcs_get_object_value(flags, key, value.text, context)};
    }
}

/* ---- one case ---------------------------------------------------------------------------------------------------------------- */

static void check_rule(const FcsDetails *details) {
    char rule[1024];
    if (!details->rule.bytes) {
        check_text("rule", details->rule, current->rule);
        return;
    }
    snprintf(rule, sizeof rule, "%s%.*s", details->rule_prefix, (int)details->rule.length, details->rule.bytes);
    check_text("rule", fcs_text(rule), current->rule);
}

static void check_details(const FcsDetails *details) {
    check_value("value in details", details->value, current->expected);
    check_text("flag key", details->flag_key, current->flag_key);
    check_text("variant", details->variant, current->variant);
    check_text("reason", fcs_text(details->reason), current->reason);
    check_text("error code", fcs_text(details->error_code), current->error_code);
    if (!details->error_code != !details->error_message) differ("error message", fcs_text(details->error_message), current->error_code);
    check_rule(details);
}

static void check_getters(const FcsFlags *flags, FcsContext *context) {
    const FcsDetails details = get_details(flags, context);
    check_details(&details);
    check_value("value", get_value(flags, context), current->expected);
}

static void fetch(void *host, const FcsPath *path, FcValue *out) {
    const Case *const given = host;
    fcs_look_up(given->attributes, given->attribute_count, path, out);
}

static void set_from_case(const FcsFlags *flags, FcsContext *context, uint32_t slot) {
    const FcsPath path = fcs_path(flags, slot);
    FcValue value;
    fcs_look_up(current->attributes, current->attribute_count, &path, &value);
    fcs_context_set(context, slot, value);
}

/* In steps a flag is asked for its own type, without a default value. */
static void check_steps(const FcsFlags *flags, FcsContext *context) {
    const FcProgram *const flag = fcs_find(flags, current->flag_key.bytes, current->flag_key.length);
    FcsDetails details;
    uint32_t slot;
    if (!flag || flag->value_type != current->type) return;
    while ((slot = fcs_resume(flag, context, &details)) != FC_NONE) set_from_case(flags, context, slot);
    if (!details.variant.bytes) details.value = current->default_value;
    check_details(&details);
}

static void check_case(const FcsFlags *flags, FcsContext *context) {
    form = "no context";
    if (!current->is_context) {
        check_getters(flags, NULL);
        return;
    }
    form = "pairs";
    fcs_context_reset(context, current->at);
    fcs_context_attributes(context, current->attributes, current->attribute_count);
    check_getters(flags, context);
    form = "callback";
    fcs_context_reset(context, current->at);
    fcs_context_callback(context, fetch, (void *)(uintptr_t)current);
    check_getters(flags, context);
    form = "set beforehand";
    fcs_context_reset(context, current->at);
    for (uint32_t slot = 1; slot < fc_slots(fcs_linked(flags)); slot++) set_from_case(flags, context, slot);
    check_getters(flags, context);
    form = "steps";
    fcs_context_reset(context, current->at);
    check_steps(flags, context);
}

/* ---- files --------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const FcsFlags *flags;
    Table table;
} Job;

static void *run_cases(void *given) {
    const Job *const job = given;
    FcsContext *const context = open_context(job->flags);
    Table table = job->table;
    for (uint32_t left = next_count(&table); left > 0; left--) {
        const Case made = next_case(&table);
        current = &made;
        check_case(job->flags, context);
    }
    if (table.at != table.end) abort();
    return NULL;
}

static void run(long threads, const char *folder, const char *name) {
    size_t size, length;
    pthread_t running[MOST_THREADS];
    const uint8_t *const cases = read_file(folder, name, ".cases", &size), *const compiled = read_file(folder, name, ".fcs", &length);
    Job job = {open_flags(compiled, length), {cases, cases + size}};
    if (fcs_refused(job.flags)) differences++;
    for (long i = 0; i < threads; i++)
        if (pthread_create(&running[i], NULL, run_cases, &job)) abort();
    for (long i = 0; i < threads; i++) pthread_join(running[i], NULL);
    printf("%s %u\n", name, next_count(&job.table));
}

int main(int argc, char **argv) {
    const long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    if (threads < 1 || threads > MOST_THREADS) return 2;
    for (int i = 3; i < argc; i++) run(threads, argv[2], argv[i]);
    return differences != 0;
}
