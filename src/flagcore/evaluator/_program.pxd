"""The Cython face of the kernel: which objects there are and what each owns.

A Program is one flag: verified bytes, linked. A ProgramSet is one revision: programs and the table that finds them.
An Evaluator holds one set as ``current`` and replaces it whole. Structs and the hot path are C, in host.h.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from cpython.object cimport PyObject, PyTypeObject

cdef extern from "Python.h":
    int Py_AddPendingCall(int (*call)(void *) except -1, void *argument)
    int PyThreadState_SetAsyncExc(unsigned long thread, PyObject *kind)
    unsigned long PyThread_get_thread_ident()

cdef extern from "../kernel/kernel.h" nogil:
    const uint32_t FC_LEAF, FC_NONE, FC_RULE_REQUIRES
    enum:
        FC_MAX_DEPTH
        FC_DETOUR_REQUIRES
        FC_DETOUR_FORKS
        FC_SLOT_TIME
        FC_LINK_PROGRAM
        FC_LEAF_VARIANT
        FC_LEAF_SPLIT
        FC_VALUE_BOOLEAN
        FC_VALUE_STRING
        FC_VALUE_INTEGER
        FC_VALUE_FLOAT
        FC_VALUE_OBJECT
        FC_OK
        FC_NULL

    ctypedef struct FcText:
        uint32_t offset
        uint32_t length

    ctypedef struct FcHeader:
        uint32_t size
        uint8_t value_type
        uint32_t entry, node_count
        uint32_t leaf_offset, leaf_count
        uint32_t slot_offset, slot_count
        uint32_t variant_offset, variant_count
        uint32_t rule_offset, rule_count
        uint32_t link_offset, link_count
        uint32_t memo_count
        uint32_t outcome_count
        FcText key
        FcText metadata

    ctypedef struct FcSlot:
        FcText flat
        uint32_t parts
        uint16_t part_count
        uint16_t kind

    ctypedef struct FcVariant:
        FcText name
        FcText value
        uint64_t scalar

    ctypedef struct FcLink:
        uint32_t kind
        FcText name

    ctypedef struct FcLeaf:
        uint8_t kind
        uint8_t reason
        uint32_t rule
        uint32_t variant
        uint32_t count
        uint32_t outcome

    ctypedef struct FcValue:
        uint32_t length
        uint8_t type

    ctypedef struct FcFrame:
        FcValue *values
        uint64_t *have
        uint64_t *memo
        uint64_t *memo_have
        uint64_t *outcomes

    ctypedef struct FcResult:
        uint32_t leaf
        uint32_t outcome
        uint32_t variant

    ctypedef struct FcProgram:
        const uint8_t *bytes
        const FcLeaf *leaves
        uint32_t entry
        uint32_t memo_count
        const uint32_t *slots
        uint32_t outcome_slot
        uint8_t value_type
        uint8_t detours

    uint32_t fc_verify(const uint8_t *program, size_t size)
    uint32_t fc_verify_set(const uint8_t *value_set, size_t size)
    const char *fc_status_text(uint32_t status)
    uint64_t fc_mix(uint64_t x)
    uint64_t fc_expo(uint64_t r)
    uint32_t fc_bucket(uint64_t h)
    uint64_t fc_hash(const uint8_t *content, size_t size, uint64_t seed)
    void fc_program_init(FcProgram *out, const uint8_t *bytes, const uint32_t *slots, const void *const *links)

cdef extern from "host.h":
    ctypedef struct Attribute:
        PyObject *flat
        PyObject *parts
        int32_t hint
        uint8_t flat_is_subject
        uint8_t root_is_subject

    ctypedef struct Outcome:
        PyObject *details
        uint64_t count

    ctypedef struct Flag:
        FcProgram program
        const uint16_t *variants
        PyObject **values
        Outcome *constant
        PyObject **constant_value
        uint64_t places
        PyObject *key
        PyObject *revision
        uint64_t mismatches
        uint8_t is_local, is_local_forked

    ctypedef struct FlagLinks:
        PyObject *objects
        uint32_t outcome_slots, memo_words
        const void **links

    ctypedef struct FlagEntry:
        PyObject *asked
        Flag *flag

    ctypedef struct FlagRecord:
        PyObject *source
        PyObject *revision
        Flag *flag
        Py_hash_t hash

    ctypedef struct FlagPage:
        uint32_t sets
        uint32_t count
        FlagRecord *records

    ctypedef struct FlagIndex:
        uint32_t sets
        uint32_t mask
        uint32_t *cells

    ctypedef struct Slots:
        Attribute *attributes
        uint32_t count

    ctypedef struct FlagTable:
        FlagEntry *entries
        size_t mask
        FlagPage **pages
        FlagIndex *index
        uint32_t count
        uint8_t is_linked
        PyObject *owner
        PyObject *slots
        const Slots *known
        PyObject *fallback
        PyObject *clock
        uint32_t slot_count, outcome_slots, memo_words

    ctypedef struct Scratch:
        Scratch *next
        FcFrame frame
        PyObject **held
        uint32_t held_count
        uint32_t slots, outcomes, memos

    ctypedef struct Fetcher:
        PyObject *mapping
        PyObject *targeting_key
        const FlagTable *table
        uint8_t has_time
        int64_t time

    ctypedef PyObject *(*WholeAnswer)(const Flag *flag, uint32_t outcome, PyObject *default, int details) noexcept
    ctypedef void (*RaiseLater)(PyObject *error) noexcept

    enum:
        LOCAL_SLOTS
        LOCAL_MEMOS
        PAGE_FLAGS
    const uint64_t NO_PLACES

    PyObject *host_mapping_class
    PyTypeObject *host_context_type
    PyObject *host_missing
    PyObject *host_get
    PyObject *host_targeting_key
    PyObject *host_attributes
    PyObject *host_empty
    PyObject *host_booleans[3]
    int host_wakes
    WholeAnswer host_whole_answer
    RaiseLater host_raise_later

    bint dict_is_known()
    bint host_is_mapping(PyObject *value)
    void host_swallow()
    object host_given(PyObject *new_reference)
    PyObject *host_same(PyObject *object)
    Flag *host_find(FlagTable *table, PyObject *key)
    FlagRecord *host_record(const FlagTable *table, uint32_t number)
    void host_renew(FlagTable *table)
    Outcome *host_outcomes(const Flag *flag)
    PyObject *host_owner(const Flag *flag)
    PyObject *host_source(const Flag *flag)
    FlagLinks *host_links(const Flag *flag)
    PyObject *host_made(PyTypeObject *type, size_t size) except NULL
    uint32_t host_value_count(const FcHeader *header)
    bint host_has_hash(const FlagRecord *record, PyObject *key)
    uint32_t host_number(const FlagTable *table, Py_hash_t hash, const void *key, size_t length)
    bint host_is_key(PyObject *source, PyObject *key)
    uint32_t host_number_of(const FlagTable *table, PyObject *key)
    ctypedef struct ContextHead:
        Scratch *scratch
        PyObject *slots
        PyObject *mapping
        uint8_t is_dict
        uint8_t busy

    ctypedef struct ProgramSetHead:
        FlagTable table

    ctypedef struct ProgramHead:
        Flag flag

    ctypedef struct EvaluatorHead:
        ProgramSetHead *current

    bint host_install_getter(PyObject *descriptor, int index)
    int host_open_context(PyObject *context, PyObject **mapping, PyObject **targeting_key)
    void host_seal(PyTypeObject *type)
    PyObject *host_quick_flag(const FlagTable *table, const Flag *flag, PyObject *context, PyObject *const *arguments, int details)
    uint32_t host_walk_wide(const FlagTable *table, const Flag *flag, Fetcher *fetcher, Scratch *scratch)
    PyObject *host_look_up(Fetcher *fetcher, Attribute *attribute)
    bint host_position(PyObject *value, uint64_t seed, uint64_t *position)
    PyObject *host_any_value(PyObject *value, FcValue *out)
    PyObject *host_entry(PyObject *mapping, PyObject *name)
    uint32_t host_walk_probe(const FlagTable *table, const Flag *probes, uint32_t entry, Fetcher *fetcher, Scratch *scratch)
    Outcome *host_walk_one(const FlagTable *table, const Flag *flag, Fetcher *fetcher, Scratch *scratch)
    void host_walk_all(const FlagTable *table, Fetcher *fetcher, Scratch *scratch, Outcome **outcomes)
    void host_list_variants(const Flag *flag, uint16_t *variants)
    FcResult host_outcome_source(const FcProgram *program, uint32_t outcome)
    Scratch *scratch_new(uint32_t slots, uint32_t outcomes, uint32_t memos)
    void scratch_free(Scratch *scratch)
    bint scratch_fits(const Scratch *scratch, const FlagTable *table)
    void scratch_clear(Scratch *scratch)
    void scratch_restart(Scratch *scratch)
    void scratch_adopt(Scratch *scratch, Scratch *old)


cdef class EvaluationDetails:
    """What an evaluation gave, and why. Immutable, and shared by all evaluations that end alike."""

    cdef readonly object flag_key
    cdef readonly object value
    cdef readonly object variant
    cdef readonly object reason
    cdef readonly object error_code
    cdef readonly object error_message
    cdef readonly object flag_metadata


cdef class SlotTable:
    """Attributes that any program of an engine has looked at, by evaluation slot. Append-only, so that contexts survive swaps."""

    cdef dict numbers            # flat key, or tuple of the path's names -> slot
    cdef list texts              # keeps flat keys and paths alive
    cdef Slots known
    cdef list retired            # earlier, smaller arrays: evaluations under way may still read them
    cdef uint32_t capacity

    cdef uint32_t slot_of(self, const uint8_t *program, const FcSlot *slot) except 0xFFFFFFFF
    cdef uint32_t append(self, str flat, tuple parts) except 0xFFFFFFFF


cdef class ValueSet:
    """A verified value set. Keeps its bytes alive."""

    cdef readonly bytes source


cdef class Values:
    """Objects as the kernel's values, one after the other. Keeps alive what they point into."""

    cdef FcValue *values
    cdef readonly Py_ssize_t count
    cdef list held


