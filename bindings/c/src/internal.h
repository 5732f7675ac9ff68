/* What flags and contexts are made of. All of it lies in the caller's memory. */
#ifndef FLAGCORE_INTERNAL_H
#define FLAGCORE_INTERNAL_H

#include "flagcore.h"

typedef struct { /* hands out the caller's memory in pieces of whole 8 bytes; without memory it only counts */
    uint8_t *at;
    uint64_t used;
} FcsArena;

static inline void *fcs_take(FcsArena *arena, uint64_t count, uint64_t item) {
    void *const place = arena->at ? arena->at + arena->used : NULL;
    arena->used += (count * item + 7) & ~UINT64_C(7);
    return place;
}

struct FcsFlags {
    FcLinked *linked;
    FcObject *objects; /* programs: those that are served from the front, those that were refused from the back; of the latter
                          bytes is NULL, size the status. Their names are their keys */
    uint32_t count, served;
    uint32_t most_slots; /* of any program */
    uint64_t epoch, revision;
};

typedef struct { /* a program under way, and where in it */
    const FcProgram *program;
    uint32_t at;
} FcsLevel;

struct FcsContext {
    const FcsFlags *flags;
    FcFrame frame;   /* by evaluation slot: what is known of the subject */
    uint32_t *hints; /* by evaluation slot: where among the pairs its name stood last. Contexts made by one piece of code have their
                        attributes in one order: looking there first took a fifth off an evaluation of ten rules */
    uint32_t have_words, outcome_count; /* of frame */
    const FcsAttribute *attributes;
    size_t attribute_count;
    FcsFetch fetch;
    void *host;
    /* of fcs_resume: */
    FcFrame local;               /* by program slot, for the program that is being walked */
    FcsLevel levels[FC_MAX_DEPTH + 1]; /* from the flag that was asked for down to the prerequisite that is being walked */
    uint32_t depth;              /* of the last of them */
    uint8_t is_begun;            /* levels hold an evaluation that waits for a value */
    uint8_t is_walking;          /* its last level is behind its prerequisites */
};

static inline uint32_t fcs_words(uint32_t bits) {
    return (bits + 63) / 64;
}

/* The kernel's FcFetch over a context. */
void fcs_fetch(void *host, uint32_t slot, FcValue *out);

#endif
