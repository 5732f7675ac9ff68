"""Tables: columns of Arrow, of buffers and of objects as the kernel's fields, and rows evaluated without the GIL.

Read top down: what a producer hands over (Stream, Array), one table's evaluation (Run), rows that stand together (Sheet), and
what comes out (Vector). flagcore.evaluator.table puts them together.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF

__all__ = ["Array", "Numbers", "Run", "Sheet", "Stream", "Vector", "export", "export_schema"]


cdef extern from "arrow.h" nogil:
    ctypedef struct ArrowSchema "struct ArrowSchema":
        const char *format
        const char *name
        const char *metadata
        int64_t flags
        int64_t n_children
        ArrowSchema **children
        ArrowSchema *dictionary
        void (*release)(ArrowSchema *) noexcept nogil
        void *private_data

    ctypedef struct ArrowArray "struct ArrowArray":
        int64_t length, null_count, offset, n_buffers, n_children
        const void **buffers
        ArrowArray **children
        ArrowArray *dictionary
        void (*release)(ArrowArray *) noexcept nogil
        void *private_data

    ctypedef struct ArrowArrayStream "struct ArrowArrayStream":
        int (*get_schema)(ArrowArrayStream *, ArrowSchema *) noexcept nogil
        int (*get_next)(ArrowArrayStream *, ArrowArray *) noexcept nogil
        const char *(*get_last_error)(ArrowArrayStream *) noexcept nogil
        void (*release)(ArrowArrayStream *) noexcept nogil

    ctypedef struct ArrowPart:
        const ArrowSchema *schema
        const ArrowArray *array
        int64_t start

    enum:
        ARROW_CHAIN

    const char *arrow_check_array(const ArrowArray *array, int64_t buffers)
    const char *arrow_field(const ArrowSchema *schema, const ArrowArray *array, int64_t start, int64_t rows, FcField *chain, int room)
    int64_t arrow_struct_size(const ArrowSchema *schema, const ArrowArray *array)
    bint arrow_step_into(ArrowPart *part, const char *name)
    void arrow_mask(uint8_t *bits, const uint8_t *validity, int64_t offset, int64_t rows)

    enum:
        FC_BATCH
        FC_FIELD_VALUE
        FC_FIELD_VALUES
        FC_FIELD_BOOLEANS
        FC_FIELD_SIGNED
        FC_FIELD_UNSIGNED
        FC_FIELD_FLOAT

        FC_TIME

    ctypedef union FcContent "__typeof__(((FcValue *)0)->u)":
        int64_t integer

    ctypedef struct FcValue:
        FcContent u
        uint8_t type

    ctypedef struct FcProgram:
        pass

    ctypedef struct FcField:
        const void *data
        const uint8_t *validity
        int64_t offset, validity_offset, length
        uint8_t kind, width

    ctypedef struct FcColumns:
        const FcProgram *program
        const FcField *fields
        const uint32_t *outcome_slots
        uint32_t outcome_slot_count, outcome_room, field_count, memo_words
        int64_t rows

    ctypedef struct FcRunner:
        pass

    size_t fc_runner_size(const FcColumns *columns)
    FcRunner *fc_runner_start(const FcColumns *columns, void *memory, size_t size)
    void fc_run_rows(FcRunner *runner, int64_t first, uint32_t count, uint32_t *outcomes)


cdef extern from "rows.h" nogil:
    enum:
        ROWS_BANKS

    void rows_encode(const uint32_t *outcomes, uint32_t count, const uint32_t *codes, void *out, int width)
    void rows_tally(const uint32_t *outcomes, uint32_t count, uint64_t *counts, uint32_t outcome_count)
    int64_t rows_mark_nulls(void *codes, int64_t count, int width, uint32_t null, uint8_t *out)
    void rows_gather_bits(const void *codes, int64_t count, int width, const uint64_t *entries, uint8_t *out)
    void rows_gather(const void *codes, int64_t count, int width, const uint64_t *entries, uint64_t *out)


# ---- what a producer hands over ----------------------------------------------------------------------------------------


@cython.final
cdef class Schema:
    """An ArrowSchema, owned."""

    cdef ArrowSchema schema

    def __dealloc__(self):
        if self.schema.release != NULL:
            self.schema.release(&self.schema)


@cython.final
cdef class Array:
    """An ArrowArray with its schema, owned: a record batch, or a column."""

    cdef ArrowArray array
    cdef Schema schema

    def __dealloc__(self):
        if self.array.release != NULL:
            self.array.release(&self.array)

    @staticmethod
    def of(source):
        """Return the array of an object with ``__arrow_c_array__``."""
        cdef Array made = Array.__new__(Array)
        cdef object schema, array
        schema, array = source.__arrow_c_array__()
        made.schema = moved_schema(<ArrowSchema *>PyCapsule_GetPointer(schema, "arrow_schema"))
        move_array(<ArrowArray *>PyCapsule_GetPointer(array, "arrow_array"), &made.array)
        return made.checked()

    def checked(self):
        cdef const char *wrong = NULL
        if self.array.release == NULL or self.schema.schema.release == NULL:
            raise ValueError("the Arrow array was released before")
        wrong = arrow_check_array(&self.array, 0)
        if wrong != NULL:
            raise ValueError(f"the Arrow array is malformed: {wrong.decode()}")
        return self

    def __len__(self):
        return self.array.length

    def names(self):
        """Return the names of a record batch's columns, None for a single column; ValueError when it is malformed."""
        cdef const ArrowSchema *schema = &self.schema.schema
        cdef int64_t i, size
        if schema.format == NULL or schema.format[0] != b"+" or schema.format[1] != b"s":
            return None
        size = arrow_struct_size(schema, &self.array)
        if size < 0:
            raise ValueError("the Arrow record batch is malformed: its columns are not those of its schema")
        return [schema.children[i].name.decode("utf-8", "replace") for i in range(size)]


