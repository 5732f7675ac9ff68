/* The Arrow C data interface (arrow.apache.org/docs/format/CDataInterface.html): its structs, and columns as kernel fields.
 *
 * What a producer hands over is checked before it is believed: counts, lengths and offsets may be anything. What the
 * interface does not tell, the sizes of most buffers, has to be taken on trust.
 */
#ifndef FLAGCORE_ARROW_H
#define FLAGCORE_ARROW_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../kernel/columns.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

#define ARROW_MOST_ROWS INT64_C(0x007FFFFFFFFFFFFF) /* lengths and offsets up to here cannot overflow as bytes */

enum { ARROW_CHAIN = 4 }; /* a dictionary of lists of dictionaries: fields that one column needs at most */

/* Every function below that returns a text returns NULL for "sound", else what is wrong. */

static const char *arrow_check_array(const struct ArrowArray *array, int64_t buffers) {
    if (array->length < 0 || array->offset < 0) return "its length or offset is negative";
    if (array->length > ARROW_MOST_ROWS || array->offset > ARROW_MOST_ROWS) return "its length or offset is too large";
    if (array->n_buffers < buffers || (array->n_buffers > 0 && array->buffers == NULL)) return "it lacks buffers";
    return NULL;
}

static const void *arrow_buffer(const struct ArrowArray *array, int64_t index) {
    static const uint64_t nothing[2];
    return array->buffers[index] ? array->buffers[index] : (const void *)nothing;
}

/* Rows start .. start + rows of an array, as data and validity of a field. */
static const char *arrow_place(const struct ArrowArray *array, int64_t start, int64_t rows, int64_t buffers, FcField *out) {
    const char *const wrong = arrow_check_array(array, buffers);
    if (wrong) return wrong;
    if (start < 0 || rows < 0 || start > array->length || rows > array->length - start) return "it is shorter than the table";
    const int has_nulls = array->null_count != 0 && buffers > 0;
    if (has_nulls && array->null_count > 0 && array->buffers[0] == NULL) return "it has nulls, but no bitmap of them";
    out->offset = out->validity_offset = array->offset + start;
    out->length = rows;
    out->validity = has_nulls ? array->buffers[0] : NULL;
    return NULL;
}

/* ---- buffers ---------------------------------------------------------------------------------------------------------- */

static const char *arrow_numbers(const struct ArrowArray *array, uint8_t kind, uint8_t width, FcField *out) {
    if (out->length > 0 && array->buffers[1] == NULL) return "it has no values";
    out->data = arrow_buffer(array, 1);
    out->kind = kind;
    out->width = width;
    return NULL;
}

/* The sign bits of all offsets and of the steps between them. Offsets may stand at any address. */
static uint64_t arrow_falls(const uint8_t *offsets, int64_t first, int64_t rows, int wide) {
    uint64_t signs = 0;
    if (wide) {
        uint64_t before, next;
        memcpy(&before, offsets + first * 8, 8);
        signs = before;
        for (int64_t i = first + 1; i <= first + rows; i++, before = next) {
            memcpy(&next, offsets + i * 8, 8);
            signs |= next | (next - before);
        }
        return signs >> 63;
    }
    uint32_t some = 0, before, next;
    memcpy(&before, offsets + first * 4, 4);
    some = before;
    for (int64_t i = first + 1; i <= first + rows; i++) {
        memcpy(&before, offsets + i * 4 - 4, 4);
        memcpy(&next, offsets + i * 4, 4);
        some |= next | (next - before);
    }
    return some >> 31;
}

static const char *arrow_offsets(const struct ArrowArray *array, uint8_t kind, uint8_t width, FcField *out) {
    const char *const wrong = arrow_numbers(array, kind, width, out);
    if (wrong) return wrong;
    if (out->length == 0) return NULL; /* offsets may be absent then */
    return arrow_falls(out->data, out->offset, out->length, width == 8) ? "its offsets fall" : NULL;
}

static const char *arrow_text(const struct ArrowArray *array, uint8_t width, int binary, FcField *out) {
    out->flags = binary ? FC_FIELD_BINARY : 0;
    out->bytes = arrow_buffer(array, 2);
    return arrow_offsets(array, FC_FIELD_TEXT, width, out);
}

