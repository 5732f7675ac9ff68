/* Reading a field: one row of a column as an FcValue. SAFETY: the host has proved what columns.h demands of a field; views and
 * indices of dictionaries are checked here.
 */
#ifndef FLAGCORE_FIELDS_H
#define FLAGCORE_FIELDS_H

#include "bucket.h"
#include "columns.h"

/* ---- elements of buffers at any address --------------------------------------------------------------------------- */

FC_INLINE int fc_bit(const uint8_t *bits, int64_t at) {
    return bits[at >> 3] >> (at & 7) & 1;
}

FC_INLINE uint64_t fc_unsigned_at(const void *data, int64_t at, uint32_t width) {
    const uint8_t *const p = (const uint8_t *)data + at * (int64_t)width;
    uint16_t two;
    switch (width) {
    case 1:
        return *p;
    case 2:
        __builtin_memcpy(&two, p, 2);
        return two;
    case 4:
        return fc_read32(p);
    default:
        return fc_read64(p);
    }
}

FC_INLINE int64_t fc_signed_at(const void *data, int64_t at, uint32_t width) {
    const uint64_t bits = fc_unsigned_at(data, at, width);
    switch (width) {
    case 1:
        return (int8_t)bits;
    case 2:
        return (int16_t)bits;
    case 4:
        return (int32_t)bits;
    default:
        return (int64_t)bits;
    }
}

FC_INLINE double fc_half(uint64_t bits) {
    const uint64_t sign = (bits & 0x8000) << 48, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) return fc_as_double(sign | UINT64_C(0x7FF) << 52 | fraction << 42);
    if (exponent) return fc_as_double(sign | (exponent + 1008) << 52 | fraction << 42);
    return (bits & 0x8000 ? -1.0 : 1.0) * (double)fraction / 16777216.0;
}

FC_INLINE double fc_float_at(const void *data, int64_t at, uint32_t width) {
    const uint64_t bits = fc_unsigned_at(data, at, width);
    if (width == 8) return fc_as_double(bits);
    if (width == 2) return fc_half(bits);
    const uint32_t low = (uint32_t)bits;
    float number;
    __builtin_memcpy(&number, &low, 4);
    return (double)number;
}

FC_INLINE int fc_is_null(const FcField *field, int64_t row) {
    return field->validity && !fc_bit(field->validity, field->validity_offset + row);
}

/* ---- UTF-8 --------------------------------------------------------------------------------------------------------- */

