/* Is a text UTF-8 (RFC 3629)? Rules see nothing but UTF-8; what is none is unknown to them. */
#ifndef FLAGCORE_UTF8_H
#define FLAGCORE_UTF8_H

#include "bytes.h"

/* The length of the sequence that starts at p, or 0. The first two bytes say all: which continuation may follow. */
static inline size_t fcs_sequence(const uint8_t *p, size_t left) {
    const uint8_t first = p[0];
    if (first < 0x80) return 1;
    const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first < 0xC2 || first > 0xF4 || left < length) return 0;
    const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80; /* no longer form than needed */
    const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF; /* no surrogates, nothing beyond U+10FFFF */
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return length;
}

/* Are all bytes below 80, which is nearly always so? Short texts are read as one word, others by words of which the last two overlap. */
static inline int fcs_is_ascii(const uint8_t *p, size_t length) {
    uint64_t bits = length < 8 ? fc_short(p, (uint32_t)length, 0).low : fc_read64(p + length - 8);
    for (size_t at = 0; at + 8 < length; at += 8) bits |= fc_read64(p + at);
    return !(bits & UINT64_C(0x8080808080808080));
}

static inline int fcs_is_utf8(const uint8_t *p, size_t length) {
    if (FC_LIKELY(fcs_is_ascii(p, length))) return 1;
    const uint8_t *const end = p + length;
    while (p < end) {
        const size_t sequence = fcs_sequence(p, (size_t)(end - p));
        if (sequence == 0) return 0;
        p += sequence;
    }
    return 1;
}

#endif
