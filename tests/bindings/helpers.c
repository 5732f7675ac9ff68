/* What the C binding keeps to itself, as functions for tests to ask. Built by tests/bindings/test_c_binding.py. */
#include "sha256.h"
#include "utf8.h"

void test_sha256(const uint8_t *bytes, size_t length, uint8_t digest[32]);
int test_is_utf8(const uint8_t *bytes, size_t length);

void test_sha256(const uint8_t *bytes, size_t length, uint8_t digest[32]) {
    fcs_sha256(bytes, length, digest);
}

int test_is_utf8(const uint8_t *bytes, size_t length) {
    return fcs_is_utf8(bytes, length);
}
