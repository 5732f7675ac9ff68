/* flagcore kernel: verifies compiled flags ("programs") and walks them.
 *
 * C11, freestanding: no allocation, no recursion, no I/O, no clock, no Python. The caller owns all memory.
 * This header is the documentation: byte layouts, evaluation state, and the public C interface. The walk itself is
 * in walk.h as static inline code, so that a host gets its own fetch inlined; kernel.c instantiates the functions
 * declared here from the same source.
 *
 * Program: one flag, position independent, little endian, 8-aligned, offsets count from its first byte:
 *
 *     +--------+---------+-------+-------+-------+----------+-------+-------+------+
 *     | header | nodes   | leaves| slots | views | variants | rules | links | pool |
 *     | 112 B  | 32 B ea.| 32 B  | 16 B  | 32 B  | 32 B     | 8 B   | 16 B  |      |
 *     +--------+---------+-------+-------+-------+----------+-------+-------+------+
 *
 * Exits point forward only (an exit's node index is greater than its node's own index): one comparison per exit proves
 * the graph acyclic and every walk bounded. fc_verify proves every index, offset, length, table and automaton once;
 * the walk then checks nothing, and no bytes may reach it by another door.
 */
#ifndef FLAGCORE_KERNEL_H
#define FLAGCORE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define FC_PROGRAM_MAGIC 0x47504346u /* "FCPG" */
#define FC_SET_MAGIC     0x54534346u /* "FCST" */
#define FC_FORMAT        1u
#define FC_HASH_XXH64    1u
#define FC_LEAF          0x80000000u /* an exit with this bit is a leaf index, not a node index */
#define FC_NONE          0xFFFFFFFFu /* as an exit: no row here; see "several answers" at the nodes */
#define FC_BUCKETS       1000000u    /* buckets of a gate (bucketing.md 2.4) */
#define FC_MAX_DEPTH     64u         /* longest chain of prerequisites */
#define FC_NO_MEMO       0xFFFFu
#define FC_PROVED_STEPS  1024u       /* up to so many nodes fc_verify computes the longest walk; beyond, the program carries it */
#define FC_FORK_DEPTH    64u         /* FORK and MULTI nodes inside one another's branches */
#define FC_BLOCK_ROWS    64u         /* rows of a BLOCK: bits of a mask */
#define FC_SLOT_NOW      0u          /* evaluation slot of the evaluation time; attribute slots count from 1 */

/* ---- values ------------------------------------------------------------------------------------------------- */

enum { /* FcValue.type */
    FC_MISSING = 0, /* not found: class 0 */
    FC_NULL = 1,    /* null: class 0 */
    FC_BOOLEAN = 2, /* u.integer 0 or 1 */
    FC_INTEGER = 3, /* u.integer */
    FC_FLOAT = 4,   /* u.number; NaN is unknown in every test */
    FC_TEXT = 5,    /* u.bytes, length: valid UTF-8 */
    FC_TIME = 6,    /* u.integer: microseconds since 1970-01-01T00:00:00Z (an aware datetime, or `now`) */
    FC_LIST = 7,    /* u.items, length: elements, nested lists as FC_OTHER */
    FC_SUBJECT = 8, /* u.bytes, length: wrong type for every test, but bucketable by these bytes (bytes objects, UUIDs,
                       integers beyond int64 as decimal text, texts with lone surrogates replaced by EF BF BD) */
    FC_OTHER = 9    /* present, wrong type for every test, not bucketable */
};

enum { /* FcValue.done: what has been computed */
    FC_DONE_HASH = 1,       /* hash = XXH64(bytes, 0) */
    FC_DONE_VERSION = 4,    /* parsed holds a packed version, see walk.h */
    FC_DONE_NO_VERSION = 8, /* the text is not a version */
    FC_DONE_TIME = 16,      /* parsed holds microseconds */
    FC_DONE_NO_TIME = 32    /* the text is not a time */
};

typedef struct FcValue { /* 32 bytes: one attribute in one evaluation */
    union {
        const uint8_t *bytes;        /* FC_TEXT, FC_SUBJECT; must stay valid for the evaluation */
        const struct FcValue *items; /* FC_LIST */
        int64_t integer;
        double number;
    } u;
    uint64_t hash;   /* valid with FC_DONE_HASH */
    uint64_t parsed; /* valid with FC_DONE_VERSION or FC_DONE_TIME */
    uint32_t length; /* bytes, or elements */
    uint8_t type;    /* FC_MISSING.. */
    uint8_t done;    /* FC_DONE_*; the host sets 0 */
    uint16_t pad;
} FcValue;

