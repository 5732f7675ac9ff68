/* The CPython side of an evaluation: finding a flag, opening a context, fetching attributes, Python values to kernel values.
 *
 * Everything here runs under the GIL. No function raises: what a foreign object raises counts as a missing attribute
 * (see host_swallow). User code can run only while a foreign key compares itself, a foreign mapping is asked, or a foreign
 * tzinfo answers; it may clear the context, evaluate again or swap the engine's revision. Therefore whoever walks then holds a
 * reference to the revision (ProgramSet) and to every object into which a value points (Fetcher.held). A walk over plain values of
 * a dict runs no foreign code, and borrows (host_fetch_dict_local).
 */
#ifndef FLAGCORE_HOST_H
#define FLAGCORE_HOST_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <datetime.h>
#include <string.h>

#include "../kernel/walk.h"
#include "dicts.h"

#define HOST_LIKELY(x)   __builtin_expect(!!(x), 1)
#define HOST_UNLIKELY(x) __builtin_expect(!!(x), 0)

enum { LOCAL_SLOTS = 32, LOCAL_MEMOS = 32 }; /* programs within both are walked on the C stack: 1.6 kB of it */
enum { MAX_DIGITS = 4300 };                  /* of an integer that is a subject (bucketing.md 2.1) */
enum { MAX_VALUES = 0xFFFF };                /* variants beyond have no value ready: theirs is made for each answer */

#define NO_PLACES UINT64_C(1) /* FC_SLOT_NOW, which is forgotten before each evaluation: no context holds it */

/* ---- what the engine knows -------------------------------------------------------------------------------------- */

typedef struct { /* 24 bytes: an attribute that some program looks at; one record for each evaluation slot */
    PyObject *flat;          /* interned str; NULL for the evaluation time */
    PyObject *parts;         /* tuple of str, one a level; NULL when the path has one name */
    int32_t hint;            /* where the flat key stood in the last dict; -1: not known; HINT_REST to -2: not looked for */
    uint8_t misses;          /* in a row, of the hint */
    uint8_t flat_is_subject; /* flat == "targetingKey" */
    uint8_t root_is_subject; /* parts[0] == "targetingKey" */
    uint8_t is_placed;       /* the hint was found in a dict */
} Attribute;

typedef struct { /* 16 bytes: one possible result of a flag */
    PyObject *details; /* NULL until first used, and always for objects and for the caller's default value */
    uint64_t count;    /* evaluations that ended here since counters were last drained */
} Outcome;

typedef struct { /* 128 bytes: one flag, linked. Its outcomes stand right behind it, then what `variants` and the others point to */
    FcProgram program;        /* its bytes are those of a bytes object, held by reference */
    const uint16_t *variants; /* by outcome: which element of `values` it gives. Two bytes that stay in the cache where outcomes do not */
    PyObject **values;        /* NULL until first used, and always for objects; the last is NULL: the caller's default value */
    Outcome *constant;        /* the outcome of a flag that is one leaf; NULL: walk */
    union {
        PyObject **constant_value; /* of a flag that is one leaf */
        uint64_t places;           /* of others: a bit for each evaluation slot that it looks at; not local, or one beyond 63: NO_PLACES */
    };
    PyObject *key;           /* str; NULL until somebody needs it: it stands in the program, too */
    PyObject *revision;      /* at which the program came */
    uint64_t mismatches;     /* evaluations that asked for another type */
    uint8_t is_local;        /* to be walked, without detours, and within LOCAL_SLOTS and LOCAL_MEMOS */
    uint8_t is_local_forked; /* the same of a forked program: no prerequisites */
} Flag;

typedef struct { /* what a flag has beside it if it names anything; Flag.program.links points to `links` */
    PyObject *objects; /* tuple of Program, ValueSet or None for each link; keeps them alive */
    uint32_t outcome_slots, memo_words; /* what an evaluation needs, prerequisites included */
    const void *links[];
} FlagLinks;

typedef struct { /* 16 bytes: who asked for which flag, at the home of the text's hash */
    PyObject *asked; /* the str that last asked for the flag, a reference: a caller mostly comes with the same again; NULL: free */
    Flag *flag;
} FlagEntry;

typedef struct { /* 32 bytes: a flag of a revision. What it points at is held by reference, the flag by its owner */
    PyObject *source;   /* bytes: its program, verified */
    PyObject *revision; /* at which the program came */
    Flag *flag;         /* NULL: not linked, nobody has asked for it */
    Py_hash_t hash;     /* of the key, as str has it */
} FlagRecord;

enum { PAGE_FLAGS = 64 };

typedef struct { /* flags in a row. Revisions that have them alike share the page, and link them for each other */
    uint32_t sets;  /* that share it */
    uint32_t count;
    FlagRecord records[]; /* all pages but the last have PAGE_FLAGS */
} FlagPage;

typedef struct { /* where the flags of a revision stand, shared by revisions that have the same flags in the same order */
    uint32_t sets;
    uint32_t mask;
    uint32_t cells[]; /* mask + 1 by hash, a quarter of them free: 1 + number of a flag; 0: free */
} FlagIndex;

typedef struct { /* what an engine knows of attributes; grows */
    Attribute *attributes; /* by evaluation slot */
    uint32_t count;
} Slots;

typedef struct { /* an own table instead of a dict: no user code, and half the instructions */
    FlagEntry *entries; /* mask + 1 of them: two for each flag that somebody asks for, about */
    size_t mask;
    FlagPage **pages;  /* with `count` flags, in the order of the snapshot */
    FlagIndex *index;
    uint32_t count, asked; /* flags; taken entries */
    uint8_t is_linked;     /* every flag is known to be */
    PyObject *owner; /* the ProgramSet, borrowed */
    PyObject *slots; /* the engine's SlotTable, borrowed */
    const Slots *known;    /* the same's */
    Attribute *attributes; /* as `known` has them, at least since a flag that looks at the last one was found here */
    PyObject *fallback; /* the static context, an exact dict, borrowed; NULL: none */
    PyObject *clock; /* borrowed */
    uint32_t slot_count, outcome_slots, memo_words; /* what a wide evaluation needs */
} FlagTable;

/* Room for one wide evaluation, or for a reusable context: one allocation. */
typedef struct Scratch {
    struct Scratch *next; /* in the free list */
    FcFrame frame;
    PyObject **held; /* slots elements */
    uint32_t held_count;
    uint32_t slots, outcomes, memos; /* capacities */
} Scratch;

/* How Context, ProgramSet, Program and Evaluator (_program.pxd) begin; the module checks it when it is imported. */
typedef struct {
    PyObject_HEAD
    void *methods;
    Scratch *scratch;
    PyObject *slots;   /* the SlotTable of the engine that made it */
    PyObject *mapping;
    uint8_t is_dict;   /* mapping is an exact dict, and there is no targeting key beside it */
    uint8_t busy;      /* an evaluation is reading into scratch: one inside that takes the mapping instead */
} ContextHead;

typedef struct {
    PyObject_HEAD
    void *methods;
    FlagTable table;
} ProgramSetHead;

typedef struct { /* the whole of it: outcomes follow */
    PyObject_HEAD
    Flag flag;
} ProgramHead;

typedef struct {
    PyObject_HEAD
    void *methods;
    ProgramSetHead *current;
} EvaluatorHead;

/* Who fetches: the FcFetch host of one evaluation. All references are borrowed from the caller but `held`. */
typedef struct {
    PyObject *mapping;       /* exact dict, other mapping, or NULL: empty */
    PyObject *targeting_key; /* of an evaluation context; NULL: none */
    const FlagTable *table;  /* attributes, static context, clock */
    const uint32_t *slots;   /* program slot -> evaluation slot, for local walks */
    PyObject **held;         /* one element a slot suffices: a fetch holds at most one object */
    uint32_t held_count;
    uint32_t secured;        /* local walks: how many of them are references, the others being borrowed from the context */
    PyObject *owner;         /* local walks: a reference to the revision, taken with the first of those; NULL: not needed so far */
    uint8_t has_time;        /* `time` is given: the clock is not asked */
    int64_t time;            /* microseconds since 1970 UTC */
} Fetcher;

