"""Programs, revisions and the evaluator: the Cython face of the kernel (docs/design/kernel.md section 3).

Read top down: what an evaluation gives (EvaluationDetails), what a flag is (Program), what a revision is (ProgramSet and
``link``), who answers (Evaluator). The hot path is ``host_getter`` in host.h; ``Evaluator.answer`` is the same
policy, whole.
"""

from collections.abc import Mapping
from operator import index as index_of
from types import MappingProxyType

import msgspec

from flagcore.errors import MalformedProgramError
from flagcore.terms import ErrorCode, FlagType, Reason

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject, PyTypeObject
from cpython.pycapsule cimport PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_GET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy

__all__ = ["Context", "EvaluationDetails", "Evaluations", "Evaluator", "FlagHandle", "Program", "ProgramSet", "ValueSet", "Values"]

RULE = "flagcore.rule"
REVISION = "flagcore.revision"
OVERRIDE = "flagcore.override"

cdef str NOT_LOADED = "no flags have been loaded yet", CLOSED = "the client is closed"
cdef object NOTHING = MappingProxyType({})
cdef tuple REASONS = (
    Reason.STATIC, Reason.DEFAULT, Reason.TARGETING_MATCH, Reason.SPLIT, Reason.DISABLED, Reason.ERROR
)  # by FC_REASON_*
cdef tuple TYPES = (FlagType.BOOLEAN, FlagType.STRING, FlagType.INTEGER, FlagType.FLOAT, FlagType.OBJECT)  # by FC_VALUE_*
cdef object decode_json = msgspec.json.decode
cdef enum: ANY_TYPE = -1


# ---- details ---------------------------------------------------------------------------------------------------------


@cython.final
@cython.freelist(16)
cdef class EvaluationDetails:
    def __cinit__(
        self,
        flag_key=None,
        value=None,
        variant=None,
        reason=Reason.UNKNOWN,
        error_code=None,
        error_message=None,
        flag_metadata=NOTHING,
    ):
        self.flag_key = flag_key
        self.value = value
        self.variant = variant
        self.reason = reason
        self.error_code = error_code
        self.error_message = error_message
        self.flag_metadata = flag_metadata

    def __eq__(self, other):
        if not isinstance(other, EvaluationDetails):
            return NotImplemented
        return self._fields() == (<EvaluationDetails>other)._fields()

    def __hash__(self):
        return hash((self.flag_key, self.variant, self.reason, self.error_code))

    def _fields(self):
        return (
            self.flag_key, self.value, self.variant, self.reason, self.error_code, self.error_message,
            dict(self.flag_metadata),
        )

    def __reduce__(self):
        return _unpickled, self._fields()

    def __repr__(self):
        cdef list parts = [f"flag_key={self.flag_key!r}", f"value={self.value!r}", f"variant={self.variant!r}"]
        parts.append(f"reason={str(self.reason)!r}")
        if self.error_code is not None:
            parts.append(f"error_code={str(self.error_code)!r}, error_message={self.error_message!r}")
        parts.append(f"flag_metadata={dict(self.flag_metadata)!r}")
        return f"EvaluationDetails({', '.join(parts)})"


def _unpickled(flag_key, value, variant, reason, error_code, error_message, flag_metadata):
    return EvaluationDetails(
        flag_key, value, variant, reason, error_code, error_message, MappingProxyType(flag_metadata)
    )


cdef object failed(object key, object default, object code, str message, object metadata=NOTHING):
    return EvaluationDetails(key, default, None, Reason.ERROR, code, message, metadata)


# ---- slots -----------------------------------------------------------------------------------------------------------


cdef str text_at(const uint8_t *program, FcText text):
    """Return a text of the program. verify does not read texts: what is no UTF-8 shows as U+FFFD, and raises nothing."""
    return PyUnicode_DecodeUTF8(<const char *>program + text.offset, text.length, "replace")


@cython.final
@cython.no_gc
cdef class SlotTable:
    def __cinit__(self):
        self.numbers = {}
        self.texts = []
        self.retired = []
        self.capacity = 16
        self.known.attributes = <Attribute *>PyMem_Calloc(self.capacity, sizeof(Attribute))
        if self.known.attributes == NULL:
            raise MemoryError
        self.known.count = 1  # FC_SLOT_NOW: its record names nothing
        self.known.attributes.hint = -1

    def __dealloc__(self):
        cdef object old
        PyMem_Free(self.known.attributes)
        if self.retired is not None:
            for old in self.retired:
                PyMem_Free(<void *><size_t>old)

    cdef uint32_t slot_of(self, const uint8_t *program, const FcSlot *slot) except 0xFFFFFFFF:
        """Return the evaluation slot of a program's slot, a new one where the attribute is new."""
        cdef str flat
        cdef object known
        if slot.kind == FC_SLOT_TIME:
            return 0
        flat = text_at(program, slot.flat)
        if slot.part_count > 1:
            parts = names_of(flat, program, slot)
            known = self.numbers.get(parts)
            return self.append(flat, parts) if known is None else known
        known = self.numbers.get(flat)
        return self.append(flat, None) if known is None else known

    cdef uint32_t append(self, str flat, tuple parts) except 0xFFFFFFFF:
        cdef Attribute *attribute
        flat = intern(flat)
        self.texts.append((flat, parts))  # may collect garbage, whose finalizers may come here: what follows runs nothing foreign
        if self.known.count == self.capacity:
            self._grow()
        attribute = &self.known.attributes[self.known.count]
        attribute.flat = <PyObject *>flat
        attribute.parts = <PyObject *>parts if parts is not None else NULL
        attribute.hint = -1
        attribute.flat_is_subject = flat == "targetingKey"
        attribute.root_is_subject = parts is not None and parts[0] == "targetingKey"
        self.numbers[flat if parts is None else parts] = self.known.count
        self.known.count += 1
        return self.known.count - 1

    def _grow(self):
        """Take a larger array. The smaller ones stay: an evaluation under way may have started with one."""
        cdef Attribute *larger = <Attribute *>PyMem_Calloc(2 * self.capacity, sizeof(Attribute))
        if larger == NULL:
            raise MemoryError
        memcpy(larger, self.known.attributes, self.capacity * sizeof(Attribute))
        self.retired.append(<size_t>self.known.attributes)
        self.known.attributes = larger
        self.capacity *= 2


cdef tuple names_of(str flat, const uint8_t *program, const FcSlot *slot):
    """Return the names of a path; their lengths are counted in bytes."""
    cdef const uint32_t *lengths = <const uint32_t *>(program + slot.parts)
    cdef bytes joined = (<const char *>program + slot.flat.offset)[:slot.flat.length]
    cdef list names = []
    cdef size_t at = 0
    cdef uint32_t i
    for i in range(slot.part_count):
        names.append(intern(joined[at:at + lengths[i]].decode('utf-8', 'replace')))
        at += lengths[i] + 1
    return tuple(names)


cdef str intern(str text):
    import sys
    return sys.intern(text)


# ---- value sets and programs -----------------------------------------------------------------------------------------


@cython.final
@cython.no_gc
cdef class ValueSet:
    def __cinit__(self, bytes source not None):
        cdef const uint8_t *content = <const uint8_t *>PyBytes_AS_STRING(source)
        cdef size_t size = PyBytes_GET_SIZE(source)
        cdef uint32_t status
        with nogil:  # of a million texts the proof takes many milliseconds
            status = fc_verify_set(content, size)
        if status != FC_OK:
            raise MalformedProgramError(fc_status_text(status).decode())
        self.source = source


cdef const FcHeader *verified(bytes source, str key) except NULL:
    """Return the header of sound program bytes of the flag ``key``; raise MalformedProgramError for all others."""
    cdef const uint8_t *content = <const uint8_t *>PyBytes_AS_STRING(source)
    cdef const FcHeader *header = <const FcHeader *>content
    cdef uint32_t status = fc_verify(content, PyBytes_GET_SIZE(source))
    if status != FC_OK:
        raise MalformedProgramError(fc_status_text(status).decode())
    if not host_is_key(<PyObject *>source, <PyObject *>key):
        raise MalformedProgramError(f"the program is of the flag {text_at(content, header.key)!r}")
    return header


cdef inline const FcHeader *header_in(bytes source) noexcept:
    return <const FcHeader *>PyBytes_AS_STRING(source)


