/* The walk of forked programs (kernel.h, "several answers"): FORK, BLOCK and MULTI nodes, branch after branch.
 *
 * A loop of its own, in functions of their own: programs without such nodes pay nothing for it. A part of walk.h, whose nodes, values and
 * leaves it uses. No recursion: a FORK or MULTI under way stands on a stack of FC_FORK_DEPTH entries, 4 kB; of blocks one at most
 * is under way, since its rows hold tests alone.
 *
 * SAFETY: as in walk.h. The bound table proves that the stack suffices.
 */
#ifndef FLAGCORE_FORKS_H
#define FLAGCORE_FORKS_H

enum { FC_FOUND = 10 };

typedef struct { /* 56 bytes: a FORK or MULTI node with branches left */
    uint32_t node;
    uint32_t next;             /* branches below this number are done or among those found */
    uint32_t found[FC_FOUND];  /* MULTI: the next branches to visit, ascending */
    uint32_t found_count, at;  /* `at` of them are visited */
} FcFork;

typedef struct { /* a walk under way */
    uint32_t best;         /* exit: the smallest leaf so far, or FC_NONE */
    uint32_t wanted;       /* FC_FORM_RESUMED: the slot that has to be fetched first, or FC_NONE */
    uint32_t depth;        /* of the stack */
    uint32_t on_false;     /* of the block */
    const uint32_t *rows;  /* of the block under way, else NULL */
    uint64_t candidates;   /* its rows that are still to be asked */
    FcFork stack[FC_FORK_DEPTH];
} FcForks;

typedef struct { /* what every step of such a walk needs */
    const FcProgram *program;
    FcFrame *frame;
    FcSource source;
    FcForks *state;
} FcForkWalk;

