"""`scripts/sign-in`: an ID token for the API of a stack that `scripts/dev` keeps running here."""

import argparse
import sys

from infra.local.launcher import RUNS
from infra.ops.local_stack import NoStack, choose_any
from lumimd.adapters.local_tokens import LocalTokens
from lumimd.runtime.services import SystemClock


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0 if a token was printed, 1 if no stack or more than one matches."""
    parser = argparse.ArgumentParser(prog="scripts/sign-in", description=__doc__)
    parser.add_argument("user", nargs="?", default="user-1", help="the user; user-1 by default")
    parser.add_argument("--admin", action="store_true", help="a token of an operator")
    parser.add_argument("--run", metavar="NAME", help="the stack, where several run")
    wanted = parser.parse_args(arguments)
    try:
        stack = choose_any(RUNS, wanted.run)
    except NoStack as error:
        print(error, file=sys.stderr)
        return 1
    env, clock = stack.env, SystemClock()
    tokens = LocalTokens(env["LOCAL_TOKEN_SECRET"], env["GOOGLE_CLOUD_PROJECT"], clock)
    print(tokens.issue(wanted.user, admin=wanted.admin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
