# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the main job and its failures as loudly as Ansible can, and looks for every secret in all that is left behind.

Usage: job.py DIRECTORY, with INVENTORY_PATH in the environment. Ends with 0 when nothing was found.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from postgres import USER, postgres
from sampler import Sampler
from scan import Hit, Scanner

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parents[3] / "roles" / "simulated_array" / "files"
VOLUMES = ("oradata", "redolog", "bv1", "bv2", "bv3", "bv4", "scratch")
#: What has to be encoded somewhere. A nonce in each line keeps it from being found by chance.
ODD = "{0}\u00e4\u00df\u2028{1} 'q' \"d\" %41 %s \\n\n{2} {{{{ x }}}} $HOME <&> #;`"


def _odd() -> str:
    return ODD.format(*(os.urandom(6).hex() for _line in range(3)))


SECRETS = {
    "array": _odd(),
    "database": _odd().replace("\n", "@/:?&"),  # initdb takes one line
    "wrong": _odd(),
    "peer": _odd(),
    "unencoded": f"{os.urandom(6).hex()}@{os.urandom(6).hex()}",
}
BASIC = {f"basic {name}": f"software:{secret}" for name, secret in SECRETS.items()}
LOUD = {
    "ANSIBLE_VERBOSITY": "4",
    "ANSIBLE_PIPELINING": "0",
    "ANSIBLE_KEEP_REMOTE_FILES": "0",
    "ANSIBLE_CALLBACKS_ENABLED": "whole",
    "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
    "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1",
    "ANSIBLE_DIFF_ALWAYS": "1",
    "ANSIBLE_SHOW_TASK_PATH_ON_FAILURE": "1",
}


class Job:
    """A directory with everything that is left behind; ``given``: what the caller gave, which is his to keep."""

    def __init__(self, directory: Path) -> None:
        self.left, self.given = directory / "left", directory / "given"
        for place in (self.left, self.given):
            place.mkdir(mode=0o700)
        self.scanner = Scanner({**SECRETS, **BASIC})
        self.hits: list[Hit] = []
        self.commands: set[str] = set()
        self.env = {
            **os.environ,
            **LOUD,
            "ANSIBLE_LOG_PATH": str(self.left / "ansible.log"),
            "ANSIBLE_REMOTE_TMP": str(self.left / "remote_tmp"),
            "ANSIBLE_LOCAL_TEMP": str(self.left / "local_tmp"),
            "ANSIBLE_ASYNC_DIR": str(self.left / "async"),
            "WHOLE_RESULTS": str(self.left / "results.jsonl"),
        }

    def play(self, name: str, *words: str, env: dict[str, str], given: tuple[str, ...] = ()) -> None:
        """Run playbooks, watched, under an umask of 0. ``given``: secrets that the environment bears."""
        argv = ["ansible-playbook", "-i", os.environ["INVENTORY_PATH"], *words]
        sampler = Sampler(self.scanner, given)
        with (self.left / f"{name}.out").open("wb") as out, sampler.looking():
            done = subprocess.run(
                argv, env={**self.env, **env}, stdout=out, stderr=subprocess.STDOUT, umask=0, check=False
            )
        self.hits += sampler.hits
        self.commands |= sampler.commands
        if done.returncode:
            print((self.left / f"{name}.out").read_text(encoding="utf-8")[-6000:])
            raise SystemExit(f"{name} ended with {done.returncode}")


