"""A fresh kernel for every notebook, made ready while the one before it works.

Most of a short notebook's time goes into starting a kernel and importing pandas, scipy and seaborn. While a notebook
is at work the next ones' kernels are started, so that this happens beside the work. None is used twice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tcslib.run.manifest import LIBRARY

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

# one BLAS thread and a fixed hash seed: equal runs give equal bytes
_SETTINGS = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
             "MKL_NUM_THREADS": "1", "MPLBACKEND": "svg", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
_AHEAD = 2          # kernels made ready: with one, a short notebook is done before the next kernel is
_WARM = "__import__('tcslib.run.warm')"
# a kernel watches its parent, but not one that was gone before it began to
_ALONE = "__import__('os').getppid() == {parent} or __import__('os')._exit(1)"


class Kernels:
    """Kernels in a row: ``take`` one, and the next are being made ready. A context manager that leaves none behind.

    Parameters
    ----------
    folder
        The kernels' working folder.
    own
        Folder, made here, for what kernels keep while they live: connection files, sockets, IPython's profile.
    """

    def __init__(self, folder: Path, own: Path) -> None:
        self._started, self._folder, self._own = 0, folder, own
        self._ready: list[AsyncKernelManager] = []
        self._taken: list[AsyncKernelManager] = []

    def __enter__(self) -> Kernels:
        self._own.mkdir(mode=0o700, parents=True)
        self._ready.append(self._start())          # before anybody takes it: most runs have a stage to run
        return self

    def __exit__(self, *_: object) -> None:
        self._taken += self._ready
        self.release()

    def take(self, more: int) -> AsyncKernelManager:
        """A kernel nobody has used; at most so many more are taken after it."""
        self.release()
        self._taken.append(self._ready.pop(0) if self._ready else self._start())
        while len(self._ready) < min(more, _AHEAD):
            self._ready.append(self._start())
        return self._taken[-1]

    def release(self) -> None:
        """End the kernels that were taken."""
        from jupyter_core.utils import run_sync

        for manager in self._taken:
            if manager.has_kernel:
                run_sync(manager.shutdown_kernel)(now=True)
        self._taken.clear()

    def _start(self) -> AsyncKernelManager:
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_core.utils import run_sync

        self._started += 1
        path = os.pathsep.join([str(LIBRARY.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        file = self._own / f"{self._started}.json"
        # No folder of kernels is searched: this interpreter's own kernel it is, whatever a user has installed as
        # "python3". Of managers only this one's client gives way while it waits, so that a dead kernel and a cell
        # that takes too long are noticed. A free port can be taken by another run before the kernel has bound it, a
        # socket in a folder of one's own cannot. Without encryption a kernel with ports warns on the terminal.
        manager = AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), connection_file=str(file),
            **({"transport": "ipc"} if _sockets(file) else {"transport_encryption": "auto"}))
        lines = [_WARM] if sys.platform == "win32" else [_ALONE.format(parent=os.getpid()), _WARM]
        run_sync(manager.start_kernel)(
            cwd=str(self._folder), extra_arguments=[f"--IPKernelApp.exec_lines={line}" for line in lines],
            env={**os.environ, **_SETTINGS, "PYTHONPATH": path, "IPYTHONDIR": str(self._own / "ipython")})
        return manager


def _sockets(file: Path) -> bool:
    """Whether sockets can stand beside this file: not on Windows, and nowhere with a long name."""
    return sys.platform != "win32" and len(os.fsencode(file)) < 90
