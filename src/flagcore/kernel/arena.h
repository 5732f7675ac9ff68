/* One piece of the caller's memory, handed out in parts: what needs room says twice what it takes, first to learn the size. */
#ifndef FLAGCORE_ARENA_H
#define FLAGCORE_ARENA_H

#include "bytes.h"

typedef struct { /* with at == NULL it only counts */
    uint8_t *at;
    uint64_t used;
} FcArena;

/* Room for `count` items of so many bytes, 8-aligned; NULL while it only counts. */
FC_INLINE void *fc_take(FcArena *arena, uint64_t count, uint64_t item) {
    void *const place = arena->at ? arena->at + arena->used : NULL;
    arena->used += (count * item + 7) & ~UINT64_C(7);
    return place;
}

#endif
