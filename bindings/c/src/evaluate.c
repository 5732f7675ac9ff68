/* Getters: docs/design/flag-format.md section 3, steps 0 to 2; the kernel walks the rest. */
#include "evaluate.h"

#include "bytes.h"

enum { ANY_TYPE = 255 };

enum { /* Answer.error */
    NO_ERROR,
    PROVIDER_NOT_READY,
    INVALID_CONTEXT,
    FLAG_NOT_FOUND,
    TYPE_MISMATCH,
    TARGETING_KEY_MISSING
};

typedef struct { /* of one evaluation */
    const FcProgram *flag; /* NULL: not found */
    const FcVariant *variant; /* NULL: the caller's default value */
    uint32_t leaf; /* FC_NONE: not walked */
    uint32_t error;
} Answer;

/* ---- answers ---------------------------------------------------------------------------------------------------------------- */

static Answer failed(const FcProgram *flag, uint32_t error) {
    return (Answer){flag, NULL, FC_NONE, error};
}

static Answer answer_of(const FcProgram *flag, FcResult result) {
    const FcHeader *const header = fc_at(flag->bytes, 0);
    const FcVariant *const variants = fc_at(flag->bytes, header->variant_offset);
    const FcLeaf *const leaf = &flag->leaves[result.leaf];
    if (result.variant != FC_NONE) return (Answer){flag, &variants[result.variant], result.leaf, NO_ERROR};
    const int no_subject = leaf->kind == FC_LEAF_SPLIT || leaf->reason == FC_REASON_ERROR;
    return (Answer){flag, NULL, result.leaf, no_subject ? TARGETING_KEY_MISSING : NO_ERROR};
}

static size_t length_of(const char *text) {
    size_t length = 0;
    while (text && text[length]) length++;
    return length;
}

static int is_readable_as(uint32_t declared, uint32_t asked) {
    return asked == ANY_TYPE || asked == declared || (asked == FC_VALUE_FLOAT && declared == FC_VALUE_INTEGER);
}

static Answer evaluate(const FcsFlags *flags, const char *key, uint32_t asked, FcsContext *context) {
    if (!flags) return failed(NULL, PROVIDER_NOT_READY);
    if (!context || context->flags != flags) return failed(NULL, INVALID_CONTEXT);
    const FcProgram *const flag = fcs_find(flags, key, length_of(key));
    if (!flag) return failed(NULL, FLAG_NOT_FOUND);
    if (!is_readable_as(flag->value_type, asked)) return failed(flag, TYPE_MISMATCH);
    return answer_of(flag, fc_walk(flag, &context->frame, fcs_fetch, context));
}

const FcProgram *fcs_find(const FcsFlags *flags, const char *flag_key, size_t length) {
    return flag_key ? fc_find(flags->linked, (const uint8_t *)flag_key, length) : NULL;
}

/* ---- values ----------------------------------------------------------------------------------------------------------------- */

static FcsText text_at(const FcProgram *flag, FcText text) {
    return (FcsText){(const char *)flag->bytes + text.offset, text.length};
}

static double float_of(const FcProgram *flag, const FcVariant *variant) {
    return flag->value_type == FC_VALUE_INTEGER ? (double)(int64_t)variant->scalar : fc_as_double(variant->scalar);
}

/* A variant's value, read as this type. */
static FcsValue value_of(const FcProgram *flag, const FcVariant *variant, uint32_t type) {
    FcsValue value = {.text = {NULL, 0}};
    if (type == FC_VALUE_BOOLEAN)
        value.boolean = variant->scalar != 0;
    else if (type == FC_VALUE_INTEGER)
        value.integer = (int64_t)variant->scalar;
    else if (type == FC_VALUE_FLOAT)
        value.number = float_of(flag, variant);
    else
        value.text = text_at(flag, variant->value);
    return value;
}

int fcs_get_boolean_value(const FcsFlags *flags, const char *flag_key, int default_value, FcsContext *context) {
    const Answer answer = evaluate(flags, flag_key, FC_VALUE_BOOLEAN, context);
    return answer.variant ? answer.variant->scalar != 0 : default_value;
}

int64_t fcs_get_integer_value(const FcsFlags *flags, const char *flag_key, int64_t default_value, FcsContext *context) {
    const Answer answer = evaluate(flags, flag_key, FC_VALUE_INTEGER, context);
    return answer.variant ? (int64_t)answer.variant->scalar : default_value;
}

double fcs_get_float_value(const FcsFlags *flags, const char *flag_key, double default_value, FcsContext *context) {
    const Answer answer = evaluate(flags, flag_key, FC_VALUE_FLOAT, context);
    return answer.variant ? float_of(answer.flag, answer.variant) : default_value;
}

static FcsText get_text(const FcsFlags *flags, const char *flag_key, uint32_t type, FcsText default_value, FcsContext *context) {
    const Answer answer = evaluate(flags, flag_key, type, context);
    return answer.variant ? text_at(answer.flag, answer.variant->value) : default_value;
}

FcsText fcs_get_string_value(const FcsFlags *flags, const char *flag_key, FcsText default_value, FcsContext *context) {
    return get_text(flags, flag_key, FC_VALUE_STRING, default_value, context);
}