/* ---- program layout ----------------------------------------------------------------------------------------- */

typedef struct { /* 8 bytes: a byte string inside the object */
    uint32_t offset;
    uint32_t length;
} FcText;

enum { FC_VALUE_BOOLEAN = 0, FC_VALUE_STRING = 1, FC_VALUE_INTEGER = 2, FC_VALUE_FLOAT = 3, FC_VALUE_OBJECT = 4 };

enum { FC_PROGRAM_FORKED = 1 /* FcHeader.flags: FORK, BLOCK and MULTI nodes, and FC_NONE as an exit, may occur */ };

typedef struct { /* 112 bytes */
    uint32_t magic;       /* FC_PROGRAM_MAGIC */
    uint16_t format;      /* FC_FORMAT */
    uint16_t min_reader;  /* lowest kernel format that can read it */
    uint32_t size;        /* of the whole program */
    uint8_t hash_id;      /* FC_HASH_XXH64 */
    uint8_t value_type;   /* FC_VALUE_* */
    uint16_t flags;       /* FC_PROGRAM_FORKED */
    uint32_t entry;       /* exit value: where the walk starts; a leaf for a static flag */
    uint32_t step_bound;  /* no walk takes more steps; with a bound table the steps of entry */
    uint32_t node_count;  /* nodes start at byte 112 */
    uint32_t leaf_offset, leaf_count;
    uint32_t slot_offset, slot_count;       /* slot_count <= 65535 */
    uint32_t view_offset, view_count;       /* view_count <= 65535 */
    uint32_t variant_offset, variant_count;
    uint32_t rule_offset, rule_count;       /* FcText each: rule ids in the author's order */
    uint32_t link_offset, link_count;
    uint32_t memo_count;    /* memo words that an evaluation needs, < FC_NO_MEMO */
    uint32_t outcome_count; /* distinct results, see FcLeaf */
    FcText key;             /* flag key, UTF-8 */
    FcText metadata;        /* the author's flag metadata as a JSON object, UTF-8 */
    uint32_t pool_offset;
    uint32_t bound_offset; /* bound table: uint32[node_count], see "bounds" at the nodes; 0: none. Forked programs and those of
                              more than FC_PROVED_STEPS nodes have one */
    uint32_t reserved;
} FcHeader;

enum { FC_SLOT_ATTRIBUTE = 0, FC_SLOT_TIME = 1 /* `now` */ };

typedef struct { /* 16 bytes: an attribute that the program looks at */
    FcText flat;         /* the flat key, names joined by "." (UTF-8, may contain anything) */
    uint32_t parts;      /* offset (4-aligned) of part_count uint32: byte length of each name; their sum + part_count - 1
                            == flat.length; 0 when part_count is 1 */
    uint16_t part_count; /* >= 1 */
    uint16_t kind;       /* FC_SLOT_* */
} FcSlot;

typedef struct { /* 32 bytes: one possible value */
    FcText name;
    FcText value;     /* FC_VALUE_STRING: UTF-8; FC_VALUE_OBJECT: JSON; otherwise empty */
    uint64_t scalar;  /* boolean 0/1, int64, or the bits of a double */
    uint64_t identity; /* K = XXH64(name, 0), bucketing.md 2.6 */
} FcVariant;

enum { FC_LINK_PROGRAM = 0, FC_LINK_SET = 1 };

typedef struct { /* 16 bytes: another object that this program names */
    uint32_t kind; /* FC_LINK_* */
    FcText name;   /* flag key, or name of a value-set object */
    uint32_t reserved;
} FcLink;

/* -- leaves -- */

enum { /* FcLeaf.kind */
    FC_LEAF_VARIANT = 0, /* one outcome: `variant` */
    FC_LEAF_SPLIT = 1,   /* count + 1 outcomes: contestant i in pool order, then "subject not bucketable" */
    FC_LEAF_CALLER = 2   /* one outcome: the caller's default value, no variant */
};

enum { /* FcLeaf.reason, in the order of terms.Reason's use by the evaluator */
    FC_REASON_STATIC = 0,
    FC_REASON_DEFAULT = 1,
    FC_REASON_TARGETING_MATCH = 2,
    FC_REASON_SPLIT = 3,
    FC_REASON_DISABLED = 4,
    FC_REASON_ERROR = 5
};

