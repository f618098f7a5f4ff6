"""The trainer's entry point: `python -m retraining_job COMMAND`."""

import sys

from retraining_job.cli import main

if __name__ == "__main__":
    sys.exit(main())