/* The value of a slot; NULL: a resumable walk has to be given it first. */
FC_INLINE FcValue *fc_ask(FcForkWalk walk, uint32_t slot) {
    if (walk.source.form == FC_FORM_RESUMED && !(walk.source.have[slot >> 6] & fc_have_bit(slot))) {
        walk.state->wanted = slot;
        return NULL;
    }
    return fc_value_of(walk.program, walk.frame, slot, walk.source);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */

/* How many of the ascending cuts are at or below the class? Without jumps, which nobody could foresee. */
FC_INLINE uint32_t fc_count_below(const uint32_t *cuts, uint32_t count, uint32_t class) {
    const uint32_t *low = cuts;
    for (size_t left = count; left; left /= 2) {
        const size_t half = left - left / 2;
        low += half & (0 - (size_t)(low[half - 1] <= class));
    }
    return (uint32_t)(low - cuts);
}

FC_INLINE uint32_t fc_local_index(const FcProgram *program, const FcColumn *column, uint32_t class) {
    if (column->kind == FC_COLUMN_BYTES) return program->bytes[(size_t)column->map + class];
    return fc_count_below(fc_at(program->bytes, column->map), column->n - 1, class);
}

/* The class of a view's value; 0: a resumable walk has to be given the value first. What is remembered was fetched. */
FC_INLINE int fc_ask_class(FcForkWalk walk, uint32_t index, uint32_t *class) {
    const FcView *const view = fc_view_at(walk.program, index);
    const uint32_t memo = view->memo;
    if (memo != FC_NO_MEMO && fc_remembers(walk.frame, memo)) {
        *class = (uint32_t)walk.frame->memo[memo];
        return 1;
    }
    FcValue *const value = fc_ask(walk, view->slot);
    if (!value) return 0;
    *class = fc_classify(walk.program, view, value);
    if (memo != FC_NO_MEMO) fc_remember(walk.frame, memo, *class);
    return 1;
}

/* The rows that no column rules out. */
FC_INLINE uint64_t fc_candidates(FcForkWalk walk, const FcBlock *block) {
    const FcProgram *const program = walk.program;
    const FcColumn *column = fc_at(program->bytes, block->columns), *const end = column + block->column_count;
    uint64_t rows = ~UINT64_C(0) >> (FC_BLOCK_ROWS - block->row_count);
    for (; column != end && rows; column++) {
        uint32_t class;
        if (!fc_ask_class(walk, column->view, &class)) return 0;
        const uint64_t *const masks = fc_at(program->bytes, column->masks);
        rows &= masks[fc_local_index(program, column, class)];
    }
    return rows;
}

/* Where the next row of the block starts; behind the last one on_false. */
FC_INLINE uint32_t fc_next_row(FcForks *state) {
    if (!state->candidates) {
        state->rows = NULL;
        return state->on_false;
    }
    const uint32_t row = (uint32_t)__builtin_ctzll(state->candidates);
    state->candidates &= state->candidates - 1;
    return state->rows[row];
}

FC_INLINE uint32_t fc_enter_block(FcForkWalk walk, const FcNode *node) {
    const FcBlock *const block = fc_at(walk.program->bytes, node->pool);
    walk.state->candidates = fc_candidates(walk, block);
    walk.state->rows = fc_at(walk.program->bytes, block->rows);
    walk.state->on_false = node->on_false;
    return fc_next_row(walk.state);
}

/* ---- forks ------------------------------------------------------------------------------------------------------------- */

FC_INLINE int fc_is_better(const FcForks *state, uint32_t first) {
    return (first | FC_LEAF) < state->best;
}

/* Its branches are visited when the walk comes for the next one. */
FC_INLINE void fc_enter_fork(FcForkWalk walk, uint32_t node) {
    FcFork *const fork = &walk.state->stack[walk.state->depth++];
    fork->node = node;
    fork->next = fork->found_count = fork->at = 0;
}

/* `first` never descends: behind a branch that is no better there is none. */
FC_INLINE int fc_next_of_fork(FcForkWalk walk, FcFork *fork, const FcNode *node, uint32_t *exit) {
    const uint32_t *const count = fc_at(walk.program->bytes, node->pool);
    const FcBranch *const branches = fc_at(count, 4);
    if (fork->next < *count && fc_is_better(walk.state, branches[fork->next].first)) {
        *exit = branches[fork->next++].exit;
        return 1;
    }
    walk.state->depth--;
    return 0;
}

/* ---- branches keyed by constants --------------------------------------------------------------------------------------- */

/* Note the number of a branch in its place. Of more than FC_FOUND the largest falls out: it is found in another round. */
FC_INLINE void fc_note_branch(FcFork *fork, uint32_t number) {
    for (uint32_t i = 0; i < fork->found_count; i++) {
        const uint32_t known = fork->found[i];
        if (known == number) return;
        if (known < number) continue;
        fork->found[i] = number;
        number = known;
    }
    if (fork->found_count < FC_FOUND) fork->found[fork->found_count++] = number;
}

/* Are branch `number`'s rows still of interest? */
FC_INLINE int fc_is_open(FcForkWalk walk, const FcFork *fork, const FcBranch *branches, uint32_t number) {
    return number >= fork->next && fc_is_better(walk.state, branches[number].first);
}

FC_INLINE void fc_find_in_list(FcForkWalk walk, FcFork *fork, const FcMulti *multi, const FcValue *list) {
    const FcTable *const table = fc_at(walk.program->bytes, multi->table);
    const FcBranch *const branches = fc_at(walk.program->bytes, multi->branches);
    for (uint32_t i = 0; i < list->length; i++) {
        FcValue element = list->u.items[i];
        if (element.type != FC_TEXT) continue;
        const uint32_t meta = fc_find_text(table, &element);
        if (meta && fc_is_open(walk, fork, branches, meta >> 8)) fc_note_branch(fork, meta >> 8);
    }
}

FC_INLINE uint32_t fc_count_bits(uint64_t x) {
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (uint32_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

/* The branch of a bit has its rank among the bits of immediate as number. */
FC_INLINE void fc_find_in_mask(FcForkWalk walk, FcFork *fork, const FcNode *node, const FcMulti *multi, const FcValue *text) {
    const FcBranch *const branches = fc_at(walk.program->bytes, multi->branches);
    uint64_t hits = fc_mask_of(walk.program, walk.frame, node->length, text) & node->immediate;
    for (; hits; hits &= hits - 1) {
        const uint32_t number = fc_count_bits(node->immediate & (hits ^ (hits - 1)) >> 1);
        if (fc_is_open(walk, fork, branches, number)) fc_note_branch(fork, number);
    }
}

/* Find the next branches that the value leads to. */
FC_OUTLINE void fc_find_branches(FcForkWalk walk, FcFork *fork, const FcNode *node, const FcValue *value) {
    const FcMulti *const multi = fc_at(walk.program->bytes, node->pool);
    fork->found_count = fork->at = 0;
    if (node->flags & FC_NODE_LINK) {
        if (value->type == FC_TEXT) fc_find_in_mask(walk, fork, node, multi, value);
    } else if (value->type == FC_LIST) {
        fc_find_in_list(walk, fork, multi, value);
    }
    fork->next = fork->found_count < FC_FOUND ? multi->n : fork->found[FC_FOUND - 1] + 1;
}

FC_INLINE void fc_enter_multi(FcForkWalk walk, uint32_t at) {
    const FcNode *const node = &walk.program->nodes[at];
    const FcValue *const value = fc_ask(walk, node->slot);
    if (!value) return;
    fc_enter_fork(walk, at);
    fc_find_branches(walk, &walk.state->stack[walk.state->depth - 1], node, value);
}

/* After the branches found, the rest: it needs no place on the stack any more. */
FC_INLINE int fc_next_of_multi(FcForkWalk walk, FcFork *fork, const FcNode *node, uint32_t *exit) {
    const FcMulti *const multi = fc_at(walk.program->bytes, node->pool);
    const FcBranch *const branches = fc_at(walk.program->bytes, multi->branches);
    for (;;) {
        while (fork->at < fork->found_count) {
            const FcBranch *const branch = &branches[fork->found[fork->at++]];
            *exit = branch->exit;
            if (fc_is_better(walk.state, branch->first)) return 1;
        }
        if (fork->next >= multi->n) break;
        fc_find_branches(walk, fork, node, fc_value_of(walk.program, walk.frame, node->slot, walk.source));
    }
    walk.state->depth--;
    *exit = node->on_false;
    return fc_is_better(walk.state, multi->rest_first);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------------- */

/* Where a FORK, BLOCK or MULTI node leads at once; FC_NONE: its branches come later. */
FC_INLINE uint32_t fc_enter(FcForkWalk walk, uint32_t at) {
    const FcNode *const node = &walk.program->nodes[at];
    if (node->op == FC_OP_BLOCK) return fc_enter_block(walk, node);
    if (node->op == FC_OP_FORK)
        fc_enter_fork(walk, at);
    else
        fc_enter_multi(walk, at);
    return FC_NONE;
}

FC_INLINE int fc_next_branch(FcForkWalk walk, uint32_t *exit) {
    while (walk.state->depth) {
        FcFork *const fork = &walk.state->stack[walk.state->depth - 1];
        const FcNode *const node = &walk.program->nodes[fork->node];
        const int found = node->op == FC_OP_FORK ? fc_next_of_fork(walk, fork, node, exit) : fc_next_of_multi(walk, fork, node, exit);
        if (found) return 1;
    }
    return 0;
}

FC_INLINE int fc_is_waiting(FcForkWalk walk) {
    return walk.source.form == FC_FORM_RESUMED && walk.state->wanted != FC_NONE;
}

/* From one exit to a leaf, to FC_NONE, or to where a value is wanted. */
FC_INLINE uint32_t fc_follow(FcForkWalk walk, uint32_t at) {
    while (!(at & FC_LEAF) && !fc_is_waiting(walk)) {
        const FcNode *const node = &walk.program->nodes[at];
        if (FC_UNLIKELY(fc_is_branching(node))) {
            at = fc_enter(walk, at);
            continue;
        }
        FcValue *const value = fc_ask(walk, node->slot);
        if (value) at = fc_step(walk.program, walk.frame, node, value);
    }
    return at;
}

/* The leaf that the walk ends with, as an exit; or FC_NONE with a value wanted. */
FC_INLINE uint32_t fc_decide(FcForkWalk walk, uint32_t at) {
    FcForks *const state = walk.state;
    state->best = state->wanted = FC_NONE;
    state->depth = 0;
    state->rows = NULL;
    for (;;) {
        at = fc_follow(walk, at);
        if (fc_is_waiting(walk)) return FC_NONE;
        if (at == FC_NONE && state->rows) {
            at = fc_next_row(state);
            continue;
        }
        state->rows = NULL;
        if (at < state->best) state->best = at;
        if (!fc_next_branch(walk, &at)) break;
    }
    return state->best != FC_NONE ? state->best : FC_LEAF | (fc_header(walk.program)->leaf_count - 1);
}

/* ---- the forms --------------------------------------------------------------------------------------------------------- */

/* The form that hosts of many flags use has a copy of its own; the others share one, and ask for their form as they go. */
FC_OUTLINE FcResult fc_run_forks_wide(const FcProgram *program, FcFrame *frame, uint32_t at, FcFetch fetch, void *host) {
    FcForks state;
    const FcSource source = {frame->have, fetch, host, FC_FORM_WIDE};
    fc_forget(program, frame);
    return fc_finish(program, frame, fc_decide((FcForkWalk){program, frame, source, &state}, at), source);
}

/* Walk a forked program without prerequisites, of at most FC_SMALL_SLOTS slots; values by program slot, nothing fetched before. */
FC_INLINE FcResult fc_walk_forks_small_inline(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host) {
    FcForks state;
    uint64_t have = 0;
    const FcSource source = {&have, fetch, host, FC_FORM_SMALL};
    fc_forget(program, frame);
    return fc_finish(program, frame, fc_decide((FcForkWalk){program, frame, source, &state}, program->entry), source);
}

FC_OUTLINE uint32_t fc_decide_any(FcForkWalk walk, uint32_t at) {
    return fc_decide(walk, at);
}

#endif
