"""From options to a search."""

from __future__ import annotations

from service.request import DecodingOptions
from service.search.beam import BeamSearch
from service.search.constraints import Constraints
from service.search.greedy import GreedySearch
from service.search.hypothesis import Search
from service.search.independent import IndependentSearch
from service.search.terminology import TerminologySearch


def build_search(options: DecodingOptions, end_id: int) -> Search:
    """The search that options ask for."""
    constraints = Constraints(options, end_id)
    if options.required:
        return TerminologySearch(options, constraints, end_id)
    if options.beam_size > 1:
        return BeamSearch(options, constraints, end_id)
    if constraints.is_free_after(0) and options.num_hypotheses == 1 and options.sampling is None:
        return GreedySearch(options, end_id)
    return IndependentSearch(options, constraints, end_id)
