/* The walk: from a program's entry to a leaf, one node a step.
 *
 * Static inline, so that a host in the same translation unit gets its fetch inlined; kernel.c instantiates the public
 * functions from here. Forms: local (values by program slot), small (local, up to 64 slots: which are fetched is kept in a
 * register), wide (by evaluation slot, with prerequisites), filled (local, every slot fetched already), known (the same by
 * evaluation slot), resumable (local, stops where a slot is wanted).
 *
 * SAFETY: fc_verify has proved every index, offset, table, automaton and memo word of the program, and that exits point
 * forward; so nothing is checked here and every walk ends.
 *
 * Tried and lost: a loop over the slots in front of the walk (eleven fetches cost more than twice the walk over them, and the
 * first rule that matches needs one or two); `have` bits in memory for small programs (70 instructions for eleven slots: stores
 * through the frame make the compiler load them again).
 */
#ifndef FLAGCORE_WALK_H
#define FLAGCORE_WALK_H

#include "bucket.h"
#include "views.h"

enum { FC_FORM_LOCAL, FC_FORM_SMALL, FC_FORM_WIDE, FC_FORM_KNOWN, FC_FORM_FILLED, FC_FORM_RESUMED };

#define FC_SMALL_SLOTS 64u

/* ---- parts of a program ------------------------------------------------------------------------------------------- */

FC_INLINE const FcHeader *fc_header(const FcProgram *program) {
    return fc_at(program->bytes, 0);
}

FC_INLINE const FcView *fc_view_at(const FcProgram *program, uint32_t index) {
    return program->views + index;
}

FC_INLINE const FcVariant *fc_variant_at(const FcProgram *program, uint32_t index) {
    return (const FcVariant *)fc_at(program->bytes, fc_header(program)->variant_offset) + index;
}

FC_INLINE const FcSet *fc_node_set(const FcProgram *program, const FcNode *node) {
    return node->flags & FC_NODE_LINK ? program->links[node->length] : fc_at(program->bytes, node->pool);
}

/* ---- memo: what one evaluation of one program computes once ----------------------------------------------------------- */

FC_INLINE int fc_remembers(const FcFrame *frame, uint32_t word) {
    return (int)(frame->memo_have[word >> 6] >> (word & 63) & 1);
}

FC_INLINE void fc_remember(FcFrame *frame, uint32_t word, uint64_t what) {
    frame->memo[word] = what;
    frame->memo_have[word >> 6] |= UINT64_C(1) << (word & 63);
}

FC_INLINE void fc_forget(const FcProgram *program, FcFrame *frame) {
    for (uint32_t i = 0; i < (program->memo_count + 63) / 64; i++) frame->memo_have[i] = 0;
}

FC_INLINE uint32_t fc_class_of(const FcProgram *program, FcFrame *frame, uint32_t index, FcValue *value) {
    const FcView *const view = fc_view_at(program, index);
    if (view->memo == FC_NO_MEMO) return fc_classify(program, view, value);
    if (!fc_remembers(frame, view->memo)) fc_remember(frame, view->memo, fc_classify(program, view, value));
    return (uint32_t)frame->memo[view->memo];
}

FC_INLINE uint64_t fc_mask_of(const FcProgram *program, FcFrame *frame, uint32_t index, const FcValue *value) {
    const FcView *const view = fc_view_at(program, index);
    const FcAutomaton *const automaton = fc_at(program->bytes, view->data);
    if (view->memo == FC_NO_MEMO) return fc_run_automaton(automaton, value->u.bytes, value->length);
    if (!fc_remembers(frame, view->memo)) fc_remember(frame, view->memo, fc_run_automaton(automaton, value->u.bytes, value->length));
    return frame->memo[view->memo];
}

/* The subject's hash; false: not bucketable. */
FC_INLINE int fc_hash_of(FcFrame *frame, const FcValue *value, uint64_t seed, uint32_t memo, uint64_t *hash) {
    if (memo == FC_NO_MEMO) return fc_position(value, seed, hash);
    if (!fc_remembers(frame, memo)) {
        if (!fc_position(value, seed, hash)) return 0;
        fc_remember(frame, memo, *hash);
    }
    *hash = frame->memo[memo];
    return 1;
}

/* ---- nodes: the truth of a test ---------------------------------------------------------------------------------------- */

FC_INLINE int fc_match_text(const FcProgram *program, const FcNode *node, const FcValue *value) {
    if (value->type != FC_TEXT) return FC_UNKNOWN;
    if (value->length != node->length) return FC_FALSE;
    const int fold = node->flags & FC_NODE_FOLD;
    if (node->length <= 8) {
        const uint64_t word = fc_short(value->u.bytes, node->length, 0).low;
        return (fold ? fc_fold8(word) : word) == node->immediate;
    }
    const uint8_t *const text = program->bytes + node->pool;
    return fold ? fc_equal_folded(value->u.bytes, text, node->length) : fc_equal(value->u.bytes, text, node->length);
}