static PyObject *host_mapping_class; /* collections.abc.Mapping */
static PyTypeObject *host_context_type; /* Context */
static PyObject *host_missing;       /* a private object that no mapping holds */
static PyObject *host_get;           /* "get" */
static PyObject *host_targeting_key; /* "targeting_key" */
static PyObject *host_attributes;    /* "attributes" */
static PyObject *host_empty;         /* an empty dict that nobody else holds: the context None */
static PyObject *host_booleans[3];   /* Flag.values of all boolean flags: False, True, NULL */

/* Set by the module: */
/* New reference to value or details of an outcome that has none ready: built at its first use and kept, or made afresh because the
 * caller's default value takes part in it or the value may be changed. NULL when there is no memory. */
static PyObject *(*host_whole_answer)(const Flag *flag, uint32_t outcome, PyObject *default_value, int details);
/* Raise this exception in the calling thread as soon as it runs Python again. */
static void (*host_raise_later)(PyObject *error);

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* Forget what foreign code raised. Errors (Exception, so MemoryError and RecursionError too) mean that what was asked for is
 * missing. The others (KeyboardInterrupt, SystemExit, whatever else ends more than a call) must not get lost, and are no
 * answer: they are raised again in this thread as soon as it runs Python, at the latest when the evaluation has returned. */
static __attribute__((noinline, unused)) void host_swallow(void) {
    PyObject *kind, *error, *trace;
    if (PyErr_Occurred() == NULL) return;
    PyErr_Fetch(&kind, &error, &trace);
    if (!PyErr_GivenExceptionMatches(kind, PyExc_Exception)) {
        PyErr_NormalizeException(&kind, &error, &trace);
        host_raise_later(error);
    }
    Py_XDECREF(kind);
    Py_XDECREF(error);
    Py_XDECREF(trace);
}

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

/* A dict, a subclass, or registered as a Mapping: what only looks like one is not. */
static int host_is_mapping(PyObject *object) {
    if (PyDict_Check(object)) return 1;
    int answer = PyObject_IsInstance(object, host_mapping_class);
    if (answer < 0) host_swallow();
    return answer == 1;
}

/* New reference to the value of a name, or NULL. `get` is asked, so that a defaultdict neither invents nor stores one. */
static PyObject *host_entry(PyObject *mapping, PyObject *name) {
    PyObject *value;
    if (PyDict_CheckExact(mapping)) {
        value = PyDict_GetItemWithError(mapping, name);
        Py_XINCREF(value);
        if (value == NULL) host_swallow();
        return value;
    }
    value = PyObject_CallMethodObjArgs(mapping, host_get, name, host_missing, NULL);
    if (value == NULL) host_swallow();
    if (value == host_missing) Py_CLEAR(value);
    return value;
}

/* What a getter takes as context: None, a mapping, or whatever has `targeting_key` and `attributes`. Returns 0 for anything
 * else; otherwise new references in *mapping and *targeting_key (NULL: none). */
static __attribute__((unused)) int host_open_context(PyObject *context, PyObject **mapping, PyObject **targeting_key) {
    *targeting_key = NULL;
    *mapping = NULL;
    if (context == Py_None || host_is_mapping(context)) {
        *mapping = Py_NewRef(context == Py_None ? host_empty : context);
        return 1;
    }
    PyObject *key = PyObject_GetAttr(context, host_targeting_key);
    PyObject *attributes = key == NULL ? NULL : PyObject_GetAttr(context, host_attributes);
    if (attributes == Py_None) Py_SETREF(attributes, Py_NewRef(host_empty));
    if (attributes == NULL || !host_is_mapping(attributes)) {
        host_swallow();
        Py_XDECREF(key);
        Py_XDECREF(attributes);
        return 0;
    }
    if (key == Py_None) Py_CLEAR(key);
    *targeting_key = key;
    *mapping = attributes;
    return 1;
}

/* New reference to a top-level value, or NULL: the call's own context first, then the static one. */
static PyObject *host_top(const Fetcher *fetcher, PyObject *name, int is_subject) {
    PyObject *value = NULL;
    if (is_subject && fetcher->targeting_key != NULL) {
        Py_INCREF(fetcher->targeting_key);
        return fetcher->targeting_key;
    }
    if (fetcher->mapping != NULL) value = host_entry(fetcher->mapping, name);
    if (value == NULL && fetcher->table->fallback != NULL) value = host_entry(fetcher->table->fallback, name);
    return value;
}

/* New reference to the value of a nested path whose flat key is absent, or NULL. */
static PyObject *host_nested(const Fetcher *fetcher, Attribute *attribute) {
    PyObject *parts = attribute->parts;
    PyObject *value = host_top(fetcher, PyTuple_GET_ITEM(parts, 0), attribute->root_is_subject);
    for (Py_ssize_t level = 1; value != NULL && level < PyTuple_GET_SIZE(parts); level++) {
        PyObject *inner = host_is_mapping(value) ? host_entry(value, PyTuple_GET_ITEM(parts, level)) : NULL;
        Py_DECREF(value);
        value = inner;
    }
    return value;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static void host_set_bytes(FcValue *out, const void *bytes, Py_ssize_t length, uint8_t type) {
    out->u.bytes = (const uint8_t *)bytes;
    out->length = (uint32_t)length;
    out->type = (size_t)length > 0xFFFFFFFFu ? FC_OTHER : type;
}

static Py_ssize_t host_utf8_size(int kind, const void *data, Py_ssize_t length) {
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < length; i++) {
        const Py_UCS4 c = PyUnicode_READ(kind, data, i);
        size += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }
    return size;
}

/* Write UTF-8, lone surrogates as U+FFFD; returns whether there were any. */
static int host_write_utf8(int kind, const void *data, Py_ssize_t length, uint8_t *out) {
    int surrogates = 0;
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        if (c < 0x80) {
            *out++ = (uint8_t)c;
        } else if (c < 0x800) {
            *out++ = (uint8_t)(0xC0 | c >> 6);
            *out++ = (uint8_t)(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            if (c >= 0xD800 && c <= 0xDFFF) {
                surrogates = 1;
                c = 0xFFFD;
            }
            *out++ = (uint8_t)(0xE0 | c >> 12);
            *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
            *out++ = (uint8_t)(0x80 | (c & 0x3F));
        } else {
            *out++ = (uint8_t)(0xF0 | c >> 18);
            *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3F));
            *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
            *out++ = (uint8_t)(0x80 | (c & 0x3F));
        }
    }
    return surrogates;
}

/* Each host_*_value below sets *out and returns a new reference to what *out points into, or NULL when it points nowhere. */

static PyObject *host_text_value(PyObject *text, FcValue *out) {
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text) < 0) {
        PyErr_Clear();
        return NULL;
    }
#endif
    const Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (PyUnicode_IS_ASCII(text)) {
        host_set_bytes(out, PyUnicode_DATA(text), length, FC_TEXT);
        return Py_NewRef(text);
    }
    /* An own copy, not PyUnicode_AsUTF8AndSize: that would keep a second copy in the caller's string for good. */
    const int kind = (int)PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    const Py_ssize_t size = host_utf8_size(kind, data, length);
    PyObject *encoded = PyBytes_FromStringAndSize(NULL, size);
    if (encoded == NULL) {
        PyErr_Clear();
        return NULL;
    }
    const int surrogates = host_write_utf8(kind, data, length, (uint8_t *)PyBytes_AS_STRING(encoded));
    host_set_bytes(out, PyBytes_AS_STRING(encoded), size, surrogates ? FC_SUBJECT : FC_TEXT);
    return encoded;
}

