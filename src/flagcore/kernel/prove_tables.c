/* Proves text tables, value sets and automata. */
#include "proof.h"
#include "sets.h"

/* ---- tables ------------------------------------------------------------------------------------------------------ */

typedef struct { /* a table under proof */
    const FcTable *table;
    const FcEntry *entries;
    FcProof inside; /* its own bytes */
    uint32_t fold;
    FcIsValue *is_value;
    const void *owner;
} FcTableProof;

/* The key of an entry, or NULL. */
static const uint8_t *entry_key(const FcTableProof *proof, const FcEntry *entry, uint32_t *length) {
    const uint32_t k = entry->meta & 255;
    if (k == 255) {
        *length = entry->key[1];
        if (*length <= 12 || !fc_fits(&proof->inside, entry->key[0], *length, 1, 1)) return NULL;
        return proof->inside.bytes + entry->key[0];
    }
    if (k < 1 || k > 13) return NULL;
    *length = k - 1;
    const uint8_t *const key = (const uint8_t *)entry->key;
    for (uint32_t i = *length; i < 12; i++)
        if (key[i]) return NULL;
    return key;
}

/* What every key owes: its length inside the limits, its case folded, its value sound. */
static uint32_t prove_key(const FcTableProof *proof, uint32_t at, const uint8_t *key, uint32_t length) {
    const FcTable *const table = proof->table;
    if (!key || length < table->min_length || length > table->max_length) return FC_BAD_TABLE;
    if (!fc_charge(&proof->inside, length)) return FC_TOO_COSTLY;
    if (proof->fold && !fc_is_lower(key, length)) return FC_BAD_TABLE;
    return proof->is_value(proof->entries[at].meta >> 8, proof->owner) ? FC_OK : FC_BAD_TABLE;
}

static uint32_t prove_linear(const FcTableProof *proof) {
    for (uint32_t i = 0; i < proof->table->capacity; i++) {
        uint32_t length = 0;
        if ((proof->entries[i].meta & 255) > 13) return FC_BAD_TABLE;
        const uint8_t *const key = entry_key(proof, &proof->entries[i], &length);
        const uint32_t status = prove_key(proof, i, key, length);
        if (status) return status;
    }
    return FC_OK;
}

/* Would a probe for its own key reach the entry? `run` entries without a gap end with this one. */
static int is_found(const FcTableProof *proof, uint32_t at, const uint8_t *key, uint32_t length, uint64_t run) {
    const FcEntry *const entry = &proof->entries[at];
    const uint64_t hash = length <= 12 ? fc_hash_short(fc_short(key, length, 0), length) : fc_xxh64(key, length, 0);
    const uint64_t capacity = proof->table->capacity;
    if ((entry->meta & 255) == 255 && entry->key[2] != (uint32_t)(hash >> 24)) return 0;
    const uint64_t home = fc_home(proof->table, hash);
    return (at + capacity - home) % capacity < run;
}

/* Entries in the order of probes, beginning behind an empty one, which fc_prove_table has shown to exist. */
static uint32_t prove_hashed(const FcTableProof *proof) {
    const uint32_t capacity = proof->table->capacity;
    uint32_t at = capacity - 1, count = 0;
    while (at && proof->entries[at].meta) at--;
    uint64_t run = 0;
    for (uint32_t i = 0; i < capacity; i++) {
        if (++at == capacity) at = 0;
        run = proof->entries[at].meta ? run + 1 : 0;
        if (!run) continue;
        uint32_t length = 0;
        const uint8_t *const key = entry_key(proof, &proof->entries[at], &length);
        const uint32_t status = prove_key(proof, at, key, length);
        if (status) return status;
        if (!is_found(proof, at, key, length, run)) return FC_BAD_TABLE;
        count++;
    }
    return count == proof->table->count ? FC_OK : FC_BAD_TABLE;
}

static int has_sound_sizes(const FcTableProof *proof) {
    const FcTable *const table = proof->table;
    if (table->flags & ~(uint32_t)(FC_TABLE_FOLD | FC_TABLE_LINEAR) || table->reserved[0] || table->reserved[1]) return 0;
    if (!(table->flags & FC_TABLE_FOLD) != !proof->fold || table->min_length > table->max_length) return 0;
    if (!fc_fits(&proof->inside, sizeof *table, table->capacity, sizeof(FcEntry), 8)) return 0;
    if (table->flags & FC_TABLE_LINEAR) return table->count == table->capacity && table->max_length <= 12;
    return table->count < table->capacity && (uint64_t)table->count * 4 <= (uint64_t)table->capacity * 3;
}

uint32_t fc_prove_table(const FcProof *proof, uint64_t offset, uint32_t fold, FcIsValue *is_value, const void *owner) {
    if (!fc_fits(proof, offset, 1, sizeof(FcTable), 8)) return FC_BAD_TABLE;
    const FcTable *const table = fc_at(proof->bytes, (size_t)offset);
    if (table->size < sizeof *table || table->size > proof->size - offset) return FC_BAD_TABLE;
    const FcTableProof inner = {table, fc_entries(table), {proof->bytes + offset, table->size, proof->account}, fold, is_value, owner};
    if (!has_sound_sizes(&inner)) return FC_BAD_TABLE;
    if (!fc_charge(proof, table->size)) return FC_TOO_COSTLY;
    return table->flags & FC_TABLE_LINEAR ? prove_linear(&inner) : prove_hashed(&inner);
}

/* ---- value sets ---------------------------------------------------------------------------------------------------- */

/* Texts of sets have no values. */
static int is_nothing(uint32_t value, const void *owner) {
    (void)owner;
    return value == 0;
}

