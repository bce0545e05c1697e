"""Set this project up and run it, in one command. All it needs is Python 3.11 to 3.14.

    python3 tcs.py demo                     on Windows: py tcs.py demo, or a double click on start.cmd
    python3 tcs.py run acme/2026Q3          any word of `python -m tcslib`; without a word it shows them all
    python3 tcs.py test                     the project's own tests
    python3 tcs.py demo --offline WHEELS    take the packages from the folder WHEELS instead of the network

The first start makes the folder `.venv` beside this file (or the folder named in the environment variable TCS_ENV)
and puts exactly the packages of requirements.lock into it. Later starts go straight to work, until the lock or your
Python changes. Nothing else on the computer is touched: delete the folder, and the next start makes it anew. Where
an environment of your own (conda, JupyterHub) holds the packages already, `python -m tcslib demo` is enough.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress

ROOT = os.path.dirname(os.path.abspath(__file__))
RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"  # the second holds the first
STATE, LOG, TURN = OURS = "tcs-setup.json", "tcs-setup.log", "tcs-setup.lock"
PYTHON, MINOR = "{}.{}.{}".format(*sys.version_info), "{}.{}".format(*sys.version_info)


def stop(sentence, code=1):
    """End with one plain sentence where Python would print a traceback."""
    print("tcs.py: " + sentence, file=sys.stderr)
    raise SystemExit(code)


def read(*parts):
    """Read a small text file; one that is not there is empty."""
    with suppress(FileNotFoundError), open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()
    return ""


def write(text, *parts):
    """Write a small text file in one step: a power cut leaves the old one or the new one."""
    path = os.path.join(*parts)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def python_of(env):
    """Name the Python inside an environment."""
    return os.path.join(env, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def packages_of(env):
    """Name the folder inside an environment that holds its packages and .pth files."""
    return sysconfig.get_path("purelib", "venv", vars={"base": env})


def state_of(env):
    """Recall what is noted of an environment: made by tcs.py, busy, its Python, the locks installed."""
    with suppress(ValueError):
        return json.loads(read(env, STATE) or "{}")
    return {}


def digest(lock):
    """Hash a lock file, by which a change in it is noticed."""
    with open(os.path.join(ROOT, lock), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def is_ready(env, lock):
    """Tell whether this Python has installed the lock, as it is now, to the end."""
    state = state_of(env)
    same = state.get("python") == PYTHON and state.get("locks", {}).get(lock) == digest(lock)
    return same and not state.get("busy") and os.path.exists(python_of(env))


def wait_for_turn(file):
    """Let one set-up at a time work in an environment; the system ends a turn however its holder ends."""
    for attempt in range(6000):
        try:
            if os.name == "nt":
                import msvcrt

                return msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            import fcntl

            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if attempt == 0:
                print("Another set-up is at work in this folder; waiting for it ...", file=sys.stderr)
            time.sleep(0.3)
        except OSError:
            return None  # some network drives know no locks


def work(command, env):
    """Run a tool, its output in the log, its last line on a terminal; if it fails, say why and what to do."""
    said, log_path = "", os.path.join(env, LOG)
    settings = dict(os.environ, PIP_USER="0")  # some sites set it to 1, which no environment allows
    # The tools read settings of the folder they start in; the caller's folder may hold another project's.
    pipes = {"cwd": env, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with open(log_path, "ab") as log, subprocess.Popen(command, env=settings, **pipes) as tool:
        try:
            for line in tool.stdout:
                log.write(line)
                said += line.decode("utf-8", "replace")
                if sys.stderr.isatty() and line.isascii():
                    print(said.splitlines()[-1].strip()[:76].ljust(78), end="\r", file=sys.stderr)
        except KeyboardInterrupt:
            tool.kill()  # a stop button reaches this script only
            raise
    if sys.stderr.isatty():
        print(" " * 78, end="\r", file=sys.stderr)
    if tool.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no reason was given"]
        why = ([line for line in lines if re.match("error", line, re.I)] or lines)[-1].rstrip(".")
        if re.search("No space left|Errno 28|os error 112", said):
            why = "the disk is full. Make room (about 1.5 GB)"
        elif re.search("retrying|connection|connect error|dns error|resolve host|timed out|certificate", said, re.I):
            why = "the package index could not be reached. Check network, proxy and mirror (or add --offline WHEELS)"
        elif re.search("no matching distribution|no solution found", said, re.I):
            why += f". Use an index, or a folder of wheels for this system and Python {MINOR}, that has all of the lock"
        else:
            why += ". Mend that"
        stop(f"setting up {env} failed: {why}, then run the same command again. Details are in {log_path}")


def make(env, uv):
    """Make the environment anew; uv does without the part of Python that Debian leaves out."""
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        if not uv:
            stop(f"this Python cannot make environments. On Debian or Ubuntu: sudo apt install python{MINOR}-venv")
    for path in (os.path.join(env, name) for name in os.listdir(env) if name not in OURS):
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
    venv = [uv, "venv", "--allow-existing", "--python", sys.executable] if uv else [sys.executable, "-I", "-m", "venv"]
    work([*venv, env], env)


def set_up(env, lock, wheels):
    """Install the lock in the environment: these hashes, ready-made wheels, nothing built."""
    state, locks, uv = state_of(env), {name: digest(name) for name in (RUNTIME, lock)}, shutil.which("uv")
    minor = re.search(r"^version\w*\s*=\s*(\d+\.\d+)", read(env, "pyvenv.cfg"), re.M)
    if not state.get("made") and not minor and set(os.listdir(env)) - set(OURS):
        stop(f"{env} holds other files and no Python environment. Set TCS_ENV to a new or an empty folder", 2)
    fits = minor and minor.group(1) == MINOR and os.path.exists(python_of(env))
    fits = fits and (uv or os.path.isdir(os.path.join(packages_of(env), "pip")))
    if minor and not fits and not state.get("made"):
        stop(f"{env} was made by another hand and does not suit Python {MINOR}. Set TCS_ENV to a new folder", 2)
    print(f"Setting up {env} from {lock} (once, 1-3 minutes) ...", file=sys.stderr)
    if not fits or (state.get("made") and state.get("busy")):  # what was cut off half-way is made anew
        state = {"made": True}
        write(json.dumps(dict(state, busy=True)), env, STATE)
        make(env, uv)
    write(json.dumps(dict(state, busy=True)), env, STATE)
    pip = [python_of(env), "-I", "-X", "utf8", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    # pip compiles what it installs; without that, uv's first runs would take twice as long
    command = [uv, "pip", "install", "--compile-bytecode", "--python", python_of(env)] if uv else pip
    command += ["--require-hashes", "--only-binary", ":all:", "-r", os.path.join(ROOT, lock)]
    try:
        work(command + (["--no-index", "--find-links", wheels] if wheels else []), env)
    except SystemExit:
        write(json.dumps(state), env, STATE)  # a tool that gave up by itself leaves no half work
        raise
    write(json.dumps(dict(state, busy=False, python=PYTHON, locks=locks)), env, STATE)


def enter(env):
    """Let the environment find the project; pip takes no editable project where it requires hashes."""
    # In ASCII, and a path in bytes: Python 3.11 reads this file, and may name files, in the locale's encoding.
    line = f"import os, sys; sys.path.append(os.fsdecode({os.fsencode(ROOT)}))"
    if env == os.path.join(ROOT, ".venv"):
        line = os.path.relpath(ROOT, packages_of(env))  # the project may be moved with its environment inside
    if read(packages_of(env), "tcslib-project.pth") != line:
        write(line, packages_of(env), "tcslib-project.pth")


def hand_over(env, words):
    """Become `python -m tcslib WORD ...` (or pytest) of the environment, in UTF-8 whatever the system says."""
    command = [python_of(env), "-X", "utf8", "-P", "-m", "tcslib", *(words or ["--help"])]
    settings = dict(os.environ, PYTHONUTF8="1")
    settings.pop("PYTHONHOME", None)
    if words[:1] == ["test"]:
        os.chdir(ROOT)
        named = any(os.path.exists(word.split("::")[0]) for word in words[1:])
        command[3:] = ["-m", "pytest", "-q", "-n", "2", *([] if named else ["tests"]), *words[1:]]
        settings["PYTHONWARNDEFAULTENCODING"] = "1"
    if os.name != "nt":
        os.execve(command[0], command, settings)
    child = subprocess.Popen(command, env=settings)
    while True:
        with suppress(KeyboardInterrupt):  # Ctrl-C reaches the child as well, which ends in its own way
            raise SystemExit(child.wait())


def main(words):
    """Check the Python, set up if need be, hand over."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        example = "py -3.13" if os.name == "nt" else "python3.13"
        stop(f"this is Python {PYTHON}; expected 3.11 to 3.14. Install one, then call it: {example} tcs.py demo", 2)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8" if os.name == "nt" else None, errors="replace")
    wheels = None
    if "--offline" in words:
        at = words.index("--offline")
        wheels = os.path.abspath((words[at + 1 : at + 2] or ["(none given)"])[0])
        if not os.path.isdir(wheels):
            stop(f"--offline: {wheels} is no folder. Expected one filled by: pip download -d WHEELS -r {RUNTIME}", 2)
        del words[at : at + 2]
    env = os.path.abspath(os.path.expanduser(os.environ.get("TCS_ENV") or os.path.join(ROOT, ".venv")))
    lock = DEVELOPMENT if words[:1] == ["test"] else RUNTIME
    try:
        if not is_ready(env, lock):
            os.makedirs(env, exist_ok=True)
            with open(os.path.join(env, TURN), "ab") as turn:
                wait_for_turn(turn)
                if not is_ready(env, lock):
                    set_up(env, lock, wheels)
        enter(env)
        hand_over(env, words)
    except KeyboardInterrupt:
        stop("stopped. The next start begins the set-up again", 130)
    except OSError as fault:
        stop(f"{fault.filename or env}: {fault.strerror}. Expected to write there; set TCS_ENV to a folder of yours")


if __name__ == "__main__":
    main(sys.argv[1:])