/* Decimal text of an int beyond int64, whatever the interpreter's own limit of digits is. New reference or NULL. */
static PyObject *host_decimal_text(PyObject *given, int negative) {
    char digits[MAX_DIGITS + 32];
    size_t at = sizeof digits;
    PyObject *rest = PyLong_Type.tp_as_number->nb_absolute(given), *billion = PyLong_FromLong(1000000000L);
    PyObject *text = NULL, *zero = PyLong_FromLong(0);
    while (rest != NULL && billion != NULL && zero != NULL && at > 16) {
        PyObject *pair = PyLong_Type.tp_as_number->nb_divmod(rest, billion);
        if (pair == NULL) break;
        long group = PyLong_AsLong(PyTuple_GET_ITEM(pair, 1));
        Py_SETREF(rest, Py_NewRef(PyTuple_GET_ITEM(pair, 0)));
        Py_DECREF(pair);
        const int last = PyObject_RichCompareBool(rest, zero, Py_EQ) == 1;
        for (int i = 0; last ? group > 0 : i < 9; i++, group /= 10) digits[--at] = (char)('0' + group % 10);
        if (!last) continue;
        if (sizeof digits - at > MAX_DIGITS) break;
        if (negative) digits[--at] = '-';
        text = PyBytes_FromStringAndSize(digits + at, (Py_ssize_t)(sizeof digits - at));
        break;
    }
    Py_XDECREF(rest);
    Py_XDECREF(billion);
    Py_XDECREF(zero);
    PyErr_Clear();
    return text;
}

static PyObject *host_integer_value(PyObject *number, FcValue *out) {
    int overflow;
    const long long small = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (!overflow) {
        out->u.integer = small;
        out->type = FC_INTEGER;
        return NULL;
    }
    PyObject *text = host_decimal_text(number, overflow < 0);
    if (text != NULL) host_set_bytes(out, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), FC_SUBJECT);
    return text;
}

/* Microseconds since 1970 UTC of an aware datetime; a naive one has none. Only `datetime` itself is asked, never a subclass. */
static int host_read_datetime(PyObject *value, int64_t *out) {
    static PyObject *epoch;
    if (PyDateTimeAPI == NULL) { /* nobody holds a datetime before the module is loaded */
        PyObject *name = PyUnicode_InternFromString("datetime"), *module = name == NULL ? NULL : PyImport_GetModule(name);
        Py_XDECREF(name);
        if (module == NULL) return 0;
        Py_DECREF(module);
        PyDateTime_IMPORT;
    }
    if (PyDateTimeAPI == NULL || !PyDateTime_Check(value)) return 0;
    if (epoch == NULL)
        epoch = PyDateTimeAPI->DateTime_FromDateAndTime(1970, 1, 1, 0, 0, 0, 0, PyDateTime_TimeZone_UTC,
                                                        PyDateTimeAPI->DateTimeType);
    if (epoch == NULL) return 0;
    PyObject *since = PyDateTimeAPI->DateTimeType->tp_as_number->nb_subtract(value, epoch);
    if (since == NULL) return 0;
    const int found = PyDelta_Check(since);
    if (found)
        *out = ((int64_t)PyDateTime_DELTA_GET_DAYS(since) * 86400 + PyDateTime_DELTA_GET_SECONDS(since)) * 1000000 +
               PyDateTime_DELTA_GET_MICROSECONDS(since);
    Py_DECREF(since);
    return found;
}

/* Canonical text of a uuid.UUID, read from its own slot; where nobody has loaded `uuid`, no value is one. */
static PyObject *host_uuid_text(PyObject *value) {
    PyObject *text = NULL, *kind = NULL, *slot = NULL, *number = NULL, *hexadecimal = NULL;
    PyObject *name = PyUnicode_InternFromString("uuid"), *module = name == NULL ? NULL : PyImport_GetModule(name);
    Py_XDECREF(name);
    if (module == NULL) return NULL;
    if ((kind = PyObject_GetAttrString(module, "UUID")) == NULL || !PyType_Check(kind)) goto done;
    if (!PyType_IsSubtype(Py_TYPE(value), (PyTypeObject *)kind)) goto done;
    if ((slot = PyObject_GetAttrString(kind, "int")) == NULL || Py_TYPE(slot)->tp_descr_get == NULL) goto done;
    number = Py_TYPE(slot)->tp_descr_get(slot, value, kind);
    if (number == NULL || !PyLong_CheckExact(number) || (hexadecimal = PyNumber_ToBase(number, 16)) == NULL) goto done;
    const Py_ssize_t given = PyUnicode_GET_LENGTH(hexadecimal) - 2; /* "0x..." */
    const char *digits = (const char *)PyUnicode_DATA(hexadecimal) + 2;
    if (given < 1 || given > 32 || digits[-1] != 'x' || (text = PyBytes_FromStringAndSize(NULL, 36)) == NULL) goto done;
    char *out = PyBytes_AS_STRING(text);
    for (Py_ssize_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) *out++ = '-';
        *out++ = i < 32 - given ? '0' : digits[i - (32 - given)];
    }
done:
    Py_DECREF(module);
    Py_XDECREF(kind);
    Py_XDECREF(slot);
    Py_XDECREF(number);
    Py_XDECREF(hexadecimal);
    return text;
}

/* Everything that has no elements. The type decides, never what its class says of itself. */
static PyObject *host_scalar_value(PyObject *value, FcValue *out) {
    out->type = FC_OTHER;
    out->done = 0;
    if (PyUnicode_Check(value)) return host_text_value(value, out);
    if (PyBool_Check(value)) {
        out->u.integer = value == Py_True;
        out->type = FC_BOOLEAN;
    } else if (PyLong_Check(value)) {
        return host_integer_value(value, out);
    } else if (PyFloat_Check(value)) {
        out->u.number = PyFloat_AS_DOUBLE(value);
        out->type = FC_FLOAT;
    } else if (value == Py_None) {
        out->type = FC_NULL;
    } else if (PyBytes_Check(value)) {
        host_set_bytes(out, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), FC_SUBJECT);
        return Py_NewRef(value);
    }
    return NULL;
}

/* A tuple of the elements, made by the native iteration of list, tuple or set; NULL for what is none of them. */
static PyObject *host_elements(PyObject *value) {
    if (PyTuple_Check(value)) return PyTuple_GetSlice(value, 0, PyTuple_GET_SIZE(value));
    if (PyList_Check(value)) return PyList_AsTuple(value);
    if (!PyAnySet_Check(value)) return NULL;
    PyObject *iterator = (PyType_IsSubtype(Py_TYPE(value), &PySet_Type) ? PySet_Type : PyFrozenSet_Type).tp_iter(value);
    if (iterator == NULL) return NULL;
    PyObject *elements = PySequence_Tuple(iterator);
    Py_DECREF(iterator);
    return elements;
}

/* Elements as FcValue in a bytes object; what they point into stands beside it in a list. */
static PyObject *host_list_value(PyObject *value, FcValue *out) {
    PyObject *elements = host_elements(value), *keep = NULL, *items = NULL;
    out->type = FC_OTHER;
    if (elements == NULL) goto failed;
    const Py_ssize_t count = PyTuple_GET_SIZE(elements);
    if ((size_t)count > 0x7FFFFFFFu || (items = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(FcValue))) == NULL)
        goto failed;
    if ((keep = PyList_New(0)) == NULL || PyList_Append(keep, items) < 0) goto failed;
    FcValue *item = (FcValue *)PyBytes_AS_STRING(items);
    for (Py_ssize_t i = 0; i < count; i++, item++) {
        memset(item, 0, sizeof *item);
        PyObject *held = host_scalar_value(PyTuple_GET_ITEM(elements, i), item);
        if (held == NULL) continue;
        const int appended = PyList_Append(keep, held);
        Py_DECREF(held);
        if (appended < 0) goto failed;
    }
    out->u.items = (const FcValue *)PyBytes_AS_STRING(items);
    out->length = (uint32_t)count;
    out->type = FC_LIST;
    Py_DECREF(elements);
    Py_DECREF(items);
    return keep;
failed:
    PyErr_Clear();
    Py_XDECREF(elements);
    Py_XDECREF(items);
    Py_XDECREF(keep);
    return NULL;
}

