"""TLS in the kernel: a connected TCP socket that encrypts what is sent over it and decrypts what comes.

Both ends are ours, so nothing is agreed on: they are told the keys, and start where a handshake of TLS 1.3 would have
ended. Every loop then works on the socket as it is.
"""

import errno
import os
import socket
import struct
from dataclasses import dataclass
from typing import Literal

from pathgauge.endpoints.messages import Keys
from pathgauge.errors import MissingFeature

TCP_ULP, SOL_TLS, TLS_TX, TLS_RX = 31, 282, 1, 2  # these are missing from Python's socket module
TLS_1_3 = 0x0304
FIRST_RECORD = bytes(8)


@dataclass(frozen=True, slots=True)
class Cipher:
    """A cipher as linux/tls.h has it: its number, and the sizes in bytes of its parts."""

    number: int
    iv: int
    key: int
    salt: int


CIPHERS = {
    "aes-128-gcm": Cipher(51, iv=8, key=16, salt=4),
    "aes-256-gcm": Cipher(52, iv=8, key=32, salt=4),
    "chacha20-poly1305": Cipher(54, iv=12, key=32, salt=0),
}


def make_keys(cipher: str) -> Keys:
    """Keys for one connection, never to be used for another."""
    sizes = CIPHERS[cipher]
    size = sizes.iv + sizes.key + sizes.salt
    return Keys(cipher=cipher, to_server=os.urandom(size), to_client=os.urandom(size))


def crypto_info(cipher: str, secret: bytes) -> bytes:
    """What the kernel is told of one direction: version, cipher, IV, key, salt, number of the first record."""
    return struct.pack("=HH", TLS_1_3, CIPHERS[cipher].number) + secret + FIRST_RECORD


def attach(made: socket.socket) -> None:
    """Give a socket the kernel's TLS, with no keys yet. MissingFeature where there is none."""
    try:
        made.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise MissingFeature(
                "this kernel has no TLS", hint="sudo modprobe tls, on a kernel that was built with CONFIG_TLS"
            ) from error
        raise


def encrypt(made: socket.socket, keys: Keys, end: Literal["local", "remote"]) -> None:
    """Let a connected socket be that end of a TLS connection from the next byte on, both ways.

    MissingFeature where the kernel has no TLS, or not that cipher.
    """
    attach(made)
    sent, received = keys.to_server, keys.to_client
    if end == "remote":
        sent, received = received, sent
    try:
        made.setsockopt(SOL_TLS, TLS_TX, crypto_info(keys.cipher, sent))
        made.setsockopt(SOL_TLS, TLS_RX, crypto_info(keys.cipher, received))
    except OSError as error:
        raise MissingFeature(
            f"this kernel's TLS has no {keys.cipher}: {error.strerror}", hint="--tls aes-128-gcm"
        ) from error


def why_none() -> str | None:
    """Why this machine's kernel has no TLS; None where it has."""
    with socket.socket() as made:
        try:
            attach(made)
        except MissingFeature as error:
            return str(error)
        except OSError as error:
            return None if error.errno == errno.ENOTCONN else f"not known: {error}"  # it is for connected sockets
    return None
