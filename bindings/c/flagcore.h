/* flagcore for C: compiled feature flags, evaluated inside the process that asks.
 *
 *     fcs_size, fcs_open            a compiled file (`flagcore compile -o flags.fcs`) becomes FcsFlags, one revision, linked
 *     fcs_context_size, _open       room for evaluations of one thread: FcsContext
 *     fcs_context_reset             another subject: an empty context and the evaluation time
 *     fcs_context_attributes, ...   where attributes come from: pairs, a callback, or values by number
 *     fcs_get_boolean_value, ...    the value; fcs_get_boolean_details, ...: the value, and why
 *     fcs_resume                    the same in steps, for hosts that cannot be called back
 *
 * Nothing is allocated, locked, read, written or asked for the time; no function fails halfway. All memory is the caller's: ask
 * for a size, hand the memory in (8-aligned, as from malloc), free it when nothing uses it any more. There is no close.
 *
 * Threads: FcsFlags never change after fcs_open; any number of threads may evaluate with them. A context belongs to one thread at
 * a time. To serve another revision open it in memory of its own, hand out the new pointer, and free the old memory when its
 * contexts are done. A fork shares opened flags with its children, as long as neither writes, without a copy.
 *
 * The kernel's functions (kernel.h; columns.h for many rows at once) are in the same library, for hosts that want more than this.
 */
#ifndef FLAGCORE_H
#define FLAGCORE_H