enum {
    FC_SPLIT_BASE_PERCENT = 1, /* g = h (bucketing.md 2.5) */
    FC_SPLIT_ON_OFF = 2        /* contestants are exactly `off` (0) and `on` (1): one compare decides */
};

#define FC_RULE_REQUIRES 0x80000000u /* FcLeaf.rule with this bit: index into links, rule id "requires:<name>" */

typedef struct { /* 32 bytes */
    uint8_t kind;      /* FC_LEAF_* */
    uint8_t reason;    /* FC_REASON_* */
    uint8_t flags;     /* FC_SPLIT_* */
    uint8_t pad;
    uint32_t rule;     /* index into rules, FC_RULE_REQUIRES | link, or FC_NONE */
    uint32_t variant;  /* FC_LEAF_VARIANT: index into variants; FC_LEAF_SPLIT: offset (8-aligned) of FcContestant[count] */
    uint32_t count;    /* FC_LEAF_SPLIT: contestants, 2.. */
    uint64_t seed;     /* FC_LEAF_SPLIT: XXH64(salt, domain) */
    uint32_t outcome;  /* first outcome; outcomes count up with the leaves, without gaps, to outcome_count */
    uint16_t slot;     /* FC_LEAF_SPLIT: attribute to bucket by */
    uint16_t memo;     /* FC_LEAF_SPLIT: memo word of the hash, shared with gates of the same (slot, seed); or FC_NO_MEMO.
                          A memo word has one owner: one view, or the hashes of one (slot, seed) */
} FcLeaf;

typedef struct { /* 16 bytes; sorted by variant name in UTF-8 order, so that the first minimum wins ties */
    uint32_t variant;
    uint32_t weight;   /* 1..2^20, reduced by the gcd */
    uint64_t identity; /* K of the variant */
} FcContestant;

/* -- tables: texts to small integers. 8-aligned, offsets from the table's first byte. -- */

enum {
    FC_TABLE_FOLD = 1,   /* keys are ASCII-lowercased and probes are folded */
    FC_TABLE_LINEAR = 2  /* count == capacity entries in a row, no probing: for a few short texts */
};

typedef struct { /* 32 bytes, then entries, then long keys */
    uint32_t size;       /* of the whole table */
    uint32_t count;      /* keys */
    uint32_t capacity;   /* entries; >= 4/3 count and > count, any number, unless LINEAR */
    uint32_t flags;      /* FC_TABLE_* */
    uint32_t min_length, max_length; /* of the keys, in bytes: a quick no */
    uint32_t reserved[2];
} FcTable;

/* Hash h of a key: XXH64 with seed 0; of keys of up to 12 bytes, with P1 and P2 of the primes of XXH64, w the first 8 bytes and t
 * the others (little endian, zero padded): x = w * P1, of 128 bits; h = low half of x ^ high half of x ^ (t | length << 32) * P2.
 * Home of h: ((h >> 32) * capacity) >> 32, then linear with wrap. */
typedef struct { /* 16 bytes */
    uint32_t meta;       /* 0 empty; else value << 8 | k: k = 1 + length for keys of 0..12 bytes (stored in key[], zero padded),
                            255 for longer ones (key = {offset, length, bits 24..55 of h}); value 0 where there are none */
    uint32_t key[3];
} FcEntry;

/* -- value sets: own objects (linked) or inline in a program's pool. 8-aligned, offsets from the set's first byte. -- */

enum { FC_KIND_TEXT = 1, FC_KIND_NUMBER = 2, FC_KIND_BOOLEAN = 4 };

typedef struct { /* 48 bytes */
    uint32_t magic;      /* FC_SET_MAGIC */
    uint16_t format, min_reader;
    uint32_t size;
    uint32_t kinds;      /* FC_KIND_*: kinds that occur; a value of another kind is "unknown" */
    uint32_t table;      /* offset of the FcTable of texts, or 0 */
    uint32_t folded;     /* offset of the FcTable (FOLD) of i"..." texts, or 0 */
    uint32_t integers, integer_count; /* offset of sorted, distinct int64; doubles equal to an int64 stand here */
    uint32_t doubles, double_count;   /* offset of sorted, distinct doubles that equal no int64; no NaN */
    uint32_t booleans;   /* bit 0: false is a member, bit 1: true is */
    uint32_t reserved;
} FcSet;

/* -- views: a value to a small integer class. 0 missing or null, 1 wrong type, 2.. -- */

