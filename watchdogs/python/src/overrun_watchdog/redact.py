"""Takes secrets out of what is sent, before it leaves the process.

Values under names with one of `WORDS` in them, also inside JSON carried as text and in the query of an address, and
payment card numbers. The collector does the same again.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REDACTED = "[redacted]"
WORDS = ("authorization", "cookie", "password", "passwd", "token", "secret", "apikey")
DEPTH_MAX = 32
ITEMS_MAX = 20_000
"""Values that one event may hold; what comes after is left out, so that a huge event costs no more than this."""

_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")
_PAIR = re.compile(r"([^?&=\s]+)=([^&\s#]*)")


class Redactor:
    """Knows which names are sensitive."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        self._words = WORDS + tuple(word.replace("-", "").replace("_", "") for word in more)
        self._items = 0

    def event(self, value: Any) -> Any:
        """A copy of any value as JSON can carry it, without secrets. What is no JSON is told by its type."""
        self._items = 0
        return self._value(value, 0)

    def address(self, text: str) -> str:
        """A path or URL without the secrets in its query."""
        return _PAIR.sub(lambda pair: f"{pair[1]}={REDACTED}" if self.is_sensitive(pair[1]) else pair[0], text)

    def is_sensitive(self, name: str) -> bool:
        """Whether what stands under this name is to be taken out."""
        flat = name.lower().replace("-", "").replace("_", "")
        return any(word in flat for word in self._words)

    def _value(self, value: Any, depth: int) -> Any:
        self._items += 1
        if self._items > ITEMS_MAX or depth > DEPTH_MAX:
            return "[left out]"
        if value is None or isinstance(value, (bool, int, float)):
            return value if value == value and value not in (float("inf"), float("-inf")) else str(value)
        if isinstance(value, str):
            return self._text(value, depth)
        if isinstance(value, dict):
            return {str(name): self._member(str(name), one, depth) for name, one in list(value.items())}
        if isinstance(value, (list, tuple)):
            return [self._value(one, depth + 1) for one in list(value)]
        return f"[{type(value).__name__}]"

    def _member(self, name: str, value: Any, depth: int) -> Any:
        return REDACTED if self.is_sensitive(name) else self._value(value, depth + 1)

    def _text(self, text: str, depth: int) -> str:
        if text[:1] in ("{", "["):
            try:
                return json.dumps(self._value(json.loads(text), depth + 1))
            except (ValueError, RecursionError):
                pass
        if "=" in text:
            text = self.address(text)
        return _CARD.sub(lambda digits: REDACTED if _is_card(digits[0]) else digits[0], text)


def _is_card(text: str) -> bool:
    """Luhn's check: of other long numbers one in ten passes it."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