cdef class Program:
    """One flag, verified and linked; immutable but for its counters and the answers built on first use.

    Shared between revisions while its bytes and everything it links to stay the same.
    """

    cdef Flag flag               # behind it, in the same allocation: outcomes, FlagLinks, values, slots, variants


cdef class ProgramSet:
    """One revision: verified programs, and the table that finds them by flag key. A flag is linked when it is first asked for."""

    cdef FlagTable table
    cdef readonly bint ready     # False: there is no data, unknown flags are PROVIDER_NOT_READY
    cdef readonly object epoch, revision
    cdef readonly object debug   # flag key -> encoded DebugFlag, a mapping
    cdef readonly dict sets      # name -> ValueSet: those of the snapshot that are sound
    cdef SlotTable slots
    cdef object fallback, clock  # keep what the table names alive
    cdef tuple names             # the flag keys in the order of the records; None, as is index, until they are asked for
    cdef dict index              # flag key -> the same key

    cdef object key_at(self, uint32_t number)
    cdef Flag *flag_at(self, uint32_t number) except NULL
    cdef Flag *flag_of(self, object key) except? NULL
    cdef bytes source_of(self, str key)
    cdef dict keys_index(self)
    cdef link(self, object numbers)
    cdef list numbers_of(self, dict index)


cdef class Context:
    """A reusable evaluation context: each attribute is read from the mapping once, when a flag first looks at it.

    Belongs to the engine that made it (another takes it as its mapping) and follows the engine's revisions.
    """

    cdef Scratch *scratch        # as ContextHead in host.h, down to busy
    cdef SlotTable slots
    cdef readonly object mapping
    cdef uint8_t is_dict
    cdef uint8_t busy
    cdef readonly object targeting_key

    cdef Scratch *room(self, ProgramSet programs)


