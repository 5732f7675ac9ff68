/* Texts that are versions, times and addresses (docs/design/flag-format.md section 2, operator table). Every parser reads a
 * text once, from left to right, and says 0 for "not one". Texts are not terminated and may be hostile.
 */
#ifndef FLAGCORE_PARSE_H
#define FLAGCORE_PARSE_H

#include "bytes.h"

FC_INLINE int fc_is_digit(uint8_t byte) {
    return (uint8_t)(byte - '0') < 10;
}

/* ---- versions --------------------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t major, minor, patch;
    const uint8_t *pre; /* identifiers, without "-"; length 0: a release */
    uint32_t pre_length;
} FcVersionParts;

#define FC_PACK_FIELD UINT64_C(0x1FFFFF) /* 21 bits each for major, minor, patch; bit 0: a release */

/* Packed form: 64 bits that never contradict precedence. Different: that is the order. Equal: the versions are equal when
 * fc_packed_tells, else pre-releases or numbers of 2^21 - 1 and more have to be looked at. Kept in FcVersion.packed and,
 * for a value, in FcValue.parsed. */
FC_INLINE uint64_t fc_pack_version(uint64_t major, uint64_t minor, uint64_t patch, int release) {
    if (FC_UNLIKELY(major >= FC_PACK_FIELD)) return UINT64_MAX;
    if (FC_UNLIKELY(minor >= FC_PACK_FIELD)) return major << 43 | (UINT64_MAX >> 21);
    if (FC_UNLIKELY(patch >= FC_PACK_FIELD)) return major << 43 | minor << 22 | (UINT64_MAX >> 42);
    return major << 43 | minor << 22 | patch << 1 | (uint64_t)(release != 0);
}

FC_INLINE int fc_packed_tells(uint64_t packed) {
    return (packed & 1) && (packed & (UINT64_MAX >> 42)) != UINT64_MAX >> 42;
}

/* Digits without a leading zero, at most 2^64 - 1. */
FC_INLINE int fc_parse_number(const uint8_t **at, const uint8_t *end, uint64_t *out) {
    const uint8_t *const start = *at, *p = start;
    uint64_t number = 0, before = 0;
    for (; p < end && fc_is_digit(*p); p++) {
        before = number;
        number = number * 10 + (uint64_t)(*p - '0');
    }
    *at = p;
    *out = number;
    if (FC_UNLIKELY(p - start > 19) && (p - start > 20 || before > UINT64_MAX / 10 || number < before)) return 0;
    return p > start && (*start != '0' || p == start + 1);
}

FC_INLINE int fc_is_identifier_byte(uint8_t byte) {
    return fc_is_digit(byte) || (uint8_t)((byte | 32) - 'a') < 26 || byte == '-';
}

/* One identifier of a pre-release or of build metadata: not empty; strict (pre-release): digits alone are a number. */
FC_INLINE int fc_skip_identifier(const uint8_t **at, const uint8_t *end, int strict) {
    const uint8_t *const start = *at, *p = start;
    int digits = 1;
    for (; p < end && fc_is_identifier_byte(*p); p++) digits &= fc_is_digit(*p);
    *at = p;
    if (p == start) return 0;
    uint64_t number;
    return !(strict && digits) || fc_parse_number(&(const uint8_t *){start}, p, &number);
}

FC_OUTLINE int fc_skip_identifiers(const uint8_t **at, const uint8_t *end, int strict) {
    for (;;) {
        if (!fc_skip_identifier(at, end, strict)) return 0;
        if (*at == end || **at != '.') return 1;
        ++*at;
    }
}

/* What may follow the numbers: a pre-release, if the patch was there, and build metadata. */
FC_OUTLINE int fc_parse_version_tail(const uint8_t *p, const uint8_t *end, int complete, FcVersionParts *out) {
    if (*p == '-' && complete) {
        out->pre = ++p;
        if (!fc_skip_identifiers(&p, end, 1)) return 0;
        out->pre_length = (uint32_t)(p - out->pre);
    }
    if (p < end && *p == '+') {
        p++;
        if (!fc_skip_identifiers(&p, end, 0)) return 0;
    }
    return p == end;
}

