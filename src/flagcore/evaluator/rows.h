/* What tables do with the outcomes of their rows: count them, encode them, pack bits. Freestanding loops that run without the
 * GIL.
 */
#ifndef FLAGCORE_ROWS_H
#define FLAGCORE_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* codes[outcome] for each row, in `width` bytes. */
static void rows_encode(const uint32_t *outcomes, uint32_t count, const uint32_t *codes, void *out, int width) {
    uint8_t *const narrow = (uint8_t *)out;
    uint16_t *const middle = (uint16_t *)out;
    uint32_t *const wide = (uint32_t *)out;
    if (width == 1)
        for (uint32_t i = 0; i < count; i++) narrow[i] = (uint8_t)codes[outcomes[i]];
    else if (width == 2)
        for (uint32_t i = 0; i < count; i++) middle[i] = (uint16_t)codes[outcomes[i]];
    else
        for (uint32_t i = 0; i < count; i++) wide[i] = codes[outcomes[i]];
}

/* An increment waits for the one before it at the same place: neighbours count in banks of their own. Few outcomes are counted by comparing. */
enum { ROWS_FEW = 4, ROWS_BANKS = 4 };

/* counts: outcome_count for each bank; their sums are meant. */
static void rows_tally(const uint32_t *outcomes, uint32_t count, uint64_t *counts, uint32_t outcome_count) {
    uint32_t i = 0;
    for (; outcome_count > ROWS_FEW && i + ROWS_BANKS <= count; i += ROWS_BANKS)
        for (uint32_t bank = 0; bank < ROWS_BANKS; bank++) counts[bank * (uint64_t)outcome_count + outcomes[i + bank]]++;
    for (; outcome_count > ROWS_FEW && i < count; i++) counts[outcomes[i]]++;
    for (uint32_t k = 0; outcome_count <= ROWS_FEW && k < outcome_count; k++) {
        uint32_t found = 0;
        for (i = 0; i < count; i++) found += outcomes[i] == k;
        counts[k] += found;
    }
}

static uint32_t rows_code(const void *codes, int64_t at, int width) {
    if (width == 1) return ((const uint8_t *)codes)[at];
    if (width == 2) return ((const uint16_t *)codes)[at];
    return ((const uint32_t *)codes)[at];
}

/* Bit i of out: is code i other than `null`? Codes that are get 0, so that every one names an entry. Returns how many are. */
static int64_t rows_mark_nulls(void *codes, int64_t count, int width, uint32_t null, uint8_t *out) {
    int64_t nulls = 0;
    for (int64_t i = 0; i < count; i++) {
        const int is_null = rows_code(codes, i, width) == null;
        out[i >> 3] |= (uint8_t)(!is_null << (i & 7));
        nulls += is_null;
        if (!is_null) continue;
        if (width == 1)
            ((uint8_t *)codes)[i] = 0;
        else if (width == 2)
            ((uint16_t *)codes)[i] = 0;
        else
            ((uint32_t *)codes)[i] = 0;
    }
    return nulls;
}

/* Bit i of out: the lowest bit of entries[code i]. */
static void rows_gather_bits(const void *codes, int64_t count, int width, const uint64_t *entries, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) out[i >> 3] |= (uint8_t)((entries[rows_code(codes, i, width)] & 1) << (i & 7));
}

static void rows_gather(const void *codes, int64_t count, int width, const uint64_t *entries, uint64_t *out) {
    for (int64_t i = 0; i < count; i++) out[i] = entries[rows_code(codes, i, width)];
}

#endif