static PyObject *host_foreign_value(PyObject *value, FcValue *out) {
    int64_t time;
    if (host_read_datetime(value, &time)) {
        out->u.integer = time;
        out->type = FC_TIME;
        return NULL;
    }
    host_swallow();
    PyObject *text = host_uuid_text(value);
    if (text != NULL) host_set_bytes(out, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), FC_SUBJECT);
    host_swallow();
    return text;
}

static PyObject *host_any_value(PyObject *value, FcValue *out) {
    PyObject *held = host_scalar_value(value, out);
    if (out->type != FC_OTHER || held != NULL) return held;
    if (PyList_Check(value) || PyTuple_Check(value) || PyAnySet_Check(value)) return host_list_value(value, out);
    return host_foreign_value(value, out);
}

/* New reference to what a fetch of the attribute would see, or NULL. */
static __attribute__((unused)) PyObject *host_look_up(Fetcher *fetcher, Attribute *attribute) {
    PyObject *found = host_top(fetcher, attribute->flat, attribute->flat_is_subject);
    return found == NULL && attribute->parts != NULL ? host_nested(fetcher, attribute) : found;
}

/* Where a value lies on a ruler (bucketing.md 2.2); 0: it is not bucketable. */
static __attribute__((unused)) int host_position(PyObject *value, uint64_t seed, uint64_t *position) {
    FcValue converted;
    uint8_t room[32];
    uint32_t length = 0;
    PyObject *held = host_any_value(value, &converted);
    const uint8_t *subject = fc_subject(&converted, room, &length);
    if (length > 0) *position = fc_hash(subject, length, seed);
    Py_XDECREF(held);
    return length > 0;
}

/* ---- fetching ---------------------------------------------------------------------------------------------------- */

static void host_fetch_time(Fetcher *fetcher, FcValue *out) {
    out->type = FC_MISSING;
    out->done = 0;
    if (!fetcher->has_time) {
        PyObject *now = PyObject_CallNoArgs(fetcher->table->clock);
        int overflow = 1;
        const long long time = now != NULL && PyLong_Check(now) ? PyLong_AsLongLongAndOverflow(now, &overflow) : 0;
        Py_XDECREF(now);
        host_swallow();
        if (overflow) return;
        fetcher->time = time;
        fetcher->has_time = 1;
    }
    out->u.integer = fetcher->time;
    out->type = FC_TIME;
}

/* The rare cases of a fetch. `found` is borrowed: the value of the flat key in fetcher->mapping; NULL: there is none, or it
 * raised, or (unless `asked`) it was not looked for. */
static __attribute__((noinline)) void host_fetch_rest(Fetcher *fetcher, Attribute *attribute, PyObject *found, int asked,
                                                      FcValue *out) {
    if (attribute->flat == NULL) {
        host_fetch_time(fetcher, out);
        return;
    }
    Py_XINCREF(found);
    if (!asked) {
        found = host_look_up(fetcher, attribute);
    } else if (found == NULL) {
        host_swallow();
        if (fetcher->table->fallback != NULL) found = host_entry(fetcher->table->fallback, attribute->flat);
        if (found == NULL && attribute->parts != NULL) found = host_nested(fetcher, attribute);
    }
    out->done = 0;
    if (found == NULL) {
        out->type = FC_MISSING;
        return;
    }
    PyObject *held = host_any_value(found, out);
    if (held != NULL) fetcher->held[fetcher->held_count++] = held;
    Py_DECREF(found);
}

enum { QUICK_NONE, QUICK_WHOLE, QUICK_POINTS /* *out points into the object */ };

/* Values that need no more than a look: ASCII texts, small ints, booleans, floats. */
static inline __attribute__((always_inline)) int host_quick_value(PyObject *value, FcValue *out) {
    out->done = 0;
    if (PyUnicode_CheckExact(value)) {
        if (!PyUnicode_IS_COMPACT_ASCII(value) || PyUnicode_GET_LENGTH(value) > 0xFFFFFFFFll) return QUICK_NONE;
        out->u.bytes = (const uint8_t *)((PyASCIIObject *)value + 1);
        out->length = (uint32_t)PyUnicode_GET_LENGTH(value);
        out->type = FC_TEXT;
        return QUICK_POINTS;
    }
    if (PyBool_Check(value)) {
        out->u.integer = value == Py_True;
        out->type = FC_BOOLEAN;
        return QUICK_WHOLE;
    }
    if (PyLong_CheckExact(value)) {
#if PY_VERSION_HEX >= 0x030C0000
        if (!PyUnstable_Long_IsCompact((PyLongObject *)value)) return QUICK_NONE;
        out->u.integer = PyUnstable_Long_CompactValue((PyLongObject *)value);
#else
        if ((size_t)(Py_SIZE(value) + 1) > 2) return QUICK_NONE;
        out->u.integer = (int64_t)Py_SIZE(value) * (int64_t)((PyLongObject *)value)->ob_digit[0];
#endif
        out->type = FC_INTEGER;
        return QUICK_WHOLE;
    }
    if (PyFloat_CheckExact(value)) {
        out->u.number = PyFloat_AS_DOUBLE(value);
        out->type = FC_FLOAT;
        return QUICK_WHOLE;
    }
    return QUICK_NONE;
}

/* Contexts made by one piece of code have their keys at the same places, and the same interned str as keys: looking there
 * first takes a fifth of a look-up. A context that lacks some keys has the others a little before, so the places beside come next.
 * Where that does not hold, the hint rests for a while; where places tell nothing, for ever. */
enum { HINT_REST = -256, HINT_SCAN = 32, HINT_PATIENCE = 4, HINT_BESIDE = 3 };

static int host_wakes; /* 1: hints wake again; 0 (dict_is_known): they never do */

/* Borrowed reference to the value of the flat key, if it stands where its hint says; else NULL. Runs no foreign code. */
static inline __attribute__((always_inline)) PyObject *host_by_hint(PyObject *dict, Attribute *attribute) {
    PyObject *found = dict_at(dict, attribute->hint, attribute->flat);
    if (HOST_LIKELY(found != NULL)) attribute->misses = 0;
    return found;
}

/* The same for the places beside the hint, which moves there when it has missed several times in a row. */
static __attribute__((noinline)) PyObject *host_beside_hint(PyObject *dict, Attribute *attribute) {
    static const int8_t beside[HINT_BESIDE] = {-1, 1, -2};
    if (!attribute->is_placed || attribute->hint < 0) return NULL;
    for (int i = 0; i < HINT_BESIDE; i++) {
        PyObject *found = dict_at(dict, attribute->hint + beside[i], attribute->flat);
        if (found == NULL) continue;
        if (attribute->misses++ >= HINT_PATIENCE) {
            attribute->misses = 0;
            attribute->hint += beside[i];
        }
        return found;
    }
    return NULL;
}

/* Borrowed reference to the value of the flat key, not found by its hint; or NULL, perhaps with an error set. */
static __attribute__((noinline)) PyObject *host_look_past_hint(PyObject *dict, Attribute *attribute) {
    PyObject *found = PyDict_GetItemWithError(dict, attribute->flat);
    if (attribute->hint < -host_wakes) {
        attribute->hint += host_wakes;
        return found;
    }
    if (found == NULL) return NULL;
    attribute->hint = HINT_REST;
    if (attribute->misses++ >= HINT_PATIENCE) {
        attribute->misses = 0;
        return found;
    }
    const Py_ssize_t place = dict_place(dict, attribute->flat, HINT_SCAN);
    if (place < 0) return found;
    attribute->hint = (int32_t)place;
    attribute->is_placed = 1;
    return found;
}

/* From an exact dict without a targeting key beside it; `found` is borrowed: what the hint led to, or NULL. */
static inline __attribute__((always_inline)) void host_fetch_found(Fetcher *fetcher, Attribute *attribute, PyObject *found,
                                                                   FcValue *out) {
    if (found == NULL && attribute->flat != NULL) found = host_look_past_hint(fetcher->mapping, attribute);
    const int quick = HOST_LIKELY(found != NULL) ? host_quick_value(found, out) : QUICK_NONE;
    if (HOST_UNLIKELY(quick == QUICK_NONE))
        host_fetch_rest(fetcher, attribute, found, 1, out);
    else if (quick == QUICK_POINTS)
        fetcher->held[fetcher->held_count++] = Py_NewRef(found);
}