enum {
    FC_VIEW_PRESENCE = 0, /* 0 missing or null, 2 present */
    FC_VIEW_BOOLEAN = 1,  /* 2 false, 3 true */
    FC_VIEW_TEXT = 2,     /* data: FcTable with values = class (3..); 2 = any other text */
    FC_VIEW_NUMBER = 3,   /* data: FcNumber[count] ascending; 2 + 2i = below constant i (above i-1), 3 + 2i = equal to it */
    FC_VIEW_VERSION = 4,  /* data: FcVersion[count] ascending, same classes */
    FC_VIEW_TIME = 5,     /* data: int64[count] microseconds ascending, same classes */
    FC_VIEW_ADDRESS = 6,  /* data: FcAddress[count] cut points ascending; class = 2 + number of cuts <= the address */
    FC_VIEW_PREFIX = 7,   /* data: FcAffix[count] ascending by bytes; 2 = none, 3 + i = longest pattern that is a prefix */
    FC_VIEW_SUFFIX = 8,   /* the same over reversed bytes; texts stored reversed */
    FC_VIEW_SET = 9,      /* link: value set; 1 = kind not in the set's kinds, 2 = not a member, 3 = member */
    FC_VIEW_AUTOMATON = 10, /* data: FcAutomaton; memo holds the mask of matched tests instead of a class; never switched on */
    FC_VIEW_COUNT = 11
};

enum { FC_VIEW_FOLD = 1 /* TEXT, PREFIX, SUFFIX: ASCII case ignored, constants stored in lower case */ };

typedef struct { /* 32 bytes */
    uint8_t kind;     /* FC_VIEW_* */
    uint8_t flags;    /* FC_VIEW_FOLD */
    uint16_t slot;
    uint32_t classes; /* number of classes, counting 0 and 1 */
    uint32_t data;    /* offset (8-aligned) of the view's table, 0 when it has none */
    uint32_t count;   /* constants */
    uint32_t link;    /* FC_VIEW_SET: index into links, or FC_NONE: data is an inline FcSet */
    uint16_t memo;    /* memo word, or FC_NO_MEMO: computed at each use */
    uint16_t pad;
    uint64_t reserved;
} FcView;

typedef struct { /* 16 bytes: an exact numeric constant */
    uint64_t bits;  /* int64, or the bits of a finite double that equals no int64 */
    uint32_t is_double;
    uint32_t pad;
} FcNumber;

typedef struct { /* 40 bytes: a SemVer 2.0 version */
    uint64_t major, minor, patch;
    FcText pre;       /* pre-release identifiers without "-", offset from the program's first byte; length 0: a release */
    uint64_t packed;  /* as the value's packed form, see walk.h */
} FcVersion;

typedef struct { /* 24 bytes; order: family, high, low */
    uint64_t high, low; /* host order; IPv4 in the low 32 bits of low */
    uint32_t family;    /* 4 or 6; a cut may be (7, 0, 0): above every address */
    uint32_t pad;
} FcAddress;

typedef struct { /* 16 bytes */
    FcText text;     /* offset from the program's first byte */
    uint32_t parent; /* index of the longest other pattern that is a prefix of this one (< own index), or FC_NONE */
    uint32_t pad;
} FcAffix;

/* DFA over bytes; class_count - 1 is the end-of-text class, stepped once after the last byte. State 0 is dead: all its
 * transitions lead to 0 and its mask is 0. Entering a state adds its mask to the result; a walk stops at state 0 or when the
 * result equals `all`. 8-aligned, offsets from the automaton's first byte. */
typedef struct { /* 40 bytes, then uint8 byte_class[256], then transitions, then masks */
    uint32_t size;
    uint32_t state_count;  /* 1..65535 */
    uint32_t class_count;  /* 2..257 */
    uint32_t start;        /* start state; its mask counts from the beginning */
    uint32_t transitions;  /* offset of uint16[state_count][class_count] */
    uint32_t masks;        /* offset (8-aligned) of uint64[state_count] */
    uint64_t all;          /* union of all masks */
    uint64_t reserved;
} FcAutomaton;

/* -- nodes -- */

