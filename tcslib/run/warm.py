"""What the notebooks need, imported: a kernel made ready ahead of its turn begins with this."""

from tcslib.report import plots  # noqa: F401
from tcslib.run import stages  # noqa: F401
