"""Builds the gcloud commands that move one service's traffic. Pure: `traffic_moves` runs them.

According to the reference of `gcloud run services update-traffic`, tags change before the shares,
and tags keep their revisions. Shares that add up to 100 replace all other shares, also a share
that follows LATEST.
"""

from collections.abc import Mapping, Sequence

from infra.release.traffic import LAST_GOOD, Argv, Serving, Target, tag_of


class Skipped(Exception):
    """The service needs no move; the message says why."""


class AlreadyReleased(Skipped):
    """The newest revision has all traffic."""


class CannotMove(Exception):
    """The traffic settings do not allow the move; the message names the remedy."""


def pin(target: Target, serving: Serving) -> Argv:
    """Tag the serving revision as the last good revision, and give it all traffic by its name.

    A release begins with a pin, because settings that follow LATEST would give all traffic to the
    new revision (`all_traffic_on_latest_revision = false` does not change existing settings). A
    release also ends with a pin, which marks the revision with all traffic as last good.

    Raises:
        Skipped: the service is pinned already.
        CannotMove: the traffic is split, or goes to a revision that was rolled back.
    """
    good = serving.has_everything
    back = target.command("rollback", "--only", serving.service, "--yes")
    if good is None:
        raise CannotMove(f"{_shares(serving)}: finish this release or roll it back first: {back}")
    if good in serving.rolled_back:
        raise CannotMove(f"{good} was rolled back and has all traffic: roll back first: {back}")
    stale = [name for name in serving.rolled_back if name != serving.newest]
    if serving.last_good == good and not serving.follows_latest and not stale:
        raise Skipped(f"pinned to {good} already")
    return _update(target, serving.service, {good: 100}, {LAST_GOOD: good}, stale)


def canary(target: Target, serving: Serving, percent: int, *, again: bool = False) -> Argv:
    """Give `percent` of the traffic to the newest revision, and all other traffic to the last good.

    With `again` the newest revision may be one that was rolled back.

    Raises:
        Skipped: no newer revision is ready, or the newest revision was rolled back.
        CannotMove: the service was not pinned.
    """
    newest, before = serving.newest, serving.before
    if serving.follows_latest:
        raise CannotMove(
            f"traffic follows LATEST, so {newest} has its share already: it was not pinned. "
            f"{_advice_without_pin(target, serving)}"
        )
    if serving.unready is not None and newest not in serving.percent:
        raise Skipped(f"{serving.unready} is not ready")
    if before is None and serving.has_everything == newest:
        reason = f"{serving.unready} is not ready" if serving.unready else "no new revision"
        raise Skipped(f"{reason}: {newest} keeps all traffic")
    if before is None or serving.others not in ([], [serving.last_good]):
        raise CannotMove(f"{_shares(serving)}{_why_not_shared(target, serving)}")
    only = ("--only", serving.service)
    if newest in serving.rolled_back and not again:
        anew = target.command("canary", str(percent), "--again", *only, "--yes")
        raise Skipped(f"{newest} was rolled back; to try it again: {anew}")
    if serving.has_everything == newest:
        back = target.command("rollback", *only, "--yes")
        raise AlreadyReleased(f"{newest} has all traffic already; back: {back}")
    shares = {newest: percent, before: 100 - percent}
    no_longer_bad = [newest] if newest in serving.rolled_back else []
    return _update(target, serving.service, shares, {}, no_longer_bad)


