from __future__ import annotations

from bench.terminology import read_cases, report
from training.evaluation.systems import System


def test_the_report_counts_applied_terms() -> None:
    cases = read_cases()
    assert len(cases) == 60
    assert all(case.term in case.source and case.is_applied(case.reference) for case in cases)
    references = [case.reference for case in cases]
    page = report(cases, [System("without", [""] * 60), System("required", ["없음", *references[1:]])])
    assert page.startswith("without   0 of 60 terms, chrF2 0.0")
    assert "required  59 of 60 terms" in page
    assert page.endswith("missing: folder → 폴더: 없음")