cdef class Evaluator:
    """Answers for the flags of the current revision. The getters never raise."""

    cdef ProgramSet current
    cdef SlotTable slots
    cdef dict outcome_slots      # flag key -> outcome slot, for flags that are prerequisites; append-only
    cdef Scratch *scratches      # free list
    cdef object static_context, clock, on_unknown
    cdef public bint _closed     # for good
    cdef object __weakref__

    cdef object answer(self, object key, object default, object context, int asked, int details, object at, bint quiet=*)
    cdef object _answer(self, object key, object default, object context, int asked, int details, object at, bint quiet)
    cdef object _usable(self, object context)
    cdef _tell_unknown(self, object key)
    cdef uint32_t _outcome(self, ProgramSet programs, Flag *flag, object context, object at) except? 0xFFFFFFFF
    cdef Scratch *_borrow(self, ProgramSet programs) except NULL
    cdef void _give_back(self, Scratch *scratch) noexcept


cdef class FlagHandle:
    """One flag, looked up once a revision."""

    cdef readonly str key
    cdef Evaluator evaluator
    cdef ProgramSet programs     # the revision in which `found` was looked up
    cdef Flag *found

    cdef Flag *current_flag(self) noexcept
    cdef void look_again(self) noexcept


cdef class Probes:
    """The author's tests of one flag, to be run one by one for a context at a moment; what ``explain`` asks."""

    cdef Evaluator evaluator
    cdef ProgramSet programs     # the probe program alone
    cdef Flag *flag
    cdef object mapping, targeting_key
    cdef readonly object moment
    cdef Scratch *scratch


cdef class Evaluations:
    """Results of evaluate_all: a mapping of flag key to details, each looked up when it is asked for."""

    cdef ProgramSet programs
    cdef dict index              # flag key -> anything: the flags that were asked for
    cdef Outcome **outcomes      # by number of the flag; NULL: not asked for
    cdef uint32_t count          # flags of the revision
    cdef uint32_t next           # the flag that will be asked for if somebody runs through them
    cdef bint has_no_context     # the context was none: every flag fails

    cdef uint32_t number_of(self, object key)
    cdef object made_at(self, uint32_t number)
    cdef Flag *flag_at(self, uint32_t number) noexcept
    cdef fail(self, list chosen)
