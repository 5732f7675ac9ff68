/* Buckets and splits (docs/design/bucketing.md 2.1 to 2.7): subject bytes, mix64, expo, gates and the weighted race.
 *
 * Unsigned integers only. No 128-bit type either, which some targets emulate by calls: a product of up to 96 bits is
 * kept as its upper 64 and its lower 32 bits.
 */
#ifndef FLAGCORE_BUCKET_H
#define FLAGCORE_BUCKET_H

#include "bytes.h"
#include "log2_table.h"

#define FC_IDENTITY_ON  UINT64_C(8284715180330349353)   /* XXH64("on", 0) */
#define FC_IDENTITY_OFF UINT64_C(14072514209923158520) /* XXH64("off", 0) */

/* ---- 2.1 subject bytes ---------------------------------------------------------------------------------------- */

/* Decimal text of a number at the end of scratch. */
FC_INLINE const uint8_t *fc_decimal(int64_t number, uint8_t scratch[32], uint32_t *length) {
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    uint8_t *at = scratch + 32;
    do {
        *--at = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0) *--at = '-';
    *length = (uint32_t)(scratch + 32 - at);
    return at;
}

/* Texts are the usual subjects; everything else is out of the way. */
FC_OUTLINE const uint8_t *fc_subject_of(const FcValue *value, uint8_t scratch[32], uint32_t *length) {
    *length = 0;
    switch (value->type) {
    case FC_TEXT:
    case FC_SUBJECT:
        *length = value->length;
        return value->u.bytes;
    case FC_INTEGER:
        return fc_decimal(value->u.integer, scratch, length);
    case FC_FLOAT: /* NaN fails the comparisons */
        if (!(value->u.number >= -9007199254740992.0 && value->u.number <= 9007199254740992.0)) return scratch;
        if ((double)(int64_t)value->u.number != value->u.number) return scratch;
        return fc_decimal((int64_t)value->u.number, scratch, length);
    default:
        return scratch;
    }
}

FC_INLINE int fc_bucketable(const FcValue *value) {
    uint8_t scratch[32];
    uint32_t length;
    if (FC_LIKELY(value->type == FC_TEXT)) return value->length != 0;
    fc_subject_of(value, scratch, &length);
    return length != 0;
}

FC_OUTLINE int fc_position_of(const FcValue *value, uint64_t seed, uint64_t *position) {
    uint8_t scratch[32];
    uint32_t length;
    const uint8_t *bytes = fc_subject_of(value, scratch, &length);
    if (length == 0) return 0;
    *position = fc_xxh64(bytes, length, seed);
    return 1;
}

/* Where the subject lies on the ruler of seed (2.2); false: it is not bucketable. */
FC_INLINE int fc_position(const FcValue *value, uint64_t seed, uint64_t *position) {
    if (FC_UNLIKELY(value->type != FC_TEXT)) return fc_position_of(value, seed, position);
    if (value->length == 0) return 0;
    *position = fc_xxh64(value->u.bytes, value->length, seed);
    return 1;
}

/* ---- 2.3 to 2.5, 2.7 ------------------------------------------------------------------------------------------- */

