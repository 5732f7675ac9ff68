/* Proves whole programs: header, parts, leaves, nodes, memo words. What the walk relies on is proved here or in the files
 * prove_*.c; where a comment in the walk says SAFETY, these are meant.
 *
 * No memory beyond a few kB of stack: hosts verify on threads with small stacks.
 */
#include "bucket.h"
#include "proof.h"
#include "sets.h"

/* ---- header and parts ------------------------------------------------------------------------------------------------ */

static uint32_t prove_header(const FcHeader *header, size_t size) {
    if (header->magic != FC_PROGRAM_MAGIC) return FC_BAD_MAGIC;
    if (header->format != FC_FORMAT || header->min_reader > FC_FORMAT) return FC_BAD_FORMAT;
    if (header->size != size) return FC_BAD_SIZE;
    if (header->hash_id != FC_HASH_XXH64 || header->value_type > FC_VALUE_OBJECT) return FC_BAD_HEADER;
    if (header->flags > FC_PROGRAM_FORKED || header->reserved || header->pool_offset > size) return FC_BAD_HEADER;
    return header->memo_count < FC_NO_MEMO ? FC_OK : FC_BAD_HEADER;
}

static uint32_t prove_parts(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    int sound = fc_fits(proof, sizeof *header, header->node_count, sizeof(FcNode), 8);
    sound &= fc_fits(proof, header->leaf_offset, header->leaf_count, sizeof(FcLeaf), 8);
    sound &= fc_fits(proof, header->slot_offset, header->slot_count, sizeof(FcSlot), 4);
    sound &= fc_fits(proof, header->view_offset, header->view_count, sizeof(FcView), 8);
    sound &= fc_fits(proof, header->variant_offset, header->variant_count, sizeof(FcVariant), 8);
    sound &= fc_fits(proof, header->rule_offset, header->rule_count, sizeof(FcText), 4);
    sound &= fc_fits(proof, header->link_offset, header->link_count, sizeof(FcLink), 4);
    sound &= header->slot_count <= 65535 && header->view_count <= 65535;
    return sound ? FC_OK : FC_BAD_PART;
}

/* ---- slots, variants, names ------------------------------------------------------------------------------------------ */

/* The lengths of the names of a nested attribute add up, with their dots, to the flat key. */
static uint32_t prove_names(const FcProof *proof, const FcSlot *slot) {
    if (!fc_fits(proof, slot->parts, slot->part_count, 4, 4)) return FC_BAD_SLOT;
    if (!fc_charge(proof, 4 * (uint64_t)slot->part_count)) return FC_TOO_COSTLY;
    const uint32_t *const lengths = fc_at(proof->bytes, slot->parts);
    uint64_t sum = slot->part_count - 1u;
    for (uint32_t i = 0; i < slot->part_count; i++) sum += lengths[i];
    return sum == slot->flat.length ? FC_OK : FC_BAD_SLOT;
}

static uint32_t prove_slots(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    const FcSlot *const slots = fc_at(proof->bytes, header->slot_offset);
    for (uint32_t i = 0; i < header->slot_count; i++) {
        if (slots[i].kind > FC_SLOT_TIME || slots[i].part_count == 0) return FC_BAD_SLOT;
        if (!fc_fits_text(proof, slots[i].flat)) return FC_BAD_SLOT;
        const uint32_t status = slots[i].part_count > 1 ? prove_names(proof, &slots[i]) : FC_OK;
        if (status) return status;
    }
    return FC_OK;
}

static int has_sound_value(uint8_t type, const FcVariant *variant) {
    switch (type) {
    case FC_VALUE_BOOLEAN:
        return variant->scalar <= 1;
    case FC_VALUE_FLOAT:
        return fc_is_finite(fc_as_double(variant->scalar));
    default:
        return 1;
    }
}

static uint32_t prove_variants(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    const FcVariant *const variants = fc_at(proof->bytes, header->variant_offset);
    for (uint32_t i = 0; i < header->variant_count; i++) {
        const FcVariant *const variant = &variants[i];
        if (!fc_fits_text(proof, variant->name) || !fc_fits_text(proof, variant->value)) return FC_BAD_VARIANT;
        if (!fc_charge(proof, variant->name.length)) return FC_TOO_COSTLY;
        const uint64_t identity = fc_xxh64(proof->bytes + variant->name.offset, variant->name.length, 0);
        if (variant->identity != identity || identity < 2) return FC_BAD_VARIANT;
        if (!has_sound_value(header->value_type, variant)) return FC_BAD_VARIANT;
    }
    return FC_OK;
}