cdef Schema moved_schema(ArrowSchema *source):
    cdef Schema schema = Schema.__new__(Schema)
    schema.schema = source[0]
    source.release = NULL
    return schema


cdef void move_array(ArrowArray *source, ArrowArray *into) noexcept:
    into[0] = source[0]
    source.release = NULL


@cython.final
cdef class Stream:
    """An ArrowArrayStream, owned: arrays of one schema, one after the other."""

    cdef ArrowArrayStream stream
    cdef Schema schema

    def __cinit__(self, source):
        cdef object capsule = source.__arrow_c_stream__()
        cdef ArrowArrayStream *given = <ArrowArrayStream *>PyCapsule_GetPointer(capsule, "arrow_array_stream")
        cdef int failed
        self.stream = given[0]
        given.release = NULL
        if self.stream.release == NULL:
            raise ValueError("the Arrow stream was released before")
        self.schema = Schema.__new__(Schema)
        with nogil:
            failed = self.stream.get_schema(&self.stream, &self.schema.schema)
        if failed:
            self._fail(failed)

    def __dealloc__(self):
        if self.stream.release != NULL:
            self.stream.release(&self.stream)

    def __iter__(self):
        return self

    def __next__(self):
        cdef Array array = Array.__new__(Array)
        cdef int failed
        with nogil:
            failed = self.stream.get_next(&self.stream, &array.array)
        if failed:
            self._fail(failed)
        if array.array.release == NULL:
            raise StopIteration
        array.schema = self.schema
        return array.checked()

    cdef object _fail(self, int code):
        cdef const char *text = self.stream.get_last_error(&self.stream)
        raise OSError(code, "no reason was given" if text == NULL else text.decode("utf-8", "replace"))


@cython.final
cdef class Numbers:
    """Numbers of an object's buffer, kept: one dimension, one after the other, in this machine's byte order.

    Raises BufferError for every other object.
    """

    cdef Py_buffer view
    cdef const void *data
    cdef readonly int64_t count
    cdef uint8_t kind, width

    def __cinit__(self, source):
        cdef bytes form
        PyObject_GetBuffer(source, &self.view, PyBUF_FORMAT | PyBUF_STRIDES)
        form = b"B" if self.view.format == NULL else self.view.format
        form = form[1:] if form[:1] in b"@=<" and len(form) > 1 else form
        if self.view.ndim != 1 or self.view.strides[0] != self.view.itemsize or form not in NUMBER_KINDS:
            PyBuffer_Release(&self.view)
            raise BufferError("no numbers in a row")
        self.kind, self.width = NUMBER_KINDS[form], <uint8_t>self.view.itemsize
        self.data, self.count = self.view.buf, self.view.shape[0]

    def __dealloc__(self):
        if self.data != NULL:
            PyBuffer_Release(&self.view)


