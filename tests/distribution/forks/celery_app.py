"""A Celery application over folders, whose module makes the client in the parent of the prefork pool."""

from __future__ import annotations

from celery import Celery

from tests.distribution.forks.service import NOTES, client

folder = NOTES.with_suffix(".broker")
for name in ("in", "processed", "control"):
    (folder / name).mkdir(parents=True, exist_ok=True)

app = Celery("flags", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(folder / "in"),
        "data_folder_out": str(folder / "in"),
        "processed_folder": str(folder / "processed"),
        "control_folder": str(folder / "control"),
        "store_processed": True,
    },
    broker_connection_retry_on_startup=True,
)


@app.task
def ask() -> bool:
    """Answer for the flag in a process of the pool."""
    return client.get_boolean_value("open", False, {})
