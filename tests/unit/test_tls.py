"""TLS in the kernel: what it is told, as linux/tls.h has it, and what is said where there is none."""

import errno
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import cast

import pytest

from pathgauge import doctor
from pathgauge.endpoints import tls
from pathgauge.endpoints.tls import CIPHERS, crypto_info, encrypt, make_keys
from pathgauge.errors import MissingFeature
from pathgauge.traffic.tls import CIPHERS as NAMES

PROGRAM = """
#include <cstddef>
#include <cstdio>
#include <linux/tls.h>
#define AT(part) offsetof(type, part)
template <typename type>
void show(int cipher) {
  std::printf("%zu %zu %zu %zu %zu %zu %d %d\\n", sizeof(type), AT(info.cipher_type), AT(iv), AT(key), AT(salt),
    AT(rec_seq), cipher, TLS_1_3_VERSION);
}
int main() {
  show<tls12_crypto_info_aes_gcm_128>(TLS_CIPHER_AES_GCM_128);
  show<tls12_crypto_info_aes_gcm_256>(TLS_CIPHER_AES_GCM_256);
  show<tls12_crypto_info_chacha20_poly1305>(TLS_CIPHER_CHACHA20_POLY1305);
  std::printf("%d %d\\n", TLS_TX, TLS_RX);
}
"""


class Deaf:
    """A socket that takes options until one whose level is refused."""

    def __init__(self, level: int, number: int) -> None:
        self.level, self.number = level, number

    def setsockopt(self, level: int, _option: int, _value: bytes) -> None:
        if level == self.level:
            raise OSError(self.number, os.strerror(self.number))


def deaf(level: int, number: int) -> socket.socket:
    return cast("socket.socket", Deaf(level, number))


def test_the_ciphers_are_those_that_can_be_asked_for() -> None:
    assert tuple(CIPHERS) == NAMES


def test_the_kernel_is_told_what_its_header_says(tmp_path: Path) -> None:
    (tmp_path / "layout.cpp").write_text(PROGRAM)
    subprocess.run(["c++", "layout.cpp", "-o", "layout"], cwd=tmp_path, check=True, timeout=60)
    *rows, options = subprocess.check_output([tmp_path / "layout"], text=True, timeout=60).splitlines()
    assert options == f"{tls.TLS_TX} {tls.TLS_RX}"
    for (name, cipher), row in zip(CIPHERS.items(), rows, strict=True):
        size, at_cipher, iv, key, salt, first, number, version = map(int, row.split())
        secret = bytes(range(1, 1 + cipher.iv + cipher.key + cipher.salt))
        told = crypto_info(name, secret)
        assert len(told) == size
        assert int.from_bytes(told[:2], "little") == version
        assert int.from_bytes(told[at_cipher : at_cipher + 2], "little") == number
        assert told[iv:key] == secret[: cipher.iv]
        assert told[key:salt] == secret[cipher.iv : cipher.iv + cipher.key]
        assert told[salt:first] == secret[cipher.iv + cipher.key :]
        assert told[first:] == bytes(8)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_no_two_keys_are_alike(cipher: str) -> None:
    made = [make_keys(cipher) for _ in range(3)]
    secrets = {secret for keys in made for secret in (keys.to_server, keys.to_client)}
    assert len(secrets) == 6
    assert {len(crypto_info(cipher, secret)) for secret in secrets} <= {40, 56}


def test_each_end_sends_with_what_the_other_receives_by(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = make_keys("aes-128-gcm")
    told: dict[str, list[tuple[int, int, bytes]]] = {}
    for end in ("local", "remote"):
        made = deaf(-1, 0)
        monkeypatch.setattr(made, "setsockopt", lambda *option, end=end: told.setdefault(end, []).append(option))
        encrypt(made, keys, "local" if end == "local" else "remote")
    (ulp, *mine), (_, *theirs) = told["local"], told["remote"]
    assert ulp == (socket.IPPROTO_TCP, 31, b"tls")
    assert [option[:2] for option in mine] == [(282, 1), (282, 2)]
    assert mine[0][2] == theirs[1][2]
    assert mine[1][2] == theirs[0][2]
    assert mine[0][2] != mine[1][2]


def test_what_the_kernel_lacks_is_said_with_what_to_type() -> None:
    keys = make_keys("chacha20-poly1305")
    with pytest.raises(MissingFeature, match=r"this kernel has no TLS$") as caught:
        encrypt(deaf(socket.IPPROTO_TCP, errno.ENOENT), keys, "local")
    assert re.search("sudo modprobe tls.*CONFIG_TLS", caught.value.hint)
    with pytest.raises(MissingFeature, match="has no chacha20-poly1305") as caught:
        encrypt(deaf(tls.SOL_TLS, errno.EINVAL), keys, "local")
    assert caught.value.hint == "--tls aes-128-gcm"


@pytest.mark.parametrize(
    ("number", "status", "detail"),
    [
        (errno.ENOENT, "missing", "this kernel has no TLS"),
        (errno.ENOTCONN, "ok", "in the kernel: --tls"),
    ],
)
def test_the_doctor_says_whether_there_is_tls(
    monkeypatch: pytest.MonkeyPatch, number: int, status: str, detail: str
) -> None:
    def refuse(_socket: socket.socket, *_option: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "setsockopt", refuse)
    found = doctor.examine_tls()
    assert (found.status, found.detail) == (status, detail)
    assert found.mend == ("sudo modprobe tls" if status == "missing" else "")