@cython.final
@cython.no_gc
cdef class Program:
    def __dealloc__(self):
        if self.flag.program.bytes != NULL:
            let_go_of_flag(&self.flag)

    @property
    def key(self):
        return key_of(&self.flag)

    @property
    def source(self):
        return <object>host_source(&self.flag)

    @property
    def links(self):
        """Program, ValueSet or None for each link."""
        return links_of(&self.flag)

    @property
    def revision(self):
        return <object>self.flag.revision

    @property
    def type(self):
        return TYPES[self.flag.program.value_type]

    def variants(self):
        """Return variant name -> value."""
        cdef const FcHeader *header = <const FcHeader *>self.flag.program.bytes
        cdef uint32_t i
        return {variant_name(&self.flag, i): value_of(&self.flag, i) for i in range(header.variant_count)}

    def counts(self, bint drain=False):
        """Return (variant, rule, reason) -> evaluations since the counts were last drained, zeros left out."""
        cdef dict counts = {}
        cdef Outcome *outcomes = host_outcomes(&self.flag)
        cdef uint32_t i
        for i in range(header_of(&self.flag).outcome_count):
            if outcomes[i].count:
                what = facts_of(&self.flag, host_outcome_source(&self.flag.program, i))
                counts[what] = counts.get(what, 0) + outcomes[i].count
        if self.flag.mismatches:
            what = None, None, str(Reason.ERROR)
            counts[what] = counts.get(what, 0) + self.flag.mismatches
        if drain:
            self.flag.mismatches = 0
            for i in range(header_of(&self.flag).outcome_count):
                outcomes[i].count = 0
        return counts

    def count(self, list more not None):
        """Add evaluations by outcome: those of a table."""
        cdef uint32_t i
        for i in range(min(header_of(&self.flag).outcome_count, <uint32_t>len(more))):
            host_outcomes(&self.flag)[i].count += <uint64_t>more[i]

    def answers(self):
        """Return by outcome the details that ``evaluate`` gives where it ends so, None as the default value."""
        cdef uint32_t i
        return tuple([answer_of(&self.flag, i, None, ANY_TYPE, 1) for i in range(header_of(&self.flag).outcome_count)])

    def attributes(self):
        """Return (evaluation slot, flat key, path or None) for each attribute it looks at; the flat key of ``now`` is None."""
        cdef const FcSlot *slot = <const FcSlot *>(self.flag.program.bytes + header_of(&self.flag).slot_offset)
        cdef list found = []
        cdef uint32_t i
        for i in range(header_of(&self.flag).slot_count):
            flat = None if slot[i].kind == FC_SLOT_TIME else text_at(self.flag.program.bytes, slot[i].flat)
            parts = names_of(flat, self.flag.program.bytes, &slot[i]) if slot[i].part_count > 1 else None
            found.append((self.flag.program.slots[i], flat, parts))
        return found

    def handle(self):
        """Return a capsule of its FcProgram, for the module of tables. Whoever takes it keeps this object alive."""
        return PyCapsule_New(&self.flag.program, "flagcore.FcProgram", NULL)

    @property
    def requires(self):
        """Whether it asks other flags."""
        return (self.flag.program.detours & FC_DETOUR_REQUIRES) != 0

    @property
    def outcome_slot(self):
        """Where an evaluation keeps its result for flags that require it; None: nowhere."""
        return None if self.flag.program.outcome_slot == FC_NONE else self.flag.program.outcome_slot

    @property
    def memos(self):
        """Memo words of an evaluation, those of the flags that it asks included."""
        return memo_words_of(&self.flag)

    def metadata(self):
        """Return the author's flag metadata with the revision at which this program came."""
        return dict(metadata_of(&self.flag, None))


@cython.final
@cython.no_gc_clear
cdef class Values:
    def __cinit__(self, list objects not None, tuple names=()):
        cdef Py_ssize_t i, count = len(objects)
        cdef PyObject *kept
        self.held = []
        self.values = <FcValue *>PyMem_Calloc(count + 1, sizeof(FcValue))
        if self.values == NULL:
            raise MemoryError
        for i in range(count):
            self.values[i].type = FC_NULL
            found = inner(objects[i], names)
            if found is None:
                continue
            kept = host_any_value(<PyObject *>found, &self.values[i])
            if kept != NULL:
                self.held.append(host_given(kept))
        self.count = count

    def __dealloc__(self):
        PyMem_Free(self.values)

    def handle(self):
        """Return a capsule of the values. Whoever takes it keeps this object alive."""
        return PyCapsule_New(self.values, "flagcore.FcValue", NULL)


cdef object inner(object value, tuple names):
    """Return what stands at a path inside a value, None where nothing does."""
    cdef PyObject *found
    for name in names:
        if not host_is_mapping(<PyObject *>value):
            return None
        found = host_entry(<PyObject *>value, <PyObject *>name)
        if found == NULL:
            return None
        value = host_given(found)
    return value


cdef inline void Py_XDECREF_pointer(PyObject *reference) noexcept:
    if reference != NULL:
        Py_DECREF(<object>reference)


cdef Program new_program(object key, bytes source, tuple links, SlotTable slots, uint32_t outcome_slot, object revision):
    """Return a program of verified bytes whose links are resolved; the key is None where it is to be read when somebody needs it."""
    cdef const FcHeader *header = header_in(source)
    cdef Parts parts = parts_of(header)
    cdef PyObject *made = host_made(<PyTypeObject *>Program, parts.size)
    cdef Program program = <Program>made
    cdef Flag *flag = &program.flag
    Py_DECREF(program)  # made came with a reference
    flag.program.bytes = <const uint8_t *>header
    Py_INCREF(source)
    flag.revision = host_same(<PyObject *>revision)
    flag.key = host_same(<PyObject *>key) if key is not None else NULL
    lay_out(flag, header, parts, <char *>made)
    set_slots(flag, header, <uint32_t *>(<char *>made + parts.slots), slots)
    flag.program.outcome_slot = outcome_slot
    if links:
        set_links(host_links(flag), links, flag)
    set_values(flag)
    set_constant(flag)
    set_form(flag)
    return program


cdef struct Parts:  # where what belongs to a flag begins, in bytes from its Program; the wider elements first
    size_t links, values, slots, variants, size


cdef Parts parts_of(const FcHeader *header) noexcept:
    cdef Parts parts
    cdef size_t values = 0 if header.value_type == FC_VALUE_BOOLEAN else host_value_count(header) + 1
    parts.links = sizeof(ProgramHead) + header.outcome_count * sizeof(Outcome)
    parts.values = parts.links
    if header.link_count:
        parts.values += sizeof(FlagLinks) + header.link_count * sizeof(void *)
    parts.slots = parts.values + values * sizeof(PyObject *)
    parts.variants = parts.slots + header.slot_count * sizeof(uint32_t)
    parts.size = parts.variants + header.outcome_count * sizeof(uint16_t)
    return parts


cdef void lay_out(Flag *flag, const FcHeader *header, Parts parts, char *room) noexcept:
    """Point at the parts of a flag."""
    cdef const void *const *links = NULL
    if header.link_count:
        links = <const void *const *>(room + parts.links + sizeof(FlagLinks))
    flag.variants = <const uint16_t *>(room + parts.variants)
    flag.values = &host_booleans[0] if header.value_type == FC_VALUE_BOOLEAN else <PyObject **>(room + parts.values)
    fc_program_init(&flag.program, <const uint8_t *>header, <const uint32_t *>(room + parts.slots), links)


cdef set_slots(Flag *flag, const FcHeader *header, uint32_t *numbers, SlotTable slots):
    """Find the evaluation slots of a program's attributes."""
    cdef const FcSlot *slot = <const FcSlot *>(flag.program.bytes + header.slot_offset)
    cdef uint32_t i
    for i in range(header.slot_count):
        numbers[i] = slots.slot_of(flag.program.bytes, slot + i)


cdef void let_go_of_flag(Flag *flag) noexcept:
    """Let go of what a flag holds, its bytes last."""
    cdef const FcHeader *header = header_of(flag)
    cdef FlagLinks *links = host_links(flag)
    cdef uint32_t i
    for i in range(header.outcome_count):
        Py_XDECREF(host_outcomes(flag)[i].details)
    if header.value_type != FC_VALUE_BOOLEAN:
        for i in range(host_value_count(header)):
            Py_XDECREF(flag.values[i])
    if links != NULL:
        Py_XDECREF(links.objects)
    Py_XDECREF(flag.key)
    Py_XDECREF(flag.revision)
    Py_XDECREF(host_source(flag))


cdef uint64_t places_of(const uint32_t *slot_numbers, uint32_t count) noexcept:
    """Return a bit for each evaluation slot, NO_PLACES where one is beyond 63."""
    cdef uint64_t places = 0
    cdef uint32_t i
    for i in range(count):
        if slot_numbers[i] > 63:
            return NO_PLACES
        places |= <uint64_t>1 << slot_numbers[i]
    return places


cdef void set_form(Flag *flag) noexcept:
    """Note by which walk over plain dicts the flag is answered, if by any, and which slots it needs for that."""
    cdef uint32_t slot_count = header_of(flag).slot_count
    cdef bint fits = slot_count <= LOCAL_SLOTS and flag.program.memo_count <= LOCAL_MEMOS
    flag.is_local_forked = fits and flag.program.detours == FC_DETOUR_FORKS
    if flag.constant != NULL:
        return
    flag.is_local = fits and not flag.program.detours
    flag.places = places_of(flag.program.slots, slot_count) if flag.is_local else NO_PLACES


cdef set_links(FlagLinks *into, tuple links, const Flag *flag):
    """Write the addresses of linked things; sum up what an evaluation needs."""
    cdef Py_ssize_t i
    cdef object link
    cdef const Flag *below
    into.memo_words = flag.program.memo_count
    into.outcome_slots = own_outcome_slots(flag)
    for i, link in enumerate(links):
        if isinstance(link, Program):
            below = &(<Program>link).flag
            into.links[i] = &below.program
            into.memo_words = max(into.memo_words, memo_words_of(below))
            into.outcome_slots = max(into.outcome_slots, outcome_slots_of(below))
        elif link is not None:
            into.links[i] = PyBytes_AS_STRING((<ValueSet>link).source)
    into.objects = host_same(<PyObject *>links)


cdef inline uint32_t own_outcome_slots(const Flag *flag) noexcept:
    return 0 if flag.program.outcome_slot == FC_NONE else flag.program.outcome_slot + 1


cdef uint32_t outcome_slots_of(const Flag *flag) noexcept:
    """Return how many outcome slots an evaluation needs, prerequisites included."""
    cdef const FlagLinks *links = host_links(flag)
    return own_outcome_slots(flag) if links == NULL else links.outcome_slots


cdef uint32_t memo_words_of(const Flag *flag) noexcept:
    """Return how many memo words an evaluation needs, prerequisites included."""
    cdef const FlagLinks *links = host_links(flag)
    return flag.program.memo_count if links == NULL else links.memo_words


cdef tuple links_of(const Flag *flag):
    cdef FlagLinks *links = host_links(flag)
    return () if links == NULL else <tuple>links.objects