static const char *arrow_views(const struct ArrowArray *array, int binary, FcField *out) {
    const int64_t count = array->n_buffers - 3;
    if (count > INT32_MAX) return "it has too many buffers";
    if (count > 0 && array->buffers[array->n_buffers - 1] == NULL) return "the sizes of its buffers are missing";
    out->flags = binary ? FC_FIELD_BINARY : 0;
    out->buffers = array->buffers + 2;
    out->sizes = arrow_buffer(array, array->n_buffers - 1);
    out->buffer_count = (uint32_t)count;
    for (int64_t i = 0; i < count; i++)
        if (out->buffers[i] == NULL && out->sizes[i] > 0) return "a buffer is missing";
    return arrow_numbers(array, FC_FIELD_VIEW, 16, out);
}

static const char *arrow_fixed(const struct ArrowArray *array, const char *format, int is_uuid, FcField *out) {
    char *end;
    const long long size = strtoll(format + 2, &end, 10);
    if (end == format + 2 || *end || size < 0 || size > INT32_MAX) return "its format is not understood";
    if (out->length > 0 && (out->offset + out->length) > ARROW_MOST_ROWS / (size + 1)) return "its length or offset is too large";
    out->factor = size;
    return arrow_numbers(array, is_uuid && size == 16 ? FC_FIELD_UUID : FC_FIELD_FIXED, 1, out);
}

/* "tss:Europe/Berlin": seconds; with a zone they are moments, without one nobody knows which. */
static const char *arrow_timestamps(const struct ArrowArray *array, const char *format, FcField *out) {
    static const char units[] = "smun";
    static const int64_t factors[] = {1000000, 1000, 1, -1000};
    const char *const unit = strchr(units, format[2]);
    if (format[2] == 0 || unit == NULL || format[3] != ':') return "its format is not understood";
    out->factor = factors[unit - units];
    if (format[4] == 0) {
        out->kind = FC_FIELD_OTHER;
        return NULL;
    }
    return arrow_numbers(array, FC_FIELD_TIME, 8, out);
}

/* ---- schema --------------------------------------------------------------------------------------------------------------- */

static int arrow_is(const char *text, const char *other, size_t length) {
    return strlen(other) == length && memcmp(text, other, length) == 0;
}

/* Is the column of this extension type? Metadata: i32 pairs, then i32 length and bytes of each key and value. */
static int arrow_extends(const struct ArrowSchema *schema, const char *name) {
    const char *at = schema->metadata;
    int32_t pairs, lengths[2];
    if (at == NULL) return 0;
    memcpy(&pairs, at, 4);
    at += 4;
    for (int32_t i = 0; i < pairs; i++) {
        const char *texts[2];
        for (int part = 0; part < 2; part++) {
            memcpy(&lengths[part], at, 4);
            if (lengths[part] < 0) return 0;
            texts[part] = at + 4;
            at += 4 + lengths[part];
        }
        if (arrow_is(texts[0], "ARROW:extension:name", (size_t)lengths[0])) return arrow_is(texts[1], name, (size_t)lengths[1]);
    }
    return 0;
}

static const char *arrow_field(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t start, int64_t rows,
                               FcField *chain, int room);

/* ---- lists and dictionaries ---------------------------------------------------------------------------------------------- */

/* Every list inside the elements, and the longest. */
static const char *arrow_lists(FcField *out, int64_t elements) {
    const int wide = out->width == 8;
    int64_t longest = out->kind == FC_FIELD_LIST_FIXED && out->length ? out->factor : 0;
    for (int64_t i = out->offset; out->kind != FC_FIELD_LIST_FIXED && i < out->offset + out->length; i++) {
        int64_t start, length;
        if (wide) {
            memcpy(&start, (const uint8_t *)out->data + i * 8, 8);
            memcpy(&length, out->kind == FC_FIELD_LIST ? (const uint8_t *)out->data + i * 8 + 8 : out->bytes + i * 8, 8);
        } else {
            int32_t narrow;
            memcpy(&narrow, (const uint8_t *)out->data + i * 4, 4);
            start = narrow;
            memcpy(&narrow, out->kind == FC_FIELD_LIST ? (const uint8_t *)out->data + i * 4 + 4 : out->bytes + i * 4, 4);
            length = narrow;
        }
        if (start < 0 || length < 0) return "its offsets are negative";
        if (out->kind == FC_FIELD_LIST) length -= start;
        if (length < 0) return "its offsets fall";
        if (start > elements || length > elements - start) return "a list reaches beyond its elements";
        if (length > longest) longest = length;
    }
    if (longest > INT32_MAX) return "a list is too long";
    out->longest = (uint32_t)longest;
    return NULL;
}