cdef dict NUMBER_KINDS = {
    b"?": FC_FIELD_BOOLEANS,
    **dict.fromkeys((b"b", b"h", b"i", b"l", b"q", b"n"), FC_FIELD_SIGNED),
    **dict.fromkeys((b"B", b"H", b"I", b"L", b"Q", b"N"), FC_FIELD_UNSIGNED),
    **dict.fromkeys((b"e", b"f", b"d"), FC_FIELD_FLOAT),
}


# ---- one table's evaluation --------------------------------------------------------------------------------------------------


@cython.final
cdef class Run:
    """One evaluation of a flag for a table: the linked program, what each outcome encodes as, and how many rows had it.

    Args:
        handle: of Program.handle; ``owner`` keeps it alive.
        places: fields there are; ``outcome_slots``: those of all programs that may be asked.
        codings: for each wanted column (width in bytes, code by outcome).
    """

    cdef object owner
    cdef const FcProgram *program
    cdef uint32_t places, memo_words, outcome_count, outcome_slot_count, outcome_room
    cdef uint32_t *outcome_slots
    cdef uint32_t *codes         # outcome_count for each wanted column
    cdef list widths
    cdef uint64_t *counts

    def __cinit__(self, owner, handle, uint32_t places, uint32_t memo_words, list outcome_slots not None, uint32_t outcome_count, list codings not None):
        cdef Py_ssize_t i, j
        self.owner = owner
        self.program = <const FcProgram *>PyCapsule_GetPointer(handle, "flagcore.FcProgram")
        self.places, self.memo_words, self.outcome_count = places, memo_words, outcome_count
        self.outcome_slot_count = <uint32_t>len(outcome_slots)
        self.outcome_room = max(outcome_slots, default=-1) + 1
        self.widths = [width for width, _ in codings]
        self.outcome_slots = <uint32_t *>malloc((len(outcome_slots) + 1) * sizeof(uint32_t))
        self.codes = <uint32_t *>malloc((len(codings) * outcome_count + 1) * sizeof(uint32_t))
        self.counts = <uint64_t *>calloc(outcome_count + 1, sizeof(uint64_t))
        if self.outcome_slots == NULL or self.codes == NULL or self.counts == NULL:
            raise MemoryError
        for i in range(len(outcome_slots)):
            self.outcome_slots[i] = outcome_slots[i]
        for i, (_, codes) in enumerate(codings):
            for j in range(outcome_count):
                self.codes[i * outcome_count + j] = codes[j]

    def __dealloc__(self):
        free(self.outcome_slots)
        free(self.codes)
        free(self.counts)

    def counted(self):
        """Return rows by outcome."""
        cdef uint32_t i
        return [self.counts[i] for i in range(self.outcome_count)]


@cython.final
cdef class Room:
    """A runner and its memory: what one thread needs to evaluate rows of a sheet, which outlives it."""

    cdef void *memory
    cdef FcRunner *runner
    cdef uint64_t *counts

    def __dealloc__(self):
        free(self.memory)
        free(self.counts)


