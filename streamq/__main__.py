"""``python -m streamq``."""

from streamq.cli import main

main()