enum { /* FcNode.op. "value" = the attribute in `slot`; classes 0 and 1 leave by on_unknown */
    FC_OP_HAS = 0,      /* true: not missing and not null; false otherwise */
    FC_OP_BOOLEAN = 1,  /* true / false: the value itself */
    FC_OP_TEXT = 2,     /* value == text {pool, length}; texts up to 8 bytes also stand zero padded in immediate; FC_NODE_FOLD */
    FC_OP_IN = 3,       /* member of a set: inline FcSet at pool, or link `length` with FC_NODE_LINK; unknown: other kind */
    FC_OP_NUMBER = 4,   /* compare with immediate by FC_NODE_LT/EQ/GT bits; FC_NODE_DOUBLE: immediate is a double */
    FC_OP_VERSION = 5,  /* compare with FcVersion at pool */
    FC_OP_TIME = 6,     /* compare with immediate, int64 microseconds */
    FC_OP_ADDRESS = 7,  /* inside one of `length` ranges: FcAddress[2 * length] at pool, [first, last] ascending, disjoint */
    FC_OP_PREFIX = 8,   /* starts with text {pool, length}; FC_NODE_FOLD */
    FC_OP_SUFFIX = 9,   /* ends with text {pool, length} (not reversed); FC_NODE_FOLD */
    FC_OP_MATCH = 10,   /* automaton view `length`: true when its mask & immediate; unknown: not a text */
    FC_OP_CONTAINS = 11, /* list value: some element is a member of the inline FcSet at pool (or link, as FC_OP_IN); unknown: no list */
    FC_OP_GATE = 12,    /* bucket(XXH64(subject, seed immediate)) < pool (0..FC_BUCKETS); memo = low 16 bits of length, FC_NO_MEMO;
                           unknown: not bucketable */
    FC_OP_BUCKETABLE = 13, /* true: the value is bucketable; false otherwise */
    FC_OP_REQUIRES = 14, /* link immediate yields one of `length` variants: uint64 identities at pool (8-aligned); true met, false not.
                            These nodes come before all others, and only entry or other REQUIRES nodes lead to them */
    FC_OP_CLASS = 15,   /* class of view `length` (low 16 bits) in the intervals at pool: uint32 n, then 2n ascending uint32 lo, hi (half
                           open); true / false; on_unknown unused (= on_false) */
    FC_OP_SWITCH = 16,  /* class of view `length`: FC_NODE_DENSE: exits uint32[classes of the view] at pool; else at pool: uint32 n, then n
                           ascending cuts, then n + 1 exits: exit i for classes in [cut i-1, cut i). on_* unused (= 0x80000000 | 0) */
    FC_OP_FORK = 17,    /* several branches, the smallest leaf wins; pool (4-aligned): uint32 n, then FcBranch[n], `first` never descending.
                           slot 0, exits unused */
    FC_OP_BLOCK = 18,   /* up to 64 rows by masks, the first that holds wins, none: on_false; FcBlock at pool. slot 0, other exits unused */
    FC_OP_MULTI = 19,   /* as FORK, branches keyed by constants that the value contains; FcMulti at pool, see there. Then on_false, the
                           branch of the rows without such a constant; other exits unused */
    FC_OP_LOOKUP = 20,  /* FcTable at pool (FC_NODE_FOLD as the table's), whose values are exits: leaf << 23 | index. on_false: another text;
                           on_true: not a text; on_unknown: missing or null. A SWITCH on a text view that no other node asks */
    FC_OP_COUNT = 21    /* ops that this kernel knows */
};

enum { /* FcNode.flags */
    FC_NODE_LT = 1,
    FC_NODE_EQ = 2,
    FC_NODE_GT = 4, /* the comparison's true outcomes: <= is LT|EQ, != is LT|GT */
    FC_NODE_DOUBLE = 8,
    FC_NODE_FOLD = 16,
    FC_NODE_LINK = 32, /* IN, CONTAINS: the set is a linked one; MULTI: keyed by an automaton */
    FC_NODE_DENSE = 64,
    FC_NODE_ROW = 128 /* part of a row of a BLOCK: a test that leads to nodes with this flag, to leaves or to FC_NONE */
};

typedef struct { /* 32 bytes */
    uint8_t op;         /* FC_OP_* */
    uint8_t flags;      /* FC_NODE_* */
    uint16_t slot;      /* index into slots, < slot_count (0 for REQUIRES); of MATCH, CLASS and SWITCH the view's slot */
    uint32_t on_true;   /* exits: a node index greater than this node's own, FC_LEAF | leaf index, or in forked programs FC_NONE */
    uint32_t on_false;
    uint32_t on_unknown;
    uint64_t immediate;
    uint32_t pool;      /* offset, from the program's first byte */
    uint32_t length;
} FcNode;