static uint32_t prove_integers(const FcProof *proof, const FcSet *set) {
    if (!fc_fits(proof, set->integers, set->integer_count, 8, 8)) return FC_BAD_SET;
    const int64_t *const numbers = fc_at(proof->bytes, set->integers);
    for (uint32_t i = 1; i < set->integer_count; i++)
        if (numbers[i - 1] >= numbers[i]) return FC_BAD_SET;
    return FC_OK;
}

static uint32_t prove_doubles(const FcProof *proof, const FcSet *set) {
    if (!fc_fits(proof, set->doubles, set->double_count, 8, 8)) return FC_BAD_SET;
    const double *const numbers = fc_at(proof->bytes, set->doubles);
    for (uint32_t i = 0; i < set->double_count; i++) {
        if (!fc_is_proper_double(numbers[i])) return FC_BAD_SET;
        if (i && numbers[i - 1] >= numbers[i]) return FC_BAD_SET;
    }
    return FC_OK;
}

/* Are the kinds exactly those that occur? */
static int has_sound_kinds(const FcSet *set) {
    const uint32_t text = set->table || set->folded ? FC_KIND_TEXT : 0;
    const uint32_t number = set->integer_count || set->double_count ? FC_KIND_NUMBER : 0;
    const uint32_t boolean = set->booleans ? FC_KIND_BOOLEAN : 0;
    return set->kinds == (text | number | boolean) && set->booleans <= 3;
}

/* A set that fills the whole proof. */
uint32_t fc_prove_set(const FcProof *proof) {
    const FcSet *const set = fc_at(proof->bytes, 0);
    if (proof->size < sizeof *set || set->size != proof->size) return FC_BAD_SIZE;
    if (set->magic != FC_SET_MAGIC) return FC_BAD_MAGIC;
    if (set->format != FC_FORMAT || set->min_reader > FC_FORMAT) return FC_BAD_FORMAT;
    if (!has_sound_kinds(set) || set->reserved) return FC_BAD_SET;
    if (!fc_charge(proof, 8 * ((uint64_t)set->integer_count + set->double_count))) return FC_TOO_COSTLY;
    uint32_t status = prove_integers(proof, set);
    if (!status) status = prove_doubles(proof, set);
    if (!status && set->table) status = fc_prove_table(proof, set->table, 0, is_nothing, NULL);
    if (!status && set->folded) status = fc_prove_table(proof, set->folded, 1, is_nothing, NULL);
    return status;
}

/* A set inside a program. */
uint32_t fc_prove_inline_set(const FcProof *proof, uint64_t offset) {
    if (!fc_fits(proof, offset, 1, sizeof(FcSet), 8)) return FC_BAD_SET;
    const FcSet *const set = fc_at(proof->bytes, (size_t)offset);
    if (set->size > proof->size - offset) return FC_BAD_SET;
    const FcProof inner = {proof->bytes + offset, set->size, proof->account};
    return fc_prove_set(&inner);
}

/* ---- automata -------------------------------------------------------------------------------------------------------- */

static int has_sound_parts(const FcProof *inside, const FcAutomaton *automaton) {
    const uint64_t cells = (uint64_t)automaton->state_count * automaton->class_count;
    if (automaton->state_count < 1 || automaton->state_count > 65535 || automaton->start >= automaton->state_count) return 0;
    if (automaton->class_count < 2 || automaton->class_count > 257) return 0;
    if (!fc_fits(inside, sizeof *automaton, 256, 1, 1)) return 0;
    return fc_fits(inside, automaton->transitions, cells, 2, 2) && fc_fits(inside, automaton->masks, automaton->state_count, 8, 8);
}

static uint32_t prove_transitions(const FcAutomaton *automaton) {
    const uint8_t *const classes = fc_at(automaton, sizeof *automaton);
    const uint16_t *const transitions = fc_at(automaton, automaton->transitions);
    const uint32_t cells = automaton->state_count * automaton->class_count;
    for (uint32_t i = 0; i < 256; i++)
        if (classes[i] >= automaton->class_count - 1) return FC_BAD_AUTOMATON;
    for (uint32_t i = 0; i < automaton->class_count; i++)
        if (transitions[i] != 0) return FC_BAD_AUTOMATON; /* state 0 is dead */
    uint32_t bad = 0;
    for (uint32_t i = 0; i < cells; i++) bad |= transitions[i] >= automaton->state_count;
    return bad ? FC_BAD_AUTOMATON : FC_OK;
}

static uint32_t prove_masks(const FcAutomaton *automaton) {
    const uint64_t *const masks = fc_at(automaton, automaton->masks);
    uint64_t all = 0;
    for (uint32_t i = 0; i < automaton->state_count; i++) all |= masks[i];
    return masks[0] == 0 && all == automaton->all ? FC_OK : FC_BAD_AUTOMATON;
}

uint32_t fc_prove_automaton(const FcProof *proof, uint64_t offset) {
    if (!fc_fits(proof, offset, 1, sizeof(FcAutomaton), 8)) return FC_BAD_AUTOMATON;
    const FcAutomaton *const automaton = fc_at(proof->bytes, (size_t)offset);
    if (automaton->size > proof->size - offset) return FC_BAD_AUTOMATON;
    const FcProof inside = {proof->bytes + offset, automaton->size, proof->account};
    if (!has_sound_parts(&inside, automaton)) return FC_BAD_AUTOMATON;
    if (!fc_charge(proof, automaton->size)) return FC_TOO_COSTLY;
    const uint32_t status = prove_transitions(automaton);
    return status ? status : prove_masks(automaton);
}
