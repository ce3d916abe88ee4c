"""Moves of the traffic of one service, as calls of gcloud. Pure: others run them.

`gcloud run services update-traffic` (its reference): tags change first, then the shares; shares
that add up to 100 replace all others, also one that follows LATEST; tags keep their revisions.
"""

from collections.abc import Mapping, Sequence

from infra.release.traffic import LAST_GOOD, Argv, Place, Serving, tag_of


class LeftAlone(Exception):
    """There is nothing to move, and that is well; the message says why."""


class ReleasedAlready(LeftAlone):
    """The newest revision has all traffic."""


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
    back = place.command("rollback", "--only", serving.service, "--yes")
    if good is None:
        raise NotMoved(f"{_shares(serving)}: finish this release or roll it back first: {back}")
    if good in serving.rolled_back:
        raise NotMoved(f"{good} was rolled back and has all traffic: roll back first: {back}")
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
            f"{_after_no_pin(place, serving)}"
        )
    if serving.unready is not None and newest not in serving.percent:
        raise LeftAlone(f"{serving.unready} is not ready")
    if before is None and serving.has_everything == newest:
        said = f"{serving.unready} is not ready" if serving.unready else "no new revision"
        raise LeftAlone(f"{said}: {newest} keeps all traffic")
    if before is None or serving.others not in ([], [serving.last_good]):
        raise NotMoved(f"{_shares(serving)}{_not_to_be_shared(place, serving)}")
    only = ("--only", serving.service)
    if newest in serving.rolled_back and not again:
        anew = place.command("canary", str(percent), "--again", *only, "--yes")
        raise LeftAlone(f"{newest} was rolled back; to try it again: {anew}")
    if serving.has_everything == newest:
        back = place.command("rollback", *only, "--yes")
        raise ReleasedAlready(f"{newest} has all traffic already; back: {back}")
    shares = {newest: percent, before: 100 - percent}
    forgiven = [newest] if newest in serving.rolled_back else []
    return _update(place, serving.service, shares, {}, forgiven)


def rollback(place: Place, serving: Serving, *, leave: int = 0, to: str | None = None) -> Argv:
    """Gives the traffic back to the last good release; `leave` percent stay with the newest.

    The newest keeps no more than it has. What loses all its traffic is noted as rolled back.

    `to`: the revision to go back to, where the service does not know it, or another one is wanted.

    Raises:
        LeftAlone: the service has no newer revision, or is back already.
        NotMoved: the last good release is not known, was rolled back itself, or is the newest.
    """
    newest, good = serving.newest, to or serving.before or serving.last_good
    named = place.command("rollback", "--only", serving.service, "--to", "REVISION", "--yes")
    if good is None:
        raise NotMoved(f"{_shares(serving)}, and no last good release is known: {named}")
    if to is None:
        _may_be_chosen(place, serving, good, named)
    elif serving.has_everything == serving.last_good == to and to not in serving.rolled_back:
        raise LeftAlone(f"{to} has all traffic already")
    left = 0 if newest == good else min(leave, serving.percent.get(newest, 0))
    if leave and newest != good:
        _can_be_gradual(serving, good, left)
    shares = {newest: left, good: 100 - left} if left else {good: 100}
    bad = [name for name in serving.percent if name not in shares]
    if not bad and not left and newest != good:
        bad = [newest]  # deployed, and not to be given any traffic
    tags = {LAST_GOOD: good, **{tag_of(serving.service, name): good for name in bad}}
    forgiven = [good] if good in serving.rolled_back else []
    return _update(place, serving.service, shares, tags, forgiven)


def _may_be_chosen(place: Place, serving: Serving, good: str, named: str) -> None:
    """Whether a rollback that names no revision may go to `good`."""
    newest, everything = serving.newest, serving.has_everything
    if good in serving.rolled_back:
        raise NotMoved(f"{good} was rolled back itself: {named}")
    if everything == good and newest == good:
        raise LeftAlone(f"no new revision: {good} keeps all traffic")
    if everything == good and newest in serving.rolled_back:
        raise LeftAlone(f"{good} has all traffic already")
    if everything is not None and good == newest:
        # Somebody went back by hand; to undo that would be a release, and no rollback.
        pinned = place.command("pin", "--only", serving.service, "--yes")
        raise NotMoved(
            f"{everything} has all traffic, and the last good release {good} is the newest. "
            f"To stay there: {pinned} Or: {named}"
        )


def _can_be_gradual(serving: Serving, good: str, left: int) -> None:
    """Whether something changes while `left` percent, which it has, stay with the newest."""
    newest = serving.newest
    if not left and serving.has_everything == good:
        raise LeftAlone(f"{newest} has no traffic, of which some could stay")
    if not left:
        raise NotMoved(f"{_shares(serving)}, {newest} none that could stay: without --leave")
    if serving.percent == {newest: left, good: 100 - left}:
        raise LeftAlone(f"{newest} has {left} %, and no more than that stays")


def _after_no_pin(place: Place, serving: Serving) -> str:
    only = ("--only", serving.service)
    if serving.is_first:
        return f"A new function is pinned now: {place.command('pin', *only, '--yes')}"
    return f"Back: {place.command('rollback', *only, '--to', 'REVISION', '--yes')}"


def _not_to_be_shared(place: Place, serving: Serving) -> str:
    """Why no canary may take its share from the revisions that have the traffic."""
    only = ("--only", serving.service)
    if serving.has_everything is not None:
        return f", not pinned: {place.command('pin', *only, '--yes')}"
    if serving.last_good is None:
        whole = place.command("rollback", *only, "--to", "REVISION", "--yes")
        return f", not pinned; to give one of them all of it: {whole}"
    under_way = [name for name in serving.others if name != serving.last_good]
    back = place.command("rollback", *only, "--yes")
    return f": {', '.join(under_way)} is under way: finish it or roll it back first: {back}"


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