static uint32_t prove_texts(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    const FcText *const rules = fc_at(proof->bytes, header->rule_offset);
    const FcLink *const links = fc_at(proof->bytes, header->link_offset);
    if (!fc_fits_text(proof, header->key) || header->key.length == 0) return FC_BAD_KEY;
    if (!fc_fits_text(proof, header->metadata)) return FC_BAD_HEADER;
    for (uint32_t i = 0; i < header->rule_count; i++)
        if (!fc_fits_text(proof, rules[i])) return FC_BAD_RULE;
    for (uint32_t i = 0; i < header->link_count; i++)
        if (links[i].kind > FC_LINK_SET || links[i].reserved || !fc_fits_text(proof, links[i].name)) return FC_BAD_LINK;
    return FC_OK;
}

/* ---- leaves ---------------------------------------------------------------------------------------------------------- */

static int is_program_link(const FcProof *proof, uint64_t link) {
    const FcHeader *const header = fc_header_of(proof);
    const FcLink *const links = fc_at(proof->bytes, header->link_offset);
    return link < header->link_count && links[link].kind == FC_LINK_PROGRAM;
}

static int has_sound_rule(const FcProof *proof, const FcLeaf *leaf) {
    if (leaf->rule == FC_NONE) return 1;
    if (leaf->rule & FC_RULE_REQUIRES) return is_program_link(proof, leaf->rule & ~FC_RULE_REQUIRES);
    return leaf->rule < fc_header_of(proof)->rule_count;
}

static int is_memo(const FcProof *proof, uint32_t word) {
    return word == FC_NO_MEMO || word < fc_header_of(proof)->memo_count;
}

/* Names ascend, so that the first of equals wins a race. */
static int comes_before(const FcProof *proof, const FcVariant *a, const FcVariant *b) {
    const uint8_t *const left = proof->bytes + a->name.offset, *const right = proof->bytes + b->name.offset;
    for (uint32_t i = 0; i < a->name.length && i < b->name.length; i++)
        if (left[i] != right[i]) return left[i] < right[i];
    return a->name.length < b->name.length;
}

static uint32_t prove_contestants(const FcProof *proof, const FcContestant *contestants, uint32_t count) {
    const FcHeader *const header = fc_header_of(proof);
    const FcVariant *const variants = fc_at(proof->bytes, header->variant_offset);
    for (uint32_t i = 0; i < count; i++) {
        const FcContestant *const one = &contestants[i];
        if (one->variant >= header->variant_count || one->weight < 1 || one->weight > 1u << 20) return FC_BAD_SPLIT;
        if (one->identity != variants[one->variant].identity) return FC_BAD_SPLIT;
        if (!fc_charge(proof, variants[one->variant].name.length)) return FC_TOO_COSTLY;
        if (i && !comes_before(proof, &variants[contestants[i - 1].variant], &variants[one->variant])) return FC_BAD_SPLIT;
    }
    return FC_OK;
}

static uint32_t prove_split(const FcProof *proof, const FcLeaf *leaf) {
    if (leaf->count < 2 || leaf->slot >= fc_header_of(proof)->slot_count || !is_memo(proof, leaf->memo)) return FC_BAD_SPLIT;
    if (!fc_fits(proof, leaf->variant, leaf->count, sizeof(FcContestant), 8)) return FC_BAD_SPLIT;
    if (!fc_charge(proof, (uint64_t)leaf->count * sizeof(FcContestant))) return FC_TOO_COSTLY;
    const FcContestant *const contestants = fc_at(proof->bytes, leaf->variant);
    const uint32_t status = prove_contestants(proof, contestants, leaf->count);
    if (status || !(leaf->flags & FC_SPLIT_ON_OFF)) return status;
    const int ends = contestants[0].identity == FC_IDENTITY_OFF && contestants[1].identity == FC_IDENTITY_ON;
    return leaf->count == 2 && ends ? FC_OK : FC_BAD_SPLIT;
}

