/* The value of a key at a known place of a dict: what PyDict_Next gives for 50 instructions, for 15.
 *
 * Reads the table of keys as CPython's own header describes it ("internal": it may change between minor versions, and wheels are
 * built for one). Only versions under which it was tried do so; others ask PyDict_Next. Where dicts turn out to be laid out
 * otherwise when the module is imported (dict_is_known), no place is asked for, and each key is looked up.
 */
#ifndef FLAGCORE_DICTS_H
#define FLAGCORE_DICTS_H

#include <Python.h>

#ifndef DICT_IS_DESCRIBED
#define DICT_IS_DESCRIBED (PY_VERSION_HEX < 0x030E0000)
#endif

#if DICT_IS_DESCRIBED
#ifdef Py_BUILD_CORE
#include "internal/pycore_dict.h"
#else
#define Py_BUILD_CORE 1
#include "internal/pycore_dict.h"
#undef Py_BUILD_CORE
#endif
#endif

/* Borrowed reference to the value of `key` (a str, compared by identity) if it is entry `place` of the dict; else NULL. No place below 0
 * is one. Runs no foreign code. Instance dictionaries that share their keys keep values elsewhere: NULL. */
static inline __attribute__((always_inline)) PyObject *dict_at(PyObject *dict, Py_ssize_t place, PyObject *key) {
#if DICT_IS_DESCRIBED
    PyDictKeysObject *keys = ((PyDictObject *)dict)->ma_keys;
    if ((size_t)place >= (size_t)keys->dk_nentries || !DK_IS_UNICODE(keys) || ((PyDictObject *)dict)->ma_values != NULL) return NULL;
    const PyDictUnicodeEntry *entry = DK_UNICODE_ENTRIES(keys) + place;
    return entry->me_key == key ? entry->me_value : NULL;
#else
    PyObject *found, *value;
    return place >= 0 && PyDict_Next(dict, &place, &found, &value) && found == key ? value : NULL;
#endif
}

/* Are all keys texts, so that a search for one (a str itself) runs no foreign code? 0 where that is not known. */
static inline int dict_has_texts(PyObject *dict) {
#if DICT_IS_DESCRIBED
    return DK_IS_UNICODE(((PyDictObject *)dict)->ma_keys);
#else
    (void)dict;
    return 0;
#endif
}

/* The place of `key` among the first `most` entries, or -1. */
static inline Py_ssize_t dict_place(PyObject *dict, PyObject *key, Py_ssize_t most) {
    PyObject *found, *value;
    Py_ssize_t next = 0;
    while (next < most && PyDict_Next(dict, &next, &found, &value))
        if (found == key) return next - 1;
    return -1;
}

/* Do dicts of this interpreter look as described? Asks for each of three keys at each place of a dict whose first has gone, and of
 * one with keys of another kind. */
static __attribute__((unused)) int dict_is_known(void) {
    PyObject *dict = Py_BuildValue("{s:i,s:i,s:i}", "first", 1, "second", 2, "third", 3);
    PyObject *other = Py_BuildValue("{i:i}", 1, 1), *keys = dict == NULL ? NULL : PyDict_Keys(dict);
    int is_known = other != NULL && keys != NULL && PyDict_DelItem(dict, PyList_GET_ITEM(keys, 0)) == 0;
    for (Py_ssize_t place = -1; DICT_IS_DESCRIBED && is_known && place < 5; place++)
        for (Py_ssize_t i = 0; i < 3; i++) {
            PyObject *key = PyList_GET_ITEM(keys, i), *value = i == place ? PyDict_GetItemWithError(dict, key) : NULL;
            is_known &= dict_at(dict, place, key) == value && dict_at(other, place, key) == NULL;
        }
    is_known &= dict == NULL || other == NULL || !DICT_IS_DESCRIBED || (dict_has_texts(dict) && !dict_has_texts(other));
    Py_XDECREF(dict);
    Py_XDECREF(other);
    Py_XDECREF(keys);
    PyErr_Clear();
    return is_known;
}

#endif