def rollback(target: Target, serving: Serving, *, leave: int = 0, to: str | None = None) -> Argv:
    """Give the traffic to the last good release; the newest revision keeps `leave` percent.

    The newest revision never gets more than its current share. A revision that loses all its
    traffic is tagged as rolled back. `to` names the target revision, which is needed if the last
    good release is unknown.

    Raises:
        Skipped: the service has no newer revision, or is rolled back already.
        CannotMove: the last good release is unknown, was rolled back itself, or is the newest.
    """
    newest, good = serving.newest, to or serving.before or serving.last_good
    named = target.command("rollback", "--only", serving.service, "--to", "REVISION", "--yes")
    if good is None:
        raise CannotMove(f"{_shares(serving)}, and no last good release is known: {named}")
    if to is None:
        _check_choice(target, serving, good, named)
    elif serving.has_everything == serving.last_good == to and to not in serving.rolled_back:
        raise Skipped(f"{to} has all traffic already")
    left = 0 if newest == good else min(leave, serving.percent.get(newest, 0))
    if leave and newest != good:
        _check_gradual(serving, good, left)
    shares = {newest: left, good: 100 - left} if left else {good: 100}
    bad = [name for name in serving.percent if name not in shares]
    if not bad and not left and newest != good:
        bad = [newest]  # deployed without traffic; must not get any later
    tags = {LAST_GOOD: good, **{tag_of(serving.service, name): good for name in bad}}
    no_longer_bad = [good] if good in serving.rolled_back else []
    return _update(target, serving.service, shares, tags, no_longer_bad)


def _check_choice(target: Target, serving: Serving, good: str, named: str) -> None:
    """Check that a rollback without the option `to` may choose the revision `good`."""
    newest, everything = serving.newest, serving.has_everything
    if good in serving.rolled_back:
        raise CannotMove(f"{good} was rolled back itself: {named}")
    if everything == good and newest == good:
        raise Skipped(f"no new revision: {good} keeps all traffic")
    if everything == good and newest in serving.rolled_back:
        raise Skipped(f"{good} has all traffic already")
    if everything is not None and good == newest:
        # A person rolled back by hand. To undo that would be a release and not a rollback.
        pinned = target.command("pin", "--only", serving.service, "--yes")
        raise CannotMove(
            f"{everything} has all traffic, and the last good release {good} is the newest. "
            f"To stay there: {pinned} Or: {named}"
        )


def _check_gradual(serving: Serving, good: str, left: int) -> None:
    """Check that a rollback that leaves `left` percent with the newest revision has an effect."""
    newest = serving.newest
    if not left and serving.has_everything == good:
        raise Skipped(f"{newest} has no traffic, of which some could stay")
    if not left:
        raise CannotMove(f"{_shares(serving)}, {newest} none that could stay: without --leave")
    if serving.percent == {newest: left, good: 100 - left}:
        raise Skipped(f"{newest} has {left} %, and no more than that stays")


def _advice_without_pin(target: Target, serving: Serving) -> str:
    only = ("--only", serving.service)
    if serving.is_first:
        return f"A new function is pinned now: {target.command('pin', *only, '--yes')}"
    return f"Back: {target.command('rollback', *only, '--to', 'REVISION', '--yes')}"


def _why_not_shared(target: Target, serving: Serving) -> str:
    """Explain why a canary must not take a share from the revisions that have the traffic."""
    only = ("--only", serving.service)
    if serving.has_everything is not None:
        return f", not pinned: {target.command('pin', *only, '--yes')}"
    if serving.last_good is None:
        whole = target.command("rollback", *only, "--to", "REVISION", "--yes")
        return f", not pinned; to give one of them all of it: {whole}"
    under_way = [name for name in serving.others if name != serving.last_good]
    back = target.command("rollback", *only, "--yes")
    return f": {', '.join(under_way)} is under way: finish it or roll it back first: {back}"


def _shares(serving: Serving) -> str:
    shares = (f"{name} has {share} %" for name, share in sorted(serving.percent.items()))
    return ", ".join(shares) or "no revision has traffic"


def _update(
    target: Target,
    service: str,
    shares: Mapping[str, int],
    tags: Mapping[str, str],
    not_rolled_back: Sequence[str],
) -> Argv:
    targets = ",".join(f"{name}={percent}" for name, percent in shares.items() if percent)
    options = [f"--to-revisions={targets}"]
    if tags:
        options.append("--update-tags=" + ",".join(f"{tag}={name}" for tag, name in tags.items()))
    if not_rolled_back:
        stale = ",".join(tag_of(service, name) for name in not_rolled_back)
        options.append(f"--remove-tags={stale}")
    update = ("gcloud", "run", "services", "update-traffic", service, *target.options)
    return (*update, *options, "--quiet")