static uint32_t prove_leaf(const FcProof *proof, const FcLeaf *leaf) {
    if (leaf->kind > FC_LEAF_CALLER || leaf->reason > FC_REASON_ERROR || leaf->pad || !has_sound_rule(proof, leaf)) return FC_BAD_LEAF;
    if (leaf->kind == FC_LEAF_SPLIT) return leaf->flags <= 3 ? prove_split(proof, leaf) : FC_BAD_LEAF;
    if (leaf->flags || leaf->memo != FC_NO_MEMO) return FC_BAD_LEAF;
    return leaf->kind != FC_LEAF_VARIANT || leaf->variant < fc_header_of(proof)->variant_count ? FC_OK : FC_BAD_LEAF;
}

static uint32_t prove_leaves(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    const FcLeaf *const leaves = fc_at(proof->bytes, header->leaf_offset);
    uint64_t outcomes = 0;
    for (uint32_t i = 0; i < header->leaf_count; i++) {
        const uint32_t status = prove_leaf(proof, &leaves[i]);
        if (status) return status;
        if (leaves[i].outcome != outcomes) return FC_BAD_OUTCOME;
        outcomes += leaves[i].kind == FC_LEAF_SPLIT ? (uint64_t)leaves[i].count + 1 : 1;
    }
    return outcomes == header->outcome_count ? FC_OK : FC_BAD_OUTCOME;
}

static uint32_t prove_views(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    const FcView *const views = fc_at(proof->bytes, header->view_offset);
    uint32_t status = FC_OK;
    for (uint32_t i = 0; i < header->view_count && !status; i++) status = fc_prove_view(proof, &views[i]);
    return status;
}

/* ---- constants of nodes ---------------------------------------------------------------------------------------------- */

static uint32_t prove_text(const FcProof *proof, const FcNode *node) {
    if (!fc_fits(proof, node->pool, node->length, 1, 1)) return FC_BAD_CONSTANT;
    if (!fc_charge(proof, node->length)) return FC_TOO_COSTLY;
    const uint8_t *const text = proof->bytes + node->pool;
    if (node->flags & FC_NODE_FOLD && !fc_is_lower(text, node->length)) return FC_BAD_CONSTANT;
    if (node->op != FC_OP_TEXT || node->length > 8) return FC_OK;
    return fc_short(text, node->length, 0).low == node->immediate ? FC_OK : FC_BAD_CONSTANT;
}

static uint32_t prove_set_of(const FcProof *proof, const FcNode *node) {
    if (node->flags & FC_NODE_LINK) return fc_prove_set_reference(proof, node->length);
    return fc_prove_inline_set(proof, node->pool);
}

static uint32_t prove_number(const FcNode *node) {
    const int sound = !(node->flags & FC_NODE_DOUBLE) || fc_is_finite(fc_as_double(node->immediate));
    return sound ? FC_OK : FC_BAD_CONSTANT;
}

static uint32_t prove_ranges(const FcProof *proof, const FcNode *node) {
    if (!fc_fits(proof, node->pool, node->length, 2 * sizeof(FcAddress), 8)) return FC_BAD_CONSTANT;
    if (!fc_charge(proof, (uint64_t)node->length * 2 * sizeof(FcAddress))) return FC_TOO_COSTLY;
    const FcAddress *edge = fc_at(proof->bytes, node->pool);
    for (uint32_t i = 0; i < node->length; i++, edge += 2) {
        if (fc_prove_address(&edge[0]) || fc_prove_address(&edge[1]) || edge[0].family != edge[1].family) return FC_BAD_CONSTANT;
        if (edge[0].high > edge[1].high || (edge[0].high == edge[1].high && edge[0].low > edge[1].low)) return FC_BAD_CONSTANT;
        if (i == 0 || edge[-1].family < edge[0].family) continue;
        if (edge[-1].family > edge[0].family || edge[-1].high > edge[0].high) return FC_BAD_CONSTANT;
        if (edge[-1].high == edge[0].high && edge[-1].low >= edge[0].low) return FC_BAD_CONSTANT;
    }
    return FC_OK;
}

static uint32_t prove_gate(const FcProof *proof, const FcNode *node) {
    return node->pool <= FC_BUCKETS && node->length <= 0xFFFF && is_memo(proof, node->length) ? FC_OK : FC_BAD_CONSTANT;
}

