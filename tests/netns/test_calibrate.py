"""The trials of a calibration on real labs."""

import pytest

from pathgauge import calibration
from pathgauge.calibration import Calibrating, holds


@pytest.mark.long
def test_what_is_put_into_the_wire_is_found(require_root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SECONDS", 1.0)
    monkeypatch.setattr(calibration, "KNOWN_SECONDS", 60.0)  # it takes 4; a busy host needs longer
    running = Calibrating(command=[], rate=500_000_000)
    running.run()
    found = running.document("complete")
    assert len(found.trials) == 6
    known = [trial for trial in found.trials if trial.truth != 1.0]
    assert [trial.verdict for trial in known if trial.truth == 0.95] == ["slower"]
    assert all(holds(trial) for trial in known), known
    assert found.false_claims.count == 0
