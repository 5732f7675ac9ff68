/* Evaluates every flag of a compiled file for one visitor of the example shop, in three ways, and prints what came out:
 *
 *     flagcore compile examples/shop -o shop.fcs
 *     shop shop.fcs [2026-12-09]        the day of the evaluation; default: now
 *
 * The three ways differ in who asks for an attribute, and must agree.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "flagcore.h"

/* ---- opening a compiled file ----------------------------------------------------------------------------------------- */

static void stop(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* The file as it lies; mapped, so that only what is looked at is read. */
static const void *map_file(const char *path, size_t *length) {
    struct stat facts;
    const int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &facts) || facts.st_size == 0) stop(path, "cannot be read");
    *length = (size_t)facts.st_size;
    void *const bytes = mmap(NULL, *length, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED) stop(path, "cannot be mapped");
    close(file);
    return bytes;
}

static FcsFlags *open_flags(const char *path) {
    size_t length, size;
    const void *const bytes = map_file(path, &length);
    FcsFlags *flags = NULL;
    uint32_t status = fcs_size(bytes, length, &size);
    if (!status) status = fcs_open(bytes, length, malloc(size), size, &flags);
    if (status) stop(path, fcs_status_text(status));
    munmap((void *)(uintptr_t)bytes, length); /* everything needed has been copied */
    for (uint32_t i = 0; i < fcs_refused(flags); i++) {
        FcsText key;
        const uint32_t why = fcs_refused_at(flags, i, &key);
        fprintf(stderr, "%.*s is not served: %s\n", (int)key.length, key.bytes, fcs_status_text(why));
    }
    return flags;
}

/* ---- a visitor --------------------------------------------------------------------------------------------------------- */

enum { ATTRIBUTES = 14 };

static void describe_visitor(FcsAttribute out[ATTRIBUTES], const FcsAttribute cart[2]) {
    const FcsAttribute visitor[ATTRIBUTES] = {
        fcs_attribute("targetingKey", fcs_from_text("u-7")),
        fcs_attribute("session_id", fcs_from_text("s-00002a")),
        fcs_attribute("country", fcs_from_text("DE")),
        fcs_attribute("language", fcs_from_text("de-DE")),
        fcs_attribute("currency", fcs_from_text("EUR")),
        fcs_attribute("device", fcs_from_text("app")),
        fcs_attribute("app_version", fcs_from_text("2.9.0")),
        fcs_attribute("ip", fcs_from_text("93.184.12.7")),
        fcs_attribute("region", fcs_from_text("eu-central-1")),
        fcs_attribute("service", fcs_from_text("checkout")),
        fcs_attribute("logged_in", fcs_from_boolean(1)),
        fcs_attribute("orders", fcs_from_integer(31)),
        fcs_attribute("loyalty", fcs_from_text("gold")),
        fcs_attribute("cart", fcs_from_mapping(cart, 2)), /* rules write cart.value */
    };
    memcpy(out, visitor, sizeof visitor);
}

/* ---- three ways --------------------------------------------------------------------------------------------------------- */

/* Asked for an attribute when a flag looks at it: here by looking into pairs, in a service wherever the value is. */
static void fetch(void *host, const FcsPath *path, FcValue *out) {
    fcs_look_up(host, ATTRIBUTES, path, out);
}

/* Everything that any flag looks at, set beforehand by number. */
static void fill(FcsContext *context, const FcsFlags *flags, const FcsAttribute *visitor) {
    for (uint32_t slot = 1; slot < fc_slots(fcs_linked(flags)); slot++) {
        const FcsPath path = fcs_path(flags, slot);
        FcValue value;
        fcs_look_up(visitor, ATTRIBUTES, &path, &value);
        fcs_context_set(context, slot, value);
    }
}

