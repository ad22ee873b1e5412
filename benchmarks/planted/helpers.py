"""What runs beside a planted path, in its namespace: `python helpers.py tap DEVICE` and so on.

tap DEVICE          reads every packet of the device, as a capture does
relay TUN HERE PEER carries what enters the device TUN to PEER's relay by UDP, and what comes from there out of it
"""

import fcntl
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress

EVERY_PROTOCOL = 3
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
PORT = 4754
SENT_BYTES = 1400


def tap(device: str) -> None:
    """Never ends."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL)) as listening:
        listening.bind((device, EVERY_PROTOCOL))
        while True:
            listening.recv(256)


def send(address: str, rate: str) -> None:
    """Never ends."""
    pause = SENT_BYTES * 8 / (float(rate) * 1e6)
    due = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        while True:
            with suppress(OSError):  # nobody listens there, and says so
                sending.sendto(bytes(SENT_BYTES), (address, PORT))
            due += pause
            time.sleep(max(0.0, due - time.monotonic()))


def relay(device: str, here: str, peer: str) -> None:
    """Never ends."""
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((here, PORT))
        wire.connect((peer, PORT))
        while True:
            ready, _, _ = select.select([end, wire.fileno()], [], [])
            try:
                if end in ready:
                    wire.send(os.read(end, 65536))
                if wire.fileno() in ready:
                    os.write(end, wire.recv(65536))
            except OSError:  # the other side is not there yet
                continue


if __name__ == "__main__":
    if sys.argv[1] == "tap":
        tap(sys.argv[2])
    elif sys.argv[1] == "send":
        send(*sys.argv[2:4])
    else:
        relay(*sys.argv[2:5])