FC_OUTLINE int fc_parse_version(const uint8_t *p, uint32_t length, FcVersionParts *out) {
    const uint8_t *const end = p + length;
    uint64_t numbers[3] = {0, 0, 0};
    uint32_t count = 0;
    if (p < end && *p == 'v') p++;
    for (;;) {
        if (!fc_parse_number(&p, end, &numbers[count++])) return 0;
        if (count == 3 || p == end || *p != '.') break;
        p++;
    }
    *out = (FcVersionParts){numbers[0], numbers[1], numbers[2], p, 0};
    return p == end || fc_parse_version_tail(p, end, count == 3, out);
}

/* The value's text as a packed version, read once an evaluation; false: not a version. */
FC_INLINE int fc_version_value(FcValue *value) {
    if (value->done & FC_DONE_VERSION) return 1;
    if (value->type != FC_TEXT || value->done & FC_DONE_NO_VERSION) return 0;
    FcVersionParts parts;
    const int found = fc_parse_version(value->u.bytes, value->length, &parts);
    if (found) value->parsed = fc_pack_version(parts.major, parts.minor, parts.patch, parts.pre_length == 0);
    value->done |= found ? FC_DONE_VERSION : FC_DONE_NO_VERSION;
    return found;
}

/* ---- precedence (SemVer 2.0 section 11); results are below 0, 0, above 0 ----------------------------------------- */

FC_INLINE int fc_order(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

FC_INLINE uint32_t fc_identifier_length(const uint8_t *p, uint32_t length, int *digits) {
    uint32_t n = 0;
    *digits = 1;
    for (; n < length && p[n] != '.'; n++) *digits &= fc_is_digit(p[n]);
    return n;
}

/* Numbers come before words; a number without leading zeros is the greater the longer it is. */
FC_INLINE int fc_order_identifiers(const uint8_t *a, uint32_t an, int a_digits, const uint8_t *b, uint32_t bn, int b_digits) {
    if (a_digits != b_digits) return a_digits ? -1 : 1;
    if (a_digits && an != bn) return an < bn ? -1 : 1;
    for (uint32_t i = 0; i < an && i < bn; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return fc_order(an, bn);
}

FC_INLINE int fc_order_pre(const uint8_t *a, uint32_t an, const uint8_t *b, uint32_t bn) {
    if (an == 0 || bn == 0) return an == bn ? 0 : an == 0 ? 1 : -1;
    for (;;) {
        int a_digits, b_digits;
        const uint32_t i = fc_identifier_length(a, an, &a_digits), j = fc_identifier_length(b, bn, &b_digits);
        const int order = fc_order_identifiers(a, i, a_digits, b, j, b_digits);
        if (order || i == an || j == bn) return order ? order : fc_order(i < an, j < bn);
        a += i + 1, an -= i + 1;
        b += j + 1, bn -= j + 1;
    }
}

FC_INLINE int fc_order_parts(const FcVersionParts *a, const FcVersion *b, const uint8_t *program) {
    int order = fc_order(a->major, b->major);
    if (!order) order = fc_order(a->minor, b->minor);
    if (!order) order = fc_order(a->patch, b->patch);
    return order ? order : fc_order_pre(a->pre, a->pre_length, program + b->pre.offset, b->pre.length);
}

FC_OUTLINE int fc_order_versions(const FcValue *value, const FcVersion *constant, const uint8_t *program) {
    FcVersionParts parts;
    fc_parse_version(value->u.bytes, value->length, &parts);
    return fc_order_parts(&parts, constant, program);
}

/* After fc_version_value. */
FC_INLINE int fc_compare_version(const FcValue *value, const FcVersion *constant, const uint8_t *program) {
    if (value->parsed != constant->packed) return value->parsed < constant->packed ? -1 : 1;
    return fc_packed_tells(value->parsed) ? 0 : fc_order_versions(value, constant, program);
}

/* ---- times -------------------------------------------------------------------------------------------------------- */

/* count digits as a number, or UINT32_MAX. */
FC_INLINE uint32_t fc_digits(const uint8_t *p, uint32_t count) {
    uint32_t number = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!fc_is_digit(p[i])) return UINT32_MAX;
        number = number * 10 + (uint32_t)(p[i] - '0');
    }
    return number;
}

FC_INLINE uint32_t fc_days_in(uint32_t year, uint32_t month) {
    if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    return 30 + ((month + (month >> 3)) & 1);
}

