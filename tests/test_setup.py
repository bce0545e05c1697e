"""The set-up: what is declared, locked and installed agrees, and tcs.py never shows a traceback."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
posix_only = pytest.mark.skipif(os.name == "nt", reason="stands in for the installer with a shell script")


# What is declared and what is locked


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def by_name(lines):
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def pins(lock):
    """List the pins of a lock as (requirement, hashes); a package may be pinned once per Python."""
    blocks = re.findall(r"^([\w.\-]+==[^\\\n]+)((?:\\\n +--hash=\S+ ?)*)", read(lock), re.M)
    return [(Requirement(line.strip()), re.findall(r"sha256:([0-9a-f]{64})\b", hashes)) for line, hashes in blocks]


def only_version(requirement):
    (pin,) = requirement.specifier
    return pin.version


PROJECT = tomllib.loads(read("pyproject.toml"))
RUNTIME = by_name(PROJECT["project"]["dependencies"])
DEVELOPMENT = by_name(PROJECT["dependency-groups"]["dev"])


@pytest.mark.parametrize("lock, declared", [(LOCKS[0], RUNTIME), (LOCKS[1], RUNTIME | DEVELOPMENT)])
def test_every_dependency_is_locked_inside_its_range(lock, declared):
    locked = pins(lock)
    for name, requirement in declared.items():
        versions = [only_version(pin) for pin, _ in locked if canonicalize_name(pin.name) == name]
        assert versions, f"{lock}: {name} of pyproject.toml is missing. Make the lock again by its first lines."
        for version in versions:
            assert requirement.specifier.contains(version), f"{lock}: {name} {version} is outside {requirement}"


def test_conda_environment_repeats_the_declared_ranges():
    environment = YAML(typ="safe").load(read("environment.yml"))
    listed = by_name(line for line in environment["dependencies"] if isinstance(line, str))
    assert environment["name"] == "tcs" and environment["channels"] == ["conda-forge", "nodefaults"]
    assert listed["python"].specifier == SpecifierSet(PROJECT["project"]["requires-python"])
    for name, requirement in RUNTIME.items():
        assert listed[name].specifier == requirement.specifier, name
    for name in listed.keys() - RUNTIME.keys() - {"python"}:
        assert listed[name].specifier == DEVELOPMENT[name].specifier, name


def test_development_lock_holds_the_runtime_lock_unchanged():
    assert {str(pin) for pin, _ in pins(LOCKS[0])} <= {str(pin) for pin, _ in pins(LOCKS[1])}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_hashes_and_names_no_place(lock):
    text = read(lock)
    assert len(pins(lock)) == len(re.findall(r"^[^\s#]", text, re.M)) > 100
    assert [str(pin) for pin, hashes in pins(lock) if not hashes] == []
    assert not re.search(r"://|--(extra-)?index-url|--find-links|file:|(?<![\w.])/\w|\b[A-Z]:\\", text)


def shipped_files():
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "-C", str(ROOT), "ls-files", "-coz", "--exclude-standard"]
        names = subprocess.run(command, capture_output=True, check=True).stdout.split(b"\0")
        return [path for path in (ROOT / os.fsdecode(name) for name in names if name) if path.is_file()]
    kept_out = {".venv", "wheels", "reports", "processed", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not kept_out & set(path.parts)]


def test_no_file_names_a_package_registry():
    # In pieces, or this file would be its own first finding.
    hosts = ["py" + "pi.org", "py" + "pi.io", "python" + "hosted.org", "ana" + "conda.org", "ana" + "conda.com"]
    hosts += ["npm" + "js.org", "npm" + "js.com", "tuna." + "tsinghua", "mirrors." + "aliyun", "cran." + "r-project"]
    pattern = re.compile("|".join(map(re.escape, hosts)).encode())
    found = [str(path.relative_to(ROOT)) for path in shipped_files() if pattern.search(path.read_bytes())]
    assert found == []


# tcs.py


def test_tcs_py_needs_the_standard_library_only_and_old_pythons_can_read_it():
    tree = ast.parse(read("tcs.py"), feature_version=(3, 6))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name if isinstance(node, ast.Import) else node.module for node in imports for alias in node.names}
    assert names <= sys.stdlib_module_names
    assert not any(isinstance(node, ast.NamedExpr | ast.Match) for node in ast.walk(tree))


@pytest.fixture
def project(tmp_path):
    """Lay a project with tiny locks and a stub for tcslib into a folder with a space and Chinese in its name."""
    root = tmp_path / "顾客 满意度"
    (root / "tcslib").mkdir(parents=True)
    shutil.copy(ROOT / "tcs.py", root)
    for lock in LOCKS:
        (root / lock).write_text("# " + lock, encoding="utf-8")
    (root / "tcslib" / "__init__.py").touch()
    stub = "import os, sys; print(sys.argv[1:], sys.flags.utf8_mode, os.getcwd()); raise SystemExit(len(sys.argv))"
    (root / "tcslib" / "__main__.py").write_text(stub, encoding="utf-8")
    return root


@pytest.fixture
def installer(tmp_path):
    """Stand in for uv: makes environments without pip, notes what it should install; fails, kills, dawdles if told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "uv"
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> "{folder}/calls"\n'
        f'if [ "$1" = venv ]; then exec "{sys.executable}" -m venv --without-pip "$5"; fi\n'
        f'if [ -e "{folder}/fail" ]; then cat "{folder}/fail"; exit 3; fi\n'
        f'if [ -e "{folder}/kill" ]; then kill -9 $PPID; fi\n'
        f'if [ -e "{folder}/slow" ]; then sleep 0.5; fi\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return folder


