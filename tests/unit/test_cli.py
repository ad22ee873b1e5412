import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from builders import comparison, costs, result
from pathgauge.cli import main as cli
from pathgauge.errors import InternalError, MissingPrivilege, NoValidBlock, UserError
from pathgauge.measuring import run as runner
from pathgauge.measuring.observer import Observer
from pathgauge.measuring.request import Request
from pathgauge.results import store
from pathgauge.results.document import Result

Fake = Callable[[Request, Observer], Result]
Measure = Callable[[Fake], list[Request]]


def measured(request: Request, observer: Observer) -> Result:
    observer.lab_ready([path.name for path in request.paths], 0.1)
    observer.warning("told at once")
    observer.test_done([comparison(), *costs()])
    return result(warnings=["told at once", "told at the end"])


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Puts a fake in the place of the measuring, and gives the requests that it gets."""
    requests: list[Request] = []

    def use(fake: Fake) -> list[Request]:
        def compare_request(request: Request, observer: Observer) -> Result:
            requests.append(request)
            return fake(request, observer)

        monkeypatch.setattr(runner, "compare_request", compare_request)
        return requests

    return use


def raising(error: BaseException) -> Fake:
    def fake(request: Request, observer: Observer) -> Result:
        raise error

    return fake


def pathgauge(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pathgauge", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        input=given,
    )


def test_a_comparison_prints_progress_table_and_warnings_once(
    measure: Measure, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = measure(measured)
    assert cli.main(["compare", "--test", "TCP_STREAM", "--seed", "7"]) == 0
    out, err = capsys.readouterr()
    assert "lab ready" in out
    assert "-4.7 % [-5.2, -4.1]" in out
    assert out.count("told at once") == out.count("told at the end") == 1
    assert "\x1b" not in out
    assert err == ""
    assert requests[0].command == ("pathgauge", "compare", "--test", "TCP_STREAM", "--seed", "7")
    assert requests[0].seed == 7


def test_paths_may_stand_on_both_sides_of_an_option(measure: Measure) -> None:
    requests = measure(measured)
    assert cli.main(["compare", "host", "--test", "TCP_RR", "m=macvlan", "--quiet", "host"]) == 0
    assert [path.name for path in requests[0].paths] == ["host", "m", "host.2"]


def test_json_file(measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(measured)
    target = tmp_path / "r.json"
    assert cli.main(["compare", "--json", str(target)]) == 0
    assert f"written: {target}" in capsys.readouterr().out
    assert store.read(str(target)).comparisons


def test_json_on_standard_output_moves_the_human_text(
    measure: Measure, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    measure(measured)
    assert cli.main(["compare", "--json", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert json.loads(out)["schema"] == "pathgauge.result/1"
    assert b"slower" in err


def test_a_plot_is_drawn_with_or_without_a_table(
    measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = measure(measured)
    target = tmp_path / "r.svg"
    assert cli.main(["compare", "--plot", str(target)]) == 0
    assert f"written: {target}" in capsys.readouterr().out
    drawn = target.read_text()
    assert "TCP_STREAM goodput, bit/s" in drawn
    target.unlink()
    assert cli.main(["compare", "--quiet", "--plot", str(target)]) == 0
    assert target.read_text() == drawn
    assert cli.main(["compare", "--plot", str(tmp_path / "none" / "r.svg")]) == 2
    assert "--plot: " in capsys.readouterr().err
    assert len(requests) == 2, "it is found before measuring"


def test_quiet_is_quiet(measure: Measure, capsys: pytest.CaptureFixture[str]) -> None:
    measure(measured)
    assert cli.main(["compare", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_fail_on_slower_looks_at_primary_comparisons_only(measure: Measure) -> None:
    measure(measured)
    assert cli.main(["compare", "--quiet", "--fail-on", "slower"]) == 1
    fine = [comparison(verdict="equivalent"), comparison(metric="cpu_local", primary=False)]
    measure(lambda *_: result(*fine))
    assert cli.main(["compare", "--quiet", "--fail-on", "slower"]) == 0


def test_a_file_of_options_gives_way_to_the_command_line(measure: Measure, tmp_path: Path) -> None:
    requests = measure(measured)
    config = tmp_path / "gauge.toml"
    config.write_text('paths = ["macvlan"]\nvary = "nodelay=off,on"\ntest = "TCP_RR"\nseed = 1\nquiet = true\n')
    assert cli.main(["compare", "--config", str(config), "--seed", "2", "host"]) == 0
    assert requests[0].seed == 2
    assert requests[0].vary is not None
    assert [path.kind for path in requests[0].paths] == ["host"]


def test_a_bad_target_is_found_before_measuring(measure: Measure, tmp_path: Path) -> None:
    requests = measure(measured)
    assert cli.main(["compare", "--json", str(tmp_path / "none" / "r.json")]) == 2
    assert not requests


@pytest.mark.parametrize(
    ("cause", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (cli.Terminated(signal.SIGTERM), 143, "terminated"),
        (cli.Terminated(signal.SIGHUP), 129, "the terminal is gone"),
        (MissingPrivilege("no privilege", hint="sudo"), 3, "pathgauge: no privilege\n  sudo\n"),
        (UserError("no such thing", hint="type this"), 2, "pathgauge: no such thing\n  type this\n"),
        (InternalError("a riddle"), 70, "please report it"),
        (ZeroDivisionError("a riddle"), 70, "ZeroDivisionError: a riddle"),
    ],
)
@pytest.mark.parametrize("early", [True, False], ids=["before a block", "with blocks measured"])
def test_whatever_ends_a_run_has_its_exit_code_and_keeps_what_was_measured(
    measure: Measure,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cause: BaseException,
    code: int,
    says: str,
    early: bool,
) -> None:
    target = tmp_path / "r.json"
    stopped = runner.Stopped(cause, result(ended="interrupted"))
    measure(raising(cause if early else stopped))
    assert cli.main(["compare", "--json", str(target)]) == code
    out, err = capsys.readouterr()
    assert says in err
    assert ("Traceback" in err) == (code == 70)
    assert target.exists() != early
    assert ("did not end by itself" in out) != early


def test_no_valid_block(measure: Measure, tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    measure(raising(runner.Stopped(NoValidBlock("no block was valid"), result())))
    assert cli.main(["compare", "--quiet", "--json", str(target)]) == 3
    assert target.exists()


def test_a_full_disk_still_shows_the_table_and_says_where_the_document_is(
    measure: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    measure(measured)
    assert cli.main(["compare", "--json", "/dev/full"]) == 3
    out, err = capsys.readouterr()
    assert "-4.7 %" in out
    assert "written:" not in out
    assert "No space left" in err
    (kept,) = tmp_path.iterdir()
    assert str(kept) in err


def test_sigterm_ends_with_143_and_the_handler_is_put_back(measure: Measure) -> None:
    def killed(request: Request, observer: Observer) -> Result:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError

    measure(killed)
    assert cli.main(["compare", "--quiet"]) == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no verb was given"),
        (["compar"], "did you mean compare?"),
        (["compare", "--sendsize", "5"], "did you mean --send-size?"),
        (["compare", "--send-siz", "5"], "did you mean --send-size?"),
        (["compare", "--seed"], "expected one argument"),
        (["compare", "hots"], "hots"),
        (["show"], "FILE"),
        (["show", "/none"], "cannot be read"),
        (["completion", "fish"], "invalid choice"),
        (["--bogus"], "is not known here"),
        (["schema", "extra"], "is not known here"),
    ],
)
def test_mistakes_in_the_command(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert "pathgauge: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize("verb", ["compare", "show", "schema", "completion"])
def test_every_verb_has_help_with_examples(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert cli.main([verb, "--help"]) == 0
    assert f"examples:\n  pathgauge {verb}" in capsys.readouterr().out


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "r.json")
    store.write_atomic(target, store.encode(result()))
    assert cli.main(["show", target]) == 0
    assert "cpu_local" not in capsys.readouterr().out
    assert cli.main(["show", target, "--metric", "all"]) == 0
    assert "TCP_STREAM cpu_local" in capsys.readouterr().out
    assert cli.main(["show", target, "--metric", "cpu_locl"]) == 2
    assert "did you mean cpu_local?" in capsys.readouterr().err


def test_show_reads_standard_input() -> None:
    done = pathgauge("show", "-", given=store.encode(result()).decode())
    assert (done.returncode, done.stderr) == (0, "")
    assert "9.00 Gbit/s" in done.stdout


def test_help_is_quick_to_have_and_imports_nothing_heavy() -> None:
    for arguments in (["--help"], ["compare", "--help"], ["--version"]):
        code = (
            "import sys; from pathgauge.cli.main import main; code = main(sys.argv[1:]);"
            "heavy = {'msgspec', 'numpy', 'scipy', 'rich', 'pyroute2', 'shtab', 'hdrh'} & set(sys.modules);"
            "sys.exit(f'{heavy}' if heavy else code)"
        )
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_version_and_module() -> None:
    from pathgauge import __version__

    done = pathgauge("--version")
    assert (done.returncode, done.stdout) == (0, f"pathgauge {__version__}\n")


def test_schema_and_a_reader_who_went_away() -> None:
    done = pathgauge("schema")
    assert json.loads(done.stdout)["$id"] == "pathgauge.result/1"
    reader, writer = os.pipe()
    os.close(reader)
    try:
        gone = subprocess.run(
            [sys.executable, "-m", "pathgauge", "schema"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (gone.returncode, gone.stderr) == (0, b"")


@pytest.mark.parametrize("redirect", ["> /dev/full", ">&-", ">&- 2>&-"])
def test_standard_output_that_cannot_be_written(redirect: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m pathgauge schema {redirect}', sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (3 if "full" in redirect else 0)
    assert "Traceback" not in done.stderr
    assert ("No space left" in done.stderr) == ("full" in redirect)


def test_completion_knows_tests_and_options_and_bash_takes_it() -> None:
    script = pathgauge("completion", "bash").stdout
    assert "--send-size" in script
    assert "TCP_MAERTS" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    typed = "COMP_WORDS=(pathgauge compare --test TCP_M) COMP_CWORD=3; _shtab_pathgauge; echo ${COMPREPLY[@]}"
    words = subprocess.run(["bash", "-c", f"{script}\n{typed}"], capture_output=True, text=True, check=True)
    assert words.stdout == "TCP_MAERTS\n"


def test_on_a_terminal_the_table_has_colour_and_no_color_is_honoured(tmp_path: Path) -> None:
    target = str(tmp_path / "r.json")
    store.write_atomic(target, store.encode(result()))
    for no_color, colour in (("", True), ("1", False)):
        controller, terminal = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color}
        done = subprocess.run(
            [sys.executable, "-m", "pathgauge", "show", target], stdout=terminal, env=environment, check=False
        )
        os.close(terminal)
        seen = b""
        try:
            while chunk := os.read(controller, 65536):
                seen += chunk
        except OSError:
            pass
        os.close(controller)
        assert done.returncode == 0
        assert (b"\x1b[31mslower" in seen) == colour
        assert b"slower" in seen