@contextmanager
def array(directory: Path, password_file: Path) -> Iterator[dict[str, object]]:
    """Run a simulated array with a password of ours."""
    env = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    base = [sys.executable, "-m", "eternus_sim"]
    serve = [*base, "serve", "--detach", "--directory", str(directory), "--password-file", str(password_file)]
    at = json.loads(subprocess.run(serve, env=env, check=True, stdout=subprocess.PIPE).stdout)
    try:
        door = http.client.HTTPConnection(at["host"], at["http_port"], timeout=60)
        token = base64.b64encode(f"{at['user']}:{SECRETS['array']}".encode()).decode()
        body = json.dumps([{"name": name, "size": 2 << 20} for name in VOLUMES])
        door.request("POST", "/door/volumes", body.encode(), {"Authorization": f"Basic {token}"})
        assert door.getresponse().status == 201
        door.close()
        yield at
    finally:
        subprocess.run([*base, "stop", "--directory", str(directory)], env=env, check=True)


def main() -> int:
    """Run it."""
    job = Job(Path(sys.argv[1]))
    password_file = job.given / "password"
    password_file.write_text(SECRETS["array"], encoding="utf-8")
    with array(job.left / "array", password_file) as at, postgres(SECRETS["database"]) as database:
        begun = time.time()
        main_job(job, at)
        kept_by_ansible(job, at)
        on_postgres(job, at, database.port)
        job.hits += job.scanner.walk(database.files, since=begun)
    job.hits += job.scanner.walk(job.left, Path(os.environ["HOME"]), Path(os.environ["TMPDIR"]))
    looked(job)
    for hit in sorted(set(job.hits), key=str):
        print(f"FOUND: {hit.secret} ({hit.form}) in {hit.place}")
    print(f"{len(set(job.hits))} found in {job.scanner.files} files, {job.scanner.bytes >> 20} MiB")
    return 1 if job.hits else 0


def by_environment(job: Job, at: dict[str, object]) -> dict[str, str]:
    """Return the variables that the documents name."""
    return {
        "ETERNUS_HOST": str(at["host"]),
        "ETERNUS_PORT": str(at["https_port"]),
        "ETERNUS_USERNAME": str(at["user"]),
        "ETERNUS_PASSWORD": SECRETS["array"],
        "ETERNUS_CA_PATH": str(at["ca_file"]),
        "ETERNUS_CATALOG": f"sqlite:///{job.left}/state/deep/catalog.db",
        "ETERNUS_TAPE_LIBRARY": f"{job.left}/tapes/library",
        "ETERNUS_DEVICE_DIR": str(at["device_dir"]),
    }


def main_job(job: Job, at: dict[str, object]) -> None:
    """The whole cycle. Somebody who reads keeps the catalog's log from being taken away at the end."""
    catalog = job.left / "state" / "deep" / "catalog.db"
    with reader_of(catalog):
        job.play("cycle", str(HERE / "cycle.yml"), env=by_environment(job, at), given=("array", "basic array"))
        assert Path(f"{catalog}-wal").stat().st_size
        job.hits += job.scanner.walk(catalog.parent)
        modes(job.left)


@contextmanager
def reader_of(catalog: Path) -> Iterator[None]:
    """Have the catalog open as soon as it is there and has its log, until the block ends."""
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.05):
            if catalog.exists():
                with closing(sqlite3.connect(f"file:{quote(str(catalog))}?mode=ro", uri=True)) as reader:
                    if reader.execute("PRAGMA journal_mode").fetchone() == ("wal",):
                        reader.execute("SELECT count(*) FROM sqlite_master").fetchall()
                        ended.wait()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def modes(left: Path) -> None:
    """What the product has made is for its owner alone, though the umask was 0."""
    for top in ("state", "tapes", "second"):
        found = [left / top, *(left / top).rglob("*")]
        assert len(found) > 1, top
        for path in found:
            mode = stat.S_IMODE(path.lstat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:03o}"
    assert stat.S_IMODE((left / "export.jsonl").stat().st_mode) == 0o600


