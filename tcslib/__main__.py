"""``python -m tcslib``: the command line."""

from tcslib.run.cli import main

if __name__ == "__main__":
    main()
