"""The doctor's findings and how they are shown; labs are faked here."""

import argparse
import errno
import json
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pytest

from pathgauge import doctor
from pathgauge.cli import doctor as verb
from pathgauge.counters.cpu import MachineCpu
from pathgauge.doctor import Disturbance, Finding
from pathgauge.errors import MissingFeature, MissingPrivilege
from pathgauge.paths.types import WireSpec

QUIET = Disturbance(MachineCpu(busy=0.02, softirq=0, steal=0, idle=0.98), other_load=0.04, pages_swapped=0)


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


class FakeLab:
    """Builds, unless told to fail."""

    failure: Exception | None = None

    @classmethod
    def build(cls, specs: Sequence[str], wire: WireSpec) -> Self:
        assert list(specs) == ["host"]
        assert wire.rate
        if cls.failure is not None:
            raise cls.failure
        return cls()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts stand-ins for the lab's modules in place."""

    def put(
        *,
        root_capable: bool = True,
        kinds: dict[str, str | None] | Exception | None = None,
        shaping: Exception | None = None,
    ) -> None:
        def probe_kinds() -> dict[str, str | None]:
            if isinstance(kinds, Exception):
                raise kinds
            return {"host": None, "macvlan": None} if kinds is None else kinds

        FakeLab.failure = shaping
        contents: dict[str, dict[str, object]] = {
            "namespaces": {"is_root_capable": lambda: root_capable},
            "registry": {"probe_kinds": probe_kinds},
            "lab": {"Lab": FakeLab},
            "spec": {"parse_paths": tuple},
        }
        for name, attributes in contents.items():
            module = types.ModuleType(f"pathgauge.paths.{name}")
            module.__dict__.update(attributes)
            monkeypatch.setitem(sys.modules, module.__name__, module)
            monkeypatch.setattr(f"pathgauge.paths.{name}", module, raising=False)

    return put