/* Identities 0 and 1 mean "not yet" and "no variant". */
static uint32_t prove_requirement(const FcProof *proof, const FcNode *node) {
    if (!is_program_link(proof, node->immediate) || !fc_fits(proof, node->pool, node->length, 8, 8)) return FC_BAD_REQUIRES;
    if (!fc_charge(proof, (uint64_t)node->length * 8)) return FC_TOO_COSTLY;
    const uint64_t *const identities = fc_at(proof->bytes, node->pool);
    for (uint32_t i = 0; i < node->length; i++)
        if (identities[i] < 2) return FC_BAD_REQUIRES;
    return FC_OK;
}

static uint32_t prove_match(const FcProof *proof, const FcNode *node) {
    const FcView *const view = fc_view_of(proof, node);
    return view && view->kind == FC_VIEW_AUTOMATON ? FC_OK : FC_BAD_NODE;
}

/* A counted list: uint32 n, then n * items + extra uint32. NULL: it does not fit. */
static const uint32_t *counted(const FcProof *proof, uint32_t offset, uint64_t items, uint64_t extra, uint32_t *count) {
    *count = 0;
    if (!fc_fits(proof, offset, 1, 4, 4)) return NULL;
    const uint32_t *const list = fc_at(proof->bytes, offset);
    *count = list[0];
    return fc_fits(proof, (uint64_t)offset + 4, list[0] * items + extra, 4, 4) ? list + 1 : NULL;
}

static uint32_t prove_intervals(const FcProof *proof, const FcNode *node) {
    const FcView *const view = fc_view_of(proof, node);
    if (!view || view->kind == FC_VIEW_AUTOMATON) return FC_BAD_NODE;
    uint32_t count;
    const uint32_t *const edges = counted(proof, node->pool, 2, 0, &count);
    if (!edges) return FC_BAD_INTERVALS;
    if (!fc_charge(proof, (uint64_t)count * 8)) return FC_TOO_COSTLY;
    return fc_ascend(edges, (uint64_t)count * 2, view->classes) ? FC_OK : FC_BAD_INTERVALS;
}

/* ---- exits ------------------------------------------------------------------------------------------------------------- */

/* The exits of a switch; NULL: it is not sound. */
const uint32_t *fc_switch_exits(const FcProof *proof, const FcNode *node, uint64_t *count) {
    const FcView *const view = fc_view_of(proof, node);
    *count = 0;
    if (!view || view->kind == FC_VIEW_AUTOMATON) return NULL;
    if (node->flags & FC_NODE_DENSE) {
        *count = view->classes;
        return fc_fits(proof, node->pool, *count, 4, 4) ? fc_at(proof->bytes, node->pool) : NULL;
    }
    uint32_t cuts;
    const uint32_t *const list = counted(proof, node->pool, 2, 1, &cuts);
    *count = (uint64_t)cuts + 1;
    return list ? list + cuts : NULL;
}

static uint32_t prove_switch(const FcProof *proof, const FcNode *node, uint32_t own) {
    uint64_t count;
    const uint32_t *const exits = fc_switch_exits(proof, node, &count);
    if (!exits) return FC_BAD_INTERVALS;
    if (!fc_charge(proof, 16 * count)) return FC_TOO_COSTLY; /* cuts, exits, and exits again for the steps */
    if (!(node->flags & FC_NODE_DENSE) && !fc_ascend(exits - (count - 1), count - 1, fc_view_of(proof, node)->classes)) return FC_BAD_INTERVALS;
    for (uint64_t i = 0; i < count; i++)
        if (!fc_is_exit(fc_header_of(proof), exits[i], own)) return FC_BAD_EXIT;
    return FC_OK;
}

typedef struct { /* who asks whether a table's value is an exit */
    const FcHeader *header;
    uint32_t own;
} FcExitOwner;

static int is_table_exit(uint32_t value, const void *owner) {
    const FcExitOwner *const node = owner;
    return fc_is_exit(node->header, fc_table_exit(value << 8), node->own);
}

static uint32_t prove_lookup(const FcProof *proof, const FcNode *node, uint32_t own) {
    const FcExitOwner owner = {fc_header_of(proof), own};
    if (!fc_fits(proof, node->pool, 1, sizeof(FcTable), 8)) return FC_BAD_TABLE;
    const FcTable *const table = fc_at(proof->bytes, node->pool);
    if (!fc_charge(proof, 16 * (uint64_t)table->capacity)) return FC_TOO_COSTLY; /* once more, for the steps */
    return fc_prove_table(proof, node->pool, node->flags & FC_NODE_FOLD, is_table_exit, &owner);
}

