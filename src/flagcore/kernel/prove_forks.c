/* Proves FORK, BLOCK and MULTI nodes: branches, columns, rows. That `first` is the smallest leaf of its branch, and that a mask rules out
 * no row that could hold, decides which answer is right, not whether the walk is safe: it is not proved.
 */
#include "proof.h"

/* ---- branches ---------------------------------------------------------------------------------------------------------- */

/* The branches at an offset: leaves that there are, exits that are some. */
static uint32_t prove_branches(const FcProof *proof, uint64_t offset, uint32_t count, uint32_t own) {
    const FcHeader *const header = fc_header_of(proof);
    if (!fc_fits(proof, offset, count, sizeof(FcBranch), 4)) return FC_BAD_BRANCH;
    if (!fc_charge(proof, 2 * sizeof(FcBranch) * (uint64_t)count)) return FC_TOO_COSTLY; /* here, and for the steps */
    const FcBranch *const branches = fc_at(proof->bytes, (size_t)offset);
    for (uint32_t i = 0; i < count; i++) {
        if (branches[i].first >= header->leaf_count) return FC_BAD_BRANCH;
        if (!fc_is_exit(header, branches[i].exit, own)) return FC_BAD_EXIT;
    }
    return FC_OK;
}

uint32_t fc_prove_fork(const FcProof *proof, const FcNode *node, uint32_t own) {
    if (!fc_fits(proof, node->pool, 1, 4, 4)) return FC_BAD_BRANCH;
    const uint32_t *const count = fc_at(proof->bytes, node->pool);
    const uint32_t status = prove_branches(proof, (uint64_t)node->pool + 4, *count, own);
    if (status) return status;
    const FcBranch *const branches = fc_at(count, 4);
    for (uint32_t i = 1; i < *count; i++)
        if (branches[i - 1].first > branches[i].first) return FC_BAD_BRANCH;
    return FC_OK;
}

/* Has the automaton of a MULTI node as many branches as bits that are asked for? */
static uint32_t prove_bits(const FcProof *proof, const FcNode *node, const FcMulti *multi) {
    const FcView *const view = fc_view_of(proof, node);
    if (!view || view->kind != FC_VIEW_AUTOMATON || node->flags & FC_NODE_FOLD) return FC_BAD_NODE;
    uint32_t bits = 0;
    for (uint64_t rest = node->immediate; rest; rest &= rest - 1) bits++;
    return multi->n == bits && multi->table == 0 ? FC_OK : FC_BAD_BRANCH;
}

static int is_branch(uint32_t value, const void *multi) {
    return value < ((const FcMulti *)multi)->n;
}

uint32_t fc_prove_multi(const FcProof *proof, const FcNode *node, uint32_t own) {
    if (!fc_fits(proof, node->pool, 1, sizeof(FcMulti), 4)) return FC_BAD_BRANCH;
    const FcMulti *const multi = fc_at(proof->bytes, node->pool);
    if (multi->n == 0 || multi->rest_first >= fc_header_of(proof)->leaf_count) return FC_BAD_BRANCH;
    const uint32_t status = prove_branches(proof, multi->branches, multi->n, own);
    if (status) return status;
    if (node->flags & FC_NODE_LINK) return prove_bits(proof, node, multi);
    return fc_prove_table(proof, multi->table, node->flags & FC_NODE_FOLD, is_branch, multi);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */

/* A byte for each class, each a local index. */
static uint32_t prove_bytes(const FcProof *proof, const FcColumn *column, uint32_t classes) {
    if (classes > 255 || !fc_fits(proof, column->map, classes, 1, 1)) return FC_BAD_BLOCK;
    if (!fc_charge(proof, classes)) return FC_TOO_COSTLY;
    for (uint32_t i = 0; i < classes; i++)
        if (proof->bytes[(size_t)column->map + i] >= column->n) return FC_BAD_BLOCK;
    return FC_OK;
}

static uint32_t prove_column_cuts(const FcProof *proof, const FcColumn *column, uint32_t classes) {
    const uint64_t count = (uint64_t)column->n - 1;
    if (!fc_fits(proof, column->map, count, 4, 4)) return FC_BAD_BLOCK;
    if (!fc_charge(proof, 4 * count)) return FC_TOO_COSTLY;
    return fc_ascend(fc_at(proof->bytes, column->map), count, classes) ? FC_OK : FC_BAD_BLOCK;
}

static uint32_t prove_column(const FcProof *proof, const FcColumn *column) {
    const FcHeader *const header = fc_header_of(proof);
    const FcView *const views = fc_at(proof->bytes, header->view_offset);
    if (column->view >= header->view_count || views[column->view].kind == FC_VIEW_AUTOMATON) return FC_BAD_BLOCK;
    if (column->kind > FC_COLUMN_CUTS || column->n == 0) return FC_BAD_BLOCK;
    if (!fc_fits(proof, column->masks, column->n, 8, 8)) return FC_BAD_BLOCK;
    const uint32_t classes = views[column->view].classes;
    return column->kind == FC_COLUMN_BYTES ? prove_bytes(proof, column, classes) : prove_column_cuts(proof, column, classes);
}

/* Rows begin with nodes of rows, so that nothing but tests is walked inside of a block. */
static uint32_t prove_rows(const FcProof *proof, const uint32_t *rows, uint32_t count, uint32_t own) {
    for (uint32_t i = 0; i < count; i++) {
        if (!fc_is_exit(fc_header_of(proof), rows[i], own)) return FC_BAD_EXIT;
        if (!fc_is_of_row(proof, rows[i])) return FC_BAD_BLOCK;
    }
    return FC_OK;
}

uint32_t fc_prove_block(const FcProof *proof, const FcNode *node, uint32_t own) {
    if (!fc_fits(proof, node->pool, 1, sizeof(FcBlock), 8)) return FC_BAD_BLOCK;
    const FcBlock *const block = fc_at(proof->bytes, node->pool);
    if (block->row_count < 1 || block->row_count > FC_BLOCK_ROWS) return FC_BAD_BLOCK;
    if (!fc_fits(proof, block->columns, block->column_count, sizeof(FcColumn), 4)) return FC_BAD_BLOCK;
    if (!fc_fits(proof, block->rows, block->row_count, 4, 4)) return FC_BAD_BLOCK;
    if (!fc_charge(proof, block->column_count * (uint64_t)sizeof(FcColumn) + 8 * (uint64_t)block->row_count)) return FC_TOO_COSTLY;
    const FcColumn *const columns = fc_at(proof->bytes, block->columns);
    uint32_t status = FC_OK;
    for (uint32_t i = 0; i < block->column_count && !status; i++) status = prove_column(proof, &columns[i]);
    return status ? status : prove_rows(proof, fc_at(proof->bytes, block->rows), block->row_count, own);
}