FcsText fcs_get_object_value(const FcsFlags *flags, const char *flag_key, FcsText default_value, FcsContext *context) {
    return get_text(flags, flag_key, FC_VALUE_OBJECT, default_value, context);
}

/* ---- details ---------------------------------------------------------------------------------------------------------------- */

static void set_error(FcsDetails *details, uint32_t error) {
    static const char *const words[][2] = {
        [NO_ERROR] = {NULL, NULL},
        [PROVIDER_NOT_READY] = {"PROVIDER_NOT_READY", "no flags have been opened yet"},
        [INVALID_CONTEXT] = {"INVALID_CONTEXT", "there is no context, or it was opened for other flags"},
        [FLAG_NOT_FOUND] = {"FLAG_NOT_FOUND", "there is no flag with this key"},
        [TYPE_MISMATCH] = {"TYPE_MISMATCH", "the flag has another type"},
        [TARGETING_KEY_MISSING] = {"TARGETING_KEY_MISSING", "the value to bucket by is missing, or of a kind that cannot be bucketed"},
    };
    details->error_code = words[error][0];
    details->error_message = words[error][1];
}

static void set_rule(FcsDetails *details, const FcProgram *flag, uint32_t rule) {
    const FcHeader *const header = fc_at(flag->bytes, 0);
    if (rule == FC_NONE) return;
    if (rule & FC_RULE_REQUIRES) {
        const FcLink *const links = fc_at(flag->bytes, header->link_offset);
        details->rule_prefix = "requires:";
        details->rule = text_at(flag, links[rule & ~FC_RULE_REQUIRES].name);
        return;
    }
    const FcText *const rules = fc_at(flag->bytes, header->rule_offset);
    details->rule = text_at(flag, rules[rule]);
}

/* What the leaf says. */
static void set_reason(FcsDetails *details, const Answer *answer) {
    static const char *const reasons[] = {
        [FC_REASON_STATIC] = "STATIC",
        [FC_REASON_DEFAULT] = "DEFAULT",
        [FC_REASON_TARGETING_MATCH] = "TARGETING_MATCH",
        [FC_REASON_SPLIT] = "SPLIT",
        [FC_REASON_DISABLED] = "DISABLED",
        [FC_REASON_ERROR] = "ERROR",
    };
    const FcLeaf *const leaf = &answer->flag->leaves[answer->leaf];
    if (!answer->error) details->reason = reasons[leaf->reason];
    set_rule(details, answer->flag, leaf->rule);
}

static FcsDetails details_of(Answer answer, const char *key, uint32_t asked, FcsValue default_value) {
    FcsDetails details = {.value = default_value, .flag_key = {key, length_of(key)}, .reason = "ERROR", .rule_prefix = ""};
    set_error(&details, answer.error);
    if (!answer.flag) return details;
    details.flag_key = fcs_flag_key(answer.flag);
    details.flag_metadata = text_at(answer.flag, ((const FcHeader *)fc_at(answer.flag->bytes, 0))->metadata);
    if (answer.leaf != FC_NONE) set_reason(&details, &answer);
    if (!answer.variant) return details;
    details.variant = text_at(answer.flag, answer.variant->name);
    details.value = value_of(answer.flag, answer.variant, asked == ANY_TYPE ? answer.flag->value_type : asked);
    return details;
}

static FcsDetails get_details(const FcsFlags *flags, const char *flag_key, uint32_t type, FcsValue default_value, FcsContext *context) {
    return details_of(evaluate(flags, flag_key, type, context), flag_key, type, default_value);
}

FcsDetails fcs_get_boolean_details(const FcsFlags *flags, const char *flag_key, int default_value, FcsContext *context) {
    return get_details(flags, flag_key, FC_VALUE_BOOLEAN, (FcsValue){.boolean = default_value}, context);
}

FcsDetails fcs_get_string_details(const FcsFlags *flags, const char *flag_key, FcsText default_value, FcsContext *context) {
    return get_details(flags, flag_key, FC_VALUE_STRING, (FcsValue){.text = default_value}, context);
}

FcsDetails fcs_get_integer_details(const FcsFlags *flags, const char *flag_key, int64_t default_value, FcsContext *context) {
    return get_details(flags, flag_key, FC_VALUE_INTEGER, (FcsValue){.integer = default_value}, context);
}

FcsDetails fcs_get_float_details(const FcsFlags *flags, const char *flag_key, double default_value, FcsContext *context) {
    return get_details(flags, flag_key, FC_VALUE_FLOAT, (FcsValue){.number = default_value}, context);
}

FcsDetails fcs_get_object_details(const FcsFlags *flags, const char *flag_key, FcsText default_value, FcsContext *context) {
    return get_details(flags, flag_key, FC_VALUE_OBJECT, (FcsValue){.text = default_value}, context);
}

FcsText fcs_flag_key(const FcProgram *flag) {
    return text_at(flag, ((const FcHeader *)fc_at(flag->bytes, 0))->key);
}

FcsDetails fcs_details_of(const FcProgram *flag, FcResult result) {
    return details_of(answer_of(flag, result), NULL, ANY_TYPE, (FcsValue){.text = {NULL, 0}});
}

FcsDetails fcs_evaluate(const FcProgram *flag, FcsContext *context) {
    return fcs_details_of(flag, fc_walk(flag, &context->frame, fcs_fetch, context));
}
