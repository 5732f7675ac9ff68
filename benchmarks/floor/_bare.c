/* The barest floor: a C method written by hand, called with three positional arguments that hands one of them back. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct {
    PyObject_HEAD
} Bare;

/* Named and never inlined, so that callgrind can collect inside it. */
__attribute__((noinline)) static PyObject *bare_call(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    (void)self;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "call(key, default, context)");
        return NULL;
    }
    Py_INCREF(arguments[1]);
    return arguments[1];
}

static PyMethodDef bare_methods[] = {
    {"call", (PyCFunction)(void (*)(void))bare_call, METH_FASTCALL, "Return the second of three arguments."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject bare_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_bare.Bare",
    .tp_basicsize = sizeof(Bare),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_methods = bare_methods,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_bare", .m_size = -1};

PyMODINIT_FUNC PyInit__bare(void) {
    if (PyType_Ready(&bare_type) < 0) return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Bare", (PyObject *)&bare_type) < 0) Py_CLEAR(made);
    return made;
}