/* In steps: the evaluation names an attribute and waits. */
static FcsDetails step(FcsContext *context, const FcsFlags *flags, const FcProgram *flag, const FcsAttribute *visitor) {
    FcsDetails details;
    uint32_t slot;
    while ((slot = fcs_resume(flag, context, &details)) != FC_NONE) {
        const FcsPath path = fcs_path(flags, slot);
        FcValue value;
        fcs_look_up(visitor, ATTRIBUTES, &path, &value);
        fcs_context_set(context, slot, value);
    }
    return details;
}

static int agree(const FcsDetails *a, const FcsDetails *b) {
    return a->variant.bytes == b->variant.bytes && a->reason == b->reason && a->rule.bytes == b->rule.bytes && a->error_code == b->error_code;
}

/* ---- the table ------------------------------------------------------------------------------------------------------------ */

static void print_value(const FcProgram *flag, const FcsDetails *details, char *out, size_t size) {
    const FcsValue value = details->value;
    if (!details->variant.bytes)
        snprintf(out, size, "(default value)");
    else if (flag->value_type == FC_VALUE_BOOLEAN)
        snprintf(out, size, "%s", value.boolean ? "true" : "false");
    else if (flag->value_type == FC_VALUE_INTEGER)
        snprintf(out, size, "%lld", (long long)value.integer);
    else if (flag->value_type == FC_VALUE_FLOAT)
        snprintf(out, size, "%g", value.number);
    else
        snprintf(out, size, "%.*s", (int)value.text.length, value.text.bytes);
}

static void print_row(const FcProgram *flag, const FcsDetails *details) {
    char value[512];
    print_value(flag, details, value, sizeof value);
    printf("%-32.*s %-34.34s %-16.*s %-16s %s%.*s\n", (int)details->flag_key.length, details->flag_key.bytes, value, (int)details->variant.length,
        details->variant.bytes ? details->variant.bytes : "", details->reason, details->rule_prefix, (int)details->rule.length,
        details->rule.bytes ? details->rule.bytes : "");
}

static int64_t moment(const char *day) {
    struct tm date = {0};
    struct timespec now;
    int year, month;
    if (!day) {
        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    }
    if (sscanf(day, "%d-%d-%d", &year, &month, &date.tm_mday) != 3) stop(day, "not a day such as 2026-12-09");
    date.tm_year = year - 1900;
    date.tm_mon = month - 1;
    return (int64_t)timegm(&date) * 1000000;
}

int main(int count, char **arguments) {
    if (count < 2) stop("usage", "shop FILE.fcs [DAY]");
    const FcsFlags *const flags = open_flags(arguments[1]);
    const FcLinked *const linked = fcs_linked(flags);
    const int64_t now = moment(count > 2 ? arguments[2] : NULL);
    const size_t room = fcs_context_size(flags);
    FcsAttribute visitor[ATTRIBUTES];
    const FcsAttribute cart[2] = {fcs_attribute("value", fcs_from_float(84.5)), fcs_attribute("items", fcs_from_integer(3))};
    FcsContext *contexts[3];
    describe_visitor(visitor, cart);
    for (int i = 0; i < 3; i++) {
        contexts[i] = fcs_context_open(flags, malloc(room), room);
        fcs_context_reset(contexts[i], now);
    }
    fcs_context_callback(contexts[0], fetch, visitor);
    fill(contexts[1], flags, visitor);
    printf("%-32s %-34s %-16s %-16s %s\n", "flag", "value", "variant", "reason", "rule");
    for (uint32_t i = 0; i < fc_program_count(linked); i++) {
        const FcProgram *const flag = fc_program_at(linked, i);
        const FcsDetails asked = fcs_evaluate(flag, contexts[0]), filled = fcs_evaluate(flag, contexts[1]);
        const FcsDetails stepped = step(contexts[2], flags, flag, visitor);
        if (!agree(&asked, &filled) || !agree(&asked, &stepped)) stop(asked.flag_key.bytes, "the three ways disagree");
        print_row(flag, &asked);
    }
    printf("%u flags, revision %llu: callback, filled and in steps agree\n", fc_program_count(linked), (unsigned long long)fcs_revision(flags));
    return 0;
}