/* How many bytes the character at p takes; 0: it is none. Neither surrogates nor longer forms than needed are characters. */
FC_INLINE uint32_t fc_utf8_step(const uint8_t *p, uint32_t left) {
    static const uint32_t lowest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t lead = *p;
    const uint32_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (size <= 1 || size > left) return size == 1;
    uint32_t code = lead & (0x7Fu >> size);
    for (uint32_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    return code < lowest[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : size;
}

FC_OUTLINE int fc_is_utf8_beyond(const uint8_t *p, uint32_t length) {
    for (uint32_t i = 0; i < length;) {
        const uint32_t size = fc_utf8_step(p + i, length - i);
        if (!size) return 0;
        i += size;
    }
    return 1;
}

FC_INLINE int fc_is_utf8(const uint8_t *p, uint32_t length) {
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t seen = 0;
    uint32_t i = 0;
    for (; length - i >= 8; i += 8) seen |= fc_read64(p + i);
    for (; i < length; i++) seen |= p[i];
    return FC_LIKELY(!(seen & high)) || fc_is_utf8_beyond(p, length);
}

/* ---- texts --------------------------------------------------------------------------------------------------------- */

typedef struct { /* bytes of one row; NULL: the view names none */
    const uint8_t *bytes;
    uint64_t length;
} FcSpan;

FC_INLINE FcSpan fc_text_span(const FcField *field, int64_t at) {
    const uint64_t start = fc_unsigned_at(field->data, at, field->width), end = fc_unsigned_at(field->data, at + 1, field->width);
    return (FcSpan){field->bytes + start, end - start};
}

FC_INLINE FcSpan fc_view_span(const FcField *field, int64_t at) {
    const uint8_t *const view = (const uint8_t *)field->data + at * 16;
    const uint32_t length = fc_read32(view), buffer = fc_read32(view + 8), start = fc_read32(view + 12);
    if (length <= 12) return (FcSpan){view + 4, length};
    if (length > INT32_MAX || buffer >= field->buffer_count || start > INT32_MAX) return (FcSpan){NULL, 0};
    if ((int64_t)start + (int64_t)length > field->sizes[buffer]) return (FcSpan){NULL, 0};
    return (FcSpan){(const uint8_t *)field->buffers[buffer] + start, length};
}

FC_INLINE void fc_read_span(FcSpan span, uint8_t flags, FcValue *out) {
    if (span.bytes == NULL || span.length > UINT32_MAX) return;
    const uint32_t length = (uint32_t)span.length;
    if (!(flags & FC_FIELD_BINARY) && !fc_is_utf8(span.bytes, length)) return;
    out->u.bytes = span.bytes;
    out->length = length;
    out->type = flags & FC_FIELD_BINARY ? FC_SUBJECT : FC_TEXT;
}

/* ---- values that stand in no buffer -------------------------------------------------------------------------------- */

FC_INLINE void fc_read_subject(FcValue *out, const uint8_t *bytes, uint32_t length) {
    out->u.bytes = bytes;
    out->length = length;
    out->type = FC_SUBJECT;
}

FC_INLINE void fc_read_unsigned(uint64_t number, FcValue *out, uint8_t *text) {
    out->u.integer = (int64_t)number;
    out->type = FC_INTEGER;
    if (FC_LIKELY(number <= INT64_MAX)) return;
    uint8_t *at = text + FC_ROOM_BYTES;
    for (; number; number /= 10) *--at = (uint8_t)('0' + number % 10);
    fc_read_subject(out, at, (uint32_t)(text + FC_ROOM_BYTES - at));
}

FC_INLINE void fc_read_uuid(const uint8_t *bytes, FcValue *out, uint8_t *text) {
    uint8_t *at = text;
    for (uint32_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
        *at++ = (uint8_t)"0123456789abcdef"[bytes[i] >> 4];
        *at++ = (uint8_t)"0123456789abcdef"[bytes[i] & 15];
    }
    fc_read_subject(out, text, 36);
}

/* Microseconds, downwards; what does not fit is a value of no kind. */
FC_INLINE void fc_read_time(int64_t number, int64_t factor, FcValue *out) {
    int64_t micros;
    if (factor < 0) {
        micros = number / -factor - (number % -factor < 0);
    } else if (__builtin_mul_overflow(number, factor, &micros)) {
        return;
    }
    out->u.integer = micros;
    out->type = FC_TIME;
}

/* ---- a row ---------------------------------------------------------------------------------------------------------- */

FC_INLINE void fc_read_present(const FcField *field, int64_t at, FcValue *out, uint8_t *text) {
    switch (field->kind) {
    case FC_FIELD_NULL:
        out->type = FC_NULL;
        return;
    case FC_FIELD_VALUE:
        *out = *(const FcValue *)field->data;
        return;
    case FC_FIELD_VALUES:
        *out = ((const FcValue *)field->data)[at];
        return;
    case FC_FIELD_BITS:
        out->u.integer = fc_bit(field->data, at);
        out->type = FC_BOOLEAN;
        return;
    case FC_FIELD_BOOLEANS:
        out->u.integer = ((const uint8_t *)field->data)[at] != 0;
        out->type = FC_BOOLEAN;
        return;
    case FC_FIELD_SIGNED:
        out->u.integer = fc_signed_at(field->data, at, field->width);
        out->type = FC_INTEGER;
        return;
    case FC_FIELD_UNSIGNED:
        fc_read_unsigned(fc_unsigned_at(field->data, at, field->width), out, text);
        return;
    case FC_FIELD_FLOAT:
        out->u.number = fc_float_at(field->data, at, field->width);
        out->type = FC_FLOAT;
        return;
    case FC_FIELD_TIME:
        fc_read_time(fc_signed_at(field->data, at, 8), field->factor, out);
        return;
    case FC_FIELD_TEXT:
        fc_read_span(fc_text_span(field, at), field->flags, out);
        return;
    case FC_FIELD_VIEW:
        fc_read_span(fc_view_span(field, at), field->flags, out);
        return;
    case FC_FIELD_FIXED:
        fc_read_subject(out, (const uint8_t *)field->data + at * field->factor, (uint32_t)field->factor);
        return;
    case FC_FIELD_UUID:
        fc_read_uuid((const uint8_t *)field->data + at * 16, out, text);
        return;
    default: /* FC_FIELD_OTHER, and lists inside lists */
        return;
    }
}

typedef struct { /* where a value really stands: NULL: it is null */
    const FcField *field;
    int64_t row;
} FcCell;

/* The row itself, or the distinct value that it names. */
FC_INLINE FcCell fc_resolve(const FcField *field, int64_t row) {
    if (fc_is_null(field, row)) return (FcCell){NULL, 0};
    if (field->kind != FC_FIELD_DICTIONARY) return (FcCell){field, row};
    const int64_t at = field->offset + row;
    const uint64_t index =
        field->flags & FC_FIELD_SIGN ? (uint64_t)fc_signed_at(field->data, at, field->width) : fc_unsigned_at(field->data, at, field->width);
    if (index >= (uint64_t)field->child->length || fc_is_null(field->child, (int64_t)index)) return (FcCell){NULL, 0};
    return (FcCell){field->child, (int64_t)index};
}

FC_INLINE void fc_read_scalar(FcCell cell, FcValue *out, uint8_t *text) {
    out->done = 0;
    out->type = cell.field ? FC_OTHER : FC_NULL;
    if (cell.field) fc_read_present(cell.field, cell.field->offset + cell.row, out, text);
}

typedef struct {
    int64_t start, length;
} FcRange;

FC_INLINE FcRange fc_list_range(const FcField *field, int64_t at) {
    if (field->kind == FC_FIELD_LIST_FIXED) return (FcRange){at * field->factor, field->factor};
    const int64_t start = fc_signed_at(field->data, at, field->width);
    if (field->kind == FC_FIELD_LIST_VIEW) return (FcRange){start, fc_signed_at(field->bytes, at, field->width)};
    return (FcRange){start, fc_signed_at(field->data, at + 1, field->width) - start};
}

/* Elements of other kinds than text, number and boolean equal nothing: no room is kept for theirs. */
FC_OUTLINE void fc_read_list(FcCell cell, FcValue *out, FcValue *items) {
    const FcRange range = fc_list_range(cell.field, cell.field->offset + cell.row);
    uint8_t text[FC_ROOM_BYTES];
    for (int64_t i = 0; i < range.length; i++) {
        FcValue *const item = &items[i];
        fc_read_scalar(fc_resolve(cell.field->child, range.start + i), item, text);
        if (item->type >= FC_TIME) item->type = FC_OTHER;
    }
    out->u.items = items;
    out->length = (uint32_t)range.length;
    out->type = FC_LIST;
    out->done = 0;
}

FC_INLINE int fc_is_list(const FcField *field) {
    return field->kind >= FC_FIELD_LIST;
}

FC_INLINE void fc_read_cell(const FcField *field, int64_t row, FcValue *out, FcValue *items, uint8_t *text) {
    const FcCell cell = fc_resolve(field, row);
    if (cell.field && FC_UNLIKELY(fc_is_list(cell.field)))
        fc_read_list(cell, out, items);
    else
        fc_read_scalar(cell, out, text);
}

#endif
