/* Reads a table of cases (bindings/case_table.py), for the conformance runner and the bench. Every text and list gets memory of exactly its
 * size, so that a sanitizer sees a read beyond; nothing is freed before the process ends. Tables are our own: what is wrong in one ends the
 * process.
 */
#ifndef FLAGCORE_CASES_H
#define FLAGCORE_CASES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flagcore.h"

typedef struct {
    FcsText id, flag_key; /* both end with a zero as well */
    uint32_t type;        /* FC_VALUE_* */
    int64_t at;
    int is_context; /* false: what stands there is no context */
    FcsAttribute *attributes;
    uint32_t attribute_count;
    FcsValue default_value, expected;
    FcsText variant, reason, error_code, rule; /* bytes NULL: none */
} Case;

typedef struct {
    const uint8_t *at, *end;
} Table;

static inline void *room(size_t size) {
    void *const made = malloc(size);
    if (!made && size) abort();
    return made;
}

static inline void *own(const void *content, size_t size) {
    void *const copy = room(size);
    if (size) memcpy(copy, content, size);
    return copy;
}

/* A file as it stands; ends the process where it cannot be read. */
static inline uint8_t *read_file(const char *folder, const char *name, const char *suffix, size_t *size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *const file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(2);
    }
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *const content = room(*size);
    if (fread(content, 1, *size, file) != *size) abort();
    fclose(file);
    return content;
}

static inline const uint8_t *next_bytes(Table *table, size_t size) {
    if ((size_t)(table->end - table->at) < size) abort();
    table->at += size;
    return table->at - size;
}

static inline uint32_t next_count(Table *table) {
    uint32_t count;
    memcpy(&count, next_bytes(table, 4), 4);
    return count;
}

static inline FcsText next_text(Table *table) {
    const uint32_t length = next_count(table);
    return (FcsText){own(next_bytes(table, length), length), length};
}

/* A text that ends with a zero, too. */
static inline FcsText next_name(Table *table) {
    const uint32_t length = next_count(table);
    char *const name = room(length + 1);
    memcpy(name, next_bytes(table, length), length);
    name[length] = 0;
    return (FcsText){name, length};
}

static inline FcValue next_value(Table *table);

static inline FcValue next_list(Table *table) {
    const uint32_t count = next_count(table);
    FcValue *const items = room(count * sizeof *items);
    for (uint32_t i = 0; i < count; i++) items[i] = next_value(table);
    return fcs_from_list(items, count);
}

static inline FcValue next_mapping(Table *table) {
    const uint32_t count = next_count(table);
    FcsAttribute *const attributes = room(count * sizeof *attributes);
    for (uint32_t i = 0; i < count; i++) {
        attributes[i].name = next_text(table);
        attributes[i].value = next_value(table);
    }
    return fcs_from_mapping(attributes, count);
}

static inline FcValue next_number(Table *table, uint8_t kind) {
    FcValue value = fcs_from_integer(0);
    memcpy(&value.u, next_bytes(table, 8), 8);
    value.type = kind == 'i' ? FC_INTEGER : kind == 'd' ? FC_FLOAT : FC_TIME;
    return value;
}

static inline FcValue next_value(Table *table) {
    const uint8_t kind = *next_bytes(table, 1);
    if (kind == 'i' || kind == 'd' || kind == 'T') return next_number(table, kind);
    if (kind == 's' || kind == 'b') {
        const FcsText text = next_text(table);
        return kind == 's' ? fcs_from_bytes(text.bytes, text.length) : fcs_from_subject(text.bytes, text.length);
    }
    if (kind == 't' || kind == 'f') return fcs_from_boolean(kind == 't');
    return kind == 'n' ? fcs_null() : kind == 'l' ? next_list(table) : kind == 'm' ? next_mapping(table) : fcs_other();
}

/* A default or expected value. */
static inline FcsValue next_result(Table *table, uint32_t type) {
    const FcValue value = next_value(table);
    FcsValue result = {.text = {NULL, 0}};
    if (type == FC_VALUE_BOOLEAN)
        result.boolean = value.u.integer != 0;
    else if (type == FC_VALUE_INTEGER)
        result.integer = value.u.integer;
    else if (type == FC_VALUE_FLOAT)
        result.number = value.u.number;
    else
        result.text = (FcsText){(const char *)value.u.bytes, value.length};
    return result;
}

static inline FcsText next_optional(Table *table) {
    const FcValue value = next_value(table);
    return value.type == FC_NULL ? (FcsText){NULL, 0} : (FcsText){(const char *)value.u.bytes, value.length};
}

static inline Case next_case(Table *table) {
    Case made = {.id = next_name(table)};
    made.flag_key = next_name(table);
    made.type = *next_bytes(table, 1);
    memcpy(&made.at, next_bytes(table, 8), 8);
    made.is_context = *table->at != 'x';
    const FcValue context = next_value(table);
    if (made.is_context) {
        made.attributes = (FcsAttribute *)(uintptr_t)context.u.bytes;
        made.attribute_count = context.length;
    }
    made.default_value = next_result(table, made.type);
    made.expected = next_result(table, made.type);
    made.variant = next_optional(table);
    made.reason = next_text(table);
    made.error_code = next_optional(table);
    made.rule = next_optional(table);
    return made;
}

/* Open a compiled file in memory of exactly the size that it asks for; ends the process where it is refused. */
static inline FcsFlags *open_flags(const uint8_t *bytes, size_t length) {
    size_t size;
    FcsFlags *flags;
    uint32_t status = fcs_size(bytes, length, &size);
    if (!status) status = fcs_open(bytes, length, malloc(size), size, &flags);
    if (status) {
        fprintf(stderr, "%s\n", fcs_status_text(status));
        exit(1);
    }
    return flags;
}

static inline FcsContext *open_context(const FcsFlags *flags) {
    const size_t size = fcs_context_size(flags);
    return fcs_context_open(flags, malloc(size), size);
}

#endif
