"""Finds the files that ship beside the code: event schemas and warehouse SQL.

Reads none of them and caches nothing: whoever asks for a folder owns its format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from stenograph.errors import ConfigurationError

BundledFolder = Literal["schemas", "warehouse_ddl"]

_PACKAGE = Path(__file__).resolve().parent


def bundled(kind: BundledFolder) -> Path:
    """Return the folder of that kind as it was installed: from the wheel, else from the checkout.

    The user's own `schemas/` folder is another one; this is what Stenograph ships. The folder is read-only
    in most installations. Raise `ConfigurationError` where neither place has it.
    """
    in_wheel = _PACKAGE / "_bundled" / kind
    in_checkout = _PACKAGE.parents[1] / kind
    for folder in (in_wheel, in_checkout):
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        f"This installation of Stenograph lacks its {kind} folder.",
        hint="Install the wheel again, or run from a complete checkout.",
        wanted=in_wheel,
        or_else=in_checkout,
    )