def calls(installer):
    """Tell what the stand-in was asked for since the last time."""
    path = installer / "calls"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return ["venv" if line.startswith("venv") else Path(line.split(" -r ")[1]).name for line in lines]


def start(project, *words, path=None, python=sys.executable, **settings):
    ours = ("TCS_", "PYTHON", "LC_", "LANG")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | settings
    if path:
        env["PATH"] = f"{path}{os.pathsep}{env['PATH']}"
    command = [python, str(project / "tcs.py"), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=project.parent)


def end(process):
    said, complained = process.communicate()
    return process.returncode, said.decode("utf-8"), complained.decode("utf-8", "replace")


def run(project, *words, **settings):
    return end(start(project, *words, **settings))


def refused(result, code, *words):
    """Check for one line on the error output (after the line of progress, if any), and no traceback."""
    lines = [line for line in result[2].splitlines() if not line.startswith("Setting up ")]
    assert result[0] == code and len(lines) == 1 and lines[0].startswith("tcs.py: "), result
    assert all(word in lines[0] for word in words), lines


@pytest.mark.parametrize("version", ["(3, 10, 13, 'final', 0)", "(3, 15, 0, 'final', 0)", "(4, 0, 0, 'final', 0)"])
def test_a_wrong_python_is_refused_in_one_line(version):
    code = f"import sys; sys.version_info = {version}; sys.path.insert(0, sys.argv[1]); import tcs; tcs.main(['demo'])"
    result = subprocess.run([sys.executable, "-c", code, str(ROOT)], capture_output=True, encoding="utf-8")
    refused((result.returncode, result.stdout, result.stderr), 2, "3.11 to 3.14")


def test_a_real_old_python_is_refused_in_one_line(project):
    found = [str(path) for path in Path.home().glob(".pyenv/versions/3.10.*/bin/python")]
    found += [shutil.which(f"python3.{minor}") for minor in (6, 7, 8, 9, 10)]
    for python in filter(None, found):
        result = run(project, "demo", python=python)
        if "pyenv: " not in result[2]:  # a shim for a version that is not chosen
            return refused(result, 2, "3.11 to 3.14", "3.13 tcs.py demo")
    pytest.skip("no Python below 3.11 on this machine")


@posix_only
@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_project_is_found_under_a_chinese_path_in_the_c_locale(project, installer, elsewhere):
    settings = {"LC_ALL": "C"} | ({"TCS_ENV": str(project.parent / "环境 2")} if elsewhere else {})
    code, said, _ = run(project, "check", "甲/2026Q3", path=installer, **settings)
    assert code == 3 and said == f"['check', '甲/2026Q3'] 1 {project.parent}\n"
    env = Path(settings.get("TCS_ENV", project / ".venv"))
    (pth,) = env.glob("lib/python3*/site-packages/tcslib-project.pth")
    assert pth.read_bytes().isascii()
    assert pth.read_text(encoding="ascii").startswith("import os, sys; " if elsewhere else "../../../..")
    # Python started by others (a kernel, an editor) neither has UTF-8 mode nor knows tcs.py.
    started = subprocess.run(
        [env / "bin" / "python", "-I", "-X", "utf8=0", "-c", "import tcslib"], env={"LC_ALL": "C"}, capture_output=True
    )
    assert (started.returncode, started.stderr) == (0, b"")


@posix_only
def test_no_word_asks_for_help_and_a_moved_project_still_starts(project, installer):
    assert run(project, path=installer)[1].startswith("['--help'] 1")
    moved = project.rename(project.with_name("moved"))
    assert run(moved, "list", path=installer)[0] == 2
    assert calls(installer) == ["venv", "requirements.lock"]


