/* Proves views and the constants that they share with nodes: numbers, versions, times, addresses, prefixes. */
#include "parse.h"
#include "proof.h"
#include "sets.h"

/* A reference to a value-set object. */
uint32_t fc_prove_set_reference(const FcProof *proof, uint32_t link) {
    const FcHeader *const header = fc_at(proof->bytes, 0);
    const FcLink *const links = fc_at(proof->bytes, header->link_offset);
    return link < header->link_count && links[link].kind == FC_LINK_SET ? FC_OK : FC_BAD_LINK;
}

/* ---- ordered constants -------------------------------------------------------------------------------------------- */

static FcValue number_value(const FcNumber *number) {
    FcValue value = {.type = number->is_double ? FC_FLOAT : FC_INTEGER};
    if (number->is_double)
        value.u.number = fc_as_double(number->bits);
    else
        value.u.integer = (int64_t)number->bits;
    return value;
}

static uint32_t prove_numbers(const FcProof *proof, const FcView *view) {
    if (!fc_fits(proof, view->data, view->count, sizeof(FcNumber), 8)) return FC_BAD_CONSTANT;
    const FcNumber *const numbers = fc_at(proof->bytes, view->data);
    for (uint32_t i = 0; i < view->count; i++) {
        if (numbers[i].is_double > 1) return FC_BAD_CONSTANT;
        if (numbers[i].is_double && !fc_is_proper_double(fc_as_double(numbers[i].bits))) return FC_BAD_CONSTANT;
        if (i == 0) continue;
        const FcValue before = number_value(&numbers[i - 1]);
        if (fc_compare_number(&before, numbers[i].bits, (int)numbers[i].is_double) != -1) return FC_BAD_CONSTANT;
    }
    return FC_OK;
}

static uint32_t prove_times(const FcProof *proof, const FcView *view) {
    if (!fc_fits(proof, view->data, view->count, 8, 8)) return FC_BAD_CONSTANT;
    const int64_t *const times = fc_at(proof->bytes, view->data);
    for (uint32_t i = 1; i < view->count; i++)
        if (times[i - 1] >= times[i]) return FC_BAD_CONSTANT;
    return FC_OK;
}

/* A version: pre-release identifiers that are some, and the packed form of the rest. */
uint32_t fc_prove_version(const FcProof *proof, uint64_t offset) {
    if (!fc_fits(proof, offset, 1, sizeof(FcVersion), 8)) return FC_BAD_CONSTANT;
    const FcVersion *const version = fc_at(proof->bytes, (size_t)offset);
    if (!fc_fits_text(proof, version->pre)) return FC_BAD_CONSTANT;
    if (!fc_charge(proof, sizeof *version + 2 * (uint64_t)version->pre.length)) return FC_TOO_COSTLY;
    const uint8_t *pre = proof->bytes + version->pre.offset, *const end = pre + version->pre.length;
    if (version->pre.length && !(fc_skip_identifiers(&pre, end, 1) && pre == end)) return FC_BAD_CONSTANT;
    const uint64_t packed = fc_pack_version(version->major, version->minor, version->patch, version->pre.length == 0);
    return version->packed == packed ? FC_OK : FC_BAD_CONSTANT;
}

static uint32_t prove_versions(const FcProof *proof, const FcView *view) {
    if (!fc_fits(proof, view->data, view->count, sizeof(FcVersion), 8)) return FC_BAD_CONSTANT;
    const FcVersion *const versions = fc_at(proof->bytes, view->data);
    for (uint32_t i = 0; i < view->count; i++) {
        const uint32_t status = fc_prove_version(proof, view->data + (uint64_t)i * sizeof(FcVersion));
        if (status) return status;
        if (i == 0) continue;
        const FcVersion *const before = &versions[i - 1];
        const uint8_t *const pre = proof->bytes + before->pre.offset;
        const FcVersionParts parts = {before->major, before->minor, before->patch, pre, before->pre.length};
        if (fc_order_parts(&parts, &versions[i], proof->bytes) >= 0) return FC_BAD_CONSTANT;
    }
    return FC_OK;
}

/* ---- addresses ------------------------------------------------------------------------------------------------------ */

uint32_t fc_prove_address(const FcAddress *address) {
    const int sound = address->family == 4 ? address->high == 0 && address->low >> 32 == 0 : address->family == 6;
    return sound ? FC_OK : FC_BAD_CONSTANT;
}

static uint32_t prove_cuts(const FcProof *proof, const FcView *view) {
    if (!fc_fits(proof, view->data, view->count, sizeof(FcAddress), 8)) return FC_BAD_CONSTANT;
    const FcAddress *const cuts = fc_at(proof->bytes, view->data);
    for (uint32_t i = 0; i < view->count; i++) {
        const int top = cuts[i].family == 7 && cuts[i].high == 0 && cuts[i].low == 0;
        if (!top && fc_prove_address(&cuts[i])) return FC_BAD_CONSTANT;
        if (i && fc_order_addresses(&cuts[i - 1], &cuts[i]) >= 0) return FC_BAD_CONSTANT;
    }
    return FC_OK;
}