static const char *arrow_child(const struct ArrowSchema *schema, const struct ArrowArray *array) {
    if (schema->n_children != 1 || array->n_children != 1) return "a list has one child";
    return schema->children && schema->children[0] && array->children && array->children[0] ? NULL : "its child is missing";
}

static const char *arrow_list(const struct ArrowSchema *schema, const struct ArrowArray *array, FcField *chain, int room) {
    const char *const format = schema->format;
    const char *wrong = arrow_child(schema, array);
    if (wrong) return wrong;
    const int64_t elements = array->children[0]->length;
    if (format[1] == 'w') {
        char *end;
        chain->factor = strtoll(format + 3, &end, 10);
        if (format[2] != ':' || end == format + 3 || *end || chain->factor < 0 || chain->factor > INT32_MAX)
            return "its format is not understood";
        chain->kind = FC_FIELD_LIST_FIXED;
        if (chain->length && (chain->offset + chain->length) > elements / (chain->factor ? chain->factor : 1) && chain->factor)
            return "a list reaches beyond its elements";
    } else {
        const int view = format[1] == 'v';
        if (view && array->n_buffers < 3) return "it lacks buffers";
        const uint8_t width = format[view ? 2 : 1] == 'L' ? 8 : 4;
        wrong = arrow_numbers(array, view ? FC_FIELD_LIST_VIEW : FC_FIELD_LIST, width, chain);
        if (view) chain->bytes = arrow_buffer(array, 2);
        if (view && chain->length && array->buffers[2] == NULL) return "it has no sizes";
    }
    if (!wrong) wrong = arrow_lists(chain, elements);
    if (wrong) return wrong;
    chain->child = chain + 1;
    if (schema->children[0]->format && schema->children[0]->format[0] == '+') { /* such an element equals nothing */
        chain[1] = (FcField){.kind = FC_FIELD_OTHER, .length = elements};
        return NULL;
    }
    return arrow_field(schema->children[0], array->children[0], 0, elements, chain + 1, room - 1);
}

/* Width in bytes of an integer format, 0 for others; capitals are unsigned. */
static uint8_t arrow_integer_width(const char *format) {
    static const char narrow_to_wide[] = "csil";
    const char letter = (char)(format[0] | 32);
    const char *const found = letter ? strchr(narrow_to_wide, letter) : NULL;
    return found && format[0] && !format[1] ? (uint8_t)(1 << (found - narrow_to_wide)) : 0;
}

static const char *arrow_dictionary(const struct ArrowSchema *schema, const struct ArrowArray *array, FcField *chain, int room) {
    const uint8_t width = arrow_integer_width(schema->format);
    if (width == 0) return "the indices of its dictionary are no integers";
    if (array->dictionary == NULL) return "its dictionary is missing";
    if (schema->dictionary->dictionary) return "its dictionary has a dictionary itself";
    const char *wrong = arrow_numbers(array, FC_FIELD_DICTIONARY, width, chain);
    chain->flags = schema->format[0] & 32 ? FC_FIELD_SIGN : 0;
    chain->child = chain + 1;
    if (!wrong) wrong = arrow_check_array(array->dictionary, 0);
    if (!wrong) wrong = arrow_field(schema->dictionary, array->dictionary, 0, array->dictionary->length, chain + 1, room - 1);
    chain->longest = chain[1].longest;
    return wrong;
}

/* ---- any column ------------------------------------------------------------------------------------------------------------ */