FC_INLINE uint64_t fc_mix64(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

FC_INLINE uint32_t fc_bucket_of(uint64_t position) {
    return (uint32_t)((position >> 32) * FC_BUCKETS >> 32);
}

FC_INLINE uint64_t fc_stream(uint64_t position, uint32_t flags) {
    return flags & FC_SPLIT_BASE_PERCENT ? position : fc_mix64(position + UINT64_C(0x9E3779B97F4A7C15));
}

/* 2^36 * -log2(r / 2^64) in fixed point, 1..2^42. */
FC_INLINE uint64_t fc_expo_of(uint64_t r) {
    const uint64_t x = r | 1;
    const uint32_t zeros = (uint32_t)__builtin_clzll(x);
    const uint64_t mantissa = x << zeros;
    const uint64_t *entry = fc_log2_table + 2 * (mantissa >> 55 & 255);
    const uint64_t fraction = mantissa >> 23 & 0xFFFFFFFFu;
    const uint64_t rise = entry[2] - entry[0];
    const uint64_t bulge = 4 * entry[1] - 2 * entry[0] - 2 * entry[2];
    const uint64_t curve = bulge * (fraction * ((UINT64_C(1) << 32) - fraction) >> 32) >> 32;
    return ((uint64_t)(zeros + 1) << 36) - (entry[0] + (rise * fraction >> 32) + curve);
}

/* ---- the race --------------------------------------------------------------------------------------------------- */

/* Is U * (w_on + w_off) < w_on << 32? Contestants are off, on: the order of their names. */
FC_INLINE uint32_t fc_race_on_off(uint64_t stream, const FcContestant *off_on) {
    const uint64_t off = off_on[0].weight, on = off_on[1].weight;
    return (stream >> 32) * (on + off) < on << 32;
}

typedef struct { /* high * 2^32 + low */
    uint64_t high;
    uint32_t low;
} FcWide;

FC_INLINE FcWide fc_times(FcWide number, uint32_t weight) {
    const uint64_t low = (uint64_t)number.low * weight;
    return (FcWide){number.high * weight + (low >> 32), (uint32_t)low};
}

FC_INLINE int fc_less(FcWide a, FcWide b) {
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

/* S * factor for S < 2^44, factor <= 2^32. */
FC_INLINE FcWide fc_product(uint64_t s, uint64_t factor) {
    const uint64_t low = (s & 0xFFFFFFFFu) * factor;
    return (FcWide){(s >> 32) * factor + (low >> 32), (uint32_t)low};
}

/* E of a contestant (2.7): `on` and `off` are the two ends of one ruler. */
FC_INLINE FcWide fc_time_of(uint64_t stream, uint64_t identity) {
    if (identity != FC_IDENTITY_ON && identity != FC_IDENTITY_OFF) return (FcWide){fc_expo_of(fc_mix64(stream ^ identity)), 0};
    const uint64_t both = fc_expo_of(fc_mix64(stream ^ FC_IDENTITY_ON)) + fc_expo_of(fc_mix64(stream ^ FC_IDENTITY_OFF));
    const uint64_t upper = stream >> 32;
    return fc_product(both, identity == FC_IDENTITY_ON ? upper : (UINT64_C(1) << 32) - upper);
}

/* The race with `on` or `off` beside others. The first least E/w wins; contestants come in the order of names. */
FC_OUTLINE uint32_t fc_race_ends(uint64_t stream, const FcContestant *contestants, uint32_t count) {
    uint32_t best = 0;
    FcWide best_time = fc_time_of(stream, contestants[0].identity);
    for (uint32_t i = 1; i < count; i++) {
        const FcWide time = fc_time_of(stream, contestants[i].identity);
        if (fc_less(fc_times(time, contestants[best].weight), fc_times(best_time, contestants[i].weight))) {
            best = i;
            best_time = time;
        }
    }
    return best;
}

/* Without ends 64-bit products do. A contestant whose E cannot be small enough is left before its logarithm is taken:
 * E >= 23 * (~r >> 32), as -log2(1 - x) >= x / ln 2. */
FC_OUTLINE uint32_t fc_race_plain(uint64_t stream, const FcContestant *contestants, uint32_t count) {
    uint32_t best = 0;
    uint64_t best_weight = contestants[0].weight;
    uint64_t best_time = fc_expo_of(fc_mix64(stream ^ contestants[0].identity));
    for (uint32_t i = 1; i < count; i++) {
        const uint64_t r = fc_mix64(stream ^ contestants[i].identity), weight = contestants[i].weight;
        if (23 * (~r >> 32) * best_weight > best_time * weight) continue;
        const uint64_t time = fc_expo_of(r);
        if (time * best_weight < best_time * weight) {
            best = i;
            best_weight = weight;
            best_time = time;
        }
    }
    return best;
}

/* Winner of a split for a position: an index into contestants, 1 or more of them. */
FC_INLINE uint32_t fc_race_of(uint64_t position, const FcContestant *contestants, uint32_t count, uint32_t flags) {
    const uint64_t stream = fc_stream(position, flags);
    if (flags & FC_SPLIT_ON_OFF) return fc_race_on_off(stream, contestants);
    for (uint32_t i = 0; i < count; i++)
        if (contestants[i].identity == FC_IDENTITY_ON || contestants[i].identity == FC_IDENTITY_OFF) return fc_race_ends(stream, contestants, count);
    return fc_race_plain(stream, contestants, count);
}

#endif