/* ---- prefixes ---------------------------------------------------------------------------------------------------------- */

static uint32_t shared_bytes(const uint8_t *a, uint32_t an, const uint8_t *b, uint32_t bn) {
    uint32_t n = 0;
    while (n < an && n < bn && a[n] == b[n]) n++;
    return n;
}

/* Comes pattern i after the one before it, and is its parent the longest of that one's parents, or that one itself, that
 * it begins with? */
static int follows(const FcProof *proof, const FcAffix *patterns, uint32_t i) {
    const FcText text = patterns[i].text, before = patterns[i - 1].text;
    const uint8_t *const bytes = proof->bytes;
    const uint32_t n = shared_bytes(bytes + before.offset, before.length, bytes + text.offset, text.length);
    if (n == text.length || (n < before.length && bytes[before.offset + n] > bytes[text.offset + n])) return 0;
    uint32_t parent = i - 1;
    while (parent != FC_NONE && patterns[parent].text.length > n) parent = patterns[parent].parent;
    return patterns[i].parent == parent;
}

static uint32_t prove_affixes(const FcProof *proof, const FcView *view) {
    if (!fc_fits(proof, view->data, view->count, sizeof(FcAffix), 8)) return FC_BAD_CONSTANT;
    const FcAffix *const patterns = fc_at(proof->bytes, view->data);
    for (uint32_t i = 0; i < view->count; i++) {
        const FcText text = patterns[i].text;
        if (!fc_fits_text(proof, text)) return FC_BAD_CONSTANT;
        if (!fc_charge(proof, 2 * (uint64_t)text.length)) return FC_TOO_COSTLY;
        if (view->flags & FC_VIEW_FOLD && !fc_is_lower(proof->bytes + text.offset, text.length)) return FC_BAD_CONSTANT;
        if (i == 0 ? patterns[0].parent != FC_NONE : !follows(proof, patterns, i)) return FC_BAD_CONSTANT;
    }
    return FC_OK;
}

/* ---- views ------------------------------------------------------------------------------------------------------------- */

static uint32_t prove_view_set(const FcProof *proof, const FcView *view) {
    return view->link == FC_NONE ? fc_prove_inline_set(proof, view->data) : fc_prove_set_reference(proof, view->link);
}

static int is_class(uint32_t value, const void *view) {
    return value >= 3 && value < ((const FcView *)view)->classes;
}

static uint32_t prove_data(const FcProof *proof, const FcView *view) {
    switch (view->kind) {
    case FC_VIEW_TEXT:
        return fc_prove_table(proof, view->data, view->flags & FC_VIEW_FOLD, is_class, view);
    case FC_VIEW_NUMBER:
        return prove_numbers(proof, view);
    case FC_VIEW_VERSION:
        return prove_versions(proof, view);
    case FC_VIEW_TIME:
        return prove_times(proof, view);
    case FC_VIEW_ADDRESS:
        return prove_cuts(proof, view);
    case FC_VIEW_PREFIX:
    case FC_VIEW_SUFFIX:
        return prove_affixes(proof, view);
    case FC_VIEW_SET:
        return prove_view_set(proof, view);
    case FC_VIEW_AUTOMATON:
        return fc_prove_automaton(proof, view->data);
    default:
        return FC_OK;
    }
}

/* How many classes has a view of this kind? */
static uint64_t classes_of(const FcView *view) {
    const uint64_t count = view->count;
    switch (view->kind) {
    case FC_VIEW_PRESENCE:
        return 3;
    case FC_VIEW_BOOLEAN:
    case FC_VIEW_SET:
        return 4;
    case FC_VIEW_NUMBER:
    case FC_VIEW_VERSION:
    case FC_VIEW_TIME:
        return 3 + 2 * count;
    case FC_VIEW_AUTOMATON:
        return view->classes;
    default:
        return 3 + count;
    }
}

uint32_t fc_prove_view(const FcProof *proof, const FcView *view) {
    const FcHeader *const header = fc_at(proof->bytes, 0);
    const int folds = view->kind == FC_VIEW_TEXT || view->kind == FC_VIEW_PREFIX || view->kind == FC_VIEW_SUFFIX;
    if (view->kind >= FC_VIEW_COUNT || view->flags > (folds ? FC_VIEW_FOLD : 0) || view->pad || view->reserved) return FC_BAD_VIEW;
    if (view->slot >= header->slot_count || view->classes != classes_of(view)) return FC_BAD_VIEW;
    if (view->memo != FC_NO_MEMO && view->memo >= header->memo_count) return FC_BAD_MEMO;
    if (view->kind != FC_VIEW_SET && view->link != FC_NONE) return FC_BAD_VIEW;
    if (!fc_charge(proof, (uint64_t)view->count * 24)) return FC_TOO_COSTLY;
    return prove_data(proof, view);
}
