"""Which bundles changed, told from snapshots of their files that are taken now and then."""

from __future__ import annotations

from dataclasses import dataclass

from service.bundle.repository import Snapshot, holds_manifest


@dataclass(frozen=True)
class Changes:
    """Directory names, in order."""

    written: tuple[str, ...] = ()
    """New or changed bundles."""
    vanished: tuple[str, ...] = ()


class ChangeDetector:
    """Compares snapshots. A change counts once it was seen twice in a row: what is being copied may go on."""

    def __init__(self, known: Snapshot) -> None:
        """`known`: what needs no action."""
        self._known = dict(known)
        self._previous: Snapshot = known

    def observe(self, snapshot: Snapshot) -> Changes:
        """The changes that are certain now; each is told once, see `forget`.

        Directories without a manifest are unfinished: no news. A snapshot without any bundle is that of a volume that
        is not mounted: no news either.
        """
        if is_without_bundles(snapshot):
            return Changes()
        previous, self._previous = self._previous, snapshot
        written = [
            name
            for name, signature in snapshot.items()
            if holds_manifest(signature) and signature == previous.get(name) and signature != self._known.get(name)
        ]
        vanished = [name for name in self._known if name not in snapshot and name not in previous]
        self._known.update((name, snapshot[name]) for name in written)
        for name in vanished:
            del self._known[name]
        return Changes(tuple(sorted(written)), tuple(sorted(vanished)))

    def forget(self, name: str) -> None:
        """Tell of the directory again the next time."""
        self._known[name] = frozenset()


def is_without_bundles(snapshot: Snapshot) -> bool:
    """Whether there is nothing to serve at all."""
    return not any(holds_manifest(signature) for signature in snapshot.values())
