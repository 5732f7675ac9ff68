/* Tables: one program over many rows that stand in columns (docs/design/kernel.md section 4).
 *
 * A field is one attribute of every row: a description of buffers as Arrow lays them out, or values that the host made. The
 * host fills fields (from ArrowArray and ArrowSchema, from arrays of numbers, from objects) and proves what each comment
 * below demands; then any number of threads may run rows, each with a runner in memory of its own. Nothing is allocated,
 * nothing in a field is written.
 *
 * Two ways lead to the same outcomes. By node: a batch of rows stands in lists, one a node; nodes are taken in the order of
 * their indices, and since exits point forward each node sees all its rows at once, in a loop made for its test and its
 * column. By row: the walk of walk.h with a fetch from the columns; for programs with prerequisites or nodes that have several
 * branches (then what dictionaries and integers are to the program's views is known before each walk), and for very large ones.
 */
#ifndef FLAGCORE_COLUMNS_H
#define FLAGCORE_COLUMNS_H

#include "kernel.h"

#define FC_BATCH      1024u /* rows that fc_run_rows takes at most */
#define FC_ROOM_BYTES 40u   /* of a text that stands in no buffer */

enum { /* FcField.kind: how a row reads */
    FC_FIELD_NULL = 0,       /* null in every row, as where a column is missing */
    FC_FIELD_VALUE = 1,      /* data: one FcValue, of all rows */
    FC_FIELD_VALUES = 2,     /* data: FcValue[]; done is 0 in each */
    FC_FIELD_BITS = 3,       /* booleans, a bit each, least significant first */
    FC_FIELD_BOOLEANS = 4,   /* booleans, a byte each */
    FC_FIELD_SIGNED = 5,     /* integers of `width` bytes */
    FC_FIELD_UNSIGNED = 6,   /* beyond int64: a subject, the decimal text */
    FC_FIELD_FLOAT = 7,      /* of `width` 2, 4 or 8 bytes */
    FC_FIELD_TIME = 8,       /* int64, see factor */
    FC_FIELD_TEXT = 9,       /* data: offsets of `width` 4 or 8 bytes into bytes */
    FC_FIELD_VIEW = 10,      /* data: views of 16 bytes: i32 length, then 12 bytes, or 4 bytes, i32 buffer, i32 offset */
    FC_FIELD_FIXED = 11,     /* `factor` bytes each: a subject */
    FC_FIELD_UUID = 12,      /* 16 bytes each: a subject, the canonical text */
    FC_FIELD_OTHER = 13,     /* present, but of no kind that a test knows: dates, durations, decimals, structs, naive times */
    FC_FIELD_DICTIONARY = 14, /* data: indices of `width` bytes into child; those outside it mean null */
    FC_FIELD_LIST = 15,      /* data: offsets of `width` 4 or 8 bytes into child */
    FC_FIELD_LIST_FIXED = 16, /* `factor` elements each */
    FC_FIELD_LIST_VIEW = 17  /* data: offsets, bytes: sizes, both of `width` 4 or 8 bytes */
};

enum { /* FcField.flags */
    FC_FIELD_BINARY = 1, /* TEXT, VIEW: bytes, a subject, not a text */
    FC_FIELD_SIGN = 2    /* DICTIONARY: indices are signed */
};

/* The host proves: data covers offset + length elements (offsets one more), validity as many bits from validity_offset; offsets
 * never fall, and those of a TEXT stay inside `bytes`; lists stay inside child. Views and indices are looked at row by row.
 * Buffers may stand at any address. Texts may be anything: one that is not UTF-8 reads as a value of no kind. */
typedef struct FcField {
    const void *data;
    const uint8_t *bytes;
    const uint8_t *validity;     /* a bit a row, set: not null; NULL: no row is null */
    const struct FcField *child; /* DICTIONARY: distinct values, LIST: elements; never a dictionary inside a dictionary */
    const void *const *buffers;  /* VIEW: buffer_count of them */
    const int64_t *sizes;        /* VIEW: their sizes in bytes */
    int64_t offset;              /* element of row 0 in data */
    int64_t validity_offset;     /* bit of row 0 in validity */
    int64_t length;              /* rows */
    int64_t factor;              /* TIME: microseconds in a unit, or negative: units in a microsecond; FIXED, LIST_FIXED: see there */
    uint32_t buffer_count;
    uint32_t longest;            /* of a LIST, or a DICTIONARY of lists: the most elements of a row */
    uint8_t kind;                /* FC_FIELD_* */
    uint8_t width;
    uint8_t flags;
    uint8_t pad[5];
} FcField;

typedef struct { /* what a table asks; read by all runners, kept alive and unchanged by the host */
    const FcProgram *program;
    const FcField *fields; /* by place: program slot; with prerequisites evaluation slot. `now` is a VALUE */
    const uint32_t *outcome_slots; /* with prerequisites: those of all programs that may be asked */
    uint32_t outcome_slot_count;
    uint32_t outcome_room; /* above the largest of them */
    uint32_t field_count;  /* places; those that no program looks at may be zero */
    uint32_t memo_words;   /* the most that any of the programs needs */
    int64_t rows;          /* fields have so many; a guess at the work, for what is prepared once */
} FcColumns;

typedef struct FcRunner FcRunner; /* one thread's room: lives in the caller's memory of fc_runner_size bytes, 8-aligned */

FC_PUBLIC size_t fc_runner_size(const FcColumns *columns);
/* A runner in `memory`; it holds addresses and cannot be moved. NULL: memory is too small or not aligned. */
FC_PUBLIC FcRunner *fc_runner_start(const FcColumns *columns, void *memory, size_t size);
/* Outcomes (FcResult.outcome) of rows first .. first + count - 1, count <= FC_BATCH. */
FC_PUBLIC void fc_run_rows(FcRunner *runner, int64_t first, uint32_t count, uint32_t *outcomes);
/* The value of one row; items: room for field->longest elements, text: FC_ROOM_BYTES; both are named by *out. */
FC_PUBLIC void fc_read_row(const FcField *field, int64_t row, FcValue *out, FcValue *items, uint8_t *text);

#endif
