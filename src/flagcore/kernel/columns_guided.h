/* By row, for forked programs: a walk asks the same views at many nodes. Where their columns are dictionaries or integers, the classes of a batch are
 * gathered first and stand in the memo words before each walk begins; what no node asks for itself is then never fetched.
 * SAFETY: as in walk.h. A memo word has one owner, so that no walk reads another's class; a place whose `have` bit stands without a
 * value is looked at by no node but those that find its class in a memo word.
 */
#ifndef FLAGCORE_COLUMNS_GUIDED_H
#define FLAGCORE_COLUMNS_GUIDED_H

#include "columns_classes.h"

/* ---- when a runner starts ------------------------------------------------------------------------------------------------------------ */

static int fc_may_be_guided(const FcProgram *program) {
    return program->detours == FC_DETOUR_FORKS && fc_header(program)->view_count <= FC_MOST_VIEWS;
}

/* Is the view's class known before a walk? Those of integers cost little more than those of dictionaries. */
static int fc_is_guide(const FcRunner *runner, uint32_t view) {
    const FcClasses *const classes = &runner->classes[view];
    const FcView *const asked = fc_view_at(runner->columns->program, view);
    if (asked->memo == FC_NO_MEMO || asked->kind == FC_VIEW_AUTOMATON) return 0;
    return classes->known.count || (classes->is_integral && runner->columns->fields[asked->slot].kind == FC_FIELD_SIGNED);
}

FC_INLINE void fc_must_fetch(FcRunner *runner, uint32_t place) {
    runner->present[place >> 6] &= ~fc_have_bit(place);
}

/* The places that a node asks for itself. */
static void fc_find_asked(FcRunner *runner, const FcNode *node) {
    const FcProgram *const program = runner->columns->program;
    if (node->op == FC_OP_BLOCK) {
        const FcBlock *const block = fc_at(program->bytes, node->pool);
        const FcColumn *const columns = fc_at(program->bytes, block->columns);
        for (uint32_t i = 0; i < block->column_count; i++)
            if (!fc_is_guide(runner, columns[i].view)) fc_must_fetch(runner, fc_view_at(program, columns[i].view)->slot);
    } else if (node->op == FC_OP_CLASS || node->op == FC_OP_SWITCH) {
        if (!fc_is_guide(runner, node->length & 0xFFFF)) fc_must_fetch(runner, node->slot);
    } else if (node->op != FC_OP_FORK) {
        fc_must_fetch(runner, node->slot);
    }
}

static void fc_find_guides(FcRunner *runner) {
    const FcProgram *const program = runner->columns->program;
    const FcHeader *const header = fc_header(program);
    for (uint32_t i = 0; i < header->view_count; i++) {
        const FcView *const view = fc_view_at(program, i);
        if (!fc_is_guide(runner, i)) continue;
        runner->guides[runner->guide_count++] = i;
        runner->present[view->slot >> 6] |= fc_have_bit(view->slot);
    }
    for (uint32_t i = 0; i < header->node_count; i++) fc_find_asked(runner, &program->nodes[i]);
    for (uint32_t i = 0; i < header->leaf_count; i++)
        if (program->leaves[i].kind == FC_LEAF_SPLIT) fc_must_fetch(runner, program->leaves[i].slot);
}

/* ---- a batch ---------------------------------------------------------------------------------------------------------------------------- */

static void fc_walk_guided(FcRunner *runner, uint32_t row, uint32_t *outcome) {
    const FcProgram *const program = runner->columns->program;
    FcFrame *const frame = &runner->frame;
    const FcSource source = {frame->have, fc_fetch_cell, runner, FC_FORM_LOCAL};
    FcForks state;
    fc_forget(program, frame);
    for (uint32_t i = 0; i < runner->guide_count; i++) {
        const uint32_t view = runner->guides[i];
        fc_remember(frame, fc_view_at(program, view)->memo, runner->classes[view].memo.numbers[row]);
    }
    *outcome = fc_finish(program, frame, fc_decide_any((FcForkWalk){program, frame, source, &state}, program->entry), source).outcome;
}

static void fc_run_guided(FcRunner *runner, uint32_t *outcomes) {
    for (uint32_t i = 0; i < runner->guide_count; i++) fc_classes_of(runner, runner->guides[i], (FcRows){NULL, runner->batch});
    for (uint32_t row = 0; row < runner->batch; row++) {
        runner->row = runner->first + row;
        fc_walk_guided(runner, row, &outcomes[row]);
        fc_forget_row(runner);
    }
}

#endif
