# cython: language_level=3, binding=False
"""F: a method of a compiled class called with three arguments, as Cython makes one."""

cdef class Floor:
    def call(self, flag_key, default_value, evaluation_context):
        return default_value
