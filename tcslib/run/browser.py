"""A page on paper: printed to a PDF by a browser that is there already."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tcslib.errors import RunFailed
from tcslib.run.store import aside

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
_MAC = ("Google Chrome", "Chromium", "Microsoft Edge")
_WINDOWS = ("Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe",
            "Microsoft/Edge/Application/msedge.exe")
_SECONDS = 120


def find_browser() -> str | None:
    """A browser that prints without a window: the one ``TCS_BROWSER`` names, else one in the usual places."""
    if named := os.environ.get("TCS_BROWSER"):
        return shutil.which(named)
    places = [Path(f"/Applications/{name}.app/Contents/MacOS/{name}") for name in _MAC]          # nowhere but on a Mac
    places += [Path(os.environ[where]) / name for where in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
               if where in os.environ for name in _WINDOWS]
    return next((p for name in _NAMES if (p := shutil.which(name))), None) or next(
        (str(p) for p in places if p.is_file()), None)


def print_page(page: Path, pdf: Path) -> Path:
    """Print a page to a PDF, which is made aside and renamed into place; returns where it is.

    Raises
    ------
    RunFailed
        When there is no browser, or it does not print.
    """
    program = find_browser()
    if program is None:
        raise RunFailed("no Chromium, Chrome or Edge was found to print it. Open the page in any browser and print it "
                        "there, or name a browser in the environment variable TCS_BROWSER.", str(page))
    by_hand = "Open the page in any browser and print it there."
    with tempfile.TemporaryDirectory(prefix="tcs-print-", ignore_cleanup_errors=True) as profile:
        # a browser run by root, as in a container, starts without its sandbox only
        root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        try:
            with aside(pdf.resolve()) as made:
                subprocess.run([program, "--headless", *root, "--disable-gpu", "--no-first-run",
                                "--no-pdf-header-footer", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
                                f"--print-to-pdf={made}", page.resolve().as_uri()],
                               check=True, capture_output=True, timeout=_SECONDS)
                if not made.is_file() or not made.read_bytes().startswith(b"%PDF"):
                    raise RunFailed(f"{program} printed nothing. {by_hand}", str(page))
        except (OSError, subprocess.SubprocessError) as error:
            raise RunFailed(f"{program} did not print it ({type(error).__name__}). {by_hand}", str(page)) from None
    return pdf
