"""Defines named levels: how often each kind of fault happens in a simulation run (world)."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class Level:
    """The share (0 to 1) of calls, invocations, messages, visits or worlds with each fault."""

    # of the calls to a dependency
    fail_before: float = 0.0
    fail_after: float = 0.0
    no_answer: float = 0.0
    slow: float = 0.0
    late_arrival: float = 0.0
    crash_before: float = 0.0
    crash_after: float = 0.0
    crash_after_paying: float = 0.0
    # of the invocations (a crash also ends the other invocations of its instance)
    crash: float = 0.0
    told_to_end: float = 0.0
    zombie: float = 0.0
    # of the messages
    duplicate: float = 0.0
    delayed: float = 0.0
    delayed_hours: float = 0.0
    lost: float = 0.0
    reply_lost: float = 0.0
    mixed_up: float = 0.0
    tick_skipped: float = 0.0
    tick_repeated: float = 0.0
    # of the jobs and answers
    job_fails: float = 0.0
    job_vanishes: float = 0.0
    job_takes_hours: float = 0.0
    job_hangs: float = 0.0
    list_is_stale: float = 0.0
    long_list: float = 0.0
    bad_answer: float = 0.0
    nothing_to_say: float = 0.0
    # of the visits
    bad_recording: float = 0.0
    bad_order: float = 0.0
    poison: float = 0.0
    kills_measuring: float = 0.0
    never_uploaded: float = 0.0
    consent_later: float = 0.0
    consent_given: float = 0.0
    replaced: float = 0.0
    second_take: float = 0.0
    edited: float = 0.0
    retry_asked: float = 0.0
    regenerate_asked: float = 0.0
    cancelled: float = 0.0
    deleted: float = 0.0
    held: float = 0.0
    restored: float = 0.0
    unreadable: float = 0.0
    # of the saves of a newer release
    newer_value: float = 0.0
    # of the worlds
    mixed: float = 0.0
    erased: float = 0.0
    broken_part: float = 0.0
    backlog: float = 0.0
    no_consent_asked: float = 0.0
    impatient: float = 0.0
    few_places: float = 0.0
    rush: float = 0.0
    rationed: float = 0.0
    capped: float = 0.0
    storm: float = 0.0
    slow_spell: float = 0.0
    unheard_spell: float = 0.0
    crash_spell: float = 0.0
    slow_day: float = 0.0
    short_outage: float = 0.0
    long_outage: float = 0.0
    unpaid: float = 0.0
    unpaid_for_days: float = 0.0


LEVELS: Final = {
    "none": Level(),
    "normal": Level(
        fail_before=0.045,
        fail_after=0.004,
        slow=0.01,
        no_answer=0.001,
        crash=0.004,
        told_to_end=0.004,
        duplicate=0.02,
        delayed=0.02,
        lost=0.01,
        reply_lost=0.005,
        tick_skipped=0.005,
        tick_repeated=0.005,
        job_fails=0.005,
        list_is_stale=0.5,
        bad_recording=0.02,
        replaced=0.02,
        edited=0.1,
        deleted=0.01,
    ),
    "heavy": Level(
        fail_before=0.035,
        fail_after=0.025,
        no_answer=0.01,
        slow=0.02,
        late_arrival=0.02,
        crash_before=0.005,
        crash_after=0.008,
        crash_after_paying=0.12,
        crash=0.04,
        told_to_end=0.03,
        zombie=0.6,
        duplicate=0.15,
        delayed=0.15,
        delayed_hours=0.04,
        lost=0.15,
        reply_lost=0.04,
        mixed_up=0.03,
        tick_skipped=0.08,
        tick_repeated=0.2,
        job_fails=0.05,
        job_vanishes=0.03,
        job_takes_hours=0.03,
        list_is_stale=0.7,
        bad_answer=0.06,
        nothing_to_say=0.4,
        bad_recording=0.06,
        never_uploaded=0.1,
        consent_later=0.15,
        consent_given=0.25,
        replaced=0.2,
        edited=0.4,
        retry_asked=0.25,
        regenerate_asked=0.15,
        cancelled=0.06,
        deleted=0.12,
        no_consent_asked=0.3,
        impatient=0.08,
        few_places=0.7,
        storm=0.4,
        slow_spell=0.3,
        unheard_spell=0.3,
        crash_spell=0.25,
        slow_day=0.5,
        short_outage=0.35,
        long_outage=0.12,
    ),
}
LEVELS["crowded"] = replace(LEVELS["heavy"], few_places=1.0, rush=1.0)
"""Like `heavy`, and all visits compete for few permits at the same moment."""
LEVELS["fickle"] = replace(
    LEVELS["crowded"], replaced=0.6, cancelled=0.3, deleted=0.3, job_takes_hours=0.1
)
"""Like `crowded`, and owners replace, cancel and delete visits whose jobs still run."""
LEVELS["repeating"] = replace(LEVELS["heavy"], storm=1.0, duplicate=0.6, delayed=0.6)
"""Like `heavy`, with Retry-After from the dependencies, and duplicate messages."""
LEVELS["queueing"] = replace(LEVELS["normal"], few_places=1.0, rush=1.0)
"""Like `normal`, and all visits compete for few permits at the same moment."""
LEVELS["consenting"] = replace(
    LEVELS["heavy"], no_consent_asked=1.0, consent_later=1.0, consent_given=1.0, cancelled=0.4
)
"""Like `heavy`, but phones do not ask for consent, and owners give it at any moment."""
LEVELS["impatient"] = replace(LEVELS["heavy"], impatient=1.0)
"""Like `heavy`, and visits expire while a worker holds their lease."""
LEVELS["rationed"] = replace(LEVELS["normal"], rationed=1.0)
"""Like `normal`, and some recordings wait for the quota longer than visits may idle."""
LEVELS["poisoned"] = Level(poison=0.2, few_places=1.0, rush=1.0)
"""Only poison pills: some recordings crash the worker that opens them."""
LEVELS["unpaid"] = Level(unpaid_for_days=1.0)
"""Only this fault: a provider refuses the deployment's calls for hours or days."""
LEVELS["disputed"] = replace(LEVELS["heavy"], unpaid=1.0)
"""Like `heavy`, and a provider refuses the deployment's calls for some hours."""
LEVELS["odd"] = Level(bad_order=0.15)
"""Only this fault: the provider refuses some recordings for an unknown reason."""
LEVELS["hung"] = Level(job_hangs=0.3)
"""Only this fault: the first job of a recording may hang for a day."""
LEVELS["unmeasurable"] = Level(kills_measuring=0.2, few_places=1.0, rush=1.0)
"""Only this fault: some recordings kill the measuring process, but not its parent process."""
LEVELS["searching"] = replace(LEVELS["normal"], crash_after_paying=0.7, long_list=1.0)
"""Like `normal`, and many workers crash after they submitted a job into a long job list."""
LEVELS["takes"] = replace(LEVELS["heavy"], second_take=0.4, bad_recording=0.25)
"""Like `heavy`, and visits have several files (takes), many of them flawed."""
LEVELS["stopped_takes"] = replace(
    LEVELS["crowded"], second_take=0.5, cancelled=0.6, impatient=0.5, job_takes_hours=0.1
)
"""Like `crowded`, and visits of several files are cancelled or expire while jobs still run."""
LEVELS["holding"] = replace(
    LEVELS["heavy"],
    held=0.6,
    second_take=0.3,
    replaced=0.4,
    restored=0.3,
    deleted=0.25,
    erased=0.25,
)
"""Like `heavy`, and operators set legal holds and restore deleted visits at any moment."""
LEVELS["erasing"] = replace(LEVELS["heavy"], deleted=1.0)
"""Like `heavy`, and all users delete their visits."""
LEVELS["unreadable"] = Level(unreadable=0.3, broken_part=0.5, poison=0.1, few_places=1.0, rush=1.0)
"""Only these faults: unreadable documents after a rollback, a failing part, poison pills."""
LEVELS["rolled_back"] = replace(LEVELS["heavy"], unreadable=0.3, broken_part=0.3, deleted=0.3)
"""Like `heavy`, and a rollback makes some documents unreadable for hours."""
LEVELS["mixed"] = replace(LEVELS["normal"], mixed=1.0, newer_value=0.3, few_places=1.0)
"""Like `normal`, and half of the instances write documents that the other half cannot read."""
LEVELS["fruitless"] = Level(
    bad_recording=0.4, cancelled=0.2, replaced=0.2, job_fails=0.2, impatient=0.3, retry_asked=0.2
)
"""Only these faults: many recordings are flawed, jobs fail, and owners stop visits."""
LEVELS["capped"] = Level(capped=1.0, rush=1.0)
"""Only this limit: an hourly cap on new paid jobs (orders) makes most visits wait."""
LEVELS["capped_heavy"] = replace(LEVELS["heavy"], capped=1.0, few_places=0.5)
"""Like `heavy`, with the hourly cap on new paid jobs (orders)."""
LEVELS["backlog"] = Level(backlog=1.0)
"""Only this fault: tasks wait in the queue for hours."""
