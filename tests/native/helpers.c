/* The kernel's inline helpers as functions, so that tests can ask each by itself. Built by tests/unit/test_kernel_native.py. */
#include "walk.h"

uint64_t test_fold8(uint64_t word);
uint64_t test_hash(const uint8_t *p, size_t length, uint64_t seed, int fold);
int test_equal(const uint8_t *value, const uint8_t *constant, uint32_t length, int fold);
void test_short(const uint8_t *p, uint32_t length, int fold, uint8_t out[12]);
int test_compare(int64_t integer, double number);
int test_version(const uint8_t *p, uint32_t length, uint64_t numbers[4], uint32_t pre[2]);
int test_order(const uint8_t *a, uint32_t a_length, const uint8_t *b, uint32_t b_length);
int test_time(const uint8_t *p, uint32_t length, int64_t *micros);
int test_address(const uint8_t *p, uint32_t length, uint64_t out[3]);
uint32_t test_race_plain(uint64_t position, const FcContestant *contestants, uint32_t count, uint32_t flags);
uint32_t test_race_ends(uint64_t position, const FcContestant *contestants, uint32_t count, uint32_t flags);
uint32_t test_find(const FcTable *table, const uint8_t *p, uint32_t length);
int test_member(const FcSet *set, FcValue *value);
uint64_t test_automaton(const FcAutomaton *automaton, const uint8_t *p, uint32_t length);
const uint64_t *test_log2_table(void);
void test_sizes(uint32_t out[20]);

uint64_t test_fold8(uint64_t word) {
    return fc_fold8(word);
}

uint64_t test_hash(const uint8_t *p, size_t length, uint64_t seed, int fold) {
    return fold ? fc_xxh64_folded(p, length, seed) : fc_xxh64(p, length, seed);
}

int test_equal(const uint8_t *value, const uint8_t *constant, uint32_t length, int fold) {
    return fold ? fc_equal_folded(value, constant, length) : fc_equal(value, constant, length);
}

void test_short(const uint8_t *p, uint32_t length, int fold, uint8_t out[12]) {
    const FcShort key = fc_short(p, length, fold);
    __builtin_memcpy(out, &key.low, 8);
    __builtin_memcpy(out + 8, &key.high, 4);
}

int test_compare(int64_t integer, double number) {
    return fc_compare_mixed(integer, number);
}

int test_version(const uint8_t *p, uint32_t length, uint64_t numbers[4], uint32_t pre[2]) {
    FcVersionParts parts;
    if (!fc_parse_version(p, length, &parts)) return 0;
    numbers[0] = parts.major;
    numbers[1] = parts.minor;
    numbers[2] = parts.patch;
    numbers[3] = fc_pack_version(parts.major, parts.minor, parts.patch, parts.pre_length == 0);
    pre[0] = parts.pre_length ? (uint32_t)(parts.pre - p) : 0;
    pre[1] = parts.pre_length;
    return 1;
}

/* -2: one is no version. As the walk orders a value and a constant. */
int test_order(const uint8_t *a, uint32_t a_length, const uint8_t *b, uint32_t b_length) {
    FcValue value = {.u.bytes = a, .length = a_length, .type = FC_TEXT};
    FcVersionParts parts;
    if (!fc_version_value(&value) || !fc_parse_version(b, b_length, &parts)) return -2;
    const FcVersion constant = {
        parts.major,
        parts.minor,
        parts.patch,
        {parts.pre_length ? (uint32_t)(parts.pre - b) : 0, parts.pre_length},
        fc_pack_version(parts.major, parts.minor, parts.patch, parts.pre_length == 0),
    };
    return fc_compare_version(&value, &constant, b);
}

int test_time(const uint8_t *p, uint32_t length, int64_t *micros) {
    return fc_parse_time(p, length, micros);
}

int test_address(const uint8_t *p, uint32_t length, uint64_t out[3]) {
    FcAddress address;
    if (!fc_parse_address(p, length, &address)) return 0;
    out[0] = address.family;
    out[1] = address.high;
    out[2] = address.low;
    return 1;
}

uint32_t test_race_plain(uint64_t position, const FcContestant *contestants, uint32_t count, uint32_t flags) {
    return fc_race_plain(fc_stream(position, flags), contestants, count);
}

uint32_t test_race_ends(uint64_t position, const FcContestant *contestants, uint32_t count, uint32_t flags) {
    return fc_race_ends(fc_stream(position, flags), contestants, count);
}

uint32_t test_find(const FcTable *table, const uint8_t *p, uint32_t length) {
    FcValue value = {.u.bytes = p, .length = length, .type = FC_TEXT};
    return fc_find_text(table, &value);
}

int test_member(const FcSet *set, FcValue *value) {
    return fc_has(set, value);
}

uint64_t test_automaton(const FcAutomaton *automaton, const uint8_t *p, uint32_t length) {
    return fc_run_automaton(automaton, p, length);
}

const uint64_t *test_log2_table(void) {
    return fc_log2_table;
}

void test_sizes(uint32_t out[20]) {
    const size_t sizes[20] = {
        sizeof(FcHeader),
        sizeof(FcNode),
        sizeof(FcLeaf),
        sizeof(FcSlot),
        sizeof(FcView),
        sizeof(FcVariant),
        sizeof(FcText),
        sizeof(FcLink),
        sizeof(FcContestant),
        sizeof(FcNumber),
        sizeof(FcVersion),
        sizeof(FcAddress),
        sizeof(FcAffix),
        sizeof(FcAutomaton),
        sizeof(FcTable),
        sizeof(FcEntry),
        sizeof(FcSet),
        sizeof(FcValue),
        sizeof(FcProgram),
        sizeof(FcResult),
    };
    for (uint32_t i = 0; i < 20; i++) out[i] = (uint32_t)sizes[i];
}