/* The same where foreign code may run: it could clear the context or swap the revision, so that what has been borrowed from them
 * becomes a reference before. */
static __attribute__((noinline)) void host_fetch_secured(Fetcher *fetcher, Attribute *attribute, PyObject *found, FcValue *out) {
    if (fetcher->owner == NULL) {
        fetcher->owner = Py_NewRef(fetcher->table->owner);
        fetcher->targeting_key = NULL;
        fetcher->secured = 0;
        fetcher->has_time = 0;
    }
    for (uint32_t i = fetcher->secured; i < fetcher->held_count; i++) Py_INCREF(fetcher->held[i]);
    host_fetch_found(fetcher, attribute, found, out);
    fetcher->secured = fetcher->held_count;
}

/* Does the flat key alone decide, and does a search for it run no foreign code? */
static inline int host_is_plain(const Fetcher *fetcher, const Attribute *attribute) {
    return attribute->flat != NULL && attribute->parts == NULL && fetcher->table->fallback == NULL && host_wakes &&
           dict_has_texts(fetcher->mapping);
}

/* What the hint alone did not settle: the place beside it may, or a search; else what is borrowed has to be secured. */
static __attribute__((noinline)) void host_fetch_unsettled(Fetcher *fetcher, Attribute *attribute, PyObject *found, FcValue *out) {
    if (found == NULL) found = host_beside_hint(fetcher->mapping, attribute);
    if (found == NULL && host_is_plain(fetcher, attribute)) {
        found = host_look_past_hint(fetcher->mapping, attribute);
        out->type = FC_MISSING;
        out->done = 0;
        if (found == NULL) return;
    }
    const int quick = found != NULL ? host_quick_value(found, out) : QUICK_NONE;
    if (quick == QUICK_NONE)
        host_fetch_secured(fetcher, attribute, found, out);
    else if (quick == QUICK_POINTS)
        fetcher->held[fetcher->held_count++] = found; /* borrowed, as below */
}

/* The FcFetch functions: by program slot (local) or evaluation slot (wide), from an exact dict or from any context. */
static inline __attribute__((always_inline)) void host_fetch_dict_local(void *host, uint32_t slot, FcValue *out) {
    Fetcher *fetcher = (Fetcher *)host;
    Attribute *attribute = &fetcher->table->attributes[fetcher->slots[slot]];
    PyObject *found = host_by_hint(fetcher->mapping, attribute);
    const int quick = HOST_LIKELY(found != NULL) ? host_quick_value(found, out) : QUICK_NONE;
    if (HOST_UNLIKELY(quick == QUICK_NONE))
        host_fetch_unsettled(fetcher, attribute, found, out);
    else if (quick == QUICK_POINTS)
        fetcher->held[fetcher->held_count++] = found; /* borrowed: no foreign code has run, and the caller holds the context */
}

static inline __attribute__((always_inline)) void host_fetch_dict_wide(void *host, uint32_t slot, FcValue *out) {
    Fetcher *fetcher = (Fetcher *)host;
    Attribute *attribute = &fetcher->table->attributes[slot];
    PyObject *found = host_by_hint(fetcher->mapping, attribute);
    if (HOST_UNLIKELY(found == NULL)) found = host_beside_hint(fetcher->mapping, attribute);
    host_fetch_found(fetcher, attribute, found, out);
}

static void host_fetch_any_wide(void *host, uint32_t slot, FcValue *out) {
    Fetcher *fetcher = (Fetcher *)host;
    host_fetch_rest(fetcher, &fetcher->table->attributes[slot], NULL, 0, out);
}

static inline void host_release(PyObject **held, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) Py_DECREF(held[i]);
}

/* ---- flags ------------------------------------------------------------------------------------------------------- */

static inline FlagRecord *host_record(const FlagTable *table, uint32_t number) {
    return &table->pages[number / PAGE_FLAGS]->records[number % PAGE_FLAGS];
}

/* Know the attributes of a flag that another revision may have linked. */
static inline void host_renew(FlagTable *table) {
    table->attributes = table->known->attributes;
    table->slot_count = table->known->count;
}

static inline Outcome *host_outcomes(const Flag *flag) {
    return (Outcome *)(flag + 1);
}

/* The Program that a flag lives in, borrowed. */
static inline PyObject *host_owner(const Flag *flag) {
    return (PyObject *)((char *)flag - offsetof(ProgramHead, flag));
}

/* The bytes object of its program, borrowed. */
static inline PyObject *host_source(const Flag *flag) {
    return (PyObject *)(flag->program.bytes - offsetof(PyBytesObject, ob_sval));
}

/* What it names; NULL: nothing. */
static __attribute__((unused)) FlagLinks *host_links(const Flag *flag) {
    return flag->program.links == NULL ? NULL : (FlagLinks *)((char *)flag->program.links - offsetof(FlagLinks, links));
}

/* Do these bytes stand where a verified program has its key? */
static inline int host_has_key(PyObject *source, const void *key, size_t length) {
    const char *program = PyBytes_AS_STRING(source);
    const FcText known = ((const FcHeader *)program)->key;
    return known.length == length && memcmp(program + known.offset, key, length) == 0;
}

/* Number of the flag of this key and hash, or FC_NONE. */
static uint32_t host_number(const FlagTable *table, Py_hash_t hash, const void *key, size_t length) {
    const FlagIndex *index = table->index;
    for (uint32_t at = (uint32_t)hash & index->mask;; at = (at + 1) & index->mask) {
        const uint32_t cell = index->cells[at];
        if (cell == 0) return FC_NONE;
        const FlagRecord *record = host_record(table, cell - 1);
        if (record->hash == hash && host_has_key(record->source, key, length)) return cell - 1;
    }
}

/* Number of the flag of a str key, or FC_NONE. Runs no user code, whatever subclass the key is of. */
static uint32_t host_number_of(const FlagTable *table, PyObject *key) {
    Py_hash_t hash = ((PyASCIIObject *)key)->hash;
    if (HOST_UNLIKELY(hash == -1)) hash = PyUnicode_Type.tp_hash(key);
    if (HOST_LIKELY(PyUnicode_IS_ASCII(key)))
        return host_number(table, hash, PyUnicode_DATA(key), (size_t)PyUnicode_GET_LENGTH(key));
    FcValue text;
    PyObject *held = host_text_value(key, &text);
    if (held == NULL) return FC_NONE;
    const uint32_t number = text.type == FC_TEXT ? host_number(table, hash, text.u.bytes, text.length) : FC_NONE;
    Py_DECREF(held);
    return number;
}

/* Is this str the key of a verified program? A text that is no Unicode is nobody's. */
static __attribute__((unused)) int host_is_key(PyObject *source, PyObject *key) {
    if (HOST_LIKELY(PyUnicode_IS_ASCII(key))) return host_has_key(source, PyUnicode_DATA(key), (size_t)PyUnicode_GET_LENGTH(key));
    FcValue text;
    PyObject *held = host_text_value(key, &text);
    const int is_key = held != NULL && text.type == FC_TEXT && host_has_key(source, text.u.bytes, text.length);
    Py_XDECREF(held);
    return is_key;
}

/* Is this the key that a record was made for? Told by the type and the hash of 64 bits, so that nothing else has to be in the cache. */
static __attribute__((unused)) int host_has_hash(const FlagRecord *record, PyObject *key) {
    return PyUnicode_CheckExact(key) && ((PyASCIIObject *)key)->hash == record->hash;
}

/* Make room to remember twice as many texts. No two meet at a home that is theirs alone now. Without memory nothing happens. */
static __attribute__((noinline)) void host_widen(FlagTable *table) {
    const size_t capacity = 2 * (table->mask + 1);
    FlagEntry *wider = PyMem_Calloc(capacity, sizeof(FlagEntry));
    if (wider == NULL) return;
    for (size_t i = 0; i <= table->mask; i++)
        if (table->entries[i].asked != NULL)
            wider[(size_t)((PyASCIIObject *)table->entries[i].asked)->hash & (capacity - 1)] = table->entries[i];
    PyMem_Free(table->entries);
    table->entries = wider;
    table->mask = capacity - 1;
}

