"""Where an embedded server keeps its files, also for root.

Starts nothing. Call everything here but `gate` and `existing_home` with the gate locked.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from stenograph.errors import ConfigurationError
from stenograph.sources.postgres.server.binaries import (
    SHARED_CACHE,
    UNPRIVILEGED_USER,
    reachable,
    refuse_foreign,
)


class RunAs(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the user; none of them when no change is needed."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Home:
    """The files of one embedded server; `folder` is free of symlinks."""

    folder: Path

    @property
    def data(self) -> Path:
        """Postgres's own data directory; it appears complete or not at all."""
        return self.folder / "data"

    @property
    def stage(self) -> Path:
        """Where initdb works until the data directory is complete."""
        return self.folder / "stage"

    @property
    def password(self) -> Path:
        """The password of the role that the DSN names; mode 600."""
        return self.folder / "password"

    @property
    def port(self) -> Path:
        """The port of the last start."""
        return self.folder / "port"

    @property
    def users(self) -> Path:
        """Every process that uses the server holds a shared lock on this file."""
        return self.folder / "users"

    @property
    def alive(self) -> Path:
        """Postgres and each of its processes inherit an exclusive lock on this file."""
        return self.folder / "alive"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.folder / "server.log"

    def run_as(self) -> RunAs:
        """For root, the user who owns the data or, before there is any, nobody."""
        if os.geteuid() != 0:
            return {}
        account = _owner(self)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def absolute(path: Path) -> Path:
    """The path itself, never what it links to, under parents without links."""
    return path.parent.resolve() / path.name


def gate(path: Path) -> Path:
    """The lock file beside `path` that whoever starts or stops the server holds; made with its parents."""
    whole = absolute(path)
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
    except OSError as refusal:
        raise _unusable(whole) from refusal
    return whole.with_name(f"{whole.name}.lock")


def existing_home(path: Path) -> Home | None:
    """The home that `path` is or links to; None when there is none."""
    whole = absolute(path)
    if not whole.is_dir():
        return None
    folder = whole.resolve()
    if folder.parent == SHARED_CACHE.resolve():
        refuse_foreign(folder)
    return Home(folder)


def detached_home(path: Path) -> Home:
    """Where root keeps the files when user nobody cannot enter the tree that `path` lies in."""
    digest = hashlib.sha256(os.fsencode(absolute(path))).hexdigest()[:16]
    return Home(SHARED_CACHE.resolve() / f"stenograph-data-{digest}")


def make_home(path: Path) -> Home:
    """The home at `path`, made when it is missing.

    For root in a tree that user nobody cannot enter, `path` becomes a symlink to a folder in /var/tmp.
    Removing that symlink removes the server: the next start wipes the folder and makes a new one.
    Raise `ConfigurationError` when something else is there.
    """
    whole = absolute(path)
    try:
        found = existing_home(whole)
        if found is not None and any(found.folder.iterdir()):
            _refuse_other_use(whole, found)
            return found
        if found is not None and not whole.is_symlink():
            # An empty folder may have any mode; a new one has the right one.
            whole.rmdir()
        elif whole.is_symlink():
            whole.unlink()
        nobody = pwd.getpwnam(UNPRIVILEGED_USER)
        if os.geteuid() == 0 and not reachable(whole.parent, nobody.pw_uid, nobody.pw_gid):
            home = detached_home(whole)
            if home.folder.exists() or home.folder.is_symlink():
                refuse_foreign(home.folder)
                shutil.rmtree(home.folder)
            _make_folder(home.folder)
            whole.symlink_to(home.folder)
            return home
        _make_folder(whole)
        return Home(whole)
    except OSError as refusal:
        raise _unusable(whole) from refusal


def _make_folder(folder: Path) -> None:
    folder.mkdir()
    # The umask does not count: for root, user nobody must get through to the data.
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _owner(home: Home) -> pwd.struct_passwd:
    if home.data.exists():
        return pwd.getpwuid(home.data.stat().st_uid)
    return pwd.getpwnam(UNPRIVILEGED_USER)


def _refuse_other_use(path: Path, home: Home) -> None:
    if not home.users.exists():
        raise ConfigurationError(
            "The folder of the embedded server holds something else.",
            hint="Name a folder after `embedded:` that is empty or does not exist yet.",
            path=str(path),
        )
    if os.geteuid() == 0:
        account = _owner(home)
        if not reachable(home.folder, account.pw_uid, account.pw_gid):
            raise ConfigurationError(
                "The owner of the embedded server's data can no longer reach it.",
                hint=f"Let user {account.pw_name} enter the folder and those above it, or remove the folder.",
                path=str(path),
            )


def _unusable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        "The folder of the embedded server cannot be used.",
        hint="Check its permissions and the room on its disk, or name another folder after `embedded:`.",
        path=str(path),
    )
