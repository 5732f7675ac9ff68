/* Rows of a batch as elements of a column, and whether the column's texts of that batch are sound. SAFETY: as in fields.h. */
#ifndef FLAGCORE_COLUMNS_SPOTS_H
#define FLAGCORE_COLUMNS_SPOTS_H

#include "fields.h"
#include "walk.h"

typedef struct { /* rows of a batch, as elements and bits of a field. Loops take it by value: what they write may not be in it */
    const FcField *field;
    const uint16_t *rows; /* count of them; NULL: the first `count` rows of the batch, in order */
    const uint8_t *data;  /* the field's, as bytes and validity are */
    const uint8_t *bytes;
    const uint8_t *validity;
    uint32_t count;
    int64_t at;  /* element of the batch's row 0 */
    int64_t bit; /* likewise in validity */
} FcSpot;

enum { FC_NULLS = 1, FC_DENSE = 2 }; /* what a loop is made for, beside test and column */

FC_INLINE int fc_shape(FcSpot spot) {
    return (spot.validity ? FC_NULLS : 0) | (spot.rows ? 0 : FC_DENSE);
}

FC_INLINE uint32_t fc_row(FcSpot spot, uint32_t i, int shape) {
    return shape & FC_DENSE ? i : spot.rows[i];
}

FC_INLINE int fc_has_row(FcSpot spot, uint32_t row, int shape) {
    return !(shape & FC_NULLS) || fc_bit(spot.validity, spot.bit + row);
}

/* ---- is a batch of texts UTF-8? ---------------------------------------------------------------------------------------------- */

static int fc_are_ascii(const uint8_t *p, uint64_t length) {
    uint64_t seen = 0, i = 0;
    for (; length - i >= 8; i += 8) seen |= fc_read64(p + i);
    for (; i < length; i++) seen |= p[i];
    return !(seen & UINT64_C(0x8080808080808080));
}

/* Every text of the batch by itself: joined they may be UTF-8 though they were cut within a character. */
FC_OUTLINE int fc_are_utf8(const FcField *field, int64_t at, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const FcSpan span = fc_text_span(field, at + i);
        if (span.length > UINT32_MAX || !fc_is_utf8(span.bytes, (uint32_t)span.length)) return 0;
    }
    return 1;
}

static int fc_is_sound_batch(const FcField *field, int64_t at, uint32_t count) {
    const uint64_t start = fc_unsigned_at(field->data, at, field->width), end = fc_unsigned_at(field->data, at + count, field->width);
    if (end - start <= UINT32_MAX && fc_are_ascii(field->bytes + start, end - start)) return 1;
    return fc_are_utf8(field, at, count);
}

#endif