cdef void set_values(Flag *flag) noexcept:
    """Tell by outcome whose value it gives."""
    host_list_variants(flag, <uint16_t *>flag.variants)


cdef void set_constant(Flag *flag) noexcept:
    """Know the outcome of a flag that looks at nothing."""
    cdef const FcProgram *program = &flag.program
    cdef uint32_t outcome
    if program.entry & FC_LEAF and program.leaves[program.entry & ~FC_LEAF].kind != FC_LEAF_SPLIT:
        outcome = program.leaves[program.entry & ~FC_LEAF].outcome
        flag.constant = &host_outcomes(flag)[outcome]
        flag.constant_value = &flag.values[flag.variants[outcome]]


def text_identity(str text not None):
    """Return XXH64 of the text in UTF-8: the identity of a variant of that name (bucketing.md 2.6)."""
    cdef bytes content = text.encode()
    return fc_hash(<const uint8_t *>PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content), 0)


# ---- outcomes: values and details of a flag ---------------------------------------------------------------------------


# hot: begin
cdef inline const FcHeader *header_of(const Flag *flag) noexcept:
    return <const FcHeader *>flag.program.bytes


cdef inline const FcVariant *variant_at(const Flag *flag, uint32_t index) noexcept:
    return <const FcVariant *>(flag.program.bytes + header_of(flag).variant_offset) + index
# hot: end


cdef object key_of(const Flag *flag):
    """Return the flag key, the same object each time."""
    if flag.key == NULL:
        made = text_at(flag.program.bytes, header_of(flag).key)
        (<Flag *>flag).key = host_same(<PyObject *>made)
    return <object>flag.key


cdef str variant_name(const Flag *flag, uint32_t index):
    return text_at(flag.program.bytes, variant_at(flag, index).name)


cdef object value_of(const Flag *flag, uint32_t index):
    """Return the value of a variant, a fresh one each time."""
    cdef const FcVariant *variant = variant_at(flag, index)
    cdef uint64_t scalar = variant.scalar
    cdef double number
    if flag.program.value_type == FC_VALUE_BOOLEAN:
        return scalar != 0
    if flag.program.value_type == FC_VALUE_INTEGER:
        return <int64_t>scalar
    if flag.program.value_type == FC_VALUE_FLOAT:
        memcpy(&number, &scalar, sizeof(number))
        return number
    if flag.program.value_type == FC_VALUE_STRING:
        return text_at(flag.program.bytes, variant.value)
    return decode_json(flag.program.bytes[variant.value.offset:variant.value.offset + variant.value.length])


cdef object metadata_of(const Flag *flag, str rule):
    cdef FcText text = header_of(flag).metadata
    cdef object metadata = {}
    if text.length > 2:
        try:
            metadata = decode_json(flag.program.bytes[text.offset:text.offset + text.length], type=dict[str, object])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
    if rule is not None:
        metadata[RULE] = rule
    metadata[REVISION] = <object>flag.revision
    return MappingProxyType(metadata)


cdef str rule_of(const Flag *flag, uint32_t leaf):
    """Return the id of the rule that a leaf belongs to, None for the default."""
    cdef const uint8_t *content = flag.program.bytes
    cdef uint32_t rule = flag.program.leaves[leaf].rule
    if rule == FC_NONE:
        return None
    if rule & FC_RULE_REQUIRES:
        rule &= ~FC_RULE_REQUIRES
        return f"requires:{text_at(content, (<const FcLink *>(content + header_of(flag).link_offset))[rule].name)}"
    return text_at(content, (<const FcText *>(content + header_of(flag).rule_offset))[rule])


cdef object reason_of(const Flag *flag, FcResult source):
    """Return the reason; a split without a variant had no subject to decide for."""
    cdef const FcLeaf *leaf = &flag.program.leaves[source.leaf]
    if leaf.kind == FC_LEAF_SPLIT and source.variant == FC_NONE:
        return Reason.ERROR
    return REASONS[leaf.reason]


cdef tuple facts_of(const Flag *flag, FcResult source):
    """Return (variant, rule, reason) of an outcome."""
    variant = None if source.variant == FC_NONE else variant_name(flag, source.variant)
    return variant, rule_of(flag, source.leaf), str(reason_of(flag, source))


cdef EvaluationDetails details_of(const Flag *flag, uint32_t outcome, object value):
    """Return fresh details of an outcome with this value."""
    cdef FcResult source = host_outcome_source(&flag.program, outcome)
    cdef EvaluationDetails details = EvaluationDetails.__new__(EvaluationDetails)
    details.flag_key = key_of(flag)
    details.value = value
    if source.variant != FC_NONE:
        details.variant = variant_name(flag, source.variant)
    details.reason = reason_of(flag, source)
    details.flag_metadata = metadata_of(flag, rule_of(flag, source.leaf))
    if details.reason is Reason.ERROR:
        details.error_code = ErrorCode.TARGETING_KEY_MISSING
        details.error_message = "the value to bucket by is missing, or of a kind that cannot be bucketed"
    return details


cdef PyObject *first_answer(const Flag *flag, uint32_t outcome, int details) noexcept:
    """Build and keep what every evaluation with this outcome hands out; NULL where each needs its own."""
    cdef Outcome *known = &host_outcomes(flag)[outcome]
    cdef uint32_t place = flag.variants[outcome]
    cdef object built
    if place >= host_value_count(header_of(flag)) or flag.program.value_type == FC_VALUE_OBJECT:
        return NULL
    try:
        if flag.values[place] == NULL:
            built = value_of(flag, place)
            flag.values[place] = host_same(<PyObject *>built)
        if details and known.details == NULL:
            built = details_of(flag, outcome, <object>flag.values[place])
            if known.details == NULL:  # else garbage was collected, and a finalizer has asked
                known.details = host_same(<PyObject *>built)
    except BaseException:
        return NULL
    return known.details if details else flag.values[place]


# ---- revisions -------------------------------------------------------------------------------------------------------


@cython.final
@cython.no_gc_clear
cdef class ProgramSet:
    def __dealloc__(self):
        cdef size_t at
        if self.table.entries != NULL:
            for at in range(self.table.mask + 1):
                Py_XDECREF(self.table.entries[at].asked)
        if self.table.pages != NULL:
            for at in range(page_count(self.table.count)):
                leave_page(self.table.pages[at])
        if self.table.index != NULL:
            leave_index(self.table.index)
        PyMem_Free(self.table.entries)
        PyMem_Free(self.table.pages)

    def __len__(self):
        return self.table.count

    def get(self, str key not None):
        """Return the Program of a flag key, None when there is none."""
        cdef Flag *flag = self.flag_of(key)
        return None if flag == NULL else <object>host_owner(flag)

    def linked(self):
        """Return the Programs of the flags that have been asked for, in the order of the snapshot."""
        cdef uint32_t number
        cdef Flag *flag
        cdef list found = []
        for number in range(self.table.count):
            flag = host_record(&self.table, number).flag
            if flag != NULL:
                found.append(<object>host_owner(flag))
        return found

    def parts(self):
        """Return the objects that flags are made of which no other revision shares, for who wants to be the last to let go of them."""
        cdef size_t at
        cdef FlagPage *page
        cdef uint32_t i
        cdef list found = []
        for at in range(page_count(self.table.count)):
            page = self.table.pages[at]
            for i in range(page.count if page.sets == 1 else 0):
                found.append(<object>page.records[i].source)
                if page.records[i].flag != NULL:
                    found.append(<object>host_owner(page.records[i].flag))
        return found

    def keys(self):
        """Return the flag keys, in the order of the snapshot."""
        return self.keys_index().keys()

    @property
    def static_context(self):
        """The attributes under those of each call; None: there are none."""
        return self.fallback

    def sources(self):
        """Return (flag key -> program bytes, name -> value-set bytes): what this revision was linked from."""
        cdef dict value_sets = {name: (<ValueSet>value_set).source for name, value_set in self.sets.items()}
        return {key: <bytes>host_record(&self.table, number).source for number, key in enumerate(self.keys_index())}, value_sets

    cdef dict keys_index(self):
        cdef uint32_t number
        if self.index is None:
            names = tuple([self.key_at(number) for number in range(self.table.count)])
            self.names, self.index = names, {key: key for key in names}
        return self.index

    cdef object key_at(self, uint32_t number):
        """Return a flag key, the same object each time as soon as anything keeps it."""
        cdef FlagRecord *record = host_record(&self.table, number)
        if self.names is not None:
            return self.names[number]
        if record.flag != NULL and record.flag.key != NULL:
            return <object>record.flag.key
        return text_at(<const uint8_t *>PyBytes_AS_STRING(<bytes>record.source), header_in(<bytes>record.source).key)

    cdef bytes source_of(self, str key):
        """Return the program bytes of a flag key, None when there is none."""
        cdef uint32_t number = host_number_of(&self.table, <PyObject *>key)
        return None if number == FC_NONE else <bytes>host_record(&self.table, number).source

    # -- linking at the first question

    cdef Flag *flag_of(self, object key) except? NULL:
        """Return the linked flag of a str key, NULL when there is none."""
        cdef Flag *flag = host_find(&self.table, <PyObject *>key)
        cdef uint32_t number
        if flag != NULL:
            return flag
        number = host_number_of(&self.table, <PyObject *>key)
        return NULL if number == FC_NONE else self.flag_at(number)

    cdef Flag *flag_at(self, uint32_t number) except NULL:
        """Return a linked flag. What it links to is linked from the start, so this flag names nothing."""
        cdef FlagRecord *record = host_record(&self.table, number)
        cdef Program made
        if record.flag == NULL:
            key = None if self.names is None else self.names[number]
            made = new_program(key, <bytes>record.source, (), self.slots, FC_NONE, <object>record.revision)
            if record.flag == NULL:  # else garbage was collected, and a finalizer has asked for it
                hold(record, made)
        host_renew(&self.table)
        return record.flag

    cdef link(self, object numbers):
        """Link flags, given by number; None: all of them."""
        cdef uint32_t number
        if numbers is not None:
            for number in numbers:
                self.flag_at(number)
        elif not self.table.is_linked:
            for number in range(self.table.count):
                self.flag_at(number)
            self.table.is_linked = True

    cdef list numbers_of(self, dict index):
        return [host_number_of(&self.table, <PyObject *>key) for key in index]