#ifdef __cplusplus
extern "C" {
#endif

#include "kernel.h"

#include <stddef.h>
#include <stdint.h>

/* ---- texts, values, attributes ----------------------------------------------------------------------------------- */

typedef struct { /* bytes that need no terminating zero; none: NULL, 0 */
    const char *bytes;
    size_t length;
} FcsText;

enum { FCS_MAPPING = 16 }; /* beside the kinds of FcValue.type: u.bytes leads to FcsAttribute[length]; rules look into it, never at it */

typedef struct { /* a name and its value; each name once (else either value counts) */
    FcsText name;
    FcValue value;
} FcsAttribute;

static inline FcsText fcs_text(const char *text) {
    FcsText made;
    made.bytes = text;
    made.length = text ? __builtin_strlen(text) : 0;
    return made;
}

/* Values point to what they are made from; it must stay unchanged until the context is reset. */

static inline FcValue fcs_from_integer(int64_t number) {
    FcValue value;
    value.u.integer = number;
    value.hash = value.parsed = 0;
    value.length = 0;
    value.type = FC_INTEGER;
    value.done = 0;
    value.pad = 0;
    return value;
}

static inline FcValue fcs_missing(void) {
    FcValue value = fcs_from_integer(0);
    value.type = FC_MISSING;
    return value;
}

static inline FcValue fcs_null(void) {
    FcValue value = fcs_from_integer(0);
    value.type = FC_NULL;
    return value;
}

/* Something that no rule understands: present, but neither comparable nor bucketable. */
static inline FcValue fcs_other(void) {
    FcValue value = fcs_from_integer(0);
    value.type = FC_OTHER;
    return value;
}

static inline FcValue fcs_from_boolean(int truth) {
    FcValue value = fcs_from_integer(truth != 0);
    value.type = FC_BOOLEAN;
    return value;
}

static inline FcValue fcs_from_float(double number) {
    FcValue value = fcs_from_integer(0);
    value.u.number = number;
    value.type = FC_FLOAT;
    return value;
}

/* Microseconds since 1970-01-01T00:00:00Z. */
static inline FcValue fcs_from_time(int64_t micros) {
    FcValue value = fcs_from_integer(micros);
    value.type = FC_TIME;
    return value;
}

/* Bytes that can be bucketed and nothing else (FC_SUBJECT in kernel.h). Beyond 2^32 - 1 bytes: fcs_other. */
static inline FcValue fcs_from_subject(const void *bytes, size_t length) {
    FcValue value = fcs_other();
    if (length > 0xFFFFFFFFu) return value;
    value.u.bytes = (const uint8_t *)bytes;
    value.length = (uint32_t)length;
    value.type = FC_SUBJECT;
    return value;
}

/* UTF-8; bytes that are none count as fcs_from_subject when they are looked at. Beyond 2^32 - 1 bytes: fcs_other. */
static inline FcValue fcs_from_bytes(const char *bytes, size_t length) {
    FcValue value = fcs_from_subject(bytes, length);
    if (value.type == FC_SUBJECT) value.type = FC_TEXT;
    return value;
}

static inline FcValue fcs_from_text(const char *text) {
    return fcs_from_bytes(text, fcs_text(text).length);
}

/* Elements are anything but lists and mappings, which count as fcs_other. */
static inline FcValue fcs_from_list(const FcValue *items, uint32_t count) {
    FcValue value = fcs_from_integer(0);
    value.u.items = items;
    value.length = count;
    value.type = FC_LIST;
    return value;
}

static inline FcValue fcs_from_mapping(const FcsAttribute *attributes, uint32_t count) {
    FcValue value = fcs_from_integer(0);
    value.u.bytes = (const uint8_t *)(const void *)attributes;
    value.length = count;
    value.type = FCS_MAPPING;
    return value;
}

static inline FcsAttribute fcs_attribute(const char *name, FcValue value) {
    FcsAttribute attribute;
    attribute.name = fcs_text(name);
    attribute.value = value;
    return attribute;
}

/* ---- flags ----------------------------------------------------------------------------------------------------------- */

typedef struct FcsFlags FcsFlags; /* everything of one compiled file; lives in the caller's memory, cannot be moved */

enum { /* status: what fcs_size and fcs_open found wrong, beside the kernel's FC_* */
    FCS_NO_SNAPSHOT = 64, /* the bytes are no compiled flags */
    FCS_NEWER,            /* they need a later release of this library */
    FCS_CUT,              /* bytes are missing, or there are too many */
    FCS_CORRUPT,          /* the bytes are not those that were written: another SHA-256 */
    FCS_MALFORMED,        /* the body does not have the shape of a snapshot */
    FCS_WRONG_KEY,        /* of a flag: its program is another flag's */
    FCS_NO_SET            /* of a flag: a value set that it names is missing or not sound */
};

/* A status in words, the kernel's FC_* included. */
FC_PUBLIC const char *fcs_status_text(uint32_t status);

/* How much memory fcs_open needs for these bytes: FC_OK and *size, or what is wrong with their shape. Any bytes at any address;
 * linear in length, in *size too, whatever the bytes say of themselves. The digest is not looked at yet. */
FC_PUBLIC uint32_t fcs_size(const void *bytes, size_t length, size_t *size);

/* Open a compiled file: check head and SHA-256, copy programs and value sets into memory (8-aligned, of fcs_size bytes), verify and
 * link them. FC_OK and *out; or a status, and *out is NULL. The bytes are not needed afterwards. They may change meanwhile (a mapped file
 * that is written into) without harm: what is verified is the copy.
 *
 * A flag whose program is not sound is refused by itself, see fcs_refused; the others are served. Names that occur twice and
 * prerequisites in a circle refuse the file.
 *
 * Cost: one pass over the bytes, nearly all of it the digest's: about 3 ms a megabyte (bindings/README.md). */
FC_PUBLIC uint32_t fcs_open(const void *bytes, size_t length, void *memory, size_t size, FcsFlags **out);

FC_PUBLIC uint64_t fcs_epoch(const FcsFlags *flags);
FC_PUBLIC uint64_t fcs_revision(const FcsFlags *flags);

/* How many flags were refused; the key and what is wrong of one of them, index below that number. */
FC_PUBLIC uint32_t fcs_refused(const FcsFlags *flags);
FC_PUBLIC uint32_t fcs_refused_at(const FcsFlags *flags, uint32_t index, FcsText *flag_key);

/* The linked set, for the kernel's functions: fc_program_count, fc_program_at, fc_slots, ... Flags stand in the file's order. */
FC_PUBLIC const FcLinked *fcs_linked(const FcsFlags *flags);

/* A flag by its key, or NULL. Its value type is ->value_type, FC_VALUE_*. */
FC_PUBLIC const FcProgram *fcs_find(const FcsFlags *flags, const char *flag_key, size_t length);
FC_PUBLIC FcsText fcs_flag_key(const FcProgram *flag);

/* ---- contexts -------------------------------------------------------------------------------------------------------- */

typedef struct FcsContext FcsContext; /* an evaluation context with room for evaluations; belongs to the flags it was opened for */

typedef struct { /* an attribute that some flag looks at */
    const char *flat;       /* the names of its path joined by "." */
    size_t length;          /* of flat */
    const uint32_t *lengths; /* of each name, in bytes; NULL: there is one name */
    uint32_t count;         /* of names */
    uint32_t slot;          /* its number, 1 <= slot < fc_slots(fcs_linked(flags)); 0 is the evaluation time */
} FcsPath;

/* Give the value of an attribute in *out, which is FC_MISSING before; called when a flag looks at it, at most once after each
 * reset. Look for the flat key first; if there is none and the path has several names, go down through mappings, a name a
 * level. May not evaluate with the same context. */
typedef void (*FcsFetch)(void *host, const FcsPath *path, FcValue *out);

FC_PUBLIC size_t fcs_context_size(const FcsFlags *flags);
/* An empty context at time 0; NULL: memory is not 8-aligned, or too small. */
FC_PUBLIC FcsContext *fcs_context_open(const FcsFlags *flags, void *memory, size_t size);
/* Forget all values and where they came from. now: the evaluation time, microseconds since 1970-01-01T00:00:00Z. */
FC_PUBLIC void fcs_context_reset(FcsContext *context, int64_t now);

/* Attributes from pairs, which must stay until the next reset. A look-up reads all of them in turn. */
FC_PUBLIC void fcs_context_attributes(FcsContext *context, const FcsAttribute *attributes, size_t count);
/* Attributes from a function. */
FC_PUBLIC void fcs_context_callback(FcsContext *context, FcsFetch fetch, void *host);
/* One attribute by its number, the cheapest way; those that are neither given nor to be had from pairs or callback are missing.
 * A value that an evaluation has looked at is replaced by a reset only. */
FC_PUBLIC void fcs_context_set(FcsContext *context, uint32_t slot, FcValue value);

/* What an attribute's number stands for, 1 <= slot < fc_slots(fcs_linked(flags)). Two paths may have one flat text
 * (`a.b`.c and a.`b.c`): they are two attributes. */
FC_PUBLIC FcsPath fcs_path(const FcsFlags *flags, uint32_t slot);
/* Look a path up in pairs, as an evaluation does. Returns whether there is a value (null too); if not, *out is FC_MISSING. */
FC_PUBLIC int fcs_look_up(const FcsAttribute *attributes, size_t count, const FcsPath *path, FcValue *out);

/* ---- evaluation ------------------------------------------------------------------------------------------------------- */

typedef union {
    int boolean;     /* 0 or 1 */
    int64_t integer;
    double number;   /* of a float */
    FcsText text;    /* of a string: UTF-8; of an object: JSON */
} FcsValue;

typedef struct { /* texts live as long as the flags; the reason, code and message as long as the library */
    FcsValue value;
    FcsText flag_key;
    FcsText variant;           /* none: the value is the caller's default value */
    const char *reason;        /* "STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED" or "ERROR" */
    const char *error_code;    /* "FLAG_NOT_FOUND", "TYPE_MISMATCH", "TARGETING_KEY_MISSING", "INVALID_CONTEXT",
                                  "PROVIDER_NOT_READY", or NULL */
    const char *error_message; /* for people; NULL without an error code */
    const char *rule_prefix;   /* "requires:" where an unmet prerequisite decided, else ""; with `rule` behind it the rule id */
    FcsText rule;              /* the rule that decided, or none */
    FcsText flag_metadata;     /* the author's, a JSON object; none where no flag was found */
} FcsDetails;

/* The value of a flag, or the caller's default value where there is none. Never fails:
 *
 *     flags NULL                                       PROVIDER_NOT_READY
 *     context NULL, or opened for other flags          INVALID_CONTEXT
 *     no such flag (flag_key NULL too)                 FLAG_NOT_FOUND
 *     another type; an integer may be read as float    TYPE_MISMATCH
 *     a split without a subject                        TARGETING_KEY_MISSING
 *
 * Texts of values live as long as the flags; they need no terminating zero and have none. */
FC_PUBLIC int fcs_get_boolean_value(const FcsFlags *flags, const char *flag_key, int default_value, FcsContext *context);
FC_PUBLIC FcsText fcs_get_string_value(const FcsFlags *flags, const char *flag_key, FcsText default_value, FcsContext *context);
FC_PUBLIC int64_t fcs_get_integer_value(const FcsFlags *flags, const char *flag_key, int64_t default_value, FcsContext *context);
FC_PUBLIC double fcs_get_float_value(const FcsFlags *flags, const char *flag_key, double default_value, FcsContext *context);
/* JSON text. */
FC_PUBLIC FcsText fcs_get_object_value(const FcsFlags *flags, const char *flag_key, FcsText default_value, FcsContext *context);

FC_PUBLIC FcsDetails fcs_get_boolean_details(const FcsFlags *flags, const char *flag_key, int default_value, FcsContext *context);
FC_PUBLIC FcsDetails fcs_get_string_details(const FcsFlags *flags, const char *flag_key, FcsText default_value, FcsContext *context);
FC_PUBLIC FcsDetails fcs_get_integer_details(const FcsFlags *flags, const char *flag_key, int64_t default_value, FcsContext *context);
FC_PUBLIC FcsDetails fcs_get_float_details(const FcsFlags *flags, const char *flag_key, double default_value, FcsContext *context);
FC_PUBLIC FcsDetails fcs_get_object_details(const FcsFlags *flags, const char *flag_key, FcsText default_value, FcsContext *context);

/* Details of a flag of the context's flags, looked up before (fcs_find, fc_program_at), in its own type. Without a variant the value
 * is all zeros. */
FC_PUBLIC FcsDetails fcs_evaluate(const FcProgram *flag, FcsContext *context);

/* The same in steps. Returns the number of an attribute that the flag looks at: give its value by fcs_context_set (fcs_missing too)
 * and call again; or FC_NONE: *out is complete. Pairs and callbacks are not asked. What is begun is dropped by a reset, and by a call
 * for another flag. */
FC_PUBLIC uint32_t fcs_resume(const FcProgram *flag, FcsContext *context, FcsDetails *out);

#ifdef __cplusplus
}
#endif
#endif
