#include "sha256.h"

enum { BLOCK = 64 };

static const uint32_t constants[64] = { /* fractions of the cube roots of the first 64 primes (4.2.2) */
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t word, int count) {
    return word >> count | word << (32 - count);
}

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The message schedule (6.2.2, step 1). */
static void schedule(const uint8_t *block, uint32_t words[64]) {
    for (int t = 0; t < 16; t++) words[t] = big_endian(block + 4 * t);
    for (int t = 16; t < 64; t++) {
        const uint32_t a = words[t - 15], b = words[t - 2];
        const uint32_t low = rotated(a, 7) ^ rotated(a, 18) ^ a >> 3, high = rotated(b, 17) ^ rotated(b, 19) ^ b >> 10;
        words[t] = words[t - 16] + low + words[t - 7] + high;
    }
}

/* 6.2.2, steps 2 to 4. */
static void add_block(uint32_t state[8], const uint8_t *block) {
    uint32_t words[64], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    schedule(block, words);
    for (int t = 0; t < 64; t++) {
        const uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
        const uint32_t first = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + choice + constants[t] + words[t];
        const uint32_t second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + majority;
        h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* What is left behind the last whole block, with the padding of 5.1.1: one block or two. */
static void add_rest(uint32_t state[8], const uint8_t *rest, size_t left, uint64_t length) {
    uint8_t blocks[2 * BLOCK] = {0};
    const size_t size = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    for (size_t i = 0; i < left; i++) blocks[i] = rest[i];
    blocks[left] = 0x80;
    for (size_t i = 0; i < 8; i++) blocks[size - 1 - i] = (uint8_t)(length * 8 >> 8 * i);
    for (size_t at = 0; at < size; at += BLOCK) add_block(state, blocks + at);
}

void fcs_sha256(const uint8_t *bytes, size_t length, uint8_t digest[32]) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    size_t at = 0;
    for (; length - at >= BLOCK; at += BLOCK) add_block(state, bytes + at);
    add_rest(state, bytes + at, length - at, length);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