FC_INLINE int fc_match_affix(const FcProgram *program, const FcNode *node, const FcValue *value) {
    if (value->type != FC_TEXT) return FC_UNKNOWN;
    if (value->length < node->length) return FC_FALSE;
    const uint8_t *const part = value->u.bytes + (node->op == FC_OP_SUFFIX ? value->length - node->length : 0);
    const uint8_t *const text = program->bytes + node->pool;
    return node->flags & FC_NODE_FOLD ? fc_equal_folded(part, text, node->length) : fc_equal(part, text, node->length);
}

/* Has this order (-1, 0, 1, FC_UNORDERED) its bit among FC_NODE_LT, EQ, GT? */
FC_INLINE int fc_match_order(const FcNode *node, int order) {
    return order == FC_UNORDERED ? FC_UNKNOWN : node->flags >> (order + 1) & 1;
}

FC_INLINE int fc_match_version(const FcProgram *program, const FcNode *node, FcValue *value) {
    if (!fc_version_value(value)) return FC_UNKNOWN;
    const int order = fc_compare_version(value, fc_at(program->bytes, node->pool), program->bytes);
    return fc_match_order(node, order);
}

FC_INLINE int fc_match_time(const FcNode *node, FcValue *value) {
    int64_t micros;
    if (!fc_time_value(value, &micros)) return FC_UNKNOWN;
    const int64_t constant = (int64_t)node->immediate;
    return fc_match_order(node, micros < constant ? -1 : micros > constant);
}

