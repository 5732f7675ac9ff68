#include "snapshot.h"

#include "sha256.h"
#include "utf8.h"

#define MAGIC UINT64_C(0x45524F4347414C46) /* "FLAGCORE" */

enum { HEAD = 56, FORMAT = 2, FEWEST = 3, KNOWN = 5 };

/* ---- msgpack ------------------------------------------------------------------------------------------------------------ */

enum { INVALID, NUMBER, TEXT, BINARY, ARRAY, MAP, OPAQUE }; /* OPAQUE: passed over, never looked at */

typedef struct { /* how an item's first byte is to be read */
    uint8_t kind;
    uint8_t width;   /* bytes of the number, length or count behind it */
    uint8_t payload; /* bytes behind that, beside those that a length tells */
} Form;

/* clang-format off */
static const Form forms[32] = {
    /* C0 */ {OPAQUE, 0, 0}, {INVALID, 0, 0}, {OPAQUE, 0, 0}, {OPAQUE, 0, 0}, /* nil, never used, false, true */
    /* C4 */ {BINARY, 1, 0}, {BINARY, 2, 0}, {BINARY, 4, 0},
    /* C7 */ {OPAQUE, 1, 1}, {OPAQUE, 2, 1}, {OPAQUE, 4, 1}, /* extensions */
    /* CA */ {OPAQUE, 0, 4}, {OPAQUE, 0, 8}, /* floats */
    /* CC */ {NUMBER, 1, 0}, {NUMBER, 2, 0}, {NUMBER, 4, 0}, {NUMBER, 8, 0},
    /* D0 */ {OPAQUE, 0, 1}, {OPAQUE, 0, 2}, {OPAQUE, 0, 4}, {OPAQUE, 0, 8}, /* signed integers */
    /* D4 */ {OPAQUE, 0, 2}, {OPAQUE, 0, 3}, {OPAQUE, 0, 5}, {OPAQUE, 0, 9}, {OPAQUE, 0, 17}, /* extensions of fixed size */
    /* D9 */ {TEXT, 1, 0}, {TEXT, 2, 0}, {TEXT, 4, 0},
    /* DC */ {ARRAY, 2, 0}, {ARRAY, 4, 0}, {MAP, 2, 0}, {MAP, 4, 0},
};
/* clang-format on */

typedef struct {
    uint32_t kind;
    uint64_t number; /* its value, its bytes that follow, or how many items */
} Item;

static uint64_t left(const FcsReader *reader) {
    return (uint64_t)(reader->end - reader->at);
}

static int take(FcsReader *reader, uint64_t count, const uint8_t **bytes) {
    if (count > left(reader)) return 0;
    *bytes = reader->at;
    reader->at += count;
    return 1;
}

static int take_number(FcsReader *reader, uint32_t width, uint64_t *number) {
    const uint8_t *bytes;
    *number = 0;
    if (!take(reader, width, &bytes)) return 0;
    for (uint32_t i = 0; i < width; i++) *number = *number << 8 | bytes[i];
    return 1;
}

static int take_item(FcsReader *reader, Item *item) {
    const uint8_t *byte;
    if (!take(reader, 1, &byte)) return 0;
    const uint8_t first = *byte;
    if (first < 0xC0) {
        *item = first < 0x80   ? (Item){NUMBER, first}
                : first < 0x90 ? (Item){MAP, first & 15}
                : first < 0xA0 ? (Item){ARRAY, first & 15}
                               : (Item){TEXT, first & 31};
        return 1;
    }
    const Form form = first < 0xE0 ? forms[first - 0xC0] : (Form){OPAQUE, 0, 0}; /* from E0 on: small negative integers */
    item->kind = form.kind;
    if (form.kind == INVALID || !take_number(reader, form.width, &item->number)) return 0;
    item->number += form.payload;
    return 1;
}