/* Several answers. Leaves stand in the order of the rules (prerequisites, rules, default), so that of several leaves the smallest is
 * the first rule's. A forked program (FC_PROGRAM_FORKED) may ask several groups of rows, and FC_NONE is the answer of a group in
 * which no row holds; a walk that ends without a leaf takes the last one, the default. entry is never FC_NONE.
 *
 *     FORK  -> branch 0: SWITCH -> ... leaf 7         best = 7
 *           -> branch 1: first 9, not less than best: neither it nor any branch behind it is visited
 */
typedef struct { /* 8 bytes: a branch of FORK or MULTI */
    uint32_t first; /* the smallest leaf that it can reach; not visited when that is no better than what has been found */
    uint32_t exit;
} FcBranch;

/* A block of rows: one column a view. The view's class leads to a local index, that to a mask of the rows which the class does not rule
 * out; masks are ANDed in the order of the columns (put the sparsest first) until none is left. The rows that remain are asked in
 * order: a leaf is the block's answer, FC_NONE means the next row, behind the last one on_false.
 *
 *     FcBlock -> FcColumn[column_count] -> map: uint8[classes] or uint32[n - 1], masks: uint64[n]
 *             -> rows: uint32[row_count] exits: a leaf, FC_NONE, or the first FC_NODE_ROW node: what masks do not decide
 */
typedef struct { /* 16 bytes, 8-aligned */
    uint32_t column_count;
    uint32_t row_count; /* 1..FC_BLOCK_ROWS */
    uint32_t columns;   /* offset (4-aligned) of FcColumn[column_count] */
    uint32_t rows;      /* offset (4-aligned) of uint32[row_count] */
} FcBlock;

enum { /* FcColumn.kind */
    FC_COLUMN_BYTES = 0, /* map: uint8[classes of the view], each a local index; views of at most 255 classes */
    FC_COLUMN_CUTS = 1   /* map (4-aligned): uint32[n - 1] strictly ascending cuts; local index = number of cuts <= class */
};

typedef struct { /* 16 bytes */
    uint16_t view;  /* any kind but FC_VIEW_AUTOMATON; its value is fetched when the column is looked at */
    uint16_t kind;  /* FC_COLUMN_* */
    uint32_t map;   /* offset from the program's first byte, as masks is */
    uint32_t masks; /* offset (8-aligned) of uint64[n]: bit r: row r is possible */
    uint32_t n;     /* local indices, 1.. */
} FcColumn;

/* What a MULTI node looks for. On a list: its elements that are texts, looked up in a table (with FC_NODE_FOLD one that ignores ASCII case);
 * on a text, with FC_NODE_LINK: the automaton view `length`; bit b of its mask & immediate leads to the branch whose number is b's rank
 * among the bits of immediate. Each branch is visited once at most, in the order of their numbers (number them by `first`: then the
 * best is found soonest). Values of another type lead to on_false alone. */
typedef struct { /* 16 bytes, 4-aligned */
    uint32_t table;      /* offset (8-aligned) of the FcTable with values = number of a branch; 0 with FC_NODE_LINK */
    uint32_t n;          /* branches; with FC_NODE_LINK as many as immediate has bits */
    uint32_t branches;   /* offset (4-aligned) of FcBranch[n] */
    uint32_t rest_first; /* `first` of the branch that on_false leads to */
} FcMulti;

/* Bounds. A word of the bound table is steps << 8 | forks of a walk from that node, proved word by word, so that fc_verify needs no memory:
 *
 *     leaf, FC_NONE   0
 *     FORK, MULTI     steps >= 1 + sum of the branches (MULTI: on_false, too), forks >= 1 + the most of them, <= FC_FORK_DEPTH
 *     BLOCK           steps >= 1 + columns + sum of the rows + steps of on_false, forks >= forks of on_false
 *     others          steps >= 1 + the most of the exits, forks >= the most of the exits
 */

/* ---- linked programs and evaluation state ------------------------------------------------------------------- */

enum { /* FcProgram.detours */
    FC_DETOUR_REQUIRES = 1, /* it names prerequisites */
    FC_DETOUR_FORKS = 2     /* FC_PROGRAM_FORKED */
};

/* A verified program with what it names resolved. The host fills it (fc_program_init) and keeps bytes, slots and links
 * alive and unchanged while it may be walked. */
