/* The control of tables: XXH64 of every text of a column and a comparison with a gate's threshold, in plain C, nothing else. */
#include "bucket.h"

/* How many of the rows lie below `threshold`; offsets are Arrow's. */
uint64_t hash_column(const int32_t *offsets, const uint8_t *bytes, int64_t rows, uint64_t seed, uint32_t threshold) {
    uint64_t inside = 0;
    for (int64_t i = 0; i < rows; i++) {
        const uint64_t hash = fc_xxh64(bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]), seed);
        inside += fc_bucket_of(hash) < threshold;
    }
    return inside;
}