/* ---- nodes --------------------------------------------------------------------------------------------------------------- */

#define ORDERS (FC_NODE_LT | FC_NODE_EQ | FC_NODE_GT)

static const uint8_t allowed_flags[FC_OP_COUNT] = {
    [FC_OP_HAS] = FC_NODE_ROW,
    [FC_OP_BOOLEAN] = FC_NODE_ROW,
    [FC_OP_TEXT] = FC_NODE_FOLD | FC_NODE_ROW,
    [FC_OP_IN] = FC_NODE_LINK | FC_NODE_ROW,
    [FC_OP_NUMBER] = ORDERS | FC_NODE_DOUBLE | FC_NODE_ROW,
    [FC_OP_VERSION] = ORDERS | FC_NODE_ROW,
    [FC_OP_TIME] = ORDERS | FC_NODE_ROW,
    [FC_OP_ADDRESS] = FC_NODE_ROW,
    [FC_OP_PREFIX] = FC_NODE_FOLD | FC_NODE_ROW,
    [FC_OP_SUFFIX] = FC_NODE_FOLD | FC_NODE_ROW,
    [FC_OP_MATCH] = FC_NODE_ROW,
    [FC_OP_CONTAINS] = FC_NODE_LINK | FC_NODE_ROW,
    [FC_OP_GATE] = FC_NODE_ROW,
    [FC_OP_BUCKETABLE] = FC_NODE_ROW,
    [FC_OP_CLASS] = FC_NODE_ROW,
    [FC_OP_SWITCH] = FC_NODE_DENSE,
    [FC_OP_LOOKUP] = FC_NODE_FOLD,
    [FC_OP_MULTI] = FC_NODE_LINK | FC_NODE_FOLD,
};

static uint32_t prove_constant(const FcProof *proof, const FcNode *node, uint32_t own) {
    switch (node->op) {
    case FC_OP_TEXT:
    case FC_OP_PREFIX:
    case FC_OP_SUFFIX:
        return prove_text(proof, node);
    case FC_OP_IN:
    case FC_OP_CONTAINS:
        return prove_set_of(proof, node);
    case FC_OP_NUMBER:
        return prove_number(node);
    case FC_OP_VERSION:
        return fc_prove_version(proof, node->pool);
    case FC_OP_ADDRESS:
        return prove_ranges(proof, node);
    case FC_OP_MATCH:
        return prove_match(proof, node);
    case FC_OP_GATE:
        return prove_gate(proof, node);
    case FC_OP_REQUIRES:
        return prove_requirement(proof, node);
    case FC_OP_CLASS:
        return prove_intervals(proof, node);
    case FC_OP_SWITCH:
        return prove_switch(proof, node, own);
    case FC_OP_LOOKUP:
        return prove_lookup(proof, node, own);
    case FC_OP_FORK:
        return fc_prove_fork(proof, node, own);
    case FC_OP_BLOCK:
        return fc_prove_block(proof, node, own);
    case FC_OP_MULTI:
        return fc_prove_multi(proof, node, own);
    default: /* HAS, BOOLEAN, TIME, BUCKETABLE: nothing beside the node itself */
        return FC_OK;
    }
}

static int has_sound_slot(const FcHeader *header, const FcNode *node) {
    const int looks = node->op != FC_OP_REQUIRES && node->op != FC_OP_FORK && node->op != FC_OP_BLOCK;
    return looks ? node->slot < header->slot_count : node->slot == 0;
}

/* Nodes of several answers stand in forked programs alone, and so do those of rows, which lead to others of rows, to leaves, or nowhere. */
static int has_sound_place(const FcProof *proof, const FcNode *node) {
    const int is_forked = fc_header_of(proof)->flags & FC_PROGRAM_FORKED;
    if (!(node->flags & FC_NODE_ROW)) return is_forked || !fc_is_branching(node);
    if (!fc_is_of_row(proof, node->on_true) || !fc_is_of_row(proof, node->on_false)) return 0;
    return is_forked && fc_is_of_row(proof, node->on_unknown);
}