@posix_only
def test_only_what_changed_is_installed(project, installer):
    (project / "pytest.py").write_text("import sys; print(sys.argv[1:])", encoding="utf-8")  # stands in for pytest
    run(project, "demo", path=installer)
    assert calls(installer) == ["venv", "requirements.lock"]
    run(project, "demo", path=installer)
    assert calls(installer) == []
    assert run(project, "test", "-x", path=installer)[1] == "['-q', '-n', '2', 'tests', '-x']\n"
    assert calls(installer) == ["requirements-dev.lock"]
    run(project, "demo", path=installer)  # the development lock holds the runtime lock
    run(project, "test", path=installer)
    assert calls(installer) == []
    (project / LOCKS[0]).write_text("# changed", encoding="utf-8")
    run(project, "demo", path=installer)
    assert calls(installer) == ["requirements.lock"]
    run(project, "test", path=installer)  # the runtime lock may have overruled it
    assert calls(installer) == ["requirements-dev.lock"]


@posix_only
def test_an_interrupted_set_up_is_made_anew(project, installer):
    (installer / "kill").touch()
    assert run(project, "demo", path=installer)[0] == -9
    (project / ".venv" / "half").touch()
    (installer / "kill").unlink()
    calls(installer)
    assert run(project, "demo", path=installer)[0] == 2
    assert calls(installer) == ["venv", "requirements.lock"] and not (project / ".venv" / "half").exists()


@posix_only
def test_two_starts_at_once_make_one_set_up(project, installer):
    (installer / "slow").touch()
    first, second = start(project, "demo", path=installer), start(project, "demo", path=installer)
    assert (end(first)[0], end(second)[0]) == (2, 2)
    assert calls(installer) == ["venv", "requirements.lock"]


@posix_only
@pytest.mark.parametrize(
    "output, cause",
    [
        ("WARNING: Retrying (Retry(total=0))\nERROR: No matching distribution", "could not be reached"),
        ("ERROR: No matching distribution found for nh3==0.3.7", "found for nh3==0.3.7. Use an index"),
        ("ERROR: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: not so good.\nhint: none", "ERROR: not so good. Mend that"),
        ("", "no reason was given"),
    ],
)
def test_a_failed_installer_ends_in_one_line_and_the_next_start_tries_again(project, installer, output, cause):
    (installer / "fail").write_text(output, encoding="utf-8")
    refused(run(project, "demo", path=installer), 1, cause, "tcs-setup.log", "run the same command again")
    assert output in (project / ".venv" / "tcs-setup.log").read_text(encoding="utf-8")
    (installer / "fail").unlink()
    calls(installer)
    assert run(project, "demo", path=installer)[0] == 2
    assert calls(installer) == ["requirements.lock"]


def test_a_folder_with_other_files_is_refused_and_left_alone(project):
    (project / "theirs.txt").touch()
    refused(run(project, "demo", TCS_ENV=str(project)), 2, "holds other files", "TCS_ENV")
    assert not (project / "tcs-setup.json").exists()


@posix_only
def test_an_environment_of_another_hand_is_never_remade(project, installer):
    theirs = project.parent / "theirs"
    venv.create(theirs, with_pip=False)
    assert run(project, "demo", path=installer, TCS_ENV=str(theirs))[0] == 2
    assert calls(installer) == ["requirements.lock"]
    config = theirs / "pyvenv.cfg"
    config.write_text(re.sub(r"version = .*", "version = 3.9.1", config.read_text(encoding="utf-8")), encoding="utf-8")
    (theirs / "tcs-setup.json").write_text(json.dumps({"busy": True}), encoding="utf-8")
    refused(run(project, "demo", path=installer, TCS_ENV=str(theirs)), 2, "another hand", "TCS_ENV")


def test_a_place_that_cannot_be_written_is_one_line(project):
    (project / "file").touch()
    refused(run(project, "demo", TCS_ENV=str(project / "file" / "env")), 1, "file", "TCS_ENV")


def test_offline_wants_a_folder_of_wheels(project):
    refused(run(project, "demo", "--offline", "nowhere"), 2, "--offline: ", "nowhere")
    refused(run(project, "--offline"), 2, "--offline: ")


def test_a_python_without_its_venv_part_is_one_line(project):
    # As on Debian without python3-venv: ensurepip cannot be imported, and no uv stands in for it.
    code = "import sys; sys.modules['ensurepip'] = None; sys.path.insert(0, '.'); import tcs; tcs.main(['demo'])"
    env = {name: value for name, value in os.environ.items() if name != "TCS_ENV"} | {"PATH": str(project)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=env, cwd=project)
    refused((result.returncode, result.stdout, result.stderr), 1, "apt install python3.")
