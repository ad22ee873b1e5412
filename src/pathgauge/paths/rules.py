"""nftables, by its own program: `nft` run in a thread inside a namespace, which it inherits."""

import os
import shutil
import subprocess

from pathgauge.errors import MachineError, MissingFeature

_SECONDS = 10.0
_SYSTEM_FOLDERS = ":/usr/sbin:/sbin"  # an ordinary user's PATH may lack them


def load(rules: str) -> None:
    """Load rules, as text that `nft -f` takes. Raises MissingFeature where there is no nft, MachineError where it
    refuses.
    """
    _run("-f", "-", given=rules)


def ruleset(seconds: float = _SECONDS) -> bytes:
    """The namespace's rules as JSON, without the elements of sets. Raises MissingFeature or MachineError."""
    return _run("-j", "-t", "list", "ruleset", seconds=seconds).encode()


def _run(*words: str, given: str = "", seconds: float = _SECONDS) -> str:
    program = shutil.which("nft", path=os.environ.get("PATH", "") + _SYSTEM_FOLDERS)
    if program is None:
        raise MissingFeature("this machine has no nft", hint="sudo apt install nftables")
    try:
        done = subprocess.run(
            [program, *words], input=given, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise MachineError("nft does not end", hint="run it again") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise MachineError(f"nft refuses the rules: {said[0] if said else 'it does not say why'}")
    return done.stdout