def one(findings: Sequence[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def probe_ends_with(monkeypatch: pytest.MonkeyPatch, code: int) -> list[Sequence[str]]:
    calls: list[Sequence[str]] = []

    def run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        calls.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


class TestWhatTheMachineCanDo:
    def test_root(self, paths: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
        paths()
        calls = probe_ends_with(monkeypatch, 1)
        assert doctor.examine_privileges().status == "ok"
        assert not calls

    def test_rootless(self, paths: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
        paths(root_capable=False)
        calls = probe_ends_with(monkeypatch, 0)
        found = doctor.examine_privileges()
        assert (found.status, "rootless" in found.detail) == ("ok", True)
        assert list(calls[0])[1:] == ["-P", "-m", "pathgauge.paths.namespaces", "probe"]

    @pytest.mark.parametrize(
        ("files", "mend"),
        [
            ({"proc/sys/user/max_user_namespaces": "0\n"}, "sudo sysctl user.max_user_namespaces=15000"),
            (
                {"proc/sys/kernel/unprivileged_userns_clone": "0\n", "proc/sys/user/max_user_namespaces": "100\n"},
                "sudo sysctl kernel.unprivileged_userns_clone=1",
            ),
            ({}, doctor._AS_ROOT),
        ],
    )
    def test_no_user_namespaces(
        self,
        paths: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        files: dict[str, str],
        mend: str,
    ) -> None:
        paths(root_capable=False)
        probe_ends_with(monkeypatch, 1)
        found = doctor.examine_privileges(tree(tmp_path, files))
        assert (found.status, found.mend, found.essential) == ("missing", mend, True)

    def test_a_probe_that_hangs_is_not_taken_for_an_answer(
        self, paths: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        paths(root_capable=False)

        def run(*_: object, **__: object) -> None:
            raise subprocess.TimeoutExpired("probe", 20)

        monkeypatch.setattr(subprocess, "run", run)
        assert doctor.examine_privileges().status == "warning"

    def test_kinds_that_can_and_cannot_be_built(self, paths: Callable[..., None]) -> None:
        paths(kinds={"host": None, "macvlan": "this kernel has no macvlan"})
        findings = doctor.examine_kinds()
        assert one(findings, "path host").status == "ok"
        found = one(findings, "path macvlan")
        assert (found.status, found.detail) == ("missing", "this kernel has no macvlan")
        assert found.mend == "sudo modprobe macvlan"
        assert doctor.comparison_possible(findings)

    def test_without_the_plain_path_there_is_no_comparison(self, paths: Callable[..., None]) -> None:
        paths(kinds={"host": "this kernel has no veth", "macvlan": "this kernel has no veth"})
        findings = doctor.examine_kinds()
        assert one(findings, "path host").mend == "sudo modprobe veth"
        assert not doctor.comparison_possible(findings)

    def test_kinds_that_cannot_be_probed(self, paths: Callable[..., None]) -> None:
        paths(kinds=MissingPrivilege("The kernel said no.", hint="sudo it"))
        (found,) = doctor.examine_kinds()
        assert (found.status, found.mend, found.essential) == ("missing", "sudo it", True)

    def test_shaping(self, paths: Callable[..., None]) -> None:
        paths()
        assert doctor.examine_shaping().status == "ok"
        paths(shaping=MissingFeature("this kernel has no tbf"))
        found = doctor.examine_shaping()
        assert (found.status, found.mend) == ("missing", "sudo modprobe sch_tbf")
        assert doctor.comparison_possible([found])

    def test_cycles(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("pathgauge.counters.perf.why_no_cycles", lambda: "")
        assert doctor.examine_cycles(tmp_path).status == "ok"
        monkeypatch.setattr("pathgauge.counters.perf.why_no_cycles", lambda: "refused")
        tree(tmp_path, {"proc/sys/kernel/perf_event_paranoid": "2\n"})
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert doctor.examine_cycles(tmp_path).mend == "sudo sysctl kernel.perf_event_paranoid=0"
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert doctor.examine_cycles(tmp_path).mend == ""

    def test_congestion_controls(self, tmp_path: Path) -> None:
        assert doctor.examine_congestion(tmp_path).status == "warning"
        folder = "proc/sys/net/ipv4"
        files = {
            f"{folder}/tcp_available_congestion_control": "reno cubic\n",
            f"{folder}/tcp_congestion_control": "cubic\n",
        }
        assert doctor.examine_congestion(tree(tmp_path, files)).detail == "reno, cubic; default cubic"

    def test_io_uring(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert (doctor.examine_uring().name, doctor.examine_uring().status) == ("io_uring", "ok")
        monkeypatch.setattr("pathgauge._native.why_no_ring", lambda _: errno.ENOSYS)
        found = doctor.examine_uring()
        assert (found.status, found.detail, found.essential) == ("missing", "this kernel has no io_uring", False)
        assert "--send-method copy" in found.mend

    def test_an_engine_that_does_not_load(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pathgauge._native", None)
        monkeypatch.delattr("pathgauge._native", raising=False)
        found = doctor.examine_engine()
        assert (found.status, found.essential) == ("missing", True)

    def test_what_the_engine_costs_is_shown(self) -> None:
        found = doctor.examine_engine()
        assert found.status == "ok"
        assert re.fullmatch(
            r"a message takes the loop [\d.]+ ns, a transaction \d+ ns \(two clocks of \d+ ns, [\d.]+ ns for the "
            r"histogram\), a kernel call \d+ ns; one CPU copies [\d.]+ GB/s",
            found.detail,
        )


class TestWhatDisturbsIt:
    def statuses(self, seen: Disturbance | None) -> dict[str, str]:
        return {finding.name: finding.status for finding in doctor.examine_disturbance(seen, None)}

    def test_a_quiet_machine(self) -> None:
        assert self.statuses(QUIET) == {"steal": "ok", "other load": "ok", "swap": "ok"}

    def test_each_disturbance_warns_of_itself_alone(self) -> None:
        stolen = Disturbance(MachineCpu(busy=0.1, softirq=0, steal=0.02, idle=0.88), 0.0, 0)
        assert self.statuses(stolen) == {"steal": "warning", "other load": "ok", "swap": "ok"}
        loaded = Disturbance(QUIET.cpu, 0.11, 0)
        assert self.statuses(loaded) == {"steal": "ok", "other load": "warning", "swap": "ok"}
        swapping = Disturbance(QUIET.cpu, 0.0, 1)
        assert self.statuses(swapping) == {"steal": "ok", "other load": "ok", "swap": "warning"}

    def test_an_unreadable_machine_is_not_called_quiet(self) -> None:
        assert self.statuses(None) == {"other load": "warning"}

    def test_a_sample_without_ticks_divides_by_nothing(self) -> None:
        assert self.statuses(Disturbance(MachineCpu(0, 0, 0, 0), 0.0, 0))["steal"] == "ok"

    def test_our_own_load_is_not_counted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stat, own = "cpu {} 0 0 1000 0 0 0 0\n", [0.0]
        tree(tmp_path, {"proc/stat": stat.format(0)})
        monkeypatch.setattr(doctor, "_own_seconds", lambda: own[0])

        def sleep(_: float) -> None:
            own[0] = 100.0
            tree(tmp_path, {"proc/stat": stat.format(100 * os.sysconf("SC_CLK_TCK"))})

        monkeypatch.setattr("time.sleep", sleep)
        seen = doctor.observe(0.1, tmp_path)
        assert seen is not None
        assert (seen.cpu.busy, seen.other_load) == (100.0, 0.0)

    def test_others_load_is_seen(self) -> None:
        spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            during = doctor.observe(0.4)
        finally:
            spinner.kill()
            spinner.wait()
        assert during is not None
        assert during.other_load > 0.4

    def test_pages_swapped_meanwhile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tree(tmp_path, {"proc/stat": "cpu 0 0 0 0 0 0 0 0\n", "proc/vmstat": "pswpin 5\npswpout 7\nother 9\n"})

        def sleep(_: float) -> None:
            tree(tmp_path, {"proc/vmstat": "pswpin 6\npswpout 9\nother 99\n"})

        monkeypatch.setattr("time.sleep", sleep)
        seen = doctor.observe(0.1, tmp_path)
        assert seen is not None
        assert seen.pages_swapped == 3

    def test_a_tree_without_proc(self, tmp_path: Path) -> None:
        assert doctor.observe(0.0, tmp_path) is None

    @pytest.mark.parametrize(("allowed", "status"), [({3}, "warning"), ({0, 1}, "ok")])
    def test_cpus(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, allowed: set[int], status: str) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed)
        found = one(list(doctor.examine_cpus(tmp_path)), "CPUs")
        assert found.status == status

    def test_governor_turbo_and_quota(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
        assert {finding.name for finding in doctor.examine_cpus(tmp_path)} == {"CPUs", "governor", "CPU quota"}
        files = {
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
            "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": "30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup/cpu.max": "50000 100000\n",
        }
        findings = list(doctor.examine_cpus(tree(tmp_path, files)))
        for name, words in {"governor": "schedutil", "turbo": "on", "CPU quota": "0.50 CPUs"}.items():
            found = one(findings, name)
            assert (found.status, words in found.detail) == ("warning", True)
            assert found.mend

    def test_packet_taps(self, tmp_path: Path) -> None:
        header = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
        assert doctor.examine_taps(tree(tmp_path, {"proc/net/packet": header})).status == "ok"
        tap = "00000000 3      3    0003   2     1 0      0      12345\n"
        found = doctor.examine_taps(tree(tmp_path, {"proc/net/packet": header + tap}))
        assert (found.status, found.detail[0]) == ("warning", "1")


class TestExamine:
    def test_all_of_it(self, paths: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
        paths()
        monkeypatch.setattr(doctor, "SAMPLE_SECONDS", 0.01)
        findings = doctor.examine()
        names = [finding.name for finding in findings]
        assert len(set(names)) == len(names)
        assert {"privileges", "path macvlan", "wire shaping", "CPU cycles", "io_uring", "other load"} <= set(names)
        assert all(finding.detail for finding in findings)

    def test_nothing_is_built_without_privileges(
        self, paths: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        paths(root_capable=False, kinds=AssertionError("built"), shaping=AssertionError("built"))
        probe_ends_with(monkeypatch, 1)
        monkeypatch.setattr(doctor, "SAMPLE_SECONDS", 0.01)
        findings = doctor.examine()
        assert not doctor.comparison_possible(findings)
        assert one(findings, "path kinds").status == "warning"


FINDINGS = [
    Finding("privileges", "ok", "root", essential=True),
    Finding("governor", "warning", "powersave", "mend it"),
    Finding("path host", "missing", "no veth", essential=True),
]


class TestVerb:
    def run(self, monkeypatch: pytest.MonkeyPatch, findings: list[Finding], *arguments: str) -> int:
        monkeypatch.setattr(doctor, "examine", lambda: findings)
        parser = argparse.ArgumentParser()
        verb.add_parser(parser.add_subparsers())
        return verb.run(parser.parse_args(["doctor", *arguments]))

    def test_exit_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.run(monkeypatch, FINDINGS) == 3
        assert self.run(monkeypatch, FINDINGS[:2]) == 0

    def test_text_is_aligned_and_plain(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.run(monkeypatch, FINDINGS)
        assert capsys.readouterr().out == (
            "ok       privileges  root\n"
            "warning  governor    powersave\n"
            "                     -> mend it\n"
            "missing  path host   no veth\n"
            "\n"
            "No comparison can be run here: path host.\n"
        )

    def test_json(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.run(monkeypatch, FINDINGS, "--json")
        document = json.loads(capsys.readouterr().out)
        assert document["schema"] == "pathgauge.doctor/1"
        assert document["comparison_possible"] is False
        assert [row["status"] for row in document["findings"]] == ["ok", "warning", "missing"]
        assert document["findings"][1]["mend"] == "mend it"

    @pytest.mark.parametrize(
        ("terminal", "environment", "coloured"),
        [
            (True, {}, True),
            (True, {"NO_COLOR": "1"}, False),
            (True, {"NO_COLOR": ""}, True),
            (True, {"TERM": "dumb"}, False),
            (False, {}, False),
        ],
    )
    def test_colours(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        terminal: bool,
        environment: dict[str, str],
        coloured: bool,
    ) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
        self.run(monkeypatch, FINDINGS)
        assert ("\033[" in capsys.readouterr().out) == coloured