static uint32_t prove_node(const FcProof *proof, const FcNode *node, uint32_t own) {
    const FcHeader *const header = fc_header_of(proof);
    if (node->op >= FC_OP_COUNT || node->flags & ~allowed_flags[node->op] || !has_sound_slot(header, node)) return FC_BAD_NODE;
    int sound = fc_is_exit(header, node->on_true, own);
    sound &= fc_is_exit(header, node->on_false, own);
    sound &= fc_is_exit(header, node->on_unknown, own);
    if (!sound) return FC_BAD_EXIT;
    return has_sound_place(proof, node) ? prove_constant(proof, node, own) : FC_BAD_NODE;
}

/* REQUIRES nodes come first. Exits point forward, so nothing behind them leads back to them. */
static uint32_t prove_nodes(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    const FcNode *const nodes = fc_nodes_of(proof);
    for (uint32_t i = 0; i < header->node_count; i++) {
        if (i && nodes[i].op == FC_OP_REQUIRES && nodes[i - 1].op != FC_OP_REQUIRES) return FC_BAD_REQUIRES;
        const uint32_t status = prove_node(proof, &nodes[i], i);
        if (status) return status;
    }
    if (header->flags & FC_PROGRAM_FORKED && header->leaf_count == 0) return FC_BAD_EXIT; /* the last leaf is the default */
    const int sound = header->entry & FC_LEAF ? (header->entry & ~FC_LEAF) < header->leaf_count : header->entry < header->node_count;
    return sound ? FC_OK : FC_BAD_EXIT;
}

/* ---- memo words ------------------------------------------------------------------------------------------------------------ */

enum { WINDOW = 1024 }; /* memo words looked at in one pass: up to 64 passes, usually one */

typedef struct { /* the first user of each memo word of a window */
    uint32_t first;  /* word */
    uint32_t owners[WINDOW]; /* 0: none; else 1 + twice the index of a view, or of a node or (node_count +) leaf + 1 */
} FcMemoWindow;

typedef struct {
    uint32_t slot;
    uint64_t seed;
} FcRuler;

static FcRuler ruler_of(const FcProof *proof, uint32_t user) {
    const FcHeader *const header = fc_header_of(proof);
    const FcNode *const nodes = fc_nodes_of(proof);
    const FcLeaf *const leaves = fc_at(proof->bytes, header->leaf_offset);
    if (user < header->node_count) return (FcRuler){nodes[user].slot, nodes[user].immediate};
    return (FcRuler){leaves[user - header->node_count].slot, leaves[user - header->node_count].seed};
}

/* A hash's word is its ruler's alone. */
static int claim_hash(const FcProof *proof, FcMemoWindow *window, uint32_t word, uint32_t user) {
    const uint32_t at = word - window->first;
    if (at >= WINDOW) return 1; /* of another window, or no word at all */
    const uint32_t owner = window->owners[at];
    if (owner == 0) {
        window->owners[at] = 2 * user + 2;
        return 1;
    }
    if (owner & 1) return 0;
    const FcRuler known = ruler_of(proof, owner / 2 - 1), own = ruler_of(proof, user);
    return known.slot == own.slot && known.seed == own.seed;
}

static int claim_view(FcMemoWindow *window, uint32_t word, uint32_t view) {
    const uint32_t at = word - window->first;
    if (at >= WINDOW) return 1;
    if (window->owners[at]) return 0;
    window->owners[at] = 2 * view + 1;
    return 1;
}

static int prove_window(const FcProof *proof, FcMemoWindow *window) {
    const FcHeader *const header = fc_header_of(proof);
    const FcNode *const nodes = fc_nodes_of(proof);
    const FcLeaf *const leaves = fc_at(proof->bytes, header->leaf_offset);
    const FcView *const views = fc_at(proof->bytes, header->view_offset);
    int sound = 1;
    for (uint32_t i = 0; i < header->view_count; i++) sound &= claim_view(window, views[i].memo, i);
    for (uint32_t i = 0; i < header->node_count; i++)
        if (nodes[i].op == FC_OP_GATE) sound &= claim_hash(proof, window, nodes[i].length, i);
    for (uint32_t i = 0; i < header->leaf_count; i++)
        if (leaves[i].kind == FC_LEAF_SPLIT) sound &= claim_hash(proof, window, leaves[i].memo, header->node_count + i);
    return sound;
}

