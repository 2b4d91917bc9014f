"""Which submits may be scored again on the prediction that is kept, and what may have changed in the dataset since.

The evaluation, the labels, the metric and the train part may; what the prediction was made from may not.
"""

from __future__ import annotations

from nsml_server.domain.reasons import Reason
from nsml_server.domain.states import SUBMISSION_AGAIN, SubmissionState
from nsml_server.domain.trees import input_view
from nsml_worker.contract import Tree

# Ends in the scoring that say nothing of the prediction.
UNJUDGED = frozenset({Reason.EVALUATION_FAILED, Reason.RETRIES_EXHAUSTED})


def changed_inputs(predicted: Tree, now: Tree) -> list[str]:
    """The files from which a prediction was made that are not the same now, were added, or are gone; sorted."""
    before, after = ({file.path: file.hash for file in input_view(tree).files} for tree in (predicted, now))
    return sorted(path for path in before | after if before.get(path) != after.get(path))


def refusal(state: SubmissionState, *, has_prediction: bool, is_rehearsal: bool) -> str | None:
    """Why a submit cannot be scored again, to follow "Submission 1 …"; None when it can."""
    if is_rehearsal:
        return "is a rehearsal, which counts nowhere"
    if not state.is_final:
        return "has not ended yet"
    if state not in SUBMISSION_AGAIN:
        return "was cancelled by its owner"
    if not has_prediction:
        return "failed before its prediction was made, so it has to be submitted again"
    return None
