"""What the watchdog says, and how it is brought to the collector. Loaded by the watcher, beside the user's own start-up."""

from __future__ import annotations

from .event import Writer
from .redact import Redactor
from .sender import Sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings


class Voice:
    """Writes events and sends them."""

    def __init__(self, settings: Settings) -> None:
        self.writer = Writer(settings, Redactor(settings.redact))
        self.sender = Sender(settings)
        if settings.endpoint is not None and settings.endpoint.tls:
            # Loaded here and not when it is needed: see `Watchdog.before_fork`.
            import ssl

            del ssl
