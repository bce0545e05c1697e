"""A fresh kernel for every notebook, made ready while the one before it works.

Most of a short notebook's time goes into starting a kernel and importing pandas, scipy and seaborn. One kernel is
always started ahead, so that this happens beside the work. None is used twice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tcslib.errors import RunFailed
from tcslib.run.manifest import LIBRARY

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

# one BLAS thread and a fixed hash seed: equal runs give equal bytes
_SETTINGS = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
             "MKL_NUM_THREADS": "1", "MPLBACKEND": "svg", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
_WARM = "__import__('tcslib.run.warm')"
# a kernel watches its parent, but not one that was gone before it began to
_ALONE = "__import__('os').getppid() == {parent} or __import__('os')._exit(1)"


class Kernels:
    """Kernels in a row: ``take`` one, and the next is being made ready. A context manager that leaves none behind.

    Parameters
    ----------
    count
        How many will be taken.
    folder
        The kernels' working folder.
    own
        Folder for what kernels keep while they live: connection files, IPython's profile. It goes with the run.
    """

    def __init__(self, count: int, folder: Path, own: Path) -> None:
        self._left, self._folder, self._own = count, folder, own
        self._next: AsyncKernelManager | None = None
        self._taken: list[AsyncKernelManager] = []

    def __enter__(self) -> Kernels:
        self._next = self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._taken += [self._next] if self._next else []
        self.release()

    def take(self) -> AsyncKernelManager:
        """A kernel nobody has used."""
        self.release()
        if self._next is None:
            raise RunFailed("no kernel is left to take.", "run")
        self._taken.append(self._next)
        self._next = self._start() if self._left else None
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

        self._own.mkdir(parents=True, exist_ok=True)
        self._left -= 1
        path = os.pathsep.join([str(LIBRARY.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        # no folder of kernels is searched: this interpreter's own kernel it is, whatever a user has installed as
        # "python3"; without encryption the kernel writes a warning to the terminal
        # (of managers only this one's client gives way while it waits, so that a dead kernel and a cell that takes
        # too long are noticed)
        manager = AsyncKernelManager(kernel_name="python3", transport_encryption="auto",
                                     kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
                                     connection_file=str(self._own / f"kernel-{self._left}.json"))
        lines = [_WARM] if sys.platform == "win32" else [_ALONE.format(parent=os.getpid()), _WARM]
        run_sync(manager.start_kernel)(
            cwd=str(self._folder), extra_arguments=[f"--IPKernelApp.exec_lines={line}" for line in lines],
            env={**os.environ, **_SETTINGS, "PYTHONPATH": path, "IPYTHONDIR": str(self._own / "ipython")})
        return manager