/* Days since 1970-01-01, proleptic Gregorian; a year is counted from March, so that the leap day comes last. */
FC_INLINE int64_t fc_days(uint32_t year, uint32_t month, uint32_t day) {
    const uint32_t years = year + 400 - (month <= 2), march = (month + 9) % 12; /* 400 years: 146,097 days */
    const uint32_t days = years * 365 + years / 4 - years / 100 + years / 400 + (153 * march + 2) / 5 + day - 1;
    return (int64_t)days - 719468 - 146097;
}

/* "YYYY-MM-DDThh:mm:ss" to seconds since 1970 as if it were UTC. */
FC_INLINE int fc_parse_seconds(const uint8_t *p, int64_t *seconds) {
    const uint32_t year = fc_digits(p, 4), month = fc_digits(p + 5, 2), day = fc_digits(p + 8, 2);
    const uint32_t hour = fc_digits(p + 11, 2), minute = fc_digits(p + 14, 2), second = fc_digits(p + 17, 2);
    if (p[4] != '-' || p[7] != '-' || (p[10] | 32) != 't' || p[13] != ':' || p[16] != ':') return 0;
    if (year > 9999 || month - 1 > 11 || day - 1 >= fc_days_in(year, month) || hour > 23 || minute > 59 || second > 59) return 0;
    *seconds = fc_days(year, month, day) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second);
    return 1;
}

/* Digits of a second behind ".", cut after the sixth. */
FC_INLINE int fc_parse_fraction(const uint8_t **at, const uint8_t *end, int64_t *micros) {
    const uint8_t *p = *at;
    int64_t unit = 100000;
    for (; p < end && fc_is_digit(*p); p++, unit /= 10) *micros += unit * (*p - '0');
    const int found = p > *at;
    *at = p;
    return found;
}

/* "Z" or "+hh:mm", which ends the text. */
FC_INLINE int fc_parse_offset(const uint8_t *p, const uint8_t *end, int64_t *seconds) {
    *seconds = 0;
    if (end - p == 1) return (*p | 32) == 'z';
    if (end - p != 6 || (*p != '+' && *p != '-') || p[3] != ':') return 0;
    const uint32_t hours = fc_digits(p + 1, 2), minutes = fc_digits(p + 4, 2);
    *seconds = (int64_t)(hours * 60 + minutes) * (*p == '+' ? 60 : -60);
    return hours < 24 && minutes < 60;
}

/* RFC 3339 to microseconds since 1970-01-01T00:00:00Z. */
FC_OUTLINE int fc_parse_time(const uint8_t *p, uint32_t length, int64_t *micros) {
    const uint8_t *const end = p + length;
    int64_t seconds, offset, fraction = 0;
    if (length < 20 || !fc_parse_seconds(p, &seconds)) return 0;
    p += 19;
    if (*p == '.') {
        p++;
        if (!fc_parse_fraction(&p, end, &fraction)) return 0;
    }
    if (!fc_parse_offset(p, end, &offset)) return 0;
    *micros = (seconds - offset) * 1000000 + fraction;
    return 1;
}

FC_OUTLINE int fc_time_text(FcValue *value, int64_t *micros) {
    if (value->done & FC_DONE_TIME) {
        *micros = (int64_t)value->parsed;
        return 1;
    }
    if (value->type != FC_TEXT || value->done & FC_DONE_NO_TIME) return 0;
    const int found = fc_parse_time(value->u.bytes, value->length, micros);
    if (found) value->parsed = (uint64_t)*micros;
    value->done |= found ? FC_DONE_TIME : FC_DONE_NO_TIME;
    return found;
}

/* The value as a time; a text is read once an evaluation. No text is both a version and a time, so they share `parsed`. */
FC_INLINE int fc_time_value(FcValue *value, int64_t *micros) {
    if (FC_UNLIKELY(value->type != FC_TIME)) return fc_time_text(value, micros);
    *micros = value->u.integer;
    return 1;
}

/* ---- addresses ------------------------------------------------------------------------------------------------------ */

