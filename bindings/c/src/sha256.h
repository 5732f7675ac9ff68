/* SHA-256 (FIPS 180-4) of bytes that are there as a whole. */
#ifndef FLAGCORE_SHA256_H
#define FLAGCORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

void fcs_sha256(const uint8_t *bytes, size_t length, uint8_t digest[32]);

#endif