/* Ranges [first, last] ascending: an address inside one has an odd number of edges at or below it, or is a last one. */
FC_OUTLINE int fc_match_address(const FcProgram *program, const FcNode *node, const FcValue *value) {
    FcAddress address;
    if (value->type != FC_TEXT || !fc_parse_address(value->u.bytes, value->length, &address)) return FC_UNKNOWN;
    const FcAddress *const edges = fc_at(program->bytes, node->pool);
    uint32_t low = 0, high = node->length;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (fc_order_addresses(&edges[2 * (size_t)middle + 1], &address) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < node->length && fc_order_addresses(&edges[2 * (size_t)low], &address) <= 0;
}

FC_INLINE int fc_match_in(const FcSet *set, FcValue *value) {
    if (FC_LIKELY(set != NULL)) return fc_has(set, value);
    return value->type >= FC_BOOLEAN && value->type <= FC_TEXT ? FC_FALSE : FC_UNKNOWN;
}

FC_INLINE int fc_match_contains(const FcSet *set, const FcValue *value) {
    if (FC_LIKELY(set != NULL)) return fc_contains(set, value);
    return value->type == FC_LIST ? FC_FALSE : FC_UNKNOWN;
}

FC_INLINE int fc_match_pattern(const FcProgram *program, FcFrame *frame, const FcNode *node, const FcValue *value) {
    if (value->type != FC_TEXT) return FC_UNKNOWN;
    return (fc_mask_of(program, frame, node->length, value) & node->immediate) != 0;
}

FC_INLINE int fc_match_gate(FcFrame *frame, const FcNode *node, const FcValue *value) {
    uint64_t hash;
    if (!fc_hash_of(frame, value, node->immediate, node->length & 0xFFFF, &hash)) return FC_UNKNOWN;
    return fc_bucket_of(hash) < node->pool;
}

/* How many of the ascending numbers are at or below this one? Usually there are one to four. */
FC_INLINE uint32_t fc_count_cuts(const uint32_t *cuts, uint32_t count, uint32_t number) {
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (cuts[middle] <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

FC_INLINE uint32_t fc_step_switch(const FcProgram *program, const FcNode *node, uint32_t class) {
    const uint32_t *const table = fc_at(program->bytes, node->pool);
    if (node->flags & FC_NODE_DENSE) return table[class];
    return table[1 + table[0] + fc_count_cuts(table + 1, table[0], class)];
}

FC_INLINE uint32_t fc_step_lookup(const FcProgram *program, const FcNode *node, FcValue *value) {
    if (FC_UNLIKELY(value->type != FC_TEXT)) return value->type <= FC_NULL ? node->on_unknown : node->on_true;
    const uint32_t meta = fc_find_text(fc_at(program->bytes, node->pool), value);
    return meta ? fc_table_exit(meta) : node->on_false;
}

/* Inside [lo, hi) of ascending pairs: an odd number of edges at or below it. */
FC_INLINE int fc_match_class(const FcProgram *program, const FcNode *node, uint32_t class) {
    const uint32_t *const table = fc_at(program->bytes, node->pool);
    return (int)(fc_count_cuts(table + 1, 2 * table[0], class) & 1);
}

/* ---- nodes: the step ----------------------------------------------------------------------------------------------------- */

FC_INLINE uint32_t fc_exit(const FcNode *node, int truth) {
    return truth == FC_TRUE ? node->on_true : truth == FC_FALSE ? node->on_false : node->on_unknown;
}

/* Where a node leads for the value of its slot; not for FC_OP_REQUIRES. */
FC_INLINE uint32_t fc_step(const FcProgram *program, FcFrame *frame, const FcNode *node, FcValue *value) {
    switch (node->op) {
    case FC_OP_HAS:
        return fc_exit(node, value->type > FC_NULL);
    case FC_OP_BOOLEAN:
        return fc_exit(node, value->type == FC_BOOLEAN ? value->u.integer != 0 : FC_UNKNOWN);
    case FC_OP_TEXT:
        return fc_exit(node, fc_match_text(program, node, value));
    case FC_OP_IN:
        return fc_exit(node, fc_match_in(fc_node_set(program, node), value));
    case FC_OP_NUMBER:
        return fc_exit(node, fc_match_order(node, fc_compare_number(value, node->immediate, node->flags & FC_NODE_DOUBLE)));
    case FC_OP_VERSION:
        return fc_exit(node, fc_match_version(program, node, value));
    case FC_OP_TIME:
        return fc_exit(node, fc_match_time(node, value));
    case FC_OP_ADDRESS:
        return fc_exit(node, fc_match_address(program, node, value));
    case FC_OP_PREFIX:
    case FC_OP_SUFFIX:
        return fc_exit(node, fc_match_affix(program, node, value));
    case FC_OP_MATCH:
        return fc_exit(node, fc_match_pattern(program, frame, node, value));
    case FC_OP_CONTAINS:
        return fc_exit(node, fc_match_contains(fc_node_set(program, node), value));
    case FC_OP_GATE:
        return fc_exit(node, fc_match_gate(frame, node, value));
    case FC_OP_BUCKETABLE:
        return fc_exit(node, fc_bucketable(value));
    case FC_OP_CLASS:
        return fc_exit(node, fc_match_class(program, node, fc_class_of(program, frame, node->length, value)));
    case FC_OP_SWITCH:
        return fc_step_switch(program, node, fc_class_of(program, frame, node->length, value));
    case FC_OP_LOOKUP:
        return fc_step_lookup(program, node, value);
    default:
        __builtin_unreachable();
    }
}

/* ---- values ----------------------------------------------------------------------------------------------------------------- */

FC_INLINE uint32_t fc_place(const FcProgram *program, uint32_t slot, int form) {
    return form == FC_FORM_WIDE || form == FC_FORM_KNOWN ? program->slots[slot] : slot;
}

/* The word of `have` that knows of a place, and its bit. */
FC_INLINE uint64_t *fc_have_word(uint64_t *have, uint32_t place, int form) {
    return form == FC_FORM_SMALL ? have : have + (place >> 6);
}

FC_INLINE uint64_t fc_have_bit(uint32_t place) {
    return UINT64_C(1) << (place & 63);
}

typedef struct { /* whom a walk asks for values; its parts are constants where a walk is inlined */
    uint64_t *have; /* frame->have, or a word of the walk's own */
    FcFetch fetch;
    void *host;
    int form; /* FC_FORM_*: from KNOWN on nothing is fetched */
} FcSource;

/* The value of a program's slot, fetched on first need. */
FC_INLINE FcValue *fc_value_of(const FcProgram *program, const FcFrame *frame, uint32_t slot, FcSource source) {
    const uint32_t place = fc_place(program, slot, source.form);
    FcValue *const value = &frame->values[place];
    if (source.form >= FC_FORM_KNOWN) return value;
    uint64_t *const have = fc_have_word(source.have, place, source.form);
    if (!(*have & fc_have_bit(place))) {
        source.fetch(source.host, place, value);
        *have |= fc_have_bit(place);
    }
    return value;
}

/* ---- leaves ----------------------------------------------------------------------------------------------------------------- */

FC_INLINE FcResult fc_split(const FcProgram *program, FcFrame *frame, uint32_t leaf_index, const FcValue *value) {
    const FcLeaf *const leaf = &program->leaves[leaf_index];
    const FcContestant *const contestants = fc_at(program->bytes, leaf->variant);
    uint64_t hash;
    if (!fc_hash_of(frame, value, leaf->seed, leaf->memo, &hash)) return (FcResult){leaf_index, leaf->outcome + leaf->count, FC_NONE};
    const uint32_t winner = fc_race_of(hash, contestants, leaf->count, leaf->flags);
    return (FcResult){leaf_index, leaf->outcome + winner, contestants[winner].variant};
}

FC_INLINE FcResult fc_finish(const FcProgram *program, FcFrame *frame, uint32_t exit, FcSource source) {
    const uint32_t index = exit & ~FC_LEAF;
    const FcLeaf *const leaf = &program->leaves[index];
    /* A caller that wants the outcome alone reads no leaf of a plain program: one cache line less. */
    if (program->is_plain) return (FcResult){index, index, leaf->kind == FC_LEAF_VARIANT ? leaf->variant : FC_NONE};
    if (leaf->kind == FC_LEAF_SPLIT) return fc_split(program, frame, index, fc_value_of(program, frame, leaf->slot, source));
    return (FcResult){index, leaf->outcome, leaf->kind == FC_LEAF_VARIANT ? leaf->variant : FC_NONE};
}

/* ---- the loop ----------------------------------------------------------------------------------------------------------------- */

#include "forks.h" /* needs what stands above; what stands below chooses between its loop and the straight one */

/* From the entry, or the node behind the prerequisites, to the result. */
FC_INLINE FcResult fc_run(const FcProgram *program, FcFrame *frame, uint32_t at, FcSource source) {
    if (FC_UNLIKELY(program->memo_count)) fc_forget(program, frame);
    while (!(at & FC_LEAF)) {
        const FcNode *const node = &program->nodes[at];
        at = fc_step(program, frame, node, fc_value_of(program, frame, node->slot, source));
    }
    return fc_finish(program, frame, at, source);
}

/* Walk a program without detours, of at most FC_SMALL_SLOTS slots; values by program slot, nothing fetched before; frame->have is not used. */
FC_INLINE FcResult fc_walk_small_inline(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host) {
    uint64_t have = 0;
    return fc_run(program, frame, program->entry, (FcSource){&have, fetch, host, FC_FORM_SMALL});
}

/* The same by evaluation slot. */
FC_INLINE FcResult fc_walk_known_inline(const FcProgram *program, FcFrame *frame) {
    return fc_run(program, frame, program->entry, (FcSource){NULL, NULL, NULL, FC_FORM_KNOWN});
}

/* ---- prerequisites ---------------------------------------------------------------------------------------------------------------- */

typedef struct { /* a program that waits for another one's outcome */
    const FcProgram *program;
    uint32_t at; /* its REQUIRES node */
} FcLevel;

FC_INLINE int fc_is_required(const FcProgram *program, const FcNode *node, uint64_t outcome) {
    const uint64_t *const identities = fc_at(program->bytes, node->pool);
    for (uint32_t i = 0; i < node->length; i++)
        if (identities[i] == outcome) return 1;
    return 0;
}

/* Step over prerequisites that are settled. Returns the program whose outcome node *at waits for, or NULL when *at is
 * behind the prerequisites. */
FC_INLINE const FcProgram *fc_next_required(const FcProgram *program, const FcFrame *frame, uint32_t *at, uint32_t depth) {
    while (!(*at & FC_LEAF) && program->nodes[*at].op == FC_OP_REQUIRES) {
        const FcNode *const node = &program->nodes[*at];
        const FcProgram *const required = program->links[node->immediate];
        uint64_t outcome = 1; /* an absent flag yields no variant; so does a chain that is too long */
        if (required && required->outcome_slot != FC_NONE) {
            outcome = frame->outcomes[required->outcome_slot];
            if (outcome == 0 && depth < FC_MAX_DEPTH) return required;
        }
        *at = fc_is_required(program, node, outcome) ? node->on_true : node->on_false;
    }
    return NULL;
}

/* What a program's result means to those that require it. */
FC_INLINE uint64_t fc_outcome_of(const FcProgram *program, FcResult result) {
    return result.variant == FC_NONE ? 1 : fc_variant_at(program, result.variant)->identity;
}

/* Walk a program with its prerequisites, each at most once an evaluation; values by evaluation slot. */
FC_INLINE FcResult fc_walk_wide_inline(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host) {
    FcLevel stack[FC_MAX_DEPTH];
    uint32_t depth = 0, at = program->entry;
    for (;;) {
        int is_forked = 0; /* known without a look at programs that take no detour */
        if (program->detours) {
            const FcProgram *const required = fc_next_required(program, frame, &at, depth);
            if (required) {
                stack[depth++] = (FcLevel){program, at};
                program = required;
                at = program->entry;
                continue;
            }
            is_forked = program->detours & FC_DETOUR_FORKS;
        }
        const FcResult result = FC_UNLIKELY(is_forked) ? fc_run_forks_wide(program, frame, at, fetch, host)
                                                       : fc_run(program, frame, at, (FcSource){frame->have, fetch, host, FC_FORM_WIDE});
        if (depth == 0) return result;
        frame->outcomes[program->outcome_slot] = fc_outcome_of(program, result);
        program = stack[--depth].program;
        at = stack[depth].at;
    }
}

#endif
