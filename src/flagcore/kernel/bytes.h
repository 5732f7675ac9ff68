/* Bytes of the kernel: loads, equality, ASCII folding and XXH64, without buffers and without calls.
 *
 * Texts may stand at any address; all loads are unaligned. Little-endian machines only, as programs are.
 */
#ifndef FLAGCORE_BYTES_H
#define FLAGCORE_BYTES_H

#include "kernel.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "programs are little endian and are read in place"
#endif

#define FC_INLINE      static inline __attribute__((always_inline))
#define FC_OUTLINE     static __attribute__((noinline, unused)) /* kept out of the way of the usual path */
#define FC_LIKELY(x)   __builtin_expect(!!(x), 1)
#define FC_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define FC_PRIME1      UINT64_C(0x9E3779B185EBCA87)
#define FC_PRIME2      UINT64_C(0xC2B2AE3D27D4EB4F)
#define FC_PRIME3      UINT64_C(0x165667B19E3779F9)
#define FC_PRIME4      UINT64_C(0x85EBCA77C2B2AE63)
#define FC_PRIME5      UINT64_C(0x27D4EB2F165667C5)

FC_INLINE uint64_t fc_read64(const uint8_t *p) {
    uint64_t word;
    __builtin_memcpy(&word, p, 8);
    return word;
}

FC_INLINE uint32_t fc_read32(const uint8_t *p) {
    uint32_t word;
    __builtin_memcpy(&word, p, 4);
    return word;
}

FC_INLINE double fc_as_double(uint64_t bits) {
    double number;
    __builtin_memcpy(&number, &bits, 8);
    return number;
}

/* What stands at an offset of an object; offsets are proved to be aligned. */
FC_INLINE const void *fc_at(const void *object, size_t offset) {
    return (const uint8_t *)object + offset;
}

/* Is it a FORK, BLOCK or MULTI? */
FC_INLINE int fc_is_branching(const FcNode *node) {
    return node->op >= FC_OP_FORK && node->op <= FC_OP_MULTI;
}

/* ---- ASCII case ---------------------------------------------------------------------------------------------- */

/* A-Z to a-z in each of eight bytes; bytes from 80 on (UTF-8 beyond ASCII) stay. */
FC_INLINE uint64_t fc_fold8(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t low7 = word & (ones * 0x7F);
    const uint64_t from_a = low7 + ones * (0x80 - 'A');
    const uint64_t beyond_z = low7 + ones * (0x7F - 'Z');
    const uint64_t upper = (from_a ^ beyond_z) & ~word & (ones * 0x80);
    return word | upper >> 2;
}

FC_INLINE uint64_t fc_load64(const uint8_t *p, int fold) {
    return fold ? fc_fold8(fc_read64(p)) : fc_read64(p);
}

FC_INLINE uint32_t fc_load32(const uint8_t *p, int fold) {
    return fold ? (uint32_t)fc_fold8(fc_read32(p)) : fc_read32(p);
}

FC_INLINE uint8_t fc_load8(const uint8_t *p, int fold) {
    return fold && (uint8_t)(*p - 'A') < 26 ? (uint8_t)(*p + 32) : *p;
}

/* ---- equality ------------------------------------------------------------------------------------------------ */

/* Are n bytes of a value those of a constant? With fold the value is folded; the constant is in lower case already. */
FC_INLINE int fc_equal_any(const uint8_t *value, const uint8_t *constant, uint32_t n, int fold) {
    if (n >= 8) {
        const uint32_t last = n - 8;
        for (uint32_t i = 0; i < last; i += 8)
            if (fc_load64(value + i, fold) != fc_read64(constant + i)) return 0;
        return fc_load64(value + last, fold) == fc_read64(constant + last);
    }
    if (n >= 4) return fc_load32(value, fold) == fc_read32(constant) && fc_load32(value + n - 4, fold) == fc_read32(constant + n - 4);
    for (uint32_t i = 0; i < n; i++)
        if (fc_load8(value + i, fold) != constant[i]) return 0;
    return 1;
}

FC_INLINE int fc_equal(const uint8_t *value, const uint8_t *constant, uint32_t n) {
    return fc_equal_any(value, constant, n, 0);
}

FC_OUTLINE int fc_equal_folded(const uint8_t *value, const uint8_t *constant, uint32_t n) {
    return fc_equal_any(value, constant, n, 1);
}

typedef struct { /* up to 12 bytes, zero padded: the key of an FcEntry */
    uint64_t low;
    uint32_t high;
} FcShort;