/* Of half as many flags as there are homes, two fifths find one free, about. */
static inline int host_is_narrow(const FlagTable *table) {
    return 5 * (size_t)table->asked > 2 * (table->mask + 1);
}

/* Remember which text asked for a flag, at its home. Of several flags at one home the first to be asked for keeps it. */
static void host_remember(FlagTable *table, PyObject *key, Flag *flag) {
    const size_t hash = (size_t)((PyASCIIObject *)key)->hash;
    if (table->entries[hash & table->mask].flag != flag && host_is_narrow(table)) host_widen(table);
    FlagEntry *home = &table->entries[hash & table->mask];
    if (home->asked != NULL && home->flag != flag) return;
    table->asked += home->asked == NULL;
    home->flag = flag;
    Py_XSETREF(home->asked, Py_NewRef(key));
}

/* The flag of a str key, if it is linked; or NULL. Runs no user code. */
static __attribute__((noinline)) Flag *host_find(FlagTable *table, PyObject *key) {
    const uint32_t number = host_number_of(table, key);
    Flag *flag = number == FC_NONE ? NULL : host_record(table, number)->flag;
    if (flag == NULL) return NULL;
    host_renew(table);
    if (PyUnicode_CheckExact(key)) host_remember(table, key, flag);
    return flag;
}

/* Leaf and variant of an outcome; the last outcome of a split has no variant: its subject was not bucketable. */
static __attribute__((unused)) FcResult host_outcome_source(const FcProgram *program, uint32_t outcome) {
    uint32_t low = 0, high = ((const FcHeader *)program->bytes)->leaf_count; /* SAFETY: outcomes count up with the leaves */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (program->leaves[middle].outcome <= outcome)
            low = middle;
        else
            high = middle;
    }
    const FcLeaf *leaf = &program->leaves[low];
    const uint32_t place = outcome - leaf->outcome;
    FcResult result = {low, outcome, leaf->kind == FC_LEAF_VARIANT ? leaf->variant : FC_NONE};
    if (leaf->kind == FC_LEAF_SPLIT && place < leaf->count)
        result.variant = ((const FcContestant *)(program->bytes + leaf->variant))[place].variant;
    return result;
}

/* How many values a flag may have ready. Booleans share two; other variants have one each, as far as two bytes count. */
static __attribute__((unused)) uint32_t host_value_count(const FcHeader *header) {
    if (header->value_type == FC_VALUE_BOOLEAN) return 2;
    return header->variant_count < MAX_VALUES ? header->variant_count : MAX_VALUES;
}

/* Which element of Flag.values a variant gives: the one behind the last for none. */
static uint16_t host_value_place(const FcHeader *header, uint32_t variant) {
    const uint32_t none = host_value_count(header);
    if (variant == FC_NONE) return (uint16_t)none;
    if (header->value_type == FC_VALUE_BOOLEAN)
        return ((const FcVariant *)((const uint8_t *)header + header->variant_offset))[variant].scalar != 0;
    return (uint16_t)(variant < none ? variant : none);
}

/* Write by outcome the element of Flag.values that it gives. */
static __attribute__((unused)) void host_list_variants(const Flag *flag, uint16_t *variants) {
    const FcProgram *program = &flag->program;
    const FcHeader *header = (const FcHeader *)program->bytes;
    for (const FcLeaf *leaf = program->leaves; leaf < program->leaves + header->leaf_count; leaf++) {
        const int is_split = leaf->kind == FC_LEAF_SPLIT;
        const FcContestant *contestants = (const FcContestant *)(program->bytes + leaf->variant);
        for (uint32_t i = 0; i < (is_split ? leaf->count : 1u); i++) {
            const uint32_t variant = is_split ? contestants[i].variant : leaf->kind == FC_LEAF_VARIANT ? leaf->variant : FC_NONE;
            variants[leaf->outcome + i] = host_value_place(header, variant);
        }
        if (is_split) variants[leaf->outcome + leaf->count] = host_value_place(header, FC_NONE);
    }
}

/* ---- scratch ----------------------------------------------------------------------------------------------------- */

static size_t scratch_words(uint32_t bits) {
    return ((size_t)bits + 63) / 64;
}

/* Room for so many evaluation slots, outcome slots and memo words, cleared; NULL when there is no memory. */
static __attribute__((unused)) Scratch *scratch_new(uint32_t slots, uint32_t outcomes, uint32_t memos) {
    const size_t words = scratch_words(slots) + memos + scratch_words(memos) + outcomes + slots;
    Scratch *scratch = PyMem_Calloc(1, sizeof(Scratch) + slots * sizeof(FcValue) + words * sizeof(uint64_t));
    if (scratch == NULL) return NULL;
    scratch->frame.values = (FcValue *)(scratch + 1);
    scratch->frame.have = (uint64_t *)(scratch->frame.values + slots);
    scratch->frame.memo = scratch->frame.have + scratch_words(slots);
    scratch->frame.memo_have = scratch->frame.memo + memos;
    scratch->frame.outcomes = scratch->frame.memo_have + scratch_words(memos);
    scratch->held = (PyObject **)(scratch->frame.outcomes + outcomes);
    scratch->slots = slots;
    scratch->outcomes = outcomes;
    scratch->memos = memos;
    return scratch;
}

static inline int scratch_fits(const Scratch *scratch, const FlagTable *table) {
    return scratch->slots >= table->slot_count && scratch->outcomes >= table->outcome_slots && scratch->memos >= table->memo_words;
}

/* Ready for another evaluation of the same context: only time and prerequisites are asked anew. */
static inline void scratch_restart(Scratch *scratch) {
    scratch->frame.have[0] &= ~(uint64_t)1; /* FC_SLOT_NOW; slots are 1 at least */
    for (uint32_t i = 0; i < scratch->outcomes; i++) scratch->frame.outcomes[i] = 0;
}

/* Ready for another context. */
static __attribute__((unused)) void scratch_clear(Scratch *scratch) {
    const uint32_t count = scratch->held_count;
    scratch->held_count = 0;
    host_release(scratch->held, count);
    memset(scratch->frame.have, 0, scratch_words(scratch->slots) * sizeof(uint64_t));
    scratch_restart(scratch);
}

static __attribute__((unused)) void scratch_free(Scratch *scratch) {
    if (scratch == NULL) return;
    host_release(scratch->held, scratch->held_count);
    PyMem_Free(scratch);
}

/* Take over what a smaller one has fetched, and free it. */
static __attribute__((unused)) void scratch_adopt(Scratch *scratch, Scratch *old) {
    memcpy(scratch->frame.values, old->frame.values, old->slots * sizeof(FcValue));
    memcpy(scratch->frame.have, old->frame.have, scratch_words(old->slots) * sizeof(uint64_t));
    memcpy(scratch->held, old->held, old->held_count * sizeof(PyObject *));
    scratch->held_count = old->held_count;
    PyMem_Free(old);
}

/* ---- evaluations ------------------------------------------------------------------------------------------------- */

/* Borrowed reference to an outcome's value or details; NULL where it has to be made. */
static inline __attribute__((always_inline)) PyObject *host_ready_answer(const Flag *flag, uint32_t outcome, int details) {
    return details ? host_outcomes(flag)[outcome].details : flag->values[flag->variants[outcome]];
}

/* New reference to what a getter returns for an outcome, which is counted. Of a getter's arguments the second is read, the caller's
 * default value, when the outcome needs it. Without memory for it: the default value, and NULL for details. */
static inline __attribute__((always_inline)) PyObject *host_answer(const Flag *flag, uint32_t outcome, PyObject *const *arguments,
                                                                   int details) {
    PyObject *answer = host_ready_answer(flag, outcome, details);
    if (HOST_LIKELY(answer != NULL))
        Py_INCREF(answer);
    else
        answer = host_whole_answer(flag, outcome, arguments[1], details);
    if (HOST_LIKELY(answer != NULL)) host_outcomes(flag)[outcome].count++;
    return answer != NULL || details ? answer : Py_NewRef(arguments[1]);
}

