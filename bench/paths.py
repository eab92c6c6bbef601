"""Where generated things live outside a run's folder."""

import os
from pathlib import Path


def cache() -> Path:
    """The cache of compiled programs and prepared data: $OPTGRID_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("OPTGRID_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "optgrid"