@cython.final
cdef class Sheet:
    """Rows that stand together in memory: every place that the program looks at as a field. Filled by one thread, then read."""

    cdef Run run
    cdef readonly int64_t rows
    cdef FcColumns columns
    cdef FcField *fields         # by place
    cdef FcField *chains         # ARROW_CHAIN for each place: what its field needs beside
    cdef FcValue now
    cdef list rooms              # those that no thread uses at the moment
    cdef list keep               # owners of what the fields point into

    def __cinit__(self, Run run not None, int64_t rows):
        self.run, self.rows, self.keep, self.rooms = run, rows, [], []
        self.fields = <FcField *>calloc(<size_t>run.places * (1 + ARROW_CHAIN) + 1, sizeof(FcField))
        if self.fields == NULL:
            raise MemoryError
        self.chains = self.fields + run.places
        self.columns.program = run.program
        self.columns.fields = self.fields
        self.columns.outcome_slots = run.outcome_slots
        self.columns.outcome_slot_count = run.outcome_slot_count
        self.columns.outcome_room = run.outcome_room
        self.columns.field_count = run.places
        self.columns.memo_words = run.memo_words
        self.columns.rows = rows

    def __dealloc__(self):
        free(self.fields)

    cdef FcField *field(self, uint32_t place) except NULL:
        if place >= self.run.places:
            raise IndexError(place)
        return &self.fields[place]

    def put_values(self, uint32_t place, values, int64_t start, bint constant=False):
        """Let a place read Values: those from ``start`` on, or one of all rows."""
        cdef FcField *field = self.field(place)
        if start < 0 or start + (1 if constant else self.rows) > values.count:
            raise ValueError("the column is shorter than the table")
        field.data = PyCapsule_GetPointer(values.handle(), "flagcore.FcValue")
        field.kind = FC_FIELD_VALUE if constant else FC_FIELD_VALUES
        field.offset, field.length = start, self.rows
        self.keep.append(values)

    def put_time(self, uint32_t place, now):
        """Let a place read the evaluation time in microseconds; None: null in every row."""
        cdef FcField *field = self.field(place)
        if now is None:
            return
        self.now.u.integer, self.now.type = min(max(now, -2**63), 2**63 - 1), FC_TIME
        field.data, field.kind, field.length = &self.now, FC_FIELD_VALUE, self.rows

    def put_numbers(self, uint32_t place, Numbers numbers not None, int64_t start):
        """Let a place read an array of numbers from ``start`` on."""
        cdef FcField *field = self.field(place)
        if start < 0 or start + self.rows > numbers.count:
            raise ValueError("the column is shorter than the table")
        field.data = numbers.data
        field.kind, field.width = numbers.kind, numbers.width
        field.offset, field.length = start, self.rows
        self.keep.append(numbers)

    def put_array(self, uint32_t place, Array array not None, list path not None, int64_t start):
        """Let a place read an Arrow array from ``start`` on, or what stands at a path of names inside its structs.

        Where there is no such path every row is null. Raises ValueError for a column that is malformed or not read.
        """
        cdef FcField *field = self.field(place)
        cdef FcField *chain = &self.chains[<size_t>place * ARROW_CHAIN]
        cdef ArrowPart part
        cdef const char *wrong
        cdef bytearray mask = None
        part.schema, part.array, part.start = &array.schema.schema, &array.array, start
        for name in path:
            if part.schema.format == NULL or part.schema.format[0] != b"+" or part.schema.format[1] != b"s":
                return
            mask = self.masked(mask, &part)
            if not arrow_step_into(&part, PyBytes_AS_STRING(name)):
                return
        with nogil:
            wrong = arrow_field(part.schema, part.array, part.start, self.rows, chain, ARROW_CHAIN)
        if wrong != NULL:
            raise ValueError(wrong.decode())
        self.keep.append(array)
        field[0] = chain[0]
        if mask is not None:
            self.apply(field, mask)

    cdef object masked(self, object mask, ArrowPart *part):
        """Return a bitmap of the rows whose structs down to this one are not null, None while all are."""
        cdef const char *wrong = arrow_check_array(part.array, 1)
        cdef bytearray bits
        if wrong != NULL or part.start + self.rows > part.array.length:
            raise ValueError("it is shorter than the table" if wrong == NULL else wrong.decode())
        if part.array.null_count == 0 or part.array.buffers[0] == NULL:
            return mask
        bits = bytearray(b"\xff") * ((self.rows + 7) // 8) if mask is None else mask
        arrow_mask(<uint8_t *>PyByteArray_AS_STRING(bits), <const uint8_t *>part.array.buffers[0], part.array.offset + part.start, self.rows)
        return bits

    cdef object apply(self, FcField *field, bytearray mask):
        """Make rows null whose structs are."""
        cdef uint8_t *bits = <uint8_t *>PyByteArray_AS_STRING(mask)
        if field.validity != NULL:
            arrow_mask(bits, field.validity, field.validity_offset, self.rows)
        field.validity, field.validity_offset = bits, 0
        self.keep.append(mask)

    def evaluate(self, int64_t first, int64_t count, list into not None):
        """Evaluate rows without the GIL; ``into`` has a bytearray for each wanted column, of the sheet's rows.

        Several threads may do so at once, for different rows.
        """
        cdef Py_ssize_t wanted = len(self.run.widths), i
        cdef uint32_t outcome_count = self.run.outcome_count
        cdef uint8_t *outs[8]
        cdef int widths[8]
        cdef Room room
        if wanted > 8 or len(into) != wanted or first < 0 or count < 0 or first + count > self.rows:
            raise ValueError("rows or columns that are not there")
        for i in range(wanted):
            widths[i] = self.run.widths[i]
            if len(<bytearray>into[i]) < self.rows * widths[i]:
                raise ValueError("too little room")
            outs[i] = <uint8_t *>PyByteArray_AS_STRING(into[i])
        room = self.rooms.pop() if self.rooms else self.new_room()
        with nogil:
            run_rows(room.runner, first, count, outs, widths, <int>wanted, self.run.codes, room.counts, outcome_count)
        for i in range(ROWS_BANKS * <Py_ssize_t>outcome_count):
            self.run.counts[i % outcome_count] += room.counts[i]
            room.counts[i] = 0
        self.rooms.append(room)

    cdef Room new_room(self):
        cdef Room room = Room.__new__(Room)
        cdef size_t size = fc_runner_size(&self.columns)
        room.memory = malloc(size)
        room.counts = <uint64_t *>calloc(ROWS_BANKS * <size_t>self.run.outcome_count + 1, sizeof(uint64_t))
        if room.memory == NULL or room.counts == NULL:
            raise MemoryError
        room.runner = fc_runner_start(&self.columns, room.memory, size)
        if room.runner == NULL:
            raise MemoryError
        return room


# hot: begin
cdef void run_rows(
    FcRunner *runner, int64_t first, int64_t count, uint8_t **outs, const int *widths, int wanted, const uint32_t *codes,
    uint64_t *counts, uint32_t outcome_count,
) noexcept nogil:
    cdef uint32_t outcomes[FC_BATCH]
    cdef int64_t at = first, end = first + count
    cdef uint32_t n
    cdef int i
    while at < end:
        n = FC_BATCH if end - at > FC_BATCH else <uint32_t>(end - at)
        fc_run_rows(runner, at, n, outcomes)
        rows_tally(outcomes, n, counts, outcome_count)
        for i in range(wanted):
            rows_encode(outcomes, n, codes + i * <size_t>outcome_count, outs[i] + at * widths[i], widths[i])
        at += n
# hot: end


# ---- what comes out ----------------------------------------------------------------------------------------------------------


cdef struct Held:                # private_data of an exported array
    const void *buffers[3]
    PyObject *owner              # a reference: who keeps the buffers alive


@cython.final
cdef class Vector:
    """A column of answers: texts encoded by a dictionary, or booleans, integers or floats one by one. Speaks Arrow.

    Args:
        codes: for each row the index of its entry, in ``width`` bytes; kept and changed.
        null: the code of rows without an answer, None where there are none.
    """

    cdef readonly list entries
    cdef readonly int64_t length, nulls
    cdef readonly int width
    cdef bytearray codes, validity, data
    cdef bytes texts             # of a dictionary: offsets, then UTF-8
    cdef char form               # Arrow's format: u (dictionary), b, l, g

    def __init__(self, bytearray codes not None, int width, list entries not None, null, str form not None):
        self.codes, self.width, self.entries = codes, width, entries
        self.length = len(codes) // width
        self.form = ord(form)
        if null is not None:
            self.validity = bytearray((self.length + 7) // 8)
            self.nulls = rows_mark_nulls(
                PyByteArray_AS_STRING(codes), self.length, width, null, <uint8_t *>PyByteArray_AS_STRING(self.validity)
            )
        if form == "u":
            self.texts = dictionary_of(entries)
        else:
            self.data = self._gathered()

    cdef bytearray _gathered(self):
        """Return the rows' values themselves."""
        cdef bytearray out
        cdef uint64_t *entries = <uint64_t *>calloc(len(self.entries) + 1, sizeof(uint64_t))
        cdef Py_ssize_t i
        cdef double number
        cdef int64_t integer
        if entries == NULL:
            raise MemoryError
        try:
            for i in range(len(self.entries)):
                if self.form == c"g":
                    number = self.entries[i]
                    memcpy(&entries[i], &number, 8)
                else:
                    integer = self.entries[i]
                    entries[i] = <uint64_t>integer
            if self.form == c"b":
                out = bytearray((self.length + 7) // 8)
                rows_gather_bits(PyByteArray_AS_STRING(self.codes), self.length, self.width, entries, <uint8_t *>PyByteArray_AS_STRING(out))
            else:
                out = bytearray(8 * self.length)
                rows_gather(PyByteArray_AS_STRING(self.codes), self.length, self.width, entries, <uint64_t *>PyByteArray_AS_STRING(out))
        finally:
            free(entries)
        return out

    def __len__(self):
        return self.length

    def to_pylist(self):
        """Return the rows as Python values."""
        cdef uint8_t *bits = NULL
        cdef list found = []
        cdef int64_t i
        if self.validity is not None:
            bits = <uint8_t *>PyByteArray_AS_STRING(self.validity)
        codes = memoryview(self.codes).cast({1: "B", 2: "H", 4: "I"}[self.width])
        for i in range(self.length):
            found.append(None if bits != NULL and not bits[i >> 3] >> (i & 7) & 1 else self.entries[codes[i]])
        return found

    def __repr__(self):
        return f"<flagcore column of {self.length:,} rows>"

    def __arrow_c_schema__(self):
        return schema_capsule([("", self)], True)

    def __arrow_c_array__(self, requested_schema=None):
        return schema_capsule([("", self)], True), array_capsule([("", self)], self.length, True)


cdef bytes dictionary_of(list entries):
    """Return int32 offsets and the texts behind them."""
    cdef list encoded = [(<str>entry).encode("utf-8", "replace") for entry in entries]
    cdef bytearray offsets = bytearray(4 * (len(encoded) + 1))
    cdef int32_t *at = <int32_t *>PyByteArray_AS_STRING(offsets)
    cdef int32_t total = 0
    cdef Py_ssize_t i
    for i in range(len(encoded)):
        total += <int32_t>len(<bytes>encoded[i])
        at[i + 1] = total
    return bytes(offsets) + b"".join(encoded) + b"\0"


def export(list columns not None, int64_t rows):
    """Return the capsules (schema, array) of a record batch of (name, Vector)."""
    return schema_capsule(columns, False), array_capsule(columns, rows, False)


def export_schema(list columns not None):
    """Return the capsule of a record batch's schema."""
    return schema_capsule(columns, False)


# -- what schemas and arrays have alike: children and a dictionary, allocated one by one

ctypedef fused Struct:
    ArrowSchema
    ArrowArray


cdef void release_parts(Struct *whole) noexcept nogil:
    cdef int64_t i
    for i in range(whole.n_children):
        release_part(whole.children[i])
    if whole.dictionary != NULL:
        release_part(whole.dictionary)
    free(whole.children)


cdef void release_part(Struct *part) noexcept nogil:
    if part.release != NULL:
        part.release(part)
    free(part)


cdef int add_children(Struct *whole, int64_t count) except -1:
    """Add empty children. What is there when it fails is released by the owner."""
    cdef int64_t i
    whole.children = <Struct **>calloc(count + 1, sizeof(Struct *))
    if whole.children == NULL:
        raise MemoryError
    for i in range(count):
        whole.children[i] = <Struct *>calloc(1, sizeof(Struct))
        if whole.children[i] == NULL:
            raise MemoryError
        whole.n_children = i + 1
    return 0


cdef int add_dictionary(Struct *whole) except -1:
    whole.dictionary = <Struct *>calloc(1, sizeof(Struct))
    if whole.dictionary == NULL:
        raise MemoryError
    return 0


# -- schemas: one allocation each, name behind the struct's private part

cdef void release_schema(ArrowSchema *schema) noexcept nogil:
    release_parts(schema)
    free(schema.private_data)
    schema.release = NULL


cdef void drop_schema(object capsule) noexcept:
    release_part(<ArrowSchema *>PyCapsule_GetPointer(capsule, "arrow_schema"))


cdef int fill_schema(ArrowSchema *schema, const char *form, bytes name, int64_t children, bint nullable) except -1:
    """Start a schema whose children and dictionary are still to come. What fails later is released by the owner."""
    memset(schema, 0, sizeof(ArrowSchema))
    schema.release = release_schema
    schema.private_data = malloc(len(name) + 1)
    if schema.private_data == NULL:
        raise MemoryError
    memcpy(schema.private_data, PyBytes_AS_STRING(name), len(name) + 1)
    schema.format, schema.name = form, <const char *>schema.private_data
    schema.flags = 2 if nullable else 0  # ARROW_FLAG_NULLABLE
    return add_children(schema, children)


cdef const char *index_format(int width) noexcept:
    return b"c" if width == 1 else b"s" if width == 2 else b"i"


cdef const char *plain_format(char form) noexcept:
    return b"b" if form == c"b" else b"l" if form == c"l" else b"g"


cdef int fill_column_schema(ArrowSchema *schema, str name, Vector column) except -1:
    if column.form != c"u":
        return fill_schema(schema, plain_format(column.form), name.encode("utf-8", "replace"), 0, True)
    fill_schema(schema, index_format(column.width), name.encode("utf-8", "replace"), 0, True)
    add_dictionary(schema)
    return fill_schema(schema.dictionary, b"u", b"", 0, False)


cdef object schema_capsule(list columns, bint alone):
    cdef ArrowSchema *schema = <ArrowSchema *>calloc(1, sizeof(ArrowSchema))
    cdef object capsule
    cdef Py_ssize_t i
    if schema == NULL:
        raise MemoryError
    capsule = PyCapsule_New(schema, "arrow_schema", drop_schema)
    if alone:
        fill_column_schema(schema, columns[0][0], columns[0][1])
        return capsule
    fill_schema(schema, b"+s", b"", len(columns), False)
    for i, (name, column) in enumerate(columns):
        fill_column_schema(schema.children[i], name, column)
    return capsule


# -- arrays

cdef void release_array(ArrowArray *array) noexcept with gil:
    cdef Held *held = <Held *>array.private_data
    release_parts(array)
    if held.owner != NULL:
        Py_DECREF(<object>held.owner)
    free(held)
    array.release = NULL


cdef void drop_array(object capsule) noexcept:
    release_part(<ArrowArray *>PyCapsule_GetPointer(capsule, "arrow_array"))


cdef int fill_array(ArrowArray *array, object owner, int64_t length, int64_t buffers, int64_t children) except -1:
    """Start an array whose buffers, children and dictionary are still to come."""
    cdef Held *held = <Held *>calloc(1, sizeof(Held))
    if held == NULL:
        raise MemoryError
    memset(array, 0, sizeof(ArrowArray))
    array.private_data, array.release = held, release_array
    array.length, array.n_buffers, array.buffers = length, buffers, held.buffers
    if owner is not None:
        Py_INCREF(owner)
        held.owner = <PyObject *>owner
    return add_children(array, children)


cdef int fill_column(ArrowArray *array, Vector column) except -1:
    cdef Py_ssize_t count = len(column.entries)
    fill_array(array, column, column.length, 2, 0)
    array.null_count = column.nulls
    if column.validity is not None:
        array.buffers[0] = PyByteArray_AS_STRING(column.validity)
    array.buffers[1] = PyByteArray_AS_STRING(column.codes if column.form == c"u" else column.data)
    if column.form != c"u":
        return 0
    add_dictionary(array)
    fill_array(array.dictionary, column, count, 3, 0)
    array.dictionary.buffers[1] = PyBytes_AS_STRING(column.texts)
    array.dictionary.buffers[2] = PyBytes_AS_STRING(column.texts) + 4 * (count + 1)
    return 0


cdef object array_capsule(list columns, int64_t rows, bint alone):
    cdef ArrowArray *array = <ArrowArray *>calloc(1, sizeof(ArrowArray))
    cdef object capsule
    cdef Py_ssize_t i
    if array == NULL:
        raise MemoryError
    capsule = PyCapsule_New(array, "arrow_array", drop_array)
    if alone:
        fill_column(array, columns[0][1])
        return capsule
    fill_array(array, None, rows, 1, len(columns))
    for i, (_, column) in enumerate(columns):
        fill_column(array.children[i], column)
    return capsule
