"""Make the letters of some clients, or of all: python3 -m make [client…]; they land in ~/letters."""

import importlib
import sys
import traceback
from pathlib import Path

NOT_CLIENTS = {"__init__", "__main__", "keys", "stage", "delivery", "smtp_sink", "desktop", "deltachat"}
LAST = "mangled"  # changes letters of the others


def main() -> int:
    """Run one module after the other, and name those that failed."""
    here = Path(__file__).parent
    clients = sys.argv[1:] or sorted(
        {file.stem for file in here.glob("*.py")} - NOT_CLIENTS, key=lambda name: (name == LAST, name)
    )
    failed: list[str] = []
    for client in clients:
        try:
            importlib.import_module(f"make.{client}").make()
        except Exception:
            traceback.print_exc()
            failed.append(client)
    print("failed:", ", ".join(failed) or "none")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
