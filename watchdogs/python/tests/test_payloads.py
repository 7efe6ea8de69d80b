"""What is sent has the fields that the collector's tests read in their fixtures."""

from __future__ import annotations

import json
import sys
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from child import run
from payloads import EVENTS, LAST_WORDS, SIGNAL_WORDS

PROGRAM = """
import payloads
say(payloads.produce())
os._exit(0)
"""


def fields(events: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The fields of each event, and of what is in their lists."""
    found = []
    for event in events:
        inner = [f"{name}.{field}" for name in ("stacks", "in_flight") for one in event.get(name, [])[:1] for field in one]
        found.append((event["kind"], *sorted([*event, *inner])))
    return sorted(set(found))


class Payloads(unittest.TestCase):
    def test_the_fixtures_are_what_is_sent(self) -> None:
        ended = run(PROGRAM, None)
        self.assertTrue(ended.said, ended.errors)
        events, words, signal_words = ended.said[0]
        kept = [json.loads(line) for line in EVENTS.read_text().splitlines()]
        self.assertEqual(fields(events), fields(kept), "run tests/payloads.py if this is meant")
        self.assertEqual([text.split(" ")[0] for text in (words, signal_words)], ["Timeout", "Current"])
        for text in (words, LAST_WORDS.read_text(), signal_words, SIGNAL_WORDS.read_text()):
            self.assertRegex(text, r'File "[^"]+marker\.py", line \d+ in overrun order-7 \d{13} \d{13} GET /native-gil\n')


if __name__ == "__main__":
    unittest.main()