typedef struct FcProgram {
    const uint8_t *bytes;
    const FcNode *nodes;
    const FcLeaf *leaves;
    const FcView *views;
    const uint32_t *slots;  /* program slot -> evaluation slot (FC_SLOT_NOW for `now`); see fc_walk */
    const void *const *links; /* FcProgram * or FcSet * (verified) for each link; NULL: absent: never met, never a member */
    uint32_t entry;
    uint32_t memo_count;
    uint32_t outcome_slot;  /* where a wide evaluation keeps this program's result when it is a prerequisite; FC_NONE: nowhere */
    uint8_t value_type;
    uint8_t detours;  /* FC_DETOUR_*; 0: the straight walk, by the inline form small of walk.h, too */
    uint8_t is_plain; /* no leaf splits: an outcome is its leaf */
    uint8_t pad;
} FcProgram;

/* The state of one evaluation; arrays are the caller's. Two forms of indexing values and have:
 *   local: by program slot; slot_count of the program suffices. Not for programs with prerequisites.
 *   wide:  by evaluation slot (program->slots[...]); shared by prerequisites and reusable contexts.
 * `have` bits of attributes may be kept between evaluations of one context; the bit of FC_SLOT_NOW must be cleared. */
typedef struct {
    FcValue *values;
    uint64_t *have;       /* bit s: values[s] is fetched */
    uint64_t *memo;       /* memo_count words */
    uint64_t *memo_have;  /* (memo_count + 63) / 64 words; cleared by the walk when memo_count > 0 */
    uint64_t *outcomes;   /* wide, prerequisites: [outcome_slot] = 0 not yet, 1 no variant, else the variant's identity (names whose
                             identity is below 2 are refused when authored); the caller clears them for each evaluation */
} FcFrame;

/* Fetch the value of evaluation slot `slot` (wide) or program slot (local) into *out. Called at most once a slot. */
typedef void (*FcFetch)(void *host, uint32_t slot, FcValue *out);

typedef struct {
    uint32_t leaf;    /* index into the program's leaves */
    uint32_t outcome; /* index below outcome_count */
    uint32_t variant; /* index into variants, or FC_NONE: the caller's default value */
} FcResult;

/* ---- public C interface -------------------------------------------------------------------------------------- */

enum { /* status: what fc_verify, fc_verify_set and fc_link found wrong; fc_status_text says it in words */
    FC_OK = 0,
    FC_BAD_ALIGNMENT,
    FC_BAD_SIZE,
    FC_BAD_MAGIC,
    FC_BAD_FORMAT,
    FC_BAD_HEADER,
    FC_BAD_PART,
    FC_BAD_KEY,
    FC_BAD_SLOT,
    FC_BAD_VARIANT,
    FC_BAD_RULE,
    FC_BAD_LINK,
    FC_BAD_LEAF,
    FC_BAD_SPLIT,
    FC_BAD_OUTCOME,
    FC_BAD_VIEW,
    FC_BAD_CONSTANT,
    FC_BAD_TABLE,
    FC_BAD_SET,
    FC_BAD_AUTOMATON,
    FC_BAD_MEMO,
    FC_BAD_NODE,
    FC_BAD_EXIT,
    FC_BAD_INTERVALS,
    FC_BAD_REQUIRES,
    FC_BAD_STEPS,
    FC_TOO_COSTLY,
    FC_NO_SPACE,
    FC_NAME_TWICE,
    FC_CYCLE,
    FC_TOO_DEEP,
    FC_BAD_BRANCH,
    FC_BAD_BLOCK,
    FC_STATUS_COUNT
};

#if defined(__GNUC__)
#define FC_PUBLIC __attribute__((visibility("default")))
#else
#define FC_PUBLIC
#endif

/* Prove a program (8-aligned) sound. FC_OK, or a code whose text fc_status_text gives. Linear in its size, also for hostile
 * bytes: where tables are shared, at most 64 times the size plus a million bytes are read (else FC_TOO_COSTLY). Not proved:
 * that texts are valid UTF-8, that tables hold no key twice, and that forks and blocks find the right row. */
FC_PUBLIC uint32_t fc_verify(const uint8_t *program, size_t size);
/* The same for a value-set object. Linear in its size. */
FC_PUBLIC uint32_t fc_verify_set(const uint8_t *set, size_t size);
FC_PUBLIC const char *fc_status_text(uint32_t status);

/* Fill *out for verified bytes; slots and links as in FcProgram, of slot_count and link_count elements. */
FC_PUBLIC void fc_program_init(FcProgram *out, const uint8_t *bytes, const uint32_t *slots, const void *const *links);