static const char *arrow_plain(const struct ArrowSchema *schema, const struct ArrowArray *array, FcField *out) {
    const char *const format = schema->format;
    const uint8_t width = arrow_integer_width(format);
    if (width == 1 && arrow_extends(schema, "arrow.bool8")) return arrow_numbers(array, FC_FIELD_BOOLEANS, 1, out);
    if (width) return arrow_numbers(array, format[0] & 32 ? FC_FIELD_SIGNED : FC_FIELD_UNSIGNED, width, out);
    switch (format[0]) {
    case 'b':
        return arrow_numbers(array, FC_FIELD_BITS, 1, out);
    case 'e':
        return arrow_numbers(array, FC_FIELD_FLOAT, 2, out);
    case 'f':
        return arrow_numbers(array, FC_FIELD_FLOAT, 4, out);
    case 'g':
        return arrow_numbers(array, FC_FIELD_FLOAT, 8, out);
    case 'u':
    case 'z':
        return arrow_text(array, 4, format[0] == 'z', out);
    case 'U':
    case 'Z':
        return arrow_text(array, 8, format[0] == 'Z', out);
    case 'v':
        return arrow_views(array, format[1] == 'z', out);
    case 'w':
        return arrow_fixed(array, format, arrow_extends(schema, "arrow.uuid"), out);
    default: /* decimals, dates, durations, structs: present, and nothing that a test knows */
        out->kind = FC_FIELD_OTHER;
        return NULL;
    }
}

/* How many buffers a format needs at least; -1: it is not read here. */
static int64_t arrow_buffers_of(const char *format) {
    switch (format[0]) {
    case 'n':
        return 0;
    case 'u':
    case 'U':
    case 'z':
    case 'Z':
    case 'v':
        return 3;
    case '+':
        if (format[1] == 0 || strchr("lLvmws", format[1]) == NULL) return -1;
        return format[1] == 'w' || format[1] == 's' ? 1 : 2;
    case 'w':
        return format[1] == ':' ? 2 : -1;
    default:
        return format[0] && strchr("bcCsSiIlLefgdt", format[0]) ? 2 : -1;
    }
}

/* Rows start .. start + rows of a column, in chain[0]; what it needs beside stands behind, `room` fields in all. */
static const char *arrow_field(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t start, int64_t rows,
                               FcField *chain, int room) {
    if (schema->format == NULL) return "it has no format";
    if (room == 0) return "it is nested too deeply";
    const char *const format = schema->format;
    const int64_t buffers = arrow_buffers_of(format);
    if (buffers < 0) return format[0] == '+' ? "unions and run-end encoded columns are not read: cast it" : "its format is not understood";
    memset(chain, 0, sizeof *chain);
    const char *const wrong = arrow_place(array, start, rows, buffers, chain);
    if (wrong) return wrong;
    if (format[0] == 'n') return NULL;
    if (schema->dictionary) return arrow_dictionary(schema, array, chain, room);
    if (format[0] == '+' && format[1] != 's') return room < 2 ? "it is nested too deeply" : arrow_list(schema, array, chain, room);
    if (format[0] == 't' && format[1] == 's') return arrow_timestamps(array, format, chain);
    return arrow_plain(schema, array, chain);
}

/* ---- structs --------------------------------------------------------------------------------------------------------------- */

typedef struct { /* a child of a struct, and where its row 0 stands in it */
    const struct ArrowSchema *schema;
    const struct ArrowArray *array;
    int64_t start;
} ArrowPart;

/* Number of children of a sound struct, -1 otherwise. */
static int64_t arrow_struct_size(const struct ArrowSchema *schema, const struct ArrowArray *array) {
    if (schema->format == NULL || strcmp(schema->format, "+s") != 0 || schema->n_children != array->n_children) return -1;
    if (schema->n_children < 0 || (schema->n_children && (!schema->children || !array->children))) return -1;
    for (int64_t i = 0; i < schema->n_children; i++)
        if (!schema->children[i] || !array->children[i] || !schema->children[i]->name) return -1;
    return arrow_check_array(array, 1) ? -1 : schema->n_children;
}

/* The child of this name, the last one where several have it; rows are those of the struct from start on. 0: there is none. */
static int arrow_step_into(ArrowPart *part, const char *name) {
    const int64_t count = arrow_struct_size(part->schema, part->array);
    for (int64_t i = count - 1; i >= 0; i--) {
        if (strcmp(part->schema->children[i]->name, name) != 0) continue;
        *part = (ArrowPart){part->schema->children[i], part->array->children[i], part->array->offset + part->start};
        return 1;
    }
    return 0;
}

/* Clear the bits of rows that are null in a bitmap with bits from `offset` on. */
static void arrow_mask(uint8_t *bits, const uint8_t *validity, int64_t offset, int64_t rows) {
    for (int64_t i = 0; i < rows; i++)
        if (!(validity[(offset + i) >> 3] >> ((offset + i) & 7) & 1)) bits[i >> 3] &= (uint8_t)~(1u << (i & 7));
}

#endif