/* An answer which has to be made: that may collect garbage, whose finalizers may swap the revision. */
static __attribute__((noinline)) PyObject *host_answer_made(const FlagTable *table, const Flag *flag, uint32_t outcome,
                                                            PyObject *const *arguments, int details) {
    PyObject *owner = Py_NewRef(table->owner);
    PyObject *answer = host_answer(flag, outcome, arguments, details);
    Py_DECREF(owner);
    return answer;
}

/* The same where no foreign code has run since the flag was found. */
static inline __attribute__((always_inline)) PyObject *host_answer_plain(const FlagTable *table, const Flag *flag, uint32_t outcome,
                                                                         PyObject *const *arguments, int details) {
    PyObject *answer = host_ready_answer(flag, outcome, details);
    if (HOST_UNLIKELY(answer == NULL)) return host_answer_made(table, flag, outcome, arguments, details);
    host_outcomes(flag)[outcome].count++;
    return Py_NewRef(answer);
}

/* Answer of a flag that is local, for an exact dict. The frame lies on the C stack; only what is used of it is touched. */
static inline __attribute__((always_inline)) PyObject *host_answer_local(const FlagTable *table, const Flag *flag, PyObject *dict,
                                                                         PyObject *const *arguments, int details, int is_forked) {
    FcValue values[LOCAL_SLOTS];
    uint64_t memo[LOCAL_MEMOS], memo_have = 0;
    PyObject *held[LOCAL_SLOTS];
    FcFrame frame = {values, NULL, memo, &memo_have, NULL};
    Fetcher fetcher;
    fetcher.mapping = dict;
    fetcher.table = table;
    fetcher.slots = flag->program.slots;
    fetcher.held = held;
    fetcher.held_count = 0;
    fetcher.owner = NULL; /* the rest is set with it */
    const FcResult result = is_forked ? fc_walk_forks_small_inline(&flag->program, &frame, host_fetch_dict_local, &fetcher)
                                      : fc_walk_small_inline(&flag->program, &frame, host_fetch_dict_local, &fetcher);
    const uint32_t outcome = result.outcome;
    if (HOST_LIKELY(fetcher.owner == NULL)) return host_answer_plain(table, flag, outcome, arguments, details);
    host_release(held, fetcher.secured);
    PyObject *answer = host_answer(flag, outcome, arguments, details);
    Py_DECREF(fetcher.owner);
    return answer;
}

/* A function for each of the two walks, so that the straight one has the stack and the registers for itself. */
static __attribute__((noinline)) PyObject *host_answer_dict(const FlagTable *table, const Flag *flag, PyObject *dict,
                                                            PyObject *const *arguments, int details) {
    return host_answer_local(table, flag, dict, arguments, details, 0);
}

static __attribute__((noinline)) PyObject *host_answer_dict_forked(const FlagTable *table, const Flag *flag, PyObject *dict,
                                                                   PyObject *const *arguments, int details) {
    return host_answer_local(table, flag, dict, arguments, details, 1);
}

/* Answer of a flag for a reusable context: what it has fetched before is there, and what it fetches now will be. */
static __attribute__((noinline)) PyObject *host_answer_context(const FlagTable *table, const Flag *flag, ContextHead *context,
                                                               PyObject *const *arguments, int details) {
    PyObject *owner = Py_NewRef(table->owner); /* foreign code may swap the revision */
    Scratch *scratch = context->scratch;
    Fetcher fetcher;
    fetcher.mapping = context->mapping;
    fetcher.targeting_key = NULL;
    fetcher.has_time = 0;
    fetcher.table = table;
    fetcher.held = scratch->held;
    fetcher.held_count = scratch->held_count;
    scratch_restart(scratch);
    context->busy = 1;
    const FcResult result = fc_walk_wide_inline(&flag->program, &scratch->frame, host_fetch_dict_wide, &fetcher);
    context->busy = 0;
    scratch->held_count = fetcher.held_count;
    PyObject *answer = host_answer(flag, result.outcome, arguments, details);
    Py_DECREF(owner);
    return answer;
}

/* Is every value there that the flag looks at? */
static inline int host_is_known(const Flag *flag, const FcFrame *frame) {
    return (flag->places & ~(frame->have[0] & ~NO_PLACES)) == 0;
}

/* The outcome of such a flag: no foreign code runs. */
static __attribute__((noinline)) uint32_t host_walk_known(const Flag *flag, FcFrame *frame) {
    return fc_walk_known_inline(&flag->program, frame).outcome;
}

static __attribute__((noinline)) PyObject *host_answer_reused(const FlagTable *table, const Flag *flag, ContextHead *context,
                                                              PyObject *const *arguments, int details) {
    FcFrame *frame = &context->scratch->frame;
    if (!host_is_known(flag, frame)) return host_answer_context(table, flag, context, arguments, details);
    return host_answer_plain(table, flag, host_walk_known(flag, frame), arguments, details);
}

/* Is this a reusable context of this engine, with room, over an exact dict, that no evaluation is reading into? */
static inline int host_is_quick_context(const FlagTable *table, PyObject *object) {
    if (!Py_IS_TYPE(object, host_context_type)) return 0;
    const ContextHead *context = (const ContextHead *)object;
    return context->is_dict && !context->busy && context->slots == table->slots && context->scratch != NULL &&
           scratch_fits(context->scratch, table);
}

/* New reference to the value (or details) that a flag has for an exact dict, None or a reusable context, when nothing stands in
 * the way; NULL otherwise: then nothing has been counted yet, and Evaluator.answer goes the whole way. */
static inline __attribute__((always_inline)) PyObject *host_walk_flag(const FlagTable *table, const Flag *flag, PyObject *context,
                                                                      PyObject *const *arguments, int details) {
    const int is_dict = PyDict_CheckExact(context) || context == Py_None;
    if (HOST_UNLIKELY(!is_dict && !host_is_quick_context(table, context))) return NULL;
    if (HOST_UNLIKELY(flag->constant != NULL)) return host_answer_made(table, flag, (uint32_t)(flag->constant - host_outcomes(flag)), arguments, details);
    if (!is_dict) return host_answer_reused(table, flag, (ContextHead *)context, arguments, details);
    PyObject *dict = context == Py_None ? host_empty : context;
    if (HOST_LIKELY(flag->is_local)) return host_answer_dict(table, flag, dict, arguments, details);
    return flag->is_local_forked ? host_answer_dict_forked(table, flag, dict, arguments, details) : NULL;
}

/* The answer of a flag that is one leaf, for an exact dict, None or any reusable context; NULL otherwise. Calls nothing. */
static inline __attribute__((always_inline)) PyObject *host_constant_answer(const Flag *flag, PyObject *context, int details) {
    Outcome *outcome = flag->constant;
    if (outcome == NULL) return NULL;
    if (HOST_UNLIKELY(!PyDict_CheckExact(context) && context != Py_None && !Py_IS_TYPE(context, host_context_type))) return NULL;
    PyObject *answer = details ? outcome->details : *flag->constant_value;
    if (HOST_UNLIKELY(answer == NULL)) return NULL;
    outcome->count++;
    return Py_NewRef(answer);
}

static inline __attribute__((always_inline)) PyObject *host_quick_flag(const FlagTable *table, const Flag *flag, PyObject *context,
                                                                       PyObject *const *arguments, int details) {
    PyObject *answer = host_constant_answer(flag, context, details);
    return answer != NULL ? answer : host_walk_flag(table, flag, context, arguments, details);
}

/* ---- getters ----------------------------------------------------------------------------------------------------- */

typedef PyObject *(*Getter)(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names);

enum { GETTERS = 8 }; /* boolean, string, integer, float; value and details of each. Objects are always made afresh. */

static Getter host_whole_getters[GETTERS]; /* the methods as Cython made them, which go the whole way */

/* A getter of two or three positional arguments that has to look further: for the flag (NULL: not found at its home), or along
 * its rules. */