cdef inline void hold(FlagRecord *record, Program program) noexcept:
    Py_INCREF(program)
    record.flag = &program.flag


cdef inline void let_go(FlagRecord *record) noexcept:
    Py_XDECREF(record.source)
    Py_XDECREF(record.revision)
    if record.flag != NULL:
        Py_DECREF(<object>host_owner(record.flag))


cdef inline size_t page_count(size_t flags) noexcept:
    return (flags + PAGE_FLAGS - 1) // PAGE_FLAGS


cdef void leave_page(FlagPage *page) noexcept:
    """Have one revision less that shares a page; the last lets its flags go."""
    cdef uint32_t i
    page.sets -= 1
    if page.sets == 0:
        for i in range(page.count):
            let_go(&page.records[i])
        PyMem_Free(page)


cdef void leave_index(FlagIndex *index) noexcept:
    index.sets -= 1
    if index.sets == 0:
        PyMem_Free(index)


cdef ProgramSet bare_set(dict sets, SlotTable slots, object fallback, object clock, bint ready, object epoch, object revision, object debug):
    """Return a revision without flags, and without an index of them."""
    cdef ProgramSet made = ProgramSet.__new__(ProgramSet)
    made.sets, made.slots, made.fallback, made.clock = sets, slots, fallback, clock
    made.ready, made.epoch, made.revision, made.debug = ready, epoch, revision, debug
    made.table.entries = <FlagEntry *>PyMem_Calloc(2, sizeof(FlagEntry))
    if made.table.entries == NULL:
        raise MemoryError
    made.table.mask = 1
    made.table.owner = <PyObject *>made
    made.table.slots = <PyObject *>slots
    made.table.known = &slots.known
    made.table.fallback = <PyObject *>fallback if fallback is not None else NULL
    made.table.clock = <PyObject *>clock
    host_renew(&made.table)
    return made


cdef ProgramSet new_set(
    Py_ssize_t room, dict sets, SlotTable slots, object fallback, object clock, bint ready, object epoch, object revision, object debug
):
    """Return a revision without flags, with room for so many: ``add`` them. Unready sets stay empty."""
    cdef ProgramSet made = bare_set(sets, slots, fallback, clock, ready, epoch, revision, debug)
    cdef size_t cells = 2
    while 3 * cells < 4 * <size_t>(room + 1):
        cells *= 2
    made.table.pages = <FlagPage **>PyMem_Calloc(page_count(room) + 1, sizeof(FlagPage *))
    made.table.index = new_index(cells)
    if made.table.pages == NULL:
        raise MemoryError
    return made


cdef FlagIndex *new_index(size_t cells) except NULL:
    cdef FlagIndex *index = <FlagIndex *>PyMem_Calloc(1, sizeof(FlagIndex) + cells * sizeof(uint32_t))
    if index == NULL:
        raise MemoryError
    index.sets, index.mask = 1, <uint32_t>(cells - 1)
    return index


cdef FlagPage *new_page(size_t room) except NULL:
    """Return an empty page for so many flags, or for as many as one takes."""
    cdef FlagPage *page = <FlagPage *>PyMem_Malloc(sizeof(FlagPage) + min(room, <size_t>PAGE_FLAGS) * sizeof(FlagRecord))
    if page == NULL:
        raise MemoryError
    page.sets, page.count = 1, 0
    return page


