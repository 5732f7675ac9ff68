/* Reads a compiled file: a head, and msgpack of exactly one shape (src/flagcore/snapshot/codec.py, objects.py):
 *
 *      0  8 bytes   "FLAGCORE"
 *      8  u32       format
 *     12  u32       lowest format that a reader must know
 *     16  u64       length of the body
 *     24  32 bytes  SHA-256 of the body
 *     56  body      [epoch, revision, {flag key: program}, {name: value set}, {flag key: debug}, ...]
 *
 * What follows is passed over; the last of it, from format 2 on, is an index for readers of single flags (blocks.py there).
 * Every read is checked against the end; nothing recurs, nothing is copied. What the objects hold is the kernel's to prove.
 */
#ifndef FLAGCORE_SNAPSHOT_H
#define FLAGCORE_SNAPSHOT_H

#include "flagcore.h"

typedef struct { /* bytes not yet read */
    const uint8_t *at, *end;
} FcsReader;

typedef struct { /* a map of texts to bytes, entries not yet read */
    FcsReader reader;
    uint32_t count;
} FcsMap;

typedef struct {
    const uint8_t *name, *content;
    uint32_t name_length, size;
} FcsEntry;

typedef struct {
    uint64_t epoch, revision;
    FcsMap programs, sets;
} FcsSnapshot;

/* FC_OK, or what is wrong with head or shape. */
uint32_t fcs_read_snapshot(const uint8_t *bytes, size_t length, FcsSnapshot *out);

/* FC_OK or FCS_CORRUPT, for bytes whose head was read. */
uint32_t fcs_check_digest(const uint8_t *bytes, size_t length);

/* The next entry of a map; false: there is none, or the bytes have changed and it is none. */
int fcs_next_entry(FcsMap *map, FcsEntry *out);

#endif
