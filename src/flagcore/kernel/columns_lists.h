/* `contains` by column: the elements of lists are tried where they lie, without a list of values being made of them. SAFETY: as in
 * fields.h; the host has proved that lists stay inside their elements.
 */
#ifndef FLAGCORE_COLUMNS_LISTS_H
#define FLAGCORE_COLUMNS_LISTS_H

#include "columns_known.h"
#include "columns_numbers.h"

/* Is element `row` a member of `what`, a set or what is known of distinct values? */
typedef int (*FcIsMember)(const FcField *elements, int64_t row, const void *what);

FC_INLINE int fc_is_member_text(const FcField *elements, int64_t row, const void *set) {
    const FcSpan span = fc_text_span(elements, elements->offset + row);
    FcValue value = {.u.bytes = span.bytes, .length = (uint32_t)span.length, .type = FC_TEXT};
    return !fc_is_null(elements, row) && fc_has_text(set, &value) == FC_TRUE;
}

FC_INLINE int fc_is_member_known(const FcField *elements, int64_t row, const void *what) {
    const FcKnown *const known = what;
    const uint64_t index = fc_unsigned_at(elements->data, elements->offset + row, elements->width);
    return index < fc_index_limit(elements, known->count - 1) && !fc_is_null(elements, row) && known->codes[index];
}

FC_INLINE int fc_is_member_any(const FcField *elements, int64_t row, const void *set) {
    uint8_t text[FC_ROOM_BYTES];
    FcValue value;
    fc_read_scalar(fc_resolve(elements, row), &value, text);
    return fc_has(set, &value) == FC_TRUE;
}

FC_INLINE void fc_codes_contains_by(FcSpot spot, const void *what, uint8_t *codes, FcIsMember is_member) {
    const FcField *const elements = spot.field->child;
    const int shape = fc_shape(spot);
    for (uint32_t i = 0; i < spot.count; i++) {
        const uint32_t row = fc_row(spot, i, shape);
        const FcRange range = fc_list_range(spot.field, spot.at + row);
        int truth = FC_FALSE;
        for (int64_t at = range.start; at < range.start + range.length && !truth; at++) truth = is_member(elements, at, what);
        codes[i] = (uint8_t)(fc_has_row(spot, row, shape) ? truth : FC_UNKNOWN);
    }
}

/* Are the elements of the batch's lists texts that are UTF-8, standing one behind the other? Else each is looked at. */
static int fc_are_text_lists(FcRunner *runner, uint32_t place, const FcField *field) {
    const FcField *const elements = field->child;
    int8_t *const note = &runner->soundness[place];
    if (field->kind == FC_FIELD_LIST_VIEW || elements->kind != FC_FIELD_TEXT || elements->flags & FC_FIELD_BINARY) return 0;
    if (*note) return *note > 0;
    const FcRange first = fc_list_range(field, field->offset + runner->first);
    const FcRange last = fc_list_range(field, field->offset + runner->first + runner->batch - 1);
    const int64_t count = last.start + last.length - first.start;
    if (count <= 0 || count > INT32_MAX) return fc_is_noted(note, count == 0);
    return fc_is_noted(note, fc_is_sound_batch(elements, elements->offset + first.start, (uint32_t)count));
}

/* The truth of `contains` for lists of any elements; an absent set holds nothing. */
static void fc_codes_contains(FcRunner *runner, const FcNode *node, const FcKnown *known, FcSpot spot, uint8_t *codes) {
    const FcSet *const set = fc_node_set(runner->columns->program, node);
    if (set == NULL)
        fc_codes_not_null(spot, codes, FC_FALSE);
    else if (known->codes)
        fc_codes_contains_by(spot, known, codes, fc_is_member_known);
    else if (set->kinds & FC_KIND_TEXT && fc_are_text_lists(runner, node->slot, spot.field))
        fc_codes_contains_by(spot, set, codes, fc_is_member_text);
    else
        fc_codes_contains_by(spot, set, codes, fc_is_member_any);
}

#endif
