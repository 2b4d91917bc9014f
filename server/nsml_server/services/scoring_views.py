"""What the owner of a dataset is shown of its scorings; the rest is in views.py."""

from __future__ import annotations

from nsml_server.services import problems, specs
from nsml_server.services.views import View, time
from nsml_server.storage.tables import Rescoring, Submission


def rescoring(row: Rescoring) -> View:
    """A submit that is or was scored again, to the dataset's owner."""
    return {
        "id": row.id,
        **_submitted(row.submission),
        "version": row.version.number,
        "asked_by": row.user.name,
        "asked_at": time(row.asked_at),
        "ended_at": time(row.ended_at),
        "final": row.ended_at is not None,
        "score": row.score,
        "reason": row.reason,
        "message": row.message,
        "before": {
            "state": row.former_state.value,
            "score": row.former_score,
            "reason": row.former_reason,
            "version": row.former_version.number,
            "ended_at": time(row.former_ended_at),
        },
    }


def problem(of: problems.Problem) -> View:
    """A failure of a dataset's own program, to its owner alone."""
    return {
        **_submitted(of.submission),
        "rehearsal": of.submission.is_rehearsal,
        "version": of.version.number,
        "reason": of.run.reason,
        "at": time(of.run.ended_at),
        "said": of.said,
        "log": of.log,
    }


def _submitted(row: Submission) -> View:
    return {"submission": row.id, "user": row.session.user.name, "session": str(specs.name_of(row.session))}
