/* Proves that no walk takes more steps, and holds more forks open, than the program says. A word for each node, steps << 8 | forks, has
 * to be at least what those behind it add up to (kernel.h, "bounds"): the words are the program's own, or computed on the stack
 * for small programs without forks.
 */
#include "proof.h"
#include "sets.h"

typedef struct {
    uint64_t steps;
    uint32_t forks;
} FcBound;

static FcBound behind(const uint32_t *words, uint32_t exit) {
    if (exit & FC_LEAF) return (FcBound){0, 0};
    return (FcBound){words[exit] >> 8, words[exit] & 255};
}

/* One of two is walked. */
static FcBound either(FcBound a, FcBound b) {
    return (FcBound){a.steps > b.steps ? a.steps : b.steps, a.forks > b.forks ? a.forks : b.forks};
}

/* One after the other is walked. */
static FcBound both(FcBound a, FcBound b) {
    return (FcBound){a.steps + b.steps, a.forks > b.forks ? a.forks : b.forks};
}

static FcBound of_branches(const uint32_t *words, const FcBranch *branches, uint32_t count) {
    FcBound sum = {0, 0};
    for (uint32_t i = 0; i < count; i++) sum = both(sum, behind(words, branches[i].exit));
    return (FcBound){sum.steps, sum.forks + 1};
}

static FcBound of_fork(const FcProof *proof, const FcNode *node, const uint32_t *words) {
    const uint32_t *const count = fc_at(proof->bytes, node->pool);
    return of_branches(words, fc_at(count, 4), *count);
}

static FcBound of_multi(const FcProof *proof, const FcNode *node, const uint32_t *words) {
    const FcMulti *const multi = fc_at(proof->bytes, node->pool);
    const FcBound rest = behind(words, node->on_false);
    const FcBound sum = of_branches(words, fc_at(proof->bytes, multi->branches), multi->n);
    return both(sum, (FcBound){rest.steps, rest.forks + 1});
}

static FcBound of_block(const FcProof *proof, const FcNode *node, const uint32_t *words) {
    const FcBlock *const block = fc_at(proof->bytes, node->pool);
    const uint32_t *const rows = fc_at(proof->bytes, block->rows);
    FcBound sum = both(behind(words, node->on_false), (FcBound){block->column_count, 0});
    for (uint32_t i = 0; i < block->row_count; i++) sum = both(sum, behind(words, rows[i]));
    return sum;
}

static FcBound of_switch(const FcProof *proof, const FcNode *node, const uint32_t *words) {
    uint64_t count;
    const uint32_t *const exits = fc_switch_exits(proof, node, &count);
    FcBound most = {0, 0};
    for (uint64_t i = 0; exits && i < count; i++) most = either(most, behind(words, exits[i]));
    return most;
}

static FcBound of_lookup(const FcProof *proof, const FcNode *node, const uint32_t *words) {
    const FcTable *const table = fc_at(proof->bytes, node->pool);
    FcBound most = {0, 0};
    for (uint32_t i = 0; i < table->capacity; i++) {
        const uint32_t meta = fc_entries(table)[i].meta;
        if (meta) most = either(most, behind(words, fc_table_exit(meta)));
    }
    return most;
}

static FcBound of_exits(const FcNode *node, const uint32_t *words) {
    return either(either(behind(words, node->on_true), behind(words, node->on_false)), behind(words, node->on_unknown));
}

static FcBound of_node(const FcProof *proof, const FcNode *node, const uint32_t *words) {
    switch (node->op) {
    case FC_OP_SWITCH:
        return of_switch(proof, node, words);
    case FC_OP_LOOKUP:
        return either(of_lookup(proof, node, words), of_exits(node, words));
    case FC_OP_FORK:
        return of_fork(proof, node, words);
    case FC_OP_BLOCK:
        return of_block(proof, node, words);
    case FC_OP_MULTI:
        return of_multi(proof, node, words);
    default:
        return of_exits(node, words);
    }
}

/* The program's own words. */
static uint32_t prove_table(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    const FcNode *const nodes = fc_nodes_of(proof);
    if (!fc_fits(proof, header->bound_offset, header->node_count, 4, 4)) return FC_BAD_STEPS;
    const uint32_t *const words = fc_at(proof->bytes, header->bound_offset);
    for (uint32_t i = 0; i < header->node_count; i++) {
        const FcBound least = of_node(proof, &nodes[i], words), own = behind(words, i);
        if (own.steps < least.steps + 1 || own.forks < least.forks || own.forks > FC_FORK_DEPTH) return FC_BAD_STEPS;
    }
    return header->step_bound == behind(words, header->entry).steps ? FC_OK : FC_BAD_STEPS;
}

/* Words computed from the last node to the first. */
static uint32_t prove_few(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    const FcNode *const nodes = fc_nodes_of(proof);
    uint32_t words[FC_PROVED_STEPS];
    for (uint32_t i = header->node_count; i-- > 0;) words[i] = (uint32_t)(of_node(proof, &nodes[i], words).steps + 1) << 8;
    const uint64_t most = behind(words, header->entry).steps;
    return most <= header->step_bound && header->step_bound <= header->node_count ? FC_OK : FC_BAD_STEPS;
}

uint32_t fc_prove_steps(const FcProof *proof) {
    const FcHeader *const header = fc_header_of(proof);
    if (header->bound_offset) return prove_table(proof);
    if (header->flags & FC_PROGRAM_FORKED || header->node_count > FC_PROVED_STEPS) return FC_BAD_STEPS;
    return prove_few(proof);
}
