"""A sound card for machines that have none: it plays into nothing and records silence, at the pace of real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import AF_UNIX
from socket import socket as new_socket

from tests.real.processes import Command, running

_ALSA = """\
</usr/share/alsa/alsa.conf>
pcm.!default { type pulse }
ctl.!default { type pulse }
"""


@asynccontextmanager
async def sound_card(folder: Path) -> AsyncIterator[dict[str, str]]:
    """The environment of programs that are to use it, by PulseAudio or by ALSA."""
    socket, alsa = folder / "sound-card", folder / "alsa.conf"
    alsa.write_text(_ALSA)
    command = Command(
        [
            "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes",
            # The null sink's own source hands over its first audio after two seconds, too late for Twinkle.
            "-L", "module-null-sink", "-L", "module-null-source",
            # The last, so who can connect finds both.
            "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1",
        ],
        folder / "pulseaudio.log",
        {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
    )  # fmt: skip
    async with running(command) as process:
        await process.until(lambda: _answers(socket))
        yield {"PULSE_SERVER": f"unix:{socket}", "ALSA_CONFIG_PATH": str(alsa), "PULSE_LATENCY_MSEC": "20"}


def _answers(path: Path) -> bool:
    with new_socket(AF_UNIX) as one:
        return one.connect_ex(str(path)) == 0