/* A memo word has one owner: else a hash could be taken for a class, and a class lead out of a switch. */
static uint32_t prove_memo(const FcProof *proof) {
    FcMemoWindow window;
    for (window.first = 0; window.first < fc_header_of(proof)->memo_count; window.first += WINDOW) {
        for (uint32_t i = 0; i < WINDOW; i++) window.owners[i] = 0;
        if (!prove_window(proof, &window)) return FC_BAD_MEMO;
    }
    return FC_OK;
}

/* ---- the public functions ------------------------------------------------------------------------------------------------------ */

typedef uint32_t Prover(const FcProof *proof);

/* In this order: each relies on those before it. */
static Prover *const provers[] = {
    prove_parts,
    prove_texts,
    prove_slots,
    prove_variants,
    prove_leaves,
    prove_views,
    prove_nodes,
    prove_memo,
    fc_prove_steps,
};

uint32_t fc_verify(const uint8_t *program, size_t size) {
    if ((uintptr_t)program % 8) return FC_BAD_ALIGNMENT;
    if (size < sizeof(FcHeader) || size > UINT32_MAX) return FC_BAD_SIZE;
    uint64_t account = fc_opening_account(size);
    const FcProof proof = {program, size, &account};
    uint32_t status = prove_header(fc_header_of(&proof), size);
    for (size_t i = 0; i < sizeof provers / sizeof provers[0] && !status; i++) status = provers[i](&proof);
    return status;
}

uint32_t fc_verify_set(const uint8_t *set, size_t size) {
    if ((uintptr_t)set % 8) return FC_BAD_ALIGNMENT;
    if (size < sizeof(FcSet) || size > UINT32_MAX) return FC_BAD_SIZE;
    uint64_t account = fc_opening_account(size);
    const FcProof proof = {set, size, &account};
    return fc_prove_set(&proof);
}

static const char *const texts[FC_STATUS_COUNT] = {
    [FC_OK] = "sound",
    [FC_BAD_ALIGNMENT] = "the bytes do not stand at a multiple of 8",
    [FC_BAD_SIZE] = "the size does not agree with the bytes",
    [FC_BAD_MAGIC] = "no program or value set",
    [FC_BAD_FORMAT] = "of a format that this kernel cannot read",
    [FC_BAD_HEADER] = "a field of the header is out of range",
    [FC_BAD_PART] = "a part lies outside the program",
    [FC_BAD_KEY] = "the flag key lies outside the program or is empty",
    [FC_BAD_SLOT] = "an attribute's names are not sound",
    [FC_BAD_VARIANT] = "a variant is not sound",
    [FC_BAD_RULE] = "a rule id lies outside the program",
    [FC_BAD_LINK] = "a link is not sound or of the wrong kind",
    [FC_BAD_LEAF] = "a leaf is not sound",
    [FC_BAD_SPLIT] = "the contestants of a split are not sound",
    [FC_BAD_OUTCOME] = "outcomes do not count up with the leaves",
    [FC_BAD_VIEW] = "a view is not sound",
    [FC_BAD_CONSTANT] = "a constant is not sound or out of order",
    [FC_BAD_TABLE] = "a text table is not sound",
    [FC_BAD_SET] = "a value set is not sound",
    [FC_BAD_AUTOMATON] = "an automaton is not sound",
    [FC_BAD_MEMO] = "a memo word is out of range or has two owners",
    [FC_BAD_NODE] = "a node is not sound",
    [FC_BAD_EXIT] = "an exit leads backwards or nowhere",
    [FC_BAD_INTERVALS] = "intervals of classes are not sound",
    [FC_BAD_REQUIRES] = "a prerequisite is not sound or out of place",
    [FC_BAD_STEPS] = "a walk may take more steps than the program says",
    [FC_TOO_COSTLY] = "tables are shared so often that proving them would take too long",
    [FC_NO_SPACE] = "the memory for linking is too small or not aligned",
    [FC_NAME_TWICE] = "two objects have one name",
    [FC_CYCLE] = "prerequisites form a cycle",
    [FC_TOO_DEEP] = "a chain of prerequisites is too long",
    [FC_BAD_BRANCH] = "the branches of a fork are not sound or out of order",
    [FC_BAD_BLOCK] = "the columns or rows of a block are not sound",
};

const char *fc_status_text(uint32_t status) {
    return status < FC_STATUS_COUNT ? texts[status] : "unknown status";
}