cdef add(ProgramSet made, size_t room, str key, bytes source, object revision, Program program):
    """Put a flag behind the others of a new set, in which there are so many still to come, this one included.

    ``program`` is None where it is to be linked when somebody asks.
    """
    cdef FlagTable *table = &made.table
    cdef FlagIndex *index = table.index
    cdef FlagRecord *record
    cdef Py_hash_t hashed = hash(key)
    cdef uint32_t at
    if table.count % PAGE_FLAGS == 0:
        table.pages[table.count // PAGE_FLAGS] = new_page(room)
    table.pages[table.count // PAGE_FLAGS].count += 1
    record = host_record(table, table.count)
    record.hash, record.flag = hashed, NULL
    record.source, record.revision = host_same(<PyObject *>source), host_same(<PyObject *>revision)
    table.count += 1
    at = <uint32_t>record.hash & index.mask
    while index.cells[at] != 0:
        at = (at + 1) & index.mask
    index.cells[at] = table.count
    if program is not None:
        hold(record, program)
    need(table, source, program)


cdef need(FlagTable *table, bytes source, Program program):
    """Add what an evaluation of a flag needs to what one of the set does."""
    table.memo_words = max(table.memo_words, header_in(source).memo_count if program is None else memo_words_of(&program.flag))
    if program is not None:
        table.outcome_slots = max(table.outcome_slots, outcome_slots_of(&program.flag))


@cython.final
cdef class Linker:
    """Builds a revision from bytes: takes over what has not changed, verifies the rest, resolves names.

    What cannot be used is listed in ``degraded`` with the reason: the flag goes on with its previous bytes, or is missing.
    Names are resolved last, among what the revision then holds. So every flag and value set has one version in it, whoever
    names it, and a kept flag obeys the prerequisites of today.
    """

    cdef ProgramSet previous
    cdef SlotTable slots
    cdef dict outcome_slots
    cdef object revision
    cdef dict sources            # flag key -> bytes that are sound
    cdef dict sets               # name -> ValueSet: the snapshot's that are sound
    cdef dict refused_sets       # name -> why
    cdef dict kept_sets          # name -> ValueSet of the previous revision that kept flags ask
    cdef dict names              # flag key -> ((kind, name), ...) where there are links
    cdef dict linked             # flag key -> Program, of flags that have links or are prerequisites
    cdef readonly dict degraded
    cdef object pause            # called between flags from time to time; None: never

    def __cinit__(self, ProgramSet previous, SlotTable slots, dict outcome_slots, object revision, object pause=None):
        self.previous, self.slots, self.outcome_slots, self.revision = previous, slots, outcome_slots, revision
        self.pause = pause
        self.sources, self.sets, self.refused_sets, self.kept_sets = {}, {}, {}, {}
        self.names, self.linked, self.degraded = {}, {}, {}

    cdef ProgramSet link(
        self, dict programs, dict value_sets, object fallback, object clock, bint ready, object epoch, object debug
    ):
        """Return the revision, its flags in the order given."""
        cdef str key
        cdef uint32_t done = 0
        cdef ProgramSet made
        self._take_sets(value_sets)
        for key, source in programs.items():
            self._take(key, source)
            breathe(self.pause, done)
            done += 1
        self._link_named(self._in_order())
        self._link_named(self.names)
        made = new_set(
            len(self.sources), {**self.kept_sets, **self.sets}, self.slots, fallback, clock, ready, epoch, self.revision,
            self._all_debug(debug),
        )
        for key in programs:
            self._add(made, key)
            breathe(self.pause, done)
            done += 1
        host_renew(&made.table)  # more came in the pauses
        return made

    cdef _add(self, ProgramSet made, str key):
        cdef bytes source = self.sources.get(key)
        cdef Program program = self.linked.get(key)
        cdef size_t room = len(self.sources) - made.table.count
        cdef FlagRecord *old
        if source is None:
            return
        if program is not None:
            add(made, room, key, source, <object>program.flag.revision, program)
            return
        old = record_of(self.previous, key)
        if old == NULL or old.source != <PyObject *>source:
            add(made, room, key, source, self.revision, None)
        else:
            add(made, room, key, source, <object>old.revision, None if old.flag == NULL else <Program>host_owner(old.flag))

    cdef object _all_debug(self, object debug):
        """Return the debug information of the revision: a kept flag keeps its own."""
        if not self.degraded:
            return debug
        kept = {key: self.previous.debug[key] for key in self.degraded if key in self.previous.debug}
        return {**{key: text for key, text in debug.items() if key not in self.degraded}, **kept}

    # -- what there is to link

    cdef _take_sets(self, dict value_sets):
        cdef dict known = self.previous.sets
        cdef ValueSet old
        for name, source in value_sets.items():
            old = known.get(name)
            if old is not None and old.source == source:
                self.sets[name] = old
                continue
            try:
                self.sets[name] = ValueSet(source)
            except MalformedProgramError as error:
                self.refused_sets[name] = error

    cdef _take(self, str key, bytes source):
        """Use these bytes for a flag, if they are sound and their value sets are there; the previous object if they are equal."""
        cdef bytes old
        if key is None or source is None:
            raise TypeError(f"the program of {key!r} is None")
        old = self.previous.source_of(key)
        try:
            if old is None or old != source:
                verified(source, key)
                old = source
            self._use(key, old)
            if key in self.names:
                self._find_sets(key)
        except (MalformedProgramError, UnicodeDecodeError) as error:
            self._fall_back(key, f"malformed program: {error}")

    cdef _use(self, str key, bytes source):
        self.sources[key] = source
        if header_in(source).link_count:
            self.names[key] = link_names(source)

    cdef _find_sets(self, str key):
        for kind, name in self.names.get(key, ()):
            if kind == FC_LINK_PROGRAM or name in self.sets:
                continue
            raise MalformedProgramError(f"value set {name!r}: {self.refused_sets.get(name, 'there is none')}")

    cdef _fall_back(self, str key, str reason):
        """Go on with a flag's previous bytes, and sets where the snapshot's are no good; the second time without the flag."""
        cdef bytes old = None if key in self.degraded else self.previous.source_of(key)
        self.degraded.setdefault(key, reason)
        self.sources.pop(key, None)
        self.names.pop(key, None)
        if old is None:
            return
        self._use(key, old)
        for kind, name in self.names.get(key, ()):
            if kind != FC_LINK_PROGRAM and name not in self.sets:
                self.kept_sets[name] = self.previous.sets[name]

    # -- prerequisites before the flags that require them

    cdef list _in_order(self):
        """Return the flags that have prerequisites or are some, prerequisites first.

        Where prerequisites go in a circle or too deep, those flags fall back whose bytes are not the previous ones; when
        there are none left, all that are concerned. Every round takes somebody's bytes away, so this ends.
        """
        cdef list order, misfits
        cdef str reason
        while True:
            needs = self._needs()
            order, misfits = sorted_by_need(needs)
            reason = "its prerequisites form a cycle"
            if not misfits:
                misfits = too_deep(order, needs)
                reason = "malformed program: the chain of its prerequisites is too long"
            if not misfits:
                break
            for key in [key for key in misfits if self._is_new(key)] or misfits:
                self._fall_back(key, reason)
        for name in set().union(*needs.values()):
            self.outcome_slots.setdefault(name, len(self.outcome_slots))
        return order

    cdef dict _needs(self):
        """Return flag key -> the prerequisites that there are, for flags that have some."""
        needs = {}
        for key, names in self.names.items():
            there = {name for kind, name in names if kind == FC_LINK_PROGRAM and name in self.sources}
            if there:
                needs[key] = there
        return needs

    cdef bint _is_new(self, str key):
        return self.previous.source_of(key) is not self.sources[key]

    # -- linking

    cdef _link_named(self, object keys):
        for number, key in enumerate(keys):
            if key not in self.linked:
                self._link_one(key)
            breathe(self.pause, number)

    cdef _link_one(self, str key):
        cdef bytes source = self.sources[key]
        cdef FlagRecord *old = record_of(self.previous, key)
        cdef tuple links = self._links(key)
        cdef uint32_t outcome_slot = self.outcome_slots.get(key, FC_NONE)
        cdef object revision = self.revision
        if old != NULL and old.source == <PyObject *>source:
            if is_linked_so(old, outcome_slot, links):
                self.linked[key] = <Program>host_owner(old.flag)
                return
            revision = <object>old.revision
        self.linked[key] = new_program(key, source, links, self.slots, outcome_slot, revision)

    cdef tuple _links(self, str key):
        cdef list links = []
        if key not in self.names:
            return ()
        for kind, name in self.names[key]:
            if kind == FC_LINK_PROGRAM:
                links.append(self.linked.get(name))
            else:
                links.append(self.sets.get(name) or self.kept_sets[name])
        return tuple(links)


cdef inline int breathe(object pause, uint32_t number) except -1:
    """Call it after each 32 flags, some 30 us."""
    if pause is not None and number % 32 == 31:
        pause()
    return 0


cdef FlagRecord *record_of(ProgramSet programs, str key) noexcept:
    cdef uint32_t number = host_number_of(&programs.table, <PyObject *>key)
    return NULL if number == FC_NONE else host_record(&programs.table, number)


cdef bint is_linked_so(const FlagRecord *record, uint32_t outcome_slot, tuple links):
    if record.flag == NULL or record.flag.program.outcome_slot != outcome_slot:
        return False
    return same_objects(links_of(record.flag), links)


# ---- revisions that differ in few flags ----------------------------------------------------------------------------------


cdef dict replacements(ProgramSet previous, dict programs, dict value_sets, object pause):
    """Return number of the flag -> its new bytes, where nothing else differs; None where the whole must be linked.

    That is: the same flags in the same order, the same value sets, and of the flags that changed none is a prerequisite, and each
    names what it named before. Cost: a glance at each key; programs that are the same objects are not touched.
    """
    cdef dict replaced = {}
    cdef PyObject *key
    cdef PyObject *given
    cdef Py_ssize_t at = 0
    cdef uint32_t number = 0
    cdef FlagRecord *record
    if len(programs) != previous.table.count or not same_sets(previous.sets, value_sets):
        return None
    while number < previous.table.count and PyDict_Next(programs, &at, &key, &given):
        record = host_record(&previous.table, number)
        if given != record.source or not host_has_hash(record, key):
            name, source = <object>key, <object>given  # references: what follows may run anything
            if not is_program_of(record, name, source):
                return None
            if source != <object>record.source:
                if not is_replaceable(record, source, name):
                    return None
                replaced[number] = source
        breathe(pause, number)
        number += 1
    return replaced if number == previous.table.count else None


cdef dict replacements_among(ProgramSet previous, dict programs):
    """Return the same of programs that are to be put in place of others, at their cost alone."""
    cdef dict replaced = {}
    cdef FlagRecord *record
    cdef uint32_t number
    for key, given in programs.items():
        number = host_number_of(&previous.table, <PyObject *>key) if type(key) is str else FC_NONE
        record = NULL if number == FC_NONE else host_record(&previous.table, number)
        if record == NULL or not is_program_of(record, key, given):
            return None
        if given != <object>record.source:
            if not is_replaceable(record, given, key):
                return None
            replaced[number] = given
    return replaced


cdef bint is_program_of(const FlagRecord *record, object key, object given):
    """Tell whether this is the key of the record, and what may be a program."""
    return type(key) is str and type(given) is bytes and host_is_key(record.source, <PyObject *>key)


cdef bint same_sets(dict known, dict value_sets):
    cdef ValueSet old
    if len(known) != len(value_sets):
        return False
    for name, source in value_sets.items():
        old = known.get(name)
        if old is None or old.source != source:
            return False
    return True


cdef bint is_replaceable(const FlagRecord *record, bytes source, str key) except -1:
    cdef bytes old = <bytes>record.source
    if record.flag != NULL and record.flag.program.outcome_slot != FC_NONE:
        return False
    try:
        verified(source, key)
        return link_names(source) == link_names(old)
    except (MalformedProgramError, UnicodeDecodeError):
        return False


cdef ProgramSet patched_set(
    ProgramSet previous, dict replaced, bint ready, object epoch, object revision, object debug, object pause
):
    """Return the previous revision with other programs for some of its flags. Pages without any of them are shared."""
    cdef ProgramSet made = bare_set(
        previous.sets, previous.slots, previous.fallback, previous.clock, ready, epoch, revision, debug
    )
    cdef uint32_t number, done = 0
    made.names, made.index = previous.names, previous.index
    share_flags(&made.table, &previous.table)
    for number, source in replaced.items():
        replace(made, number, source, revision)
        breathe(pause, done)
        done += 1
    host_renew(&made.table)
    return made


cdef share_flags(FlagTable *made, const FlagTable *previous):
    """Give a new table the flags of another, and as much as they need."""
    cdef size_t at, pages = page_count(previous.count)
    made.pages = <FlagPage **>PyMem_Malloc((pages + 1) * sizeof(FlagPage *))
    if made.pages == NULL:
        raise MemoryError
    memcpy(made.pages, previous.pages, pages * sizeof(FlagPage *))
    for at in range(pages):
        made.pages[at].sets += 1
    made.index, made.count = previous.index, previous.count
    made.index.sets += 1
    made.memo_words, made.outcome_slots = previous.memo_words, previous.outcome_slots


cdef FlagRecord *own_record(FlagTable *table, uint32_t number) except NULL:
    """Return the record of a flag in a page that no other revision shares."""
    cdef FlagPage *page = table.pages[number // PAGE_FLAGS]
    cdef FlagPage *own
    cdef uint32_t i
    if page.sets > 1:
        own = new_page(page.count)
        own.count = page.count
        memcpy(own.records, page.records, page.count * sizeof(FlagRecord))
        for i in range(own.count):
            host_same(own.records[i].source)
            host_same(own.records[i].revision)
            if own.records[i].flag != NULL:
                host_same(host_owner(own.records[i].flag))
        leave_page(page)
        table.pages[number // PAGE_FLAGS] = own
    return host_record(table, number)


cdef replace(ProgramSet made, uint32_t number, bytes source, object revision):
    """Give a flag other bytes. What it links to is linked as before; without links it waits until somebody asks."""
    cdef FlagRecord *record = own_record(&made.table, number)
    cdef FlagRecord before
    cdef Program old, program = None
    if header_in(source).link_count:
        old = <Program>host_owner(record.flag)
        program = new_program(None, source, links_of(&old.flag), made.slots, FC_NONE, revision)
    before = record[0]
    record.source, record.revision, record.flag = host_same(<PyObject *>source), host_same(<PyObject *>revision), NULL
    if program is not None:
        hold(record, program)
    let_go(&before)
    need(&made.table, source, program)


def retired(ProgramSet before not None, ProgramSet now not None, pause=None):
    """Return the programs of ``before`` that have been asked for and that ``now`` does not serve; ``pause`` as of ``Evaluator._link``."""
    cdef uint32_t number
    cdef Flag *flag
    cdef list found = []
    for number in without(before, now, pause):
        flag = host_record(&before.table, number).flag
        if flag != NULL:
            found.append(<object>host_owner(flag))
    return found


def changes(ProgramSet before not None, ProgramSet now not None, pause=None):
    """Return the keys of the flags that are new, gone or changed, as a frozenset; ``pause`` as of ``Evaluator._link``."""
    cdef set keys = set()
    note_all(keys, before, now, pause)
    note_all(keys, now, before, pause)
    return frozenset(keys)


cdef note_all(set keys, ProgramSet some, ProgramSet others, object pause):
    cdef uint32_t number, done = 0
    for number in without(some, others, pause):
        note(keys, some, number, others)
        breathe(pause, done)
        done += 1


cdef note(set keys, ProgramSet some, uint32_t number, ProgramSet others):
    """Note the key of a flag whose bytes, or what they name, are others there; that one is linked and one is not is no change."""
    cdef FlagRecord *record = host_record(&some.table, number)
    cdef FlagRecord *other = same_key(record, &others.table)
    if other == NULL or other.source != record.source or header_in(<bytes>record.source).link_count:
        keys.add(some.key_at(number))


cdef list without(ProgramSet some, ProgramSet others, object pause):
    """Return the numbers of the flags of a set that the other has not so; pages that both share cost next to nothing."""
    cdef size_t at, common = min(page_count(some.table.count), page_count(others.table.count))
    cdef uint32_t number
    cdef list found = []
    for at in range(page_count(some.table.count)):
        if at < common and some.table.pages[at] == others.table.pages[at]:
            continue
        for number in range(at * PAGE_FLAGS, at * PAGE_FLAGS + some.table.pages[at].count):
            breathe(pause, number)
            if not has_flag(&others.table, number, host_record(&some.table, number)):
                found.append(number)
    return found


cdef bint has_flag(const FlagTable *table, uint32_t number, const FlagRecord *record) noexcept:
    """Tell whether a table has this very flag, most likely at this number."""
    cdef FlagRecord *other
    if number < table.count and same_flag(host_record(table, number), record):
        return True
    other = same_key(record, table)
    return other != NULL and same_flag(other, record)


cdef inline bint same_flag(const FlagRecord *one, const FlagRecord *other) noexcept:
    return one.source == other.source and one.flag == other.flag


cdef FlagRecord *same_key(const FlagRecord *record, const FlagTable *table) noexcept:
    """Return the record of the same key, NULL where there is none."""
    cdef const uint8_t *content = <const uint8_t *>PyBytes_AS_STRING(<bytes>record.source)
    cdef FcText key = (<const FcHeader *>content).key
    cdef uint32_t number = host_number(table, record.hash, content + key.offset, key.length)
    return NULL if number == FC_NONE else host_record(table, number)


# ---- the order of prerequisites --------------------------------------------------------------------------------------------


cdef tuple sorted_by_need(dict needs):
    """Return (keys of flags and their needs, needs first; keys in cycles or between cycles)."""
    cdef dict waiting = {key: set(names) for key, names in needs.items()}, waited_for = {}
    cdef list ready, order = []
    for key, names in needs.items():
        for name in names:
            waited_for.setdefault(name, []).append(key)
    ready = [name for name in waited_for if name not in waiting]
    while ready:
        name = ready.pop()
        order.append(name)
        for key in waited_for.get(name, ()):
            waiting[key].discard(name)
            if not waiting[key]:
                del waiting[key]
                ready.append(key)
    return order, circling(waiting)


cdef list circling(dict waiting):
    """Return who waits and is waited for: flags that only wait for a cycle are not to blame."""
    cdef dict waiters = dict.fromkeys(waiting, 0)
    cdef list ends
    for names in waiting.values():
        for name in names:
            waiters[name] += 1
    ends = [key for key, count in waiters.items() if not count]
    while ends:
        for name in waiting.pop(ends.pop()):
            waiters[name] -= 1
            if not waiters[name]:
                ends.append(name)
    return list(waiting)


cdef list too_deep(list order, dict needs):
    """Return the flags whose chain of prerequisites is longer than a walk's stack, and of these the lowest."""
    cdef dict depths = {}
    for key in order:
        depths[key] = 1 + max([depths[name] for name in needs.get(key, ())], default=-1)
    return [key for key, depth in depths.items() if depth == <int>FC_MAX_DEPTH]


cdef bint same_objects(tuple left, tuple right):
    cdef Py_ssize_t i
    if len(left) != len(right):
        return False
    for i in range(len(left)):
        if left[i] is not right[i]:
            return False
    return True


cdef tuple link_names(bytes source):
    cdef const uint8_t *content = <const uint8_t *>PyBytes_AS_STRING(source)
    cdef const FcHeader *header = <const FcHeader *>content
    cdef const FcLink *links = <const FcLink *>(content + header.link_offset)
    cdef uint32_t i
    cdef list names = []
    for i in range(header.link_count):
        names.append((links[i].kind, text_at(content, links[i].name)))
    return tuple(names)


# ---- contexts --------------------------------------------------------------------------------------------------------


cdef object opened(object context):
    """Return (mapping, targeting key or None), or None for what is no context."""
    cdef PyObject *mapping
    cdef PyObject *targeting_key
    if not host_open_context(<PyObject *>context, &mapping, &targeting_key):
        return None
    return host_given(mapping), (None if targeting_key == NULL else host_given(targeting_key))


@cython.final
@cython.no_gc_clear
cdef class Context:
    def __dealloc__(self):
        scratch_free(self.scratch)

    def __repr__(self):
        return f"<flagcore context of {self.mapping!r}>"

    @property
    def attributes(self):
        """The mapping, under the name that evaluation contexts have for it."""
        return self.mapping

    cdef Scratch *room(self, ProgramSet programs):
        """Return the context's own room, large enough for a revision; NULL when there is no memory."""
        cdef Scratch *larger
        cdef Scratch *scratch = self.scratch
        if scratch != NULL and scratch_fits(scratch, &programs.table):
            scratch_restart(scratch)
            return scratch
        larger = scratch_new(  # a revision that came later may have made the old one
            max(programs.slots.capacity, 0 if scratch == NULL else scratch.slots),
            programs.table.outcome_slots, programs.table.memo_words,
        )
        if larger != NULL and scratch != NULL:
            scratch_adopt(larger, scratch)
            scratch_restart(larger)
        if larger != NULL:
            self.scratch = larger
        return larger


# ---- the evaluator ---------------------------------------------------------------------------------------------------


@cython.no_gc_clear
cdef class Evaluator:
    def __cinit__(self, *, clock, static_context=None, on_unknown=None):
        self.slots = SlotTable.__new__(SlotTable)
        self.outcome_slots = {}
        self.static_context = None if static_context is None else dict(static_context)
        self.clock = clock
        self.on_unknown = on_unknown
        self.current = self._empty()

    def __dealloc__(self):
        cdef Scratch *scratch
        while self.scratches != NULL:
            scratch = self.scratches
            self.scratches = scratch.next
            scratch_free(scratch)

    # -- one flag: the getters. The straight path of host.h stands in front of each (see install_getters).

    def get_boolean_value(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_BOOLEAN, 0, None)

    def get_boolean_details(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_BOOLEAN, 1, None)

    def get_string_value(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_STRING, 0, None)

    def get_string_details(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_STRING, 1, None)

    def get_integer_value(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_INTEGER, 0, None)

    def get_integer_details(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_INTEGER, 1, None)

    def get_float_value(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_FLOAT, 0, None)

    def get_float_details(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_FLOAT, 1, None)

    def get_object_value(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_OBJECT, 0, None)

    def get_object_details(self, flag_key, default_value, evaluation_context=None, flag_evaluation_options=None):
        return self.answer(flag_key, default_value, evaluation_context, FC_VALUE_OBJECT, 1, None)

    def evaluate(self, flag_key, default_value, evaluation_context=None, at=None):
        """Return details of a flag of any type, at a time given in microseconds since 1970 UTC or now."""
        if at is not None:
            at = index_of(at)
        return self.answer(flag_key, default_value, evaluation_context, ANY_TYPE, 1, at)

    def _peek(self, flag_key, default_value, evaluation_context, at):
        """As ``evaluate``, without counting and without ``on_unknown``."""
        return self.answer(flag_key, default_value, evaluation_context, ANY_TYPE, 1, index_of(at), True)

    def _unknown(self, flag_key):
        """Tell ``on_unknown`` of a flag."""
        self._tell_unknown(flag_key)

    def _time(self):
        """Return the time in microseconds since 1970 UTC, None when the clock fails or gives no such time."""
        try:
            now = self.clock()
        except Exception:
            return None
        return now if isinstance(now, int) and -2**63 <= now < 2**63 else None

    def _moment(self):
        """Return the time in microseconds since 1970 UTC, 0 when the clock fails."""
        try:
            return int(self.clock())
        except Exception:
            return 0

    # -- the whole way

    cdef object answer(self, object key, object default, object context, int asked, int details, object at, bint quiet=False):
        """Return value or details, whatever the arguments are: flag-format.md section 3, steps 0 to 2, then the walk.

        ``quiet``: nothing is counted and nobody told.
        """
        try:
            return self._answer(key, default, context, asked, details, at, quiet)
        except Exception as error:  # memory is short, or a key that is no text cannot be shown
            return failed(key, default, ErrorCode.GENERAL, type(error).__name__) if details else default

    cdef object _answer(self, object key, object default, object context, int asked, int details, object at, bint quiet):
        cdef ProgramSet programs = self.current
        cdef Flag *flag = NULL
        cdef uint32_t outcome
        if isinstance(key, str):
            flag = programs.flag_of(key)
        if flag == NULL and not programs.ready:
            if not details:
                return default
            return failed(key, default, ErrorCode.PROVIDER_NOT_READY, CLOSED if self._closed else NOT_LOADED)
        context = self._usable(context)
        if context is None:
            if not details:
                return default
            return failed(key, default, ErrorCode.INVALID_CONTEXT, "the context is neither a mapping nor an evaluation context")
        if flag == NULL:
            if not quiet:
                self._tell_unknown(key)
            return failed(key, default, ErrorCode.FLAG_NOT_FOUND, f"there is no flag {key!r}") if details else default
        if not readable_as(flag.program.value_type, asked):
            flag.mismatches += not quiet
            return mismatched(flag, default, asked) if details else default
        outcome = self._outcome(programs, flag, context, at)
        host_outcomes(flag)[outcome].count += not quiet
        return answer_of(flag, outcome, default, asked, details)

    cdef object _usable(self, object context):
        """Return a Context of this engine, or (mapping, targeting key); None for what is no context."""
        if isinstance(context, Context):
            if (<Context>context).slots is self.slots and not (<Context>context).busy:
                return context
            return (<Context>context).mapping, (<Context>context).targeting_key
        return opened(context)

    cdef _tell_unknown(self, object key):
        if self.on_unknown is None:
            return
        try:
            self.on_unknown(key)
        except Exception:
            pass

    cdef uint32_t _outcome(self, ProgramSet programs, Flag *flag, object context, object at) except? 0xFFFFFFFF:
        """Walk the flag for a context that _usable gave."""
        cdef Scratch *scratch
        cdef uint32_t outcome
        cdef Context own
        if flag.constant != NULL:
            return <uint32_t>(flag.constant - host_outcomes(flag))
        if isinstance(context, Context):
            own = <Context>context
            scratch = own.room(programs)
            if scratch == NULL:
                raise MemoryError
            own.busy = True
            outcome = walked(programs, flag, own.mapping, own.targeting_key, at, scratch)
            own.busy = False
            return outcome
        scratch = self._borrow(programs)
        outcome = walked(programs, flag, context[0], context[1], at, scratch)
        self._give_back(scratch)
        return outcome

    cdef Scratch *_borrow(self, ProgramSet programs) except NULL:
        cdef Scratch *scratch = self.scratches
        if scratch != NULL:
            self.scratches = scratch.next
            if scratch_fits(scratch, &programs.table):
                return scratch
            scratch_free(scratch)
        scratch = scratch_new(self.slots.capacity, programs.table.outcome_slots, programs.table.memo_words)
        if scratch == NULL:
            raise MemoryError
        return scratch

    cdef void _give_back(self, Scratch *scratch) noexcept:
        scratch_clear(scratch)
        scratch.next = self.scratches
        self.scratches = scratch

    # -- many flags, handles, contexts

    def evaluate_all(self, evaluation_context=None, prefix=None):
        """Return the details of every flag (whose key starts with ``prefix``) for one context and moment.

        Everything is decided in this call; details are looked up when they are asked for. Where the caller's default
        value would be served, the value is None.
        """
        cdef ProgramSet programs = self.current
        cdef dict index = programs.keys_index()
        cdef Evaluations results
        cdef Fetcher fetcher
        cdef Scratch *scratch
        cdef object context
        cdef list chosen = None
        cdef uint32_t number
        if prefix is not None:
            index = {key: None for key in index if (<str>key).startswith(prefix)}
            chosen = programs.numbers_of(index)
        programs.link(chosen)
        results = new_evaluations(programs, index)
        context = self._usable(evaluation_context)  # from here until it is busy nothing foreign may run
        if context is None:
            results.fail(chosen)
            return results
        if isinstance(context, Context):
            scratch = (<Context>context).room(programs)
            if scratch == NULL:
                raise MemoryError
            mapping, targeting_key = (<Context>context).mapping, (<Context>context).targeting_key
            (<Context>context).busy = True
        else:
            mapping, targeting_key = context
            scratch = self._borrow(programs)
        start(&fetcher, mapping, targeting_key, None)
        if prefix is None:
            host_walk_all(&programs.table, &fetcher, scratch, results.outcomes)
        else:
            for number in chosen:
                results.outcomes[number] = host_walk_one(&programs.table, results.flag_at(number), &fetcher, scratch)
        if isinstance(context, Context):
            (<Context>context).busy = False
        else:
            self._give_back(scratch)
        return results

    def context(self, mapping):
        """Return a reusable context of a mapping or evaluation context. Attributes are read when first needed, then kept.

        Raises:
            TypeError: the argument is no context.
        """
        cdef object pair = opened(mapping)
        cdef Context context
        if pair is None:
            raise TypeError(f"no evaluation context: {type(mapping).__name__}")
        context = Context.__new__(Context)
        context.mapping, context.targeting_key = pair
        if <PyObject *>context.mapping == host_empty:
            context.mapping = {}  # anyone may write into this one
        context.is_dict = type(context.mapping) is dict and context.targeting_key is None
        context.slots = self.slots
        return context

    def flag(self, str flag_key not None):
        """Return a handle of one flag: ``value`` and ``details`` without naming the flag each time."""
        cdef FlagHandle handle = FlagHandle.__new__(FlagHandle)
        handle.key = flag_key
        handle.evaluator = self
        handle.programs = None
        return handle

    # -- revisions

    @property
    def _current(self):
        return self.current

    def _swap(self, ProgramSet programs not None):
        """Answer with another revision from here on."""
        self.current = programs

    def _link(
        self, dict programs, dict value_sets, ProgramSet previous not None, object epoch, object revision, object debug,
        bint ready=True, object pause=None,
    ):
        """Return (ProgramSet, degraded): a revision from bytes; unchanged programs are those of ``previous``.

        ``pause()`` is called every few hundred flags: a thread that loads can let others run, who would wait for all of it.
        """
        cdef dict replaced = replacements(previous, programs, value_sets, pause)
        if replaced is not None:
            return patched_set(previous, replaced, ready, epoch, revision, debug, pause), {}
        cdef Linker linker = Linker.__new__(Linker, previous, self.slots, self.outcome_slots, revision, pause)
        return linker.link(programs, value_sets, self.static_context, self.clock, ready, epoch, debug), linker.degraded

    def _patch(self, dict programs, ProgramSet previous not None, object epoch, object revision, object debug, object pause=None):
        """Return the previous revision with these programs in place of others, None where the whole must be linked."""
        cdef dict replaced = replacements_among(previous, programs)
        return None if replaced is None else patched_set(previous, replaced, True, epoch, revision, debug, pause)

    def _probes(self, str key not None, bytes source not None, context, moment):
        """Return the probes of a flag for a context.

        Raises:
            MalformedProgramError: the probe program is not sound.
        """
        cdef Probes probes = Probes.__new__(Probes)
        cdef Linker linker = Linker.__new__(Linker, self._empty(), self.slots, {}, 0)
        cdef object usable = opened(context)
        probes.programs = linker.link({key: source}, self.current.sources()[1], self.static_context, self.clock, True, 0, {})
        probes.flag = probes.programs.flag_of(key)
        if probes.flag == NULL:
            raise MalformedProgramError(linker.degraded[key])
        probes.evaluator, probes.moment = self, moment
        probes.mapping, probes.targeting_key = ({}, None) if usable is None else usable
        probes.scratch = scratch_new(self.slots.known.count, 1, probes.programs.table.memo_words)
        if probes.scratch == NULL:
            raise MemoryError
        return probes

    def _empty(self):
        """Return a set without data, in which every flag is PROVIDER_NOT_READY."""
        return new_set(0, {}, self.slots, self.static_context, self.clock, False, 0, 0, {})


cdef inline void start(Fetcher *fetcher, object mapping, object targeting_key, object at):
    fetcher.mapping = <PyObject *>mapping
    fetcher.targeting_key = <PyObject *>targeting_key if targeting_key is not None else NULL
    fetcher.has_time = at is not None
    if at is not None:
        fetcher.time = min(max(at, -2**63), 2**63 - 1)


cdef uint32_t walked(ProgramSet programs, Flag *flag, object mapping, object targeting_key, object at, Scratch *scratch):
    cdef Fetcher fetcher
    start(&fetcher, mapping, targeting_key, at)
    return host_walk_wide(&programs.table, flag, &fetcher, scratch)


# hot: begin
cdef inline bint readable_as(uint8_t declared, int asked) noexcept:
    return asked == ANY_TYPE or asked == declared or (asked == FC_VALUE_FLOAT and declared == FC_VALUE_INTEGER)
# hot: end


cdef object mismatched(const Flag *flag, object default, int asked):
    cdef str message = f"the flag's type is {TYPES[flag.program.value_type]}, not {TYPES[asked]}"
    return failed(key_of(flag), default, ErrorCode.TYPE_MISMATCH, message, metadata_of(flag, None))


cdef object answer_of(const Flag *flag, uint32_t outcome, object default, int asked, int details):
    """Return value or details of an outcome, in the type that was asked for."""
    cdef PyObject *shared = first_answer(flag, outcome, details)
    cdef uint32_t variant
    cdef object value
    cdef bint converts = asked == FC_VALUE_FLOAT and flag.program.value_type == FC_VALUE_INTEGER
    if shared != NULL and not converts:
        return <object>shared
    variant = host_outcome_source(&flag.program, outcome).variant
    value = default
    if variant != FC_NONE:
        try:
            value = value_of(flag, variant)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            if not details:
                return default
            return failed(key_of(flag), default, ErrorCode.PARSE_ERROR, f"the value cannot be read: {error}")
        if converts:
            value = float(value)
    return details_of(flag, outcome, value) if details else value


cdef PyObject *whole_answer(const Flag *flag, uint32_t outcome, PyObject *default, int details) noexcept:
    """Return a new reference to what a walk that ended in this outcome hands out, NULL when there is no memory for it."""
    cdef object answer
    try:
        answer = answer_of(flag, outcome, <object>default, ANY_TYPE, details)
    except BaseException:  # no foreign code runs here
        return NULL
    Py_INCREF(answer)
    return <PyObject *>answer


host_whole_answer = whole_answer


@cython.final
@cython.no_gc_clear
cdef class Probes:
    def __dealloc__(self):
        scratch_free(self.scratch)

    def truth(self, uint32_t entry):
        """Return True, False or None (unknown) for the test that starts at an exit of the probe program."""
        cdef const FcHeader *header = header_of(self.flag)
        cdef Fetcher fetcher
        cdef uint32_t leaf
        if (entry & ~FC_LEAF) >= (header.leaf_count if entry & FC_LEAF else header.node_count):
            raise MalformedProgramError("a test starts outside its program")
        start(&fetcher, self.mapping, self.targeting_key, self.moment)
        scratch_restart(self.scratch)
        leaf = host_walk_probe(&self.programs.table, self.flag, entry, &fetcher, self.scratch)
        return {0: True, 1: False}.get(leaf)

    def look_up(self, tuple path not None):
        """Return (whether there is one, the value) at an attribute path."""
        cdef Attribute attribute
        cdef Fetcher fetcher
        cdef PyObject *found
        cdef str flat = ".".join(path)
        if not path:
            raise ValueError("an attribute path has no names")
        if path == ("now",):
            return True, self.moment
        start(&fetcher, self.mapping, self.targeting_key, self.moment)
        fetcher.table = &self.programs.table
        attribute.flat = <PyObject *>flat
        attribute.parts = <PyObject *>path if len(path) > 1 else NULL
        attribute.flat_is_subject = flat == "targetingKey"
        attribute.root_is_subject = path[0] == "targetingKey"
        found = host_look_up(&fetcher, &attribute)
        return (False, None) if found == NULL else (True, host_given(found))

    def position(self, tuple path not None, str salt not None):
        """Return where the subject at a path lies on the ruler of a salt, None when it cannot be bucketed."""
        cdef uint64_t position = 0
        cdef object found, value
        found, value = self.look_up(path)
        if not found or path == ("now",) or not host_position(<PyObject *>value, text_identity(salt), &position):
            return None
        return position


def bucket_of(uint64_t position):
    """Return the bucket of a position, 0 to 999,999 (bucketing.md 2.4)."""
    return fc_bucket(position)


def mixed(uint64_t x):
    """Return mix64 (bucketing.md 2.3)."""
    return fc_mix(x)


def waiting_time(uint64_t r):
    """Return expo (bucketing.md 2.7)."""
    return fc_expo(r)


@cython.final
@cython.no_gc_clear
cdef class FlagHandle:
    def value(self, default_value=None, evaluation_context=None):
        """Return the flag's value, of whatever type it has; the default value as a getter would."""
        cdef Flag *flag = self.current_flag()
        cdef PyObject *arguments[2]
        cdef PyObject *quick
        if flag != NULL:
            arguments[1] = <PyObject *>default_value
            quick = host_quick_flag(&self.programs.table, flag, <PyObject *>evaluation_context, arguments, 0)
            if quick != NULL:
                return host_given(quick)
        return self.evaluator.answer(self.key, default_value, evaluation_context, ANY_TYPE, 0, None)

    def details(self, default_value=None, evaluation_context=None):
        """Return the flag's details."""
        cdef Flag *flag = self.current_flag()
        cdef PyObject *arguments[2]
        cdef PyObject *quick
        if flag != NULL:
            arguments[1] = <PyObject *>default_value
            quick = host_quick_flag(&self.programs.table, flag, <PyObject *>evaluation_context, arguments, 1)
            if quick != NULL:
                return host_given(quick)
        return self.evaluator.answer(self.key, default_value, evaluation_context, ANY_TYPE, 1, None)

    cdef inline Flag *current_flag(self) noexcept:
        while self.programs is not self.evaluator.current:
            self.look_again()
        return self.found

    cdef void look_again(self) noexcept:
        """Look the flag up. The revision before is let go last: what is freed with it may ask this handle, or swap again."""
        cdef ProgramSet before = self.programs, now = self.evaluator.current
        cdef Flag *found = NULL
        try:
            found = now.flag_of(self.key)
        except BaseException:  # there is no memory to link it
            pass
        self.programs, self.found = now, found

    def __repr__(self):
        return f"<flagcore flag {self.key!r}>"


cdef Evaluations new_evaluations(ProgramSet programs, dict index):
    """Return results for the flags of an index, of which none has an outcome yet."""
    cdef Evaluations results = Evaluations.__new__(Evaluations)
    results.programs, results.index, results.count = programs, index, programs.table.count
    results.outcomes = <Outcome **>PyMem_Calloc(results.count + 1, sizeof(Outcome *))
    if results.outcomes == NULL:
        raise MemoryError
    return results


@cython.final
@cython.no_gc_clear  # host.h reads it without looking: other links of a cycle are cut
cdef class Evaluations:
    def __dealloc__(self):
        PyMem_Free(self.outcomes)

    def __getitem__(self, key):
        """Return a flag's details; running through them in order, as dict() does, takes no look-up."""
        cdef uint32_t number = self.next
        cdef PyObject *shared
        if number >= self.count or PyTuple_GET_ITEM(self.programs.names, number) != <PyObject *>key:
            number = self.number_of(key)
        if number == FC_NONE or self.outcomes[number] == NULL:
            raise KeyError(key)
        self.next = number + 1
        if self.has_no_context:
            return failed(key, None, ErrorCode.INVALID_CONTEXT, "the context is neither a mapping nor an evaluation context")
        shared = self.outcomes[number].details
        return <object>shared if shared != NULL else self.made_at(number)

    cdef uint32_t number_of(self, object key):
        return host_number_of(&self.programs.table, <PyObject *>key) if isinstance(key, str) else FC_NONE

    cdef object made_at(self, uint32_t number):
        cdef Flag *flag = self.flag_at(number)
        return answer_of(flag, <uint32_t>(self.outcomes[number] - host_outcomes(flag)), None, ANY_TYPE, 1)

    cdef Flag *flag_at(self, uint32_t number) noexcept:
        return host_record(&self.programs.table, number).flag

    cdef fail(self, list chosen):
        """Note that there was no context, for flags given by number; None: all of them."""
        cdef uint32_t number
        self.has_no_context = True
        for number in range(self.count) if chosen is None else chosen:
            self.outcomes[number] = host_outcomes(self.flag_at(number))

    def __len__(self):
        return len(self.index)

    def __iter__(self):
        return iter(self.index)

    def __contains__(self, key):
        return key in self.index

    def keys(self):
        return self.index.keys()

    def values(self):
        return [self[key] for key in self.index]

    def items(self):
        return [(key, self[key]) for key in self.index]

    def get(self, key, default=None):
        return self[key] if key in self.index else default

    def __eq__(self, other):
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self) == dict(other)

    def __repr__(self):
        return repr(dict(self))


Mapping.register(Evaluations)



# ---- exceptions that are no errors -------------------------------------------------------------------------------------


cdef void raise_later(PyObject *error) noexcept:
    """Raise this very exception in the calling thread as soon as it runs Python again.

    The main thread takes the exception itself, as a pending call. The others take a class only: one is made that gives the
    exception when it is called; where that cannot be, its own class.
    """
    cdef object given = <object>error, kind = type(given)
    try:
        if in_main_thread():
            Py_INCREF(given)
            if Py_AddPendingCall(raise_kept, error) == 0:
                return
            Py_DECREF(given)
        members = {"__new__": staticmethod(lambda _, *arguments: given), "__module__": kind.__module__}
        kind = type(kind)(kind.__name__, (kind,), members)
    except BaseException:  # a class that cannot be derived from
        pass
    PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), <PyObject *>kind)


cdef bint in_main_thread() except -1:
    """Return whether the main thread calls; where nobody has loaded ``threading`` there is no other."""
    import sys
    threading = sys.modules.get("threading")
    return threading is None or threading.get_ident() == threading.main_thread().ident


cdef int raise_kept(void *error) except -1:
    """Raise an exception that raise_later has kept."""
    cdef object given = <object>error
    Py_DECREF(given)
    raise given


host_raise_later = raise_later


cdef PyObject *kept(object value) noexcept:
    """Return a reference that lives as long as the process."""
    Py_INCREF(value)
    return <PyObject *>value


host_mapping_class = kept(Mapping)
host_context_type = <PyTypeObject *>Context
host_missing = kept(object())
host_get = kept("get")
host_targeting_key = kept("targeting_key")
host_attributes = kept("attributes")
host_empty = kept({})
host_booleans[0], host_booleans[1] = kept(False), kept(True)
host_wakes = dict_is_known()


cdef bint heads_fit(Evaluator evaluator):
    """Return whether host.h sees the objects as they are."""
    cdef EvaluatorHead *head = <EvaluatorHead *>evaluator
    cdef Context context = evaluator.context({})
    cdef ContextHead *context_head = <ContextHead *>context
    return (
        <void *>head.current == <void *>evaluator.current
        and &head.current.table == &evaluator.current.table
        and context_head.mapping == <PyObject *>context.mapping
        and &context_head.busy == &context.busy
        and program_fits(<Program>host_made(<PyTypeObject *>Program, sizeof(ProgramHead)))
    )


cdef bint program_fits(Program made):
    """Return whether a flag stands in its Program where host.h looks; ``made`` came with a reference."""
    Py_DECREF(made)
    return host_owner(&made.flag) == <PyObject *>made


cdef install_getters():
    """Put the straight path of host.h in front of the getters; their own code remains the whole way."""
    names = [f"get_{kind}_{part}" for kind in ("boolean", "string", "integer", "float") for part in ("value", "details")]
    fits = heads_fit(Evaluator(clock=None))
    for index, name in enumerate(names):
        if not fits or not host_install_getter(<PyObject *>Evaluator.__dict__[name], index):
            raise ImportError("flagcore was built by a Cython that lays out objects in another way: pip install --force-reinstall flagcore")


install_getters()


cdef seal():
    """Let only an engine make its parts: made by hand, even by ``__new__``, they would lack what their methods rely on."""
    for kind in (SlotTable, Program, ProgramSet, Linker, Context, FlagHandle, Probes, Evaluations):
        host_seal(<PyTypeObject *>kind)


seal()