def kept_by_ansible(job: Job, at: dict[str, object]) -> None:
    """What Ansible keeps where it is told to: the module with its arguments, for its owner alone, and nothing else.

    Without ANSIBLE_KEEP_REMOTE_FILES nothing is left there.
    """
    remote = job.left / "remote_tmp"
    assert [path for path in remote.rglob("*") if path.is_file()] == []
    env = {**by_environment(job, at), "ANSIBLE_KEEP_REMOTE_FILES": "1"}
    words = ["all", "-i", os.environ["INVENTORY_PATH"], "-l", "testhost", "-m", "eternus.backup.eternus_info"]
    file = job.given / "arguments.yml"
    file.write_text(f"secret: !unsafe {json.dumps(SECRETS['wrong'])}\n", encoding="utf-8")
    kept = {**job.env, **env, "ETERNUS_PASSWORD": ""}
    words += ["-a", "password={{ secret }}", "-e", f"@{file}"]
    subprocess.run(["ansible", *words], env=kept, stdout=subprocess.DEVNULL, check=False)
    files = [path for path in remote.rglob("*") if path.is_file()]
    assert files
    assert any(job.scanner.look("", path.read_bytes()) for path in files), "the scanner sees what Ansible keeps"
    for path in files:
        assert path.name.startswith("AnsiballZ_eternus_info"), path
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or stat.S_IMODE(path.parent.stat().st_mode) == 0o700, path
        path.unlink()


def on_postgres(job: Job, at: dict[str, object], port: int) -> None:
    """By variables, over a database with a password; then what goes wrong."""
    server = f"127.0.0.1:{port}/postgres"

    def url(secret: str) -> str:
        return f"postgresql://{USER}:{quote(SECRETS[secret], safe='')}@{server}"

    variables = {
        "eternus_host": at["host"],
        "eternus_port": at["https_port"],
        "eternus_username": at["user"],
        "eternus_password": SECRETS["array"],
        "eternus_ca_path": at["ca_file"],
        "eternus_catalog": url("database"),
        "wrong_catalog": url("wrong"),
        "bad_catalog": f"postgresql://{USER}:{SECRETS['unencoded']}@{server}",
        "wrong_password": SECRETS["wrong"],
        "peer_password": SECRETS["peer"],
        "configure_transaction_volumes": ["redolog"],
        "configure_backup_volumes": ["bv3", "bv4"],
        "configure_policies": [{"volume": "redolog", "generations": 1, "media": "disk"}],
        "synchronize_poll_interval": 0.1,
    }
    # What looks like a template in a password is none.
    lines = [f"{name}: {'!unsafe ' * isinstance(one, str)}{json.dumps(one)}\n" for name, one in variables.items()]
    file = job.given / "variables.yml"
    file.write_text("".join(lines), encoding="utf-8")
    names = [f"eternus.backup.{name}" for name in ("configure", "synchronize")]
    job.play("postgres", *names, "-e", f"@{file}", env={})
    job.play("failures", str(HERE / "failures.yml"), "-e", f"@{file}", env={})


def looked(job: Job) -> None:
    """Nothing was found because somebody looked: files of each kind are there, and modules were seen as they ran."""
    for pattern in (
        "ansible.log",
        "results.jsonl",
        "cycle.out",
        "failures.out",
        "export.jsonl",
        "state/deep/catalog.db",
        "second/catalog.db",
        "tapes/library/WK0001L8/00002",
        "async/*",
        "array/*",
    ):
        assert list(job.left.glob(pattern)), pattern
    log = (job.left / "ansible.log").read_text(encoding="utf-8")
    apart = os.environ.get("ETERNUS_IN_PROCESS") == "0"  # every module has a process of its own
    ran = "AnsiballZ_eternus_backup.py" if apart else "eternus.backup.eternus_backup: in a fork of this process"
    for word in (ran, "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "a bug, near https://"):
        assert word in log, word
    for module in ("eternus_sync", "eternus_backup", "tape_copy", "tape_restore", "eternus_catalog") if apart else ():
        assert any(f"AnsiballZ_{module}" in command for command in job.commands), module
    assert any("ansible-playbook" in command for command in job.commands)


if __name__ == "__main__":
    sys.exit(main())