static __attribute__((noinline)) PyObject *host_walking_getter(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                                               const Flag *flag, unsigned type, int details) {
    FlagTable *table = &((EvaluatorHead *)self)->current->table;
    PyObject *context = count == 3 ? arguments[2] : Py_None, *answer = NULL;
    if (HOST_UNLIKELY(flag == NULL)) {
        flag = host_find(table, arguments[0]);
        if (flag != NULL && flag->program.value_type == type) answer = host_quick_flag(table, flag, context, arguments, details);
    } else {
        answer = host_walk_flag(table, flag, context, arguments, details);
    }
    if (HOST_LIKELY(answer != NULL)) return answer;
    return host_whole_getters[2 * type + (unsigned)details](self, arguments, count, NULL);
}

/* A getter called with two or three positional arguments takes the straight path without unpacking them (measured: half the
 * time of a static flag was spent on that); every other call is the whole getter's. It calls nothing before its end, and so
 * saves no register. */
static inline __attribute__((always_inline)) PyObject *host_getter(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                                                   PyObject *names, unsigned type, int details) {
    if (HOST_UNLIKELY((count != 3 && count != 2) || names != NULL || !PyUnicode_CheckExact(arguments[0])))
        return host_whole_getters[2 * type + (unsigned)details](self, arguments, count, names);
    const FlagTable *table = &((EvaluatorHead *)self)->current->table;
    const FlagEntry *home = &table->entries[(size_t)((PyASCIIObject *)arguments[0])->hash & table->mask];
    const int is_found = home->asked == arguments[0] && home->flag->program.value_type == type;
    if (HOST_UNLIKELY(!is_found)) return host_walking_getter(self, arguments, count, NULL, type, details);
    PyObject *context = count == 3 ? arguments[2] : Py_None;
    PyObject *answer = host_constant_answer(home->flag, context, details);
    if (answer != NULL) return answer;
    if (HOST_LIKELY(!details && home->flag->is_local && PyDict_CheckExact(context)))
        return host_answer_dict(table, home->flag, context, arguments, 0); /* never NULL for values: a jump, no register saved */
    return host_walking_getter(self, arguments, count, home->flag, type, details);
}

/* Named and kept apart, so that a profile shows them. */
static PyObject *host_get_boolean_value(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    return host_getter(self, arguments, count, names, FC_VALUE_BOOLEAN, 0);
}

static PyObject *host_get_boolean_details(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    return host_getter(self, arguments, count, names, FC_VALUE_BOOLEAN, 1);
}

static PyObject *host_get_string_value(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    return host_getter(self, arguments, count, names, FC_VALUE_STRING, 0);
}

static PyObject *host_get_string_details(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    return host_getter(self, arguments, count, names, FC_VALUE_STRING, 1);
}

static PyObject *host_get_integer_value(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    return host_getter(self, arguments, count, names, FC_VALUE_INTEGER, 0);
}

static PyObject *host_get_integer_details(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    return host_getter(self, arguments, count, names, FC_VALUE_INTEGER, 1);
}

static PyObject *host_get_float_value(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    return host_getter(self, arguments, count, names, FC_VALUE_FLOAT, 0);
}

static PyObject *host_get_float_details(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    return host_getter(self, arguments, count, names, FC_VALUE_FLOAT, 1);
}

static const Getter host_getters[GETTERS] = {
    host_get_boolean_value, host_get_boolean_details, host_get_string_value, host_get_string_details,
    host_get_integer_value, host_get_integer_details, host_get_float_value,  host_get_float_details,
};

/* Put the straight path in front of a method of Evaluator, given as its descriptor. Returns 0 when it is not what we expect. */
static __attribute__((unused)) int host_install_getter(PyObject *descriptor, int index) {
    if (!Py_IS_TYPE(descriptor, &PyMethodDescr_Type)) return 0;
    PyMethodDef *method = ((PyMethodDescrObject *)descriptor)->d_method;
    if (method->ml_flags != (METH_FASTCALL | METH_KEYWORDS)) return 0;
    if (method->ml_meth == (PyCFunction)(void (*)(void))host_getters[index]) return 1;
    host_whole_getters[index] = (Getter)(void (*)(void))method->ml_meth;
    method->ml_meth = (PyCFunction)(void (*)(void))host_getters[index];
    return 1;
}

/* ---- objects that only an engine makes --------------------------------------------------------------------------- */

/* New object of a type without Python attributes and without cycles, so many bytes long, zeroed behind its head; NULL: no memory. */
static __attribute__((unused)) PyObject *host_made(PyTypeObject *type, size_t size) {
    PyObject *object = PyObject_Malloc(size);
    if (object == NULL) return PyErr_NoMemory();
    memset(object, 0, size);
    return PyObject_Init(object, type);
}

static PyObject *host_refuse(PyTypeObject *type, PyObject *arguments, PyObject *names) {
    (void)arguments;
    (void)names;
    const char *dot = strrchr(type->tp_name, '.');
    PyErr_Format(PyExc_TypeError, "only an engine makes a %s", dot == NULL ? type->tp_name : dot + 1);
    return NULL;
}

/* Refuse every way that Python has to make an object of the type: all of them end at tp_new, but for Cython's shortcut of a call.
 * The module itself does without. */
static __attribute__((unused)) void host_seal(PyTypeObject *type) {
    type->tp_new = host_refuse;
    type->tp_vectorcall = NULL;
    PyType_Modified(type);
}

/* ---- many flags, any context ------------------------------------------------------------------------------------- */

/* Evaluation of any flag with room from `scratch`; outcomes of prerequisites and `have` bits are kept in it. */
static __attribute__((unused)) uint32_t host_walk_wide(const FlagTable *table, const Flag *flag, Fetcher *fetcher, Scratch *scratch) {
    fetcher->table = table;
    fetcher->held = scratch->held;
    fetcher->held_count = scratch->held_count;
    FcResult result;
    if (host_is_known(flag, &scratch->frame)) return host_walk_known(flag, &scratch->frame);
    if (fetcher->targeting_key == NULL && PyDict_CheckExact(fetcher->mapping))
        result = fc_walk_wide_inline(&flag->program, &scratch->frame, host_fetch_dict_wide, fetcher);
    else
        result = fc_walk(&flag->program, &scratch->frame, host_fetch_any_wide, fetcher);
    scratch->held_count = fetcher->held_count;
    return result.outcome;
}

/* Outcome of the nodes from `entry` on, an exit of a probe program; the leaf says true (0), false (1) or unknown (2). */
static __attribute__((unused)) uint32_t host_walk_probe(const FlagTable *table, const Flag *probes, uint32_t entry, Fetcher *fetcher,
                                                        Scratch *scratch) {
    Flag probe = *probes;
    probe.program.entry = entry;
    probe.places = NO_PLACES;
    return host_outcome_source(&probe.program, host_walk_wide(table, &probe, fetcher, scratch)).leaf;
}

/* Outcome of a linked flag for one context, counted. */
static inline Outcome *host_walk_one(const FlagTable *table, const Flag *flag, Fetcher *fetcher, Scratch *scratch) {
    Outcome *outcome = flag->constant;
    if (outcome == NULL) outcome = &host_outcomes(flag)[host_walk_wide(table, flag, fetcher, scratch)];
    outcome->count++;
    return outcome;
}

/* Outcomes of all flags of a revision for one context, all linked. */
static __attribute__((unused)) void host_walk_all(const FlagTable *table, Fetcher *fetcher, Scratch *scratch, Outcome **outcomes) {
    for (uint32_t first = 0; first < table->count; first += PAGE_FLAGS) {
        const FlagPage *page = table->pages[first / PAGE_FLAGS];
        for (uint32_t i = 0; i < page->count; i++) outcomes[first + i] = host_walk_one(table, page->records[i].flag, fetcher, scratch);
    }
}

/* The same object, a reference more; NULL stays NULL. */
static inline PyObject *host_same(PyObject *object) {
    return Py_XNewRef(object);
}

/* A new reference as Cython takes one. */
static inline PyObject *host_given(PyObject *reference) {
    return reference;
}

#endif