/* Walk to a result. frame is wide for fc_walk, local for fc_walk_local (which must not have prerequisites). */
FC_PUBLIC FcResult fc_walk(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host);
FC_PUBLIC FcResult fc_walk_local(const FcProgram *program, FcFrame *frame, FcFetch fetch, void *host);
/* As fc_walk_local with every slot already fetched. */
FC_PUBLIC FcResult fc_walk_filled(const FcProgram *program, FcFrame *frame);

/* Resumable local walk, for hosts that cannot be called back: start with *at = program->entry and memo_have cleared. Returns FC_NONE when
 * *result is complete, else the program slot to fill (value and have bit) before calling again. *at is all that the caller keeps, so a
 * forked program starts anew with each call; have bits and memo words tell what is known by then. */
FC_PUBLIC uint32_t fc_walk_resume(const FcProgram *program, uint32_t *at, FcFrame *frame, FcResult *result);

/* Bucketing (docs/design/bucketing.md), as the walk does it. */
FC_PUBLIC uint64_t fc_hash(const uint8_t *bytes, size_t length, uint64_t seed); /* XXH64 */
FC_PUBLIC uint64_t fc_mix(uint64_t x);                                          /* mix64, 2.3 */
FC_PUBLIC uint64_t fc_expo(uint64_t r);                                         /* 2.7 */
FC_PUBLIC uint32_t fc_bucket(uint64_t h);                                       /* 2.4 */
/* Winner of a split, an index into contestants. h is the subject's hash; flags FC_SPLIT_*. */
FC_PUBLIC uint32_t fc_race(uint64_t h, const FcContestant *contestants, uint32_t count, uint32_t flags);
/* Subject bytes of a value (2.1): writes up to 32 bytes into scratch when they must be made; length 0: not bucketable. */
FC_PUBLIC const uint8_t *fc_subject(const FcValue *value, uint8_t scratch[32], uint32_t *length);

/* ---- sets of programs, for hosts without a linker of their own (bindings) ------------------------------------- */

typedef struct { /* one object handed to fc_link; bytes 8-aligned, verified, alive as long as the linked set */
    const uint8_t *bytes;
    const uint8_t *name; /* NULL for programs: they carry their key */
    uint32_t name_length;
    uint32_t size;
} FcObject;

typedef struct FcLinked FcLinked; /* lives in the caller's memory of fc_link_size bytes, 8-aligned */

/* Bytes that fc_link needs for these objects; SIZE_MAX: more objects than can be linked. */
FC_PUBLIC size_t fc_link_size(const FcObject *programs, uint32_t program_count, uint32_t set_count);
/* The same from numbers, before there are objects: links and slots are those of all programs together (FcHeader). */
FC_PUBLIC size_t fc_link_size_of(uint32_t program_count, uint32_t set_count, uint64_t link_count, uint64_t slot_count);
/* Resolve names, unify slots, refuse prerequisite cycles and chains beyond FC_MAX_DEPTH. FC_OK or a status, with which *out
 * must not be used. The result holds addresses: it cannot be moved. */
FC_PUBLIC uint32_t fc_link(
    const FcObject *programs, uint32_t program_count, const FcObject *sets, uint32_t set_count, void *memory, size_t size, FcLinked **out);
FC_PUBLIC const FcProgram *fc_find(const FcLinked *linked, const uint8_t *key, size_t length); /* NULL: no such flag */
FC_PUBLIC uint32_t fc_slots(const FcLinked *linked);     /* evaluation slots, counting FC_SLOT_NOW */
FC_PUBLIC uint32_t fc_outcome_slots(const FcLinked *linked);
FC_PUBLIC uint32_t fc_memo_words(const FcLinked *linked); /* the most that any program needs */
/* Attribute of an evaluation slot: flat key, and its record for nested look-up (parts relative to *program). */
FC_PUBLIC const FcSlot *fc_slot_name(const FcLinked *linked, uint32_t slot, const uint8_t **program);
FC_PUBLIC uint32_t fc_program_count(const FcLinked *linked);
FC_PUBLIC const FcProgram *fc_program_at(const FcLinked *linked, uint32_t index);
/* Evaluate every program for one wide frame; results[i] for fc_program_at(i). */
FC_PUBLIC void fc_walk_all(const FcLinked *linked, FcFrame *frame, FcFetch fetch, void *host, FcResult *results);

#endif
