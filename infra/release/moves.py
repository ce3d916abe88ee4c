"""Moves of the traffic of one service, as calls of gcloud. Pure: others run them.

`gcloud run services update-traffic` (its reference): tags change first, then the shares; shares
that add up to 100 replace all others, also one that follows LATEST; tags keep their revisions.
"""

from collections.abc import Mapping, Sequence

from infra.release.traffic import LAST_GOOD, Argv, Place, Serving, tag_of


class LeftAlone(Exception):
    """There is nothing to move, and that is well; the message says why."""


class NotMoved(Exception):
    """The service cannot be moved as it is; the message says what to do."""


def pin(place: Place, serving: Serving) -> Argv:
    """Names the serving revision as the last good one, and gives it all traffic by its name.

    A release begins with it: `all_traffic_on_latest_revision = false` keeps the traffic settings as
    they are, and settings that follow LATEST give everything to the new revision. A release also
    ends with it: what has all traffic then is the last good release.

    Raises:
        LeftAlone: it is pinned already.
        NotMoved: the traffic is split, or at a revision that was rolled back.
    """
    good = serving.has_everything
    if good is None:
        raise NotMoved(f"{_shares(serving)}: finish this release or roll it back first")
    if good in serving.rolled_back:
        raise NotMoved(f"{good} was rolled back and has all traffic: roll back first")
    stale = [name for name in serving.rolled_back if name != serving.newest]
    if serving.last_good == good and not serving.follows_latest and not stale:
        raise LeftAlone(f"pinned to {good} already")
    return _update(place, serving.service, {good: 100}, {LAST_GOOD: good}, stale)


def canary(place: Place, serving: Serving, percent: int, *, again: bool = False) -> Argv:
    """Gives `percent` of the traffic to the newest revision, and the rest to the last good one.

    `again`: also to one that was rolled back.

    Raises:
        LeftAlone: it has no newer revision that is ready, or the newest was rolled back.
        NotMoved: it was not pinned.
    """
    newest, before = serving.newest, serving.before
    if serving.follows_latest:
        raise NotMoved(
            f"traffic follows LATEST, so {newest} has its share already: it was not pinned. "
            f"A new function is pinned now: scripts/release pin --only {serving.service} --yes"
        )
    if serving.unready is not None and newest not in serving.percent:
        raise LeftAlone(f"{serving.unready} is not ready")
    if before is None and serving.has_everything == newest:
        said = f"{serving.unready} is not ready" if serving.unready else "no new revision"
        raise LeftAlone(f"{said}: {newest} keeps all traffic")
    if before is None or serving.others not in ([], [serving.last_good]):
        raise NotMoved(
            f"{_shares(serving)}, not pinned: scripts/release pin --yes, before Terraform"
        )
    if newest in serving.rolled_back and not again:
        raise LeftAlone(f"{newest} was rolled back; with --again and --only it is tried again")
    if serving.has_everything == newest:
        raise LeftAlone(f"{newest} has all traffic already; back: rollback, or rollback --leave 50")
    shares = {newest: percent, before: 100 - percent}
    forgiven = [newest] if newest in serving.rolled_back else []
    return _update(place, serving.service, shares, {}, forgiven)


def rollback(place: Place, serving: Serving, *, leave: int = 0, to: str | None = None) -> Argv:
    """Gives the traffic back to the last good release; `leave` percent stay with the newest.

    `to`: the revision to go back to, where the service does not know it.

    Raises:
        LeftAlone: the service has no newer revision, or is back already.
        NotMoved: the last good release is not known, or was rolled back itself.
    """
    newest, good = serving.newest, to or serving.before or serving.last_good
    if good is None:
        only = f"scripts/release rollback --only {serving.service} --to REVISION"
        raise NotMoved(f"{_shares(serving)}, and no last good release is known: {only}")
    if good in serving.rolled_back and to is None:
        raise NotMoved(f"{good} was rolled back itself: --only {serving.service} --to REVISION")
    if serving.has_everything == good and newest == good:
        raise LeftAlone(f"no new revision: {good} keeps all traffic")
    if serving.has_everything == good and newest in serving.rolled_back:
        raise LeftAlone(f"{good} has all traffic already")
    tags = {LAST_GOOD: good}
    if newest == good:
        leave = 0
    elif not leave:
        tags[tag_of(serving.service, newest)] = good
    shares = {newest: leave, good: 100 - leave} if leave else {good: 100}
    return _update(place, serving.service, shares, tags, [])


def _shares(serving: Serving) -> str:
    told = (f"{name} has {share} %" for name, share in sorted(serving.percent.items()))
    return ", ".join(told) or "no revision has traffic"


def _update(
    place: Place,
    service: str,
    shares: Mapping[str, int],
    tags: Mapping[str, str],
    not_rolled_back: Sequence[str],
) -> Argv:
    told = ",".join(f"{name}={percent}" for name, percent in shares.items() if percent)
    options = [f"--to-revisions={told}"]
    if tags:
        options.append("--update-tags=" + ",".join(f"{tag}={name}" for tag, name in tags.items()))
    if not_rolled_back:
        gone = ",".join(tag_of(service, name) for name in not_rolled_back)
        options.append(f"--remove-tags={gone}")
    update = ("gcloud", "run", "services", "update-traffic", service, *place.options)
    return (*update, *options, "--quiet")
