"""The first ten lines: a flag with two rules, a client, an answer."""

import tempfile
from pathlib import Path

import flagcore

FLAGS = """
{"schema": "flagcore/v1", "flags": {"checkout.new": {
   "type": "boolean", "default": "off",
   "rules": [{"id": "staff",  "when": "email ends_with \\"@corner.example\\"", "serve": "on"},
             {"id": "launch", "when": "country in [\\"DE\\", \\"AT\\"]", "percent": 25, "serve": "on"}]}}}
"""

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "flags.json").write_text(FLAGS)

    client = flagcore.connect(folder)  # files are checked, compiled and watched
    context = {"targetingKey": "u-7", "country": "DE", "email": "eva@corner.example"}

    print(client.get_boolean_value("checkout.new", False, context))  # True

    details = client.get_boolean_details("checkout.new", False, context)
    print(details.variant, details.reason, details.flag_metadata["flagcore.rule"])  # on TARGETING_MATCH staff

    print(client.explain("checkout.new", {"targetingKey": "u-7", "country": "DE"}))  # rule by rule, down to the bucket

    with client.override({"checkout.new": False}):  # for tests and local development
        print(client.get_boolean_value("checkout.new", True, context))  # False
    client.close()