/* Four numbers up to 255 without leading zeros, which end the text. */
FC_OUTLINE int fc_parse_ipv4(const uint8_t *p, const uint8_t *end, uint32_t *out) {
    uint32_t address = 0;
    for (uint32_t part = 0; part < 4; part++) {
        const uint8_t *const start = p;
        uint32_t number = 0;
        for (; p < end && p - start < 3 && fc_is_digit(*p); p++) number = number * 10 + (uint32_t)(*p - '0');
        if (p == start || number > 255 || (*start == '0' && p - start > 1)) return 0;
        address = address << 8 | number;
        if (part < 3 && (p == end || *p++ != '.')) return 0;
    }
    *out = address;
    return p == end;
}

FC_INLINE uint32_t fc_hex(uint8_t byte) {
    if (fc_is_digit(byte)) return (uint32_t)(byte - '0');
    const uint8_t letter = (uint8_t)((byte | 32) - 'a');
    return letter < 6 ? letter + 10u : UINT32_MAX;
}

typedef struct {
    uint32_t groups[8];
    uint32_t count;
    uint32_t gap; /* how many groups come before "::", or FC_NONE */
} FcGroups;

/* One to four hexadecimal digits. */
FC_INLINE int fc_parse_group(const uint8_t **at, const uint8_t *end, uint32_t *group) {
    const uint8_t *p = *at;
    *group = 0;
    for (; p < end && p - *at < 4 && fc_hex(*p) < 16; p++) *group = *group << 4 | fc_hex(*p);
    const int found = p > *at;
    *at = p;
    return found;
}

/* Behind a group: nothing, ":" and another group, or the "::". */
FC_INLINE int fc_parse_separator(const uint8_t **at, const uint8_t *end, FcGroups *all) {
    if (*(*at)++ != ':' || *at == end) return 0;
    if (**at != ':') return 1;
    if (all->gap != FC_NONE) return 0;
    all->gap = all->count;
    ++*at;
    return 1;
}

FC_INLINE int fc_parse_groups(const uint8_t *p, const uint8_t *end, FcGroups *all) {
    while (p < end) {
        const uint8_t *const start = p;
        if (all->count == 8 || !fc_parse_group(&p, end, &all->groups[all->count])) return 0;
        if (p < end && *p == '.') {
            uint32_t last;
            if (all->count > 6 || !fc_parse_ipv4(start, end, &last)) return 0;
            all->groups[all->count++] = last >> 16;
            all->groups[all->count++] = last & 0xFFFF;
            return 1;
        }
        all->count++;
        if (p < end && !fc_parse_separator(&p, end, all)) return 0;
    }
    return 1;
}

FC_OUTLINE int fc_parse_ipv6(const uint8_t *p, const uint8_t *end, FcAddress *out) {
    FcGroups all = {{0}, 0, FC_NONE};
    if (end - p >= 2 && p[0] == ':' && p[1] == ':') all.gap = 0, p += 2;
    if (!fc_parse_groups(p, end, &all)) return 0;
    if (all.gap == FC_NONE ? all.count != 8 : all.count > 7) return 0;
    uint64_t halves[2] = {0, 0};
    for (uint32_t i = 0; i < all.count; i++) {
        const uint32_t place = i < all.gap ? i : i + 8 - all.count;
        halves[place >> 2] |= (uint64_t)all.groups[i] << (48 - 16 * (place & 3));
    }
    *out = (FcAddress){halves[0], halves[1], 6, 0};
    if (out->high == 0 && out->low >> 32 == 0xFFFF) *out = (FcAddress){0, out->low & 0xFFFFFFFFu, 4, 0}; /* v4-mapped */
    return 1;
}

/* An IP address, without zone, blanks or prefix length. */
FC_OUTLINE int fc_parse_address(const uint8_t *p, uint32_t length, FcAddress *out) {
    uint32_t v4;
    if (length < 2 || length > 45) return 0;
    for (uint32_t i = 0; i < 5 && i < length; i++)
        if (p[i] == ':') return fc_parse_ipv6(p, p + length, out);
    if (!fc_parse_ipv4(p, p + length, &v4)) return 0;
    *out = (FcAddress){0, v4, 4, 0};
    return 1;
}

FC_INLINE int fc_order_addresses(const FcAddress *a, const FcAddress *b) {
    if (a->family != b->family) return a->family < b->family ? -1 : 1;
    if (a->high != b->high) return a->high < b->high ? -1 : 1;
    return fc_order(a->low, b->low);
}

#endif