/* n <= 12. Never reads beyond the n bytes: longer pieces are read as two that overlap. */
FC_INLINE FcShort fc_short(const uint8_t *p, uint32_t n, int fold) {
    FcShort key = {0, 0};
    if (n >= 8) {
        key.low = fc_load64(p, fold);
        if (n > 8) key.high = fc_load32(p + n - 4, fold) >> (8 * (12 - n));
    } else if (n >= 4) {
        key.low = fc_load32(p, fold) | (uint64_t)fc_load32(p + n - 4, fold) >> (8 * (8 - n)) << 32;
    } else {
        for (uint32_t i = 0; i < n; i++) key.low |= (uint64_t)fc_load8(p + i, fold) << (8 * i);
    }
    return key;
}

__extension__ typedef __uint128_t FcProduct; /* compilers of 64-bit machines have it */

/* Hash of a text of up to 12 bytes in tables: two products side by side, the wide one folded, a quarter of the time that XXH64
 * takes for so few bytes. Tables alone use it; buckets are XXH64. Keys are authored, so nobody can pile them up. */
FC_INLINE uint64_t fc_hash_short(FcShort key, uint32_t n) {
    const FcProduct product = (FcProduct)key.low * FC_PRIME1;
    return (uint64_t)(product >> 64) ^ (uint64_t)product ^ (key.high | (uint64_t)n << 32) * FC_PRIME2;
}

/* ---- XXH64, the published algorithm --------------------------------------------------------------------------- */

FC_INLINE uint64_t fc_rotate(uint64_t word, int count) {
    return word << count | word >> (64 - count);
}

FC_INLINE uint64_t fc_round(uint64_t lane, uint64_t word) {
    return fc_rotate(lane + word * FC_PRIME2, 31) * FC_PRIME1;
}

FC_INLINE uint64_t fc_merge(uint64_t hash, uint64_t lane) {
    return (hash ^ fc_round(0, lane)) * FC_PRIME1 + FC_PRIME4;
}

/* Four lanes over stripes of 32 bytes; moves *at behind the last whole stripe. */
FC_INLINE uint64_t fc_stripes(const uint8_t **at, const uint8_t *end, uint64_t seed, int fold) {
    const uint8_t *p = *at;
    uint64_t a = seed + FC_PRIME1 + FC_PRIME2, b = seed + FC_PRIME2, c = seed, d = seed - FC_PRIME1;
    do {
        a = fc_round(a, fc_load64(p, fold));
        b = fc_round(b, fc_load64(p + 8, fold));
        c = fc_round(c, fc_load64(p + 16, fold));
        d = fc_round(d, fc_load64(p + 24, fold));
        p += 32;
    } while (end - p >= 32);
    *at = p;
    const uint64_t hash = fc_rotate(a, 1) + fc_rotate(b, 7) + fc_rotate(c, 12) + fc_rotate(d, 18);
    return fc_merge(fc_merge(fc_merge(fc_merge(hash, a), b), c), d);
}

/* What is left of a text behind its stripes, and the avalanche. */
FC_INLINE uint64_t fc_xxh64_tail(uint64_t hash, const uint8_t *p, const uint8_t *end, int fold) {
    for (; end - p >= 8; p += 8) hash = fc_rotate(hash ^ fc_round(0, fc_load64(p, fold)), 27) * FC_PRIME1 + FC_PRIME4;
    if (end - p >= 4) {
        hash = fc_rotate(hash ^ fc_load32(p, fold) * FC_PRIME1, 23) * FC_PRIME2 + FC_PRIME3;
        p += 4;
    }
    for (; p < end; p++) hash = fc_rotate(hash ^ fc_load8(p, fold) * FC_PRIME5, 11) * FC_PRIME1;
    hash = (hash ^ hash >> 33) * FC_PRIME2;
    hash = (hash ^ hash >> 29) * FC_PRIME3;
    return hash ^ hash >> 32;
}

FC_OUTLINE uint64_t fc_xxh64_long(const uint8_t *p, size_t length, uint64_t seed) {
    const uint8_t *const end = p + length;
    const uint64_t hash = fc_stripes(&p, end, seed, 0);
    return fc_xxh64_tail(hash + (uint64_t)length, p, end, 0);
}

/* Texts below 32 bytes, which is nearly all of them, are hashed in place: 18 of 160 instructions of a gate. With the stripes
 * inlined, too, the walk was two thirds longer and no faster. */
FC_INLINE uint64_t fc_xxh64(const uint8_t *p, size_t length, uint64_t seed) {
    if (FC_UNLIKELY(length >= 32)) return fc_xxh64_long(p, length, seed);
    return fc_xxh64_tail(seed + FC_PRIME5 + (uint64_t)length, p, p + length, 0);
}

FC_OUTLINE uint64_t fc_xxh64_folded(const uint8_t *p, size_t length, uint64_t seed) {
    const uint8_t *const end = p + length;
    const uint64_t hash = length >= 32 ? fc_stripes(&p, end, seed, 1) : seed + FC_PRIME5;
    return fc_xxh64_tail(hash + (uint64_t)length, p, end, 1);
}

#endif
