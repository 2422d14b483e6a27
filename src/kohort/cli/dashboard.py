"""`kohort dashboard`: studies in a browser, while they train."""

from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    folder: Annotated[Path, typer.Argument(help="Where studies are looked for, in all folders below too.")] = Path(),
    port: Annotated[int, typer.Option(help="The port to serve; one that is free by default.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = False,
) -> None:
    """Follow studies and searches in a browser of this machine; it starts nothing and changes nothing.

    Example: kohort dashboard experiments
    """
    from kohort.dashboard.serve import serve

    def told(address: str) -> None:
        print(f"Studies in {folder.resolve()}: open {address}\nCtrl-C ends it.", flush=True)
        if browser:
            import webbrowser

            webbrowser.open(address)

    serve(folder, port, told)
