"""A client that serves a workload, made in memory through the real loader, compiler and kernel."""

from __future__ import annotations

from benchmarks.workloads import Workload
from flagcore.client import Client
from flagcore.testing import client_from_document

__all__ = ["client_for"]


def client_for(workload: Workload) -> Client:
    """Return a client that serves the workload's flags."""
    return client_from_document(workload.flags)
