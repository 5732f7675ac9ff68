/* The floor of every ratio: a C method called with three positional arguments that hands one of them back. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct {
    PyObject_HEAD
} Floor;

/* Named and never inlined, so that callgrind can collect inside it. */
__attribute__((noinline)) static PyObject *floor_call(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    (void)self;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "call(key, default, context)");
        return NULL;
    }
    Py_INCREF(arguments[1]);
    return arguments[1];
}

static PyMethodDef floor_methods[] = {
    {"call", (PyCFunction)(void (*)(void))floor_call, METH_FASTCALL, "Return the second of three arguments."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject floor_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_floor.Floor",
    .tp_basicsize = sizeof(Floor),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_methods = floor_methods,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_floor", .m_size = -1};

PyMODINIT_FUNC PyInit__floor(void) {
    if (PyType_Ready(&floor_type) < 0) return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Floor", (PyObject *)&floor_type) < 0) Py_CLEAR(made);
    return made;
}