static int take_kind(FcsReader *reader, uint32_t kind, uint64_t *number) {
    Item item;
    if (!take_item(reader, &item) || item.kind != kind) return 0;
    *number = item.number;
    return 1;
}

/* Pass over one value of any kind: later releases append fields. Deep nesting costs a count, no stack. */
static int skip(FcsReader *reader) {
    uint64_t pending = 1;
    while (pending) {
        Item item;
        const uint8_t *bytes;
        if (pending > left(reader) || !take_item(reader, &item)) return 0;
        pending--;
        if (item.kind == ARRAY || item.kind == MAP)
            pending += item.kind == MAP ? 2 * item.number : item.number;
        else if (item.kind != NUMBER && !take(reader, item.number, &bytes))
            return 0;
    }
    return 1;
}

static int take_bytes(FcsReader *reader, uint32_t kind, const uint8_t **bytes, uint32_t *length) {
    uint64_t count;
    if (!take_kind(reader, kind, &count) || !take(reader, count, bytes)) return 0;
    *length = (uint32_t)count; /* lengths have four bytes at most */
    return 1;
}

/* ---- the shape ------------------------------------------------------------------------------------------------------------ */

int fcs_next_entry(FcsMap *map, FcsEntry *out) {
    if (map->count == 0) return 0;
    map->count--;
    return take_bytes(&map->reader, TEXT, &out->name, &out->name_length) && fcs_is_utf8(out->name, out->name_length) &&
           take_bytes(&map->reader, BINARY, &out->content, &out->size);
}

/* A map whose entries all have the right kinds; they are read again from *out. */
static int take_map(FcsReader *reader, FcsMap *out) {
    uint64_t count;
    FcsEntry entry;
    if (!take_kind(reader, MAP, &count)) return 0;
    *out = (FcsMap){*reader, (uint32_t)count};
    FcsMap rest = *out;
    while (rest.count)
        if (!fcs_next_entry(&rest, &entry)) return 0;
    *reader = rest.reader;
    return 1;
}

static int take_ordinal(FcsReader *reader, uint64_t *number) {
    return take_kind(reader, NUMBER, number) && *number <= INT64_MAX;
}

static int take_body(FcsReader reader, FcsSnapshot *out) {
    const FcsMap none = {{NULL, NULL}, 0};
    uint64_t fields;
    FcsMap debug;
    out->sets = none;
    if (!take_kind(&reader, ARRAY, &fields) || fields < FEWEST) return 0;
    if (!take_ordinal(&reader, &out->epoch) || !take_ordinal(&reader, &out->revision) || !take_map(&reader, &out->programs)) return 0;
    if (fields > 3 && !take_map(&reader, &out->sets)) return 0;
    if (fields > 4 && !take_map(&reader, &debug)) return 0;
    for (uint64_t i = KNOWN; i < fields; i++)
        if (!skip(&reader)) return 0;
    return reader.at == reader.end;
}

/* ---- the head --------------------------------------------------------------------------------------------------------------- */

static uint32_t check_head(const uint8_t *bytes, size_t length) {
    if (length < HEAD || fc_read64(bytes) != MAGIC) return FCS_NO_SNAPSHOT;
    if (fc_read32(bytes + 12) > FORMAT) return FCS_NEWER;
    return fc_read64(bytes + 16) == length - HEAD ? FC_OK : FCS_CUT;
}

uint32_t fcs_read_snapshot(const uint8_t *bytes, size_t length, FcsSnapshot *out) {
    const uint32_t status = check_head(bytes, length);
    if (status) return status;
    return take_body((FcsReader){bytes + HEAD, bytes + length}, out) ? FC_OK : FCS_MALFORMED;
}

uint32_t fcs_check_digest(const uint8_t *bytes, size_t length) {
    uint8_t digest[32];
    fcs_sha256(bytes + HEAD, length - HEAD, digest);
    return fc_equal(bytes + 24, digest, sizeof digest) ? FC_OK : FCS_CORRUPT;
}
