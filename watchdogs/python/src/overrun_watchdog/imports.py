"""How long imports took, for cold starts. At the top of the module that the platform loads:

    import overrun_watchdog.imports

Every import after that which took long is a section `import boto3`, and goes out with the first event of a request that is
running out of time. Modules that a module imports count as its own, unless they took long by themselves.
"""

from __future__ import annotations

import sys
import time

from .process import watchdog
from .tracepoints import SECTIONS_MAX, Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Optional

WORTH_S = 0.005
"""Shorter imports are not told."""


class _Timed:
    """A loader that notes how long the module took."""

    def __init__(self, loader: Any, name: str, sections: list[Section]) -> None:
        self._loader, self._name, self._sections = loader, name, sections

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        module: Optional[ModuleType] = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = getattr(module, "__spec__", None)
        if spec is not None:
            # The module sees its own loader, as if nobody had been there.
            spec.loader = self._loader
            module.__loader__ = self._loader
        section = Section(f"import {self._name}")
        try:
            self._loader.exec_module(module)
        finally:
            section.closed_at = time.time()
            if section.closed_at - section.opened_at >= WORTH_S and len(self._sections) < SECTIONS_MAX:
                self._sections.append(section)


class Finder:
    """Asks the other finders, and times what they find."""

    def __init__(self, sections: list[Section]) -> None:
        self._sections = sections

    def find_spec(self, name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        """As `importlib.abc.MetaPathFinder.find_spec`."""
        for finder in sys.meta_path:
            find: Any = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: Optional[ModuleSpec] = find(name, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    timed: Any = _Timed(spec.loader, name, self._sections)
                    spec.loader = timed
                return spec
        return None

    def invalidate_caches(self) -> None:
        """It keeps none."""


def measure() -> None:
    """Begins to measure, if it has not begun yet."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        finder: Any = Finder(watchdog().boot)
        sys.meta_path.insert(0, finder)


measure()
